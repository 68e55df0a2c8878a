//! The bytes of a checkpoint.

use crate::Sink;
use simloss_core::{
    Error, Random,
    device::checkpoint::{HEADER, Header, decode, encode},
    layers::{Dense, Layer},
};

const NUMBERS: usize = 3 * 4;
const BYTES: usize = HEADER + 2 * 4 * NUMBERS;

/// A checkpoint, word by word, and what is read back from it.
///
/// # Errors
/// None, for this checkpoint.
pub fn all(sink: &mut impl Sink) -> Result<(), Error> {
    let layer = Dense::new(2, 4);
    let header = Header { sequence: 2, steps: 50, ..Header::new(&layer.dense_shape(), 1)? };
    let mut random = Random::new(34);
    let (mut parameters, mut moments) = ([0.0f32; NUMBERS], [0.0f32; NUMBERS]);
    layer.initialise(&mut parameters, &mut random);
    layer.initialise(&mut moments, &mut random);
    let mut bytes = [0; BYTES];
    encode(&header, &parameters, &moments, &mut bytes)?;
    for word in bytes.as_chunks::<4>().0 {
        sink.line("checkpoint", &[u32::from_be_bytes(*word)]);
    }
    let (before, mut read) = (parameters, [0.0; NUMBERS]);
    let back = decode(&bytes, &header, &mut read, &mut moments)?;
    sink.line("read back", &[back.steps as u32, u32::from(read.map(f32::to_bits) == before.map(f32::to_bits))]);
    bytes[HEADER] ^= 1;
    sink.line("one bit changed", &[u32::from(decode(&bytes, &header, &mut read, &mut moments).is_err())]);
    Ok(())
}
