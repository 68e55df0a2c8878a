//! What the targets share: bytes as numbers, and as files.

use simloss_bench::subject::Number;
use std::{fs, path::PathBuf};

/// Bytes, taken from the front; zeroes behind their end.
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    /// The next `N`.
    pub fn take<const N: usize>(&mut self) -> [u8; N] {
        let (found, rest) = self.0.split_at(N.min(self.0.len()));
        self.0 = rest;
        let mut bytes = [0; N];
        bytes[..found.len()].copy_from_slice(found);
        bytes
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        usize::from(u16::from_le_bytes(self.take())) % n
    }

    /// All that is left.
    pub fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// A scalar of any bits.
pub trait Drawn: Number {
    /// From the next bytes.
    fn drawn(bytes: &mut Bytes<'_>) -> Self;
}

impl Drawn for f32 {
    fn drawn(bytes: &mut Bytes<'_>) -> f32 {
        f32::from_le_bytes(bytes.take())
    }
}

impl Drawn for f64 {
    fn drawn(bytes: &mut Bytes<'_>) -> f64 {
        f64::from_le_bytes(bytes.take())
    }
}

/// Any number from 0 on and below 1.
pub fn below_one<T: Drawn>(x: T) -> T {
    let x: f64 = x.into();
    let x = if x.is_finite() { x.abs().fract() } else { 0.5 };
    let x = T::from_f64(x);
    if x < T::ONE { x } else { T::from_f64(0.5) }
}

/// A logit in the oracle's reach; NaN and infinities stay.
pub fn near<T: Drawn>(z: T) -> T {
    let far: f64 = z.into();
    if far.is_finite() && far.abs() > 1e4 { T::from_f64(far % 1e4) } else { z }
}

/// A folder of this process's own. (`run.sh` has it in memory, and removes it.)
pub fn folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("simloss-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for temporary files");
    folder
}

/// Writes a file of the [`folder`].
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder().join(name);
    fs::write(&path, bytes).expect("room for a temporary file");
    path
}

/// Bytes whose header has a right checksum, as a core checkpoint that was made on purpose would.
pub fn sealed(bytes: &[u8], length: usize) -> Vec<u8> {
    let mut sealed = bytes.to_vec();
    let length = length.min(sealed.len());
    if length >= 64 {
        let crc = crc::Crc::<u32, crc::Table<1>>::new(&crc::CRC_32_ISO_HDLC);
        let mut digest = crc.digest();
        digest.update(&sealed[..60]);
        digest.update(&sealed[64..length]);
        let checksum = digest.finalize().to_le_bytes();
        sealed[60..64].copy_from_slice(&checksum);
    }
    sealed
}

/// A message that a person can act on: one line, not empty, no name of a Rust type.
pub fn is_clear(message: &str) {
    assert!(!message.trim().is_empty());
    for word in ["Some(", "Err(", "panicked", "unwrap", "called `"] {
        assert!(!message.contains(word) || message.contains('"'), "{message}");
    }
}
