//! Fine-tuning the last layer: one dense head over frozen features, batches of one, parameters moved in place.

use crate::{Clock, Number, Sink, checksum, optimizers::Mover, similarities::Judge};
use simloss_core::{
    Error, Label, Random,
    device::Budget,
    layers::{Dense, Layer},
    loss::{Criterion, Reduction, Targets},
    train::{Batch, Model, Network, RowMajor, Work, train_one},
};

/// Features of a sample and classes: 80 and 90, or with the feature `small` 16 and 8 (for 16 KB of RAM).
pub const FEATURES: usize = if cfg!(feature = "small") { 16 } else { 80 };
/// See [`FEATURES`].
pub const CLASSES: usize = if cfg!(feature = "small") { 8 } else { 90 };
/// Weights and biases.
pub const PARAMETERS: usize = (FEATURES + 1) * CLASSES;

/// Memory of a run: moments, table and scratch as its optimizer and loss need them. The parameters come first, where
/// loads reach four rows of weights from one address.
#[repr(C)]
pub struct Memory<T, B, const MOMENTS: usize, const SCRATCH: usize, const VALUES: usize> {
    /// Weights and biases.
    pub parameters: [T; PARAMETERS],
    /// The optimizer's.
    pub moments: [T; MOMENTS],
    /// The similarity's.
    pub table: B,
    /// What one step works in.
    pub values: [T; VALUES],
    /// What one row of the similarity needs.
    pub scratch: [T; SCRATCH],
    /// One sample.
    pub features: [T; FEATURES],
}

impl<T: Copy, B, const M: usize, const S: usize, const V: usize> Memory<T, B, M, S, V> {
    /// All `zero`, and a table.
    pub const fn new(zero: T, table: B) -> Self {
        Memory {
            parameters: [zero; PARAMETERS],
            moments: [zero; M],
            table,
            values: [zero; V],
            scratch: [zero; S],
            features: [zero; FEATURES],
        }
    }
}

/// A sample that depends only on its number: features in [0, 1.25) that tell its class, and the class.
pub(crate) fn sample<T: Number>(number: u32, features: &mut [T; FEATURES]) -> Result<Label, Error> {
    let mut random = Random::new(20).key(u64::from(number));
    let class = random.below(CLASSES);
    let around = T::from_usize(class).mul(T::from_f32(FEATURES as f32 / CLASSES as f32));
    for (i, x) in features.iter_mut().enumerate() {
        let distance = T::from_usize(i).sub(around);
        let near = T::ONE.sub(distance.mul(distance).mul(T::from_f32(0.02)));
        *x = T::ZERO.select_gt(near, T::ZERO, near).add(random.unit::<T>().mul(T::from_f32(0.25)));
    }
    Label::new(class, CLASSES)
}

/// 50 steps of training. One line per ten steps: their number, the loss, a checksum of all parameters. Returns what the
/// last step cost.
///
/// # Errors
/// Those of a training step: none, for these samples.
#[inline(always)]
pub fn train<T: Number, M: Mover<T>, J: Judge<T>, const N: usize, const S: usize, const V: usize>(
    name: &str,
    memory: &mut Memory<T, J::Table, N, S, V>,
    clock: &mut impl Clock,
    sink: &mut impl Sink,
) -> Result<u32, Error> {
    const {
        // What the core says the configuration takes is what the memory holds, and SGD fits 2 KB beyond the parameters.
        let budget = Budget::dense(FEATURES, CLASSES).with_moments(M::MOMENTS).with_row_scratch(J::SCRATCH);
        let budget = budget.with_loss_values(J::VALUES);
        assert!(budget.bytes() + size_of::<J::Table>() + 4 * FEATURES == size_of::<Memory<T, J::Table, N, S, V>>());
        assert!(M::MOMENTS > 0 || budget.bytes_beyond_parameters() <= 2048 + 4 * J::VALUES);
    }
    let Memory { parameters, moments, table, values, scratch, features } = memory;
    let head = Dense::new(FEATURES, CLASSES);
    let network = Network::new(head, Criterion::new(J::loss(table)?))?;
    let optimizer = M::optimizer()?;
    Layer::<T>::initialise(&head, parameters, &mut Random::new(7));
    moments.fill(T::ZERO);
    let mut steps = 0;
    let mut cost = 0;
    for number in 0..50 {
        let y = [Some(sample(number, features)?)];
        let rows = RowMajor::new(&features[..], FEATURES)?;
        let mut losses = [T::ZERO];
        clock.start();
        let result = train_one(
            &network,
            &mut Work { scalars: scratch, values },
            &optimizer,
            Model { parameters, moments, steps: &mut steps },
            Batch {
                features: &rows,
                targets: Targets::labels(&y),
                reduction: Reduction::MeanByWeight,
                losses: &mut losses,
            },
        );
        cost = clock.stop();
        let value = result?;
        if number % 10 == 9 {
            sink.line(name, &[number + 1, value.bits(), checksum(parameters)]);
        }
    }
    Ok(cost)
}

/// The type of the [`Memory`] of an optimizer and a loss, over numbers of a type.
#[macro_export]
macro_rules! memory {
    ($number:ty, Accumulate, $judge:ident) => {
        $crate::accumulate::Memory<$number, <$crate::similarities::$judge as $crate::similarities::Judge<$number>>::Table>
    };
    ($number:ty, $mover:ident, $judge:ident) => {
        $crate::head::Memory<
            $number,
            <$crate::similarities::$judge as $crate::similarities::Judge<$number>>::Table,
            { <$crate::optimizers::$mover as $crate::optimizers::Mover<$number>>::MOMENTS * $crate::head::PARAMETERS },
            { <$crate::similarities::$judge as $crate::similarities::Judge<$number>>::SCRATCH },
            {
                2 * $crate::head::CLASSES
                    + <$crate::similarities::$judge as $crate::similarities::Judge<$number>>::VALUES
            },
        >
    };
}

/// The empty table of a loss, over numbers of a type.
#[macro_export]
macro_rules! empty {
    ($number:ty, $judge:ident) => {
        <$crate::similarities::$judge as $crate::similarities::Judge<$number>>::EMPTY
    };
}

/// The run of an optimizer and a loss, over numbers of a type.
#[macro_export]
macro_rules! train {
    ($number:ty, Accumulate, $judge:ident) => {
        $crate::accumulate::train::<$number, $crate::similarities::$judge>
    };
    ($number:ty, $mover:ident, $judge:ident) => {
        $crate::head::train::<$number, $crate::optimizers::$mover, $crate::similarities::$judge, _, _, _>
    };
}

/// What golden files and records call a run: its optimizer and its loss.
#[macro_export]
macro_rules! name {
    (Accumulate, $judge:ident) => { $crate::name!(@ "accumulate", $judge) };
    (Sgd, $judge:ident) => { $crate::name!(@ "sgd", $judge) };
    (Momentum, $judge:ident) => { $crate::name!(@ "momentum", $judge) };
    (Adam, $judge:ident) => { $crate::name!(@ "adam", $judge) };
    (@ $mover:literal, Cce) => { concat!($mover, " cce") };
    (@ $mover:literal, Order) => { concat!($mover, " simloss-order") };
    (@ $mover:literal, Proper) => { concat!($mover, " proper-order") };
    (@ $mover:literal, Sparse) => { concat!($mover, " simloss-sparse") };
    (@ $mover:literal, Dense) => { concat!($mover, " simloss-dense") };
}
