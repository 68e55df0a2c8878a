//! Numbers in, numbers out: networks in registers and on all processors, and the losses that train them.

pub mod engine;
pub mod lanes;
pub mod loss;
pub mod network;
pub mod samples;
pub mod task;
