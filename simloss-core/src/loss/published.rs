//! The formula of the published code, for comparison only.

use super::{Lanes, Loss, Scratch, SimLoss, kernel};
use crate::{
    number::{Scalar, Value, block_sums},
    similarity::{Similarity, split},
};

/// `L = -ln(sum_c S[y, c] p_c + 1e-8)`, evaluated as the published code does: softmax first, then the sum, then the
/// epsilon.
///
/// It cannot exceed 18.42, is slightly negative for a sample that is surely right, and passes almost no gradient for a
/// sample that is surely wrong. Kept so that anybody can compare; use [`SimLoss`].
///
/// ```
/// use simloss_core::{Label, loss::{Loss, PublishedSimLoss, SimLoss}, nalgebra::SVector, similarity::ClassOrder};
/// let order = ClassOrder::<f32, 3>::new(0.0)?;
/// let (z, y) = (SVector::from([40.0f32, 0.0, 0.0]), Label::new(2, 3)?);
/// assert!(PublishedSimLoss::new(&order).value(&z, y)? < 18.43);
/// assert_eq!(SimLoss::new(&order).value(&z, y)?, 40.0);
/// # Ok::<(), simloss_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PublishedSimLoss<S> {
    inner: SimLoss<S>,
}

impl<S> PublishedSimLoss<S> {
    /// The published form of the loss of a similarity.
    pub const fn new(similarity: S) -> Self {
        PublishedSimLoss { inner: SimLoss::new(similarity) }
    }

    #[inline(always)]
    fn lanes<V: Value, const GRADIENT: bool>(&self, t: V::Token, x: Lanes<'_, V>) -> V
    where
        S: Similarity<V::Scalar>,
    {
        let one = V::splat(t, V::Scalar::ONE);
        let row = kernel::rows(t, self.inner.similarity(), x.labels, x.scratch, x.rows);
        let e = x.e;
        kernel::normalise(t, e);
        let [rewarded, _] = block_sums(t, row, e, &kernel::Weighed { one });
        let kept = rewarded.add(V::splat(t, V::Scalar::from_f32(1e-8)));
        if GRADIENT {
            for (e, &x) in e.iter_mut().zip(row) {
                *e = e.mul(rewarded.sub(split(one, x).0)).div(kept);
            }
        }
        V::splat(t, V::Scalar::ZERO).sub(kept.map(t, V::Scalar::ln))
    }
}

impl<T: Scalar, S: Similarity<T>> Loss<T> for PublishedSimLoss<S> {
    const CLASSES: Option<usize> = S::CLASSES;

    fn classes(&self) -> usize {
        self.inner.similarity().classes()
    }

    fn scratch<V: Value<Scalar = T>>(&self) -> Scratch {
        Loss::<T>::scratch::<V>(&self.inner)
    }

    #[inline(always)]
    fn value_in_lanes<V: Value<Scalar = T>>(&self, t: V::Token, x: Lanes<'_, V>) -> V {
        self.lanes::<V, false>(t, x)
    }

    #[inline(always)]
    fn gradient_in_lanes<V: Value<Scalar = T>>(&self, t: V::Token, x: Lanes<'_, V>) -> V {
        self.lanes::<V, true>(t, x)
    }
}
