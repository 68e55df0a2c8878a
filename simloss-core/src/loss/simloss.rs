//! SimLoss: `L = -ln sum_c S[y, c] softmax(z)_c`.

use super::{Lanes, Loss, Scratch, kernel};
use crate::{
    number::{Scalar, Value},
    similarity::Similarity,
};

/// Cross entropy with a class-similarity matrix (arXiv 2003.03182, equation 2).
///
/// ```text
/// L     = -ln sum_c S[y, c] p_c,       p = softmax(z)
/// dL/dz = p - q,                       q_k = S[y, k] p_k / sum_c S[y, c] p_c
/// ```
///
/// Shapes: logits `C`, gradient `C`. No epsilon: a right sample's tiny loss keeps its relative accuracy, a wrong
/// sample's gradient its full size. Measured bounds: `docs/numerics.md`.
///
/// ```
/// use simloss_core::{Label, loss::{CrossEntropy, Loss, SimLoss}, nalgebra::SVector, similarity::ClassOrder};
/// let simloss = SimLoss::new(ClassOrder::<f32, 5>::new(0.5)?);
/// let logits = SVector::from([0.0f32, 3.0, 0.0, 0.0, -1.0]);
/// // Predicted class 1: for the true class 2 that is one step away, and costs less than cross entropy says.
/// let y = Label::new(2, 5)?;
/// let (value, gradient) = simloss.value_and_gradient(&logits, y)?;
/// assert!(value < CrossEntropy::new(5)?.value(&logits, y)?);
/// assert!(gradient.as_slice().iter().sum::<f32>().abs() < 1e-6);
/// # Ok::<(), simloss_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimLoss<S> {
    similarity: S,
}

impl<S> SimLoss<S> {
    /// The loss of a similarity, which can only be valid.
    pub const fn new(similarity: S) -> Self {
        SimLoss { similarity }
    }

    /// The similarity.
    pub const fn similarity(&self) -> &S {
        &self.similarity
    }
}

impl<T: Scalar, S: Similarity<T>> Loss<T> for SimLoss<S> {
    const CLASSES: Option<usize> = S::CLASSES;

    fn classes(&self) -> usize {
        self.similarity.classes()
    }

    fn scratch<V: Value<Scalar = T>>(&self) -> Scratch {
        let classes = self.similarity.classes();
        Scratch {
            scalars: kernel::rows_scratch::<V>(self.similarity.scratch()),
            values: if const { V::WIDTH == 1 } { 0 } else { classes },
        }
    }

    #[inline(always)]
    fn value_in_lanes<V: Value<Scalar = T>>(&self, t: V::Token, x: Lanes<'_, V>) -> V {
        let row = kernel::rows(t, &self.similarity, x.labels, x.scratch, x.rows);
        kernel::simloss::<V, false>(t, x.logits, x.most, row, x.e)
    }

    #[inline(always)]
    fn gradient_in_lanes<V: Value<Scalar = T>>(&self, t: V::Token, x: Lanes<'_, V>) -> V {
        let row = kernel::rows(t, &self.similarity, x.labels, x.scratch, x.rows);
        kernel::simloss::<V, true>(t, x.logits, x.most, row, x.e)
    }
}
