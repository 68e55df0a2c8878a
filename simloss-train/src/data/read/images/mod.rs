//! Files of images to [`ImageSet`](crate::data::images::ImageSet)s.
//!
//! | module | reads |
//! |---|---|
//! | [`cifar`] | CIFAR-100: binary files, the archive as downloaded |
//! | [`folder`] | folders of PNG and JPEG: classes as folders, ages in names, labels in a table |

mod cache;
pub mod cifar;
pub mod decode;
pub mod folder;
mod jpeg;
pub mod resize;
mod scan;
