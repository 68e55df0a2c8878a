//! The distance of a float from the exact result.
//!
//! An ulp is the spacing of the format at the exact result, not at the computed one: for an exact
//! `x` with `e = floor(log2 |x|)` it is `2^(e - digits + 1)`, and never less than the smallest
//! subnormal. If the result is NaN, or infinite although the exact
//! one is not, the distance is infinite.

use crate::exact::Exact;
use crate::oracle::GradientEntry;
use crate::real::{Real, Scalar, power_of_two};

/// The exact distance of `got` from `exact`, or the value to return if there is none.
fn difference<T: Real>(got: T, exact: &Exact) -> Result<Exact, f64> {
    let value: f64 = got.into();
    if value.is_finite() {
        Ok((&Exact::from(value) - exact).abs())
    } else if value == exact.nearest::<T>().into() {
        Err(0.0) // an infinity that is owed
    } else {
        Err(f64::INFINITY)
    }
}

/// Exponent of the spacing of the format at `exact`.
fn spacing_exponent(scalar: Scalar, exact: &Exact) -> i64 {
    scalar.spacing_exponent(exact.exponent().unwrap_or(i64::MIN / 2))
}

/// `|got - exact|` in units of the spacing of `T` at `exact`.
///
/// Guarantees: at most 0.5 for a correctly rounded result; infinite for a NaN, and for an infinity
/// that `exact` does not round to. At `exact = 0` the unit is the smallest subnormal.
///
/// ```
/// use simloss_bench::{exact::Exact, ulp};
/// assert_eq!(ulp::distance(1.0_f32 + 3.0 * f32::EPSILON, &Exact::from(1.0)), 3.0);
/// assert_eq!(ulp::distance(f32::NAN, &Exact::from(1.0)), f64::INFINITY);
/// ```
pub fn distance<T: Real>(got: T, exact: &Exact) -> f64 {
    match difference(got, exact) {
        Ok(error) => error.scaled(-spacing_exponent(T::SCALAR, exact)).nearest(),
        Err(distance) => distance,
    }
}

/// `|got - exact| / |exact|`, where an exact result below the smallest normal number counts as
/// that number: a loss of `e^-10000` returned as 0 is correct.
///
/// Infinite if [`distance`] is.
pub fn relative<T: Real>(got: T, exact: &Exact) -> f64 {
    ratio(difference(got, exact), T::SCALAR, exact)
}

/// Distance of a gradient entry in units of the spacing of `T` at `|p| + |q|`.
///
/// ```text
/// max(0, |got - (p - q)| - floor) / spacing(|p| + |q|)
/// ```
///
/// `p - q` cancels if both are close, and no algorithm on rounded parts is more accurate than the spacing of the parts.
/// `floor` is an absolute allowance for probabilities too small to change a parameter (see [`crate::bounds`]).
pub fn gradient_distance<T: Real>(got: T, exact: &GradientEntry, floor: f64) -> f64 {
    match difference(got, &exact.value) {
        Ok(error) => {
            let error = &error - &Exact::from(floor);
            if error.is_negative() {
                return 0.0;
            }
            error.scaled(-spacing_exponent(T::SCALAR, &exact.magnitude())).nearest()
        }
        Err(distance) => distance,
    }
}

/// `max(0, |got - (p - q)| - floor) / (|p| + |q|)`, with the floor of [`relative`] under the divisor.
pub fn gradient_relative<T: Real>(got: T, exact: &GradientEntry, floor: f64) -> f64 {
    let error = difference(got, &exact.value).map(|error| {
        let error = &error - &Exact::from(floor);
        if error.is_negative() { Exact::ZERO } else { error }
    });
    ratio(error, T::SCALAR, &exact.magnitude())
}

fn ratio(error: Result<Exact, f64>, scalar: Scalar, measure: &Exact) -> f64 {
    let least = Exact::from(power_of_two(scalar.normal_exponent()));
    let measure = measure.abs();
    match error {
        Ok(error) => (&error / if measure < least { &least } else { &measure }).nearest(),
        Err(distance) => distance,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(x: f64) -> Exact {
        Exact::from(x)
    }

    #[test]
    fn distances_by_hand() {
        assert_eq!(distance(1.0_f32, &exact(1.0)), 0.0);
        // Below a power of two the spacing is half that above it; the exact result decides.
        assert_eq!(distance(1.0_f32.next_down(), &exact(1.0)), 0.5);
        assert_eq!(distance(1.0_f32, &exact(f64::from(1.0_f32.next_down()))), 1.0);
        assert_eq!(distance(1.0_f64.next_up(), &exact(1.0)), 1.0);
        assert_eq!(distance(-1.0_f32, &exact(1.0)), 2.0_f64.powi(24));
        // f32's nearest 0.1 is a quarter of an ulp or so away from f64's.
        let miss = (f64::from(0.1_f32) - 0.1) / power_of_two(-27);
        assert_eq!(distance(0.1_f32, &exact(0.1)), miss);
        assert!(miss > 0.1 && miss < 0.5);
    }

    #[test]
    fn the_spacing_has_a_floor() {
        let least = f32::from_bits(1);
        assert_eq!(distance(0.0_f32, &Exact::ZERO), 0.0);
        assert_eq!(distance(-0.0_f32, &Exact::ZERO), 0.0);
        assert_eq!(distance(least, &Exact::ZERO), 1.0);
        assert_eq!(distance(0.0_f32, &exact(f64::from(least) / 4.0)), 0.25);
        assert_eq!(distance(f32::from_bits(7), &exact(f64::from(f32::from_bits(4)))), 3.0);
        assert_eq!(distance(f64::from_bits(1), &Exact::ZERO), 1.0);
        let beyond = exact(1.0).scaled(-20_000);
        assert!(distance(0.0_f64, &beyond) < 1e-300);
        assert_eq!(distance(f64::from_bits(2), &beyond), 2.0);
    }

    #[test]
    fn infinities_and_nan() {
        assert_eq!(distance(f32::NAN, &exact(1.0)), f64::INFINITY);
        assert_eq!(distance(f32::INFINITY, &exact(1.0)), f64::INFINITY);
        assert_eq!(distance(f32::INFINITY, &exact(1e39)), 0.0);
        assert_eq!(distance(f32::NEG_INFINITY, &exact(1e39)), f64::INFINITY);
        assert_eq!(distance(f64::INFINITY, &exact(1e39)), f64::INFINITY);
        assert_eq!(relative(f32::NAN, &exact(1.0)), f64::INFINITY);
        let distance = distance(f32::MAX, &exact(1e39));
        assert!(distance > 1e6 && distance.is_finite(), "a finite result has a finite distance");
    }

    #[test]
    fn relative_errors_by_hand() {
        assert_eq!(relative(1.5_f32, &exact(-1.0)), 2.5);
        assert_eq!(relative(0.0_f32, &exact(1e-8)), 1.0);
        assert_eq!(relative(0.0_f32, &Exact::ZERO), 0.0);
        assert!(relative(0.0_f32, &exact(1e-45)) < 1e-6);
    }

    #[test]
    fn gradients_are_measured_by_their_parts() {
        let entry = GradientEntry { value: exact(0.25), p: exact(1.0), q: exact(0.75) };
        // |p| + |q| = 1.75: the spacing of f32 there is 2^-23, though p - q is far smaller.
        let got = 0.25 + f32::EPSILON;
        assert_eq!(gradient_distance(got, &entry, 0.0), 1.0);
        assert_eq!(gradient_distance(got, &entry, power_of_two(-24)), 0.5);
        assert_eq!(gradient_distance(got, &entry, power_of_two(-22)), 0.0);
        assert_eq!(gradient_distance(f32::NAN, &entry, 1.0), f64::INFINITY);
        assert_eq!(gradient_relative(got, &entry, power_of_two(-22)), 0.0);
        let relative = gradient_relative(got, &entry, 0.0);
        assert!((relative * 1.75 / f64::from(f32::EPSILON) - 1.0).abs() < 1e-15);
    }
}
