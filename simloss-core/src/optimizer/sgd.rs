//! Stochastic gradient descent, plain and with momentum.

use super::{Optimizer, checked_rate};
use crate::{
    Error,
    number::{Scalar, Value},
};

/// `w - rate g`.
///
/// ```
/// use simloss_core::optimizer::{Optimizer, Sgd, apply};
/// let sgd = Sgd::new(0.5f32)?;
/// let mut w = [1.0f32, 2.0];
/// apply::<f32, Sgd<f32>>((), &sgd.begin(1), 1.0, &[2.0, -2.0], &mut w, &mut [])?;
/// assert_eq!(w, [0.0, 3.0]);
/// # Ok::<(), simloss_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd<T> {
    rate: T,
}

impl<T: Scalar> Sgd<T> {
    /// # Errors
    /// [`Error::Setting`] unless the learning rate is finite and not negative.
    pub fn new(rate: T) -> Result<Self, Error> {
        Ok(Sgd { rate: checked_rate(rate)? })
    }
}

impl<T: Scalar> Optimizer<T> for Sgd<T> {
    const MOMENTS: usize = 0;
    type Step = T;

    fn rate(&self) -> T {
        self.rate
    }

    #[inline(always)]
    fn begin(&self, _: u64) -> T {
        self.rate
    }

    #[inline(always)]
    fn update<V: Value<Scalar = T>>(t: V::Token, &rate: &T, w: V, g: V, _: &mut [V; 2]) -> V {
        w.sub(V::splat(t, rate).mul(g))
    }

    fn with_rate(self, rate: T) -> Result<Self, Error> {
        Self::new(rate)
    }
}

/// `b = mu b + g;  w - rate b`, with `b = 0` before the first step (PyTorch's form: the rate is outside of `b`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Momentum<T> {
    rate: T,
    momentum: T,
}

impl<T: Scalar> Momentum<T> {
    /// # Errors
    /// [`Error::Setting`] unless the learning rate is finite and not negative and the momentum in `[0, 1)`.
    pub fn new(rate: T, momentum: T) -> Result<Self, Error> {
        if !(momentum >= T::ZERO && momentum < T::ONE) {
            return Err(Error::Setting { what: "momentum, in [0, 1)" });
        }
        Ok(Momentum { rate: checked_rate(rate)?, momentum })
    }
}

impl<T: Scalar> Optimizer<T> for Momentum<T> {
    const MOMENTS: usize = 1;
    type Step = [T; 2];

    fn rate(&self) -> T {
        self.rate
    }

    #[inline(always)]
    fn begin(&self, _: u64) -> [T; 2] {
        [self.rate, self.momentum]
    }

    #[inline(always)]
    fn update<V: Value<Scalar = T>>(t: V::Token, &[rate, momentum]: &[T; 2], w: V, g: V, moments: &mut [V; 2]) -> V {
        let b = V::splat(t, momentum).mul(moments[0]).add(g);
        moments[0] = b;
        w.sub(V::splat(t, rate).mul(b))
    }

    fn with_rate(self, rate: T) -> Result<Self, Error> {
        Self::new(rate, self.momentum)
    }
}
