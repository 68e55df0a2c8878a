//! The program `simloss`: SimLoss against cross entropy on data, on the core that also runs on microcontrollers.
//!
//! ```text
//! files -> table, wine, images -> task -> run (engine, lanes: the core's train_step) -> record, model
//!                                      -> compare (grid x seeds) -> statistics -> results, summary, report
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
//! | to train one network | [`run::run`], with [`record::Settings`]; out comes a [`record::Record`] |
//! | to compare losses over seeds | [`compare::compare`] with a [`compare::Plan`]; [`statistics::paired`] for the test alone |
//! | a table, or images, from files | [`table::read`]; [`images::folder`], [`images::cifar`]; the embedded [`wine::table`] |
//! | a similarity from options and files | [`similarity::Request`] |
//! | the core's `train_step` on all processors | [`engine::Threads`], an `Engine` of the core |
//! | a trained network, to use or to go on with | [`model::Model`], [`evaluate::evaluate`], [`checkpoint::read`] |
//! | a network for firmware | [`firmware::Head`], [`firmware::Frozen`] |
//! | the loss, layers, metrics themselves | [`simloss_core`], whose front page has its own map |
//!
//! # The modules
//! | module | |
//! |---|---|
//! | [`cli`], [`commands`], [`progress`] | what may be said on the command line, and what is then done |
//! | [`input`], [`table`], [`wine`], [`data`] | tables |
//! | [`images`] | images with their classes: from files to the lanes of the networks |
//! | [`samples`], [`task`], [`evaluate`] | either of them, what is learned from it, and what a network says of it |
//! | [`similarity`], [`loss`] | from options and files to rows, and the losses of them |
//! | [`network`], [`lanes`], [`engine`] | the core's layers, in registers, on all processors |
//! | [`firmware`] | the head of a network, and what is frozen before it, for a device |
//! | [`run`], [`record`], [`model`], [`checkpoint`], [`measure`] | one training, written as it goes, resumed to the same bits |
//! | [`compare`], [`details`] | many trainings, and what is kept of each |
//! | [`manifest`], [`comparison`], [`statistics`], [`results`], [`summary`], [`report`] | what may be said of them, from their files alone |
#![cfg_attr(test, allow(clippy::disallowed_methods))] // tests judge by the platform's functions

pub mod checkpoint;
pub mod cli;
pub mod commands;
pub mod compare;
pub mod comparison;
pub mod data;
pub mod details;
pub mod engine;
mod error;
pub mod evaluate;
mod files;
pub mod firmware;
pub mod images;
pub mod input;
pub mod lanes;
pub mod loss;
pub mod manifest;
pub mod measure;
pub mod model;
pub mod network;
mod plot;
pub mod progress;
pub mod record;
pub mod report;
pub mod results;
pub mod run;
pub mod samples;
mod score;
pub mod similarity;
pub mod statistics;
pub mod summary;
pub mod table;
pub mod task;
pub mod wine;

pub use error::Error;
