//! Soft labels from a similarity: what is taken for true of a sample, shared among the classes that are like its own.
//!
//! ```text
//! t[y, c] = S[y, c] / sum_k S[y, k]
//! ```
//!
//! Cross entropy against these targets (a [`Criterion`](super::Criterion) takes them) is another way to use what a
//! similarity knows, and a baseline for SimLoss: it asks for a spread of probabilities where SimLoss allows one. Unlike
//! SimLoss it is a proper scoring rule, for `t` in place of the truth.
//!
//! With class order and `r = exp(-1 / tau)` it is `t[y, c] = softmax_c(-abs(y - c) / tau)`, the soft ordinal label (SORD)
//! of R. Diaz and A. Marathe, "Soft Labels for Ordinal Regression", CVPR 2019, with the distance `abs(y - c) / tau`.

use crate::error::length;
use crate::{
    Error, Label,
    number::{Scalar, block_sum},
    similarity::{Similarity, row_scratch, similarity as value},
};

/// The soft label of class `y`: its row of `similarity`, divided by the sum of the row.
///
/// Shapes: `targets`: C; `scratch`: as many numbers as [`Similarity::scratch`] says.
///
/// Guarantees: entries in `[0, 1]`, 0 where the similarity is 0, the largest that of `y` (and of classes as similar as
/// itself). Numerics: within 6 units of rounding of the equation (`tests/similarity.rs`).
///
/// # Errors
/// [`Error::Length`] for a label of another number of classes, another number of targets, or scratch that is too short.
/// Targets keep their content then.
///
/// Cost: C divisions and 3C additions.
///
/// ```
/// use simloss_core::{Error, Label, loss::soft_label_into, similarity::ClassOrder};
/// let mut targets = [0.0f32; 3];
/// soft_label_into(&ClassOrder::<f32, 3>::new(0.5)?, Label::new(1, 3)?, &mut [], &mut targets)?;
/// assert_eq!(targets, [0.25, 0.5, 0.25]);
/// # Ok::<(), Error>(())
/// ```
pub fn soft_label_into<T: Scalar>(
    similarity: &impl Similarity<T>,
    y: Label,
    scratch: &mut [T],
    targets: &mut [T],
) -> Result<(), Error> {
    let classes = similarity.classes();
    let y = y.of(classes)?;
    length("the soft label", classes, targets.len())?;
    row_scratch(similarity, scratch)?;
    let row = similarity.row(y, scratch);
    let entry = |c: usize| row.get(c).map_or(T::ZERO, |&x| value(x));
    // At least 1, the similarity of the class to itself.
    let sum = block_sum((), classes, entry);
    for (c, target) in targets.iter_mut().enumerate() {
        *target = entry(c).div(sum);
    }
    Ok(())
}
