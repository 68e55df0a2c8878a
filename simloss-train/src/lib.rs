//! train
mod error;
mod files;
pub mod input;
pub mod data;
pub mod engine;
pub mod lanes;
pub mod model;
pub mod table;
pub mod wine;
pub mod similarity;
pub mod network;
pub mod record;
pub mod run;
mod score;
pub mod measure;
pub mod statistics;
pub mod compare;
pub mod summary;
mod plot;
pub mod report;
pub mod progress;
pub mod cli;
pub mod commands;

pub use error::Error;
