//! The one door to transcendental functions, and the constants of each number format.
//!
//! `ln`, `log1p`, `expm1` and `sqrt` are libm's, compiled into every target, so their bits do not depend on a platform
//! library. Nothing else in the workspace names `libm` (a test holds that) or calls those of std but `sqrt` (clippy's
//! `disallowed_methods` does), except to judge or to be compared with. Several lanes at once have `log1p`'s algorithm of
//! their own, with its bits (`log1p.rs`). libm states .83 ulp for `ln` and `log1p`; `sqrt` is correctly rounded.

use super::{Logarithm, Value, exp::Exponential};

/// A number that is its own single lane: `f32`, `f64`, or a newtype that only replaces an operation by an instruction
/// with the same result (such as the square root of a microcontroller's FPU).
pub trait Scalar:
    Value<Scalar = Self, Token = ()> + PartialOrd + PartialEq + core::fmt::Debug + Default + Send + Sync + 'static
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// 1/2.
    const HALF: Self;
    /// The largest finite number.
    const MAX: Self;
    /// The smallest positive normal number. A similarity below it is stored as 0 and means 0.
    const MIN_POSITIVE: Self;
    /// `2^s + 1` with `s` half of the significand's bits: Veltkamp's constant for splitting a product exactly.
    const SPLIT: Self;
    /// The constants of `2^K exp(h + l)`.
    const EXPONENTIAL: Exponential<Self>;
    /// The constants of `ln(1 + x)` in lanes.
    const LOGARITHM: Logarithm;

    /// The nearest number to `x`.
    fn from_f32(x: f32) -> Self;
    /// The nearest number to `x`.
    fn from_f64(x: f64) -> Self;
    /// The nearest number to `n`.
    fn from_usize(n: usize) -> Self;
    /// `self`, exactly.
    fn to_f64(self) -> f64;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// `ln(1 + self)` without loss near 0.
    fn log1p(self) -> Self;
    /// `exp(self) - 1` without loss near 0.
    fn expm1(self) -> Self;
    /// The correctly rounded square root in software; [`Value::sqrt`] may use an instruction instead.
    fn square_root(self) -> Self;
    /// `self * 2^64` rounded towards zero, saturating, 0 for NaN: the unit in which metrics add (see
    /// [`FixedSum`](super::FixedSum)).
    fn to_fixed(self) -> i128;

    /// Neither infinite nor NaN.
    #[inline(always)]
    fn is_finite(self) -> bool {
        // x - x is 0 for a finite x, NaN otherwise.
        self.sub(self) == Self::ZERO
    }
}

macro_rules! scalar {
    ($t:ident, $bits:ident, $split:literal, $mantissa:literal, $bias:literal, $logarithm:path, $ln:path, $log1p:path, $expm1:path, $sqrt:path) => {
        impl Scalar for $t {
            const ZERO: $t = 0.0;
            const ONE: $t = 1.0;
            const HALF: $t = 0.5;
            const MAX: $t = $t::MAX;
            const MIN_POSITIVE: $t = $t::MIN_POSITIVE;
            const SPLIT: $t = $split;
            const EXPONENTIAL: Exponential<$t> = Exponential::<$t>::CONSTANTS;
            const LOGARITHM: Logarithm = $logarithm;

            #[inline(always)]
            fn from_f32(x: f32) -> $t {
                x as $t
            }
            #[inline(always)]
            fn from_f64(x: f64) -> $t {
                x as $t
            }
            #[inline(always)]
            fn from_usize(n: usize) -> $t {
                n as $t
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline]
            fn ln(self) -> $t {
                $ln(self)
            }
            #[inline]
            fn log1p(self) -> $t {
                $log1p(self)
            }
            #[inline]
            fn expm1(self) -> $t {
                $expm1(self)
            }
            #[inline]
            fn square_root(self) -> $t {
                $sqrt(self)
            }
            #[inline]
            fn to_fixed(self) -> i128 {
                // By bits, not by a float product: the shift is the same on every target and needs no double.
                let bits = self.to_bits();
                let fraction = bits & ((1 << $mantissa) - 1);
                let exponent = ((bits >> $mantissa) & (2 * $bias + 1)) as i32;
                if exponent == 2 * $bias + 1 {
                    return match (fraction != 0, self.is_sign_negative()) {
                        (true, _) => 0,
                        (false, true) => i128::MIN,
                        (false, false) => i128::MAX,
                    };
                }
                let (significand, exponent) =
                    if exponent == 0 { (fraction, 1) } else { (fraction | (1 << $mantissa), exponent) };
                let shift = exponent - $bias - $mantissa + 64;
                let magnitude = if shift <= -128 {
                    0
                } else if shift < 0 {
                    i128::from(significand) >> -shift
                } else if shift + $mantissa + 1 < 127 {
                    i128::from(significand) << shift
                } else {
                    i128::MAX
                };
                if self.is_sign_negative() { -magnitude } else { magnitude }
            }
        }
    };
}

scalar!(f32, u32, 4097.0, 23, 127, Logarithm::F32, libm::logf, libm::log1pf, libm::expm1f, libm::sqrtf);
scalar!(f64, u64, 134_217_729.0, 52, 1023, Logarithm::F64, libm::log, libm::log1p, libm::expm1, libm::sqrt);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_point_of_known_numbers() {
        assert_eq!(1.0f32.to_fixed(), 1 << 64);
        assert_eq!((-0.5f64).to_fixed(), -(1 << 63));
        assert_eq!(3.0e38f32.to_fixed(), i128::MAX);
        assert_eq!(f64::INFINITY.to_fixed(), i128::MAX);
        assert_eq!(f32::NAN.to_fixed(), 0);
        assert_eq!(f32::MIN_POSITIVE.to_fixed(), 0);
        assert_eq!((2.0f32).powi(-64).to_fixed(), 1);
        assert_eq!(1e-300f64.to_fixed(), 0);
    }
}
