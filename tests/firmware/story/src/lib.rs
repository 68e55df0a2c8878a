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

pub mod tuning;

use simloss_core::{
    Error, Label,
    device::{
        Round,
        checkpoint::{Header, decode, encode},
    },
    layers::Layer,
    loss::{Criterion, Targets},
    train::{Network, Work},
};
use simloss_program::{Clock, Sink, checksum};
use tuning::{Samples, Settings, Watch};

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
    values: [f32; head::VALUES],
    sample: Sample,
    slot: [u8; head::BLOB.len()],
}

/// One sample at a time.
struct Sample {
    measured: [f32; frozen::INPUTS],
    frozen: [f32; frozen::MEMORY],
    features: [f32; frozen::FEATURES],
    truth: [Option<Label>; 1],
}

impl Memory {
    /// All zero.
    pub const fn new() -> Self {
        Memory {
            parameters: [0.0; head::PARAMETERS],
            backup: [0.0; head::PARAMETERS],
            table: [0.0; head::TABLE],
            values: [0.0; head::VALUES],
            sample: Sample {
                measured: [0.0; frozen::INPUTS],
                frozen: [0.0; frozen::MEMORY],
                features: [0.0; frozen::FEATURES],
                truth: [None],
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

impl Samples for Sample {
    fn load(&mut self, i: usize) -> Result<(&[f32], Targets<'_, f32>), Error> {
        let first = SETTINGS + i * SAMPLE;
        for (k, x) in self.measured.iter_mut().enumerate() {
            *x = f32::from_bits(word(first + k));
        }
        frozen::features(&self.measured, &mut self.frozen, &mut self.features)?;
        self.truth = [Some(Label::new(word(first + frozen::INPUTS) as usize, head::CLASSES)?)];
        Ok((&self.features, Targets::labels(&self.truth)))
    }
}

/// Counts what the rounds cost, and prints what came of each.
struct Printed<'a, C, S> {
    clock: &'a mut C,
    sink: &'a mut S,
    spent: u64,
}

impl<C: Clock, S: Sink> Watch for Printed<'_, C, S> {
    fn begin(&mut self) {
        self.clock.start();
    }

    fn end(&mut self, round: &Round<f32>) {
        self.spent += u64::from(self.clock.stop());
        self.sink.line("round", &[u32::from(round.kept), round.before.to_bits(), round.after.to_bits()]);
    }
}

/// Tunes the head in guarded rounds. Lines: a checksum of the features of each sample; of each round whether it was kept,
/// and its held-out loss; the slot, word by word. Then what all rounds cost.
///
/// # Errors
/// Those of a training step: none, for these samples.
pub fn tune(memory: &mut Memory, clock: &mut impl Clock, sink: &mut impl Sink) -> Result<(), Error> {
    let Memory { parameters, backup, table, values, sample, slot } = memory;
    let layers = head::layers();
    let header = Header { fingerprint: head::FINGERPRINT, ..Header::new(&Layer::<f32>::shape(&layers), 0)? };
    decode(&head::BLOB, &header, parameters, &mut [])?;
    let network = Network::new(layers, Criterion::new(head::loss::<f32>(table)?))?;
    let [rounds, rate, longest, every] = [word(0), word(1), word(2), word(3)];
    let settings = Settings {
        rounds: rounds as usize,
        rate: f32::from_bits(rate),
        longest: f32::from_bits(longest),
        every: every as usize,
        samples: (SAMPLES.len() / 4).saturating_sub(SETTINGS) / SAMPLE,
    };

    for i in 0..settings.samples {
        let (features, _) = sample.load(i)?;
        sink.line("features", &[checksum(features)]);
    }
    let work = Work { scalars: &mut [], values };
    let mut watch = Printed { clock, sink, spent: 0 };
    let steps = tuning::tune(&network, settings, tuning::Memory { parameters, backup, work }, sample, &mut watch)?;
    let Printed { sink, spent, .. } = watch;
    encode(&Header { steps, sequence: 1, ..header }, parameters, &[], slot)?;
    for words in slot.as_chunks::<4>().0.chunks(8) {
        let mut line = [0; 8];
        line.iter_mut().zip(words).for_each(|(to, word)| *to = u32::from_be_bytes(*word));
        sink.line("slot", line.get(..words.len()).unwrap_or_default());
    }
    sink.line("# instructions", &[(spent >> 32) as u32, spent as u32]);
    Ok(())
}
