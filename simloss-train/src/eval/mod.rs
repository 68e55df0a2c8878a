//! What a network says of samples, and how good that is.

pub mod infer;
pub mod predictions;
pub mod scores;
