//! Whether a JPEG file is whole, and what stands between its segments.
//!
//! The decoder fills up what is missing at the end of a file and refuses bytes between segments. Others (libjpeg, and with
//! it Pillow) do the opposite, so both are seen to here, before the decoder: a file ends with its end marker, and bytes
//! between two segments are passed over.

use std::borrow::Cow;

const FILL: u8 = 0xff;
const START_OF_SCAN: u8 = 0xda;
const END: u8 = 0xd9;

/// Markers that stand alone: no length follows.
const fn is_alone(marker: u8) -> bool {
    matches!(marker, 0x01 | 0xd0..=0xd8)
}

/// The file up to its end marker, without what stands between its segments; `None` if it ends before that.
///
/// # Panics
/// Never; `bytes` may be anything.
pub(super) fn whole(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    // What does not go on with a marker is no JPEG file for anybody.
    if bytes.get(2) != Some(&FILL) {
        return None;
    }
    let mut kept: Option<Vec<u8>> = None;
    // Behind the start marker.
    let mut at = 2;
    loop {
        let begin = at;
        let marker = next_marker(bytes, &mut at)?;
        // `at` is behind the marker of two bytes.
        if at - 2 > begin {
            kept.get_or_insert_with(|| bytes.get(..begin).unwrap_or_default().to_vec());
        }
        let segment = at - 2;
        if !is_alone(marker) && marker != END {
            let &[high, low] = bytes.get(at..at + 2)?.first_chunk()?;
            let length = usize::from(u16::from_be_bytes([high, low]));
            at = at.checked_add(length.max(2))?;
        }
        if marker == START_OF_SCAN {
            at = end_of_scan(bytes, at)?;
        }
        let found = bytes.get(segment..at)?;
        if let Some(kept) = &mut kept {
            kept.extend_from_slice(found);
        }
        if marker == END {
            return Some(match kept {
                Some(kept) => Cow::Owned(kept),
                None => Cow::Borrowed(bytes),
            });
        }
    }
}

/// The next marker, at `at` or behind what stands there; `at` moves behind it.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        *at += bytes.get(*at..)?.iter().position(|&b| b == FILL)?;
        *at += bytes.get(*at..)?.iter().position(|&b| b != FILL)?;
        let marker = *bytes.get(*at)?;
        *at += 1;
        if marker != 0 {
            return Some(marker);
        }
    }
}

/// Where the compressed numbers that begin at `at` end: before a marker that is no restart.
fn end_of_scan(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += bytes.get(at..)?.iter().position(|&b| b == FILL)?;
        match bytes.get(at + 1)? {
            0x00 | 0xd0..=0xd7 => at += 2,
            &FILL => at += 1,
            _ => return Some(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Start, a segment, a scan with a stuffed byte and a restart, end.
    const FILE: &[u8] =
        &[0xff, 0xd8, 0xff, 0xe0, 0, 4, 0xff, 0xd9, 0xff, 0xda, 0, 2, 1, 0xff, 0, 2, 0xff, 0xd3, 3, 0xff, 0xd9];

    #[test]
    fn a_file_is_whole_with_its_end_alone() {
        assert!(matches!(whole(FILE), Some(Cow::Borrowed(found)) if found == FILE));
        // An end marker inside a segment is none.
        for length in 0..FILE.len() {
            assert_eq!(whole(&FILE[..length]), None, "{length}");
        }
        assert_eq!(
            whole(&[FILE, b"behind the end"].concat()).as_deref(),
            Some(&[FILE, b"behind the end"].concat()[..])
        );
    }

    #[test]
    fn bytes_between_segments_are_passed_over() {
        for (before, after) in
            [(8, &b"abc"[..]), (8, &[0xff, 0, 7]), (8, &[0xff, 0xff]), (8, &[0; 40]), (2, &[0xff, 0xff])]
        {
            let changed = [&FILE[..before], after, &FILE[before..]].concat();
            let found = whole(&changed);
            assert_eq!(found.as_deref(), Some(FILE), "{after:?}");
        }
        assert_eq!(whole(&[&FILE[..2], b"abc", &FILE[2..]].concat()), None);
    }
}
