//! The one table of bounds: the largest error allowed for each quantity, and the reason.
//!
//! Errors are in ulp as [`crate::ulp`] measures them: the spacing at the exact result, for the gradient the spacing at
//! `|p| + |q|`. All tests, benches, firmware checks, and records read the bounds of these quantities here. A second table
//! lists the implementations that are known to fail. The check fails if one of them starts to pass, so no entry is stale.

use crate::real::{Scalar, power_of_two};

/// Something computed whose error is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quantity {
    /// The loss of one sample.
    Loss,
    /// One entry of the gradient of the loss by the logits.
    Gradient,
    /// Proper SimLoss of one sample.
    ProperLoss,
    /// One entry of the gradient of proper SimLoss.
    ProperGradient,
    /// Squared EMD of one sample.
    SquaredEmd,
    /// One entry of the gradient of squared EMD.
    SquaredEmdGradient,
    /// `exp(h + l)` of the core.
    Exp,
    /// `ln x`.
    Ln,
    /// `ln(1 + x)`.
    Log1p,
    /// `exp(x) - 1`.
    Expm1,
    /// The square root.
    Sqrt,
    /// One probability of the logits.
    Softmax,
}

impl Quantity {
    /// All quantities, in the order in which tables list them.
    pub const ALL: [Quantity; 12] = [
        Quantity::Loss,
        Quantity::Gradient,
        Quantity::ProperLoss,
        Quantity::ProperGradient,
        Quantity::SquaredEmd,
        Quantity::SquaredEmdGradient,
        Quantity::Exp,
        Quantity::Ln,
        Quantity::Log1p,
        Quantity::Expm1,
        Quantity::Sqrt,
        Quantity::Softmax,
    ];

    /// The name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Quantity::Loss => "loss",
            Quantity::Gradient => "gradient",
            Quantity::ProperLoss => "proper loss",
            Quantity::ProperGradient => "proper gradient",
            Quantity::SquaredEmd => "squared EMD",
            Quantity::SquaredEmdGradient => "squared EMD gradient",
            Quantity::Exp => "exp",
            Quantity::Ln => "ln",
            Quantity::Log1p => "log1p",
            Quantity::Expm1 => "expm1",
            Quantity::Sqrt => "sqrt",
            Quantity::Softmax => "softmax",
        }
    }
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// What is bounded.
    pub quantity: Quantity,
    /// The scalar that computes it.
    pub scalar: Scalar,
    /// The largest distance allowed, in ulp.
    pub ulp: f64,
    /// An absolute error that does not count.
    pub floor: f64,
    /// The reason for the number.
    pub reason: &'static str,
}

impl Bound {
    /// Whether a measured worst distance is within the bound. A NaN is not.
    pub fn holds(&self, worst: f64) -> bool {
        worst <= self.ulp
    }
}

/// The absolute gradient error that does not count: `2^-90` in `f32`, `2^-564` in `f64`.
///
/// An exponential ends at `exp(-150)` (`f32`: 2^-216.4) or `exp(-1100)` (`f64`: 2^-1586.9) of the largest one, and
/// `sum S exp` is at least as large as the least normal S (2^-126, 2^-1022) times the largest one: an omitted
/// term is at most the quotient of the two.
const fn gradient_floor(scalar: Scalar) -> f64 {
    match scalar {
        Scalar::F32 => power_of_two(-90),
        Scalar::F64 => power_of_two(-564),
    }
}

/// The absolute error of the gradient of squared EMD that does not count: `2^-133` in `f32`, `2^-1058` in `f64`.
///
/// A probability below the smallest normal number is rounded to a multiple of the smallest number, which is half of
/// `2^-149` (`2^-1074`) off, and multiplied by two sums of up to `C`, at most 65,535, terms up to 1.
const fn squared_emd_gradient_floor(scalar: Scalar) -> f64 {
    power_of_two(scalar.least_exponent() + 16)
}

const fn bound(quantity: Quantity, scalar: Scalar, ulp: f64, reason: &'static str) -> Bound {
    let floor = match quantity {
        Quantity::Gradient | Quantity::ProperGradient => gradient_floor(scalar),
        Quantity::SquaredEmdGradient => squared_emd_gradient_floor(scalar),
        _ => 0.0,
    };
    Bound { quantity, scalar, ulp, floor, reason }
}

/// The table, one row for every quantity in every scalar.
pub const BOUNDS: [Bound; 24] = [
    bound(
        Quantity::Loss,
        Scalar::F32,
        5.0,
        "Simulated worst of the algorithm at C = 2 / 10 / 90 / 1000 is 3.1 / 4.5 / 3.3 / 2.4 ulp: \
         the rounding of exp, of S or 1 - S, of two compensated sums, a quotient and log1p.",
    ),
    bound(Quantity::Loss, Scalar::F64, 5.0, "The same algorithm with the same roundings, each in its own ulp."),
    bound(
        Quantity::Gradient,
        Scalar::F32,
        6.0,
        "Simulated worst at C = 2 / 10 / 90 / 1000 is 2.9 / 4.2 / 5.5 / 4.2 ulp of |p| + |q|: the \
         loss's roundings and three more products. Errors below 2^-90 do not count: \
         the scaled exponentials end there.",
    ),
    bound(
        Quantity::Gradient,
        Scalar::F64,
        6.0,
        "The same algorithm with the same roundings, each in its own ulp; the exponentials end at 2^-564.",
    ),
    bound(
        Quantity::ProperLoss,
        Scalar::F32,
        32.0,
        "Measured: 28.1 over 40,000 cases, for a class order of 1,000 classes with r = 1 - 2^-23; 8.9 over 6,000, for a class order of 90 classes with r = 1 - 2^-23; without class orders near 1 at most 4.9. The terms of the sum are a few times the loss, each with the roundings of exp, S, products with S, and a quotient. The goal was 8.",
    ),
    bound(Quantity::ProperLoss, Scalar::F64, 32.0, "The same algorithm; measured: 7.5 over 6,000 cases."),
    bound(
        Quantity::ProperGradient,
        Scalar::F32,
        24.0,
        "Measured: 20.7 of the scale over 6,000 cases, for class orders of 1,000 classes, whose products with S round once more for every 16 classes; up to 100 classes at most 9. The goal was 10.",
    ),
    bound(
        Quantity::ProperGradient,
        Scalar::F64,
        24.0,
        "The same algorithm; measured: 21.2, for class orders of 257 and 1,000 classes.",
    ),
    bound(
        Quantity::SquaredEmd,
        Scalar::F32,
        24.0,
        "Measured: 4.7 over 6,000 cases, 18 over 40,000, where the loss is subnormal. Two compensated sums, a quotient, a square, a compensated sum of C of them.",
    ),
    bound(Quantity::SquaredEmd, Scalar::F64, 24.0, "The same algorithm; measured: 4.6."),
    bound(
        Quantity::SquaredEmdGradient,
        Scalar::F32,
        10.0,
        "Measured: 7.3 of the scale. Sums of products of the loss's terms.",
    ),
    bound(Quantity::SquaredEmdGradient, Scalar::F64, 10.0, "The same algorithm; measured: 6.8."),
    bound(
        Quantity::Exp,
        Scalar::F32,
        0.75,
        "Measured: 0.678 over every f32 in [-150, 0], 0.69 sampled with a low part. (libm: 0.91 on [-87, 0].) \
         The one rounding that counts is 0.5; omitting a step of the algorithm costs more than the rest.",
    ),
    bound(Quantity::Exp, Scalar::F64, 0.75, "The same algorithm; checked by sampling."),
    bound(Quantity::Ln, Scalar::F32, 1.0, "libm 0.2.16: 0.835 over every positive f32."),
    bound(Quantity::Ln, Scalar::F64, 1.0, "libm: its source states less than 1."),
    bound(Quantity::Log1p, Scalar::F32, 1.0, "libm 0.2.16: 0.835 over every f32 above -1."),
    bound(Quantity::Log1p, Scalar::F64, 1.0, "libm: its source states less than 1."),
    bound(Quantity::Expm1, Scalar::F32, 1.0, "libm 0.2.16: 0.813 over every f32 from -104 to 88.7."),
    bound(Quantity::Expm1, Scalar::F64, 1.0, "libm 0.2.16: 0.791 over 60,000 samples from -20 to 20."),
    bound(Quantity::Sqrt, Scalar::F32, 0.5, "IEEE 754: correctly rounded."),
    bound(Quantity::Sqrt, Scalar::F64, 0.5, "IEEE 754: correctly rounded."),
    bound(
        Quantity::Softmax,
        Scalar::F32,
        4.0,
        "The roundings of exp, one compensated sum, its reciprocal, and a product; each may be two ulp of the result.",
    ),
    bound(Quantity::Softmax, Scalar::F64, 4.0, "The same algorithm with the same roundings, each in its own ulp."),
];

impl Bound {
    /// The row of a quantity in a scalar.
    ///
    /// ```
    /// use simloss_bench::{bounds::{Bound, Quantity}, real::Scalar};
    /// assert_eq!(Bound::of(Quantity::Loss, Scalar::F32).ulp, 5.0);
    /// ```
    pub fn of(quantity: Quantity, scalar: Scalar) -> &'static Bound {
        let row = BOUNDS.iter().find(|row| row.quantity == quantity && row.scalar == scalar);
        row.expect("the table has a row for every quantity in every scalar")
    }
}

/// The implementation that computed a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Implementation {
    /// The SimLoss of `simloss-core`.
    Simloss,
    /// The cross entropy of `simloss-core`.
    Cce,
    /// The formula as published with the paper: `-ln(sum S softmax(z) + 1e-8)`.
    Published,
    /// `lse(z) - lse(z + ln S)`.
    Lse,
    /// The definition without rearrangement, `-ln(sum S e / sum e)`, with one running sum each.
    Naive,
    /// The cross entropy of the crate candle.
    Candle,
    /// The cross entropy of the crate burn.
    Burn,
}

impl Implementation {
    /// All implementations, in the order in which tables list them.
    pub const ALL: [Implementation; 7] = [
        Implementation::Simloss,
        Implementation::Cce,
        Implementation::Published,
        Implementation::Lse,
        Implementation::Naive,
        Implementation::Candle,
        Implementation::Burn,
    ];

    /// The name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Implementation::Simloss => "simloss",
            Implementation::Cce => "cce",
            Implementation::Published => "published",
            Implementation::Lse => "lse",
            Implementation::Naive => "naive",
            Implementation::Candle => "candle",
            Implementation::Burn => "burn",
        }
    }
}

/// A bound that an implementation is known to exceed, in either scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedFailure {
    /// The implementation.
    pub implementation: Implementation,
    /// The quantity.
    pub quantity: Quantity,
    /// The reason.
    pub reason: &'static str,
}

const fn failure(implementation: Implementation, quantity: Quantity, reason: &'static str) -> ExpectedFailure {
    ExpectedFailure { implementation, quantity, reason }
}

/// All implementations that are known to exceed a bound on the hard cases. None of them is ours.
pub const EXPECTED_FAILURES: [ExpectedFailure; 14] = [
    failure(
        Implementation::Published,
        Quantity::Loss,
        "The constant inside the logarithm caps the loss at 18.42 and makes small losses negative.",
    ),
    failure(
        Implementation::Published,
        Quantity::Gradient,
        "The constant outgrows sum S p: a sample that is wrong by 40 gets 4e-10 of its gradient.",
    ),
    failure(
        Implementation::Lse,
        Quantity::Loss,
        "The difference of two logarithms of nearly equal sums: small losses lose every bit.",
    ),
    failure(
        Implementation::Lse,
        Quantity::Gradient,
        "Arguments of exp are rounded to the spacing of z, which exp turns into relative error.",
    ),
    failure(
        Implementation::Naive,
        Quantity::Loss,
        "sum S e / sum e rounds to 1 where the loss is small, and underflows where it is large.",
    ),
    failure(
        Implementation::Naive,
        Quantity::Gradient,
        "z - max z is rounded before exp, and sum S e underflows for samples wrong by 104.",
    ),
    failure(
        Implementation::Naive,
        Quantity::ProperLoss,
        "-ln q and 1 - sum p S / q cancel near the true class: no digit is left, and some losses are negative.",
    ),
    failure(
        Implementation::Naive,
        Quantity::ProperGradient,
        "Terms of order 1 cancel near the true class, and a class with q = 0 has the quotient NaN.",
    ),
    failure(
        Implementation::Naive,
        Quantity::SquaredEmd,
        "F rounds to 1 if later classes have little probability: F - 1 has no correct digit.",
    ),
    failure(Implementation::Naive, Quantity::SquaredEmdGradient, "The same F - 1, and sums of terms of both signs."),
    failure(
        Implementation::Candle,
        Quantity::Loss,
        "log_softmax returns 0 for a sample that is correct by 17, where the loss is 4.1e-8.",
    ),
    failure(
        Implementation::Candle,
        Quantity::Gradient,
        "exp of a rounded log-probability: an ulp of thousands is a relative error of 1e-4 and more.",
    ),
    failure(
        Implementation::Burn,
        Quantity::Loss,
        "log_softmax returns 0 for a sample that is correct by 17, where the loss is 4.1e-8.",
    ),
    failure(
        Implementation::Burn,
        Quantity::Gradient,
        "Sums over up to 1,000 classes and shifted logits are rounded; we did not measure which matters more.",
    ),
];

/// The result of comparing a measured worst error with its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Within the bound, as required.
    Within,
    /// Beyond the bound, as listed, with the listed reason.
    FailsAsExpected(&'static str),
    /// Beyond the bound and not listed.
    Exceeds,
    /// Within the bound although listed as a failure: the list is out of date.
    PassesUnexpectedly,
}

impl Verdict {
    /// Whether the check may pass.
    pub fn is_fine(self) -> bool {
        matches!(self, Verdict::Within | Verdict::FailsAsExpected(_))
    }
}

/// Compares the worst error of an implementation, in ulp, with the two tables.
///
/// ```
/// use simloss_bench::bounds::{Implementation, Quantity, Verdict, check};
/// use simloss_bench::real::Scalar;
/// let verdict = check(Implementation::Simloss, Quantity::Loss, Scalar::F32, 7.0);
/// assert_eq!(verdict, Verdict::Exceeds);
/// assert!(!check(Implementation::Naive, Quantity::Loss, Scalar::F32, 0.5).is_fine());
/// ```
pub fn check(implementation: Implementation, quantity: Quantity, scalar: Scalar, worst: f64) -> Verdict {
    let listed = EXPECTED_FAILURES.iter().find(|row| row.implementation == implementation && row.quantity == quantity);
    match (Bound::of(quantity, scalar).holds(worst), listed) {
        (true, None) => Verdict::Within,
        (false, Some(row)) => Verdict::FailsAsExpected(row.reason),
        (false, None) => Verdict::Exceeds,
        (true, Some(_)) => Verdict::PassesUnexpectedly,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_for_every_quantity_in_every_scalar() {
        for quantity in Quantity::ALL {
            for scalar in Scalar::ALL {
                let rows = BOUNDS.iter();
                let rows = rows.filter(|row| row.quantity == quantity && row.scalar == scalar);
                assert_eq!(rows.count(), 1, "{} {}", quantity.name(), scalar.name());
            }
        }
        assert_eq!(BOUNDS.len(), Quantity::ALL.len() * Scalar::ALL.len());
        assert_eq!(Bound::of(Quantity::Gradient, Scalar::F32).floor, 2.0_f64.powi(-90));
        assert_eq!(Bound::of(Quantity::Gradient, Scalar::F64).floor, 2.0_f64.powi(-564));
    }

    #[test]
    fn no_implementation_of_ours_is_listed() {
        let ours = [Implementation::Simloss, Implementation::Cce];
        assert!(EXPECTED_FAILURES.iter().all(|row| !ours.contains(&row.implementation)));
    }

    #[test]
    fn verdicts_follow_from_both_tables() {
        let loss = |implementation, worst| check(implementation, Quantity::Loss, Scalar::F32, worst);
        assert_eq!(loss(Implementation::Simloss, 5.0), Verdict::Within);
        assert_eq!(loss(Implementation::Simloss, 5.0_f64.next_up()), Verdict::Exceeds);
        assert_eq!(loss(Implementation::Simloss, f64::NAN), Verdict::Exceeds);
        assert!(matches!(loss(Implementation::Lse, f64::INFINITY), Verdict::FailsAsExpected(_)));
        assert_eq!(loss(Implementation::Lse, 1.0), Verdict::PassesUnexpectedly);
        assert!(!Verdict::PassesUnexpectedly.is_fine() && !Verdict::Exceeds.is_fine());
    }
}
