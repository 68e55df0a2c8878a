//! The one way to train and to evaluate, for a batch of one on a microcontroller and of 1,024 on a desktop.
//!
//! ```text
//! features -> layers -> logits -> loss -> gradient -> layers backward -> gradient sink -> optimizer
//! ```
//!
//! [`train_step`] sums the gradient of a batch and moves the parameters once; [`train_one`] is the same for a single
//! sample without memory for gradients, and gives the same bits. [`eval_step`] stops at logits and losses.
//!
//! For a device that keeps learning:
//!
//! | | |
//! |---|---|
//! | [`Replay`] | recent samples, to train on again |
//! | [`Accumulator`] | a mean over samples that come one at a time |
//! | [`SlicedStep`] | a step that can be called until it is done |
//! | [`guarded_round`] | training that is taken back if it did harm |
//! | [`Budget`] | the memory of all this, in constants |
//!
//! What computes the groups of a batch is an [`Engine`]: [`Serial`] here, threads with SIMD lanes elsewhere. Each calls
//! [`Network::gradient_of_group`] for whole groups of [`GROUP`] samples and commits them in order, so every engine
//! gives the same bits.

mod accumulate;
mod budget;
mod guard;
mod network;
mod replay;
mod sliced;
mod step;

pub use crate::number::GROUP;
pub use accumulate::Accumulator;
pub use budget::Budget;
pub use guard::{Round, guarded_round};
pub use network::{Features, Network, RowMajor, Work};
pub use replay::{Drawn, Keep, Replay};
pub use sliced::SlicedStep;
pub use step::{Batch, Engine, Evaluation, Model, Serial, eval_step, mean_loss, train_one, train_step};
