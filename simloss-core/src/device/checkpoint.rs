//! Training state as bytes: what a device keeps through a power cut, and what travels between desktop and device.
//!
//! All numbers are little-endian, whatever the machine.
//!
//! | bytes | |
//! |---|---|
//! | 0..4 | `SIML` |
//! | 4..6 | version of this table, 1 |
//! | 6..8 | moments per parameter |
//! | 8..12 | inputs |
//! | 12..16 | outputs |
//! | 16..20 | parameters |
//! | 20..24 | sequence: of two valid checkpoints, the one with the later number counts |
//! | 24..32 | steps taken |
//! | 32..40 | fingerprint of what the parameters belong to: frozen layers and the scale of the features; 0 where nothing was said |
//! | 40..60 | 0 |
//! | 60..64 | CRC-32 (ISO-HDLC, that of zip) of bytes 0..60 and of all numbers |
//! | 64.. | parameters, then moments, as the bits of `f32` |
//!
//! The header is 64 bytes because flash memories are written in words of up to 32, and so that the numbers behind it are
//! aligned.

use crate::{
    Error,
    error::length,
    layers::Shape,
    slices::{copy, split, split_mut},
};
use crc::{CRC_32_ISO_HDLC, CRC_64_XZ, Crc, Digest, Table};

/// Bytes before the numbers.
pub const HEADER: usize = 64;
/// The version of the format that this crate writes and reads.
pub const VERSION: u16 = 1;

const MAGIC: [u8; 4] = *b"SIML";
const CHECKED: usize = 60;
static FINGERPRINT: Crc<u64, Table<1>> = Crc::<u64, Table<1>>::new(&CRC_64_XZ);
static CHECKSUM: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

/// What a checkpoint says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Header {
    /// Features of a sample.
    pub inputs: u32,
    /// Classes.
    pub outputs: u32,
    /// Weights and biases.
    pub parameters: u32,
    /// Moments per parameter.
    pub moments: u16,
    /// Which of several checkpoints is the latest.
    pub sequence: u32,
    /// Steps taken.
    pub steps: u64,
    /// The [fingerprint] of what the parameters belong to, 0 where nothing was said.
    pub fingerprint: u64,
}

impl Header {
    /// The header of layers of a shape, for an optimizer with
    /// [`MOMENTS`](crate::optimizer::Optimizer::MOMENTS) moments.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] for a shape that does not fit 32 bits.
    pub fn new(shape: &Shape, moments: usize) -> Result<Self, Error> {
        let narrow = |n: usize| u32::try_from(n).map_err(|_| Error::Checkpoint { what: "the shape is too large" });
        let moments = u16::try_from(moments).map_err(|_| Error::Checkpoint { what: "too many moments" })?;
        Ok(Header {
            inputs: narrow(shape.inputs)?,
            outputs: narrow(shape.outputs)?,
            parameters: narrow(shape.parameters)?,
            moments,
            sequence: 0,
            steps: 0,
            fingerprint: 0,
        })
    }

    /// Bytes of the whole checkpoint; `usize::MAX` where that is too small to say it, as what was read may claim.
    pub const fn bytes(&self) -> usize {
        let numbers = (self.parameters as usize).saturating_mul(1 + self.moments as usize);
        HEADER.saturating_add(numbers.saturating_mul(4))
    }

    /// The header's bytes before its checksum.
    fn to_bytes(self) -> [u8; CHECKED] {
        let mut bytes = [0; CHECKED];
        let [m0, m1, m2, m3] = MAGIC;
        let ([v0, v1], [n0, n1]) = (VERSION.to_le_bytes(), self.moments.to_le_bytes());
        let fields = [
            [m0, m1, m2, m3],
            [v0, v1, n0, n1],
            self.inputs.to_le_bytes(),
            self.outputs.to_le_bytes(),
            self.parameters.to_le_bytes(),
            self.sequence.to_le_bytes(),
            (self.steps as u32).to_le_bytes(),
            ((self.steps >> 32) as u32).to_le_bytes(),
            (self.fingerprint as u32).to_le_bytes(),
            ((self.fingerprint >> 32) as u32).to_le_bytes(),
        ];
        for (to, field) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(fields) {
            *to = field;
        }
        bytes
    }

    /// The header at the front of `bytes`, without a look at its checksum.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] for too few bytes, another magic number or another version.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let (words, _) = bytes.as_chunks::<4>();
        let Some(&[magic, [v0, v1, n0, n1], inputs, outputs, parameters, sequence, low, high, first, last]) =
            words.first_chunk::<10>()
        else {
            return Err(Error::Checkpoint { what: "it is shorter than a header" });
        };
        if magic != MAGIC {
            return Err(Error::Checkpoint { what: "it does not begin with SIML" });
        }
        if u16::from_le_bytes([v0, v1]) != VERSION {
            return Err(Error::Checkpoint { what: "it has another version" });
        }
        let [inputs, outputs, parameters, sequence] = [inputs, outputs, parameters, sequence].map(u32::from_le_bytes);
        let [low, high, first, last] = [low, high, first, last].map(|word| u64::from(u32::from_le_bytes(word)));
        let moments = u16::from_le_bytes([n0, n1]);
        Ok(Header {
            inputs,
            outputs,
            parameters,
            moments,
            sequence,
            steps: low | high << 32,
            fingerprint: first | last << 32,
        })
    }

    /// Whether the other header is of the same network, optimizer and base.
    pub(crate) fn fits(&self, other: &Self) -> Result<(), Error> {
        if [self.inputs, self.outputs, self.parameters] != [other.inputs, other.outputs, other.parameters] {
            return Err(Error::Checkpoint { what: "it has another shape" });
        }
        if self.moments != other.moments {
            return Err(Error::Checkpoint { what: "it has another number of moments" });
        }
        if self.fingerprint != other.fingerprint {
            return Err(Error::Checkpoint { what: "it belongs to other frozen layers or another scale of features" });
        }
        Ok(())
    }
}

/// Writes a checkpoint to the front of `to` and returns how many bytes it takes.
///
/// Cost: one table look-up a byte (the table is 1 KB of constants); no memory.
///
/// # Errors
/// [`Error::Length`] for parameters or moments of another number than the header says, or too few bytes.
///
/// ```
/// use simloss_core::{Error, device::checkpoint::{Header, decode, encode}, layers::Dense};
/// let header = Header { steps: 7, ..Header::new(&Dense::new(1, 2).dense_shape(), 0)? };
/// let mut bytes = [0; 80];
/// assert_eq!(encode(&header, &[1.0, 2.0, 3.0, 4.0], &[], &mut bytes)?, 80);
/// let mut parameters = [0.0; 4];
/// assert_eq!(decode(&bytes, &header, &mut parameters, &mut [])?.steps, 7);
/// assert_eq!(parameters, [1.0, 2.0, 3.0, 4.0]);
/// // One bit, and it is refused.
/// bytes[70] ^= 1;
/// assert!(matches!(decode(&bytes, &header, &mut parameters, &mut []), Err(Error::Checkpoint { .. })));
/// # Ok::<(), Error>(())
/// ```
pub fn encode(header: &Header, parameters: &[f32], moments: &[f32], to: &mut [u8]) -> Result<usize, Error> {
    lengths(header, parameters.len(), moments.len())?;
    let (found, expected) = (to.len(), header.bytes());
    let to = to.get_mut(..expected).ok_or(Error::Length { what: "the bytes of a checkpoint", expected, found })?;
    let (front, numbers) = split_mut(to, HEADER);
    copy(&seal(header, parameters, moments), front);
    for (to, from) in numbers.as_chunks_mut::<4>().0.iter_mut().zip(words(parameters, moments)) {
        *to = from;
    }
    Ok(expected)
}

/// Reads a checkpoint of the network and optimizer that `expected` describes (its sequence and steps are not looked at)
/// and returns its header. Bytes behind it are ignored.
///
/// # Errors
/// [`Error::Checkpoint`] by name for another magic number, version, shape, number of moments or fingerprint, too few bytes,
/// or bytes that changed; [`Error::Length`] for memory of another size. Nothing is written then.
pub fn decode(from: &[u8], expected: &Header, parameters: &mut [f32], moments: &mut [f32]) -> Result<Header, Error> {
    lengths(expected, parameters.len(), moments.len())?;
    let header = Header::read(from)?;
    expected.fits(&header)?;
    let (Some(front), Some(numbers)) = (from.first_chunk(), from.get(HEADER..header.bytes())) else {
        return Err(Error::Checkpoint { what: "it is shorter than its header says" });
    };
    let mut seal = Seal::of(front);
    seal.update(numbers);
    seal.check()?;
    for (to, from) in parameters.iter_mut().chain(moments).zip(numbers.as_chunks::<4>().0) {
        *to = f32::from_bits(u32::from_le_bytes(*from));
    }
    Ok(header)
}

/// The parameters of a checkpoint without moments whose bytes are a constant. In a `static` they are read and checked when
/// it is compiled and then lie in flash, aligned: frozen layers take no RAM for them.
///
/// # Errors
/// [`Error::Checkpoint`] by name for another magic number, version, number of parameters or moments, too few or too many
/// bytes, or bytes that changed.
///
/// ```
/// use simloss_core::device::checkpoint::constant;
/// // As `include_bytes!` gives them: one parameter, 1.0.
/// const BYTES: [u8; 68] = {
///     let mut bytes = [0; 68];
///     (bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[16]) = (b'S', b'I', b'M', b'L', 1, 1);
///     let [a, b, c, d] = 0xb03e_b8bbu32.to_le_bytes();
///     (bytes[60], bytes[61], bytes[62], bytes[63], bytes[66], bytes[67]) = (a, b, c, d, 0x80, 0x3f);
///     bytes
/// };
/// static WEIGHTS: [f32; 1] = match constant(&BYTES) {
///     Ok(weights) => weights,
///     Err(_) => panic!("the file has changed"), // the build stops here
/// };
/// assert_eq!(WEIGHTS, [1.0]);
/// assert!(constant::<2>(&BYTES).is_err());
/// ```
pub const fn constant<const N: usize>(from: &[u8]) -> Result<[f32; N], Error> {
    const FIRST: usize = HEADER / 4;
    let (words, []) = from.as_chunks::<4>() else {
        return Err(Error::Checkpoint { what: "it is no whole number of words" });
    };
    if words.len() <= FIRST {
        return Err(Error::Checkpoint { what: "it is shorter than a header" });
    }
    if u32::from_le_bytes(words[0]) != u32::from_le_bytes(MAGIC) {
        return Err(Error::Checkpoint { what: "it does not begin with SIML" });
    }
    // Version, and no moments.
    if u32::from_le_bytes(words[1]) != VERSION as u32 {
        return Err(Error::Checkpoint { what: "it has another version or number of moments" });
    }
    if u32::from_le_bytes(words[4]) as usize != N || words.len() != FIRST + N {
        return Err(Error::Checkpoint { what: "it has another number of parameters" });
    }
    let mut digest = CHECKSUM.digest();
    digest.update(from.split_at(CHECKED).0);
    digest.update(from.split_at(HEADER).1);
    if digest.finalize() != u32::from_le_bytes(words[FIRST - 1]) {
        return Err(Error::Checkpoint { what: "its checksum does not match its bytes" });
    }
    let mut parameters = [0.0; N];
    let mut i = 0;
    while i < N {
        parameters[i] = f32::from_bits(u32::from_le_bytes(words[FIRST + i]));
        i += 1;
    }
    Ok(parameters)
}

/// The bytes of all numbers, in their order.
pub(crate) fn words<'a, T: Copy + Into<f32>>(
    parameters: &'a [T],
    moments: &'a [T],
) -> impl Iterator<Item = [u8; 4]> + 'a {
    parameters.iter().chain(moments).map(|&x| x.into().to_bits().to_le_bytes())
}

/// The fingerprint of some bytes, never 0: CRC-64 (XZ). It tells one base network from another where they were confused, not
/// where somebody forged one.
///
/// ```
/// use simloss_core::device::checkpoint::fingerprint;
/// assert_eq!(fingerprint([&b"1234"[..], b"56789"]), 0x995d_c9bb_df19_39fa); // the catalogue's check value
/// ```
pub fn fingerprint<B: AsRef<[u8]>>(parts: impl IntoIterator<Item = B>) -> u64 {
    let mut digest = FINGERPRINT.digest();
    parts.into_iter().for_each(|part| digest.update(part.as_ref()));
    digest.finalize().max(1)
}

/// The bytes of a header, with the checksum of it and all numbers.
pub(crate) fn seal<T: Copy + Into<f32>>(header: &Header, parameters: &[T], moments: &[T]) -> [u8; HEADER] {
    let (mut bytes, checked) = ([0; HEADER], header.to_bytes());
    let mut digest = CHECKSUM.digest();
    digest.update(&checked);
    words(parameters, moments).for_each(|word| digest.update(&word));
    let (fields, checksum) = split_mut(&mut bytes, CHECKED);
    copy(&checked, fields);
    copy(&digest.finalize().to_le_bytes(), checksum);
    bytes
}

/// The checksum of a header as it was read, and of the numbers that are read after it.
pub(crate) struct Seal {
    digest: Digest<'static, u32, Table<1>>,
    expected: u32,
}

impl Seal {
    pub(crate) fn of(front: &[u8; HEADER]) -> Self {
        let (checked, checksum) = split(front, CHECKED);
        let mut digest = CHECKSUM.digest();
        digest.update(checked);
        Seal { digest, expected: checksum.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)) }
    }

    pub(crate) fn update(&mut self, numbers: &[u8]) {
        self.digest.update(numbers);
    }

    pub(crate) fn check(self) -> Result<(), Error> {
        if self.digest.finalize() == self.expected {
            Ok(())
        } else {
            Err(Error::Checkpoint { what: "its checksum does not match its bytes" })
        }
    }
}

pub(crate) fn lengths(header: &Header, parameters: usize, moments: usize) -> Result<(), Error> {
    let expected = header.parameters as usize;
    length("the parameters of a checkpoint", expected, parameters)?;
    length("the moments of a checkpoint", expected.saturating_mul(usize::from(header.moments)), moments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::Dense;

    const PARAMETERS: [f32; 6] = [1.5, -0.0, f32::MIN_POSITIVE / 8.0, 3.0e38, -1.0, 0.1];
    const MOMENTS: [f32; 12] = [0.25, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, -11.0];

    fn encoded() -> Result<([u8; 136], Header), Error> {
        let header = Header::new(&Dense::new(2, 2).dense_shape(), 2)?;
        let header = Header { sequence: 3, steps: 5 << 32 | 9, ..header };
        let mut bytes = [0xff; 136];
        assert_eq!(encode(&header, &PARAMETERS, &MOMENTS, &mut bytes)?, 136);
        Ok((bytes, header))
    }

    #[test]
    fn comes_back_with_its_bits() -> Result<(), Error> {
        let (bytes, header) = encoded()?;
        let (mut parameters, mut moments) = ([9.0; 6], [9.0; 12]);
        assert_eq!(decode(&bytes, &header, &mut parameters, &mut moments)?, header);
        assert_eq!(parameters.map(f32::to_bits), PARAMETERS.map(f32::to_bits));
        assert_eq!(moments.map(f32::to_bits), MOMENTS.map(f32::to_bits));
        Ok(())
    }

    #[test]
    fn the_format_does_not_change_by_accident() -> Result<(), Error> {
        let (bytes, _) = encoded()?;
        assert_eq!(bytes[..8], [b'S', b'I', b'M', b'L', 1, 0, 2, 0]);
        assert_eq!(bytes[8..32], [2, 0, 0, 0, 2, 0, 0, 0, 6, 0, 0, 0, 3, 0, 0, 0, 9, 0, 0, 0, 5, 0, 0, 0]);
        assert_eq!(bytes[64..68], [0, 0, 0xc0, 0x3f]);
        // zlib.crc32 of bytes 0..60 and 64..136.
        assert_eq!(bytes[60..64], [128, 54, 111, 32]);
        Ok(())
    }

    #[test]
    fn every_changed_bit_is_refused_and_changes_nothing() -> Result<(), Error> {
        let (bytes, header) = encoded()?;
        for bit in 0..8 * bytes.len() {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            let (mut parameters, mut moments) = ([9.0; 6], [9.0; 12]);
            let result = decode(&changed, &header, &mut parameters, &mut moments);
            assert!(matches!(result, Err(Error::Checkpoint { .. })), "bit {bit}: {result:?}");
            assert_eq!((parameters, moments), ([9.0; 6], [9.0; 12]));
        }
        for n in 0..bytes.len() {
            assert!(matches!(
                decode(&bytes[..n], &header, &mut [0.0; 6], &mut [0.0; 12]),
                Err(Error::Checkpoint { .. })
            ));
        }
        Ok(())
    }

    #[test]
    fn constants_have_the_bits_that_are_decoded() -> Result<(), Error> {
        let header = Header::new(&Dense::new(2, 2).dense_shape(), 0)?;
        let mut bytes = [0; 88];
        encode(&header, &PARAMETERS, &[], &mut bytes)?;
        assert_eq!(constant::<6>(&bytes)?.map(f32::to_bits), PARAMETERS.map(f32::to_bits));
        for bit in 0..8 * bytes.len() {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(constant::<6>(&changed), Err(Error::Checkpoint { .. })), "bit {bit}");
        }
        for n in 0..bytes.len() {
            assert!(matches!(constant::<6>(&bytes[..n]), Err(Error::Checkpoint { .. })), "{n} bytes");
        }
        assert!(constant::<5>(&bytes).is_err() && constant::<7>(&bytes).is_err());
        // Moments would be read as parameters.
        assert!(constant::<18>(&encoded()?.0).is_err() && constant::<6>(&encoded()?.0).is_err());
        Ok(())
    }

    #[test]
    fn another_network_is_refused_by_name() -> Result<(), Error> {
        let (bytes, header) = encoded()?;
        let what = |expected: &Header, parameters: usize, moments: usize| match decode(
            &bytes,
            expected,
            &mut [0.0; 6][..parameters],
            &mut [0.0; 12][..moments],
        ) {
            Err(Error::Checkpoint { what }) => what,
            _ => "",
        };
        assert_eq!(what(&Header { outputs: 3, ..header }, 6, 12), "it has another shape");
        assert_eq!(what(&Header { moments: 1, ..header }, 6, 6), "it has another number of moments");
        assert!(matches!(decode(&bytes, &header, &mut [0.0; 5], &mut [0.0; 12]), Err(Error::Length { .. })));
        assert!(matches!(encode(&header, &PARAMETERS, &MOMENTS, &mut [0; 135]), Err(Error::Length { .. })));
        let mut newer = bytes;
        newer[4] = 2;
        assert_eq!(Header::read(&newer), Err(Error::Checkpoint { what: "it has another version" }));
        Ok(())
    }
}
