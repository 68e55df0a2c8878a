//! Two slots in a flash memory: parameters and the optimizer's state survive a power cut at any moment.
//!
//! Each slot holds a [checkpoint](crate::device::checkpoint), byte for byte. [`save`](Slots::save) erases and writes the slot
//! that does not hold the newest valid one: numbers, then the header, its checksum last. [`load`](Slots::load) reads the
//! newest valid one. So whatever a cut leaves of the slot that was being written, the other is whole, and a slot counts
//! only once its last word is written and everything in it has its checksum.
//!
//! ```text
//! start                    start + slot                    start + 2 slot
//! | SIML header | numbers  | SIML header | numbers         |        slot: a whole number of erasable pages
//! ```
//!
//! Works with any driver of the traits of `embedded-storage` whose words are at most 32 bytes. No buffer: numbers pass
//! through 64 bytes of stack.
//!
//! Stores of keys and values (`sequential-storage`, `ekv`) keep items of at most a page, and would cut a model into
//! pieces whose common validity is again the caller's.

use crate::{
    Error,
    device::checkpoint::{HEADER, Header, Seal, lengths, seal, words},
    slices::{copy, split},
    train::Model,
};
use core::fmt;
use embedded_storage::nor_flash::NorFlash;

/// Bytes that are read or written at a time.
const CHUNK: usize = HEADER;

/// What a slot is before it was read, and while it is written.
const UNREAD: Error = Error::Checkpoint { what: "it was not read" };

/// Two slots, and which of them counts.
///
/// ```
/// # use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
/// # struct Flash([u8; 512]);
/// # impl ErrorType for Flash { type Error = core::convert::Infallible; }
/// # impl ReadNorFlash for Flash {
/// #     const READ_SIZE: usize = 1;
/// #     fn read(&mut self, at: u32, to: &mut [u8]) -> Result<(), Self::Error> {
/// #         to.copy_from_slice(&self.0[at as usize..][..to.len()]);
/// #         Ok(())
/// #     }
/// #     fn capacity(&self) -> usize { 512 }
/// # }
/// # impl NorFlash for Flash {
/// #     const WRITE_SIZE: usize = 4;
/// #     const ERASE_SIZE: usize = 256;
/// #     fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
/// #         self.0[from as usize..to as usize].fill(0xff);
/// #         Ok(())
/// #     }
/// #     fn write(&mut self, at: u32, from: &[u8]) -> Result<(), Self::Error> {
/// #         self.0[at as usize..][..from.len()].copy_from_slice(from);
/// #         Ok(())
/// #     }
/// # }
/// use simloss_core::{device::{checkpoint::Header, flash::Slots}, layers::Dense, train::Model};
/// let flash = Flash([0xff; 512]); // the driver of your part
/// let header = Header::new(&Dense::new(1, 2).dense_shape(), 0)?;
/// let mut slots = Slots::open(flash, 0, header)?;
/// let (mut w, mut steps) = ([1.0f32, 2.0, 3.0, 4.0], 7);
/// // Nothing was ever saved: the model keeps the weights it left the factory with.
/// assert_eq!(slots.load(Model { parameters: &mut w, moments: &mut [], steps: &mut steps })?, None);
/// slots.save(&Model { parameters: &mut w, moments: &mut [], steps: &mut steps })?;
///
/// // The next start.
/// let mut slots = Slots::open(slots.release(), 0, header)?;
/// let (mut w, mut steps) = ([0.0f32; 4], 0);
/// let found = slots.load(Model { parameters: &mut w, moments: &mut [], steps: &mut steps })?;
/// assert_eq!((found.map(|header| header.sequence), w, steps), (Some(1), [1.0, 2.0, 3.0, 4.0], 7));
/// # Ok::<(), simloss_core::device::flash::FlashError<core::convert::Infallible>>(())
/// ```
#[derive(Debug)]
pub struct Slots<F> {
    flash: F,
    start: u32,
    header: Header,
    found: [Result<Header, Error>; 2],
}

/// What can go wrong with a flash memory.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum FlashError<E> {
    /// The driver's error.
    Flash(E),
    /// Memory or slots that do not fit the model, or a slot that does not keep what was written.
    Core(Error),
}

impl<E> From<Error> for FlashError<E> {
    fn from(error: Error) -> Self {
        FlashError::Core(error)
    }
}

impl<E: fmt::Debug> fmt::Display for FlashError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FlashError::Flash(error) => write!(f, "the flash memory's driver failed: {error:?}"),
            FlashError::Core(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for FlashError<E> {}

impl<F: NorFlash> Slots<F> {
    /// Bytes of one slot: the checkpoint, in whole pages of this memory; `usize::MAX` where that is too small to say it.
    pub const fn slot_bytes(header: &Header) -> usize {
        match header.bytes().checked_next_multiple_of(CHUNK) {
            Some(bytes) => match bytes.checked_next_multiple_of(F::ERASE_SIZE) {
                Some(bytes) => bytes,
                None => usize::MAX,
            },
            None => usize::MAX,
        }
    }

    /// The two slots from offset `start` on, for checkpoints such as `header`; nothing is written.
    ///
    /// Cost: both slots are read.
    ///
    /// # Errors
    /// [`Error::Setting`] for a memory whose words do not divide 32, or an offset that is no page's first; [`Error::Length`]
    /// for a memory that ends before the slots do; the driver's.
    pub fn open(flash: F, start: u32, header: Header) -> Result<Self, FlashError<F::Error>> {
        // The last word of the header must hold the checksum and not all of the header.
        let words = [F::WRITE_SIZE, F::READ_SIZE];
        if words.iter().any(|&word| word == 0 || !(HEADER / 2).is_multiple_of(word)) {
            return Err(Error::Setting { what: "words of the flash memory, a divisor of 32 bytes" }.into());
        }
        if F::ERASE_SIZE == 0 || !(start as usize).is_multiple_of(F::ERASE_SIZE) {
            return Err(Error::Setting { what: "first offset of the slots, the first of a page" }.into());
        }
        // Wider than offsets and many a `usize`, where the sum might wrap around.
        let end = (Self::slot_bytes(&header) as u64).saturating_mul(2).saturating_add(start.into());
        if u32::try_from(end).is_err() || end > flash.capacity() as u64 {
            let expected = usize::try_from(end).unwrap_or(usize::MAX);
            return Err(
                Error::Length { what: "the bytes of the flash memory", expected, found: flash.capacity() }.into()
            );
        }
        let mut slots = Slots { flash, start, header, found: [Err(UNREAD); 2] };
        slots.found = [slots.examine(0)?, slots.examine(1)?];
        Ok(slots)
    }

    /// What is in each slot: the header of a valid checkpoint, or why it is none.
    pub const fn found(&self) -> [Result<Header, Error>; 2] {
        self.found
    }

    /// The slot that counts, and its header.
    fn newest(&self) -> Option<(usize, Header)> {
        match self.found {
            // The sequence may wrap around: the later is the one that is less than half around ahead.
            [Ok(a), Ok(b)] if b.sequence.wrapping_sub(a.sequence) < 1 << 31 => Some((1, b)),
            [Ok(a), _] => Some((0, a)),
            [Err(_), Ok(b)] => Some((1, b)),
            [Err(_), Err(_)] => None,
        }
    }

    /// Fills the model from the newest valid slot; returns its header, or `None` where no slot is valid, and the model
    /// keeps its numbers.
    ///
    /// # Errors
    /// [`Error::Length`] for memory of another size; nothing is written then. [`Error::Checkpoint`] where the slot has
    /// changed since it was [opened](Self::open), or the driver's error: the model then holds a part of what was read.
    pub fn load<T: From<f32>>(&mut self, model: Model<'_, T>) -> Result<Option<Header>, FlashError<F::Error>> {
        let Model { parameters, moments, steps } = model;
        lengths(&self.header, parameters.len(), moments.len())?;
        let Some((slot, header)) = self.newest() else { return Ok(None) };
        let mut numbers = parameters.iter_mut().chain(moments);
        let read = self.read(slot, |bytes| {
            for (word, to) in bytes.as_chunks::<4>().0.iter().zip(numbers.by_ref()) {
                *to = f32::from_bits(u32::from_le_bytes(*word)).into();
            }
        })?;
        if read? != header {
            return Err(Error::Checkpoint { what: "it has changed since it was looked at" }.into());
        }
        *steps = header.steps;
        Ok(Some(header))
    }

    /// Writes the model to the slot that does not count, reads it back, and lets it count; returns its header.
    ///
    /// Cost: a slot is erased, written once, and read once; the numbers' checksum is computed twice. A flash memory of
    /// 10,000 erasures a page lasts 20,000 saves.
    ///
    /// # Errors
    /// [`Error::Length`] for memory of another size; the driver's; [`Error::Checkpoint`] where the memory does not keep
    /// what was written (worn out). What was saved before still counts then.
    pub fn save<T: Copy + Into<f32>>(&mut self, model: &Model<'_, T>) -> Result<Header, FlashError<F::Error>> {
        let Model { parameters, moments, steps } = model;
        lengths(&self.header, parameters.len(), moments.len())?;
        let (slot, sequence) = match self.newest() {
            Some((newest, header)) => (1 - newest, header.sequence.wrapping_add(1)),
            None => (0, 1),
        };
        let header = Header { sequence, steps: **steps, ..self.header };
        let front = seal(&header, parameters, moments);
        let at = self.offset(slot);
        self.note(slot, Err(UNREAD));
        self.flash.erase(at, self.offset(slot + 1)).map_err(FlashError::Flash)?;

        let (mut chunk, mut filled, mut next) = ([0xff; CHUNK], 0, at + HEADER as u32);
        for word in words(parameters, moments) {
            if let Some(to) = chunk.get_mut(filled..filled + 4) {
                copy(&word, to);
            }
            filled += 4;
            if filled == CHUNK {
                self.flash.write(next, &chunk).map_err(FlashError::Flash)?;
                (chunk, filled, next) = ([0xff; CHUNK], 0, next + CHUNK as u32);
            }
        }
        if filled > 0 {
            let (rest, _) = split(&chunk, filled.next_multiple_of(F::WRITE_SIZE));
            self.flash.write(next, rest).map_err(FlashError::Flash)?;
        }
        let (fields, last) = split(&front, HEADER - F::WRITE_SIZE.max(4));
        self.flash.write(at, fields).map_err(FlashError::Flash)?;
        self.flash.write(at + fields.len() as u32, last).map_err(FlashError::Flash)?;

        let kept = self.examine(slot)?;
        if kept != Ok(header) {
            let error = Error::Checkpoint { what: "the flash memory does not keep what was written" };
            self.note(slot, Err(error));
            return Err(error.into());
        }
        self.note(slot, kept);
        Ok(header)
    }

    /// Refuses another head than that for which the slots were opened.
    pub(super) fn expects(&self, header: &Header) -> Result<(), Error> {
        self.header.fits(header).map_err(|_| Error::Checkpoint { what: "the slots were opened for another head" })
    }

    /// The driver.
    pub fn release(self) -> F {
        self.flash
    }

    fn note(&mut self, slot: usize, found: Result<Header, Error>) {
        if let Some(place) = self.found.get_mut(slot) {
            *place = found;
        }
    }

    fn offset(&self, slot: usize) -> u32 {
        self.start + (slot * Self::slot_bytes(&self.header)) as u32
    }

    /// What is in a slot.
    fn examine(&mut self, slot: usize) -> Result<Result<Header, Error>, FlashError<F::Error>> {
        self.read(slot, |_| {})
    }

    /// Reads a slot; `numbers` gets all bytes behind the header, if that is of this model, in chunks.
    fn read(
        &mut self,
        slot: usize,
        mut numbers: impl FnMut(&[u8]),
    ) -> Result<Result<Header, Error>, FlashError<F::Error>> {
        let at = self.offset(slot);
        let mut chunk = [0; CHUNK];
        self.flash.read(at, &mut chunk).map_err(FlashError::Flash)?;
        let header = match Header::read(&chunk).and_then(|header| self.header.fits(&header).map(|()| header)) {
            Ok(header) => header,
            Err(error) => return Ok(Err(error)),
        };
        let mut seal = Seal::of(&chunk);
        for start in (HEADER..header.bytes()).step_by(CHUNK) {
            self.flash.read(at + start as u32, &mut chunk).map_err(FlashError::Flash)?;
            let (bytes, _) = split(&chunk, header.bytes() - start);
            seal.update(bytes);
            numbers(bytes);
        }
        Ok(seal.check().map(|()| header))
    }
}
