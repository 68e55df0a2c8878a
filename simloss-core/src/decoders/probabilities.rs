//! Probabilities of the classes, checked once at the edge.

use super::{label, largest};
use crate::{Error, Label, number::Scalar};
use core::ops::Deref;

/// A sample's probabilities: from 2 to 65,535 numbers, known to be finite and not negative.
///
/// What decodes or scores them needs no further check. The sum is not checked: rounding moves it off 1, and what
/// depends on it says so. Logits given in their place are refused as soon as one is negative.
///
/// ```
/// use simloss_core::{Error, decoders::Probabilities, nalgebra::SVector};
/// let p = SVector::<f32, 3>::new(0.25, 0.5, 0.25);
/// let (class, confidence) = Probabilities::new(p.as_slice())?.top();
/// assert_eq!((class.index(), confidence), (1, 0.5));
/// let refused = Probabilities::new(&[1.25f32, -0.25]);
/// assert_eq!(refused, Err(Error::Weight { what: "probabilities", index: 1 }));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probabilities<'a, T> {
    p: &'a [T],
    first: Label,
}

impl<'a, T: Scalar> Probabilities<'a, T> {
    /// The probabilities `p`, one per class.
    ///
    /// # Errors
    /// [`Error::Classes`] unless there are from 2 to 65,535, [`Error::NotFinite`] if one is NaN or infinite,
    /// [`Error::Weight`] if one is negative.
    ///
    /// Cost: 2C comparisons and C subtractions.
    pub fn new(p: &'a [T]) -> Result<Self, Error> {
        let first = Label::new(0, p.len())?;
        for (index, &x) in p.iter().enumerate() {
            if !x.is_finite() {
                return Err(Error::NotFinite { what: "probabilities", sample: 0 });
            }
            if x < T::ZERO {
                return Err(Error::Weight { what: "probabilities", index });
            }
        }
        Ok(Probabilities { p, first })
    }

    /// One number per class.
    #[inline(always)]
    pub fn as_slice(self) -> &'a [T] {
        self.p
    }

    /// The number of classes.
    #[inline(always)]
    pub fn classes(self) -> usize {
        self.p.len()
    }

    /// The most probable class (the lowest of them) and its probability.
    ///
    /// Cost: C comparisons.
    #[inline]
    pub fn top(self) -> (Label, T) {
        let (class, p) = largest(self.p);
        (self.label(class), p)
    }

    /// Class `index`, which is below the number of classes.
    #[inline]
    pub(super) fn label(self, index: usize) -> Label {
        label(index, self.first)
    }

    /// The probability of class `y`.
    ///
    /// # Errors
    /// [`Error::Length`] if the label was proven against another number of classes.
    #[inline]
    pub fn of(self, y: Label) -> Result<T, Error> {
        let y = y.of(self.classes())?;
        Ok(self.p.get(y.index()).copied().unwrap_or(T::ZERO))
    }
}

/// The probabilities of `C` classes, as [`softmax`](crate::loss::softmax) makes them: a slice that owns its numbers.
///
/// A type of its own, so that a loss, which takes logits, does not take them by mistake.
///
/// ```
/// use simloss_core::{Error, decoders::Probabilities, loss::softmax, nalgebra::SVector};
/// let p = softmax(&SVector::from([0.0f32, 0.0]))?;
/// assert_eq!(p[0], 0.5);
/// assert_eq!(Probabilities::new(&p)?.top().1, 0.5);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProbabilityVector<T, const C: usize>(pub(crate) [T; C]);

impl<T, const C: usize> Deref for ProbabilityVector<T, C> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        &self.0
    }
}
