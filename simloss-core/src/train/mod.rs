//! The one way to train and to evaluate, for a batch of one on a microcontroller and of 1,024 on a desktop.
//!
//! ```text
//! features -> layers -> logits -> loss -> gradient -> layers backward -> gradient sink -> optimizer
//! ```
//!
//! [`train_step`] sums the gradient of a batch and moves the parameters once; [`train_one`] is the same for a single
//! sample without memory for gradients, and gives the same bits. [`eval_step`] stops at logits and losses.
//!
//! A device that keeps learning finds the rest in [`device`](crate::device).
//!
//! What computes the groups of a batch is an [`Engine`]: [`Serial`] here, threads with SIMD lanes elsewhere. Each calls
//! [`Network::gradient_of_group`] for whole groups of [`GROUP`] samples and commits them in order, so every engine
//! gives the same bits.

mod network;
mod step;

pub use crate::number::GROUP;
pub use network::{Features, Network, RowMajor, Work};
pub(crate) use network::{Judge, Load, OVERFLOW, Parts, logits_of, surely_usable};
pub use step::{Batch, Engine, Evaluation, Model, Serial, eval_step, mean_loss, train_one, train_step};
pub(crate) use step::{checked_scale, mean};
