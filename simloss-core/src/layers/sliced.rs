//! Layers whose passes can be made a slice at a time, for one sample: what a watchdog or another task waits for is then a
//! slice and not a pass. The bits are those of the whole pass.

use super::{Activations, Chain, Layer, Relu, split_activations, split_tape, split_tape_mut};
use crate::{gradient::GradientSink, number::Scalar, slices::split};

/// Into how many slices a layer cuts each of its passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slices {
    /// Of [`Layer::forward`].
    pub forward: usize,
    /// Of [`Layer::backward`].
    pub backward: usize,
    /// Of [`Layer::parameter_gradient`].
    pub parameters: usize,
}

/// A layer, or a composition, that computes a slice at a time: [`Dense`](super::Dense) four outputs, or the gradients of
/// four inputs, or of one row of weights; [`Relu`] and [`Chain`] of such layers.
///
/// All slices of a pass, in order, are the pass; arguments are those of the pass for one sample.
///
/// ```
/// use simloss_core::layers::{Dense, Sliced};
/// let dense = Dense::new(1, 6);
/// let parameters = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5];
/// let mut y = [0.0; 6];
/// assert_eq!(Sliced::<f32>::slices(&dense, false).forward, 2);
/// dense.forward_slice(1, &parameters, &[10.0], &mut [], &mut y);
/// assert_eq!(y, [0.0, 0.0, 0.0, 0.0, 50.5, 60.5]);
/// ```
pub trait Sliced<T: Scalar>: Layer<T> {
    /// How many slices; `dx` says whether gradients with respect to the inputs are wanted.
    fn slices(&self, dx: bool) -> Slices;

    /// Slice `n` of [`Layer::forward`].
    fn forward_slice(&self, n: usize, parameters: &[T], x: &[T], tape: &mut [T], y: &mut [T]);

    /// Slice `n` of [`Layer::backward`].
    fn backward_slice(
        &self,
        n: usize,
        parameters: &[T],
        activations: Activations<'_, T>,
        dy: &mut [T],
        dtape: &mut [T],
        dx: Option<&mut [T]>,
    );

    /// Slice `n` of [`Layer::parameter_gradient`].
    fn parameter_slice<G: GradientSink<T>>(
        &self,
        n: usize,
        activations: Activations<'_, T>,
        dy: &[T],
        dtape: &[T],
        first_parameter: usize,
        sink: &mut G,
    );
}

impl<T: Scalar, L: Sliced<T>> Sliced<T> for Relu<L> {
    fn slices(&self, dx: bool) -> Slices {
        let Slices { forward, backward, parameters } = self.layer.slices(dx);
        Slices { forward: forward + 1, backward: backward + 1, parameters }
    }

    fn forward_slice(&self, n: usize, parameters: &[T], x: &[T], tape: &mut [T], y: &mut [T]) {
        if n == self.layer.slices(false).forward {
            Relu::<L>::rectify((), y);
        } else {
            self.layer.forward_slice(n, parameters, x, tape, y);
        }
    }

    fn backward_slice(
        &self,
        n: usize,
        parameters: &[T],
        activations: Activations<'_, T>,
        dy: &mut [T],
        dtape: &mut [T],
        dx: Option<&mut [T]>,
    ) {
        match n.checked_sub(1) {
            None => Relu::<L>::mask((), activations.y, dy),
            Some(n) => self.layer.backward_slice(n, parameters, activations, dy, dtape, dx),
        }
    }

    fn parameter_slice<G: GradientSink<T>>(
        &self,
        n: usize,
        activations: Activations<'_, T>,
        dy: &[T],
        dtape: &[T],
        first_parameter: usize,
        sink: &mut G,
    ) {
        self.layer.parameter_slice(n, activations, dy, dtape, first_parameter, sink);
    }
}

impl<T: Scalar, A: Sliced<T>, B: Sliced<T>> Sliced<T> for Chain<A, B> {
    fn slices(&self, dx: bool) -> Slices {
        let (a, b) = (self.first.slices(dx), self.second.slices(true));
        Slices {
            forward: a.forward + b.forward,
            backward: a.backward + b.backward,
            parameters: a.parameters + b.parameters,
        }
    }

    fn forward_slice(&self, n: usize, parameters: &[T], x: &[T], tape: &mut [T], y: &mut [T]) {
        let a = self.first.shape();
        let (parameters_a, parameters_b) = split(parameters, a.parameters);
        let [tape_a, between, tape_b] = split_tape_mut(&a, tape);
        match n.checked_sub(self.first.slices(false).forward) {
            None => self.first.forward_slice(n, parameters_a, x, tape_a, between),
            Some(n) => self.second.forward_slice(n, parameters_b, between, tape_b, y),
        }
    }

    fn backward_slice(
        &self,
        n: usize,
        parameters: &[T],
        activations: Activations<'_, T>,
        dy: &mut [T],
        dtape: &mut [T],
        dx: Option<&mut [T]>,
    ) {
        let a = self.first.shape();
        let (parameters_a, parameters_b) = split(parameters, a.parameters);
        let [dtape_a, dbetween, dtape_b] = split_tape_mut(&a, dtape);
        let (first, second) = split_activations(&a, activations);
        match n.checked_sub(self.second.slices(true).backward) {
            None => self.second.backward_slice(n, parameters_b, second, dy, dtape_b, Some(dbetween)),
            Some(n) => self.first.backward_slice(n, parameters_a, first, dbetween, dtape_a, dx),
        }
    }

    fn parameter_slice<G: GradientSink<T>>(
        &self,
        n: usize,
        activations: Activations<'_, T>,
        dy: &[T],
        dtape: &[T],
        first_parameter: usize,
        sink: &mut G,
    ) {
        let a = self.first.shape();
        let [dtape_a, dbetween, dtape_b] = split_tape(&a, dtape);
        let (first, second) = split_activations(&a, activations);
        match n.checked_sub(self.second.slices(true).parameters) {
            None => self.second.parameter_slice(n, second, dy, dtape_b, first_parameter + a.parameters, sink),
            Some(n) => self.first.parameter_slice(n, first, dbetween, dtape_a, first_parameter, sink),
        }
    }
}
