//! SimLoss: cross entropy that knows how classes relate, from a microcontroller to a workstation.
//!
//! ```text
//! L = -ln sum_c S[y, c] softmax(z)_c
//! ```
//!
//! `z` are the logits, `y` the true class, `S[y, c]` in `[0, 1]` says how much of the probability given to class `c`
//! counts as right. Source: Kobs, Steininger, Zehe, Lautenschlager, Hotho, "SimLoss: Class Similarities in Cross
//! Entropy", ISMIS 2020, arXiv 2003.03182.
//!
//! ```
//! use simloss_core::{Label, loss::{Loss, SimLoss}, similarity::ClassOrder};
//!
//! // Ten classes in an order: one step away counts 0.8, two steps 0.64, ..
//! let loss = SimLoss::new(ClassOrder::<f32, 10>::new(0.8)?);
//! let logits = [0.1f32, 0.3, 2.5, 0.4, -1.0, 0.0, 0.2, -0.3, 0.1, 0.0];
//! let (value, gradient) = loss.value_and_gradient(&logits.into(), Label::new(3, 10)?)?;
//! assert_eq!(value, 0.352_725_83);
//! assert!(gradient[3] < 0.0); // more of the true class
//! # Ok::<(), simloss_core::Error>(())
//! ```
//!
//! # Map
//! The modules are the way of the data:
//!
//! | | |
//! |---|---|
//! | features | [`standardise_into`], [`train::Features`] |
//! | [`layers`] | dense, convolution, max-pooling, relu, one after another |
//! | logits, [`Label`] | what the network says, what is true |
//! | [`similarity`] | the row of the true class |
//! | [`loss`] | value, and gradient with respect to the logits |
//! | layers backward, [`gradient`] | where parameter gradients go |
//! | [`optimizer`] | new parameters |
//! | [`train`] | the steps above as one |
//! | [`checkpoint`] | parameters and the optimizer's state as bytes; with the feature `flash`, in two slots of a flash memory |
//! | [`decoders`], [`metrics`] | from probabilities to an answer, from answers to a figure |
//!
//! Under all of them: [`number`] (the arithmetic) and [`Random`].
//!
//! # Promises
//! - `no_std`, no allocator, no `unsafe`, no panic in what is linked for a training step (checked on the binary).
//! - The same bits on every target, with any number of lanes and threads, in debug and release: only IEEE operations in
//!   a stated order, one [`number::Value`] trait, libm compiled in.
//! - Callers own all memory. An error is a typed value, and what it was about keeps its content ([`Error`]).
//!
//! # What it is not
//! No tensors, no automatic differentiation, no padding or stride in convolutions, no batch normalisation; at most
//! 65,535 classes. nalgebra is the vocabulary of the public types; its products are not used, because their order of
//! summation is not fixed.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod error;
mod label;
mod random;
mod slices;

pub mod number;

mod standardise;

pub mod layers;

pub mod similarity;

pub mod loss;

pub mod gradient;

pub mod optimizer;

pub mod train;

pub mod checkpoint;

#[cfg(feature = "flash")]
pub mod flash;

pub mod decoders;

pub mod metrics;

pub use error::Error;
pub use label::Label;
pub use nalgebra;
pub use random::Random;
pub use standardise::standardise_into;
