//! The two scalars of the project, and the numbers that each of them has.

use std::fmt::{Debug, Display};

/// A scalar format: its numbers and their spacing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
}

impl Scalar {
    /// Both scalars, in the order in which tables list them.
    pub const ALL: [Scalar; 2] = [Scalar::F32, Scalar::F64];

    /// `"f32"` or `"f64"`, as records write it.
    pub const fn name(self) -> &'static str {
        match self {
            Scalar::F32 => "f32",
            Scalar::F64 => "f64",
        }
    }

    /// Bits of a normal number's significand, the hidden one included: 24 or 53.
    pub const fn digits(self) -> i32 {
        match self {
            Scalar::F32 => f32::MANTISSA_DIGITS as i32,
            Scalar::F64 => f64::MANTISSA_DIGITS as i32,
        }
    }

    /// Exponent of the smallest positive number: -149 or -1074.
    pub const fn least_exponent(self) -> i32 {
        match self {
            Scalar::F32 => -149,
            Scalar::F64 => -1074,
        }
    }

    /// Exponent of the smallest normal number: -126 or -1022.
    pub const fn normal_exponent(self) -> i32 {
        self.least_exponent() + self.digits() - 1
    }

    /// Exponent of the largest power of two: 127 or 1023.
    pub const fn largest_exponent(self) -> i32 {
        match self {
            Scalar::F32 => f32::MAX_EXP - 1,
            Scalar::F64 => f64::MAX_EXP - 1,
        }
    }

    /// Exponent of the spacing between neighbors in `[2^exponent, 2^(exponent + 1))`.
    ///
    /// `max(exponent - digits + 1, least_exponent)`: the spacing of subnormals is the floor.
    pub fn spacing_exponent(self, exponent: i64) -> i64 {
        (exponent - i64::from(self.digits()) + 1).max(i64::from(self.least_exponent()))
    }
}

/// A number of one of the two scalars; every one is an `f64` exactly.
pub trait Real: Copy + PartialOrd + Debug + Display + Into<f64> + 'static {
    /// The format of the number.
    const SCALAR: Scalar;

    /// The nearest number of this format, ties to even.
    fn round(x: f64) -> Self;

    /// The bits, for records that identify an input exactly.
    fn bits(self) -> u64;
}

impl Real for f32 {
    const SCALAR: Scalar = Scalar::F32;

    fn round(x: f64) -> Self {
        x as f32
    }

    fn bits(self) -> u64 {
        u64::from(self.to_bits())
    }
}

impl Real for f64 {
    const SCALAR: Scalar = Scalar::F64;

    fn round(x: f64) -> Self {
        x
    }

    fn bits(self) -> u64 {
        self.to_bits()
    }
}

/// `2^exponent`, exactly; the exponent must be one that `f64` has (-1074 to 1023).
pub const fn power_of_two(exponent: i32) -> f64 {
    assert!(-1074 <= exponent && exponent <= 1023, "the power is not an f64");
    if exponent >= -1022 {
        f64::from_bits(((exponent + 1023) as u64) << 52)
    } else {
        f64::from_bits(1 << (exponent + 1074))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_is_that_of_the_standard_library() {
        assert_eq!(power_of_two(Scalar::F32.normal_exponent()), f64::from(f32::MIN_POSITIVE));
        assert_eq!(power_of_two(Scalar::F64.normal_exponent()), f64::MIN_POSITIVE);
        assert_eq!(power_of_two(Scalar::F32.least_exponent()), f64::from(f32::from_bits(1)));
        assert_eq!(power_of_two(Scalar::F64.least_exponent()), f64::from_bits(1));
        assert_eq!(power_of_two(-1), 0.5);
        assert_eq!(power_of_two(1023) * 2.0, f64::INFINITY);
        for (exponent, x) in [(0, 1.0_f32), (-126, f32::MIN_POSITIVE), (100, 2.0_f32.powi(100))] {
            let spacing = f64::from(x.next_up()) - f64::from(x);
            let expected = power_of_two(Scalar::F32.spacing_exponent(exponent) as i32);
            assert_eq!(spacing, expected, "at 2^{exponent}");
        }
    }
}
