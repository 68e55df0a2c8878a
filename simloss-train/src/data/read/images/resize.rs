//! Images of any size to the size of a network: Pillow's `resize(size, BILINEAR)`.
//!
//! Every output pixel is a mean of the input pixels under a triangle whose width grows with the scale (so that shrinking
//! does not alias), first along rows, then along columns, each rounded to 8 bits. This is the convolution with a bilinear
//! filter of the crate `fast_image_resize`, modeled on Pillow's; the two differ by at most one grey level
//! (`tests/images.rs` compares them).

use crate::Error;
use crate::data::images::CHANNELS;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer, images::TypedImage, pixels::U8x3};

/// Resizes images, one after another; keeps its memory.
#[derive(Clone, Default)]
pub struct Resize {
    resizer: Resizer,
    to: Vec<u8>,
}

impl std::fmt::Debug for Resize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resize").finish_non_exhaustive()
    }
}

impl Resize {
    /// `from`, `height` rows of `width` red, green and blue bytes, to `planes`: all red, all green, all blue, of
    /// `to_height` rows of `to_width`.
    ///
    /// # Errors
    /// [`Error::Core`] for slices of other lengths, and sizes of 0.
    ///
    /// ```
    /// use simloss_train::data::read::images::resize::Resize;
    /// let mut planes = [0; 3];
    /// Resize::default().planes(vec![10, 20, 30, 20, 40, 60], [1, 2], &mut planes, [1, 1])?;
    /// assert_eq!(planes, [15, 30, 45]);
    /// # Ok::<(), simloss_train::Error>(())
    /// ```
    pub fn planes(
        &mut self,
        mut from: Vec<u8>,
        [height, width]: [usize; 2],
        planes: &mut [u8],
        [to_height, to_width]: [usize; 2],
    ) -> Result<(), Error> {
        let wrong = |what, expected, found| Err(simloss_core::Error::Length { what, expected, found }.into());
        let bytes = |[height, width]: [usize; 2]| {
            height.checked_mul(width).and_then(|n| n.checked_mul(CHANNELS)).filter(|&n| n > 0).unwrap_or(usize::MAX)
        };
        let (expected, needed) = (bytes([height, width]), bytes([to_height, to_width]));
        if from.len() != expected {
            return wrong("the pixels of an image", expected, from.len());
        }
        if planes.len() != needed {
            return wrong("the pixels of a resized image", needed, planes.len());
        }
        if [height, width] == [to_height, to_width] {
            split(&from, planes);
            return Ok(());
        }
        self.to.resize(needed, 0);
        let side = |n: usize| u32::try_from(n).unwrap_or(0);
        let (width, height, to_width, to_height) = (side(width), side(height), side(to_width), side(to_height));
        // With the type of pixels said, the filters are compiled for that one alone; with a source of the same type as the
        // image between the passes, which nobody may borrow, once and not twice: 30 of each are a tenth of this library.
        let source = TypedImage::<U8x3>::from_buffer(width, height, &mut from).map_err(refused)?;
        let mut target = TypedImage::<U8x3>::from_buffer(to_width, to_height, &mut self.to).map_err(refused)?;
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        self.resizer.resize_typed(&source, &mut target, &options).map_err(refused)?;
        split(&self.to, planes);
        Ok(())
    }
}

fn refused<E>(_: E) -> simloss_core::Error {
    simloss_core::Error::Length { what: "the sides of an image", expected: 1, found: 0 }
}

/// Pixel after pixel to plane after plane.
fn split(pixels: &[u8], planes: &mut [u8]) {
    let plane = planes.len() / CHANNELS;
    for (channel, plane) in planes.chunks_exact_mut(plane.max(1)).enumerate().take(CHANNELS) {
        for (to, pixel) in plane.iter_mut().zip(pixels.chunks_exact(CHANNELS)) {
            *to = pixel[channel];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_checked() {
        let mut resize = Resize::default();
        for (from, size, to, to_size) in [
            (vec![0; 11], [2, 2], 12, [2, 2]),
            (vec![0; 12], [2, 2], 11, [2, 2]),
            (vec![], [0, 2], 12, [2, 2]),
            (vec![0; 12], [2, 2], 0, [0, 2]),
            (vec![0; 12], [usize::MAX, 2], 12, [2, 2]),
        ] {
            assert!(resize.planes(from, size, &mut vec![0; to], to_size).is_err(), "{size:?} {to_size:?}");
        }
    }

    #[test]
    fn an_image_of_the_right_size_is_only_split() -> Result<(), Error> {
        let mut planes = [0; 12];
        Resize::default().planes((1..=12).collect(), [2, 2], &mut planes, [2, 2])?;
        assert_eq!(planes, [1, 4, 7, 10, 2, 5, 8, 11, 3, 6, 9, 12]);
        Ok(())
    }
}
