//! Whether a confidence of 80 % is right 80 % of the time.
//!
//! ```text
//! ECE = sum_b (n_b / n) abs(acc_b - conf_b) = sum_b abs(hits_b - sum of confidences in b) / n
//! ```
//!
//! Bin `b` of `B` holds the confidences in `(b/B, (b+1)/B]`, closed on the right; bin 0 holds 0 too.
//! Source: C. Guo, G. Pleiss, Y. Sun and K. Weinberger, "On Calibration of Modern Neural Networks", 2017, equation 3;
//! 15 bins are theirs.

use super::mean::quotient;
use crate::{
    Error,
    number::{FixedSum, Scalar},
};

/// The samples whose confidence falls into one interval: a bar of a reliability diagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bin {
    count: u64,
    hits: u64,
    confidence: FixedSum,
}

impl Bin {
    const EMPTY: Self = Bin { count: 0, hits: 0, confidence: FixedSum::ZERO };

    /// Samples.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Samples whose most probable class is right.
    pub fn hits(&self) -> u64 {
        self.hits
    }

    /// The share that is right, or `None` without samples.
    pub fn accuracy(&self) -> Option<f64> {
        quotient(self.hits as f64, self.count)
    }

    /// The mean confidence, or `None` without samples.
    pub fn confidence(&self) -> Option<f64> {
        quotient(self.confidence.to_f64(), self.count)
    }

    fn merge(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.hits = self.hits.saturating_add(other.hits);
        self.confidence.merge(&other.confidence);
    }

    /// `abs(hits - sum of confidences)` in units of 2^-64, exactly.
    fn gap(&self) -> u128 {
        i128::from(self.hits).saturating_mul(1 << 64).saturating_sub(self.confidence.to_bits()).unsigned_abs()
    }
}

/// The expected calibration error over `BINS` bins of equal width.
///
/// Memory: 32 bytes a bin.
///
/// ```
/// use simloss_core::metrics::Calibration;
/// let mut ece = Calibration::<15>::new();
/// assert_eq!(ece.value(), None);
/// ece.update(0.75f32, true)?;
/// ece.update(0.6875f32, false)?;
/// assert_eq!(ece.value(), Some((0.25 + 0.6875) / 2.0)); // two bins
/// let mut coarse = Calibration::<1>::new();
/// coarse.update(0.75f32, true)?;
/// coarse.update(0.6875f32, false)?;
/// assert_eq!(coarse.value(), Some((1.4375 - 1.0) / 2.0)); // one bin, in which the errors cancel
/// # Ok::<(), simloss_core::Error>(())
/// ```
///
/// No bins at all do not compile:
/// ```compile_fail
/// let ece = simloss_core::metrics::Calibration::<0>::new();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calibration<const BINS: usize> {
    bins: [Bin; BINS],
}

impl<const BINS: usize> Calibration<BINS> {
    /// No samples.
    pub const fn new() -> Self {
        const { assert!(BINS > 0, "calibration needs at least one bin") };
        Calibration { bins: [Bin::EMPTY; BINS] }
    }

    /// One sample: the probability of its most probable class, and whether that class is the true one.
    ///
    /// Numerics: the edges of the bins are the quotients `b/BINS`, rounded to the format of the confidence.
    ///
    /// # Errors
    /// [`Error::NotFinite`] if the confidence is NaN or infinite. One outside `[0, 1]` counts in the bin at that end.
    ///
    /// Cost: `BINS - 1` divisions and comparisons.
    pub fn update<T: Scalar>(&mut self, confidence: T, right: bool) -> Result<(), Error> {
        if !confidence.is_finite() {
            return Err(Error::NotFinite { what: "confidences", sample: 0 });
        }
        let width = T::from_usize(BINS);
        let bin = (1..BINS).take_while(|&b| confidence > T::from_usize(b).div(width)).count();
        if let Some(bin) = self.bins.get_mut(bin) {
            bin.count = bin.count.saturating_add(1);
            bin.hits = bin.hits.saturating_add(u64::from(right));
            bin.confidence.add(confidence);
        }
        Ok(())
    }

    /// The samples of `other` too.
    pub fn merge(&mut self, other: &Self) {
        for (bin, other) in self.bins.iter_mut().zip(&other.bins) {
            bin.merge(other);
        }
    }

    /// The bins, in order of confidence.
    pub fn bins(&self) -> &[Bin; BINS] {
        &self.bins
    }

    /// The expected calibration error, or `None` without samples.
    ///
    /// Numerics: summed exactly, then rounded twice, for fewer than 2^53 samples.
    pub fn value(&self) -> Option<f64> {
        let gaps = self.bins.iter().fold(0u128, |sum, bin| sum.saturating_add(bin.gap()));
        let count = self.bins.iter().fold(0u64, |sum, bin| sum.saturating_add(bin.count));
        quotient(FixedSum::from_bits(i128::try_from(gaps).unwrap_or(i128::MAX)).to_f64(), count)
    }
}

impl<const BINS: usize> Default for Calibration<BINS> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_closed_on_the_right() -> Result<(), Error> {
        let bin_of = |confidence: f64| -> Result<Option<usize>, Error> {
            let mut ece = Calibration::<15>::new();
            ece.update(confidence, true)?;
            Ok(ece.bins.iter().position(|bin| bin.count == 1))
        };
        for b in 1..=15u8 {
            let edge = f64::from(b) / 15.0;
            assert_eq!(bin_of(edge)?, Some(usize::from(b) - 1), "{edge}");
            assert_eq!(bin_of(edge.next_down())?, Some(usize::from(b) - 1), "below {edge}");
            assert_eq!(bin_of(edge.next_up())?, Some(usize::from(b).min(14)), "above {edge}");
        }
        assert_eq!(bin_of(0.0)?, Some(0));
        assert_eq!(bin_of(-1.0)?, Some(0));
        assert_eq!(bin_of(7.0)?, Some(14));
        assert!(bin_of(f64::NAN).is_err());
        Ok(())
    }
}
