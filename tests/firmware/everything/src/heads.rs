//! Heads of one layer and of two, with every kind of loss, and the square root of the FPU.

use crate::{Memory, Outcome, number, numbers, size, storing};
use core::hint::black_box;
use simloss_core::{
    Label, Random,
    device::{
        Fill, Given, Head, HeadLayers, Hidden, Objective, OneLayer, Smoothed, Sord, Table, Weighted,
        checkpoint::fingerprint,
    },
    layers::{Dense, Shape},
    loss::{CrossEntropy, Loss, ProperSimLoss, SimLoss, SquaredEmd},
    nalgebra::SVector,
    optimizer::{Adam, Momentum, Optimizer, Sgd, SquareRoot},
    similarity::{CircularOrder, ClassOrder, DenseSimilarity, DenseTable, SparseSimilarity},
};
use simloss_fpu::FpuRoot;

pub static ENTRIES: &[fn() -> Outcome] = &[one, two, losses, weighted, roots];

const F: usize = 4;
const C: usize = 5;

fn x() -> SVector<f32, F> {
    black_box(SVector::from([0.5, 0.25, -1.0, 2.0]))
}

/// Everything that a head does.
fn any_head<J: Objective<f32, C>, O: Optimizer<f32>, N: HeadLayers<f32, F, C>, const M: usize>(
    settings: J::Settings,
    optimizer: O,
) -> Outcome {
    let mut memory = black_box([number(); M]);
    let mut head = Head::<'_, F, C, J, O, N>::new(&mut memory, settings, optimizer)?;
    head = Head::with_fingerprint(head, fingerprint([Memory::<u8, 512>::of(1).part()]));
    let (mut gradient, mut backup, mut bytes) = (numbers(), Memory::<f32, 512>::of(1.0), Memory::<u8, 512>::of(1));
    black_box(Head::learn(&mut head, &x(), size())?);
    black_box(Head::learn_sliced(&mut head, &x(), size(), size(), || {
        black_box(1);
    })?);
    black_box(Head::learn_batch(&mut head, gradient.part(), [(&x(), size()), (&x(), size())])?);
    let held_out = |head: &mut Head<'_, F, C, J, O, N>| Head::loss(head, &x(), size());
    black_box(Head::guarded(&mut head, backup.part(), held_out, |head| head.learn(&x(), size()).map(drop))?);
    black_box(Head::predict(&mut head, &x())?);
    black_box(Head::logits(&mut head, &x())?);
    black_box(Head::probabilities(&mut head, &x())?);
    black_box((Head::parameters(&head), Head::steps(&head), Head::header(&head)?));
    black_box(Head::optimizer(&head).rate());
    black_box(Head::model(&mut head).steps);
    Head::set_rate(&mut head, number())?;
    Head::initialise(&mut head, &mut Random::new(1));
    Head::reset_to_factory(&mut head, gradient.part())?;
    black_box(Head::encode(&mut head, bytes.part())?);
    Head::decode(&mut head, bytes.part())?;
    let mut slots = storing::any_slots(head.header()?)?;
    black_box(Head::save(&mut head, &mut slots).map_err(storing::keep)?);
    black_box(Head::load(&mut head, &mut slots).map_err(storing::keep)?);
    any_layers::<N>();
    black_box(memory);
    Ok(())
}

fn any_layers<N: HeadLayers<f32, F, C>>() {
    let mut w = numbers();
    <N as HeadLayers<f32, F, C>>::begin(w.part());
    w.done();
}

fn any_objective<J: Objective<f32, C>, O: Optimizer<f32>, const M: usize>(
    settings: J::Settings,
    again: J::Settings,
    optimizer: O,
) -> Outcome {
    let mut table = numbers();
    let kept = <J as Objective<f32, C>>::fill(table.part(), again)?;
    let label = [Some(Label::new(size(), C)?)];
    let mut target = numbers();
    black_box(<J as Objective<f32, C>>::targets(&kept, table.part(), &label, target.part())?);
    black_box(<J as Objective<f32, C>>::criterion(&kept, table.part())?.loss().classes());
    let mut memory = black_box([number(); M]);
    let mut head = Head::<'_, F, C, J, O, OneLayer>::new(&mut memory, settings, optimizer)?;
    black_box(Head::loss(&mut head, &x(), size())?);
    Ok(())
}

macro_rules! numbers_of {
    ($objective:ty, $optimizer:ty, $layers:ty) => {
        Head::<'static, F, C, $objective, $optimizer, $layers>::NUMBERS
    };
}

macro_rules! objective {
    ($objective:ty, $settings:expr) => {
        any_objective::<$objective, Sgd<f32>, { numbers_of!($objective, Sgd<f32>, OneLayer) }>(
            $settings,
            $settings,
            Sgd::new(number())?,
        )?
    };
}

fn one() -> Outcome {
    type Order = ClassOrder<f32, C>;
    let adam = Adam::with_root(Adam::new(number())?);
    any_head::<Order, Adam<f32, FpuRoot>, OneLayer, { numbers_of!(Order, Adam<f32, FpuRoot>, OneLayer) }>(
        number(),
        adam,
    )?;
    let mut memory = [0.0; numbers_of!(Order, Sgd<f32>, OneLayer)];
    let head = Head::<'_, F, C, Order, _>::new(&mut memory, number(), Sgd::new(number())?)?;
    black_box(Head::<'_, F, C, Order, _, OneLayer>::weights(&head)?[(0, 0)]);
    black_box(Head::<'_, F, C, Order, _, OneLayer>::bias(&head)?[0]);
    Ok(())
}

fn two() -> Outcome {
    type Order = ClassOrder<f32, C>;
    type Two = Hidden<3>;
    any_head::<Order, Momentum<f32>, Two, { numbers_of!(Order, Momentum<f32>, Two) }>(
        number(),
        Momentum::new(number(), number())?,
    )?;
    let mut memory = [0.0; numbers_of!(Order, Sgd<f32>, Two)];
    let head = Head::<'_, F, C, Order, _, Two>::new(&mut memory, number(), Sgd::new(number())?)?;
    black_box(Head::<'_, F, C, Order, _, Two>::weights(&head)?[(0, 0)]);
    black_box(Head::<'_, F, C, Order, _, Two>::bias(&head)?[0]);
    black_box((Head::hidden_weights(&head)?[(0, 0)], Head::hidden_bias(&head)?[0]));
    Ok(())
}

fn any_table<S: Table<f32, C>>(settings: S::Settings) -> Outcome {
    let mut table = numbers();
    <S as Table<f32, C>>::fill_table(table.part(), settings)?;
    black_box(<S as Table<f32, C>>::over(table.part()));
    Ok(())
}

fn losses() -> Outcome {
    let fill: Fill<f32> = |table| DenseTable::in_memory(table, size(), |i, j| number() * (i + j) as f32);
    any_table::<ClassOrder<f32, C>>(number())?;
    any_table::<CircularOrder<f32, C>>(number())?;
    any_table::<DenseSimilarity<f32, C>>(fill)?;
    objective!(CrossEntropy, ());
    objective!(SquaredEmd, ());
    objective!(ClassOrder<f32, C>, number());
    objective!(CircularOrder<f32, C>, number());
    objective!(DenseSimilarity<f32, C>, fill);
    objective!(ProperSimLoss<ClassOrder<f32, C>>, number());
    Ok(())
}

static SPARSE: SparseSimilarity<f32, C, 2> = SparseSimilarity::IDENTITY;

fn weighted() -> Outcome {
    let mut weights = numbers();
    let weights: &[f32] = weights.part();
    objective!(Sord<ClassOrder<f32, C>>, number());
    objective!(Smoothed<SimLoss<CircularOrder<f32, C>>>, (number(), number()));
    objective!(Weighted<'_, CrossEntropy>, (weights, ()));
    type Sparse = Given<SimLoss<&'static SparseSimilarity<f32, C, 2>>, C>;
    objective!(Sparse, SimLoss::new(&SPARSE));
    Ok(())
}

fn roots() -> Outcome {
    black_box(<FpuRoot as SquareRoot<f32>>::root((), number()));
    black_box(Shape::then(Dense::new(size(), size()).dense_shape(), Dense::new(size(), size()).dense_shape()));
    Ok(())
}
