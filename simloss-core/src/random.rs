//! Numbers that look random and are the same on every machine.
//!
//! SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014): a counter through a mixing
//! function. Keys come before draws, so that what is drawn for a sample does not depend on which thread draws it, or on
//! what was drawn before: `Random::new(seed).key(PURPOSE).key(epoch).key(sample)`.
//!
//! The first key is a constant that says what is drawn. It may change places with the seed, `new(a).key(b)` being
//! `new(b).key(a)`, and `new(a).key(a)` is one stream for all `a`: epochs there would be met again under other seeds.

use crate::{number::Scalar, slices::split_mut};

/// A stream of numbers determined by a seed and keys. Not for cryptography.
///
/// Let the first key be a constant that says what is drawn: then seeds, and further keys, have streams of their own. The
/// seed and the first key may change places.
///
/// ```
/// use simloss_core::Random;
/// const SHUFFLE: u64 = 7;
/// let of_epoch = |seed, epoch| Random::new(seed).key(SHUFFLE).key(epoch);
/// let (mut a, mut b) = (of_epoch(1, 2), of_epoch(1, 2));
/// assert_eq!(a.next_u64(), b.next_u64());
/// assert_ne!(of_epoch(1, 2), of_epoch(2, 1));
/// assert_eq!(Random::new(1).key(2), Random::new(2).key(1)); // without the constant
/// assert!(a.below(6) < 6);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The stream of a seed.
    pub const fn new(seed: u64) -> Self {
        Random { state: mix(seed.wrapping_add(GOLDEN)) }
    }

    /// The stream of a further key; the first should be a constant.
    #[must_use]
    pub const fn key(self, key: u64) -> Self {
        Random { state: mix(self.state ^ mix(key.wrapping_add(GOLDEN))) }
    }

    /// 64 uniform bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// A uniform whole number below `n`; 0 for `n = 0`. Bias below `n / 2^64`.
    pub const fn below(&mut self, n: usize) -> usize {
        ((self.next_u64() as u128 * n as u128) >> 64) as usize
    }

    /// A uniform multiple of 2^-24 in `[0, 1)`, as PyTorch draws its `f32`.
    pub fn unit<T: Scalar>(&mut self) -> T {
        // 24 bits are exact in an f32, and a conversion from 32 bits is one instruction where there is an FPU.
        T::from_f32((self.next_u64() >> 40) as u32 as f32 * (1.0 / 16_777_216.0))
    }

    /// Puts `items` in a random order (Fisher and Yates).
    pub fn shuffle<I>(&mut self, items: &mut [I]) {
        for i in (1..items.len()).rev() {
            let (before, rest) = split_mut(items, i);
            // Without an index that might panic; the item itself is not before it, and stays then.
            if let (Some(a), Some(b)) = (before.get_mut(self.below(i + 1)), rest.first_mut()) {
                core::mem::swap(a, b);
            }
        }
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_numbers_of_the_reference() {
        // SplitMix64 seeded with the raw state 1234567 (the reference generator's published outputs).
        let mut r = Random { state: 1_234_567 };
        assert_eq!(r.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(r.next_u64(), 3_203_168_211_198_807_973);
    }

    /// What the documentation promises of a constant first key, and says of another.
    #[test]
    fn streams_of_a_purpose_differ() {
        let mut states = std::collections::BTreeSet::new();
        for purpose in 0..4 {
            for seed in 0..40 {
                for epoch in 0..40 {
                    states.insert((purpose, Random::new(seed).key(purpose).key(epoch).state));
                }
                assert_eq!(Random::new(seed).key(purpose), Random::new(purpose).key(seed));
                assert_eq!(Random::new(seed).key(seed), Random { state: 0 });
            }
        }
        assert_eq!(states.len(), 4 * 40 * 40);
    }

    #[test]
    fn shuffles_are_permutations() {
        let mut items: [usize; 100] = core::array::from_fn(|i| i);
        Random::new(3).shuffle(&mut items);
        assert_ne!(items[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        items.sort_unstable();
        assert!(items.iter().enumerate().all(|(i, &x)| i == x));
    }
}
