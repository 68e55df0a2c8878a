//! The optimizer as a gradient sink: no memory for gradients.

use super::Optimizer;
use crate::{
    gradient::GradientSink,
    number::{Scalar, Value},
};

/// Moves each parameter as soon as its gradient is known. For a batch of one: every gradient comes once and whole.
///
/// The bits are those of summing into a buffer and [`apply`](super::apply).
#[derive(Debug)]
pub struct InPlace<'a, T: Scalar, O: Optimizer<T>> {
    /// The constants of this step.
    pub step: O::Step,
    /// Multiplies every gradient: `1 / Omega`.
    pub scale: T,
    /// All parameters.
    pub parameters: &'a mut [T],
    /// [`Optimizer::MOMENTS`] arrays of their length, one after the other.
    pub moments: &'a mut [T],
}

impl<T: Scalar, O: Optimizer<T>> GradientSink<T> for InPlace<'_, T, O> {
    #[inline(always)]
    fn add(&mut self, index: usize, samples: &[T]) {
        self.add_products::<T>((), index, samples, &[T::ONE; crate::number::GROUP], 1);
    }

    #[inline(always)]
    fn add_products<V: Value<Scalar = T>>(&mut self, t: V::Token, index: usize, scales: &[T], rows: &[T], n: usize) {
        let count = self.parameters.len();
        let Some(parameters) = self.parameters.get_mut(index..index + n) else { return };
        let (first, second) = self.moments.split_at_mut(if O::MOMENTS == 0 { 0 } else { count.min(self.moments.len()) });
        let first = first.get_mut(index..index + n).unwrap_or_default();
        let second = second.get_mut(index..index + n).unwrap_or_default();
        let (mut first, mut second) = (first.chunks_mut(V::WIDTH), second.chunks_mut(V::WIDTH));
        let scale = V::splat(t, self.scale);
        for (block, w) in parameters.chunks_mut(V::WIDTH).enumerate() {
            let mut g = V::splat(t, T::ZERO);
            for (&scale, row) in scales.iter().zip(rows.chunks_exact(n.max(1))) {
                let Some(x) = row.get(block * V::WIDTH..) else { return };
                g = g.add(V::splat(t, scale).mul(V::load(t, x)));
            }
            let (m, v) = (first.next().unwrap_or_default(), second.next().unwrap_or_default());
            let mut kept = [V::load(t, m), V::load(t, v)];
            O::update(t, &self.step, V::load(t, w), g.mul(scale), &mut kept).store(w);
            kept[0].store(m);
            kept[1].store(v);
        }
    }
}
