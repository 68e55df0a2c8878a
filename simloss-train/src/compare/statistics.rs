//! Is the difference between two losses more than chance?
//!
//! Every loss is run with the same seeds, and equal seeds mean equal splits and equal first parameters: results come in
//! pairs. With `d_i` the difference of pair `i` of `n`, `m` its mean and `s` its standard deviation (`n - 1`):
//!
//! ```text
//! t   = m / (s sqrt(1/n + n_test/n_train)),    n - 1 degrees of freedom,    p two-sided
//! d_z = m / s
//! ```
//!
//! | part | source |
//! |---|---|
//! | `t`, the corrected resampled t test: the splits are drawn from one table, so their training samples overlap and the pairs are not independent; without the second term differences look far surer than they are | C. Nadeau and Y. Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003, section 3, `sigma^2 (1/J + n2/n1)` |
//! | `d_z`, the effect size of paired differences | D. Lakens, "Calculating and reporting effect sizes", Frontiers in Psychology 4:863, 2013, equation 6 |
//! | [`holm`]: `p'_(i) = max over j <= i of min(1, (k - j + 1) p_(j))`, `p` ascending, `k` of them | S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6, 1979 |

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// A corrected p value below this is called a difference.
pub const SIGNIFICANCE: f64 = 0.05;

/// The confidence of an interval.
pub const CONFIDENCE: f64 = 1.0 - SIGNIFICANCE;

/// By how much of the greatest value equal results may differ: their scores are computed in `f32`.
const ROUNDING: f64 = 16.0 * f32::EPSILON as f64;

/// Mean and spread of some results.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// How many.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation (`n - 1` in the divisor); 0 for a single one.
    pub deviation: f64,
}

impl Summary {
    /// Of `values`; `None` without any.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len();
        if count == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>();
        let deviation = if count > 1 { (squares / (count - 1) as f64).sqrt() } else { 0.0 };
        Some(Summary { count, mean, deviation })
    }
}

/// What a paired test says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Paired {
    /// The differences.
    pub difference: Summary,
    /// The 95% confidence interval of their mean: `m ± t s sqrt(1/n + n_test/n_train)`, `t` the 97.5% quantile of Student's
    /// distribution with `n - 1` degrees of freedom. It excludes 0 exactly where `p` is below 0.05.
    pub interval: [f64; 2],
    /// Two-sided p value of no difference, before any correction for several tests.
    pub p: f64,
    /// The effect size `d_z`; 0 where all differences are 0, but for rounding.
    pub effect: f64,
}

/// The corrected resampled t test of `values - reference`, pair by pair.
///
/// `test_to_train` is `n_test / n_train`, samples each split tests on by samples it trains on; 0 gives the ordinary
/// paired t test. `None` where no test is possible: other than equally many values, fewer than two pairs, or differences
/// that are all the same and not 0, from which nothing can be learnt about chance. What is within the rounding of scores,
/// `16 f32::EPSILON` of the greatest value, is the same.
///
/// ```
/// use simloss_train::compare::statistics::paired;
/// let (loss, reference) = ([0.52, 0.55, 0.50], [0.50, 0.51, 0.49]);
/// let ordinary = paired(&loss, &reference, 0.0).unwrap();
/// let corrected = paired(&loss, &reference, 0.25).unwrap();
/// assert!(ordinary.p < corrected.p);
/// ```
pub fn paired(values: &[f64], reference: &[f64], test_to_train: f64) -> Option<Paired> {
    if values.len() != reference.len() || values.len() < 2 {
        return None;
    }
    let differences: Vec<f64> = values.iter().zip(reference).map(|(a, b)| a - b).collect();
    let difference = Summary::of(&differences)?;
    if !difference.deviation.is_finite() {
        return None;
    }
    // 0.90 - 0.85 and 0.80 - 0.75 are not the same number, and class values such as 0.1 are rounded to f32. Taken for a
    // spread, such noise would make any difference sure.
    let noise = ROUNDING * values.iter().chain(reference).fold(0.0, |most: f64, x| most.max(x.abs()));
    if differences.iter().all(|d| d.abs() <= noise) {
        return Some(Paired { difference, interval: [difference.mean; 2], p: 1.0, effect: 0.0 });
    }
    let effect = difference.mean / difference.deviation;
    let error = (1.0 / difference.count as f64 + test_to_train).sqrt();
    let t = effect / error;
    if difference.deviation <= noise || !t.is_finite() {
        return None;
    }
    let student = StudentsT::new(0.0, 1.0, (difference.count - 1) as f64).ok()?;
    let half = student.inverse_cdf(0.5 + 0.5 * CONFIDENCE) * error * difference.deviation;
    let interval = [difference.mean - half, difference.mean + half];
    Some(Paired { difference, interval, p: (2.0 * student.sf(t.abs())).min(1.0), effect })
}

/// Holm's correction: p values of one family of tests, in the order given.
///
/// ```
/// use simloss_train::compare::statistics::holm;
/// assert_eq!(holm(&[0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02]);
/// ```
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut corrected = vec![1.0; p.len()];
    let mut least = 0.0f64;
    for (rank, &i) in order.iter().enumerate() {
        least = least.max((p[i] * (p.len() - rank) as f64).min(1.0));
        corrected[i] = least;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hours of sleep gained under two drugs: Student, "The Probable Error of a Mean", Biometrika 6, 1908.
    const FIRST: [f64; 10] = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
    const SECOND: [f64; 10] = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];

    fn close(a: f64, b: f64, tolerance: f64) -> bool {
        (a - b).abs() <= tolerance
    }

    #[test]
    fn students_own_data() {
        // R 4: t.test(extra ~ group, paired = TRUE) gives t = -4.0621, df = 9, p-value = 0.002833.
        let test = paired(&FIRST, &SECOND, 0.0).unwrap();
        assert!(close(test.p, 0.002833, 5e-7), "{test:?}");
        assert!(close(test.difference.mean, -1.58, 1e-12));
        assert!(close(test.effect, -4.0621 / 10f64.sqrt(), 2e-5));
        // 95 percent confidence interval: -2.4598858 -0.7001142.
        assert!(close(test.interval[0], -2.4598858, 1e-6) && close(test.interval[1], -0.7001142, 1e-6), "{test:?}");
    }

    #[test]
    fn overlap_of_the_splits_counts() {
        // t = -1.2846 / sqrt(1/10 + 1/3) = -1.9514; two-sided p at 9 degrees of freedom: 0.0828.
        let test = paired(&FIRST, &SECOND, 1.0 / 3.0).unwrap();
        assert!(close(test.p, 0.0828, 1e-4), "{test:?}");
    }

    #[test]
    fn sign_follows_the_first() {
        let (a, b) = (paired(&FIRST, &SECOND, 0.2).unwrap(), paired(&SECOND, &FIRST, 0.2).unwrap());
        assert_eq!(a.p, b.p);
        assert_eq!(a.effect, -b.effect);
    }

    #[test]
    fn nothing_to_test() {
        assert_eq!(paired(&[1.0], &[2.0], 0.0), None);
        assert_eq!(paired(&[1.0, 2.0], &[1.0], 0.0), None);
        assert_eq!(paired(&[1.0, f64::INFINITY], &[1.0, 2.0], 0.0), None);
        assert_eq!(paired(&[1.0, 2.0], &[2.0, 3.0], 0.0), None, "differences without spread");
        let same = paired(&[1.0, 2.0], &[1.0, 2.0], 0.0).unwrap();
        assert_eq!((same.p, same.effect), (1.0, 0.0));
        assert_eq!(Summary::of(&[]), None);
        assert_eq!(Summary::of(&[3.0]), Some(Summary { count: 1, mean: 3.0, deviation: 0.0 }));
    }

    #[test]
    fn rounding_is_no_spread() {
        // Five points less in every pair, by shares of 100 samples; the differences have other bits.
        let reference: Vec<f64> = (90..99).map(|k| f64::from(k) / 100.0).collect();
        let values: Vec<f64> = (85..94).map(|k| f64::from(k) / 100.0).collect();
        let differences: Vec<f64> = values.iter().zip(&reference).map(|(a, b)| a - b).collect();
        assert!(Summary::of(&differences).unwrap().deviation > 0.0);
        for scale in [1.0, 1e-9, 1e9] {
            let of = |x: &[f64]| x.iter().map(|x| scale * x).collect::<Vec<_>>();
            assert_eq!(paired(&of(&values), &of(&reference), 0.25), None);
        }
        // One sample of 100, in one pair, is a spread.
        let mut other = values.clone();
        other[3] -= 0.01;
        assert!(paired(&other, &reference, 0.25).is_some());
        // Errors of one class, a tenth in f32: one class more for each of 3 of 10 samples, and then none.
        let tenths = |k: [f32; 3]| k.map(|k| 0.3 * f64::from((k + 1.0) / 10.0 - k / 10.0));
        assert_eq!(paired(&tenths([1.0, 2.0, 6.0]), &[0.0; 3], 0.0), None);
        let same = paired(&tenths([1.0, 2.0, 6.0]), &tenths([6.0, 1.0, 2.0]), 0.0).unwrap();
        assert_eq!((same.p, same.effect), (1.0, 0.0));
    }

    #[test]
    fn holm_is_monotone_and_capped() {
        assert_eq!(holm(&[]), [0.0; 0]);
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert_eq!(holm(&[0.02]), [0.02]);
        // By hand: .001 * 10, .008 * 9, .039 * 8; then .041 * 7 and the three after it stay below .312; .205 * 3.
        let p = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216];
        let r = [0.01, 0.072, 0.312, 0.312, 0.312, 0.312, 0.312, 0.615, 0.615, 0.615];
        assert!(holm(&p).iter().zip(r).all(|(a, b)| close(*a, b, 1e-12)));
    }
}
