//! The obviously right twin of the mathematics of `simloss-core`, in numbers of hundreds of bits.
//!
//! ```text
//! p = softmax(z),   p_c = exp(z_c) / sum_j exp(z_j)
//! L = -ln( sum_c S[y,c] p_c )
//! g_k = dL/dz_k = p_k - q_k,   q_k = S[y,k] p_k / sum_c S[y,c] p_c
//! ```
//!
//! Everything is computed as it stands there: no shift by the largest logit, no `1 - S`, no
//! `log1p`, no case for samples that are very wrong. What makes floats fail is answered by bits:
//! exponents have no ends, and a loss that comes out too small for its bits is computed again with
//! twice as many, until the error is below 2^-64 of the spacing of the scalar at the result.
//! Nothing here is shared with the core, which is what lets the one judge the other.
//!
//! S below the smallest normal number of the scalar IS 0 (here and in the core); otherwise the
//! oracle takes what the user gave (`r`, a similarity and `l`, or the entries) and not a table of
//! rounded numbers.
//!
//! Logits may have magnitudes up to 2^40. The functions panic on anything outside their domain:
//! a wrong question to the oracle is a mistake in the test that asks it.

use std::cell::RefCell;
use std::collections::HashMap;

use dashu_float::round::mode::HalfEven;
use dashu_float::{ConstCache, Context};

use crate::exact::{Exact, Number, PRECISION, exponent, number};
use crate::real::{Real, Scalar, power_of_two};

/// Bits of the elementary functions: 75 more than an `f64` has.
const ELEMENTARY: usize = 128;

/// A loss is computed again until its error is below 2^-MARGIN of the scalar's spacing there.
const MARGIN: i64 = 64;

/// The error of a computed `sum S p` in units of its last bit is below 2^GUARD.
///
/// A term carries at most 15 factors in its exponential and C in a power of r, and 2 C terms are
/// added: 4 C + 20 roundings in all, so 2^20 serves a quarter of a million classes.
const GUARD: i64 = 20;

/// The similarity row `S[y, .]` of one true class, exactly as the user means it.
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
    /// The entries as they are, each in `[0, 1]`, and exact.
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
        // 0^0 is 1 and 0^n is 0; the scalar makes no difference to them.
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

    /// The row in numbers: what a constructor of the core should store, correctly rounded.
    pub fn values(&self) -> Vec<Exact> {
        self.at(PRECISION).into_iter().map(Exact).collect()
    }

    fn at(&self, precision: usize) -> Vec<Number> {
        // Numbers from here on have a nearest scalar that is not subnormal.
        let least = power_of_two(self.scalar.normal_exponent());
        let half_step = power_of_two(self.scalar.least_exponent() / 2).powi(2) / 2.0;
        let least = match self.scalar {
            Scalar::F32 => number(least - half_step, precision),
            Scalar::F64 => number(least, precision) - (number(least, precision) >> 53),
        };
        let flush = |s: Number| if s < least { number(0.0, precision) } else { s };
        match &self.entries {
            Entries::Given(entries) => {
                entries.iter().map(|&s| flush(number(s, precision))).collect()
            }
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

/// One entry of the gradient: `value = p - q`, with the parts by which its error is measured.
#[derive(Clone, Debug)]
pub struct GradientEntry {
    /// `p - q`, the derivative of the loss by this logit.
    pub value: Exact,
    /// `p`, the probability the model gives to the class.
    pub p: Exact,
    /// `q = S p / sum S p`, the probability of the class given that it counts as right.
    pub q: Exact,
}

impl GradientEntry {
    /// `|p| + |q|`, the measure of the entry's error.
    pub fn magnitude(&self) -> Exact {
        &self.p + &self.q
    }
}

/// The sums of the definition at one precision.
struct Sums {
    /// `exp(z_c)`
    exps: Vec<Number>,
    /// `S[y,c] exp(z_c)`
    similar: Vec<Number>,
    /// `sum_c exp(z_c)`
    all: Number,
    /// `sum_c S[y,c] exp(z_c)`
    right: Number,
}

impl Sums {
    fn new<T: Real>(z: &[T], row: &Row, precision: usize) -> Self {
        assert_eq!(z.len(), row.classes(), "as many logits as entries of the row");
        let z: Vec<f64> = z.iter().map(|&z| z.into()).collect();
        let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // A term that is 2^-n of the largest one needs n bits less to be as right in the sum.
        // Coarse, so that few tables of exponentials serve all terms.
        let bits = |z: f64| {
            let needed = (precision as f64 - (top - z) / std::f64::consts::LN_2).max(0.0);
            let mut bits = PRECISION;
            while (bits as f64) < needed {
                bits *= 2;
            }
            bits
        };
        let exps: Vec<Number> = z.iter().map(|&z| exp_of(z, bits(z))).collect();
        let similar: Vec<Number> =
            row.at(PRECISION).iter().zip(&exps).map(|(s, e)| s * e).collect();
        let sum = |terms: &[Number]| {
            terms.iter().fold(number(0.0, precision), |sum, term| sum + term)
        };
        Self { all: sum(&exps), right: sum(&similar), exps, similar }
    }
}
