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
//! # Where to find what
//! | you want | it is |
//! |---|---|
//! | the loss of a sample, and its gradient | [`loss::SimLoss`] and the methods of [`loss::Loss`]; the baseline [`loss::CrossEntropy`] |
//! | the loss of a batch: weights, ignored samples, soft labels, a mean | [`loss::Criterion`], [`loss::Targets`], [`loss::Reduction`] |
//! | to say how classes relate | [`similarity`]: an order, a circle, a matrix or cosines, a few pairs, a tree |
//! | a similarity for which proper SimLoss is a proper scoring rule | [`similarity::ProperSimilarity`]; [`similarity::Verified`] checks any |
//! | a true class | [`Label`] |
//! | layers | [`layers::Dense`], [`layers::Conv2d`], [`layers::MaxPool`]; [`layers::Layer::then`] and [`relu`](layers::Layer::relu) compose them |
//! | an optimizer | [`optimizer::Sgd`], [`optimizer::Momentum`], [`optimizer::Adam`]; decay and [`optimizer::Clip`] wrap any of them |
//! | a training step | [`train::train_step`] for a batch, [`train::train_one`] for one sample without memory for gradients |
//! | losses and logits without training | [`train::eval_step`] |
//! | to know the memory before building | [`device::Budget`] |
//! | a head on a device: learn, predict, save and load in one line each | [`device::Head`] |
//! | a device that keeps learning | [`device::Replay`], [`device::Accumulator`], [`device::SlicedStep`], [`device::guarded_round`] |
//! | parameters and optimizer as bytes, and back | [`device::checkpoint`]; with the feature `flash`, two slots of a flash memory |
//! | probabilities | [`loss::softmax`]; [`metrics::fit_temperature`] calibrates them |
//! | an answer from probabilities | [`decoders`]: the most probable, the median, the expectation, the least cost |
//! | accuracy, MAE, calibration, .. | [`metrics::ClassificationMetrics`], or the one you need of [`metrics`] |
//! | first weights, shuffles | [`layers::Layer::initialise`], [`Random`] |
//! | why something was refused | [`Error`] |
//!
//! Five examples, to be read in order: `01_loss`, `02_similarity`, `03_train_step`, `04_head_on_a_device`, `05_metrics`
//! (`cargo run -p simloss-core --example 01_loss`).
//!
//! # The modules
//! They are the way of the data:
//!
//! ```text
//! features -> layers -> logits -> similarity row of y -> loss, gradient -> layers backward -> optimizer -> metrics, decoders
//! ```
//!
//! | | |
//! |---|---|
//! | features | [`Scale`], [`train::Features`] |
//! | [`layers`] | dense, convolution, max-pooling, relu, one after another |
//! | logits, [`Label`] | what the network says, what is true |
//! | [`similarity`] | the row of the true class |
//! | [`loss`] | value, and gradient with respect to the logits |
//! | layers backward, [`gradient`] | where parameter gradients go |
//! | [`optimizer`] | new parameters |
//! | [`train`] | the steps above as one |
//! | [`device`] | a device that keeps learning: replay, accumulation, slices, a guard, state as bytes and in flash |
//! | [`decoders`], [`metrics`] | from probabilities to an answer, from answers to a figure |
//!
//! Under all of them: [`number`] (the arithmetic) and [`Random`].
//!
//! # Features
//! None is needed; the default tree is libm, heapless, crc and nalgebra with what they need.
//!
//! | feature | |
//! |---|---|
//! | `flash` | training state in two slots of a flash memory |
//! | `defmt` | public errors and small types can be logged by [defmt](https://defmt.ferrous-systems.com) |
//!
//! # Promises
//! - `no_std`, no allocator, no `unsafe`, no panic in any public function (checked on a binary that links them all).
//! - The same bits on every target, with any number of lanes and threads, in debug and release: only IEEE operations in
//!   a stated order, one [`number::Value`] trait, libm compiled in.
//! - Callers own all memory. An error is a typed value; [`Error`] says what keeps its content then.
//!
//! # What it is not
//! No tensors, no automatic differentiation, no padding or stride in convolutions, no batch normalization; at most
//! 65,535 classes. nalgebra is the vocabulary of the public types; its products are not used, because their order of
//! summation is not fixed.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods))] // tests judge by the platform's functions

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

pub mod device;

pub mod decoders;

pub mod metrics;

pub use error::Error;
pub use label::Label;
pub use nalgebra;
pub use random::Random;
pub use standardise::{Scale, standardise_into};
