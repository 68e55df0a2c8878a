//! Proper SimLoss: `L* = -ln q_y + 1 - sum_c p_c S_yc / q_c`, with `q = S p`.

use super::{Lanes, Loss, Scratch, kernel, proper_kernel};
use crate::{
    Error, Label,
    number::{Scalar, Value},
    similarity::ProperSimilarity,
};
use nalgebra::SVector;

/// SimLoss plus the term that makes it a strictly proper scoring rule: its expectation is least at the true probabilities.
///
/// ```text
/// L*       = -ln q_y + 1 - sum_c p_c S_yc / q_c,      q = S p,   p = softmax(z),   S symmetric
/// dL*/dz_k = p_k (1 - S_yk / q_y - S_yk / q_k + sum_c p_c S_yc S_ck / q_c^2)
/// ```
///
/// With `S = I` it is cross entropy. With a class order it goes from cross entropy, at `r = 0`, to `2 (1 - r)` times the
/// ranked probability score ([`SquaredEmd`](super::SquaredEmd)) as `r` approaches 1.
///
/// Shapes: logits `C`, gradient `C`. Guarantees: from 0 to `1 - s - ln s`, `s` being the least similarity to the true class;
/// 0 only where the true class has all of the probability. Like SimLoss's, the gradient fades for samples that are wrong and
/// sure, unless the similarity to the predicted class is 0.
///
/// Scale: the loss is of the order of `1 - r`. SGD wants the learning rate of cross entropy times about `1 / (2 (1 - r))`;
/// Adam does not care.
///
/// Numerics: bounds of the error stand in `docs/numerics.md`. For the stored entries the loss is proper in exact arithmetic;
/// the computed one is so up to rounding.
///
/// Cost: as [`CrossEntropy`](super::CrossEntropy), one division and one product with `S` ([`Similarity::products`]); the
/// gradient a second product. Scratch: `4 C` values, and a row of `S` for each lane.
///
/// Source: the divergence of this rule is the GAIT divergence (J. Gallego-Posada, A. Vani, M. Schwarzer, S. Lacoste-Julien,
/// "GAIT: A Geometric Approach to Information Theory", PMLR 108:2601, 2020), its entropy `-sum_c p_c ln (S p)_c` that of
/// T. Leinster and C. Cobbold, "Measuring diversity: the importance of species similarity", Ecology 93, 2012.
///
/// [`Similarity::products`]: crate::similarity::Similarity::products
///
/// ```
/// use simloss_core::{Label, loss::{Loss, ProperSimLoss, SimLoss}, nalgebra::SVector, similarity::ClassOrder};
/// let order = ClassOrder::<f64, 3>::new(0.5)?;
/// let (proper, simloss) = (ProperSimLoss::new(&order), SimLoss::new(&order));
/// // Each class is true one time in three. Who forecasts that expects a smaller loss than who is sure of the middle class;
/// // SimLoss prefers the latter.
/// let (truth, middle) = (SVector::from([0.0; 3]), SVector::from([0.0, 20.0, 0.0]));
/// let expected = |loss: &dyn Fn(usize) -> Result<f64, simloss_core::Error>| Ok::<_, simloss_core::Error>(
///     (loss(0)? + loss(1)? + loss(2)?) / 3.0);
/// let of = |z| expected(&|y| proper.value(z, Label::new(y, 3)?));
/// assert!(of(&truth)? < of(&middle)?);
/// let of = |z| expected(&|y| simloss.value(z, Label::new(y, 3)?));
/// assert!(of(&truth)? > of(&middle)?);
/// # Ok::<(), simloss_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProperSimLoss<S> {
    similarity: S,
}

impl<S> ProperSimLoss<S> {
    /// The loss of a similarity for which it is proper.
    pub const fn new(similarity: S) -> Self {
        ProperSimLoss { similarity }
    }

    /// The similarity.
    pub const fn similarity(&self) -> &S {
        &self.similarity
    }
}

impl<T: Scalar, S: ProperSimilarity<T>> Loss<T> for ProperSimLoss<S> {
    const CLASSES: Option<usize> = S::CLASSES;

    fn classes(&self) -> usize {
        self.similarity.classes()
    }

    fn scratch<V: Value<Scalar = T>>(&self) -> Scratch {
        let (classes, row) = (self.similarity.classes(), self.similarity.scratch());
        Scratch {
            scalars: kernel::rows_scratch::<V>(row) + row,
            values: (proper_kernel::VALUES + usize::from(V::WIDTH > 1)) * classes + self.similarity.product_values(),
        }
    }

    #[inline(always)]
    fn value_in_lanes<V: Value<Scalar = T>>(&self, t: V::Token, x: Lanes<'_, V>) -> V {
        proper_kernel::proper::<V, S, false>(t, &self.similarity, x)
    }

    #[inline(always)]
    fn gradient_in_lanes<V: Value<Scalar = T>>(&self, t: V::Token, x: Lanes<'_, V>) -> V {
        proper_kernel::proper::<V, S, true>(t, &self.similarity, x)
    }

    fn value<const C: usize>(&self, logits: &SVector<T, C>, y: Label) -> Result<T, Error> {
        super::fits::<T, Self, C>();
        let e = &mut [T::ZERO; C];
        // A number of classes in the type means rows that are stored or filled: no more than a row twice and the values.
        if const { S::CLASSES.is_some() } {
            return self.value_of_slice(logits.as_slice(), y, [[T::ZERO; C]; 6].as_flattened_mut(), e);
        }
        self.value_of_slice(logits.as_slice(), y, [[T::ZERO; C]; 11].as_flattened_mut(), e)
    }

    fn value_and_gradient_into<const C: usize>(
        &self,
        logits: &SVector<T, C>,
        y: Label,
        gradient: &mut SVector<T, C>,
    ) -> Result<T, Error> {
        super::fits::<T, Self, C>();
        let gradient = gradient.as_mut_slice();
        if const { S::CLASSES.is_some() } {
            return self.gradient_of_slice(logits.as_slice(), y, [[T::ZERO; C]; 6].as_flattened_mut(), gradient);
        }
        self.gradient_of_slice(logits.as_slice(), y, [[T::ZERO; C]; 11].as_flattened_mut(), gradient)
    }
}
