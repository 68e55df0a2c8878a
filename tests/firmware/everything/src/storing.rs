//! Checkpoints, and slots in a flash memory.

use crate::{Memory, Outcome, numbers, size};
use core::hint::black_box;
use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};
use simloss_core::{
    device::{
        checkpoint::{Header, constant, decode, encode},
        flash::{FlashError, Slots},
    },
    layers::Dense,
    train::Model,
};

pub static ENTRIES: &[fn() -> super::Outcome] = &[checkpoints, constants, slots];

fn header() -> Result<Header, simloss_core::Error> {
    Header::new(&Dense::new(size(), size()).dense_shape(), size())
}

fn checkpoints() -> Outcome {
    let (mut w, mut m, mut bytes) = (numbers(), numbers(), Memory::<u8, 512>::of(1));
    let header = header()?;
    black_box(Header::bytes(&header));
    black_box(encode(&header, w.part(), m.part(), bytes.part())?);
    black_box(Header::read(bytes.part())?);
    black_box(decode(bytes.part(), &header, w.part(), m.part())?);
    w.done();
    Ok(())
}

fn constants() -> Outcome {
    black_box(constant::<4>(Memory::<u8, 512>::of(1).part())?);
    Ok(())
}

/// A flash memory that fails, or not.
pub struct Flash(Memory<u8, 512>);

#[derive(Debug)]
pub struct Worn;

impl NorFlashError for Worn {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl ErrorType for Flash {
    type Error = Worn;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, at: u32, to: &mut [u8]) -> Result<(), Worn> {
        let from = self.0.0.get(at as usize..).ok_or(Worn)?;
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        Ok(())
    }

    fn capacity(&self) -> usize {
        size()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 256;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Worn> {
        self.0.0.get_mut(from as usize..to as usize).ok_or(Worn)?.fill(0xff);
        Ok(())
    }

    fn write(&mut self, at: u32, from: &[u8]) -> Result<(), Worn> {
        let to = self.0.0.get_mut(at as usize..).ok_or(Worn)?;
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        Ok(())
    }
}

/// The core's error, or any.
pub fn keep(error: FlashError<Worn>) -> simloss_core::Error {
    match error {
        FlashError::Core(error) => error,
        FlashError::Flash(_) => simloss_core::Error::Empty,
    }
}

/// Slots for such checkpoints.
pub fn any_slots(header: Header) -> Result<Slots<Flash>, simloss_core::Error> {
    Slots::open(Flash(Memory::of(1)), size() as u32, header).map_err(keep)
}

fn slots() -> Outcome {
    let (mut w, mut m, mut steps) = (numbers(), numbers(), 1);
    let header = header()?;
    black_box(Slots::<Flash>::slot_bytes(&header));
    let mut slots = any_slots(header)?;
    let _ = black_box(Slots::found(&slots));
    let model = Model { parameters: w.part(), moments: m.part(), steps: &mut steps };
    black_box(Slots::save(&mut slots, &model).map_err(keep)?);
    black_box(Slots::load(&mut slots, model).map_err(keep)?);
    Slots::release(slots).0.done();
    Ok(())
}
