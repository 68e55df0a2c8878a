//! The optimizer as a gradient sink: no memory for gradients.

use super::{Optimizer, Product, Scaled, advance};
use crate::{
    gradient::GradientSink,
    number::{Scalar, Value},
    slices::split_mut,
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
        self.add_products::<T>((), index, samples, &[T::ONE], 1);
    }

    #[inline(always)]
    fn add_products<V: Value<Scalar = T>>(&mut self, t: V::Token, index: usize, scales: &[T], rows: &[T], n: usize) {
        let (Some(&scale), Some(row)) = (scales.first(), rows.get(..n)) else { return };
        let count = self.parameters.len();
        let Some(parameters) = self.parameters.get_mut(index..index + n) else { return };
        let (first, second) = split_mut(self.moments, if O::MOMENTS == 0 { 0 } else { count });
        let (mut moments, range) = ([&mut [][..], &mut []], index..index + n);
        if O::MOMENTS > 0 {
            let Some(first) = first.get_mut(range.clone()) else { return };
            moments[0] = first;
        }
        if O::MOMENTS > 1 {
            let Some(second) = second.get_mut(range) else { return };
            moments[1] = second;
        }
        O::pull(&self.step, index, parameters);
        let product = Product { zero: V::splat(t, T::ZERO), factor: V::splat(t, scale) };
        // A product with 1 is the number itself: an unweighted batch of one does not pay for it.
        if self.scale == T::ONE {
            advance::<V, O>(t, &self.step, &product, row, parameters, moments);
        } else {
            let scaled = Scaled { gradient: product, scale: V::splat(t, self.scale) };
            advance::<V, O>(t, &self.step, &scaled, row, parameters, moments);
        }
    }
}
