//! A head that goes on learning on a microcontroller: its budget before anything is built, one sample at a time, and
//! its state as bytes that survive a power cut.
//!
//!     cargo run -p simloss-core --example 04_head_on_a_device
//!
//! Everything in `device` could stand in a firmware as it is: no heap, no `println!`, no panic. The feature `flash` puts the
//! bytes into two slots of a flash memory (`simloss_core::device::flash`); `docs/microcontroller.md` says what a step costs.

use simloss_core::{Error, Label, device::checkpoint};

mod head {
    use simloss_core::{
        Error, Label,
        device::{
            Budget,
            checkpoint::{self, Header},
        },
        layers::Dense,
        loss::{Criterion, Reduction, SimLoss, Targets},
        optimizer::Sgd,
        similarity::ClassOrder,
        train::{Batch, Model, Network, RowMajor, Work, train_one},
    };

    pub const FEATURES: usize = 32;
    pub const CLASSES: usize = 16;
    const PARAMETERS: usize = Dense::new(FEATURES, CLASSES).dense_shape().parameters;

    /// What one state takes in flash.
    pub const BYTES: usize = checkpoint::HEADER + 4 * PARAMETERS;

    // The build stops here if the part is too small: 4 KB of RAM for the head, and its state twice in 8 KB of flash, so
    // that one of them is always whole.
    const BUDGET: Budget = Budget::dense(FEATURES, CLASSES);
    const _: () = assert!(BUDGET.bytes() + size_of::<ClassOrder<f32, CLASSES>>() <= 4 * 1024);
    const _: () = assert!(2 * BYTES <= 8 * 1024);

    /// All that the head needs while it lives: one `static` in a firmware.
    pub struct Head {
        parameters: [f32; PARAMETERS],
        values: [f32; BUDGET.values],
        similarity: ClassOrder<f32, CLASSES>,
        steps: u64,
    }

    impl Head {
        pub fn new() -> Result<Self, Error> {
            let similarity = ClassOrder::new(0.7)?;
            Ok(Head { parameters: [0.0; PARAMETERS], values: [0.0; BUDGET.values], similarity, steps: 0 })
        }

        /// Learns from one sample; returns the loss before the step.
        pub fn learn(&mut self, features: &[f32; FEATURES], truth: Label) -> Result<f32, Error> {
            // Layers and settings are small and `Copy`: made where they are used, they take no memory.
            let criterion = Criterion::new(SimLoss::new(&self.similarity));
            let network = Network::new(Dense::new(FEATURES, CLASSES), criterion)?;
            train_one(
                &network,
                &mut Work { scalars: &mut [], values: &mut self.values },
                &Sgd::new(0.5)?,
                Model { parameters: &mut self.parameters, moments: &mut [], steps: &mut self.steps },
                Batch {
                    features: &RowMajor::new(features, FEATURES)?,
                    targets: Targets::labels(&[Some(truth)]),
                    reduction: Reduction::Sum,
                    losses: &mut [0.0],
                },
            )
        }

        /// The state as bytes, with a checksum.
        pub fn save(&self, to: &mut [u8; BYTES]) -> Result<(), Error> {
            let header = Header { steps: self.steps, ..Self::header()? };
            checkpoint::encode(&header, &self.parameters, &[], to)?;
            Ok(())
        }

        /// Back to a saved state. Bytes that changed, or are of another network, are refused, and the head stays as it is.
        pub fn load(&mut self, from: &[u8]) -> Result<u64, Error> {
            self.steps = checkpoint::decode(from, &Self::header()?, &mut self.parameters, &mut [])?.steps;
            Ok(self.steps)
        }

        fn header() -> Result<Header, Error> {
            Header::new(&Dense::new(FEATURES, CLASSES).dense_shape(), 0)
        }
    }
}

use head::{BYTES, CLASSES, FEATURES, Head};

/// What a sensor would give: the features near the class's place are large.
fn measured(class: usize) -> [f32; FEATURES] {
    core::array::from_fn(|i| if i / 2 == class { 1.0 } else { 0.1 })
}

fn main() -> Result<(), Error> {
    println!("RAM {} bytes, state {BYTES} bytes", size_of::<Head>());
    assert!(size_of::<Head>() <= 4 * 1024);

    let mut head = Head::new()?;
    let mut last = [0.0; 2];
    for round in 0..40 {
        let mut sum = 0.0;
        for class in 0..CLASSES {
            sum += head.learn(&measured(class), Label::new(class, CLASSES)?)?;
        }
        if round % 39 == 0 {
            println!("round {round:2}: mean loss {:.4}", sum / CLASSES as f32);
            last[round / 39] = sum;
        }
    }
    assert!(last[1] < 0.7 * last[0]);

    // The power goes. What was saved comes back, to the last bit.
    let mut flash = [0; BYTES];
    head.save(&mut flash)?;
    let mut restarted = Head::new()?;
    assert_eq!(restarted.load(&flash)?, 40 * CLASSES as u64);
    let truth = Label::new(3, CLASSES)?;
    let losses = [head.learn(&measured(3), truth)?, restarted.learn(&measured(3), truth)?];
    assert_eq!(losses[0].to_bits(), losses[1].to_bits());

    // A bit of the flash memory has changed: refused, and the head goes on with what it has.
    flash[checkpoint::HEADER + 100] ^= 1;
    let refused = restarted.load(&flash);
    println!("refused: {}", refused.map_or_else(|error| error.to_string(), |_| String::new()));
    assert!(matches!(refused, Err(Error::Checkpoint { .. })));

    // So is a measurement that is none.
    let mut broken = measured(3);
    broken[9] = f32::NAN;
    assert!(matches!(restarted.learn(&broken, truth), Err(Error::NotFinite { .. })));
    Ok(())
}
