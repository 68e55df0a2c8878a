//! Bytes of images as the features of a batch: divided by 255, one image per lane.

use super::{CHANNELS, ImageSet, set::stream};
use crate::Error;
use simloss_core::{
    Error as CoreError, Random,
    number::{GROUP, Value},
    train::Features,
};

/// Random crops and mirrored images, as is customary for CIFAR: the image is framed with black, and a piece of its own
/// size is cut out anywhere; half of the pieces are mirrored left to right.
///
/// What an image gets depends on the seed, the epoch and the image, not on its batch or thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Augmentation {
    /// Of the run.
    pub seed: u64,
    /// Counted from 1.
    pub epoch: u64,
    /// The width of the frame: 4 is customary for 32 x 32 pixels.
    pub padding: usize,
}

/// Images of a batch, chosen by their index, without a copy.
///
/// ```
/// # use simloss_core::{Label, train::Features};
/// # use simloss_train::data::images::{Contents, ImageSet, Images, Part};
/// # let set = ImageSet::new(Contents {
/// #     name: String::new(), height: 1, width: 1, pixels: vec![255, 0, 51, 0, 0, 255],
/// #     labels: vec![Label::new(0, 2)?, Label::new(1, 2)?], class_names: vec![String::new(); 2],
/// #     class_values: vec![0.0, 1.0], paths: vec![String::new(); 2], parts: vec![Part::Any; 2], tree: None,
/// # })?;
/// let images = Images::new(&set, &[1, 0], None)?;
/// let mut lanes = [0.0f32; 3];
/// assert_eq!(images.lanes::<f32>((), 1, 1, &mut lanes), [1.0, 0.0, 0.2]);
/// # Ok::<(), simloss_train::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Images<'a> {
    set: &'a ImageSet,
    chosen: &'a [u32],
    augmentation: Option<Augmentation>,
}

impl<'a> Images<'a> {
    /// The images `chosen` of `set`.
    ///
    /// # Errors
    /// [`Error::Core`] for an image that the set does not have.
    pub fn new(set: &'a ImageSet, chosen: &'a [u32], augmentation: Option<Augmentation>) -> Result<Self, Error> {
        match chosen.iter().find(|&&i| i as usize >= set.images()) {
            Some(&image) => {
                let (expected, found) = (image as usize + 1, set.images());
                Err(CoreError::Length { what: "the images of the set", expected, found }.into())
            }
            None => Ok(Images { set, chosen, augmentation }),
        }
    }

    /// The image in lane `l` of the group that begins with sample `first`; lanes without a sample repeat the last one.
    #[inline(always)]
    fn image(&self, first: usize, present: usize, l: usize) -> u32 {
        self.chosen.get(first + l.min(present.max(1) - 1)).copied().unwrap_or(0)
    }
}

/// Bytes that change places at a time: one register of each lane.
const BLOCK: usize = 16;

/// A block of one row of an image per lane, as values.
#[inline(always)]
fn transpose<V: Value<Scalar = f32>>(t: V::Token, bytes: &[[u8; BLOCK]; GROUP], to: &mut [V]) {
    let full = V::splat(t, 255.0);
    let mut block = [full; GROUP];
    for (part, to) in to.chunks_mut(V::WIDTH).enumerate() {
        for (x, bytes) in block.iter_mut().zip(bytes).take(V::WIDTH) {
            let row = bytes.map(f32::from);
            *x = V::load(t, row.get(part * V::WIDTH..).unwrap_or(&[])).div(full);
        }
        V::transpose(t, &mut block);
        to.iter_mut().zip(&block).for_each(|(to, x)| *to = *x);
    }
}

/// Where the piece of an augmented image lies in it.
#[derive(Clone, Copy, Default)]
struct Piece {
    down: isize,
    right: isize,
    mirrored: bool,
}

impl Augmentation {
    fn piece(&self, image: u32) -> Piece {
        let mut random = Random::new(self.seed).key(stream::AUGMENT).key(self.epoch).key(u64::from(image));
        let mut shift = || random.below(2 * self.padding + 1) as isize - self.padding as isize;
        let (down, right) = (shift(), shift());
        Piece { down, right, mirrored: random.below(2) == 1 }
    }
}

impl Piece {
    /// Pixels `x..x + n` of row `y` of the piece, of one channel of the image, to the front of `to`.
    #[inline(always)]
    fn fill(self, channel: &[u8], [height, width]: [usize; 2], y: usize, x: usize, n: usize, to: &mut [u8; BLOCK]) {
        *to = [0; BLOCK];
        let row = match usize::try_from(y as isize + self.down) {
            Ok(row) if row < height => channel.get(row * width..(row + 1) * width).unwrap_or(&[]),
            _ => return,
        };
        let x = if self.mirrored { width - n - x } else { x };
        let start = x as isize + self.right;
        let first = (-start).clamp(0, n as isize) as usize;
        let end = (width as isize - start).clamp(0, n as isize) as usize;
        if first < end {
            let from = (start + first as isize) as usize;
            to[first..end].copy_from_slice(&row[from..from + end - first]);
        }
        if self.mirrored {
            to[..n].reverse();
        }
    }
}

impl Features<f32> for Images<'_> {
    fn samples(&self) -> usize {
        self.chosen.len()
    }

    fn width(&self) -> usize {
        self.set.inputs()
    }

    #[inline(always)]
    fn lanes<'x, V: Value<Scalar = f32>>(
        &'x self,
        t: V::Token,
        first: usize,
        present: usize,
        buffer: &'x mut [V],
    ) -> &'x [V] {
        let mut images = [&[][..]; GROUP];
        for (l, image) in images.iter_mut().enumerate().take(V::WIDTH) {
            *image = self.set.pixels_of(self.image(first, present, l));
        }
        let mut bytes = [[0; BLOCK]; GROUP];
        let Some(augmentation) = self.augmentation else {
            for (block, to) in buffer.chunks_mut(BLOCK).enumerate() {
                let at = block * BLOCK;
                for (bytes, image) in bytes.iter_mut().zip(&images).take(V::WIDTH) {
                    match image.get(at..at + BLOCK) {
                        Some(whole) => bytes.copy_from_slice(whole),
                        None => {
                            let rest = image.get(at..).unwrap_or(&[]);
                            bytes[..rest.len()].copy_from_slice(rest);
                        }
                    }
                }
                transpose(t, &bytes, to);
            }
            return buffer;
        };
        let mut pieces = [Piece::default(); GROUP];
        for (l, piece) in pieces.iter_mut().enumerate().take(V::WIDTH) {
            *piece = augmentation.piece(self.image(first, present, l));
        }
        let [height, width] = self.set.size();
        let plane = height * width;
        for (channel, buffer) in buffer.chunks_mut(plane).enumerate().take(CHANNELS) {
            for (y, row) in buffer.chunks_mut(width).enumerate() {
                for (block, to) in row.chunks_mut(BLOCK).enumerate() {
                    for (l, bytes) in bytes.iter_mut().enumerate().take(V::WIDTH) {
                        let channel = images[l].get(channel * plane..(channel + 1) * plane).unwrap_or(&[]);
                        pieces[l].fill(channel, [height, width], y, block * BLOCK, to.len(), bytes);
                    }
                    transpose(t, &bytes, to);
                }
            }
        }
        buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        compute::lanes::{InstructionSet, Job, Vector},
        data::images::set::tests::pattern,
    };

    /// The lanes of the group that begins with sample `first`, as rows of images.
    struct Group<'a>(Images<'a>, usize, usize);
    impl<V: Vector> Job<V> for Group<'_> {
        type Output = Vec<Vec<f32>>;
        #[inline(always)]
        fn run(self, t: V::Token) -> Vec<Vec<f32>> {
            let Group(images, first, present) = self;
            let mut rows = vec![vec![]; present];
            for begin in (0..present).step_by(V::WIDTH) {
                let present = (present - begin).min(V::WIDTH);
                let mut buffer = vec![V::splat(t, 7.0); images.width()];
                for value in images.lanes::<V>(t, first + begin, present, &mut buffer) {
                    for l in 0..V::WIDTH {
                        assert!(value.lane(l).is_finite());
                        if l < present {
                            rows[begin + l].push(value.lane(l));
                        }
                    }
                }
            }
            rows
        }
    }

    fn group(set: InstructionSet, job: Group<'_>) -> Result<Vec<Vec<f32>>, Error> {
        #[cfg(target_arch = "x86_64")]
        use crate::compute::lanes::Lanes;
        #[cfg(target_arch = "x86_64")]
        use pulp::x86::{V3, V4};
        Ok(match set {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => Lanes::<V4>::call(InstructionSet::token(set, V4::try_new)?, job),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => Lanes::<V3>::call(InstructionSet::token(set, V3::try_new)?, job),
            _ => f32::call((), job),
        })
    }

    /// One pixel after the other, as the definition says.
    fn plain(set: &ImageSet, image: u32, augmentation: Option<Augmentation>) -> Vec<f32> {
        let [height, width] = set.size();
        let piece = augmentation.map_or(Piece::default(), |a| a.piece(image));
        let mut numbers = vec![];
        for channel in 0..CHANNELS {
            for y in 0..height {
                for x in 0..width {
                    let x = if piece.mirrored { width - 1 - x } else { x };
                    let (row, column) = (y as isize + piece.down, x as isize + piece.right);
                    let inside = (0..height as isize).contains(&row) && (0..width as isize).contains(&column);
                    let at = channel * height * width + row.max(0) as usize * width + column.max(0) as usize;
                    numbers.push(if inside { f32::from(set.pixels_of(image)[at]) / 255.0 } else { 0.0 });
                }
            }
        }
        numbers
    }

    #[test]
    fn lanes_hold_what_the_definition_says() -> Result<(), Error> {
        for size in [[32, 32], [5, 37], [1, 1], [9, 16], [3, 7]] {
            let set = ImageSet::new(pattern(20, 2, size))?;
            let chosen = [19, 3, 3, 0, 7, 8, 11, 2, 5, 6, 1, 4, 18, 17, 12, 13, 14, 9, 10];
            for augmentation in [None, Some(Augmentation { seed: 1, epoch: 2, padding: 4 })] {
                let images = Images::new(&set, &chosen, augmentation)?;
                for (first, present) in [(0, 16), (16, 3), (2, 1)] {
                    for lanes in InstructionSet::available() {
                        let found = group(lanes, Group(images, first, present))?;
                        for (row, &image) in found.iter().zip(&chosen[first..]) {
                            assert_eq!(*row, plain(&set, image, augmentation), "{size:?} {lanes:?} {image}");
                        }
                    }
                }
            }
        }
        let set = ImageSet::new(pattern(2, 2, [2, 2]))?;
        assert!(Images::new(&set, &[2], None).is_err());
        Ok(())
    }

    #[test]
    fn augmentation_varies_and_comes_back() {
        let pieces = |seed, epoch| {
            let augmentation = Augmentation { seed, epoch, padding: 4 };
            (0..1000).map(|i| augmentation.piece(i)).map(|p| (p.down, p.right, p.mirrored)).collect::<Vec<_>>()
        };
        let first = pieces(1, 1);
        assert_eq!(first, pieces(1, 1));
        assert_ne!(first, pieces(1, 2));
        assert_ne!(first, pieces(2, 1));
        let mut seen: Vec<_> = first.clone();
        seen.sort_unstable();
        seen.dedup();
        // Nearly all of the 9 x 9 x 2 pieces are drawn, and none outside.
        assert!(seen.len() > 155 && first.iter().all(|p| p.0.abs() <= 4 && p.1.abs() <= 4));
    }
}
