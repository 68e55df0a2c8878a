//! How often each class was answered for each true class, and what follows from that alone.

use super::{Mean, Share, ValueErrors};
use crate::{
    Error, Label,
    error::length,
    number::Scalar,
    similarity::{Flat, Similarity, check_classes, row_scratch, similarity},
};
use nalgebra::SMatrix;

/// The confusion matrix over the caller's memory: `C * C` counts, row of the true class first.
///
/// Everything it derives is what the accumulator fed sample by sample would hold, bit for bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfusionTable<B> {
    counts: B,
    classes: usize,
}

/// The confusion matrix of `C` classes known to the compiler: `8 C^2` bytes, no heap.
///
/// ```
/// use simloss_core::{Label, metrics::ConfusionMatrix};
/// let mut confusion = ConfusionMatrix::<3>::new()?;
/// for (truth, predicted) in [(0, 0), (1, 1), (1, 2), (2, 2)] {
///     confusion.update(Label::new(truth, 3)?, Label::new(predicted, 3)?)?;
/// }
/// assert_eq!(confusion.accuracy().value(), Some(0.75));
/// assert_eq!(confusion.errors(&[20.0, 30.0, 50.0])?.absolute.value(), Some(5.0));
/// // Classes 0 and 1 are of one kind, class 2 of another: the one failure is in the wrong kind.
/// assert_eq!(confusion.superclass_accuracy(&[7, 7, 8])?.value(), Some(0.75));
/// assert_eq!(confusion.failed_superclass_accuracy(&[7, 7, 8])?.value(), Some(0.0));
/// # Ok::<(), simloss_core::Error>(())
/// ```
pub type ConfusionMatrix<const C: usize> = ConfusionTable<Flat<u64, C, C>>;

impl<const C: usize> ConfusionMatrix<C> {
    /// No samples.
    ///
    /// # Errors
    /// [`Error::Classes`] unless `C` is from 2 to 65,535.
    pub fn new() -> Result<Self, Error> {
        Self::in_memory(Flat([[0; C]; C]), C)
    }

    /// The counts, row of the true class.
    pub fn to_matrix(&self) -> SMatrix<u64, C, C> {
        let mut counts = SMatrix::<u64, C, C>::from_element(0);
        for (y, c, n) in self.cells() {
            if let Some(to) = counts.get_mut((y, c)) {
                *to = n;
            }
        }
        counts
    }
}

impl<B: AsRef<[u64]> + AsMut<[u64]>> ConfusionTable<B> {
    /// No samples, over `counts` of at least `classes * classes` numbers, which are cleared.
    ///
    /// # Errors
    /// [`Error::Classes`] unless `classes` is from 2 to 65,535, [`Error::Length`] for `counts` that are too short.
    pub fn in_memory(counts: B, classes: usize) -> Result<Self, Error> {
        let mut table = Self::from_counts(counts, classes)?;
        table.counts.as_mut().fill(0);
        Ok(table)
    }

    /// Samples counted before: `counts` of at least `classes * classes` numbers, row of the true class first.
    ///
    /// # Errors
    /// As [`in_memory`](Self::in_memory).
    ///
    /// ```
    /// use simloss_core::metrics::ConfusionTable;
    /// let confusion = ConfusionTable::from_counts(vec![3, 1, 0, 4], 2)?;
    /// assert_eq!(confusion.accuracy().value(), Some(0.875));
    /// assert!(ConfusionTable::from_counts(vec![3, 1, 0], 2).is_err());
    /// # Ok::<(), simloss_core::Error>(())
    /// ```
    pub fn from_counts(counts: B, classes: usize) -> Result<Self, Error> {
        let (found, expected) = (counts.as_ref().len(), check_classes(classes)? * classes);
        match found < expected {
            true => Err(Error::Length { what: "the counts of a confusion matrix", expected, found }),
            false => Ok(ConfusionTable { counts, classes }),
        }
    }

    /// One sample: its true class and the answer.
    ///
    /// # Errors
    /// [`Error::Length`] if a label was proven against another number of classes.
    #[inline]
    pub fn update(&mut self, truth: Label, predicted: Label) -> Result<(), Error> {
        let at = truth.of(self.classes)?.index() * self.classes + predicted.of(self.classes)?.index();
        if let Some(n) = self.counts.as_mut().get_mut(at) {
            *n = n.saturating_add(1);
        }
        Ok(())
    }

    /// The samples of `other` too.
    ///
    /// # Errors
    /// [`Error::Length`] if it has another number of classes.
    pub fn merge<O: AsRef<[u64]>>(&mut self, other: &ConfusionTable<O>) -> Result<(), Error> {
        length("the classes of a confusion matrix", self.classes, other.classes)?;
        for (n, m) in self.counts.as_mut().iter_mut().zip(other.counts()) {
            *n = n.saturating_add(*m);
        }
        Ok(())
    }
}

impl<B: AsRef<[u64]>> ConfusionTable<B> {
    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The counts, `C * C`, row of the true class first.
    pub fn counts(&self) -> &[u64] {
        let counts = self.counts.as_ref();
        counts.get(..self.classes * self.classes).unwrap_or(counts)
    }

    /// The share of samples for which `hit(truth, predicted)` holds.
    ///
    /// Cost: C^2 comparisons, a call and an addition for each pair that occurs; so for everything below.
    ///
    /// ```
    /// use simloss_core::{Label, metrics::ConfusionMatrix};
    /// let mut confusion = ConfusionMatrix::<3>::new()?;
    /// confusion.update(Label::new(0, 3)?, Label::new(2, 3)?)?;
    /// confusion.update(Label::new(1, 3)?, Label::new(2, 3)?)?;
    /// assert_eq!(confusion.share(|truth, predicted| predicted > truth).value(), Some(1.0));
    /// # Ok::<(), simloss_core::Error>(())
    /// ```
    pub fn share(&self, hit: impl Fn(usize, usize) -> bool) -> Share {
        self.share_among(|_, _| true, hit)
    }

    /// The mean of `score(truth, predicted)` over the samples.
    ///
    /// # Errors
    /// [`Error::NotFinite`] if a score that counts is NaN or infinite.
    pub fn mean<T: Scalar>(&self, score: impl Fn(usize, usize) -> T) -> Result<Mean, Error> {
        let mut mean = Mean::new();
        for (y, c, n) in self.pairs() {
            mean.add(score(y, c), n)?;
        }
        Ok(mean)
    }

    /// The share of samples whose class was answered.
    pub fn accuracy(&self) -> Share {
        self.share(|y, c| y == c)
    }

    /// The share of samples whose answer is at most `k` classes off: `abs(y - c) <= k`.
    pub fn within(&self, k: usize) -> Share {
        self.share(|y, c| y.abs_diff(c) <= k)
    }

    /// Mean absolute and squared errors of the answered class's value: `values[c] - values[y]`, values being ages and
    /// the like, not indices.
    ///
    /// # Errors
    /// [`Error::Length`] unless there are as many values as classes, [`Error::NotFinite`] if a value that counts, or the
    /// square of a difference, is NaN or infinite.
    pub fn errors<T: Scalar>(&self, values: &[T]) -> Result<ValueErrors, Error> {
        length("the class values", self.classes, values.len())?;
        let mut errors = ValueErrors::new();
        for (y, c, n) in self.pairs() {
            if let (Some(&truth), Some(&predicted)) = (values.get(y), values.get(c)) {
                errors.add(truth, predicted, n)?;
            }
        }
        Ok(errors)
    }

    /// The share of samples whose superclass was answered, `superclasses[c]` being that of class `c`.
    ///
    /// # Errors
    /// [`Error::Length`] unless there are as many superclasses as classes.
    pub fn superclass_accuracy(&self, superclasses: &[u16]) -> Result<Share, Error> {
        length("the superclasses", self.classes, superclasses.len())?;
        Ok(self.share(|y, c| superclasses.get(y) == superclasses.get(c)))
    }

    /// The share of samples whose superclass was answered, among those whose class was not. Its value is `None` where
    /// nothing failed: the published code divides by zero there.
    ///
    /// # Errors
    /// As [`superclass_accuracy`](Self::superclass_accuracy).
    pub fn failed_superclass_accuracy(&self, superclasses: &[u16]) -> Result<Share, Error> {
        length("the superclasses", self.classes, superclasses.len())?;
        Ok(self.share_among(|y, c| y != c, |y, c| superclasses.get(y) == superclasses.get(c)))
    }

    /// The mean similarity of the answer to the truth, `S[y, c]`. `scratch` holds as many numbers as
    /// [`Similarity::scratch`] says.
    ///
    /// # Errors
    /// [`Error::Length`] if the similarity has another number of classes, or `scratch` is too short.
    pub fn similarity<T: Scalar>(&self, s: &impl Similarity<T>, scratch: &mut [T]) -> Result<Mean, Error> {
        length("the classes of a similarity", self.classes, s.classes())?;
        row_scratch(s, scratch)?;
        let mut mean = Mean::new();
        let mut cells = self.cells();
        for y in 0..self.classes {
            let row = s.row(Label::new(y, self.classes)?, scratch);
            for (&entry, (_, _, n)) in row.iter().zip(cells.by_ref()) {
                mean.add(similarity(entry), n)?;
            }
        }
        Ok(mean)
    }

    /// Cohen's kappa with quadratic weights, of the indices of ordered classes.
    ///
    /// ```text
    /// kappa = 1 - sum_yc (y - c)^2 n[y, c] / sum_yc (y - c)^2 n[y, .] n[., c] / n
    /// ```
    ///
    /// 1 for perfect answers, 0 for what chance with the same margins gives, `None` without samples and where all
    /// truths and answers are one class (0/0).
    /// Source: J. Cohen, "Weighted kappa", 1968.
    ///
    /// Numerics: both sums are exact integers, for fewer than 2^47 samples; then two conversions and a quotient are
    /// rounded.
    ///
    /// Cost: 9 multiplications of 128 bits for each pair of classes that occurs, no memory.
    ///
    /// ```
    /// use simloss_core::{Label, metrics::ConfusionMatrix};
    /// let mut confusion = ConfusionMatrix::<2>::new()?;
    /// assert_eq!(confusion.quadratic_weighted_kappa(), None);
    /// for (truth, predicted) in [(0, 0), (0, 1), (1, 1), (1, 1)] {
    ///     confusion.update(Label::new(truth, 2)?, Label::new(predicted, 2)?)?;
    /// }
    /// assert_eq!(confusion.quadratic_weighted_kappa(), Some(0.5));
    /// # Ok::<(), simloss_core::Error>(())
    /// ```
    pub fn quadratic_weighted_kappa(&self) -> Option<f64> {
        // Zeroth, first and second moments of the margins: the chance term is n r2 - 2 r1 c1 + n c2.
        let [mut n, mut r1, mut r2, mut c1, mut c2, mut seen] = [0i128; 6];
        for (y, c, count) in self.pairs() {
            let (y, c, count) = (y as i128, c as i128, i128::from(count));
            let add = |sum: &mut i128, weight: i128| *sum = sum.saturating_add(weight.saturating_mul(count));
            add(&mut n, 1);
            add(&mut r1, y);
            add(&mut r2, y * y);
            add(&mut c1, c);
            add(&mut c2, c * c);
            add(&mut seen, (y - c) * (y - c));
        }
        let spread = n.saturating_mul(r2.saturating_add(c2));
        let chance = spread.saturating_sub(r1.saturating_mul(c1).saturating_mul(2));
        let better = chance.saturating_sub(seen.saturating_mul(n));
        if chance > 0 { Some(better as f64 / chance as f64) } else { None }
    }

    fn share_among(&self, among: impl Fn(usize, usize) -> bool, hit: impl Fn(usize, usize) -> bool) -> Share {
        let mut share = Share::new();
        for (y, c, n) in self.pairs().filter(|&(y, c, _)| among(y, c)) {
            share.add(hit(y, c), n);
        }
        share
    }

    /// `(true class, answer, samples)`, row by row.
    fn cells(&self) -> impl Iterator<Item = (usize, usize, u64)> {
        let pairs = (0..self.classes).flat_map(|y| (0..self.classes).map(move |c| (y, c)));
        pairs.zip(self.counts()).map(|((y, c), &n)| (y, c, n))
    }

    /// The cells that hold samples.
    fn pairs(&self) -> impl Iterator<Item = (usize, usize, u64)> {
        self.cells().filter(|&(_, _, n)| n > 0)
    }
}
