//! The runs of [`head`](crate::head) and [`accumulate`](crate::accumulate) by `simloss_core::device::Head`: the program of the
//! guide, and the same bits.

use crate::{
    Clock, Sink,
    accumulate::BATCH,
    checksum,
    head::{CLASSES, FEATURES, PARAMETERS, sample},
    optimizers::Mover,
    similarities::{Cce, Dense, Order, Proper},
};
use simloss_core::{
    Error, Random,
    device::{self, Objective},
    loss::{CrossEntropy, ProperSimLoss},
    nalgebra::{ArrayStorage, SVector},
    number::Scalar,
    similarity::{ClassOrder, DenseSimilarity, DenseTable},
};

/// How a run names its loss.
pub trait Named<T: Scalar> {
    /// The loss.
    type Of: Objective<T, CLASSES>;

    /// What it is made from.
    fn settings() -> <Self::Of as Objective<T, CLASSES>>::Settings;
}

impl<T: Scalar> Named<T> for Cce {
    type Of = CrossEntropy;

    fn settings() {}
}

impl<T: Scalar> Named<T> for Order {
    type Of = ClassOrder<T, CLASSES>;

    fn settings() -> T {
        T::from_f32(0.8)
    }
}

impl<T: Scalar> Named<T> for Proper {
    type Of = ProperSimLoss<ClassOrder<T, CLASSES>>;

    fn settings() -> T {
        T::from_f32(0.8)
    }
}

impl<T: Scalar> Named<T> for Dense {
    type Of = DenseSimilarity<T, CLASSES>;

    fn settings() -> device::Fill<T> {
        |table| DenseTable::in_memory(table, CLASSES, crate::similarities::dense)
    }
}

/// The head of a loss and an optimizer.
pub type Head<'m, T, M, J> =
    device::Head<'m, FEATURES, CLASSES, <J as Named<T>>::Of, <M as Mover<T>>::Of, device::OneLayer, T>;

/// The features of a sample.
pub type Sample = SVector<f32, FEATURES>;

/// None yet.
pub const EMPTY: Sample = SVector::from_array_storage(ArrayStorage([[0.0; FEATURES]]));

/// As [`sample`].
pub(crate) fn measure(number: u32, x: &mut Sample) -> Result<usize, Error> {
    Ok(sample(number, &mut x.data.0[0])?.index())
}

/// As [`head::train`](crate::head::train).
///
/// # Errors
/// Those of a training step: none, for these samples.
#[inline(always)]
pub fn train<M: Mover<f32>, J: Named<f32>, const N: usize>(
    name: &str,
    memory: &mut [f32; N],
    x: &mut Sample,
    clock: &mut impl Clock,
    sink: &mut impl Sink,
) -> Result<u32, Error> {
    let mut head = Head::<'_, f32, M, J>::new(memory, J::settings(), M::optimizer()?)?;
    head.initialise(&mut Random::new(7));
    let mut cost = 0;
    for number in 0..50 {
        let class = measure(number, x)?;
        clock.start();
        let result = head.learn(x, class);
        cost = clock.stop();
        let loss = result?;
        if number % 10 == 9 {
            sink.line(name, &[number + 1, loss.to_bits(), checksum(head.parameters())]);
        }
    }
    Ok(cost)
}

/// As [`accumulate::train`](crate::accumulate::train).
///
/// # Errors
/// Those of a training step: none, for these samples.
#[inline(always)]
pub fn accumulate<M: Mover<f32>, J: Named<f32>, const N: usize>(
    name: &str,
    memory: &mut [f32; N],
    gradient: &mut [f32; PARAMETERS],
    samples: &mut [(Sample, usize); BATCH as usize],
    clock: &mut impl Clock,
    sink: &mut impl Sink,
) -> Result<u32, Error> {
    let mut head = Head::<'_, f32, M, J>::new(memory, J::settings(), M::optimizer()?)?;
    head.initialise(&mut Random::new(7));
    let mut cost = 0;
    for first in (0..50).step_by(BATCH as usize) {
        for (number, (x, class)) in (first..).zip(samples.iter_mut()) {
            *class = measure(number, x)?;
        }
        clock.start();
        let result = head.learn_batch(gradient, samples.iter().map(|(x, class)| (x, *class)));
        cost = clock.stop();
        sink.line(name, &[first + BATCH, result?.to_bits(), checksum(head.parameters())]);
    }
    Ok(cost / BATCH)
}

/// The numbers of the memory of a head.
#[macro_export]
macro_rules! front_numbers {
    ($mover:ident, $judge:ident) => {
        $crate::front::Head::<'static, f32, $crate::optimizers::$mover, $crate::similarities::$judge>::NUMBERS
    };
}
