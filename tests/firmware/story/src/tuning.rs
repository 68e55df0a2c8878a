//! Rounds of SGD that are rolled back where they do harm. The device runs this file, and so does `tests/story.rs`, which
//! plays the same rounds on the host for many draws of the device's samples.

use core::cell::RefCell;
use simloss_core::{
    Error,
    device::{Round, guarded_round},
    layers::Layer,
    loss::{Loss, Reduction, Targets},
    optimizer::{Clip, Sgd},
    train::{Batch, Model, Network, RowMajor, Serial, Work, mean_loss, train_one},
};

/// How a device tunes.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Passes over the samples.
    pub rounds: usize,
    /// The learning rate of the first round; each that is rolled back halves it.
    pub rate: f32,
    /// The norm that a gradient is shortened to.
    pub longest: f32,
    /// Every which sample is held out.
    pub every: usize,
    /// All samples, those held out included.
    pub samples: usize,
}

/// The samples of a device.
pub trait Samples {
    /// The features of sample `i`, and what is true of it.
    ///
    /// # Errors
    /// Those of the layers before the head.
    fn load(&mut self, i: usize) -> Result<(&[f32], Targets<'_, f32>), Error>;
}

/// Is told of every round.
pub trait Watch {
    /// It begins.
    fn begin(&mut self) {}
    /// It has ended.
    fn end(&mut self, round: &Round<f32>);
}

/// What the rounds work in.
#[derive(Debug)]
pub struct Memory<'a> {
    /// The parameters, which are tuned.
    pub parameters: &'a mut [f32],
    /// As many numbers.
    pub backup: &'a mut [f32],
    /// [`Network::scratch`], for samples in place.
    pub work: Work<'a, f32>,
}

/// Tunes `network`; returns how many steps were taken and kept.
///
/// # Errors
/// Those of a training step, and of `samples`.
#[inline(always)]
pub fn tune<N: Layer<f32>, L: Loss<f32>>(
    network: &Network<'_, N, L, f32>,
    settings: Settings,
    memory: Memory<'_>,
    samples: &mut impl Samples,
    watch: &mut impl Watch,
) -> Result<u64, Error> {
    let Settings { rounds, mut rate, longest, every, samples: count } = settings;
    let Memory { parameters, backup, work } = memory;
    let width = network.layers().shape().inputs;
    let mut steps = 0;
    // Judging and training take turns with both.
    let own = RefCell::new((samples, work));
    for _ in 0..rounds {
        watch.begin();
        let held_out = |parameters: &[f32]| {
            let (mut sum, mut n) = (0.0, 0.0);
            for i in (0..count).step_by(every) {
                let (samples, work) = &mut *own.borrow_mut();
                let (features, targets) = samples.load(i)?;
                let features = &RowMajor::new(features, width)?;
                let work = Work { scalars: &mut *work.scalars, values: &mut *work.values };
                let mut engine = Serial { token: (), network, work, group: &mut [] };
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
                let (samples, work) = &mut *own.borrow_mut();
                let (features, targets) = samples.load(i)?;
                let features = &RowMajor::new(features, width)?;
                let model = Model { parameters: &mut *parameters, moments: &mut *moments, steps: &mut *steps };
                let batch = Batch { features, targets, reduction: Reduction::Sum, losses: &mut [0.0] };
                train_one(network, work, &optimizer, model, batch)?;
            }
            Ok(())
        })?;
        watch.end(&round);
        if !round.kept {
            // The same again would do the same harm.
            rate *= 0.5;
        }
    }
    Ok(steps)
}
