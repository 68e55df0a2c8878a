//! Images against Pillow: resized from the same pixels, decoded from the same files.

use serde::Deserialize;
use simloss_train::data::{
    images::CHANNELS,
    read::images::{decode, resize::Resize},
};
use std::error::Error;

#[derive(Deserialize)]
struct Golden {
    resize: Vec<Resized>,
    jpeg: Vec<Jpeg>,
}

#[derive(Deserialize)]
struct Resized {
    from: [usize; 2],
    to: [usize; 2],
    pixels: String,
    resized: String,
}

#[derive(Deserialize)]
struct Jpeg {
    name: String,
    size: [usize; 2],
    file: String,
    pixels: String,
}

fn golden() -> Result<Golden, serde_json::Error> {
    serde_json::from_str(include_str!("golden/images.json"))
}

fn bytes(hex: &str) -> Result<Vec<u8>, std::num::ParseIntError> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16)).collect()
}

#[test]
fn resized_images_are_pillows_within_one_level() -> Result<(), Box<dyn Error>> {
    let mut resize = Resize::default();
    for Resized { from, to, pixels, resized } in golden()?.resize {
        let expected = bytes(&resized)?;
        let mut planes = vec![0; expected.len()];
        resize.planes(bytes(&pixels)?, from, &mut planes, to)?;
        let plane = to[0] * to[1];
        for (at, &level) in expected.iter().enumerate() {
            let found = planes[at % CHANNELS * plane + at / CHANNELS];
            assert!(found.abs_diff(level) <= 1, "{from:?} to {to:?}: number {at} is {found}, not {level}");
        }
    }
    Ok(())
}

/// Levels by which a decoder may differ from Pillow's on smooth colors.
const LEVELS: u8 = 4;

#[test]
fn jpegs_of_every_kind_are_decoded() -> Result<(), Box<dyn Error>> {
    for Jpeg { name, size, file, pixels } in golden()?.jpeg {
        let (file, expected) = (bytes(&file)?, bytes(&pixels)?);
        let found = decode::decode(&file).map_err(|e| format!("{name}: {e}"))?;
        assert_eq!((found.size, found.pixels.len()), (size, expected.len()), "{name}");
        let worst = found.pixels.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst <= Some(LEVELS), "{name}: {worst:?}");
        for length in [2, 100, file.len() / 2, file.len() * 3 / 4] {
            let message = decode::decode(&file[..length]).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(
                message.contains("cannot be decoded"),
                "{name}, cut to {length} of {} bytes: {message}",
                file.len()
            );
        }
        // Whatever is missing at the end.
        for length in 0..file.len() {
            assert!(decode::decode(&file[..length]).is_err(), "{name}, cut to {length} of {} bytes", file.len());
        }
        // What others put behind the end and between segments says nothing.
        let behind = [&file[..], b"\0\0behind the end\xff\xd8"].concat();
        assert_eq!(decode::decode(&behind).ok().as_ref(), Some(&found), "{name}");
        let first = 4 + usize::from(u16::from_be_bytes([file[4], file[5]])) - 2 + 2;
        for between in [&b"abc\x01"[..], &[0xff, 0x00, 7], &[0xff, 0xff, 0xff], &[0; 64]] {
            let changed = [&file[..first], between, &file[first..]].concat();
            assert_eq!(decode::decode(&changed).ok().as_ref(), Some(&found), "{name}, {between:?}");
        }
        // A header that promises 65,500 x 65,500 pixels.
        let start = file.windows(2).position(|b| b[0] == 0xff && matches!(b[1], 0xc0 | 0xc2)).ok_or("no frame")?;
        let mut huge = file.clone();
        huge[start + 5..start + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
        let message = decode::decode(&huge).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(message.contains("65500 x 65500 pixels, more than"), "{name}: {message}");
    }
    Ok(())
}
