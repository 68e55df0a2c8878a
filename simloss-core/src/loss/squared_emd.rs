//! Squared EMD: the ranked probability score as a loss, for classes in an order.
//!
//! ```text
//! L       = sum_(t < C - 1) (F_t - [t >= y])^2,      F_t = p_0 + .. + p_t,   p = softmax(z)
//! dL/dz_k = 2 p_k sum_t (F_t - [t >= y]) ([k <= t] - F_t)
//! ```
//!
//! Source: L. Hou, C.-P. Yu, D. Samaras, "Squared Earth Mover's Distance-based Loss for Training Deep Neural Networks",
//! 2016 (arXiv 1611.05916), for equal distances between neighbors; as a score it is the ranked probability score of
//! E. S. Epstein, 1969.

use super::{Lanes, Loss, Scratch};
use crate::{
    Error, Label,
    label::in_lanes,
    number::{BlockSum, Scalar, Value},
    similarity::check_classes,
    slices::split_mut,
};
use nalgebra::SVector;

/// The squared earth mover's distance between the probabilities and the true class.
///
/// Shapes: logits `C`, gradient `C`. A proper scoring rule: its expectation is least for the true probabilities. It is the
/// limit of [`ProperSimLoss`](super::ProperSimLoss) over `2 (1 - r)` as the `r` of a class order approaches 1.
///
/// Guarantees: from 0 to `C - 1`. Numerics: no term of the sum is a difference of numbers near 1; each is a sum of the
/// probabilities on the far side of `t`.
///
/// Cost: `C` exponentials and one division; `2 C` values of scratch.
///
/// ```
/// use simloss_core::{Label, loss::{Loss, SquaredEmd}, nalgebra::SVector};
/// let loss = SquaredEmd::new(3)?;
/// // All three alike: F = 1/3, 2/3, and the first class is true.
/// let value = loss.value(&SVector::from([0.0f64; 3]), Label::new(0, 3)?)?;
/// assert!((value - (4.0 / 9.0 + 1.0 / 9.0)).abs() < 1e-15);
/// # Ok::<(), simloss_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SquaredEmd {
    classes: usize,
}

impl SquaredEmd {
    /// The loss between `classes` classes in their order.
    ///
    /// # Errors
    /// [`Error::Classes`] unless `classes` is from 2 to 65,535.
    pub fn new(classes: usize) -> Result<Self, Error> {
        Ok(SquaredEmd { classes: check_classes(classes)? })
    }

    #[inline(always)]
    fn lanes<V: Value, const GRADIENT: bool>(t: V::Token, x: Lanes<'_, V>) -> V {
        let Lanes { labels, rows, e, .. } = x;
        let [zero, one] = [V::Scalar::ZERO, V::Scalar::ONE].map(|x| V::splat(t, x));
        let (below, rest) = split_mut(rows, e.len());
        let (above, _) = split_mut(rest, e.len());
        let y: V = in_lanes(t, labels);

        // F_t and 1 - F_t, each a sum of its own.
        let mut sum = BlockSum::new(t);
        for (to, &e) in below.iter_mut().zip(e.iter()) {
            sum.add_one(e);
            *to = sum.total();
        }
        let scale = one.div(sum.total());
        let mut sum = BlockSum::<V>::new(t);
        for (to, &e) in above.iter_mut().zip(e.iter()).rev() {
            *to = sum.total().mul(scale);
            sum.add_one(e);
        }
        let mut loss = BlockSum::new(t);
        let mut reached = BlockSum::new(t);
        for (at, (below, above)) in below.iter_mut().zip(above.iter_mut()).enumerate() {
            let (f, g) = (below.mul(scale), *above);
            let is_below = y.select_gt(V::splat(t, V::Scalar::from_usize(at)), one, zero);
            let miss = is_below.select_gt(zero, f, g);
            loss.add_one(miss.mul(miss));
            if const { GRADIENT } {
                // From now on: the sum over earlier t of (F_t - [t >= y]) F_t, and the term of (1 - F_t).
                let signed = is_below.select_gt(zero, miss, zero.sub(miss));
                *below = reached.total();
                reached.add_one(signed.mul(f));
                *above = signed.mul(g);
            }
        }
        if const { GRADIENT } {
            let mut later = BlockSum::new(t);
            for ((e, &earlier), &term) in e.iter_mut().zip(below.iter()).zip(above.iter()).rev() {
                later.add_one(term);
                let p = e.mul(scale);
                *e = p.add(p).mul(later.total().sub(earlier));
            }
        }
        loss.total()
    }
}

impl<T: Scalar> Loss<T> for SquaredEmd {
    fn classes(&self) -> usize {
        self.classes
    }

    fn scratch<V: Value<Scalar = T>>(&self) -> Scratch {
        Scratch { scalars: 0, values: 2 * self.classes }
    }

    #[inline(always)]
    fn value_in_lanes<V: Value<Scalar = T>>(&self, t: V::Token, x: Lanes<'_, V>) -> V {
        Self::lanes::<V, false>(t, x)
    }

    #[inline(always)]
    fn gradient_in_lanes<V: Value<Scalar = T>>(&self, t: V::Token, x: Lanes<'_, V>) -> V {
        Self::lanes::<V, true>(t, x)
    }

    fn value<const C: usize>(&self, logits: &SVector<T, C>, y: Label) -> Result<T, Error> {
        let mut memory = [[T::ZERO; C]; 2];
        self.value_of_slice(logits.as_slice(), y, memory.as_flattened_mut(), &mut [T::ZERO; C])
    }

    fn value_and_gradient_into<const C: usize>(
        &self,
        logits: &SVector<T, C>,
        y: Label,
        gradient: &mut SVector<T, C>,
    ) -> Result<T, Error> {
        let mut memory = [[T::ZERO; C]; 2];
        self.gradient_of_slice(logits.as_slice(), y, memory.as_flattened_mut(), gradient.as_mut_slice())
    }
}
