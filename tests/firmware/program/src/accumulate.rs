//! The head of [`head`](crate::head), moved by the mean over ten samples at a time instead of by each.

use crate::{
    Clock, Number, Sink, checksum,
    head::{CLASSES, FEATURES, PARAMETERS, sample},
    optimizers::{Mover, Sgd},
    similarities::Judge,
};
use simloss_core::{
    Error, Random,
    device::{Accumulator, Budget},
    layers::{Dense, Layer},
    loss::{Criterion, Reduction, Targets},
    train::{Model, Network, RowMajor, Work},
};

/// Samples of a mean.
pub const BATCH: u32 = 10;

/// Memory of a run. The parameters come first, as in [`head`](crate::head).
#[repr(C)]
pub struct Memory<T, B> {
    parameters: [T; PARAMETERS],
    gradient: [T; PARAMETERS],
    table: B,
    values: [T; 2 * CLASSES],
    features: [T; FEATURES],
}

impl<T: Copy, B> Memory<T, B> {
    /// All `zero`, and a table.
    pub const fn new(zero: T, table: B) -> Self {
        Memory {
            parameters: [zero; PARAMETERS],
            gradient: [zero; PARAMETERS],
            table,
            values: [zero; 2 * CLASSES],
            features: [zero; FEATURES],
        }
    }
}

/// 50 samples, five moves by SGD. One line per move: samples so far, the mean loss, a checksum of all parameters. Returns
/// what a sample of the last move cost, with its share of the move.
///
/// # Errors
/// Those of a training step: none, for these samples.
#[inline(always)]
pub fn train<T: Number, J: Judge<T>>(
    name: &str,
    memory: &mut Memory<T, J::Table>,
    clock: &mut impl Clock,
    sink: &mut impl Sink,
) -> Result<u32, Error> {
    const {
        let budget = Budget::dense(FEATURES, CLASSES).with_accumulation();
        assert!(J::SCRATCH == 0);
        assert!(budget.bytes() + size_of::<J::Table>() + 4 * FEATURES == size_of::<Memory<T, J::Table>>());
    }
    let Memory { parameters, gradient, table, values, features } = memory;
    let head = Dense::new(FEATURES, CLASSES);
    let network = Network::new(head, Criterion::new(J::loss(table)?))?;
    let optimizer = <Sgd as Mover<T>>::optimizer()?;
    Layer::<T>::initialise(&head, parameters, &mut Random::new(7));
    let mut steps = 0;
    let mut cost = 0;
    let mut sum = Accumulator::new(gradient, Reduction::MeanByWeight);
    for number in 0..50 {
        let y = [Some(sample(number, features)?)];
        let rows = RowMajor::new(&features[..], FEATURES)?;
        let work = &mut Work { scalars: &mut [], values };
        clock.start();
        let result = sum.add(&network, work, parameters, &rows, &Targets::labels(&y));
        cost += clock.stop();
        result?;
        if number % BATCH == BATCH - 1 {
            clock.start();
            let result = sum.apply(&optimizer, Model { parameters, moments: &mut [], steps: &mut steps });
            cost += clock.stop();
            sink.line(name, &[number + 1, result?.bits(), checksum(parameters)]);
            if number < 49 {
                cost = 0;
            }
        }
    }
    Ok(cost / BATCH)
}
