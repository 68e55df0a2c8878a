//! Files of images to red, green and blue bytes, on all processors.
//!
//! PNG and JPEG (baseline and progressive), of any colours: grey is repeated in all three, transparency is dropped, as
//! Pillow's `convert("RGB")` does; orientation in EXIF is not applied, as Pillow's `open` does not. The kind of a file is
//! read from its first bytes, not from its name. Sizes are checked before memory is asked for.
//!
//! # Which decoder of JPEG
//! Decoders round differently. Two were compared by what the network that the authors of SimLoss published says of 4,027
//! faces of UTKFace (r = 0.8), against PyTorch on what Pillow decodes and resizes:
//!
//! | decoder, then our resize | right | MAE | MAE of the mean | loss | most levels from Pillow, before and after the resize | 4,027 images |
//! |---|---|---|---|---|---|---|
//! | Pillow, with its own resize | 673 | 6.6357 | 6.1238 | 1.16697 | 0, 0 | |
//! | Pillow | 675 | 6.6402 | 6.1225 | 1.16683 | 0, 1 | |
//! | `zune-jpeg` 0.5 | 673 | 6.6283 | 6.1221 | 1.16681 | 14, 4 | 1.0 s |
//! | `jpeg-decoder` 0.3 | 673 | 6.6362 | 6.1220 | 1.16687 | 4, 2 | 2.3 s |
//!
//! Both are within the tolerances (3 images, .01, .01, .003), about as far as one grey level of rounding in the resize
//! takes Pillow's own pixels. `zune-jpeg` is used: it is the one that is still developed, reads every kind of JPEG to red,
//! green and blue, refuses files that are cut short, and takes half the time. Its vector instructions and its plain code
//! gave the same bytes for all 4,095 files, and so did those of the resize, so the figures are those of any processor.

use super::{jpeg, resize::Resize, scan::pieces};
use crate::Error;
use crate::data::images::{CHANNELS, Problem, wrong};
use std::{
    fs::File,
    io::{Cursor, Read},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use zune_jpeg::{
    JpegDecoder,
    zune_core::{colorspace::ColorSpace, options::DecoderOptions},
};

/// The longest side of an image.
pub const MOST_SIDE: usize = 16_384;

/// The most pixels of an image: 64 million, 192 MiB.
pub const MOST_PIXELS: usize = 1 << 26;

/// The largest file of one image: 256 MiB.
pub const MOST_BYTES: u64 = 1 << 28;

/// A decoded image: rows of pixels of red, green, blue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Rows and pixels of a row.
    pub size: [usize; 2],
    /// Three bytes a pixel.
    pub pixels: Vec<u8>,
}

/// Reads a file.
///
/// # Errors
/// [`Error::File`]; [`Error::Image`] for a file that is empty, no PNG or JPEG, cut short, damaged or too large.
pub fn read(path: &Path) -> Result<Picture, Error> {
    let mut bytes = vec![];
    let file = File::open(path).map_err(Error::file("read", path))?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(Error::file("read", path))?;
    decode(&bytes).map_err(|problem| wrong(path, problem))
}

/// Decodes the bytes of a file.
///
/// # Errors
/// As [`read`].
pub fn decode(bytes: &[u8]) -> Result<Picture, Problem> {
    if bytes.len() as u64 > MOST_BYTES {
        return Err(Problem::TooLong { found: bytes.len() as u64, most: MOST_BYTES });
    }
    match bytes {
        [] => Err(Problem::NotAnImage("empty")),
        [0xff, 0xd8, ..] => jpeg_file(bytes),
        [0x89, b'P', b'N', b'G', ..] => png(bytes),
        _ => Err(Problem::NotAnImage(kind(bytes))),
    }
}

/// What the bytes of a file are, by how they begin.
fn kind(bytes: &[u8]) -> &'static str {
    let text = |name: &[u8]| bytes.trim_ascii_start().get(..name.len()).is_some_and(|b| b.eq_ignore_ascii_case(name));
    let inside = |at: usize, name: &[u8]| bytes.get(at..at + name.len()) == Some(name);
    match bytes {
        [b'G', b'I', b'F', b'8', ..] => "a GIF image",
        [b'B', b'M', ..] => "a BMP image",
        [b'R', b'I', b'F', b'F', ..] if inside(8, b"WEBP") => "a WebP image",
        [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => "a TIFF image",
        [0, 0, 0, 0x0c, b'J', b'X', b'L', b' ', ..] | [0xff, 0x0a, ..] => "a JPEG XL image",
        [0, 0, 0, 0x0c, b'j', b'P', ..] => "a JPEG 2000 image",
        _ if inside(4, b"ftypavif") => "an AVIF image",
        _ if inside(4, b"ftyphei") || inside(4, b"ftypmif1") || inside(4, b"ftypmsf1") => "a HEIC image",
        _ if inside(4, b"ftyp") => "a film",
        [0, 0, 1, 0, ..] => "an icon (ICO)",
        [b'8', b'B', b'P', b'S', ..] => "a Photoshop file",
        [b'%', b'P', b'D', b'F', ..] => "a PDF document",
        [b'P', b'K', 3, 4, ..] => "a ZIP archive",
        [0x1f, 0x8b, ..] => "compressed with gzip",
        _ if text(b"<svg") => "an SVG drawing",
        _ if text(b"<!doctype html") || text(b"<html") => "a web page, such as a failed download leaves",
        _ if text(b"version https://git-lfs") => "a pointer of Git LFS: fetch the file itself",
        _ if bytes.iter().all(|&b| b == 0) => "nothing but zeros",
        _ => "neither PNG nor JPEG",
    }
}

/// The number of pixels, if it is not too large.
fn pixels(width: usize, height: usize) -> Result<usize, Problem> {
    match width.checked_mul(height) {
        Some(n) if n > 0 && n <= MOST_PIXELS && width.max(height) <= MOST_SIDE => Ok(n),
        Some(0) => Err(damaged(&"it has no pixels")),
        _ => Err(Problem::TooLarge { width, height, most: MOST_SIDE, pixels: MOST_PIXELS }),
    }
}

fn damaged(reason: &dyn std::fmt::Display) -> Problem {
    Problem::Damaged { reason: reason.to_string() }
}

fn jpeg_file(bytes: &[u8]) -> Result<Picture, Problem> {
    let Some(whole) = jpeg::whole(bytes) else { return Err(damaged(&"the file ends early")) };
    let bytes = &*whole;
    // The decoder's own limits are the format's: ours are checked between header and pixels.
    let options = DecoderOptions::default()
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(Cursor::new(bytes), options);
    decoder.decode_headers().map_err(|e| damaged(&e))?;
    let info = decoder.info().ok_or_else(|| damaged(&"it has no size"))?;
    let (width, height) = (usize::from(info.width), usize::from(info.height));
    let expected = CHANNELS * pixels(width, height)?;
    let pixels = decoder.decode().map_err(|e| damaged(&e))?;
    if pixels.len() != expected {
        return Err(damaged(&"its colours are not known"));
    }
    Ok(Picture { size: [height, width], pixels })
}

fn png(bytes: &[u8]) -> Result<Picture, Problem> {
    let limits = png::Limits { bytes: 4 * CHANNELS * MOST_PIXELS };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(|e| damaged(&e))?;
    // The decoder takes any other length too, and panics when it meets the rest.
    if reader.info().palette.as_ref().is_some_and(|palette| palette.len() % CHANNELS != 0) {
        return Err(damaged(&"its palette does not consist of whole colours"));
    }
    let (width, height) = reader.info().size();
    let (width, height) = (width as usize, height as usize);
    let pixels = pixels(width, height)?;
    let samples = reader.output_color_type().0.samples();
    let mut found = vec![0; samples * pixels];
    if reader.output_buffer_size() != Some(found.len()) {
        return Err(damaged(&"its rows have another size than its header says"));
    }
    reader.next_frame(&mut found).map_err(|e| damaged(&e))?;
    // What follows the pixels must be whole, too: a file cut short is not taken for a whole one.
    reader.finish().map_err(|e| damaged(&e))?;
    let mut rgb = Vec::with_capacity(CHANNELS * pixels);
    for pixel in found.chunks_exact(samples) {
        match *pixel {
            [r, g, b] | [r, g, b, _] => rgb.extend([r, g, b]),
            [grey] | [grey, _] => rgb.extend([grey; CHANNELS]),
            _ => return Err(damaged(&"its colours are not known")),
        }
    }
    Ok(Picture { size: [height, width], pixels: rgb })
}

/// Decoded images, and those that cannot be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// Image after image, all red, all green, all blue; zeros for those that cannot be read.
    pub pixels: Vec<u8>,
    /// Which cannot be read, in their order, and why.
    pub bad: Vec<(usize, Problem)>,
}

/// Decodes and resizes `files` (below `root`) on `threads` threads.
///
/// `progress` is called with the number of images done, from any thread; once it returns false, decoding stops.
///
/// # Errors
/// For images that cannot be read, unless they are to be skipped: all of them, or the first and a count where there are
/// many; [`Error::Interrupted`].
pub fn decode_all(
    root: &Path,
    files: &[PathBuf],
    size: [usize; 2],
    threads: usize,
    skip_bad: bool,
    progress: &(dyn Fn(usize) -> bool + Sync),
) -> Result<Decoded, Error> {
    let image = size[0].saturating_mul(size[1]).saturating_mul(CHANNELS).max(1);
    let mut pixels: Vec<u8> = vec![];
    let total = image.saturating_mul(files.len());
    if pixels.try_reserve_exact(total).is_err() {
        let problem = format!(
            "{} images of {} x {} pixels do not fit the memory; give a part of them",
            files.len(),
            size[1],
            size[0]
        );
        return Err(wrong(root, Problem::Limit(problem)));
    }
    pixels.resize(total, 0);

    let jobs = Mutex::new(files.iter().zip(pixels.chunks_exact_mut(image)).enumerate());
    let failed: Mutex<Vec<(usize, Error)>> = Mutex::new(vec![]);
    let (done, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = || {
        let mut resize = Resize::default();
        while !stop.load(Ordering::Relaxed) {
            let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((place, (file, planes))) = job else { return };
            let result = read(&root.join(file)).and_then(|p| resize.planes(p.pixels, p.size, planes, size));
            if let Err(error) = result {
                failed.lock().unwrap_or_else(PoisonError::into_inner).push((place, error));
            }
            if !progress(done.fetch_add(1, Ordering::Relaxed) + 1) {
                stop.store(true, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(files.len()) {
            scope.spawn(work);
        }
        work();
    });
    if stop.load(Ordering::Relaxed) {
        return Err(Error::Interrupted { folder: None });
    }
    let mut failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.sort_unstable_by_key(|(place, _)| *place);
    let mut bad = vec![];
    for (place, error) in failed {
        match error {
            Error::Image(found) => bad.push((place, found.problem().clone())),
            Error::File { source, .. } if skip_bad => bad.push((place, Problem::Unreadable(source.to_string()))),
            other => return Err(other),
        }
    }
    match &bad[..] {
        _ if skip_bad => {}
        [] => {}
        [(place, problem)] => return Err(wrong(&root.join(&files[*place]), problem.clone())),
        several => {
            let named = several.iter().map(|(place, problem)| [pieces(&files[*place]).join("/"), problem.to_string()]);
            let named = bad_images(&named.collect::<Vec<_>>());
            return Err(wrong(root, Problem::Several { count: several.len(), named }));
        }
    }
    Ok(Decoded { pixels, bad })
}

/// Images that cannot be read, not all where there are many.
pub(crate) fn bad_images(bad: &[[String; 2]]) -> String {
    const MOST: usize = 20;
    let shown: Vec<String> = bad.iter().take(MOST).map(|[path, problem]| format!("{path} ({problem})")).collect();
    let more = if bad.len() > MOST { format!(" and {} more", bad.len() - MOST) } else { String::new() };
    shown.join(", ") + &more
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::io::Write;

    /// A PNG of `colours` bytes per pixel.
    pub(in crate::data::read::images) fn png_of(
        width: u32,
        height: u32,
        kind: png::ColorType,
        pixels: &[u8],
    ) -> Vec<u8> {
        let mut file = vec![];
        let mut encoder = png::Encoder::new(&mut file, width, height);
        encoder.set_color(kind);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(pixels).unwrap();
        writer.finish().unwrap();
        file
    }

    #[test]
    fn all_colours_become_red_green_and_blue() -> Result<(), Problem> {
        let rgb = [10, 20, 30, 40, 50, 60];
        assert_eq!(decode(&png_of(2, 1, png::ColorType::Rgb, &rgb))?, Picture { size: [1, 2], pixels: rgb.to_vec() });
        let transparent = [10, 20, 30, 0, 40, 50, 60, 9];
        assert_eq!(decode(&png_of(1, 2, png::ColorType::Rgba, &transparent))?.pixels, rgb);
        assert_eq!(decode(&png_of(2, 1, png::ColorType::Grayscale, &[7, 9]))?.pixels, [7, 7, 7, 9, 9, 9]);
        assert_eq!(decode(&png_of(1, 1, png::ColorType::GrayscaleAlpha, &[7, 9]))?.pixels, [7, 7, 7]);
        Ok(())
    }

    #[test]
    fn what_is_no_image_is_refused() {
        let refused = |bytes: &[u8]| decode(bytes).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(refused(&[]).contains("the file is empty"));
        assert!(refused(b"GIF89a").contains("the file is a GIF image; give a PNG or JPEG"));
        assert!(refused(b"what").contains("neither PNG nor JPEG"));
        assert!(refused(&[0xff, 0xd8]).contains("cannot be decoded"));
        let pixels: Vec<u8> = (0..3 * 50 * 40u32).map(|i| (i * i % 251) as u8).collect();
        let whole = png_of(50, 40, png::ColorType::Rgb, &pixels);
        for length in (4..whole.len()).step_by(97).chain([whole.len() - 13, whole.len() - 20]) {
            assert!(refused(&whole[..length]).contains("cannot be decoded"), "{length} of {}", whole.len());
        }
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 0x10;
        assert!(refused(&flipped).contains("cannot be decoded"));
    }

    /// The length of a chunk, its name and contents, and their checksum.
    fn chunk(file: &mut Vec<u8>, name: &[u8; 4], contents: &[u8]) {
        file.extend((contents.len() as u32).to_be_bytes());
        file.extend(name);
        file.extend(contents);
        let mut crc = flate2::Crc::new();
        crc.update(name);
        crc.update(contents);
        file.extend(crc.sum().to_be_bytes());
    }

    /// A PNG of 8 bits and a type of colour, with these chunks before its pixels, which are so many zeros.
    fn png_of_chunks([width, height]: [u32; 2], colour: u8, chunks: &[(&[u8; 4], &[u8])], pixels: usize) -> Vec<u8> {
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        chunk(&mut file, b"IHDR", &[&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, colour, 0, 0, 0]].concat());
        for (name, contents) in chunks {
            chunk(&mut file, name, contents);
        }
        let mut data = flate2::write::ZlibEncoder::new(vec![], flate2::Compression::fast());
        data.write_all(&vec![0; pixels]).unwrap();
        chunk(&mut file, b"IDAT", &data.finish().unwrap());
        chunk(&mut file, b"IEND", &[]);
        file
    }

    #[test]
    fn a_palette_consists_of_whole_colours() {
        for (length, whole) in [(3, true), (8, false), (10, false), (12, true), (767, false), (768, true)] {
            let file = png_of_chunks([1, 1], 3, &[(b"PLTE", &vec![7; length])], 2);
            match decode(&file) {
                Ok(picture) => assert!(whole && picture.pixels == [7; 3], "{length}"),
                Err(problem) => assert!(!whole && problem.to_string().contains("whole colours"), "{length}: {problem}"),
            }
        }
    }

    #[test]
    fn huge_images_are_refused_before_memory_is_asked_for() {
        for (width, height) in [(100_000u32, 2u32), (16_384, 16_384), (u32::MAX, u32::MAX), (1 << 31, 1)] {
            let file = png_of_chunks([width, height], 2, &[], 64);
            let problem = decode(&file).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(problem.contains("more than 16384 a side") || problem.contains("cannot be decoded"), "{problem}");
        }
    }

    #[test]
    fn several_bad_files_are_named_or_left_out() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let files: Vec<PathBuf> = (0..20).map(|i| format!("{i:02}.png").into()).collect();
        for (i, file) in files.iter().enumerate() {
            let good = png_of(2, 2, png::ColorType::Rgb, &[i as u8 * 10; 12]);
            std::fs::write(folder.path().join(file), if i % 6 == 3 { &good[..40] } else { &good })?;
        }
        for threads in [1, 4] {
            let error = decode_all(folder.path(), &files, [1, 1], threads, false, &|_| true).err();
            let message = error.map(|e| e.to_string()).unwrap_or_default();
            let expected = "3 images cannot be used: 03.png (the image cannot be decoded";
            assert!(message.contains(expected) && message.contains("), 15.png ("), "{message}");
            let skipped = decode_all(folder.path(), &files, [1, 1], threads, true, &|_| true)?;
            assert_eq!(skipped.bad.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [3, 9, 15]);
            assert_eq!((skipped.pixels.len(), skipped.pixels[3 * 19]), (60, 190));
            let good = [files[0].clone(), files[19].clone()];
            assert_eq!(
                decode_all(folder.path(), &good, [1, 1], threads, false, &|_| true)?.pixels,
                [0, 0, 0, 190, 190, 190]
            );
            let stopped = decode_all(folder.path(), &good, [1, 1], threads, false, &|done| done < 1);
            assert!(matches!(stopped, Err(Error::Interrupted { .. })));
        }
        let missing = decode_all(folder.path(), &["no.png".into()], [1, 1], 1, false, &|_| true);
        assert!(matches!(missing, Err(Error::File { action: "read", .. })));
        Ok(())
    }
}
