//! What a device that keeps learning calls: clipped, decayed, accumulated, sliced and guarded steps, and a memory of
//! samples. Their bits, and that the ways which promise the same bits give them here too.

use crate::{Number, Sink, checksum};
use simloss_core::{
    Error, Label, Random,
    device::{Accumulator, Keep, Replay, SlicedStep, guarded_round},
    layers::{Chain, Dense, Layer, Relu},
    loss::{Criterion, Reduction, SimLoss},
    number::Scalar,
    optimizer::{Adam, Clip, FactoryDecay, Optimizer, Sgd},
    similarity::ClassOrder,
    train::{Batch, Features, Model, Network, Serial, Work, mean_loss, train_one, train_step},
};

const FEATURES: usize = 6;
const HIDDEN: usize = 5;
const CLASSES: usize = 4;
const PARAMETERS: usize = (FEATURES + 1) * HIDDEN + (HIDDEN + 1) * CLASSES;
const VALUES: usize = 2 * (HIDDEN + CLASSES);

type Layers = Chain<Relu<Dense>, Dense>;
type Net<T> = Network<'static, Layers, SimLoss<ClassOrder<T, CLASSES>>, T>;
type Memory<T> = Replay<T, FEATURES, 8>;

#[derive(Clone, Copy)]
struct State<T> {
    parameters: [T; PARAMETERS],
    moments: [T; 2 * PARAMETERS],
    steps: u64,
}

impl<T: Scalar> State<T> {
    fn model(&mut self, moments: usize) -> Model<'_, T> {
        let moments = self.moments.get_mut(..moments * PARAMETERS).unwrap_or_default();
        Model { parameters: &mut self.parameters, moments, steps: &mut self.steps }
    }
}

fn layers<T: Scalar>() -> Layers {
    Layer::<T>::then(Layer::<T>::relu(Dense::new(FEATURES, HIDDEN)), Dense::new(HIDDEN, CLASSES))
}

fn samples<T: Number>() -> Result<Memory<T>, Error> {
    let mut replay = Replay::new(Keep::Balanced);
    let mut random = Random::new(61);
    for _ in 0..40 {
        // Most are of one class, which the memory balances.
        let class = random.below(3 * CLASSES).min(CLASSES - 1);
        let mut features = [T::ZERO; FEATURES];
        features.iter_mut().for_each(|x| *x = random.unit());
        replay.offer(&features, Label::new(class, CLASSES)?)?;
    }
    Ok(replay)
}

/// One step on each sample, whole and in slices: both have these bits.
fn steps<T: Number, O: Optimizer<T>>(
    name: &str,
    network: &Net<T>,
    optimizer: O,
    memory: &Memory<T>,
    start: &State<T>,
    sink: &mut impl Sink,
) -> Result<(), Error> {
    let (mut whole, mut sliced) = (*start, *start);
    let (mut values, mut losses, mut slices) = ([T::ZERO; VALUES], [T::ZERO], 0);
    let mut sum = T::ZERO;
    for (features, targets) in memory.draw::<8>(&mut Random::new(62)).ones() {
        let batch = Batch { features: &features, targets, reduction: Reduction::MeanByWeight, losses: &mut losses };
        let work = &mut Work { scalars: &mut [], values: &mut values };
        sum = sum.add(train_one(network, work, &optimizer, whole.model(O::MOMENTS), batch)?);
        let batch = Batch { features: &features, targets, reduction: Reduction::MeanByWeight, losses: &mut losses };
        let work = Work { scalars: &mut [], values: &mut values };
        let mut step = SlicedStep::new(network, work, optimizer, sliced.model(O::MOMENTS), batch)?;
        while step.run(1)?.is_none() {
            slices += 1;
        }
    }
    sink.line(name, &[sum.bits(), checksum(&whole.parameters), checksum(&whole.moments)]);
    sink.line(name, &[slices, checksum(&sliced.parameters), checksum(&sliced.moments)]);
    Ok(())
}

/// All of it: a few lines.
///
/// # Errors
/// None, for these samples.
pub fn all<T: Number>(sink: &mut impl Sink) -> Result<(), Error> {
    let layers = layers::<T>();
    let network = Network::new(layers, Criterion::new(SimLoss::new(ClassOrder::new(T::from_f32(0.7))?)))?;
    let memory = samples::<T>()?;
    let mut start = State { parameters: [T::ZERO; PARAMETERS], moments: [T::ZERO; 2 * PARAMETERS], steps: 0 };
    layers.initialise(&mut start.parameters, &mut Random::new(63));
    let factory = start.parameters;
    let [rate, short, decay] = [0.5, 0.25, 0.125].map(T::from_f32);

    let sgd = Sgd::new(rate)?;
    steps("sgd", &network, sgd, &memory, &start, sink)?;
    steps("clipped", &network, Clip::new(sgd, short)?, &memory, &start, sink)?;
    steps("factory", &network, FactoryDecay::new(sgd, decay, &factory)?, &memory, &start, sink)?;
    steps("adam", &network, Clip::new(Adam::new(T::from_f32(0.01))?, short)?, &memory, &start, sink)?;

    // A batch at once, and one sample after another.
    let (mut at_once, mut singly) = (start, start);
    let (mut values, mut losses, mut gradient) = ([T::ZERO; VALUES], [T::ZERO; 8], [T::ZERO; PARAMETERS]);
    let features = &memory.features()?;
    let losses = losses.get_mut(..features.samples()).unwrap_or_default();
    let batch = Batch { features, targets: memory.targets(), reduction: Reduction::MeanByWeight, losses };
    let work = Work { scalars: &mut [], values: &mut values };
    let mut engine = Serial { token: (), network: &network, work, group: &mut [] };
    let loss = train_step(&mut engine, &sgd, at_once.model(0), &mut gradient, batch)?;
    sink.line("at once", &[loss.bits(), checksum(&at_once.parameters)]);
    let mut sum = Accumulator::new(&mut gradient, Reduction::MeanByWeight);
    for (features, targets) in memory.draw::<8>(&mut Random::new(64)).ones() {
        let work = &mut Work { scalars: &mut [], values: &mut values };
        sum.add(&network, work, &singly.parameters, &features, &targets)?;
    }
    let loss = sum.apply(&sgd, singly.model(0))?;
    sink.line("singly", &[loss.bits(), checksum(&singly.parameters)]);

    // A round that helps is kept; one at a huge rate is taken back.
    let mut backup = [T::ZERO; PARAMETERS];
    let mut state = start;
    for rate in [0.25, 1e6] {
        let sgd = Sgd::new(T::from_f32(rate))?;
        let held_out = |parameters: &[T]| {
            let (mut values, mut losses) = ([T::ZERO; VALUES], [T::ZERO; 8]);
            let losses = losses.get_mut(..features.samples()).unwrap_or_default();
            let work = Work { scalars: &mut [], values: &mut values };
            let mut engine = Serial { token: (), network: &network, work, group: &mut [] };
            let batch = Batch { features, targets: memory.targets(), reduction: Reduction::MeanByWeight, losses };
            mean_loss(&mut engine, parameters, batch)
        };
        let round = guarded_round(state.model(0), &mut backup, held_out, |model| {
            let Model { parameters, moments, steps } = model;
            for (features, targets) in memory.draw::<8>(&mut Random::new(65)).ones() {
                let (mut values, mut losses) = ([T::ZERO; VALUES], [T::ZERO]);
                let work = &mut Work { scalars: &mut [], values: &mut values };
                let model = Model { parameters: &mut *parameters, moments: &mut *moments, steps: &mut *steps };
                let batch =
                    Batch { features: &features, targets, reduction: Reduction::MeanByWeight, losses: &mut losses };
                train_one(&network, work, &sgd, model, batch)?;
            }
            Ok::<(), Error>(())
        })?;
        let kept = u32::from(round.kept);
        sink.line("guarded", &[kept, round.after.bits(), checksum(&state.parameters), state.steps as u32]);
    }
    Ok(())
}
