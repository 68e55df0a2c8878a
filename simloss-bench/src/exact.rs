//! Numbers with many more bits than a float: the exact results.

use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, Div, Mul, Neg, Sub};

use dashu_float::round::mode::HalfEven;
use dashu_float::{Context, FBig, Repr};

use crate::real::{Real, power_of_two};

/// The arbitrary-precision float underneath: binary, rounded to nearest, exponent of 64 bits.
pub(crate) type Number = FBig<HalfEven, 2>;

/// The least number of bits of every [`Exact`].
pub const PRECISION: usize = 192;

/// `x` as a number whose arithmetic keeps `precision` bits.
///
/// (A number made by `try_from` alone would remember the few bits of `x` as its precision, and
/// the product of two such numbers would be rounded to them.)
pub(crate) fn number(x: f64, precision: usize) -> Number {
    let repr = Repr::try_from(x).expect("a NaN has no exact value");
    assert!(repr.is_finite(), "an infinity has no exact value");
    Number::from_repr(repr, Context::new(precision))
}

/// A real number known to at least [`PRECISION`] bits, with an unlimited exponent.
///
/// Arithmetic between two of them keeps the larger of their precisions, correctly rounded.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub struct Exact(pub(crate) Number);

impl Exact {
    /// Zero.
    pub const ZERO: Exact = Exact(Number::ZERO);

    /// The nearest number of the format, ties to even: subnormals, zero and infinity included.
    ///
    /// A negative number that rounds to zero gives -0.
    pub fn nearest<T: Real>(&self) -> T {
        let Some(exponent) = self.exponent() else {
            return T::round(0.0);
        };
        let sign = if self.is_negative() { -1.0 } else { 1.0 };
        if exponent > i64::from(T::SCALAR.largest_exponent()) {
            return T::round(sign * f64::INFINITY);
        }
        let spacing = T::SCALAR.spacing_exponent(exponent);
        let steps = (self.0.clone() >> spacing as isize).to_int().value();
        let steps = i64::try_from(steps).expect("at most 2^53 steps");
        // Both factors and the product are numbers of the format (or the product is infinite).
        T::round((steps.abs() as f64 * power_of_two(spacing as i32)).copysign(sign))
    }

    /// `floor(log2 |x|)`, or `None` for zero.
    pub fn exponent(&self) -> Option<i64> {
        let repr = self.0.repr();
        match repr.digits() {
            0 => None,
            digits => Some(repr.exponent() as i64 + digits as i64 - 1),
        }
    }

    /// The absolute value.
    #[must_use]
    pub fn abs(&self) -> Exact {
        if self.is_negative() { -self } else { self.clone() }
    }

    /// Whether the number is exactly zero.
    pub fn is_zero(&self) -> bool {
        self.exponent().is_none()
    }

    /// Whether the number is below zero.
    pub fn is_negative(&self) -> bool {
        self.0.cmp(&Number::ZERO) == Ordering::Less
    }

    /// `x * 2^n`, exactly.
    #[must_use]
    pub fn scaled(&self, n: i64) -> Exact {
        Exact(self.0.clone() << n as isize)
    }
}

/// The float, without error. Panics on NaN and infinities.
impl From<f64> for Exact {
    fn from(x: f64) -> Self {
        Exact(number(x, PRECISION))
    }
}

/// The float, without error. Panics on NaN and infinities.
impl From<f32> for Exact {
    fn from(x: f32) -> Self {
        f64::from(x).into()
    }
}

impl Neg for &Exact {
    type Output = Exact;

    fn neg(self) -> Exact {
        Exact(-self.0.clone())
    }
}

macro_rules! arithmetic {
    ($($operator:ident $method:ident),*) => {$(
        impl $operator for &Exact {
            type Output = Exact;

            fn $method(self, other: &Exact) -> Exact {
                Exact($operator::$method(&self.0, &other.0))
            }
        }
    )*};
}

arithmetic!(Add add, Sub sub, Mul mul, Div div);

/// 17 digits if `f64` holds the number, otherwise 17 digits times a power of two.
impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.exponent() {
            Some(e) if !(-1022..=1022).contains(&e) => {
                write!(f, "{:.16e}*2^{e}", self.scaled(-e).nearest::<f64>())
            }
            _ => write!(f, "{:.16e}", self.nearest::<f64>()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::SplitMix64;

    #[test]
    fn a_float_is_its_own_nearest() {
        let mut random = SplitMix64::new(1);
        for _ in 0..20_000 {
            let x = f32::from_bits(random.next_u64() as u32);
            if x.is_finite() {
                assert_eq!(Exact::from(x).nearest::<f32>(), x);
            }
            let x = f64::from_bits(random.next_u64());
            if x.is_finite() {
                assert_eq!(Exact::from(x).nearest::<f64>(), x);
            }
        }
    }

    #[test]
    fn rounding_to_f32_is_the_cast_of_the_compiler() {
        let mut random = SplitMix64::new(2);
        let mut subnormal = 0;
        for _ in 0..50_000 {
            // Exponents from below the smallest subnormal to above the largest number.
            let exponent = random.below(290) as i32 - 155;
            let mut x = (1.0 + random.unit()) * 2.0_f64.powi(exponent);
            if random.below(4) == 0 {
                // Exact halves between neighbors, where ties go to even.
                x = f64::from_bits(x.to_bits() & !((1 << 28) - 1) | (1 << 28));
            }
            let x = if random.below(2) == 0 { x } else { -x };
            let (got, want) = (Exact::from(x).nearest::<f32>(), x as f32);
            assert_eq!(got.to_bits(), want.to_bits(), "{x:e} ({:#x})", x.to_bits());
            subnormal += u32::from(want.is_subnormal());
        }
        assert!(subnormal > 1000, "only {subnormal} subnormal results were seen");
    }

    #[test]
    fn rounding_to_f64_at_the_edges() {
        let least = Exact::from(f64::from_bits(1));
        let half = least.scaled(-1);
        assert_eq!(half.nearest::<f64>(), 0.0, "a tie goes to the even zero");
        let more = &half + &half.scaled(-100);
        assert_eq!(more.nearest::<f64>(), f64::from_bits(1));
        assert_eq!((&least + &half).nearest::<f64>(), f64::from_bits(2), "a tie goes to even");
        assert_eq!((-&half).nearest::<f64>().to_bits(), (-0.0_f64).to_bits());
        let largest = Exact::from(f64::MAX);
        let half = Exact::from(power_of_two(970));
        assert_eq!((&largest + &half).nearest::<f64>(), f64::INFINITY);
        assert_eq!((&largest + &half.scaled(-1)).nearest::<f64>(), f64::MAX);
        assert_eq!((-&largest.scaled(1)).nearest::<f64>(), f64::NEG_INFINITY);
        assert_eq!(Exact::from(1.0).scaled(100_000).nearest::<f32>(), f32::INFINITY);
        assert_eq!(Exact::from(1.0).scaled(-100_000).nearest::<f32>(), 0.0);
    }

    #[test]
    fn arithmetic_keeps_more_bits_than_a_float() {
        let (one, tiny) = (Exact::from(1.0), Exact::from(power_of_two(-150)));
        assert_eq!(&(&one + &tiny) - &one, tiny);
        let third = &one / &Exact::from(3.0);
        let miss = &(&third * &Exact::from(3.0)) - &one;
        assert!(miss.is_zero() || miss.exponent() < Some(-(PRECISION as i64) + 2));
        let x = Exact::from(1.0 + power_of_two(-52));
        let square = &(&x * &x) - &Exact::from(1.0 + power_of_two(-51));
        assert_eq!(square.nearest::<f64>(), power_of_two(-104), "products are not rounded early");
    }

    #[test]
    fn text_survives_any_exponent() {
        assert_eq!(Exact::from(0.5).to_string(), "5.0000000000000000e-1");
        assert_eq!(Exact::from(1.5).scaled(-5000).to_string(), "1.5000000000000000e0*2^-5000");
        assert_eq!(Exact::ZERO.to_string(), "0.0000000000000000e0");
    }
}
