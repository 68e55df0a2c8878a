#![no_std]
#![forbid(unsafe_code)]
#![doc = "core"]
#[cfg(test)]
extern crate std;

mod error;
mod label;
pub mod similarity;
pub mod loss;
pub mod number;

pub use error::Error;
pub use label::Label;
pub use nalgebra;
