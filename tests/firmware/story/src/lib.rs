//! Tuning an exported head on the samples of sensors that drifted. `SIMLOSS_STORY` is a folder that `story.sh` fills:
//! what `simloss export` wrote, and `samples.bin`.
#![no_std]
#![forbid(unsafe_code)]

/// The head, as exported.
pub mod head {
    include!(concat!(env!("SIMLOSS_STORY"), "/head.rs"));
}

/// What lies before it, as exported.
pub mod frozen {
    include!(concat!(env!("SIMLOSS_STORY"), "/frozen.rs"));
}

use core::cell::RefCell;
use simloss_core::{
    Error, Label,
    checkpoint::{Header, decode, encode},
    layers::Layer,
    loss::{Criterion, Reduction, Targets},
    optimizer::{Clip, Sgd},
    train::{Batch, Model, Network, RowMajor, Serial, Work, guarded_round, mean_loss, train_one},
};
use simloss_program::{Clock, Sink, checksum};

/// Words of 4 bytes: how many rounds, the first learning rate, the longest gradient, every which sample is held out; then the
/// samples, each as it was measured, with its class.
static SAMPLES: &[u8] = include_bytes!(concat!(env!("SIMLOSS_STORY"), "/samples.bin"));
const SETTINGS: usize = 4;
const SAMPLE: usize = frozen::INPUTS + 1;

/// All memory of the program.
pub struct Memory {
    parameters: [f32; head::PARAMETERS],
    backup: [f32; head::PARAMETERS],
    table: [f32; head::TABLE],
    step: Step,
    slot: [u8; head::BLOB.len()],
}

/// What one step works in.
struct Step {
    values: [f32; head::VALUES],
    sample: [f32; frozen::INPUTS],
    frozen: [f32; frozen::MEMORY],
    features: [f32; frozen::FEATURES],
}

impl Memory {
    /// All zero.
    pub const fn new() -> Self {
        Memory {
            parameters: [0.0; head::PARAMETERS],
            backup: [0.0; head::PARAMETERS],
            table: [0.0; head::TABLE],
            step: Step {
                values: [0.0; head::VALUES],
                sample: [0.0; frozen::INPUTS],
                frozen: [0.0; frozen::MEMORY],
                features: [0.0; frozen::FEATURES],
            },
            slot: [0; head::BLOB.len()],
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

/// Word `i` of the samples' file.
fn word(i: usize) -> u32 {
    SAMPLES.as_chunks::<4>().0.get(i).map_or(0, |word| u32::from_le_bytes(*word))
}

impl Step {
    /// The features of sample `i`, in their place, and its label.
    fn load(&mut self, i: usize) -> Result<[Option<Label>; 1], Error> {
        let first = SETTINGS + i * SAMPLE;
        for (k, x) in self.sample.iter_mut().enumerate() {
            *x = f32::from_bits(word(first + k));
        }
        frozen::features(&self.sample, &mut self.frozen, &mut self.features)?;
        Ok([Some(Label::new(word(first + frozen::INPUTS) as usize, head::CLASSES)?)])
    }
}

/// Rounds of SGD, each taken back, and the rate halved, if it does harm to the samples that are held out. Lines: a checksum of all features;
/// of each round whether it was kept, and its held-out loss; the slot, word by word. Then what all of it cost.
///
/// # Errors
/// Those of a training step: none, for these samples.
pub fn tune(memory: &mut Memory, clock: &mut impl Clock, sink: &mut impl Sink) -> Result<(), Error> {
    let Memory { parameters, backup, table, step, slot } = memory;
    let layers = head::layers();
    let header = Header::new(&Layer::<f32>::shape(&layers), 0)?;
    decode(&head::BLOB, &header, parameters, &mut [])?;
    let network = Network::new(layers, Criterion::new(head::loss::<f32>(table)?))?;
    let [rounds, rate, longest, every] = [word(0), word(1), word(2), word(3)];
    let (mut rate, longest) = (f32::from_bits(rate), f32::from_bits(longest));
    let (every, count) = (every as usize, (SAMPLES.len() / 4).saturating_sub(SETTINGS) / SAMPLE);

    for i in 0..count {
        step.load(i)?;
        sink.line("features", &[checksum(&step.features)]);
    }
    let (mut steps, mut spent) = (0, 0u64);
    // Judging and training take turns with it.
    let step = RefCell::new(step);
    for _ in 0..rounds {
        clock.start();
        let held_out = |parameters: &[f32]| {
            let (mut sum, mut n) = (0.0, 0.0);
            for i in (0..count).step_by(every) {
                let step = &mut **step.borrow_mut();
                let truth = step.load(i)?;
                let features = &RowMajor::new(&step.features, head::FEATURES)?;
                let work = Work { scalars: &mut [], values: &mut step.values };
                let mut engine = Serial { token: (), network: &network, work, group: &mut [] };
                let targets = Targets::labels(&truth);
                let batch = Batch { features, targets, reduction: Reduction::Sum, losses: &mut [0.0] };
                sum += mean_loss(&mut engine, parameters, batch)?;
                n += 1.0;
            }
            Ok::<f32, Error>(sum / n)
        };
        let optimizer = Clip::new(Sgd::new(rate)?, longest)?;
        let model = Model { parameters: &mut *parameters, moments: &mut [], steps: &mut steps };
        let round = guarded_round(model, backup, held_out, |model| {
            let Model { parameters, moments, steps } = model;
            for i in (0..count).filter(|i| !i.is_multiple_of(every)) {
                let step = &mut **step.borrow_mut();
                let truth = step.load(i)?;
                let (features, targets) = (&RowMajor::new(&step.features, head::FEATURES)?, Targets::labels(&truth));
                let model = Model { parameters: &mut *parameters, moments: &mut *moments, steps: &mut *steps };
                let batch = Batch { features, targets, reduction: Reduction::Sum, losses: &mut [0.0] };
                train_one(
                    &network,
                    &mut Work { scalars: &mut [], values: &mut step.values },
                    &optimizer,
                    model,
                    batch,
                )?;
            }
            Ok(())
        })?;
        spent += u64::from(clock.stop());
        if !round.kept {
            // The same again would do the same harm.
            rate *= 0.5;
        }
        sink.line("round", &[u32::from(round.kept), round.before.to_bits(), round.after.to_bits()]);
    }
    encode(&Header { steps, sequence: 1, ..header }, parameters, &[], slot)?;
    for words in slot.as_chunks::<4>().0.chunks(8) {
        let mut line = [0; 8];
        line.iter_mut().zip(words).for_each(|(to, word)| *to = u32::from_be_bytes(*word));
        sink.line("slot", line.get(..words.len()).unwrap_or_default());
    }
    sink.line("# instructions", &[(spent >> 32) as u32, spent as u32]);
    Ok(())
}
