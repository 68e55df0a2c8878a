//! Everything public in the libraries, judged: one program, a module a subject.
#![allow(clippy::disallowed_methods)] // the platform's functions judge

mod accuracy;
mod device;
mod docs;
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
mod mistakes;
mod proper;
mod public;
mod resume;
mod similarity;
mod supply;
mod training;
mod verified;
