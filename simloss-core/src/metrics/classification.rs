//! Everything about the probabilities of a classifier, in one collector.

use super::{Calibration, ConfusionTable, Mean, Share, brier, rank, ranked_probability};
use crate::{Error, Label, decoders::Probabilities, error::length, number::Scalar};

/// The bins of the expected calibration error.
pub const CALIBRATION_BINS: usize = 15;

/// The metrics of the probabilities and of the most probable class, fed sample by sample.
///
/// What other decoders answer goes into a [`ConfusionTable`] or [`ValueErrors`](super::ValueErrors) of their own.
///
/// ```
/// use simloss_core::{Label, decoders::Probabilities, metrics::ClassificationMetrics};
/// let mut metrics = ClassificationMetrics::in_memory([0; 9], 3, 2)?;
/// // Two samples: their probabilities, true class, and cross entropy as the loss computed it from the logits.
/// for (p, y, cross_entropy) in [([0.5f32, 0.25, 0.25], 0, 0.693_147_2), ([0.25, 0.5, 0.25], 2, 1.386_294_4)] {
///     metrics.update(Probabilities::new(&p)?, Label::new(y, 3)?, cross_entropy)?;
/// }
/// assert_eq!(metrics.confusion.accuracy().value(), Some(0.5));
/// assert_eq!(metrics.top.value(), Some(0.5)); // in a tie the lower class comes first
/// assert_eq!(metrics.brier.value(), Some(0.625));
/// assert_eq!(metrics.likelihood.count(), 2);
/// # Ok::<(), simloss_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassificationMetrics<B> {
    /// Truths against the most probable class.
    pub confusion: ConfusionTable<B>,
    /// The true class is among the `k` most probable.
    pub top: Share,
    /// The negative log-likelihood.
    pub likelihood: Mean,
    /// The Brier score.
    pub brier: Mean,
    /// The ranked probability score; meaningful for classes in an order.
    pub ranked: Mean,
    /// The expected calibration error.
    pub calibration: Calibration<CALIBRATION_BINS>,
    k: usize,
}

impl<B: AsRef<[u64]> + AsMut<[u64]>> ClassificationMetrics<B> {
    /// No samples, over `counts` of at least `classes * classes` numbers, which are cleared. `k` is that of top-k.
    ///
    /// # Errors
    /// As [`ConfusionTable::in_memory`], and [`Error::Setting`] unless `k` is from 1 to `classes`.
    pub fn in_memory(counts: B, classes: usize, k: usize) -> Result<Self, Error> {
        if k == 0 || k > classes {
            return Err(Error::Setting { what: "k of top-k is from 1 to the number of classes" });
        }
        Ok(ClassificationMetrics {
            confusion: ConfusionTable::in_memory(counts, classes)?,
            top: Share::new(),
            likelihood: Mean::new(),
            brier: Mean::new(),
            ranked: Mean::new(),
            calibration: Calibration::new(),
            k,
        })
    }

    /// One sample: its probabilities, its true class, and its cross entropy. Returns the most probable class.
    ///
    /// `cross_entropy` is what [`CrossEntropy`](crate::loss::CrossEntropy) makes of the logits. It is not `-ln` of `p`,
    /// which is infinite as soon as the true class's probability underflows, and not SimLoss, which is no likelihood.
    ///
    /// # Errors
    /// [`Error::Length`] if the probabilities or the label are of another number of classes, [`Error::NotFinite`] for a
    /// cross entropy or probabilities whose scores are not finite. Nothing is counted then.
    ///
    /// Cost: 3C multiplications, 11C additions, 3C comparisons, `CALIBRATION_BINS - 1` divisions.
    pub fn update<T: Scalar>(&mut self, p: Probabilities<'_, T>, y: Label, cross_entropy: T) -> Result<Label, Error> {
        length("the probabilities", self.confusion.classes(), p.classes())?;
        let (rank, brier, ranked) = (rank(p, y)?, brier(p, y)?, ranked_probability(p, y)?);
        if ![cross_entropy, brier, ranked].iter().all(|x| x.is_finite()) {
            return Err(Error::NotFinite { what: "scores", sample: 0 });
        }
        let (predicted, confidence) = p.top();
        // None of these fails any more.
        self.confusion.update(y, predicted)?;
        self.likelihood.update(cross_entropy)?;
        self.brier.update(brier)?;
        self.ranked.update(ranked)?;
        self.calibration.update(confidence, predicted == y)?;
        self.top.update(rank < self.k);
        Ok(predicted)
    }

    /// The samples of `other` too.
    ///
    /// # Errors
    /// [`Error::Length`] if it has another number of classes, [`Error::Setting`] if it has another `k`.
    pub fn merge<O: AsRef<[u64]>>(&mut self, other: &ClassificationMetrics<O>) -> Result<(), Error> {
        if self.k != other.k {
            return Err(Error::Setting { what: "k of top-k is the same in metrics that are merged" });
        }
        self.confusion.merge(&other.confusion)?;
        self.top.merge(&other.top);
        self.likelihood.merge(&other.likelihood);
        self.brier.merge(&other.brier);
        self.ranked.merge(&other.ranked);
        self.calibration.merge(&other.calibration);
        Ok(())
    }
}

impl<B> ClassificationMetrics<B> {
    /// The `k` of top-k.
    pub fn k(&self) -> usize {
        self.k
    }
}
