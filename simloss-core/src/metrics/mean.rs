//! The accumulators: a share of samples, a mean of scores.

use crate::{
    Error,
    number::{FixedSum, Scalar},
};

/// The share of samples of which something holds: `hits / total`.
///
/// ```
/// use simloss_core::metrics::Share;
/// let mut right = Share::new();
/// assert_eq!(right.value(), None);
/// [true, true, false, true].iter().for_each(|&hit| right.update(hit));
/// assert_eq!(right.value(), Some(0.75));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Share {
    hits: u64,
    total: u64,
}

impl Share {
    /// No samples.
    pub const fn new() -> Self {
        Share { hits: 0, total: 0 }
    }

    /// One sample.
    #[inline]
    pub fn update(&mut self, hit: bool) {
        self.add(hit, 1);
    }

    /// `times` samples that are all alike.
    #[inline]
    pub(super) fn add(&mut self, hit: bool, times: u64) {
        self.hits = self.hits.saturating_add(if hit { times } else { 0 });
        self.total = self.total.saturating_add(times);
    }

    /// The samples of `other` too.
    pub fn merge(&mut self, other: &Self) {
        self.hits = self.hits.saturating_add(other.hits);
        self.total = self.total.saturating_add(other.total);
    }

    /// Samples of which it holds.
    pub fn hits(&self) -> u64 {
        self.hits
    }

    /// Samples.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// `hits / total`, or `None` without samples.
    ///
    /// Numerics: one rounding, for fewer than 2^53 samples.
    pub fn value(&self) -> Option<f64> {
        quotient(self.hits as f64, self.total)
    }
}

/// The mean of what samples score: `sum / count`.
///
/// Each score is computed in its own format and added in fixed point, so that equal samples give equal bits however
/// they are grouped. Domain: sums of one sign below 2^63 (they stay there beyond); scores are truncated to multiples of
/// 2^-64.
///
/// ```
/// use simloss_core::{Error, metrics::Mean};
/// let (mut one, mut other) = (Mean::new(), Mean::new());
/// one.update(0.25f32)?;
/// other.update(1.0f32)?;
/// other.update(1.75f32)?;
/// one.merge(&other);
/// assert_eq!(one.value(), Some(1.0));
/// assert_eq!(one.update(f32::NAN), Err(Error::NotFinite { what: "scores", sample: 0 }));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mean {
    sum: FixedSum,
    count: u64,
}

impl Mean {
    /// No samples.
    pub const fn new() -> Self {
        Mean { sum: FixedSum::ZERO, count: 0 }
    }

    /// One sample's score.
    ///
    /// # Errors
    /// [`Error::NotFinite`] if it is NaN or infinite: a mean that left it out would hide it.
    ///
    /// Cost: one conversion and one 128-bit addition.
    #[inline]
    pub fn update<T: Scalar>(&mut self, score: T) -> Result<(), Error> {
        self.add(score, 1)
    }

    /// `times` samples of the same score: the bits of as many updates.
    pub(super) fn add<T: Scalar>(&mut self, score: T, times: u64) -> Result<(), Error> {
        if !score.is_finite() {
            return Err(Error::NotFinite { what: "scores", sample: 0 });
        }
        self.sum.merge(&FixedSum::from_bits(score.to_fixed().saturating_mul(i128::from(times))));
        self.count = self.count.saturating_add(times);
        Ok(())
    }

    /// The samples of `other` too.
    pub fn merge(&mut self, other: &Self) {
        self.sum.merge(&other.sum);
        self.count = self.count.saturating_add(other.count);
    }

    /// The sum of the scores.
    pub fn sum(&self) -> FixedSum {
        self.sum
    }

    /// Samples.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// `sum / count`, or `None` without samples.
    ///
    /// Numerics: the sum and the quotient are rounded once each, for fewer than 2^53 samples.
    pub fn value(&self) -> Option<f64> {
        quotient(self.sum.to_f64(), self.count)
    }
}

/// How far predicted values are from true ones: MAE and MSE.
///
/// Values are what the classes stand for (ages), not their indices. A decoder to a class predicts the value of that
/// class, the expectation is a value already.
///
/// ```
/// use simloss_core::metrics::ValueErrors;
/// let mut errors = ValueErrors::new();
/// errors.update(30.0f32, 33.0)?;
/// errors.update(41.0f32, 40.5)?;
/// assert_eq!(errors.absolute.value(), Some(1.75));
/// assert_eq!(errors.squared.value(), Some(4.625));
/// # Ok::<(), simloss_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValueErrors {
    /// Of `abs(predicted - truth)`; its value is the MAE.
    pub absolute: Mean,
    /// Of `(predicted - truth)^2`; its value is the MSE.
    pub squared: Mean,
}

impl ValueErrors {
    /// No samples.
    pub const fn new() -> Self {
        ValueErrors { absolute: Mean::new(), squared: Mean::new() }
    }

    /// One sample.
    ///
    /// # Errors
    /// [`Error::NotFinite`] if a value or the square of their difference is NaN or infinite.
    #[inline]
    pub fn update<T: Scalar>(&mut self, truth: T, predicted: T) -> Result<(), Error> {
        self.add(truth, predicted, 1)
    }

    /// `times` samples that are all alike.
    pub(super) fn add<T: Scalar>(&mut self, truth: T, predicted: T, times: u64) -> Result<(), Error> {
        let error = predicted.sub(truth);
        // Where the square is finite, so is the error: nothing is added by halves.
        self.squared.add(error.mul(error), times)?;
        self.absolute.add(error.abs(), times)
    }

    /// The samples of `other` too.
    pub fn merge(&mut self, other: &Self) {
        self.absolute.merge(&other.absolute);
        self.squared.merge(&other.squared);
    }
}

/// `sum / count`, or `None` where the count is 0.
pub(super) fn quotient(sum: f64, count: u64) -> Option<f64> {
    if count == 0 { None } else { Some(sum / count as f64) }
}
