//! Recent samples, kept to train on again.

use crate::{
    Error, Label, Random,
    loss::Targets,
    number::{GROUP, Scalar, Value, transpose},
    train::{Features, RowMajor},
};
use heapless::Vec;
use nalgebra::{ArrayStorage, SVector};

/// Which samples a full memory keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The latest: a new sample takes the place of the oldest.
    Latest,
    /// As many of each class as there are to have: a new sample takes the place of the oldest of the class that has most
    /// (the new one counted). So a class that has become rare is not forgotten.
    Balanced,
    /// Each sample ever offered with the same probability (Vitter's algorithm R).
    Reservoir(Random),
}

/// Up to `N` samples of `F` features with their labels.
///
/// Memory: `N (F + 2)` numbers and a few words. Cost of an offer: a copy of the sample and `N` steps to find its place;
/// [`Keep::Balanced`] takes `N^2` small ones once the memory is full.
///
/// ```
/// use simloss_core::{Label, Random, device::{Keep, Replay}, train::Features};
/// let mut replay = Replay::<f32, 2, 3>::new(Keep::Balanced);
/// for (x, class) in [(0.0, 0), (1.0, 1), (2.0, 1), (3.0, 1), (4.0, 1)] {
///     replay.offer(&[x, x], Label::new(class, 2)?)?;
/// }
/// // The one sample of class 0 is still there, with the latest two of class 1.
/// let mut kept = [0, 1, 2].map(|i| replay.get(i).map(|(x, y)| (x[0], y.index())));
/// kept.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
/// assert_eq!(kept, [Some((0.0, 0)), Some((3.0, 1)), Some((4.0, 1))]);
/// // A batch of two of them, for train_step; the whole memory is a batch too.
/// let batch = replay.draw::<2>(&mut Random::new(1));
/// assert_eq!((batch.samples(), replay.features()?.samples()), (2, 3));
/// # Ok::<(), simloss_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Replay<T, const F: usize, const N: usize> {
    rows: Vec<[T; F], N>,
    labels: Vec<Option<Label>, N>,
    // The number of each sample's offer, whose lower half tells which is older.
    offers: Vec<u32, N>,
    offered: u64,
    keep: Keep,
}

impl<T: Scalar, const F: usize, const N: usize> Replay<T, F, N> {
    /// An empty memory.
    pub const fn new(keep: Keep) -> Self {
        const { assert!(F > 0 && N > 0, "a memory holds at least one sample of at least one feature") };
        Replay { rows: Vec::new(), labels: Vec::new(), offers: Vec::new(), offered: 0, keep }
    }

    /// Samples held.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no sample is held.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Sample `i` of those held.
    pub fn get(&self, i: usize) -> Option<(&[T; F], Label)> {
        Some((self.rows.get(i)?, self.labels.get(i).copied().flatten()?))
    }

    /// Offers a sample; returns whether it is held now.
    ///
    /// # Errors
    /// [`Error::Length`] unless there are `F` features, [`Error::NotFinite`] for one that is not a number: it would spoil
    /// every batch it is drawn for. The memory keeps what it held then.
    pub fn offer(&mut self, features: &[T], label: Label) -> Result<bool, Error> {
        let Ok(row) = <&[T; F]>::try_from(features) else {
            return Err(Error::Length { what: "the features of a sample", expected: F, found: features.len() });
        };
        if row.iter().any(|x| !x.is_finite()) {
            return Err(Error::NotFinite { what: "the features", sample: 0 });
        }
        let number = self.offered;
        self.offered = self.offered.wrapping_add(1);
        if self.rows.push(*row).is_ok() {
            // These have the capacity of the rows.
            return Ok(self.labels.push(Some(label)).is_ok() && self.offers.push(number as u32).is_ok());
        }
        let place = match &mut self.keep {
            Keep::Latest => self.oldest(None),
            Keep::Balanced => self.oldest(Some(self.largest_class(label))),
            Keep::Reservoir(random) => random.below(usize::try_from(self.offered).unwrap_or(usize::MAX)),
        };
        let slots = (self.rows.get_mut(place), self.labels.get_mut(place), self.offers.get_mut(place));
        let (Some(to), Some(y), Some(offer)) = slots else { return Ok(false) };
        (*to, *y, *offer) = (*row, Some(label), number as u32);
        Ok(true)
    }

    /// The place of the oldest sample, of one class or of all.
    fn oldest(&self, class: Option<Label>) -> usize {
        let of_class = |i: &usize| class.is_none() || self.labels.get(*i).copied().flatten() == class;
        let age = |i: &usize| self.offers.get(*i).map_or(0, |n| (self.offered as u32).wrapping_sub(*n));
        (0..self.len()).filter(of_class).max_by_key(age).unwrap_or(N)
    }

    /// The class with most samples, `new` counted; of several, another than the new one's, held in the lowest place.
    fn largest_class(&self, new: Label) -> Label {
        let count = |y: Label| self.labels.iter().filter(|x| **x == Some(y)).count();
        let (mut largest, mut most) = (new, count(new) + 1);
        for &y in self.labels.iter().flatten() {
            let n = if y == new { continue } else { count(y) };
            if n > most || n == most && largest == new {
                (largest, most) = (y, n);
            }
        }
        largest
    }

    /// All features, as a batch.
    ///
    /// # Errors
    /// None: the rows are whole.
    pub fn features(&self) -> Result<RowMajor<'_, T>, Error> {
        RowMajor::new(self.rows.as_flattened(), F)
    }

    /// The targets of [`features`](Self::features).
    pub fn targets(&self) -> Targets<'_, T> {
        Targets::labels(&self.labels)
    }

    /// `B` different samples (or all, if there are fewer), each choice equally likely, in the order in which they are
    /// held (Knuth's algorithm S).
    pub fn draw<const B: usize>(&self, random: &mut Random) -> Drawn<'_, T, F, B> {
        let mut drawn = Drawn { rows: Vec::new(), labels: Vec::new() };
        for (i, (row, label)) in self.rows.iter().zip(&self.labels).enumerate() {
            if random.below(self.len() - i) < B.saturating_sub(drawn.rows.len()) {
                // There are fewer than B.
                let _ = (drawn.rows.push(row), drawn.labels.push(*label));
            }
        }
        drawn
    }
}

/// Samples drawn from a [`Replay`], without a copy of their features.
#[derive(Clone, Debug)]
pub struct Drawn<'a, T, const F: usize, const B: usize> {
    rows: Vec<&'a [T; F], B>,
    labels: Vec<Option<Label>, B>,
}

impl<T: Scalar, const F: usize, const B: usize> Drawn<'_, T, F, B> {
    /// Their targets.
    pub fn targets(&self) -> Targets<'_, T> {
        Targets::labels(&self.labels)
    }

    /// Each with its class, as [`Head::learn`](super::Head::learn) takes them.
    pub fn pairs(&self) -> impl Iterator<Item = (SVector<T, F>, usize)> {
        let rows = self.rows.iter().map(|row| SVector::from_array_storage(ArrayStorage([**row])));
        rows.zip(&self.labels).filter_map(|(x, label)| Some((x, (*label)?.index())))
    }

    /// Each as a batch of one, for [`train_one`](crate::train::train_one) and [`Accumulator`](super::Accumulator).
    pub fn ones(&self) -> impl Iterator<Item = (RowMajor<'_, T>, Targets<'_, T>)> {
        let rows = self.rows.iter().filter_map(|row| RowMajor::new(&row[..], F).ok());
        rows.zip(self.labels.chunks(1).map(Targets::labels))
    }
}

impl<T: Scalar, const F: usize, const B: usize> Features<T> for Drawn<'_, T, F, B> {
    fn samples(&self) -> usize {
        self.rows.len()
    }

    fn width(&self) -> usize {
        F
    }

    #[inline(always)]
    fn lanes<'x, V: Value<Scalar = T>>(
        &'x self,
        t: V::Token,
        first: usize,
        present: usize,
        buffer: &'x mut [V],
    ) -> &'x [V] {
        let Some(rows) = self.rows.get(first..first + present) else { return &[] };
        let Some(&row) = rows.first() else { return &[] };
        match V::from_scalars(&row[..]) {
            Some(values) => values,
            None => {
                let mut of_lanes = [&row[..]; GROUP];
                of_lanes.iter_mut().zip(rows).for_each(|(of_lane, row)| *of_lane = &row[..]);
                transpose(t, &of_lanes, buffer);
                buffer
            }
        }
    }

    fn is_in_place(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At a thousand samples a second that is after 50 days.
    #[test]
    fn offers_beyond_32_bits() -> Result<(), Error> {
        let y = Label::new(0, 2)?;
        let mut reservoir = Replay::<f32, 1, 3>::new(Keep::Reservoir(Random::new(1)));
        let mut latest = Replay::<f32, 1, 3>::new(Keep::Latest);
        for replay in [&mut reservoir, &mut latest] {
            replay.offered = u64::from(u32::MAX) - 4;
            for i in 0..3 {
                assert!(replay.offer(&[i as f32], y)?);
            }
        }
        for i in 3..20 {
            assert!(!reservoir.offer(&[i as f32], y)?, "offer {i} has a chance of 3 in 2^32");
            assert!(latest.offer(&[i as f32], y)?);
            let oldest = latest.rows.iter().map(|row| row[0] as i32).min();
            assert_eq!(oldest, Some(i - 2));
        }
        Ok(())
    }
}
