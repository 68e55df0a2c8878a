//! Products with `S`, as a loss of the whole matrix needs them: no digit is lost to a subtraction.
//!
//! With `y` the true class and `v` a vector that is not negative, and 0 at `y`:
//!
//! ```text
//! sum_c    = sum_k S[c, k] v_k
//! excess_c = sum_k (S[c, k] - S[c, y]) v_k
//! lead_c   = sum_k (S[c, k] - S[y, k]) v_k
//! ```
//!
//! Entries are subtracted before they are summed: what classes have in common cancels exactly, and near-duplicates keep
//! the digits that set them apart. `S` is symmetric.

use super::{Similarity, split};
use crate::{
    Label,
    number::{BlockSum, Scalar, Value},
};

/// One sample per lane on its way through the products.
#[derive(Debug)]
pub struct Products<'a, V: Value> {
    /// The true classes of the lanes that are present, at least one. Lanes beyond them take the first.
    pub labels: &'a [Label],
    /// The row of each lane's true class, as [stored](crate::similarity#what-is-stored).
    pub row: &'a [V],
    /// `v`, one value per class.
    pub v: &'a [V],
    /// Out: `sum_c`; not computed where it is empty.
    pub sums: &'a mut [V],
    /// Out: `excess_c`.
    pub excess: &'a mut [V],
    /// Out: `lead_c`; not computed where it is empty, or where [`Similarity::LEADS`] is false.
    pub leads: &'a mut [V],
    /// [`Similarity::scratch`] numbers.
    pub scratch: &'a mut [V::Scalar],
}

/// A stored entry as a minuend. Its `S` is `x` or `1 + x`: where two entries are stored alike, `x - x'` is their
/// difference, rounded once. Where not, it is `(S - 1/2) - (S' - 1/2)`, exact terms wherever the difference is small.
#[derive(Clone, Copy)]
struct Entry<V> {
    x: V,
    above_half: V,
}

impl<V: Value> Entry<V> {
    #[inline(always)]
    fn new(x: V, half: V) -> Self {
        Entry { x, above_half: x.select_sign(half.add(x), x.sub(half)) }
    }

    #[inline(always)]
    fn minus(self, other: Self) -> V {
        let alike = self.x.sub(other.x);
        let apart = self.above_half.sub(other.above_half);
        self.x.select_sign(other.x.select_sign(alike, apart), other.x.select_sign(apart, alike))
    }
}

/// The products of any symmetric similarity, row by row: `C^2` entries.
#[inline(always)]
pub(crate) fn by_rows<V: Value, S: Similarity<V::Scalar> + ?Sized>(t: V::Token, similarity: &S, x: Products<'_, V>) {
    let Products { row, v, sums, excess, leads, scratch, .. } = x;
    let [zero, half, one] = [V::Scalar::ZERO, V::Scalar::HALF, V::Scalar::ONE].map(|x| V::splat(t, x));
    let classes = similarity.classes();
    for c in 0..classes {
        let (Ok(label), Some(&own)) = (Label::new(c, classes), row.get(c)) else { return };
        let own = Entry::new(own, half);
        let mut totals = [BlockSum::new(t); 3];
        for ((s, of_y), v) in similarity.row(label, scratch).chunks(4).zip(row.chunks(4)).zip(v.chunks(4)) {
            let [mut sum, mut above, mut ahead] = [[zero; 4]; 3];
            for (i, ((&s, &of_y), &v)) in s.iter().zip(of_y).zip(v).enumerate().take(4) {
                let entry = Entry::new(V::splat(t, s), half);
                sum[i] = split(one, entry.x).0.mul(v);
                above[i] = entry.minus(own).mul(v);
                ahead[i] = entry.minus(Entry::new(of_y, half)).mul(v);
            }
            for (total, terms) in totals.iter_mut().zip([sum, above, ahead]) {
                total.add(terms);
            }
        }
        for (to, total) in [&mut *sums, &mut *excess, &mut *leads].into_iter().zip(totals) {
            if let Some(to) = to.get_mut(c) {
                *to = total.total();
            }
        }
    }
}
