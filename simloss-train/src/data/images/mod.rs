//! Images with their classes: from files to the lanes of the networks.
//!
//! ```text
//! files -> decode (RGB, 8 bits) -> resize -> ImageSet (pixels as bytes) -> Images: /255, augmented, one image per lane
//! ```
//!
//! | module | reads |
//! |---|---|
//! | [`cifar`] | CIFAR-100: binary files, the archive as downloaded |
//! | [`folder`] | folders of PNG and JPEG: classes as folders, ages in names, labels in a table |
//!
//! Pixels stay bytes in memory (184 MB for CIFAR-100, a quarter of what `f32` takes) and become numbers where a group of
//! samples enters its lanes. Nothing but the division by 255 is done to them: that is what the published networks saw.

pub mod cifar;
pub mod decode;
mod features;
pub mod folder;
pub mod resize;
mod set;

mod cache;

pub use crate::error::images::Problem;
pub use features::{Augmentation, Images};
#[cfg(test)]
pub(crate) use set::tests::pattern;
pub use set::{Contents, ImageSet, Part, Tree};

/// Red, green, blue.
pub const CHANNELS: usize = 3;
