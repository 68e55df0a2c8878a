//! How good answers and probabilities are, in sums that any number of threads and batches can share.
//!
//! # Pieces
//! A metric is an accumulator of what one sample scores. Accumulators have `update`, `merge` and `value`; `value` is
//! `None` where nothing was counted, never NaN. Counts are `u64`, sums of real numbers are
//! [`FixedSum`](crate::number::FixedSum)s: merging gives the same bits in any grouping and order.
//!
//! | metric | accumulator | of one sample with true class `y`, prediction `c`, probabilities `p` |
//! |---|---|---|
//! | accuracy | [`Share`] | `c = y` |
//! | top-k | [`Share`] | [`rank(p, y)`](rank) `< k` |
//! | within k | [`Share`] | `abs(y - c) <= k`, of indices |
//! | superclass accuracy (SA) | [`Share`] | `g(y) = g(c)`, with `g` the superclass |
//! | failed superclass accuracy (FSA) | [`Share`] | `g(y) = g(c)`, counting only samples with `c != y` |
//! | MAE, MSE | [`ValueErrors`] | `abs(v - t)`, `(v - t)^2`, with `t` the true value (an age) and `v` the predicted one |
//! | similarity of the prediction | [`Mean`] | `S[y, c]` |
//! | NLL | [`Mean`] | [`CrossEntropy`](crate::loss::CrossEntropy) of the logits, never `ln` of a probability that may be 0 |
//! | Brier score | [`Mean`] | [`brier(p, y)`](brier) |
//! | ranked probability score (RPS) | [`Mean`] | [`ranked_probability(p, y)`](ranked_probability) |
//! | expected calibration error (ECE) | [`Calibration`] | `max p` and whether that class is right |
//! | quadratic weighted kappa (QWK) | [`ConfusionTable`] | the pair `(y, c)` |
//!
//! What depends only on `(y, c)` follows exactly, with equal bits, from a [`ConfusionTable`] too, after the fact. Where
//! its `8 C^2` bytes are too many (64,800 at C = 90), a [`Share`] takes 16 and a [`Mean`] at most 32.
//! [`ClassificationMetrics`] holds everything about the probabilities and the most probable class.
//!
//! # After training
//! [`fit_temperature`] finds the one number that makes probabilities of validation samples most likely.
//!
//! # Several decoders
//! A [`ConfusionTable`] for each decoder that answers with a class, [`ValueErrors`] for each that answers with a value.
//!
//! # Where to add one
//! A score of one sample in `scores`, a count of pairs in `confusion`.

mod calibration;
mod classification;
mod confusion;
mod mean;
mod scores;
mod temperature;

pub use calibration::{Bin, Calibration};
pub use classification::{CALIBRATION_BINS, ClassificationMetrics};
pub use confusion::{ConfusionMatrix, ConfusionTable};
pub use mean::{Mean, Share, ValueErrors};
pub use scores::{brier, rank, ranked_probability};
pub use temperature::{fit_temperature, tempered_into};
