//! What one sample's probabilities score for its true class.

use crate::{
    Error, Label,
    decoders::Probabilities,
    number::{BlockSum, Scalar, block_sum},
};

/// How many classes come before the true class `y` in order of falling probability, ties in order of the class.
///
/// A sample is right among the top `k` where its rank is below `k`; rank 0 is [`argmax`](crate::decoders::argmax).
///
/// # Errors
/// [`Error::Length`] if the label was proven against another number of classes.
///
/// Cost: 2C comparisons.
///
/// ```
/// use simloss_core::{Label, decoders::Probabilities, metrics::rank};
/// let p = Probabilities::new(&[0.125f32, 0.375, 0.125, 0.375])?;
/// let ranks = [0, 1, 2, 3].map(|y| Label::new(y, 4).and_then(|y| rank(p, y)));
/// assert_eq!(ranks, [Ok(2), Ok(0), Ok(3), Ok(1)]);
/// # Ok::<(), simloss_core::Error>(())
/// ```
pub fn rank<T: Scalar>(p: Probabilities<'_, T>, y: Label) -> Result<usize, Error> {
    let own = p.of(y)?;
    let before = |&(k, &x): &(usize, &T)| x > own || (x == own && k < y.index());
    Ok(p.as_slice().iter().enumerate().filter(before).count())
}

/// The Brier score `sum_k (p[k] - [k = y])^2`: from 0 to 2, 0 for certainty of the true class.
///
/// Source: G. W. Brier, "Verification of forecasts expressed in terms of probability", 1950, equation 2. A proper
/// scoring rule, which SimLoss is not.
///
/// Numerics: a block sum, 4 ulp (`tests/metric_laws.rs`).
///
/// # Errors
/// [`Error::Length`] if the label was proven against another number of classes.
///
/// Cost: C multiplications and 3C additions.
///
/// ```
/// use simloss_core::{Label, decoders::Probabilities, metrics::brier};
/// let p = Probabilities::new(&[0.5f32, 0.25, 0.25])?;
/// assert_eq!(brier(p, Label::new(1, 3)?)?, 0.25 + 0.5625 + 0.0625);
/// # Ok::<(), simloss_core::Error>(())
/// ```
pub fn brier<T: Scalar>(p: Probabilities<'_, T>, y: Label) -> Result<T, Error> {
    let y = y.of(p.classes())?.index();
    let p = p.as_slice();
    Ok(block_sum((), p.len(), |k| {
        let p = p.get(k).copied().unwrap_or(T::ZERO);
        let d = if k == y { T::ONE.sub(p) } else { p };
        d.mul(d)
    }))
}

/// The ranked probability score of classes in an order: the squared distance of the distribution functions of `p` and
/// of the truth, from 0 to `C - 1`, 0 for certainty of the true class.
///
/// ```text
/// RPS = sum_{k < y} (sum_{j <= k} p[j])^2 + sum_{k >= y, k < C - 1} (sum_{j > k} p[j])^2
/// ```
///
/// Source: E. S. Epstein, "A scoring system for probability forecasts of ranked categories", 1969, in the form that is
/// not divided by `C - 1`. A proper scoring rule.
///
/// Numerics: written with the probability above `k` in place of `1 - sum_{j <= k} p[j]`, which is the same for
/// probabilities that sum to 1 and loses nothing when they are near 0. Sums are compensated: 4 ulp
/// (`tests/metric_laws.rs`).
///
/// # Errors
/// [`Error::Length`] if the label was proven against another number of classes.
///
/// Cost: C multiplications and 8C additions.
///
/// ```
/// use simloss_core::{Label, decoders::Probabilities, metrics::ranked_probability};
/// let p = Probabilities::new(&[0.5f32, 0.25, 0.25])?;
/// assert_eq!(ranked_probability(p, Label::new(0, 3)?)?, 0.25 + 0.0625);
/// assert_eq!(ranked_probability(p, Label::new(2, 3)?)?, 0.25 + 0.5625);
/// # Ok::<(), simloss_core::Error>(())
/// ```
pub fn ranked_probability<T: Scalar>(p: Probabilities<'_, T>, y: Label) -> Result<T, Error> {
    let y = y.of(p.classes())?.index();
    let (below, from) = p.as_slice().split_at_checked(y).unwrap_or((p.as_slice(), &[]));
    let above = from.get(1..).unwrap_or(&[]);
    let mut score = BlockSum::new(());
    // From both ends towards the true class.
    add_squares_of_sums(&mut score, below.iter());
    add_squares_of_sums(&mut score, above.iter().rev());
    Ok(score.total())
}

fn add_squares_of_sums<'a, T: Scalar>(score: &mut BlockSum<T>, p: impl Iterator<Item = &'a T>) {
    let mut sum = BlockSum::new(());
    for &x in p {
        sum.add_one(x);
        score.add_one(sum.total().mul(sum.total()));
    }
}
