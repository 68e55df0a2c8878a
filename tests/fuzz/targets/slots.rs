#![no_main]
//! Two slots in a flash memory of hostile bytes: opened, loaded from, saved to, and found again.
use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use libfuzzer_sys::fuzz_target;
use simloss_core::{
    device::{checkpoint::Header, flash::Slots},
    train::Model,
};
use simloss_fuzz::{Bytes, sealed};
use std::convert::Infallible;

/// Two pages that keep what is written.
struct Flash([u8; 256]);

impl ErrorType for Flash {
    type Error = Infallible;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 4;
    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(&self.0[offset as usize..][..bytes.len()]);
        Ok(())
    }
    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 128;
    fn erase(&mut self, from: u32, to: u32) -> Result<(), Infallible> {
        self.0[from as usize..to as usize].fill(0xff);
        Ok(())
    }
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Infallible> {
        let to = &mut self.0[offset as usize..][..bytes.len()];
        assert!(to.iter().all(|&byte| byte == 0xff), "a word is written once");
        to.copy_from_slice(bytes);
        Ok(())
    }
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let [seals] = bytes.take();
    let header = Header { inputs: 1, outputs: 2, parameters: 4, moments: 2, sequence: 0, steps: 0, fingerprint: 0 };
    let slots = [bytes.take::<128>(), bytes.take::<128>()];
    let mut flash = [0; 256];
    for (i, (to, from)) in flash.chunks_mut(128).zip(slots).enumerate() {
        to.copy_from_slice(&if seals >> i & 1 == 1 { sealed(&from, header.bytes()) } else { from.to_vec() });
    }
    let mut slots = Slots::open(Flash(flash), 0, header).expect("it fits");
    let (mut parameters, mut moments, mut steps) = ([0.5f32; 4], [0.25f32; 8], 3);
    let model = Model { parameters: &mut parameters, moments: &mut moments, steps: &mut steps };
    let found = slots.load(model).expect("a driver that never fails");
    assert_eq!(found.is_some(), slots.found().iter().any(Result::is_ok));
    let model = Model { parameters: &mut parameters, moments: &mut moments, steps: &mut steps };
    let saved = slots.save(&model).expect("a driver that never fails");
    let expected = found.map_or(1, |found| found.sequence.wrapping_add(1));
    assert_eq!(saved.sequence, expected);
    // What is saved counts after the next start, whatever lies in the other slot.
    let mut slots = Slots::open(slots.release(), 0, header).expect("it fits");
    let (mut parameters2, mut moments2, mut steps2) = ([0.0f32; 4], [0.0f32; 8], 0);
    let model = Model { parameters: &mut parameters2, moments: &mut moments2, steps: &mut steps2 };
    assert_eq!(slots.load(model), Ok(Some(saved)));
    let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!((bits(&parameters2), bits(&moments2), steps2), (bits(&parameters), bits(&moments), steps));
});
