//! What else a head costs: a forward pass, a save and a load, in a flash memory that is RAM and takes no time of its own.

use crate::{
    Clock, Sink, checksum,
    front::{Head, Sample, measure},
    head::{CLASSES, FEATURES},
    optimizers::{Mover, Sgd},
    similarities::Order,
};
use core::convert::Infallible;
use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use simloss_core::{
    Error,
    device::flash::{FlashError, Slots},
};

type Front<'m> = Head<'m, f32, Sgd, Order>;

/// Numbers of the head's memory.
pub const NUMBERS: usize = Front::NUMBERS;
const PAGE: usize = 1024;
/// Bytes of two slots.
pub const FLASH: usize = 2 * (64 + 4 * (FEATURES + 1) * CLASSES).next_multiple_of(PAGE);

/// RAM as a flash memory with words of 4 bytes and pages of 1 KB.
struct Ram<'a>(&'a mut [u8; FLASH]);

impl ErrorType for Ram<'_> {
    type Error = Infallible;
}

impl ReadNorFlash for Ram<'_> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, at: u32, to: &mut [u8]) -> Result<(), Infallible> {
        let from = self.0.get(at as usize..).unwrap_or_default();
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        Ok(())
    }

    fn capacity(&self) -> usize {
        FLASH
    }
}

impl NorFlash for Ram<'_> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Infallible> {
        self.0.get_mut(from as usize..to as usize).unwrap_or_default().fill(0xff);
        Ok(())
    }

    fn write(&mut self, at: u32, from: &[u8]) -> Result<(), Infallible> {
        let to = self.0.get_mut(at as usize..).unwrap_or_default();
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        Ok(())
    }
}

/// What a head costs beside its steps, in instructions.
pub struct Costs {
    /// A prediction.
    pub forward: u32,
    /// A save.
    pub save: u32,
    /// A load.
    pub load: u32,
}

/// Learns ten samples, predicts, saves, learns on, and loads what it saved. A line: the predicted class, and a checksum of all
/// parameters as they were saved, after it learned on, and after the load.
///
/// # Errors
/// None, for these samples.
#[inline(always)]
pub fn run(
    name: &str,
    memory: &mut [f32; NUMBERS],
    flash: &mut [u8; FLASH],
    x: &mut Sample,
    clock: &mut impl Clock,
    sink: &mut impl Sink,
) -> Result<Costs, Error> {
    let keep = |error| match error {
        FlashError::Core(error) => error,
        FlashError::Flash(never) => match never {},
    };
    flash.fill(0xff);
    let mut head = Front::new(memory, 0.8, <Sgd as Mover<f32>>::optimizer()?)?;
    let mut slots = Slots::open(Ram(flash), 0, head.header()?).map_err(keep)?;
    let learn = |head: &mut Front<'_>, x: &mut Sample| {
        for number in 0..10 {
            let class = measure(number, x)?;
            head.learn(x, class)?;
        }
        Ok::<_, Error>(checksum(head.parameters()))
    };
    let saved = learn(&mut head, x)?;
    measure(3, x)?;
    clock.start();
    let predicted = head.predict(x);
    let forward = clock.stop();
    clock.start();
    let result = head.save(&mut slots);
    let save = clock.stop();
    result.map_err(keep)?;
    let moved = learn(&mut head, x)?;
    clock.start();
    let result = head.load(&mut slots);
    let load = clock.stop();
    result.map_err(keep)?;
    sink.line(name, &[predicted?.index() as u32, saved, moved, checksum(head.parameters())]);
    Ok(Costs { forward, save, load })
}
