//! The passes of a layer as jobs of their own: in lanes, each is compiled once, for all layers of its kind in all networks.

use super::Place;
use crate::{
    gradient::GradientSink,
    number::{Job, Value},
};

/// What a layer computes in each pass; slices as in [`Layer`](super::Layer), of a layer without a tape. What implements
/// it must be `inline(always)`.
pub(super) trait Passes {
    /// See [`Layer::forward`](super::Layer::forward).
    fn forward_pass<V: Value>(&self, t: V::Token, parameters: &[V::Scalar], x: &[V], y: &mut [V]);

    /// See [`Layer::backward`](super::Layer::backward).
    fn backward_pass<V: Value>(
        &self,
        t: V::Token,
        parameters: &[V::Scalar],
        dy: &[V],
        dx: &mut [V],
        scratch: &mut [V::Scalar],
    );

    /// See [`Layer::parameter_gradient`](super::Layer::parameter_gradient).
    fn parameter_pass<V: Value, G: GradientSink<V::Scalar>>(
        &self,
        t: V::Token,
        x: &[V],
        dy: &[V],
        place: Place<'_, V::Scalar>,
        sink: &mut G,
    );
}

/// [`Passes::forward_pass`].
pub(super) struct Forward<'a, L, V: Value> {
    pub(super) layer: &'a L,
    pub(super) parameters: &'a [V::Scalar],
    pub(super) x: &'a [V],
    pub(super) y: &'a mut [V],
}

impl<L: Passes, V: Value> Job<V> for Forward<'_, L, V> {
    type Output = ();

    #[inline(always)]
    fn run(self, t: V::Token) {
        self.layer.forward_pass(t, self.parameters, self.x, self.y);
    }
}

/// [`Passes::backward_pass`].
pub(super) struct Backward<'a, L, V: Value> {
    pub(super) layer: &'a L,
    pub(super) parameters: &'a [V::Scalar],
    pub(super) dy: &'a [V],
    pub(super) dx: &'a mut [V],
    pub(super) scratch: &'a mut [V::Scalar],
}

impl<L: Passes, V: Value> Job<V> for Backward<'_, L, V> {
    type Output = ();

    #[inline(always)]
    fn run(self, t: V::Token) {
        self.layer.backward_pass(t, self.parameters, self.dy, self.dx, self.scratch);
    }
}

/// [`Passes::parameter_pass`].
pub(super) struct Parameters<'a, L, G, V: Value> {
    pub(super) layer: &'a L,
    pub(super) x: &'a [V],
    pub(super) dy: &'a [V],
    pub(super) place: Place<'a, V::Scalar>,
    pub(super) sink: &'a mut G,
}

impl<L: Passes, V: Value, G: GradientSink<V::Scalar>> Job<V> for Parameters<'_, L, G, V> {
    type Output = ();

    #[inline(always)]
    fn run(self, t: V::Token) {
        self.layer.parameter_pass(t, self.x, self.dy, self.place, self.sink);
    }
}
