//! From gradients to new parameters.
//!
//! Settings are `Copy`; the moments (if any) and the count of steps are the caller's, and separate from the parameters.
//!
//! | type | step | moments |
//! |---|---|---|
//! | [`Sgd`] | `w - rate g` | 0 |
//! | [`Momentum`] | `b = mu b + g;  w - rate b` | 1 |
//! | [`Adam`] | `m, v` moving averages;  `w - rate m^ / (sqrt(v^) + eps)` | 2 |
//! | [`L2`] | `g + decay w` in place of `g`, for any of them | as inside |
//! | [`DecoupledDecay`] | `w (1 - rate decay)` before the step, for any of them | as inside |
//! | [`FactoryDecay`] | `w + rate decay (w0 - w)` before the step, for any of them | as inside |
//! | [`Clip`] | `g min(1, max / abs(g))` in place of `g`, for any of them | as inside |
//!
//! A step whose gradient overflows is refused before anything moves. "Overflows" means: twice the square of the gradient
//! (times the rate, where that is above 1) is not finite. So no second moment becomes infinite, where a parameter would
//! stop for ever, and no finite parameter does. That is looked at before any decay, and said without one: what [`L2`] adds
//! may still overflow in the optimizer inside, and a decay that makes parameters grow (`rate decay` above 2) is not refused.

mod adam;
mod clip;
mod decay;
mod in_place;
mod sgd;

use crate::{
    Error,
    number::{Scalar, Value},
    slices::{split, split_mut},
};
pub use adam::{Adam, PortableRoot, SquareRoot};
pub use clip::Clip;
use core::slice::{from_mut, from_ref};
pub use decay::{DecoupledDecay, FactoryDecay, FactoryStep, L2};
pub use in_place::InPlace;
pub use sgd::{Momentum, Sgd};

/// A rule that moves parameters against their gradient.
///
/// Where to add one: a file here, and [`begin`](Self::begin) and [`update`](Self::update) for its settings.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no optimizer of `{T}`",
    note = "simloss_core::optimizer has some: Sgd::new(0.01)?; `T` is the type of the parameters"
)]
pub trait Optimizer<T: Scalar>: Copy {
    /// Numbers kept per parameter from step to step (at most 2).
    const MOMENTS: usize;
    /// What one step computes once for all parameters.
    type Step: Copy + core::fmt::Debug;

    /// The learning rate.
    fn rate(&self) -> T;

    /// Prepares step `number` (the first is 1).
    fn begin(&self, number: u64) -> Self::Step;

    /// The new parameters of some `w` with gradients `g`; `moments` change in place, those beyond
    /// [`MOMENTS`](Self::MOMENTS) are unused.
    fn update<V: Value<Scalar = T>>(t: V::Token, step: &Self::Step, w: V, g: V, moments: &mut [V; 2]) -> V;

    /// The largest norm of a gradient: a longer one is shortened to it. `None`: no gradient is shortened.
    #[inline(always)]
    fn max_norm(&self) -> Option<T> {
        None
    }

    /// Whether this optimizer can move so many parameters.
    ///
    /// # Errors
    /// [`Error::Length`] where it holds numbers for another network.
    #[inline(always)]
    fn fits(&self, _parameters: usize) -> Result<(), Error> {
        Ok(())
    }

    /// What happens to parameters before their gradient moves them, given the index of the first of them.
    #[inline(always)]
    fn pull(_step: &Self::Step, _first: usize, _parameters: &mut [T]) {}

    /// The same settings at another learning rate.
    ///
    /// # Errors
    /// [`Error::Setting`] unless it is finite and not negative.
    fn with_rate(self, rate: T) -> Result<Self, Error>;
}

/// What a wrapper leaves to the optimizer inside; `@ rate` without [`Optimizer::fits`].
macro_rules! forward_to_inner {
    () => {
        crate::optimizer::forward_to_inner!(@ rate);

        #[inline(always)]
        fn fits(&self, parameters: usize) -> Result<(), Error> {
            self.optimizer.fits(parameters)
        }
    };
    (@ rate) => {
        #[inline(always)]
        fn rate(&self) -> T {
            self.optimizer.rate()
        }

        fn with_rate(self, rate: T) -> Result<Self, Error> {
            Ok(Self { optimizer: self.optimizer.with_rate(rate)?, ..self })
        }
    };
}
use forward_to_inner;

/// `scale`, or less, where a gradient of this squared norm (before `scale`) is longer than the optimizer allows.
///
/// # Errors
/// [`Error::NotFinite`] where there is a limit and the norm overflows.
#[inline(always)]
pub(crate) fn clipped<T: Scalar>(max_norm: Option<T>, scale: T, square: impl FnOnce() -> T) -> Result<T, Error> {
    let Some(max) = max_norm else { return Ok(scale) };
    let norm = square().sqrt().mul(scale);
    if !norm.is_finite() {
        return Err(Error::NotFinite { what: "the norm of the gradients", sample: 0 });
    }
    Ok(if norm > max { scale.mul(max.div(norm)) } else { scale })
}

/// Moves `parameters` by `scale * gradient`; `moments` holds [`Optimizer::MOMENTS`] arrays of their length, one after
/// the other.
///
/// # Errors
/// [`Error::Length`] where lengths differ; nothing is written then.
#[inline(always)]
pub fn apply<V: Value, O: Optimizer<V::Scalar>>(
    t: V::Token,
    step: &O::Step,
    scale: V::Scalar,
    gradient: &[V::Scalar],
    parameters: &mut [V::Scalar],
    moments: &mut [V::Scalar],
) -> Result<(), Error> {
    let n = parameters.len();
    crate::error::length("the gradient", n, gradient.len())?;
    crate::error::length("the optimizer's moments", O::MOMENTS * n, moments.len())?;
    O::pull(step, 0, parameters);
    let (first, second) = split_mut(moments, if O::MOMENTS == 0 { 0 } else { n });
    let scaled = Scaled { gradient: Whole, scale: V::splat(t, scale) };
    advance::<V, O>(t, step, &scaled, gradient, parameters, [first, second]);
    Ok(())
}

/// The gradient that a number stands for. A trait and not a closure, because it must be inlined into lanes.
trait Gradient<V> {
    fn of(&self, x: V) -> V;
}

/// The number itself.
struct Whole;

/// `+0 + factor * x`, as a sum over one sample begins.
struct Product<V> {
    zero: V,
    factor: V,
}

/// `scale` times another.
struct Scaled<G, V> {
    gradient: G,
    scale: V,
}

impl<V> Gradient<V> for Whole {
    #[inline(always)]
    fn of(&self, x: V) -> V {
        x
    }
}

impl<V: Value> Gradient<V> for Product<V> {
    #[inline(always)]
    fn of(&self, x: V) -> V {
        self.zero.add(self.factor.mul(x))
    }
}

impl<V: Value, G: Gradient<V>> Gradient<V> for Scaled<G, V> {
    #[inline(always)]
    fn of(&self, x: V) -> V {
        self.gradient.of(x).mul(self.scale)
    }
}

/// Values that are moved one after the other, written out: the same code at every level of optimization.
const BLOCK: usize = 4;

/// Moves `parameters` by the gradients that `numbers` stand for; unused `moments` are empty.
#[inline(always)]
fn advance<V: Value, O: Optimizer<V::Scalar>>(
    t: V::Token,
    step: &O::Step,
    gradient: &impl Gradient<V>,
    numbers: &[V::Scalar],
    parameters: &mut [V::Scalar],
    [first, second]: [&mut [V::Scalar]; 2],
) {
    if const { O::MOMENTS == 0 && V::WIDTH == 1 } {
        // Arrays, so that the loop has one count: with two, the compiler may make each instruction of the loop conditional, which
        // costs a tenth of a step on a Cortex-M4.
        let ((w, w_rest), (x, x_rest)) =
            (parameters.as_chunks_mut::<{ 2 * BLOCK }>(), numbers.as_chunks::<{ 2 * BLOCK }>());
        for (w, x) in w.iter_mut().zip(x) {
            let ((w, w_next), (x, x_next)) = (split_mut(w, BLOCK), split(x, BLOCK));
            advance_block::<V, O>(t, step, gradient, x, w, [&mut [], &mut []]);
            advance_block::<V, O>(t, step, gradient, x_next, w_next, [&mut [], &mut []]);
        }
        for (w, x) in w_rest.iter_mut().zip(x_rest) {
            let x = gradient.of(V::load(t, from_ref(x)));
            advance_one::<V, O>(t, step, x, from_mut(w), [&mut [], &mut []]);
        }
        return;
    }
    // Several blocks in a turn: little is left of the loop's own cost, which is highest with two moments.
    let half = BLOCK * V::WIDTH;
    let width = if O::MOMENTS > 1 { 4 * half } else { 2 * half };
    let (mut w, mut x) = (parameters.chunks_exact_mut(width), numbers.chunks_exact(width));
    let (mut m, mut v) = (first.chunks_exact_mut(width), second.chunks_exact_mut(width));
    // One loop for each number of moments: what is not there costs nothing.
    match O::MOMENTS {
        0 => {
            for (w, x) in w.by_ref().zip(x.by_ref()) {
                let ((w, w_next), (x, x_next)) = (split_mut(w, half), split(x, half));
                advance_block::<V, O>(t, step, gradient, x, w, [&mut [], &mut []]);
                advance_block::<V, O>(t, step, gradient, x_next, w_next, [&mut [], &mut []]);
            }
        }
        1 => {
            for ((w, x), m) in w.by_ref().zip(x.by_ref()).zip(m.by_ref()) {
                let ((w, w_next), (x, x_next), (m, m_next)) = (split_mut(w, half), split(x, half), split_mut(m, half));
                advance_block::<V, O>(t, step, gradient, x, w, [m, &mut []]);
                advance_block::<V, O>(t, step, gradient, x_next, w_next, [m_next, &mut []]);
            }
        }
        _ => {
            for (((w, x), m), v) in w.by_ref().zip(x.by_ref()).zip(m.by_ref()).zip(v.by_ref()) {
                let ([w0, w1, w2, w3], (x, x_next)) = (quarters(w, half), split(x, 2 * half));
                let ([m0, m1, m2, m3], [v0, v1, v2, v3]) = (quarters(m, half), quarters(v, half));
                let ((x0, x1), (x2, x3)) = (split(x, half), split(x_next, half));
                advance_block::<V, O>(t, step, gradient, x0, w0, [m0, v0]);
                advance_block::<V, O>(t, step, gradient, x1, w1, [m1, v1]);
                advance_block::<V, O>(t, step, gradient, x2, w2, [m2, v2]);
                advance_block::<V, O>(t, step, gradient, x3, w3, [m3, v3]);
            }
        }
    }
    let (mut m, mut v) = (m.into_remainder().chunks_mut(V::WIDTH), v.into_remainder().chunks_mut(V::WIDTH));
    let (mut w, mut x) = (w.into_remainder().chunks_mut(V::WIDTH), x.remainder().chunks(V::WIDTH));
    // Not by `zip`, which divides by the width to know how many there are: the compiler keeps the panic of a division by zero.
    while let (Some(w), Some(x)) = (w.next(), x.next()) {
        let moments = [m.next().unwrap_or_default(), v.next().unwrap_or_default()];
        advance_one::<V, O>(t, step, gradient.of(V::load(t, x)), w, moments);
    }
}

#[inline(always)]
fn advance_block<V: Value, O: Optimizer<V::Scalar>>(
    t: V::Token,
    step: &O::Step,
    gradient: &impl Gradient<V>,
    x: &[V::Scalar],
    w: &mut [V::Scalar],
    [m, v]: [&mut [V::Scalar]; 2],
) {
    let (x0, x) = split(x, V::WIDTH);
    let (x1, x) = split(x, V::WIDTH);
    let (x2, x3) = split(x, V::WIDTH);
    let [w0, w1, w2, w3] = quarters(w, V::WIDTH);
    let ([m0, m1, m2, m3], [v0, v1, v2, v3]) = (quarters(m, V::WIDTH), quarters(v, V::WIDTH));
    advance_one::<V, O>(t, step, gradient.of(V::load(t, x0)), w0, [m0, v0]);
    advance_one::<V, O>(t, step, gradient.of(V::load(t, x1)), w1, [m1, v1]);
    advance_one::<V, O>(t, step, gradient.of(V::load(t, x2)), w2, [m2, v2]);
    advance_one::<V, O>(t, step, gradient.of(V::load(t, x3)), w3, [m3, v3]);
}

#[inline(always)]
fn advance_one<V: Value, O: Optimizer<V::Scalar>>(
    t: V::Token,
    step: &O::Step,
    g: V,
    w: &mut [V::Scalar],
    [m, v]: [&mut [V::Scalar]; 2],
) {
    let zero = V::splat(t, V::Scalar::ZERO);
    let mut moments =
        [if O::MOMENTS > 0 { V::load(t, m) } else { zero }, if O::MOMENTS > 1 { V::load(t, v) } else { zero }];
    O::update(t, step, V::load(t, w), g, &mut moments).store(w);
    let [new_m, new_v] = moments;
    if O::MOMENTS > 0 {
        new_m.store(m);
    }
    if O::MOMENTS > 1 {
        new_v.store(v);
    }
}

#[inline(always)]
fn quarters<T>(slice: &mut [T], n: usize) -> [&mut [T]; BLOCK] {
    let (a, slice) = split_mut(slice, n);
    let (b, slice) = split_mut(slice, n);
    let (c, d) = split_mut(slice, n);
    [a, b, c, d]
}

fn positive<T: Scalar>(x: T, what: &'static str) -> Result<T, Error> {
    if x >= T::ZERO && x <= T::MAX { Ok(x) } else { Err(Error::Setting { what }) }
}

/// A learning rate in its domain.
fn checked_rate<T: Scalar>(rate: T) -> Result<T, Error> {
    positive(rate, "learning rate, finite and at least 0")
}
