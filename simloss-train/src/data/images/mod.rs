//! Images with their classes, as they enter the lanes of the networks.
//!
//! ```text
//! files -> decode (RGB, 8 bits) -> resize -> ImageSet (pixels as bytes) -> Images: /255, augmented, one image per lane
//! ```
//!
//! Pixels stay bytes in memory (184 MB for CIFAR-100, a quarter of what `f32` takes) and become numbers where a group of
//! samples enters its lanes. Nothing but the division by 255 is done to them: that is what the published networks saw.

mod features;
mod set;

pub use crate::error::images::Problem;
pub use features::{Augmentation, Images};
#[cfg(test)]
pub(crate) use set::tests::pattern;
pub(crate) use set::wrong;
pub use set::{Contents, ImageSet, Part, Tree};

/// Red, green, blue.
pub const CHANNELS: usize = 3;
