//! train
pub mod cli;
pub mod commands;
pub mod compare;
pub mod data;
pub mod engine;
mod error;
mod files;
pub mod input;
pub mod lanes;
pub mod measure;
pub mod model;
pub mod network;
mod plot;
pub mod progress;
pub mod record;
pub mod report;
pub mod run;
mod score;
pub mod similarity;
pub mod statistics;
pub mod summary;
pub mod table;
pub mod wine;

pub use error::Error;
