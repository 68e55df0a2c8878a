//! Adam (Kingma and Ba, arXiv 1412.6980).
//!
//! | symbol | here |
//! |---|---|
//! | `alpha` | `rate` |
//! | `1 - beta_1`, `1 - beta_2` | `first`, `second`: stored, because `1 - beta` in `f32` has lost the digits that count |
//! | `epsilon` | `epsilon`, added to the corrected root (PyTorch's placement) |

use super::{Optimizer, checked_rate};
use crate::{
    Error,
    number::{Scalar, TwoFloat, Value},
};
use core::{fmt::Debug, marker::PhantomData};

/// How [`Adam`] takes a square root for each parameter.
///
/// The root must be correctly rounded, so that the bits are the same with any: one that is an instruction of the target
/// ([`simloss-fpu`](https://github.com/simloss/simloss) has the FPU's of a Cortex-M) takes the place of one in software.
pub trait SquareRoot<T: Scalar>: Copy + Debug + PartialEq + Send + Sync + 'static {
    /// The square root, correctly rounded in every lane.
    fn root<V: Value<Scalar = T>>(token: V::Token, x: V) -> V;
}

/// [`Value::sqrt`]: libm's of a single number, an instruction of SIMD lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortableRoot;

impl<T: Scalar> SquareRoot<T> for PortableRoot {
    #[inline(always)]
    fn root<V: Value<Scalar = T>>(_: V::Token, x: V) -> V {
        x.sqrt()
    }
}

/// ```text
/// m = m + (1 - beta_1) (g - m);    v = beta_2 v + (1 - beta_2) g^2
/// w - rate / (1 - beta_1^n) * m / (sqrt(v) / sqrt(1 - beta_2^n) + epsilon)
/// ```
///
/// The corrections `1 - beta^n` are computed in twofold precision at every step, whatever its number.
///
/// ```
/// use simloss_core::optimizer::{Adam, Optimizer, apply};
/// let adam = Adam::new(1e-3f32)?;
/// let (mut w, mut moments) = ([1.0f32], [0.0f32; 2]);
/// apply::<f32, Adam<f32>>((), &adam.begin(1), 1.0, &[123.0], &mut w, &mut moments)?;
/// assert!((w[0] - 0.999).abs() < 1e-6); // the first step is as long as the rate, whatever the gradient
/// # Ok::<(), simloss_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam<T, R = PortableRoot> {
    rate: T,
    first: T,
    second: T,
    epsilon: T,
    root: PhantomData<R>,
}

/// The constants of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep<T> {
    first: T,
    second: T,
    keep_second: T,
    // rate / (1 - beta_1^n) and 1 / sqrt(1 - beta_2^n)
    length: T,
    correction: T,
    epsilon: T,
}

impl<T: Scalar> Adam<T> {
    /// PyTorch's defaults: `beta_1 = 0.9`, `beta_2 = 0.999`, `epsilon = 1e-8`.
    ///
    /// # Errors
    /// [`Error::Setting`] unless the learning rate is finite and not negative.
    pub fn new(rate: T) -> Result<Self, Error> {
        let thousandth = T::ONE.div(T::from_usize(1000));
        Self::with_settings(rate, T::ONE.div(T::from_usize(10)), thousandth, T::ONE.div(T::from_usize(100_000_000)))
    }

    /// All settings: the rate, `1 - beta_1`, `1 - beta_2`, `epsilon`.
    ///
    /// # Errors
    /// [`Error::Setting`] unless the rate is finite and not negative, epsilon finite and above 0 (a parameter without a
    /// gradient would become 0/0), and the others in `(0, 1]`.
    pub fn with_settings(rate: T, first: T, second: T, epsilon: T) -> Result<Self, Error> {
        if !(first > T::ZERO && first <= T::ONE && second > T::ZERO && second <= T::ONE) {
            return Err(Error::Setting { what: "1 - beta, in (0, 1]" });
        }
        if !(epsilon > T::ZERO && epsilon <= T::MAX) {
            return Err(Error::Setting { what: "epsilon, finite and above 0" });
        }
        Ok(Adam { rate: checked_rate(rate)?, first, second, epsilon, root: PhantomData })
    }

    /// The same with square roots of another kind. The bits do not change.
    ///
    /// ```
    /// use simloss_core::optimizer::{Adam, PortableRoot};
    /// let adam: Adam<f32, PortableRoot> = Adam::new(1e-3)?.with_root();
    /// # Ok::<(), simloss_core::Error>(())
    /// ```
    #[must_use]
    pub fn with_root<R: SquareRoot<T>>(self) -> Adam<T, R> {
        let Adam { rate, first, second, epsilon, root: _ } = self;
        Adam { rate, first, second, epsilon, root: PhantomData }
    }
}

/// `1 - (1 - x)^n`.
fn correction<T: Scalar, R: SquareRoot<T>>(x: T, mut n: u64) -> T {
    let mut square = TwoFloat::difference(T::ONE, x);
    let mut power = TwoFloat::new(T::ONE);
    // Nothing is left of the power long before it underflows.
    let least = R::root((), T::MIN_POSITIVE);
    while n > 0 && power.hi > least {
        if n & 1 == 1 {
            power = power.times(square);
        }
        square = if square.hi > least { square.times(square) } else { TwoFloat::new(T::ZERO) };
        n >>= 1;
    }
    power.complement().hi
}

impl<T: Scalar, R: SquareRoot<T>> Optimizer<T> for Adam<T, R> {
    const MOMENTS: usize = 2;
    type Step = AdamStep<T>;

    fn rate(&self) -> T {
        self.rate
    }

    fn begin(&self, number: u64) -> AdamStep<T> {
        AdamStep {
            first: self.first,
            second: self.second,
            keep_second: T::ONE.sub(self.second),
            length: self.rate.div(correction::<T, R>(self.first, number)),
            correction: T::ONE.div(R::root((), correction::<T, R>(self.second, number))),
            epsilon: self.epsilon,
        }
    }

    #[inline(always)]
    fn update<V: Value<Scalar = T>>(t: V::Token, step: &AdamStep<T>, w: V, g: V, moments: &mut [V; 2]) -> V {
        let splat = |x| V::splat(t, x);
        let [m, v] = *moments;
        let m = m.add(splat(step.first).mul(g.sub(m)));
        let v = splat(step.keep_second).mul(v).add(splat(step.second).mul(g.mul(g)));
        *moments = [m, v];
        let spread = R::root(t, v).mul(splat(step.correction)).add(splat(step.epsilon));
        w.sub(splat(step.length).mul(m.div(spread)))
    }

    fn with_rate(self, rate: T) -> Result<Self, Error> {
        Ok(Adam { rate: checked_rate(rate)?, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corrections_at_any_step() {
        for n in [1u64, 2, 3, 10, 1000, 50_000, 10_000_000, u64::MAX] {
            let exact = -f64::exp_m1(n as f64 * f64::ln_1p(-f64::from(0.001f32)));
            let got = f64::from(correction::<_, PortableRoot>(0.001f32, n));
            assert!((got / exact - 1.0).abs() < 1.2e-7, "{n}: {got} for {exact}");
        }
    }
}
