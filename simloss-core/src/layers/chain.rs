//! One layer after another.

use super::{Activations, Layer, Place, Shape};
use crate::{
    Error, Random,
    error::length,
    gradient::GradientSink,
    number::{Scalar, Value},
    slices::{split, split_mut},
};

/// `y = second(first(x))`; made by [`Layer::then`]. The second's inputs are the first's outputs
/// ([checked](Layer::check) where a network is made).
///
/// Its tape: the first's tape, the values between, the second's tape. Its parameters: the first's, then the second's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain<A, B> {
    pub(super) first: A,
    pub(super) second: B,
}

impl<A, B> Chain<A, B> {
    /// The two, where a constant is needed.
    pub(crate) const fn of(first: A, second: B) -> Self {
        Chain { first, second }
    }

    /// The layer that sees the inputs.
    pub const fn first(&self) -> &A {
        &self.first
    }

    /// The layer that gives the outputs.
    pub const fn second(&self) -> &B {
        &self.second
    }
}

impl<T: Scalar, A: Layer<T>, B: Layer<T>> Layer<T> for Chain<A, B> {
    fn shape(&self) -> Shape {
        self.first.shape().then(self.second.shape())
    }

    #[inline]
    fn check(&self) -> Result<(), Error> {
        self.first.check()?;
        self.second.check()?;
        length("the inputs of a layer behind another", self.first.shape().outputs, self.second.shape().inputs)
    }

    fn gradient_scratch<V: Value<Scalar = T>>(&self) -> usize {
        self.first.gradient_scratch::<V>().max(self.second.gradient_scratch::<V>())
    }

    #[inline(always)]
    fn forward<V: Value<Scalar = T>>(&self, t: V::Token, parameters: &[T], x: &[V], tape: &mut [V], y: &mut [V]) {
        let a = self.first.shape();
        let (parameters_a, parameters_b) = split(parameters, a.parameters);
        let [tape_a, between, tape_b] = split_tape_mut(&a, tape);
        self.first.forward(t, parameters_a, x, tape_a, between);
        self.second.forward(t, parameters_b, between, tape_b, y);
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
        let a = self.first.shape();
        let (parameters_a, parameters_b) = split(parameters, a.parameters);
        let [dtape_a, dbetween, dtape_b] = split_tape_mut(&a, dtape);
        let (first, second) = split_activations(&a, activations);
        self.second.backward(t, parameters_b, second, dy, dtape_b, Some(dbetween), scratch);
        self.first.backward(t, parameters_a, first, dbetween, dtape_a, dx, scratch);
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
        let a = self.first.shape();
        let [dtape_a, dbetween, dtape_b] = split_tape(&a, dtape);
        let (first, second) = split_activations(&a, activations);
        let Place { first_parameter, present, scratch } = place;
        let place = Place { first_parameter: first_parameter + a.parameters, present, scratch: &mut *scratch };
        self.second.parameter_gradient(t, second, dy, dtape_b, place, sink);
        let place = Place { first_parameter, present, scratch };
        self.first.parameter_gradient(t, first, dbetween, dtape_a, place, sink);
    }

    #[inline]
    fn gradient_square(&self, activations: Activations<'_, T>, dy: &[T], dtape: &[T]) -> T {
        let a = self.first.shape();
        let [dtape_a, dbetween, dtape_b] = split_tape(&a, dtape);
        let (first, second) = split_activations(&a, activations);
        self.first.gradient_square(first, dbetween, dtape_a).add(self.second.gradient_square(second, dy, dtape_b))
    }

    fn initialise(&self, parameters: &mut [T], random: &mut Random) {
        let (a, b) = split_mut(parameters, self.first.shape().parameters);
        self.first.initialise(a, random);
        self.second.initialise(b, random);
    }
}

/// A tape (of activations or of their gradients) as the first layer's, what lies between the two, and the second's.
#[inline(always)]
pub(super) fn split_tape<'a, V>(a: &Shape, tape: &'a [V]) -> [&'a [V]; 3] {
    let (first, rest) = split(tape, a.tape);
    let (between, second) = split(rest, a.outputs);
    [first, between, second]
}

/// As [`split_tape`], to write to.
#[inline(always)]
pub(super) fn split_tape_mut<'a, V>(a: &Shape, tape: &'a mut [V]) -> [&'a mut [V]; 3] {
    let (first, rest) = split_mut(tape, a.tape);
    let (between, second) = split_mut(rest, a.outputs);
    [first, between, second]
}

/// What the forward pass left of each of the two.
#[inline(always)]
pub(super) fn split_activations<'a, V>(
    a: &Shape,
    activations: Activations<'a, V>,
) -> (Activations<'a, V>, Activations<'a, V>) {
    let [tape_a, between, tape_b] = split_tape(a, activations.tape);
    (
        Activations { x: activations.x, tape: tape_a, y: between },
        Activations { x: between, tape: tape_b, y: activations.y },
    )
}
