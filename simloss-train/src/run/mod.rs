//! One training: written as it goes, resumed to the same bits.

pub mod diagnostics;
mod fingerprint;
pub(crate) mod folder;
pub mod progress;
pub mod record;
pub mod train;
