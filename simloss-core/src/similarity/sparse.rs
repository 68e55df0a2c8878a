//! Rows with few entries: most classes do not relate.

use super::{Products, Similarity, check_classes, entry, own, products::Entry, split};
use crate::{
    Error, Label,
    number::{BlockSum, Scalar, TwoFloat, Value, block_sum},
};

/// `S = I` plus at most `N` further entries a row.
///
/// Memory: `C` rows of `N` pairs (class, number). Cost of a row: filling the scratch and writing the entries.
///
/// ```
/// use simloss_core::{Label, similarity::{Similarity, SparseSimilarity}};
/// let mut s = SparseSimilarity::<f32, 5, 2>::new()?;
/// let (maple, oak) = (Label::new(2, 5)?, Label::new(4, 5)?);
/// s.insert(maple, oak, 0.75)?;
/// assert_eq!(s.get(maple, oak, &mut [0.0; 5])?, 0.75);
/// assert_eq!(s.get(oak, maple, &mut [0.0; 5])?, 0.0);
/// # Ok::<(), simloss_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SparseSimilarity<T, const C: usize, const N: usize> {
    rows: [heapless::Vec<(u16, T), N>; C],
}

impl<T: Scalar, const C: usize, const N: usize> SparseSimilarity<T, C, N> {
    /// The identity, for a `static`: rows that are filled there never lie on the stack. Does not compile for other numbers
    /// of classes than from 2 to 65,535.
    pub const IDENTITY: Self = {
        assert!(check_classes(C).is_ok(), "there must be from 2 to 65535 classes");
        SparseSimilarity { rows: [const { heapless::Vec::new() }; C] }
    };

    /// The identity; entries are inserted.
    ///
    /// # Errors
    /// [`Error::Classes`] unless `C` is from 2 to 65,535.
    pub fn new() -> Result<Self, Error> {
        check_classes(C)?;
        Ok(SparseSimilarity { rows: [const { heapless::Vec::new() }; C] })
    }

    /// Sets `S[y, c] = s`.
    ///
    /// # Errors
    /// [`Error::Entry`] if `s` is NaN or outside `[0, 1]`; [`Error::Diagonal`] if `c = y` and `s` is not 1;
    /// [`Error::Duplicate`] if the entry is already there; [`Error::Capacity`] if the row holds `N`;
    /// [`Error::Length`] if a label was proven against another number of classes.
    pub fn insert(&mut self, y: Label, c: Label, s: T) -> Result<(), Error> {
        let (row, column) = (y.of(C)?.index(), c.of(C)?.index());
        if !(s >= T::ZERO && s <= T::ONE) {
            return Err(Error::Entry { row, column });
        }
        if row == column {
            return if s == T::ONE { Ok(()) } else { Err(Error::Diagonal { class: row }) };
        }
        let Some(entries) = self.rows.get_mut(row) else {
            return Err(Error::Label { index: row, classes: C });
        };
        if entries.iter().any(|&(other, _)| usize::from(other) == column) {
            return Err(Error::Duplicate { row, column });
        }
        entries
            .push((column as u16, entry(TwoFloat::new(s))))
            .map_err(|_| Error::Capacity { what: "rows of a sparse similarity", capacity: N })
    }
}

impl<T: Scalar, const C: usize, const N: usize> Similarity<T> for SparseSimilarity<T, C, N> {
    const CLASSES: Option<usize> = Some(C);

    #[inline(always)]
    fn classes(&self) -> usize {
        C
    }

    #[inline]
    fn row<'a>(&'a self, y: Label, scratch: &'a mut [T]) -> &'a [T] {
        let classes = C.min(scratch.len());
        let row = &mut scratch[..classes];
        row.fill(T::ZERO);
        if let Some(x) = row.get_mut(y.index()) {
            *x = own();
        }
        for &(c, s) in self.rows.get(y.index()).map_or(&[][..], |entries| entries) {
            if let Some(x) = row.get_mut(usize::from(c)) {
                *x = s;
            }
        }
        row
    }

    /// As many steps as there are entries. Rows that share a class must have the same classes, as they have in a similarity
    /// for which a rule of the whole matrix is proper.
    #[inline(always)]
    fn products<V: Value<Scalar = T>>(&self, t: V::Token, x: Products<'_, V>) {
        let Products { row, v, sums, excess, leads, .. } = x;
        let [zero, half, one] = [T::ZERO, T::HALF, T::ONE].map(|x| V::splat(t, x));
        // What is not similar to y is not similar to what is similar to y.
        let outside = block_sum(t, v.len().min(row.len()), |c| match (v.get(c), row.get(c)) {
            (Some(&v), Some(&x)) => split(one, x).0.select_gt(zero, zero, v),
            _ => zero,
        });
        for (c, entries) in self.rows.iter().enumerate() {
            let (Some(&of_c), Some(&x)) = (v.get(c), row.get(c)) else { return };
            let (of_y, own) = (split(one, x).0, Entry::new(x, half));
            let mut totals = [BlockSum::new(t); 3];
            let itself = Entry::new(V::splat(t, super::own()), half).minus(own).mul(of_c);
            let terms = entries.iter().map(|&(k, s)| {
                let [v, of_y] = [v, row].map(|of| of.get(usize::from(k)).copied().unwrap_or(zero));
                let s = V::splat(t, s);
                let entry = Entry::new(s, half);
                [split(one, s).0.mul(v), entry.minus(own).mul(v), entry.minus(Entry::new(of_y, half)).mul(v)]
            });
            for term in core::iter::once([of_c, itself, itself]).chain(terms) {
                for (total, x) in totals.iter_mut().zip(term) {
                    total.add_one(x);
                }
            }
            let [sum, above, lead] = totals.map(BlockSum::total);
            let above = above.sub(of_y.mul(outside));
            for (to, x) in [&mut *sums, &mut *excess, &mut *leads].into_iter().zip([sum, above, lead]) {
                if let Some(to) = to.get_mut(c) {
                    *to = x;
                }
            }
        }
    }

    #[inline]
    fn stored(&self, y: Label, c: Label) -> T {
        if y.index() == c.index() {
            return own();
        }
        let entries = self.rows.get(y.index()).map_or(&[][..], |entries| entries);
        entries.iter().find(|&&(other, _)| usize::from(other) == c.index()).map_or(T::ZERO, |&(_, s)| s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused() -> Result<(), Error> {
        let mut s = SparseSimilarity::<f32, 3, 1>::new()?;
        let label = |i| Label::new(i, 3);
        s.insert(label(0)?, label(1)?, 0.5)?;
        assert_eq!(s.insert(label(0)?, label(1)?, 0.5), Err(Error::Duplicate { row: 0, column: 1 }));
        assert!(matches!(s.insert(label(0)?, label(2)?, 0.5), Err(Error::Capacity { capacity: 1, .. })));
        assert_eq!(s.insert(label(1)?, label(1)?, 0.5), Err(Error::Diagonal { class: 1 }));
        assert_eq!(s.insert(label(1)?, label(2)?, f32::NAN), Err(Error::Entry { row: 1, column: 2 }));
        assert!(matches!(s.insert(Label::new(0, 4)?, label(2)?, 0.5), Err(Error::Length { .. })));
        Ok(())
    }
}
