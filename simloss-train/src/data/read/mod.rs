//! From files to samples.

pub mod csv;
pub mod images;
pub mod wine;
