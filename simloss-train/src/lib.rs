//! The program `simloss`: SimLoss against cross entropy on data, on the core that also runs on microcontrollers.
//!
//! ```text
//! files -> table, wine, images -> task -> run (engine, lanes: the core's train_step) -> record, model
//!                                      -> compare (grid x seeds) -> analysis -> report (one renderer a format)
//! ```
//!
//! Nothing here computes on weights, logits or probabilities: that is the core's. What is here reads files, splits and
//! standardises features, spreads whole groups of samples over threads and SIMD lanes, and writes what came of it.
//!
//! The program is documented by `simloss --help`. As a library, begin with the examples: `01_two_losses_on_wine` compares
//! two losses, `02_your_own_similarity` reads a matrix and word vectors.
//!
//! # Where to find what
//! | you want | it is |
//! |---|---|
//! | to train one network | [`run::train::run`], with [`run::record::Settings`]; out comes a [`run::record::Record`] |
//! | to compare losses over seeds | [`compare::schedule::compare`] with a [`compare::plan::Plan`]; [`compare::statistics::paired`] for the test alone |
//! | a report of what is finished | [`compare::analysis::Analysis`] of a [`compare::comparison::Comparison`]; [`report::write`] |
//! | a table, or images, from files | [`data::read::csv::read`]; [`data::read::images::folder`], [`data::read::images::cifar`]; the embedded [`data::read::wine::table`] |
//! | a similarity from options and files | [`similarity::Request`] |
//! | the core's `train_step` on all processors | [`compute::engine::Threads`], an `Engine` of the core |
//! | a trained network, to use or to go on with | [`model::Model`], [`eval::infer::evaluate`], [`model::checkpoint::read`] |
//! | a network for firmware | [`model::firmware::Head`], [`model::firmware::Frozen`] |
//! | the loss, layers, metrics themselves | [`simloss_core`], whose front page has its own map |
//!
//! # The modules
//! In the order in which data pass; each uses only those above it.
//!
//! | module | |
//! |---|---|
//! | `error`, `files`, `input` | what can go wrong, and where; files that are whole or not there; text that people give |
//! | [`data`] | tables and images, with their classes |
//! | [`similarity`] | from options and files to rows |
//! | [`compute`] | the core's networks and losses, in registers, on all processors |
//! | [`model`] | a trained network: its file, PyTorch's layout, and its head for a device |
//! | [`eval`] | what a network says of samples, and how good that is |
//! | [`run`] | one training, written as it goes, resumed to the same bits |
//! | [`compare`] | many runs, their analysis, and which differences are significant |
//! | [`report`] | an analysis in each format |
//! | [`cli`] | what may be said on the command line, and what is then done |
#![cfg_attr(test, allow(clippy::disallowed_methods))] // tests judge by the platform's functions

pub mod cli;
pub mod compare;
pub mod compute;
pub mod data;
mod error;
pub mod eval;
mod files;
pub mod input;
pub mod model;
pub mod report;
pub mod run;
pub mod similarity;

/// The version of this crate, part of every record.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

pub use error::Error;
