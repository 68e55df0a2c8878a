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
    slices::split_mut,
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
    let scale = V::splat(t, scale);
    let (first, second) = split_mut(moments, if O::MOMENTS == 0 { 0 } else { n });
    let gradients = gradient.chunks(V::WIDTH).map(|g| V::load(t, g).mul(scale));
    advance::<V, O>(t, step, gradients, parameters, [first, second]);
    Ok(())
}

/// Moves `parameters` by gradients that come one value at a time; unused `moments` are empty.
#[inline(always)]
fn advance<V: Value, O: Optimizer<V::Scalar>>(
    t: V::Token,
    step: &O::Step,
    gradients: impl Iterator<Item = V>,
    parameters: &mut [V::Scalar],
    [first, second]: [&mut [V::Scalar]; 2],
) {
    let zero = V::splat(t, V::Scalar::ZERO);
    let blocks = parameters.chunks_mut(V::WIDTH).zip(gradients);
    // One loop for each number of moments: what is not there costs nothing.
    match O::MOMENTS {
        0 => {
            for (w, g) in blocks {
                O::update(t, step, V::load(t, w), g, &mut [zero; 2]).store(w);
            }
        }
        1 => {
            for ((w, g), m) in blocks.zip(first.chunks_mut(V::WIDTH)) {
                let mut kept = [V::load(t, m), zero];
                O::update(t, step, V::load(t, w), g, &mut kept).store(w);
                kept[0].store(m);
            }
        }
        _ => {
            for (((w, g), m), v) in blocks.zip(first.chunks_mut(V::WIDTH)).zip(second.chunks_mut(V::WIDTH)) {
                let mut kept = [V::load(t, m), V::load(t, v)];
                O::update(t, step, V::load(t, w), g, &mut kept).store(w);
                kept[0].store(m);
                kept[1].store(v);
            }
        }
    }
}

fn positive<T: Scalar>(x: T, what: &'static str) -> Result<T, Error> {
    if x >= T::ZERO && x <= T::MAX { Ok(x) } else { Err(Error::Setting { what }) }
}

/// A learning rate in its domain.
fn checked_rate<T: Scalar>(rate: T) -> Result<T, Error> {
    positive(rate, "learning rate, finite and at least 0")
}
