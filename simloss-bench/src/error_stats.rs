//! The worst of many measured errors, and its input.

use crate::bounds::{Bound, Quantity};
use crate::exact::Exact;
use crate::oracle::GradientEntry;
use crate::real::Real;
use crate::subject::Answer;
use crate::ulp;

/// The worst errors of one implementation for one quantity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ErrorStats {
    /// The number of inputs.
    pub inputs: u64,
    /// The largest relative error.
    pub max_rel: f64,
    /// The largest distance in ulp.
    pub max_ulp: f64,
    /// The input with the largest distance in ulp.
    pub worst: String,
}

impl ErrorStats {
    /// Adds the errors of one result. `input` describes the input; it is called only for a new worst error.
    pub fn note(&mut self, ulp: f64, rel: f64, input: impl FnOnce() -> String) {
        self.max_rel = self.max_rel.max(rel);
        if ulp > self.max_ulp || self.worst.is_empty() {
            (self.max_ulp, self.worst) = (ulp, input());
        }
    }

    /// Adds one function value.
    pub fn value<T: Real>(&mut self, got: T, exact: &Exact, input: impl FnOnce() -> String) {
        self.inputs += 1;
        self.note(ulp::distance(got, exact), ulp::relative(got, exact), input);
    }

    /// Adds one gradient, with the floor of the bound of `quantity`. `input` receives the class with the largest error.
    pub fn gradient<T: Real>(
        &mut self,
        quantity: Quantity,
        got: &Answer<T>,
        exact: &[GradientEntry],
        input: impl Fn(usize) -> String,
    ) {
        let floor = Bound::of(quantity, T::SCALAR).floor;
        self.inputs += 1;
        for (k, (&g, exact)) in got.gradient.iter().zip(exact).enumerate() {
            let (distance, relative) =
                (ulp::gradient_distance(g, exact, floor), ulp::gradient_relative(g, exact, floor));
            self.note(distance, relative, || input(k));
        }
    }

    /// Adds the results of another thread.
    pub fn merge(&mut self, other: &ErrorStats) {
        self.inputs += other.inputs;
        self.note(other.max_ulp, other.max_rel, || other.worst.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_error_is_kept() {
        let mut stats = ErrorStats::default();
        stats.value(1.0_f32, &Exact::from(1.0), || "first".into());
        stats.value(1.0_f32 + f32::EPSILON, &Exact::from(1.0), || "wrong".into());
        let mut other = ErrorStats::default();
        other.value(f32::NAN, &Exact::from(2.0), || "lost".into());
        assert_eq!((stats.inputs, stats.max_ulp, stats.worst.as_str()), (2, 1.0, "wrong"));
        stats.merge(&other);
        assert_eq!((stats.inputs, stats.max_ulp, stats.worst.as_str()), (3, f64::INFINITY, "lost"));
        assert_eq!(stats.max_rel, f64::INFINITY);
    }
}
