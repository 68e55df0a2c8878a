//! Layers of a network: what turns features into logits, and back for the gradient.
//!
//! A layer is a `Copy` description of shapes. Its parameters are a slice of one flat array (PyTorch's order and layout:
//! weight, then bias, layer by layer), its activations and gradients are the caller's memory. With shapes known to the
//! compiler everything is unrolled and bounds vanish; with shapes from a file the same code runs.
//!
//! Order of sums: an output is bias, then input channel, row, column ascending; an input gradient is +0, then output
//! channel, row, column ascending; a parameter gradient is summed over positions, then over samples
//! (see [`gradient`](crate::gradient)).
//!
//! # Where to add one
//! A file here, and [`Layer`] for the new type. Composition, training and checkpoints follow.

mod chain;
mod conv2d;
mod conv2d_sparse;
mod dense;
mod max_pool;
mod passes;
mod relu;
mod sliced;

use crate::{
    Error, Random,
    gradient::GradientSink,
    number::{Scalar, Value},
};
pub use chain::Chain;
use chain::{split_activations, split_tape, split_tape_mut};
pub use conv2d::Conv2d;
pub use dense::Dense;
pub use max_pool::MaxPool;
pub use relu::Relu;
pub use sliced::{Sliced, Slices};

/// How many numbers a layer takes, gives and keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Shape {
    /// Numbers in.
    pub inputs: usize,
    /// Numbers out.
    pub outputs: usize,
    /// Parameters.
    pub parameters: usize,
    /// Values that a composition keeps between its layers, from forward to backward (and as many gradients).
    pub tape: usize,
}

impl Shape {
    /// The shape of one layer after another, where a constant is needed.
    ///
    /// ```
    /// use simloss_core::layers::Dense;
    /// const TWO: usize = Dense::new(4, 8).dense_shape().then(Dense::new(8, 3).dense_shape()).parameters;
    /// assert_eq!(TWO, 4 * 8 + 8 + 8 * 3 + 3);
    /// ```
    #[must_use]
    #[inline(always)]
    pub const fn then(self, next: Shape) -> Shape {
        Shape {
            inputs: self.inputs,
            outputs: next.outputs,
            parameters: self.parameters + next.parameters,
            tape: self.tape + self.outputs + next.tape,
        }
    }
}

/// A layer, or a composition of layers.
///
/// Slices have the lengths of [`shape`](Self::shape): [`Network`](crate::train::Network) sees to that, of layers that
/// pass their [`check`](Self::check). Slices of other lengths give some result or none, never a panic.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no layer over `{T}`",
    note = "simloss_core::layers has some: Dense::new(80, 90); `T` is the type of the parameters"
)]
pub trait Layer<T: Scalar>: Copy {
    /// Its shape.
    fn shape(&self) -> Shape;

    /// Whether its sizes make sense: [`Network::new`](crate::train::Network::new) asks once.
    ///
    /// # Errors
    /// [`Error::Setting`] for a convolution without channels, outputs or kernel, or with a kernel larger than its images;
    /// [`Error::Length`] for a layer that does not take as many numbers as the one before it gives.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Scalars that [`backward`](Self::backward) and [`parameter_gradient`](Self::parameter_gradient) work in.
    fn gradient_scratch<V: Value<Scalar = T>>(&self) -> usize;

    /// `y = f(x)`; what lies between goes to `tape`.
    fn forward<V: Value<Scalar = T>>(&self, t: V::Token, parameters: &[T], x: &[V], tape: &mut [V], y: &mut [V]);

    /// Gradients with respect to inputs, all of them before any parameter changes.
    ///
    /// `dy` is the gradient with respect to `y` and is masked in place where the layer ends in a relu; `dtape` gets the
    /// gradients of `tape`; `dx`, where wanted, those of `x`. `scratch`: [`gradient_scratch`](Self::gradient_scratch)
    /// scalars.
    #[allow(clippy::too_many_arguments)] // activations, their gradients, and parameters are three separate things
    fn backward<V: Value<Scalar = T>>(
        &self,
        t: V::Token,
        parameters: &[T],
        activations: Activations<'_, V>,
        dy: &mut [V],
        dtape: &mut [V],
        dx: Option<&mut [V]>,
        scratch: &mut [T],
    );

    /// Gradients with respect to parameters, to `sink`, given what [`backward`](Self::backward) left in `dy`, `dtape`.
    fn parameter_gradient<V: Value<Scalar = T>, G: GradientSink<T>>(
        &self,
        t: V::Token,
        activations: Activations<'_, V>,
        dy: &[V],
        dtape: &[V],
        place: Place<'_, T>,
        sink: &mut G,
    );

    /// The sum of squares of the parameter gradients of one sample, given what [`backward`](Self::backward) left in `dy`,
    /// `dtape`: from the squares of what the gradients are products of, without a look at them. Where parameters are
    /// shared between positions (convolutions) it is an upper bound.
    ///
    /// A dense layer: `|dW|^2 + |db|^2 = |dy|^2 (|x|^2 + 1)`. Not finite where a square overflows.
    fn gradient_square(&self, activations: Activations<'_, T>, dy: &[T], dtape: &[T]) -> T;

    /// Draws the first parameters from PyTorch's default distribution: uniform in `±1/sqrt(fan_in)`, weights and biases.
    fn initialise(&self, parameters: &mut [T], random: &mut Random);

    /// The first `x`, then `next`.
    ///
    /// ```
    /// use simloss_core::layers::{Dense, Layer};
    /// let net = Layer::<f32>::then(Layer::<f32>::relu(Dense::new(4, 8)), Dense::new(8, 3));
    /// assert_eq!(Layer::<f32>::shape(&net).parameters, 4 * 8 + 8 + 8 * 3 + 3);
    /// ```
    fn then<B: Layer<T>>(self, next: B) -> Chain<Self, B> {
        Chain { first: self, second: next }
    }

    /// The same, with `max(0, x)` of its outputs.
    fn relu(self) -> Relu<Self> {
        Relu { layer: self }
    }
}

/// What the forward pass left, one sample per lane.
#[derive(Clone, Copy, Debug)]
pub struct Activations<'a, V> {
    /// Inputs.
    pub x: &'a [V],
    /// Between the layers of a composition.
    pub tape: &'a [V],
    /// Outputs.
    pub y: &'a [V],
}

/// Where a layer's parameters and samples stand.
#[derive(Debug)]
pub struct Place<'a, T> {
    /// Index of the layer's first parameter.
    pub first_parameter: usize,
    /// Lanes that hold a sample.
    pub present: usize,
    /// [`Layer::gradient_scratch`] scalars.
    pub scratch: &'a mut [T],
}

/// `uniform in ±1/sqrt(fan_in)`.
fn initialise<T: Scalar>(parameters: &mut [T], fan_in: usize, random: &mut Random) {
    let bound = T::ONE.div(T::from_usize(fan_in).sqrt());
    for w in parameters {
        let u: T = random.unit();
        *w = u.add(u).sub(T::ONE).mul(bound);
    }
}

/// The lanes of a value that hold samples.
#[inline(always)]
fn lanes_of<V: Value>(value: V) -> [V::Scalar; crate::number::GROUP] {
    let mut lanes = [V::Scalar::ZERO; crate::number::GROUP];
    value.store(&mut lanes);
    lanes
}
