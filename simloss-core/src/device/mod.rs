//! What a device that keeps learning needs, in memory of the caller's.
//!
//! | | |
//! |---|---|
//! | [`Head`] | the head itself: learns, predicts, saves and loads in one line each |
//! | [`Replay`] | recent samples, to train on again |
//! | [`Accumulator`] | a mean over samples that come one at a time |
//! | [`SlicedStep`] | a step that can be called until it is done |
//! | [`guarded_round`] | training that is rolled back if the held-out loss rose |
//! | [`Budget`] | the memory of all this, in constants |
//! | [`checkpoint`] | parameters and the optimizer's state as bytes |
//! | `flash` (a feature) | two of them in a flash memory, of which one is always whole |

mod accumulate;
mod budget;
pub mod checkpoint;
#[cfg(feature = "flash")]
pub mod flash;
mod guard;
mod head;
mod layers;
mod objective;
mod replay;
mod sliced;

pub use accumulate::Accumulator;
pub use budget::Budget;
pub use guard::{Round, guarded_round};
pub use head::Head;
pub use layers::{HeadLayers, Hidden, OneLayer};
pub use objective::{Fill, Given, Objective, Smoothed, Sord, Table, Weighted};
pub use replay::{Drawn, Keep, Replay};
pub use sliced::SlicedStep;
