//! Tests of everything public in the libraries: one program, one module per subject.
#![allow(clippy::disallowed_methods)] // tests compare with the platform's functions

mod accuracy;
mod device;
mod engine;
mod exponential;
mod exported;
mod flash;
mod front;
mod golden;
mod gradients;
mod images;
mod inputs;
mod laws;
mod layout;
mod metric_laws;
mod metrics;
mod proper;
mod public;
mod resume;
mod similarity;
mod supply;
mod training;
mod verified;
