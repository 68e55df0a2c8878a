//! Rectified linear unit: `max(0, x)` of a layer's outputs, in place.

use super::{Activations, Layer, Place, Shape};
use crate::{
    Error, Random,
    gradient::GradientSink,
    number::{Scalar, Value},
};

/// A layer followed by `y = 0 > x ? 0 : x`; the gradient passes where `y > 0`.
///
/// Written so that NaN stays NaN: a poisoned activation must reach the logits, where it is refused, and not vanish.
/// Costs no memory: it changes the layer's outputs in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relu<L> {
    pub(super) layer: L,
}

impl<L> Relu<L> {
    /// The layer with its relu, where a constant is needed.
    pub(crate) const fn of(layer: L) -> Self {
        Relu { layer }
    }

    /// The layer whose outputs are rectified.
    pub const fn layer(&self) -> &L {
        &self.layer
    }

    #[inline(always)]
    pub(super) fn rectify<V: Value>(t: V::Token, y: &mut [V]) {
        let zero = V::splat(t, V::Scalar::ZERO);
        for y in y {
            *y = zero.select_gt(*y, zero, *y);
        }
    }

    #[inline(always)]
    pub(super) fn mask<V: Value>(t: V::Token, y: &[V], dy: &mut [V]) {
        let zero = V::splat(t, V::Scalar::ZERO);
        for (dy, y) in dy.iter_mut().zip(y) {
            *dy = y.select_gt(zero, *dy, zero);
        }
    }
}

impl<T: Scalar, L: Layer<T>> Layer<T> for Relu<L> {
    fn shape(&self) -> Shape {
        self.layer.shape()
    }

    #[inline]
    fn check(&self) -> Result<(), Error> {
        self.layer.check()
    }

    fn gradient_scratch<V: Value<Scalar = T>>(&self) -> usize {
        self.layer.gradient_scratch::<V>()
    }

    #[inline(always)]
    fn forward<V: Value<Scalar = T>>(&self, t: V::Token, parameters: &[T], x: &[V], tape: &mut [V], y: &mut [V]) {
        self.layer.forward(t, parameters, x, tape, y);
        Self::rectify(t, y);
    }

    #[inline(always)]
    fn backward<V: Value<Scalar = T>>(
        &self,
        t: V::Token,
        parameters: &[T],
        activations: Activations<'_, V>,
        dy: &mut [V],
        dtape: &mut [V],
        dx: Option<&mut [V]>,
        scratch: &mut [T],
    ) {
        Self::mask(t, activations.y, dy);
        self.layer.backward(t, parameters, activations, dy, dtape, dx, scratch);
    }

    #[inline(always)]
    fn parameter_gradient<V: Value<Scalar = T>, G: GradientSink<T>>(
        &self,
        t: V::Token,
        activations: Activations<'_, V>,
        dy: &[V],
        dtape: &[V],
        place: Place<'_, T>,
        sink: &mut G,
    ) {
        self.layer.parameter_gradient(t, activations, dy, dtape, place, sink);
    }

    #[inline]
    fn gradient_square(&self, activations: Activations<'_, T>, dy: &[T], dtape: &[T]) -> T {
        self.layer.gradient_square(activations, dy, dtape)
    }

    fn initialise(&self, parameters: &mut [T], random: &mut Random) {
        self.layer.initialise(parameters, random);
    }
}
