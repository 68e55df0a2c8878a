//! What the firmware computes: one source for every target and the host, so that their outputs can be compared.
//!
//! Numbers leave as bits, in hexadecimal: formatting a float would bring more code than the training step.
#![no_std]
#![forbid(unsafe_code)]

pub mod accumulate;
pub mod checkpoints;
pub mod device;
pub mod front;
pub mod head;
pub mod metrics;
pub mod optimizers;
pub mod proper;
pub mod similarities;
pub mod store;
pub mod vectors;

use simloss_core::number::Scalar;

/// A single-precision number.
pub trait Number: Scalar {
    /// The bits of the `f32`.
    fn bits(self) -> u32;
}

impl Number for f32 {
    #[inline(always)]
    fn bits(self) -> u32 {
        self.to_bits()
    }
}

/// Takes one line of output: a name and some bits.
pub trait Sink {
    /// One result.
    fn line(&mut self, name: &str, bits: &[u32]);
}

/// Counts what a step costs.
pub trait Clock {
    /// Starts to count.
    fn start(&mut self);
    /// Instructions since the start; 0 where nothing counts.
    fn stop(&mut self) -> u32;
}

/// Mixes bits into a checksum (FNV-1a over 32-bit words).
pub fn checksum<T: Number>(numbers: &[T]) -> u32 {
    numbers.iter().fold(0x811c_9dc5, |hash, x| (hash ^ x.bits()).wrapping_mul(0x0100_0193))
}
