//! What the firmware computes: one source for every target and the host, so that their outputs can be compared.
//!
//! Numbers leave as bits, in hexadecimal: formatting a float would bring more code than the training step.
#![no_std]
#![forbid(unsafe_code)]

pub mod head;

/// Takes one line of output: a name and some bits.
pub trait Sink {
    /// One result.
    fn line(&mut self, name: &str, bits: &[u32]);
}

/// Mixes bits into a checksum (FNV-1a over 32-bit words).
pub fn checksum(numbers: &[f32]) -> u32 {
    numbers.iter().fold(0x811c_9dc5, |hash, x| (hash ^ x.to_bits()).wrapping_mul(0x0100_0193))
}
