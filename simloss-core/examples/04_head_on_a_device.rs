//! A head that goes on learning on a microcontroller: its budget before anything is built, one sample at a time, and
//! its state as bytes that survive a power cut.
//!
//!     cargo run -p simloss-core --example 04_head_on_a_device
//!
//! Nothing of the head needs a heap, prints or panics. The feature `flash` puts the bytes into two slots of a flash memory
//! (`simloss_core::device::flash`); `docs/microcontroller.md` says what a step costs.

use simloss_core::{Error, device, device::checkpoint, nalgebra::SVector, optimizer::Sgd, similarity::ClassOrder};

const FEATURES: usize = 32;
const CLASSES: usize = 16;

/// Named once: in a `static`, in a struct, in RTIC's `Shared`.
type Head<'m> = device::Head<'m, FEATURES, CLASSES, ClassOrder<f32, CLASSES>, Sgd<f32>>;

// The build stops here if the part is too small: 4 KB of RAM for the head, and its state twice in 8 KB of flash, so that one of
// them is always whole.
const _: () = assert!(4 * Head::NUMBERS <= 4 * 1024);
const _: () = assert!(2 * Head::BYTES <= 8 * 1024);

/// What a sensor would give: the features near the class's place are large.
fn measured(class: usize) -> SVector<f32, FEATURES> {
    SVector::from_fn(|i, _| if i / 2 == class { 1.0 } else { 0.1 })
}

fn main() -> Result<(), Error> {
    println!("RAM {} bytes, state {} bytes", 4 * Head::NUMBERS, Head::BYTES);
    // One `static` in a firmware: the head borrows it, and is itself a few words.
    let mut memory = [0.0; Head::NUMBERS];
    let mut head = Head::new(&mut memory, 0.7, Sgd::new(0.5)?)?;
    let mut last = [0.0; 2];
    for round in 0..40 {
        let mut sum = 0.0;
        for class in 0..CLASSES {
            sum += head.learn(&measured(class), class)?;
        }
        if round % 39 == 0 {
            println!("round {round:2}: mean loss {:.4}", sum / CLASSES as f32);
            last[round / 39] = sum;
        }
    }
    assert!(last[1] < 0.7 * last[0]);
    assert_eq!(head.predict(&measured(3))?.index(), 3);

    // The power goes. What was saved comes back, to the last bit.
    let mut flash = [0; Head::BYTES];
    head.encode(&mut flash)?;
    let mut memory = [0.0; Head::NUMBERS];
    let mut restarted = Head::new(&mut memory, 0.7, Sgd::new(0.5)?)?;
    restarted.decode(&flash)?;
    assert_eq!(restarted.steps(), 40 * CLASSES as u64);
    let losses = [head.learn(&measured(3), 3)?, restarted.learn(&measured(3), 3)?];
    assert_eq!(losses[0].to_bits(), losses[1].to_bits());

    // A bit of the flash memory has changed: refused, and the head goes on with what it has.
    flash[checkpoint::HEADER + 100] ^= 1;
    let refused = restarted.decode(&flash);
    println!("refused: {}", refused.map_or_else(|error| error.to_string(), |()| String::new()));
    assert!(matches!(refused, Err(Error::Checkpoint { .. })));

    // So is a measurement that is none.
    let mut broken = measured(3);
    broken[9] = f32::NAN;
    assert!(matches!(restarted.learn(&broken, 3), Err(Error::NotFinite { .. })));
    Ok(())
}
