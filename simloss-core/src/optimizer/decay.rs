//! Weight decay in its forms, around any optimizer.

use super::{Optimizer, forward_to_inner, positive};
use crate::{
    Error,
    number::{Scalar, Value},
};

/// L2 regularization: the gradient becomes `g + decay w` (PyTorch's `weight_decay` of SGD and Adam).
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

/// Weight decay towards the weights that a device left the factory with (or any others) in place of 0: `w` becomes
/// `w + rate decay (w0 - w)` before the step, which does not see it. What the new samples say nothing about goes back to
/// what was known.
///
/// `w0` may stay in flash: it is read once a step, one number per parameter.
///
/// # Errors of a step
/// [`Error::Length`] unless there is one factory weight per parameter.
///
/// ```
/// use simloss_core::optimizer::{FactoryDecay, Optimizer, Sgd, apply};
/// static FACTORY: [f32; 2] = [1.0, -2.0];
/// let sgd = FactoryDecay::new(Sgd::new(0.5f32)?, 0.5, &FACTORY)?;
/// let mut w = [3.0f32, -2.0];
/// apply::<f32, FactoryDecay<'_, Sgd<f32>, f32>>((), &sgd.begin(1), 1.0, &[0.0; 2], &mut w, &mut [])?;
/// assert_eq!(w, [2.5, -2.0]);
/// # Ok::<(), simloss_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FactoryDecay<'a, O, T> {
    optimizer: O,
    decay: T,
    factory: &'a [T],
}

/// The constants of one step towards factory weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FactoryStep<'a, S, T> {
    step: S,
    // rate * decay
    share: T,
    factory: &'a [T],
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

impl<'a, O, T: Scalar> FactoryDecay<'a, O, T> {
    /// # Errors
    /// [`Error::Setting`] unless `decay` is finite and not negative, [`Error::NotFinite`] for factory weights that are
    /// not numbers.
    pub fn new(optimizer: O, decay: T, factory: &'a [T]) -> Result<Self, Error> {
        if factory.iter().any(|w| !w.is_finite()) {
            return Err(Error::NotFinite { what: "the factory weights", sample: 0 });
        }
        Ok(FactoryDecay { optimizer, decay: positive(decay, DOMAIN)?, factory })
    }
}

impl<T: Scalar, O: Optimizer<T>> Optimizer<T> for L2<O, T> {
    const MOMENTS: usize = O::MOMENTS;
    type Step = (O::Step, T);

    forward_to_inner!();

    #[inline(always)]
    fn max_norm(&self) -> Option<T> {
        self.optimizer.max_norm()
    }

    #[inline(always)]
    fn begin(&self, number: u64) -> Self::Step {
        (self.optimizer.begin(number), self.decay)
    }

    #[inline(always)]
    fn pull((step, _): &Self::Step, first: usize, parameters: &mut [T]) {
        O::pull(step, first, parameters);
    }

    #[inline(always)]
    fn update<V: Value<Scalar = T>>(t: V::Token, (step, decay): &Self::Step, w: V, g: V, moments: &mut [V; 2]) -> V {
        O::update(t, step, w, g.add(V::splat(t, *decay).mul(w)), moments)
    }
}

impl<T: Scalar, O: Optimizer<T>> Optimizer<T> for DecoupledDecay<O, T> {
    const MOMENTS: usize = O::MOMENTS;
    type Step = (O::Step, T);

    forward_to_inner!();

    #[inline(always)]
    fn max_norm(&self) -> Option<T> {
        self.optimizer.max_norm()
    }

    #[inline(always)]
    fn begin(&self, number: u64) -> Self::Step {
        (self.optimizer.begin(number), T::ONE.sub(self.rate().mul(self.decay)))
    }

    #[inline(always)]
    fn pull((step, _): &Self::Step, first: usize, parameters: &mut [T]) {
        O::pull(step, first, parameters);
    }

    #[inline(always)]
    fn update<V: Value<Scalar = T>>(t: V::Token, (step, keep): &Self::Step, w: V, g: V, moments: &mut [V; 2]) -> V {
        O::update(t, step, w.mul(V::splat(t, *keep)), g, moments)
    }
}

impl<'a, T: Scalar, O: Optimizer<T>> Optimizer<T> for FactoryDecay<'a, O, T> {
    const MOMENTS: usize = O::MOMENTS;
    type Step = FactoryStep<'a, O::Step, T>;

    forward_to_inner!(@ rate);

    fn fits(&self, parameters: usize) -> Result<(), Error> {
        crate::error::length("the factory weights", parameters, self.factory.len())?;
        self.optimizer.fits(parameters)
    }

    #[inline(always)]
    fn max_norm(&self) -> Option<T> {
        self.optimizer.max_norm()
    }

    #[inline(always)]
    fn begin(&self, number: u64) -> Self::Step {
        let FactoryDecay { optimizer, decay, factory } = *self;
        FactoryStep { step: optimizer.begin(number), share: self.rate().mul(decay), factory }
    }

    #[inline(always)]
    fn pull(step: &Self::Step, first: usize, parameters: &mut [T]) {
        O::pull(&step.step, first, parameters);
        for (w, &w0) in parameters.iter_mut().zip(step.factory.get(first..).unwrap_or_default()) {
            *w = w.add(step.share.mul(w0.sub(*w)));
        }
    }

    #[inline(always)]
    fn update<V: Value<Scalar = T>>(t: V::Token, step: &Self::Step, w: V, g: V, moments: &mut [V; 2]) -> V {
        O::update(t, &step.step, w, g, moments)
    }
}
