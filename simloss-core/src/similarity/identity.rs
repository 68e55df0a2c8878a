//! `S = I`: classes that do not relate. SimLoss with it is cross entropy, bit for bit.

use super::{Products, ProperSimilarity, Similarity, check_classes};
use crate::{
    Error, Label,
    label::exchange,
    number::{Scalar, Value, block_sum_of},
    slices::copy,
};

/// `S[y, c] = 1` where `c = y`, else 0.
///
/// Memory: the number of classes. Cost of a row: filling the scratch.
///
/// ```
/// use simloss_core::{Label, similarity::{Identity, Similarity}};
/// let s = Identity::new(3)?;
/// let (a, b) = (Label::new(1, 3)?, Label::new(2, 3)?);
/// assert_eq!(s.get(a, a, &mut [0.0f32; 3])?, 1.0);
/// assert_eq!(s.get(a, b, &mut [0.0f32; 3])?, 0.0);
/// # Ok::<(), simloss_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    classes: usize,
}

impl Identity {
    /// # Errors
    /// [`Error::Classes`] unless `classes` is from 2 to 65,535.
    pub fn new(classes: usize) -> Result<Self, Error> {
        Ok(Identity { classes: check_classes(classes)? })
    }
}

impl<T: Scalar> Similarity<T> for Identity {
    fn classes(&self) -> usize {
        self.classes
    }

    fn row<'a>(&'a self, y: Label, scratch: &'a mut [T]) -> &'a [T] {
        let classes = self.classes.min(scratch.len());
        let row = &mut scratch[..classes];
        row.fill(T::ZERO);
        if let Some(own) = row.get_mut(y.index()) {
            *own = super::own();
        }
        row
    }

    /// In `O(C)`.
    #[inline(always)]
    fn products<V: Value<Scalar = T>>(&self, t: V::Token, x: Products<'_, V>) {
        let Products { labels, v, sums, excess, leads, .. } = x;
        for out in [sums, &mut *excess, leads] {
            copy(v, out);
        }
        let total = block_sum_of(t, v);
        exchange(t, labels, excess, V::splat(t, T::ZERO).sub(total));
    }

    #[inline]
    fn stored(&self, y: Label, c: Label) -> T {
        if y.index() == c.index() { super::own() } else { T::ZERO }
    }
}

/// Proper SimLoss with it is cross entropy, which is strictly proper.
impl<T: Scalar> ProperSimilarity<T> for Identity {
    fn is_strictly_proper(&self) -> bool {
        true
    }
}
