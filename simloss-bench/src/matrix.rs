//! The symmetric similarity of all classes, as the user defines it. The oracle uses it in place of stored tables.
//!
//! ```text
//! class order   S_ij = r^|i - j|,                     0 <= r < 1
//! circular      S_ij = r^min(|i - j|, C - |i - j|),   0 <= r < 1
//! groups        S_ij = level of the first grouping that has i and j in one group
//! entries       S_ij as given
//! ```
//!
//! A power of `r` is never 0 here, because only the exact powers make a proper rule. (A [`Row`](crate::row::Row) uses 0 for
//! powers below the smallest normal number, like the core's rows.) A given entry below the smallest normal number is 0.

use crate::exact::{Exact, Number, PRECISION, number};
use crate::real::{Real, power_of_two};

/// A symmetric matrix of similarities; see [the module](self) for the equations.
#[derive(Clone, Debug)]
pub struct Matrix {
    classes: usize,
    entries: Entries,
}

#[derive(Clone, Debug)]
enum Entries {
    /// `r^|i - j|`.
    Order(f64),
    /// `r^min(|i - j|, C - |i - j|)`.
    Circular(f64),
    /// Row by row.
    Given(Vec<f64>),
}

impl Matrix {
    /// Class order: `S_ij = r^|i - j|`, where `r` is exact and `0^0 = 1`.
    pub fn class_order<T: Real>(r: T, classes: usize) -> Self {
        Self { classes, entries: Entries::Order(reduction_factor(r)) }
    }

    /// Class order on a ring: `S_ij = r^min(d, C - d)` with `d = |i - j|`.
    pub fn circular<T: Real>(r: T, classes: usize) -> Self {
        Self { classes, entries: Entries::Circular(reduction_factor(r)) }
    }

    /// Similarity 0 between different classes.
    pub fn identity(classes: usize) -> Self {
        Self::class_order(0.0_f64, classes)
    }

    /// Groups within groups: `groupings[h][c]` is the group of class `c` at height `h`, `levels[h]` the similarity of two
    /// classes whose lowest common group is there. Two classes without a common group have similarity 0.
    pub fn groups<T: Real>(groupings: &[Vec<usize>], levels: &[T]) -> Self {
        assert_eq!(groupings.len(), levels.len(), "one level for each grouping");
        let classes = groupings.first().map_or(0, Vec::len);
        let level = |i: usize, j: usize| match groupings.iter().position(|group| group[i] == group[j]) {
            _ if i == j => T::round(1.0),
            Some(height) => levels[height],
            None => T::round(0.0),
        };
        let entries: Vec<T> = (0..classes * classes).map(|at| level(at / classes, at % classes)).collect();
        Self::entries(&entries)
    }

    /// The entries, row by row: exact, symmetric, in `[0, 1]`, 1 on the diagonal.
    pub fn entries<T: Real>(entries: &[T]) -> Self {
        let classes = entries.len().isqrt();
        let least = power_of_two(T::SCALAR.normal_exponent());
        let normal = |&s: &T| if s.into() < least { 0.0 } else { s.into() };
        let entries: Vec<f64> = entries.iter().map(normal).collect();
        assert_eq!(entries.len(), classes * classes, "a matrix is square");
        for i in 0..classes {
            assert!(entries[i * classes + i] == 1.0, "the diagonal of S must be 1");
            for j in 0..i {
                let (s, t) = (entries[i * classes + j], entries[j * classes + i]);
                assert!(s == t && (0.0..=1.0).contains(&s), "S must be symmetric and lie in [0, 1]");
            }
        }
        Self { classes, entries: Entries::Given(entries) }
    }

    /// Number of classes C.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// All entries, row by row, correctly rounded.
    pub fn values<T: Real>(&self) -> Vec<T> {
        let powers: Vec<T> = self.powers(PRECISION).into_iter().map(|power| Exact(power).nearest()).collect();
        let given = |entries: &[f64]| entries.iter().map(|&s| T::round(s)).collect();
        let of_distance = |y: usize, c: usize| powers[self.distance(y, c)];
        let classes = self.classes;
        match &self.entries {
            Entries::Given(entries) => given(entries),
            _ => (0..classes * classes).map(|at| of_distance(at / classes, at % classes)).collect(),
        }
    }

    /// Row `y`. Each power of r has one rounding per factor.
    pub(crate) fn row(&self, y: usize, precision: usize) -> Vec<Number> {
        self.row_of(y, &self.powers(precision), precision)
    }

    fn row_of(&self, y: usize, powers: &[Number], precision: usize) -> Vec<Number> {
        let classes = self.classes;
        match &self.entries {
            Entries::Given(entries) => {
                entries[y * classes..][..classes].iter().map(|&s| number(s, precision)).collect()
            }
            _ => (0..classes).map(|c| powers[self.distance(y, c)].clone()).collect(),
        }
    }

    /// The power of r between two classes.
    fn distance(&self, y: usize, c: usize) -> usize {
        let distance = y.abs_diff(c);
        if let Entries::Circular(_) = self.entries { distance.min(self.classes - distance) } else { distance }
    }

    /// `r^0` to `r^(C - 1)`, if there is an r.
    fn powers(&self, precision: usize) -> Vec<Number> {
        let (Entries::Order(r) | Entries::Circular(r)) = &self.entries else { return vec![] };
        let r = number(*r, precision);
        let next = |power: &Number| Some(power * &r);
        std::iter::successors(Some(number(1.0, precision)), next).take(self.classes).collect()
    }

    /// `S v` for nonnegative numbers `v`.
    ///
    /// Relative error of each: at most 2 C + 2 roundings more than that of `v`, because nothing is subtracted. This holds
    /// for the class order too, where the sum over the classes before `c` is `r` times (that before `c - 1`, and
    /// `v_(c-1)`): two roundings for each class it passes.
    pub(crate) fn product(&self, v: &[Number], precision: usize) -> Vec<Number> {
        let zero = || number(0.0, precision);
        if let Entries::Order(r) = &self.entries {
            let r = number(*r, precision);
            let mut sums = v.to_vec();
            let mut pass = |classes: &mut dyn Iterator<Item = usize>| {
                let mut before = zero();
                for c in classes {
                    sums[c] += &before;
                    before = (before + &v[c]) * &r;
                }
            };
            pass(&mut (0..v.len()));
            pass(&mut (0..v.len()).rev());
            return sums;
        }
        let powers = self.powers(precision);
        let of_row = |y| {
            let terms = self.row_of(y, &powers, precision).into_iter().zip(v).filter(|(s, _)| *s != Number::ZERO);
            terms.fold(zero(), |sum, (s, v)| sum + s * v)
        };
        (0..v.len()).map(of_row).collect()
    }
}

fn reduction_factor<T: Real>(r: T) -> f64 {
    let r = r.into();
    assert!((0.0..1.0).contains(&r), "r must lie in [0, 1), got {r}");
    r
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::SplitMix64;
    use crate::row::Row;

    fn floats(matrix: &Matrix, y: usize) -> Vec<f64> {
        matrix.row(y, PRECISION).into_iter().map(|s| Exact(s).nearest()).collect()
    }

    #[test]
    fn rows_by_hand() {
        assert_eq!(floats(&Matrix::class_order(0.5, 4), 1), [0.5, 1.0, 0.5, 0.25]);
        assert_eq!(floats(&Matrix::circular(0.5, 5), 0), [1.0, 0.5, 0.25, 0.25, 0.5]);
        assert_eq!(floats(&Matrix::circular(0.5, 4), 3), [0.5, 0.25, 0.5, 1.0]);
        assert_eq!(floats(&Matrix::identity(3), 2), [0.0, 0.0, 1.0]);
        let groups = Matrix::groups(&[vec![0, 0, 1, 1, 2], vec![0, 0, 0, 0, 1]], &[0.5, 0.25]);
        assert_eq!(floats(&groups, 1), [0.5, 1.0, 0.25, 0.25, 0.0]);
        assert_eq!(floats(&groups, 4), [0.0, 0.0, 0.0, 0.0, 1.0]);
        let least = f32::MIN_POSITIVE;
        assert_eq!(floats(&Matrix::entries(&[1.0, least, least, 1.0]), 0), [1.0, f64::from(least)]);
        assert_eq!(floats(&Matrix::entries(&[1.0, 1e-40_f32, 1e-40, 1.0]), 0), [1.0, 0.0]);
    }

    #[test]
    fn rows_are_those_of_a_single_row() {
        for y in [0, 4, 8] {
            let order = (Matrix::class_order(0.3_f32, 9), Row::class_order(0.3_f32, 9, y));
            let circular = (Matrix::circular(0.3_f32, 9), Row::circular(0.3_f32, 9, y));
            for (matrix, row) in [order, circular] {
                assert_eq!(matrix.row(y, PRECISION), row.at(PRECISION));
            }
        }
    }

    #[test]
    fn products_are_sums_over_rows() {
        let mut random = SplitMix64::new(1);
        let close = power_of_two(-40);
        let entries: Vec<f64> =
            (0..49).map(|at| if at % 8 == 0 { 1.0 } else { 1.0 / (2 + at % 7 + at / 7) as f64 }).collect();
        let all = [
            Matrix::class_order(0.7, 7),
            Matrix::class_order(1.0 - close, 7),
            Matrix::circular(0.9, 7),
            Matrix::groups(&[vec![0, 0, 0, 1, 1, 1, 1]], &[0.5]),
            Matrix::entries(&entries),
        ];
        for matrix in all {
            let v: Vec<Number> = (0..7).map(|_| number(random.magnitude(-200, 0), PRECISION)).collect();
            let product = matrix.product(&v, PRECISION);
            for (y, got) in product.into_iter().enumerate() {
                let terms = matrix.row(y, PRECISION).into_iter().zip(&v).map(|(s, v)| s * v);
                let sum = Exact(terms.fold(number(0.0, PRECISION), |sum, term| sum + term));
                let miss = (&Exact(got) - &sum).abs();
                assert!(miss <= sum.scaled(6 - PRECISION as i64), "{matrix:?}, row {y}");
            }
        }
    }

    #[test]
    fn powers_never_end() {
        let row = Matrix::class_order(0.1_f32, 90).row(0, PRECISION);
        assert!(Exact(row[89].clone()).exponent() < Some(-290));
    }

    #[test]
    #[should_panic(expected = "symmetric")]
    fn asymmetric_matrices_are_wrong_questions() {
        let _ = Matrix::entries(&[1.0, 0.5, 0.25, 1.0]);
    }
}
