//! The similarity row of one true class, as the user defines it. The oracle uses it in place of a stored table.
//!
//! ```text
//! class order   S[y,c] = r^|y - c|,                     0 <= r < 1
//! circular      S[y,c] = r^min(|y - c|, C - |y - c|),   0 <= r < 1
//! general       S[y,c] = max(0, (s_c - l) / (1 - l)),   0 <= l < 1,  s_c <= 1
//! ```
//!
//! An entry whose nearest scalar is below the smallest normal number is 0.

use crate::exact::{Exact, Number, PRECISION, number};
use crate::real::{Real, Scalar, power_of_two};

/// The similarity row `S[y, .]` of one true class; see [the module](self) for the equations.
#[derive(Clone, Debug)]
pub struct Row {
    entries: Entries,
    scalar: Scalar,
}

#[derive(Clone, Debug)]
enum Entries {
    Given(Vec<f64>),
    /// `r^n` for each n.
    Powers {
        r: f64,
        exponents: Vec<usize>,
    },
    /// `max(0, (s - l) / (1 - l))` for each s.
    General {
        similarities: Vec<f64>,
        l: f64,
    },
}

impl Row {
    /// The exact entries, each in `[0, 1]`.
    ///
    /// ```
    /// use simloss_bench::oracle::{Row, loss};
    /// let loss = loss(&[0.0_f32, 0.0], &Row::entries(&[1.0_f32, 0.5]));
    /// assert_eq!(loss.nearest::<f64>(), -(0.75_f64.ln()));
    /// ```
    pub fn entries<T: Real>(entries: &[T]) -> Self {
        let entries: Vec<f64> = entries.iter().map(|&s| s.into()).collect();
        assert!(entries.iter().all(|s| (0.0..=1.0).contains(s)), "S must lie in [0, 1]");
        Self { entries: Entries::Given(entries), scalar: T::SCALAR }
    }

    /// Class order: `S[y,c] = r^|y - c|` with `0 <= r < 1`, where `r` is exact and `0^0 = 1`.
    pub fn class_order<T: Real>(r: T, classes: usize, y: usize) -> Self {
        Self::powers(r, classes, y, |c| y.abs_diff(c))
    }

    /// Class order on a ring: `S[y,c] = r^min(d, C - d)` with `d = |y - c|`.
    pub fn circular<T: Real>(r: T, classes: usize, y: usize) -> Self {
        Self::powers(r, classes, y, |c| y.abs_diff(c).min(classes - y.abs_diff(c)))
    }

    fn powers<T: Real>(r: T, classes: usize, y: usize, distance: impl Fn(usize) -> usize) -> Self {
        let r = r.into();
        assert!((0.0..1.0).contains(&r), "r must lie in [0, 1), got {r}");
        assert!(y < classes, "there is no class {y} of {classes}");
        let exponents = (0..classes).map(distance).collect();
        Self { entries: Entries::Powers { r, exponents }, scalar: T::SCALAR }
    }

    /// General similarity: `S[y,c] = max(0, (s_c - l) / (1 - l))` with `0 <= l < 1`, `s_c <= 1`,
    /// where the `s_c` and `l` are exact.
    pub fn general<T: Real>(similarities: &[T], l: T) -> Self {
        let similarities: Vec<f64> = similarities.iter().map(|&s| s.into()).collect();
        let l = l.into();
        assert!((0.0..1.0).contains(&l), "l must lie in [0, 1), got {l}");
        assert!(similarities.iter().all(|&s| s <= 1.0), "a similarity is at most 1");
        Self { entries: Entries::General { similarities, l }, scalar: T::SCALAR }
    }

    /// Cross entropy: 1 for the true class, 0 for all others.
    pub fn identity(classes: usize, y: usize) -> Self {
        // 0^0 is 1 and 0^n is 0, in either scalar.
        Self::class_order(0.0_f64, classes, y)
    }

    /// Number of classes C.
    pub fn classes(&self) -> usize {
        match &self.entries {
            Entries::Given(entries) => entries.len(),
            Entries::Powers { exponents, .. } => exponents.len(),
            Entries::General { similarities, .. } => similarities.len(),
        }
    }

    /// The correctly rounded row, which a constructor of the core should store.
    pub fn values(&self) -> Vec<Exact> {
        self.at(PRECISION).into_iter().map(Exact).collect()
    }

    /// The entries. Each power of r has one rounding per factor.
    pub(crate) fn at(&self, precision: usize) -> Vec<Number> {
        // The least number whose nearest scalar is normal: 2^-126 less half the spacing below it.
        let normal = number(power_of_two(self.scalar.normal_exponent()), precision);
        let least = &normal - (normal.clone() >> self.scalar.digits() as isize);
        let flush = |s: Number| if s < least { number(0.0, precision) } else { s };
        match &self.entries {
            Entries::Given(entries) => entries.iter().map(|&s| flush(number(s, precision))).collect(),
            Entries::Powers { r, exponents } => {
                let r = number(*r, precision);
                let last = exponents.iter().copied().max().unwrap_or(0);
                let mut powers = vec![number(1.0, precision)];
                for n in 0..last {
                    powers.push(flush(&powers[n] * &r));
                }
                exponents.iter().map(|&n| powers[n].clone()).collect()
            }
            Entries::General { similarities, l } => {
                let l = number(*l, precision);
                let rest = number(1.0, precision) - &l;
                let entry = |&s: &f64| flush((number(s, precision) - &l) / &rest);
                similarities.iter().map(entry).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats<T: Real>(row: &Row) -> Vec<T> {
        row.values().iter().map(Exact::nearest).collect()
    }

    #[test]
    fn rows_by_hand() {
        assert_eq!(floats::<f64>(&Row::class_order(0.5, 4, 1)), [0.5, 1.0, 0.5, 0.25]);
        assert_eq!(floats::<f64>(&Row::circular(0.5, 5, 0)), [1.0, 0.5, 0.25, 0.25, 0.5]);
        assert_eq!(floats::<f64>(&Row::circular(0.5, 4, 3)), [0.5, 0.25, 0.5, 1.0]);
        assert_eq!(floats::<f64>(&Row::identity(3, 2)), [0.0, 0.0, 1.0]);
        let general = Row::general(&[1.0, 0.75, 0.5, 0.25, -1.0], 0.5);
        assert_eq!(floats::<f64>(&general), [1.0, 0.5, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn powers_are_of_the_given_r_and_not_of_a_rounded_table() {
        let row = Row::class_order(0.8_f32, 30, 0).values();
        let exact = crate::oracle::pow(0.8_f32, 29);
        assert_eq!(row[29].nearest::<f64>(), exact.nearest::<f64>());
        let stored = (0..29).fold(1.0_f32, |power, _| power * 0.8);
        assert_ne!(row[29].nearest::<f32>(), stored, "28 roundings change the result");
    }

    #[test]
    fn subnormal_entries_are_zero() {
        let least = f32::MIN_POSITIVE;
        let row = Row::entries(&[1.0, least, least.next_down(), 1e-45]);
        assert_eq!(floats::<f32>(&row), [1.0, least, 0.0, 0.0]);
        // The same numbers are normal in f64.
        let row = Row::entries(&[f64::from(least), f64::MIN_POSITIVE, f64::MIN_POSITIVE / 2.0]);
        assert_eq!(floats::<f64>(&row), [f64::from(least), f64::MIN_POSITIVE, 0.0]);
        // Design: r^d gets there from d = 38 at r = 0.1 and from d = 73 at r = 0.3.
        for (r, first) in [(0.1_f32, 38), (0.3, 73)] {
            let zeros = floats::<f32>(&Row::class_order(r, 100, 0));
            assert_eq!(zeros.iter().position(|&s| s == 0.0), Some(first), "r = {r}");
        }
    }

    #[test]
    fn the_edge_of_zero_is_where_rounding_puts_it() {
        // In f64 terms: just below 2^-126, but nearer to it than to the largest subnormal f32.
        let edge = f64::from(f32::MIN_POSITIVE);
        let half = power_of_two(-150);
        let zero_at = |s: f64| {
            let row = Row { entries: Entries::Given(vec![s]), scalar: Scalar::F32 };
            row.values()[0].is_zero()
        };
        assert!(!zero_at(edge - half));
        assert!(zero_at((edge - half).next_down()));
    }

    #[test]
    #[should_panic(expected = "r must lie in [0, 1)")]
    fn r_is_below_one() {
        let _ = Row::class_order(1.0_f32, 3, 0);
    }
}
