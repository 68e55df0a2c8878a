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

mod adam;
mod decay;
mod in_place;
mod sgd;

use crate::{
    Error,
    number::{Scalar, Value},
    slices::{split, split_mut},
};
pub use adam::Adam;
pub use decay::{DecoupledDecay, L2};
pub use in_place::InPlace;
pub use sgd::{Momentum, Sgd};

/// A rule that moves parameters against their gradient.
///
/// Where to add one: a file here, and [`begin`](Self::begin) and [`update`](Self::update) for its settings.
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

    /// The same settings at another learning rate.
    ///
    /// # Errors
    /// [`Error::Setting`] unless it is finite and not negative.
    fn with_rate(self, rate: T) -> Result<Self, Error>;
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
    crate::loss::length("the gradient", n, gradient.len())?;
    crate::loss::length("the optimizer's moments", O::MOMENTS * n, moments.len())?;
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

/// Values that are moved one after the other, written out: the same code at every level of optimisation.
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
    // Two blocks in a turn: little is left of the loop's own cost.
    let (half, width) = (BLOCK * V::WIDTH, 2 * BLOCK * V::WIDTH);
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
                let ((w, w_next), (x, x_next)) = (split_mut(w, half), split(x, half));
                let ((m, m_next), (v, v_next)) = (split_mut(m, half), split_mut(v, half));
                advance_block::<V, O>(t, step, gradient, x, w, [m, v]);
                advance_block::<V, O>(t, step, gradient, x_next, w_next, [m_next, v_next]);
            }
        }
    }
    let (mut m, mut v) = (m.into_remainder().chunks_mut(V::WIDTH), v.into_remainder().chunks_mut(V::WIDTH));
    for (w, x) in w.into_remainder().chunks_mut(V::WIDTH).zip(x.remainder().chunks(V::WIDTH)) {
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
