//! A class, proven to exist.

use crate::{
    Error,
    number::{GROUP, Scalar, Value},
};
use core::num::NonZeroU16;

/// The index of a class, proven to be below a number of classes.
///
/// A missing or ignored label is `Option<Label>`, which takes no more memory (4 bytes).
///
/// ```
/// use simloss_core::{Error, Label};
/// let y = Label::new(3, 10)?;
/// assert_eq!((y.index(), y.classes()), (3, 10));
/// assert_eq!(Label::new(10, 10), Err(Error::Label { index: 10, classes: 10 }));
/// assert_eq!(size_of::<Option<Label>>(), 4);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Label {
    index: u16,
    classes: NonZeroU16,
}

impl Label {
    /// Class `index` of `classes`.
    ///
    /// # Errors
    /// [`Error::Classes`] unless `classes` is from 2 to 65,535; [`Error::Label`] unless `index < classes`.
    #[inline]
    pub const fn new(index: usize, classes: usize) -> Result<Self, Error> {
        if classes < 2 || classes > u16::MAX as usize {
            return Err(Error::Classes { found: classes });
        }
        if index >= classes {
            return Err(Error::Label { index, classes });
        }
        match NonZeroU16::new(classes as u16) {
            Some(classes) => Ok(Label { index: index as u16, classes }),
            None => Err(Error::Classes { found: classes }),
        }
    }

    /// The class.
    #[inline(always)]
    pub const fn index(self) -> usize {
        self.index as usize
    }

    /// The number of classes it was proven against.
    #[inline(always)]
    pub const fn classes(self) -> usize {
        self.classes.get() as usize
    }

    /// `self`, if it was proven against `classes` classes.
    ///
    /// # Errors
    /// [`Error::Length`] otherwise.
    #[inline]
    pub const fn of(self, classes: usize) -> Result<Self, Error> {
        if self.classes() == classes {
            Ok(self)
        } else {
            Err(Error::Length { what: "the classes of a label", expected: classes, found: self.classes() })
        }
    }
}

/// The index of each lane's label as a number; lanes beyond the labels have the first one's.
#[inline(always)]
pub(crate) fn in_lanes<V: Value>(t: V::Token, labels: &[Label]) -> V {
    let mut lanes = [V::Scalar::ZERO; GROUP];
    for (l, lane) in lanes.iter_mut().enumerate().take(V::WIDTH) {
        *lane = labels.get(l).or(labels.first()).map_or(V::Scalar::ZERO, |y| V::Scalar::from_usize(y.index()));
    }
    V::load(t, &lanes)
}

/// Puts `new(l)` where lane `l` has its true class and returns what was there; lanes without a label keep the first
/// label's class.
#[inline(always)]
pub(crate) fn exchange<V: Value>(t: V::Token, labels: &[Label], e: &mut [V], new: V) -> V {
    let (mut old, mut lanes) = ([V::Scalar::ONE; GROUP], [V::Scalar::ZERO; GROUP]);
    new.store(&mut lanes);
    for (l, (old, &new)) in old.iter_mut().zip(&lanes).enumerate().take(V::WIDTH) {
        let y = labels.get(l).or(labels.first()).map_or(0, |y| y.index());
        if let Some(e) = e.get_mut(y) {
            *old = e.lane(l);
            *e = e.with_lane(l, new);
        }
    }
    V::load(t, &old)
}

/// What stands where each lane has its true class; lanes without a label have the first label's.
#[inline(always)]
pub(crate) fn gather<V: Value>(t: V::Token, labels: &[Label], values: &[V]) -> V {
    let mut lanes = [V::Scalar::ZERO; GROUP];
    for (l, lane) in lanes.iter_mut().enumerate().take(V::WIDTH) {
        let y = labels.get(l).or(labels.first()).map_or(0, |y| y.index());
        *lane = values.get(y).map_or(V::Scalar::ZERO, |x| x.lane(l));
    }
    V::load(t, &lanes)
}
