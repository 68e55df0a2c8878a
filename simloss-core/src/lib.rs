#![no_std]
#![forbid(unsafe_code)]
#![doc = "core"]
#[cfg(test)]
extern crate std;

pub mod number;
mod error;
mod label;
mod random;
mod slices;
pub mod layers;
pub mod similarity;
pub mod loss;
pub mod gradient;
pub mod optimizer;
pub mod train;
pub mod metrics;
pub mod decoders;


pub use error::Error;
pub use label::Label;
pub use random::Random;
pub use nalgebra;
