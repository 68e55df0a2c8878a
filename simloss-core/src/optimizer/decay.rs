//! Weight decay, in its two forms, around any optimizer.

use super::{Optimizer, positive};
use crate::{
    Error,
    number::{Scalar, Value},
};

/// L2 regularisation: the gradient becomes `g + decay w` (PyTorch's `weight_decay` of SGD and Adam).
///
/// ```
/// use simloss_core::optimizer::{L2, Optimizer, Sgd, apply};
/// let sgd = L2::new(Sgd::new(0.5f32)?, 0.1)?;
/// let mut w = [1.0f32];
/// apply::<f32, L2<Sgd<f32>, f32>>((), &sgd.begin(1), 1.0, &[0.0], &mut w, &mut [])?;
/// assert_eq!(w, [0.95]);
/// # Ok::<(), simloss_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct L2<O, T> {
    optimizer: O,
    decay: T,
}

/// Decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101): `w` becomes `w (1 - rate decay)` before the step,
/// which does not see it. Around [`Adam`](super::Adam) this is AdamW.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DecoupledDecay<O, T> {
    optimizer: O,
    decay: T,
}

const DOMAIN: &str = "weight decay, finite and at least 0";

impl<O, T: Scalar> L2<O, T> {
    /// # Errors
    /// [`Error::Setting`] unless `decay` is finite and not negative.
    pub fn new(optimizer: O, decay: T) -> Result<Self, Error> {
        Ok(L2 { optimizer, decay: positive(decay, DOMAIN)? })
    }
}

impl<O, T: Scalar> DecoupledDecay<O, T> {
    /// # Errors
    /// [`Error::Setting`] unless `decay` is finite and not negative.
    pub fn new(optimizer: O, decay: T) -> Result<Self, Error> {
        Ok(DecoupledDecay { optimizer, decay: positive(decay, DOMAIN)? })
    }
}

impl<T: Scalar, O: Optimizer<T>> Optimizer<T> for L2<O, T> {
    const MOMENTS: usize = O::MOMENTS;
    type Step = (O::Step, T);

    fn rate(&self) -> T {
        self.optimizer.rate()
    }

    #[inline(always)]
    fn begin(&self, number: u64) -> Self::Step {
        (self.optimizer.begin(number), self.decay)
    }

    #[inline(always)]
    fn update<V: Value<Scalar = T>>(t: V::Token, (step, decay): &Self::Step, w: V, g: V, moments: &mut [V; 2]) -> V {
        O::update(t, step, w, g.add(V::splat(t, *decay).mul(w)), moments)
    }

    fn with_rate(self, rate: T) -> Result<Self, Error> {
        Ok(L2 { optimizer: self.optimizer.with_rate(rate)?, ..self })
    }
}

impl<T: Scalar, O: Optimizer<T>> Optimizer<T> for DecoupledDecay<O, T> {
    const MOMENTS: usize = O::MOMENTS;
    type Step = (O::Step, T);

    fn rate(&self) -> T {
        self.optimizer.rate()
    }

    #[inline(always)]
    fn begin(&self, number: u64) -> Self::Step {
        (self.optimizer.begin(number), T::ONE.sub(self.rate().mul(self.decay)))
    }

    #[inline(always)]
    fn update<V: Value<Scalar = T>>(t: V::Token, (step, keep): &Self::Step, w: V, g: V, moments: &mut [V; 2]) -> V {
        O::update(t, step, w.mul(V::splat(t, *keep)), g, moments)
    }

    fn with_rate(self, rate: T) -> Result<Self, Error> {
        Ok(DecoupledDecay { optimizer: self.optimizer.with_rate(rate)?, ..self })
    }
}
