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
    /// [`Similarity::product_values`] values.
    pub values: &'a mut [V],
}

/// A stored entry as a minuend. Its `S` is `x` or `1 + x`: where two entries are stored alike, `x - x'` is their
/// difference, rounded once. Where not, it is `(S - 1/2) - (S' - 1/2)`, exact terms wherever the difference is small.
#[derive(Clone, Copy)]
pub(super) struct Entry<V> {
    x: V,
    above_half: V,
}

impl<V: Value> Entry<V> {
    #[inline(always)]
    pub(super) fn new(x: V, half: V) -> Self {
        Entry { x, above_half: x.select_sign(half.add(x), x.sub(half)) }
    }

    #[inline(always)]
    pub(super) fn minus(self, other: Self) -> V {
        let alike = self.x.sub(other.x);
        let apart = self.above_half.sub(other.above_half);
        self.x.select_sign(other.x.select_sign(alike, apart), other.x.select_sign(apart, alike))
    }
}

/// The products of any symmetric similarity, row by row: `C^2` entries.
#[inline(always)]
pub(crate) fn by_rows<V: Value, S: Similarity<V::Scalar> + ?Sized>(t: V::Token, similarity: &S, x: Products<'_, V>) {
    if x.sums.is_empty() && x.leads.is_empty() {
        rows::<V, S, 1>(t, similarity, x);
    } else {
        rows::<V, S, 3>(t, similarity, x);
    }
}

/// The first `N` of excess, sum and lead.
#[inline(always)]
fn rows<V: Value, S: Similarity<V::Scalar> + ?Sized, const N: usize>(t: V::Token, similarity: &S, x: Products<'_, V>) {
    let Products { row, v, sums, excess, leads, scratch, .. } = x;
    let [zero, half, one] = [V::Scalar::ZERO, V::Scalar::HALF, V::Scalar::ONE].map(|x| V::splat(t, x));
    let classes = similarity.classes();
    for c in 0..classes {
        let (Ok(label), Some(&own)) = (Label::new(c, classes), row.get(c)) else { return };
        let own = Entry::new(own, half);
        let mut totals = [BlockSum::new(t); N];
        for ((s, of_y), v) in similarity.row(label, scratch).chunks(4).zip(row.chunks(4)).zip(v.chunks(4)) {
            let mut terms = [[zero; 4]; N];
            for (i, ((&s, &of_y), &v)) in s.iter().zip(of_y).zip(v).enumerate().take(4) {
                let s = V::splat(t, s);
                let entry = Entry::new(s, half);
                terms[0][i] = entry.minus(own).mul(v);
                if const { N > 1 } {
                    terms[1][i] = split(one, s).0.mul(v);
                    terms[2][i] = entry.minus(Entry::new(of_y, half)).mul(v);
                }
            }
            for (total, terms) in totals.iter_mut().zip(terms) {
                total.add(terms);
            }
        }
        for (to, total) in [&mut *excess, &mut *sums, &mut *leads].into_iter().zip(totals) {
            if let Some(to) = to.get_mut(c) {
                *to = total.total();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Error, Random,
        similarity::{CircularOrder, ClassOrder, Identity, SparseSimilarity, Taxonomy, similarity},
    };

    const C: usize = 40;

    /// Each way has the definition's results, to rounding of the sum of its parts.
    fn check(of: impl Similarity<f64>) -> Result<(), Error> {
        let mut random = Random::new(5);
        let classes = of.classes();
        let mut matrix = [[0.0; C]; C];
        for (y, to) in matrix.iter_mut().enumerate().take(classes) {
            for (to, &x) in to.iter_mut().zip(of.row(Label::new(y, classes)?, &mut [0.0; C])) {
                *to = similarity(x);
            }
        }
        for y in 0..classes {
            let label = Label::new(y, classes)?;
            let mut v = [0.0; C];
            v.iter_mut().take(classes).for_each(|v| *v = random.unit());
            v[y] = 0.0;
            let mut row = [0.0; C];
            row[..classes].copy_from_slice(of.row(label, &mut [0.0; C]));
            let ([mut sums, mut excess, mut leads], mut values) = ([[0.0; C]; 3], [0.0; 5 * C]);
            let x = Products {
                labels: &[label],
                row: &row[..classes],
                v: &v[..classes],
                sums: &mut sums[..classes],
                excess: &mut excess[..classes],
                leads: &mut leads[..classes],
                scratch: &mut [0.0; C],
                values: &mut values,
            };
            of.products((), x);
            for c in 0..classes {
                let sum = |entry: &dyn Fn(usize) -> f64| (0..classes).map(|k| entry(k) * v[k]).sum::<f64>();
                let [expected, above, lead] = [
                    sum(&|k| matrix[c][k]),
                    sum(&|k| matrix[c][k] - matrix[c][y]),
                    sum(&|k| if k == y { 0.0 } else { matrix[c][k] - matrix[y][k] }),
                ];
                assert!((sums[c] - expected).abs() < 1e-13, "sum {c} of {y}: {} for {expected}", sums[c]);
                assert!((excess[c] - above).abs() < 1e-13, "excess {c} of {y}: {} for {above}", excess[c]);
                // Used where the class is similar to y.
                if of.leads() && matrix[c][y] > 0.0 {
                    assert!((leads[c] - lead).abs() < 1e-13, "lead {c} of {y}: {} for {lead}", leads[c]);
                }
            }
        }
        Ok(())
    }

    trait Leads {
        fn leads(&self) -> bool;
    }

    impl<S: Similarity<f64>> Leads for S {
        fn leads(&self) -> bool {
            S::LEADS
        }
    }

    #[test]
    fn products_are_those_of_the_matrix() -> Result<(), Error> {
        check(Identity::new(7)?)?;
        for r in [0.0, 0.3, 0.8, 0.999] {
            check(ClassOrder::<f64, C>::new(r)?)?;
            check(ClassOrder::<f64, 2>::new(r)?)?;
            check(CircularOrder::<f64, 12>::new(r)?)?;
        }
        // Blocks {0, 2}, {1, 3, 4}.
        let mut sparse = SparseSimilarity::<f64, 5, 2>::new()?;
        for (a, b, s) in [(0, 2, 0.9), (1, 3, 0.25), (1, 4, 0.25), (3, 4, 0.75)] {
            sparse.insert(Label::new(a, 5)?, Label::new(b, 5)?, s)?;
            sparse.insert(Label::new(b, 5)?, Label::new(a, 5)?, s)?;
        }
        check(sparse)?;
        // Classes 0 to 4; node 5 over 0, 1; 6 over 5, 2; 7 over 3, 4; 8 the root.
        let parents = [5u16, 5, 6, 7, 7, 6, 8, 8, 8];
        check(Taxonomy::new(parents, [1.0, 0.9, 0.5, 0.2], 5)?)?;
        check(Taxonomy::new(parents, [1.0, 0.9, 0.5, 0.0], 5)?)?;
        // More inner nodes than classes.
        check(Taxonomy::new([2u16, 3, 4, 4, 5, 5], [1.0, 0.9, 0.5, 0.2], 2)?)
    }
}
