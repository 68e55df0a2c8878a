//! From the probabilities of the classes to one answer: a class, or a value such as an age.
//!
//! | decoder | answer | best for |
//! |---|---|---|
//! | [`argmax`] | the most probable class | accuracy |
//! | [`median`] | the lowest class with at least half of the probability up to and including it | the error `abs(i - j)` of indices |
//! | [`expectation`] | `sum_k p[k] v[k]`, a real number | the squared error of values |
//! | [`CostTable::minimum_risk`] | the class of least expected cost | the mean of that cost |
//!
//! A decision for what is measured is a strong baseline for any loss: compare networks under the same decoder.
//!
//! # Ties
//! The lowest class wins, everywhere.
//!
//! # Where to add one
//! A function of [`Probabilities`] here, or a new file if it keeps a table.

mod probabilities;
mod risk;

use crate::{
    Error, Label,
    error::length,
    number::{BlockSum, Scalar, block_sum},
};
pub use probabilities::{Probabilities, ProbabilityVector};
pub use risk::{CostMatrix, CostTable};

/// The class of the largest number, of logits or of probabilities: `argmax_k x[k]`, ties to the lowest class.
///
/// Of logits it needs no exponential, and sees differences that rounding removes from the probabilities.
///
/// Shapes: `x`: C, returns one of C classes.
///
/// # Errors
/// [`Error::Classes`] unless `x` holds from 2 to 65,535 numbers, [`Error::NotFinite`] if one is NaN or infinite.
///
/// Cost: 2C comparisons and C subtractions.
///
/// ```
/// use simloss_core::{Error, decoders::argmax, nalgebra::SVector};
/// let logits = SVector::<f32, 4>::new(-1.0, 2.5, 0.0, 2.5);
/// assert_eq!(argmax(logits.as_slice())?.index(), 1);
/// assert_eq!(argmax(&[0.0, f32::NAN]), Err(Error::NotFinite { what: "scores", sample: 0 }));
/// # Ok::<(), Error>(())
/// ```
pub fn argmax<T: Scalar>(x: &[T]) -> Result<Label, Error> {
    let first = Label::new(0, x.len())?;
    if x.iter().all(|x| x.is_finite()) {
        Ok(label(largest(x).0, first))
    } else {
        Err(Error::NotFinite { what: "scores", sample: 0 })
    }
}

/// The median class: the lowest class `c` with `sum_{k <= c} p[k] >= 1/2 sum_k p[k]`.
///
/// For classes in an order it is the class of least expected distance `abs(i - j)`, at O(C) in place of the O(C^2) of
/// [`CostTable::minimum_risk`].
///
/// Shapes: `p`: C, returns one of C classes.
///
/// Numerics: one running sum with Kahan's compensation gives both sides, so probabilities that miss 1 by rounding do
/// not move the median. Probabilities that are all 0 give class 0.
///
/// Cost: 8C additions and C comparisons.
///
/// ```
/// use simloss_core::decoders::{Probabilities, median};
/// let p = Probabilities::new(&[0.25f32, 0.25, 0.125, 0.375])?;
/// assert_eq!(median(p).index(), 1);
/// # Ok::<(), simloss_core::Error>(())
/// ```
pub fn median<T: Scalar>(p: Probabilities<'_, T>) -> Label {
    let mut total = BlockSum::new(());
    p.as_slice().iter().for_each(|&x| total.add_one(x));
    let half = total.total().mul(T::HALF);
    let mut below = BlockSum::new(());
    let class = p.as_slice().iter().position(|&x| {
        below.add_one(x);
        below.total() >= half
    });
    p.label(class.unwrap_or(0))
}

/// The expected value `sum_k p[k] v[k]`, `v[k]` being the value of class `k` (an age, not an index).
///
/// Shapes: `p`: C, `values`: C, returns scalar.
///
/// Numerics: a block sum, 3 ulp for values of one sign (`tests/metric_laws.rs`). The probabilities are taken as they
/// are: their sum missing 1 by a rounding scales the result by as much.
///
/// # Errors
/// [`Error::Length`] unless there are as many values as classes, [`Error::NotFinite`] for a value that is NaN or
/// infinite.
///
/// Cost: C multiplications and 2C additions.
///
/// ```
/// use simloss_core::{Error, decoders::{Probabilities, expectation}};
/// let p = Probabilities::new(&[0.25f32, 0.5, 0.25])?;
/// assert_eq!(expectation(p, &[20.0, 30.0, 60.0])?, 35.0);
/// assert!(matches!(expectation(p, &[20.0]), Err(Error::Length { expected: 3, found: 1, .. })));
/// # Ok::<(), Error>(())
/// ```
pub fn expectation<T: Scalar>(p: Probabilities<'_, T>, values: &[T]) -> Result<T, Error> {
    let p = p.as_slice();
    length("the class values", p.len(), values.len())?;
    if !values.iter().all(|v| v.is_finite()) {
        return Err(Error::NotFinite { what: "class values", sample: 0 });
    }
    Ok(dot(p, |k| values.get(k).copied()))
}

/// The block sum of `p[k] v(k)`; a missing `v(k)` counts as 0.
#[inline]
fn dot<T: Scalar>(p: &[T], v: impl Fn(usize) -> Option<T>) -> T {
    block_sum((), p.len(), |k| match (p.get(k), v(k)) {
        (Some(&p), Some(v)) => p.mul(v),
        _ => T::ZERO,
    })
}

/// The index of the largest of some finite numbers, and that number; the lowest index wins.
#[inline]
fn largest<T: Scalar>(x: &[T]) -> (usize, T) {
    let mut best = (0, x.first().copied().unwrap_or(T::ZERO));
    for (k, &x) in x.iter().enumerate() {
        if x > best.1 {
            best = (k, x);
        }
    }
    best
}

/// Class `index` of as many classes as `first` was proven against; `first` itself if there is none.
#[inline]
fn label(index: usize, first: Label) -> Label {
    Label::new(index, first.classes()).unwrap_or(first)
}
