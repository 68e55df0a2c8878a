//! Fine-tuning the last layer: one dense head over frozen features, batches of one, parameters moved in place.

use crate::{Sink, checksum};
use simloss_core::{
    Error, Label, Random,
    layers::{Dense, Layer},
    loss::{Criterion, CrossEntropy, Loss, Reduction, SimLoss, Targets},
    number::Scalar,
    optimizer::{Adam, Momentum, Optimizer, Sgd},
    similarity::ClassOrder,
    train::{Batch, Model, Network, RowMajor, Work, train_one},
};

/// Features of a sample.
pub const FEATURES: usize = 80;
/// Classes.
pub const CLASSES: usize = 90;
/// Weights and biases.
pub const PARAMETERS: usize = (FEATURES + 1) * CLASSES;

/// All memory of the run; the largest optimizer decides.
pub struct Memory {
    /// Weights and biases.
    pub parameters: [f32; PARAMETERS],
    /// Two moments per parameter.
    pub moments: [f32; 2 * PARAMETERS],
    /// What one step works in.
    pub values: [f32; 2 * CLASSES],
}

impl Memory {
    /// All zero.
    pub const fn new() -> Self {
        Memory { parameters: [0.0; PARAMETERS], moments: [0.0; 2 * PARAMETERS], values: [0.0; 2 * CLASSES] }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

/// A sample that depends only on its number: features in [0, 1) that tell its class, and the class.
fn sample(number: u32, features: &mut [f32; FEATURES]) -> Result<Label, Error> {
    let mut random = Random::new(20).key(u64::from(number));
    let class = random.below(CLASSES);
    let around = class as f32 * (FEATURES as f32 / CLASSES as f32);
    for (i, x) in features.iter_mut().enumerate() {
        let distance = i as f32 - around;
        let near = 1.0 - distance * distance * 0.02;
        *x = if near > 0.0 { near } else { 0.0 } + random.unit::<f32>() * 0.25;
    }
    Label::new(class, CLASSES)
}

/// `STEPS` steps of training; one line per ten steps with the loss, and one with a checksum of all parameters.
///
/// `measure` is called with each step, so that the caller can count what it costs.
pub fn train<L: Loss<f32>, O: Optimizer<f32>>(
    name: &str,
    loss: L,
    optimizer: O,
    memory: &mut Memory,
    mut measure: impl FnMut(&mut dyn FnMut()),
    sink: &mut impl Sink,
) -> Result<(), Error> {
    let head = Dense::new(FEATURES, CLASSES);
    let network = Network::new(head, Criterion::new(loss))?;
    Layer::<f32>::initialise(&head, &mut memory.parameters, &mut Random::new(7));
    memory.moments.fill(0.0);
    let moments = memory.moments.get_mut(..O::MOMENTS * PARAMETERS).unwrap_or_default();
    let mut steps = 0;
    let mut features = [0.0; FEATURES];
    for number in 0..50 {
        let y = [Some(sample(number, &mut features)?)];
        let rows = RowMajor::new(&features, FEATURES)?;
        let mut losses = [0.0];
        let mut result = Ok(0.0);
        measure(&mut || {
            result = train_one(
                &network,
                &mut Work { scalars: &mut [], values: &mut memory.values },
                &optimizer,
                Model { parameters: &mut memory.parameters, moments, steps: &mut steps },
                Batch {
                    features: &rows,
                    targets: Targets::labels(&y),
                    reduction: Reduction::MeanByWeight,
                    losses: &mut losses,
                },
            );
        });
        let value = result?;
        if number % 10 == 9 {
            sink.line(name, &[number + 1, value.to_bits(), checksum(&memory.parameters)]);
        }
    }
    Ok(())
}

/// The similarity of the runs.
pub fn order() -> Result<ClassOrder<f32, CLASSES>, Error> {
    ClassOrder::new(0.8)
}

/// Every loss with every optimizer.
pub fn all(
    memory: &mut Memory,
    mut measure: impl FnMut(&mut dyn FnMut()),
    sink: &mut impl Sink,
) -> Result<(), Error> {
    let order = order()?;
    let rate = f32::from_f32(0.05);
    train("sgd cce", CrossEntropy::new(CLASSES)?, Sgd::new(rate)?, memory, &mut measure, sink)?;
    train("sgd simloss-order", SimLoss::new(&order), Sgd::new(rate)?, memory, &mut measure, sink)?;
    train("momentum simloss-order", SimLoss::new(&order), Momentum::new(rate, 0.9)?, memory, &mut measure, sink)?;
    train("adam simloss-order", SimLoss::new(&order), Adam::new(0.01)?, memory, &mut measure, sink)
}
