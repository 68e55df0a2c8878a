//! What a device that keeps learning relies on: overflow, clipping, factory decay, accumulation, guarded rounds, replay
//! and sliced steps.

use proptest::prelude::*;
use simloss_core::{
    Error, Label, Random,
    device::{Accumulator, Keep, Replay, SlicedStep, guarded_round},
    layers::{Chain, Conv2d, Dense, Layer, MaxPool, Relu, Sliced},
    loss::{Criterion, CrossEntropy, Loss, Reduction, SimLoss, Targets},
    optimizer::{Adam, Clip, DecoupledDecay, FactoryDecay, L2, Momentum, Optimizer, Sgd},
    similarity::ClassOrder,
    train::{Batch, Features, GROUP, Model, Network, RowMajor, Serial, Work, mean_loss, train_one, train_step},
};
use simloss_tests::{
    Outcome, State, bits, config, labels,
    lanes::{Array, Token},
    uniform,
};

const FEATURES: usize = 9;
const CLASSES: usize = 5;

fn one() -> Dense {
    Dense::new(FEATURES, CLASSES)
}

fn two() -> Chain<Relu<Dense>, Dense> {
    Layer::<f32>::then(Layer::<f32>::relu(Dense::new(FEATURES, 7)), Dense::new(7, CLASSES))
}

fn convolution() -> Chain<Chain<Relu<Conv2d>, MaxPool>, Dense> {
    let conv = Layer::<f32>::relu(Conv2d { channels: 1, height: 3, width: 3, outputs: 2, kernel: 2 });
    Layer::<f32>::then(Layer::<f32>::then(conv, MaxPool::new(2, 2, 2)), Dense::new(2, CLASSES))
}

/// The state before the first step of an optimizer.
fn start<N: Layer<f32>, O: Optimizer<f32>>(layers: &N, _: &O, seed: u64) -> State {
    State::new::<N, O>(layers, seed)
}

type Net<N> = Network<'static, N, SimLoss<ClassOrder<f32, CLASSES>>, f32>;

fn network<N: Layer<f32>>(layers: N) -> Result<Net<N>, Error> {
    Network::new(layers, Criterion::new(SimLoss::new(ClassOrder::new(0.6)?)))
}

fn memory<N: Layer<f32>, L: Loss<f32>>(network: &Network<'_, N, L, f32>) -> Vec<f32> {
    // Whatever is left from before must not be read.
    vec![f32::NAN; network.scratch::<f32>(true, true).values]
}

struct Sample {
    features: Vec<f32>,
    truth: [Option<Label>; 1],
}

fn samples(n: usize, seed: u64) -> Result<Vec<Sample>, Error> {
    let mut random = Random::new(seed);
    let mut sample = |i: usize| {
        let class = random.below(CLASSES);
        let features = uniform(&mut random, FEATURES, 1.0);
        let truth = if i % 6 == 4 { None } else { Some(Label::new(class, CLASSES)?) };
        Ok(Sample { features, truth: [truth] })
    };
    (0..n).map(&mut sample).collect()
}

fn step_one<N: Layer<f32>, O: Optimizer<f32>>(
    network: &Net<N>,
    optimizer: &O,
    state: &mut State,
    sample: &Sample,
    weight: f32,
) -> Result<f32, Error> {
    let features = &RowMajor::new(&sample.features, FEATURES)?;
    let targets = Targets { sample_weights: Some(&[weight]), ..Targets::labels(&sample.truth) };
    let mut losses = [f32::NAN];
    let batch = Batch { features, targets, reduction: Reduction::Sum, losses: &mut losses };
    let work = &mut Work { scalars: &mut [], values: &mut memory(network) };
    train_one(network, work, optimizer, state.model(), batch)
}

fn step_batch<N: Layer<f32>, O: Optimizer<f32>>(
    network: &Net<N>,
    optimizer: &O,
    state: &mut State,
    features: &(impl Features<f32> + Sync),
    targets: Targets<'_, f32>,
    reduction: Reduction,
) -> Result<f32, Error> {
    let n = state.parameters.len();
    let (mut gradient, mut group) = (vec![f32::NAN; n], vec![f32::NAN; n]);
    let mut losses = vec![f32::NAN; features.samples()];
    let work = Work { scalars: &mut [], values: &mut memory(network) };
    let mut engine = Serial { token: (), network, work, group: &mut group };
    let batch = Batch { features, targets, reduction, losses: &mut losses };
    train_step(&mut engine, optimizer, state.model(), &mut gradient, batch)
}

fn step_buffered<N: Layer<f32>, O: Optimizer<f32>>(
    network: &Net<N>,
    optimizer: &O,
    state: &mut State,
    sample: &Sample,
    weight: f32,
) -> Result<f32, Error> {
    let features = &RowMajor::new(&sample.features, FEATURES)?;
    let targets = Targets { sample_weights: Some(&[weight]), ..Targets::labels(&sample.truth) };
    step_batch(network, optimizer, state, features, targets, Reduction::Sum)
}

/// The norm of everything that moved.
fn distance(a: &State, b: &State) -> f64 {
    let squares = a.parameters.iter().zip(&b.parameters).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    squares.sum::<f64>().sqrt()
}

// ------------------------------------------------------------------------------------------------------------ overflow

/// Both ways to take a step agree on which gradients overflow, up to the last bit of the limit, and neither has then
/// changed anything.
fn agree_on_overflow<N: Layer<f32>, O: Optimizer<f32>>(what: &str, layers: N, optimizer: O) -> Outcome {
    let network = network(layers)?;
    let sample = Sample { features: vec![0.5; FEATURES], truth: [Some(Label::new(2, CLASSES)?)] };
    let start = start(&layers, &optimizer, 3);
    let (mut refused, mut taken) = (0, 0);
    // Weights from far below the limit to far above it: 2^40 .. 2^127.
    for power in 40..128 {
        for part in [1.0f32, 1.3, 1.7] {
            let weight = part * 2f32.powi(power);
            let (mut in_place, mut buffered) = (start.clone(), start.clone());
            let a = step_one(&network, &optimizer, &mut in_place, &sample, weight);
            let b = step_buffered(&network, &optimizer, &mut buffered, &sample, weight);
            assert_eq!(a.map(f32::to_bits), b.map(f32::to_bits), "{what}: weight {weight}");
            assert_eq!(in_place.bits(), buffered.bits(), "{what}: weight {weight}");
            if a.is_err() {
                assert_eq!(a, Err(Error::NotFinite { what: "the gradients", sample: 0 }), "{what}");
                assert_eq!(in_place.bits(), start.bits(), "{what}: weight {weight}");
                refused += 1;
            } else {
                let finite = in_place.parameters.iter().chain(&in_place.moments).all(|x| x.is_finite());
                assert!(finite, "{what}: a step by {weight} left something that is no number");
                taken += 1;
            }
        }
    }
    assert!(refused > 60 && taken > 20, "{what}: {refused} {taken}");
    Ok(())
}

#[test]
fn a_gradient_that_overflows_moves_nothing_in_place_or_buffered() -> Outcome {
    agree_on_overflow("SGD", one(), Sgd::new(0.1)?)?;
    agree_on_overflow("SGD of a high rate", one(), Sgd::new(1e3)?)?;
    agree_on_overflow("momentum", two(), Momentum::new(0.1, 0.9)?)?;
    agree_on_overflow("Adam", two(), Adam::new(0.1)?)?;
    agree_on_overflow("a convolution", convolution(), Adam::new(0.1)?)
}

/// One feature is huge, its gradient too, and no other: found behind any number of good ones, and the good sample after
/// it trains on.
#[test]
fn one_huge_feature_is_found() -> Outcome {
    let (layers, sgd) = (one(), Sgd::new(0.1)?);
    let network = network(layers)?;
    let good = Sample { features: vec![0.25; FEATURES], truth: [Some(Label::new(1, CLASSES)?)] };
    for at in 0..FEATURES {
        let mut state = start(&layers, &sgd, 5);
        // Its own weights are 0, so that the logits are in their domain.
        for row in state.parameters[..FEATURES * CLASSES].chunks_mut(FEATURES) {
            row[at] = 0.0;
        }
        let before = state.clone();
        let mut features = good.features.clone();
        features[at] = 3e38;
        let bad = Sample { features, ..Sample { features: vec![], truth: good.truth } };
        let result = step_one(&network, &sgd, &mut state, &bad, 1.0);
        assert_eq!(result, Err(Error::NotFinite { what: "the gradients", sample: 0 }), "feature {at}");
        assert_eq!(state.bits(), before.bits());
        step_one(&network, &sgd, &mut state, &good, 1.0)?;
        assert!(state.parameters.iter().all(|w| w.is_finite()) && state != before);
    }
    Ok(())
}

/// Large features whose norm overflows, but no gradient does: the exact look lets them through.
#[test]
fn a_norm_that_overflows_is_no_gradient_that_does() -> Outcome {
    let (layers, sgd) = (one(), Sgd::new(0.1)?);
    let network = network(layers)?;
    let sample = Sample { features: vec![1.5e19; FEATURES], truth: [Some(Label::new(1, CLASSES)?)] };
    let mut state = State { parameters: vec![0.0; layers.dense_shape().parameters], moments: vec![], steps: 0 };
    let mut buffered = state.clone();
    step_one(&network, &sgd, &mut state, &sample, 0.5)?;
    step_buffered(&network, &sgd, &mut buffered, &sample, 0.5)?;
    assert_eq!(state.bits(), buffered.bits());
    assert_eq!(state.steps, 1);
    Ok(())
}

// ------------------------------------------------------------------------------------------------------------ clipping

/// A step by SGD of rate 1 is as long as the gradient: at most `max`, and in its direction.
fn clips<N: Layer<f32>>(what: &str, layers: N, exact: bool) -> Outcome {
    let network = network(layers)?;
    for (n, sample) in samples(24, 7)?.iter().filter(|s| s.truth[0].is_some()).enumerate() {
        let plain = Sgd::new(1.0)?;
        let start = start(&layers, &plain, n as u64);
        let mut free = start.clone();
        step_one(&network, &plain, &mut free, sample, 4.0)?;
        let norm = distance(&free, &start);
        for share in [0.01, 0.5, 0.99, 1.01, 100.0] {
            let max = (share * norm) as f32;
            let clip = Clip::new(plain, max)?;
            let (mut in_place, mut buffered) = (start.clone(), start.clone());
            step_one(&network, &clip, &mut in_place, sample, 4.0)?;
            step_buffered(&network, &clip, &mut buffered, sample, 4.0)?;
            let (a, b) = (distance(&in_place, &start), distance(&buffered, &start));
            let expected = norm.min(f64::from(max));
            assert!((b / expected - 1.0).abs() < 1e-5, "{what}: {b} for {expected}");
            if share > 1.0 && exact {
                assert_eq!(in_place.bits(), free.bits(), "{what}: nothing to clip, nothing changes");
                assert_eq!(buffered.bits(), free.bits(), "{what}");
            } else if exact {
                assert!((a / expected - 1.0).abs() < 1e-5, "{what}: {a} for {expected}");
            } else {
                assert!(a <= expected * (1.0 + 1e-5), "{what}: {a} for {expected}");
            }
            // In the gradient's direction: the end lies on the line from start to free.
            let along = State {
                parameters: start
                    .parameters
                    .iter()
                    .zip(&free.parameters)
                    .map(|(s, f)| s + (f - s) * (a / norm) as f32)
                    .collect(),
                ..start.clone()
            };
            assert!(distance(&along, &in_place) < 1e-5 * norm.max(1.0), "{what}");
        }
    }
    Ok(())
}

#[test]
fn clipping_shortens_the_step_and_keeps_its_direction() -> Outcome {
    clips("one layer", one(), true)?;
    clips("two layers", two(), true)?;
    clips("a convolution", convolution(), false)
}

/// The squared norm by products is that of the gradient itself; for convolutions not below it.
#[test]
fn norms_by_products_are_norms() -> Outcome {
    fn check<N: Layer<f32>>(layers: N, exact: bool) -> Outcome {
        let network = network(layers)?;
        for sample in samples(30, 8)?.iter().filter(|s| s.truth[0].is_some()) {
            let sgd = Sgd::new(1.0)?;
            let start = start(&layers, &sgd, 9);
            let mut free = start.clone();
            step_buffered(&network, &sgd, &mut free, sample, 1.0)?;
            // The smallest limit that changes nothing is the norm.
            let norm = distance(&free, &start) as f32;
            let moved = |max: f32| -> Result<bool, Error> {
                let mut state = start.clone();
                step_one(&network, &Clip::new(sgd, max)?, &mut state, sample, 1.0)?;
                Ok(state.bits() == free.bits())
            };
            assert!(!moved(norm * 0.9999)?);
            assert!(!exact || moved(norm * 1.0001)?);
        }
        Ok(())
    }
    check(one(), true)?;
    check(two(), true)?;
    check(convolution(), false)
}

#[test]
fn a_norm_without_bound_is_refused_where_it_is_needed() -> Outcome {
    let (layers, clip) = (one(), Clip::new(Sgd::new(0.1)?, 1.0)?);
    let network = network(layers)?;
    let sample = Sample { features: vec![1.5e19; FEATURES], truth: [Some(Label::new(1, CLASSES)?)] };
    let start = State { parameters: vec![0.0; layers.dense_shape().parameters], moments: vec![], steps: 0 };
    let expected = Error::NotFinite { what: "the norm of the gradients", sample: 0 };
    let mut state = start.clone();
    assert_eq!(step_one(&network, &clip, &mut state, &sample, 2.0), Err(expected));
    assert_eq!(step_buffered(&network, &clip, &mut state, &sample, 2.0), Err(expected));
    assert_eq!(state.bits(), start.bits());
    step_one(&network, &Sgd::new(0.1)?, &mut state, &sample, 2.0)?;
    for bad in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert!(matches!(Clip::new(Sgd::new(0.1)?, bad), Err(Error::Setting { .. })), "{bad}");
    }
    Ok(())
}

// ------------------------------------------------------------------------------------------------------- factory decay

#[test]
fn decay_towards_the_factory_is_written_out() -> Outcome {
    let (layers, adam) = (two(), Adam::new(0.01)?);
    let network = network(layers)?;
    let factory = start(&layers, &adam, 10).parameters;
    let decay = FactoryDecay::new(adam, 0.25, &factory)?;
    let start = start(&layers, &adam, 11);
    let (mut in_place, mut buffered, mut by_hand) = (start.clone(), start.clone(), start);
    for sample in samples(40, 12)?.iter().filter(|s| s.truth[0].is_some()) {
        step_one(&network, &decay, &mut in_place, sample, 1.0)?;
        step_buffered(&network, &decay, &mut buffered, sample, 1.0)?;
        // The step of Adam at the old weights does not see the decay: it is the same from pulled weights.
        let before = by_hand.clone();
        step_one(&network, &adam, &mut by_hand, sample, 1.0)?;
        let share = 0.01f32 * 0.25;
        for (k, w) in by_hand.parameters.iter_mut().enumerate() {
            let old = before.parameters[k];
            *w += share * (factory[k] - old);
        }
        assert_eq!(in_place.bits(), buffered.bits());
        for (a, b) in in_place.parameters.iter().zip(&by_hand.parameters) {
            assert!((a - b).abs() <= 1e-6 * a.abs().max(1.0), "{a} {b}");
        }
        by_hand = in_place.clone();
    }
    // Without a gradient the weights end at the factory's.
    let decay = FactoryDecay::new(Sgd::new(1.0)?, 0.5, &factory)?;
    let mut state = State { moments: vec![], ..in_place };
    for _ in 0..60 {
        step_one(&network, &decay, &mut state, &samples(1, 1)?[0], 0.0)?;
    }
    for (w, w0) in state.parameters.iter().zip(&factory) {
        assert!((w - w0).abs() <= 1e-6, "{w} {w0}");
    }
    Ok(())
}

#[test]
fn factory_weights_must_fit() -> Outcome {
    let (layers, sgd) = (one(), Sgd::new(0.1)?);
    let network = network(layers)?;
    let short = vec![0.0f32; 3];
    // Seen through wrappers, too.
    let decay = Clip::new(L2::new(FactoryDecay::new(sgd, 0.1, &short)?, 0.1)?, 1.0)?;
    let mut state = start(&layers, &sgd, 13);
    let before = state.clone();
    let expected = Error::Length { what: "the factory weights", expected: state.parameters.len(), found: 3 };
    let sample = &samples(1, 1)?[0];
    assert_eq!(step_one(&network, &decay, &mut state, sample, 1.0), Err(expected));
    assert_eq!(step_buffered(&network, &decay, &mut state, sample, 1.0), Err(expected));
    assert_eq!(state.bits(), before.bits());
    assert!(matches!(FactoryDecay::new(sgd, -0.1, &short), Err(Error::Setting { .. })));
    assert!(matches!(FactoryDecay::new(sgd, 0.1, &[f32::NAN]), Err(Error::NotFinite { .. })));
    Ok(())
}

// ------------------------------------------------------------------------------------------------------------ wrappers

/// What an optimizer does to gradients and parameters it does inside every wrapper too, where that itself does nothing.
#[test]
fn wrappers_pass_on_what_is_inside() -> Outcome {
    /// The bits after a step without memory for gradients, and after one with it.
    fn stepped<O: Optimizer<f32>>(optimizer: &O) -> Result<[Vec<u64>; 2], Error> {
        let (layers, sample) =
            (two(), Sample { features: vec![0.5; FEATURES], truth: [Some(Label::new(1, CLASSES)?)] });
        let network = network(layers)?;
        let start = start(&layers, optimizer, 14);
        let (mut in_place, mut buffered) = (start.clone(), start);
        step_one(&network, optimizer, &mut in_place, &sample, 1.0)?;
        step_buffered(&network, optimizer, &mut buffered, &sample, 1.0)?;
        Ok([in_place, buffered].map(|state| bits(&state.parameters)))
    }
    fn inside<O: Optimizer<f32>>(what: &str, inner: O, factory: &[f32]) -> Outcome {
        let expected = stepped(&inner)?;
        assert_ne!(expected, stepped(&Sgd::new(0.1)?)?, "{what} does something");
        assert_eq!(stepped(&L2::new(inner, 0.0)?)?, expected, "{what} in L2");
        assert_eq!(stepped(&DecoupledDecay::new(inner, 0.0)?)?, expected, "{what} in DecoupledDecay");
        assert_eq!(stepped(&FactoryDecay::new(inner, 0.0, factory)?)?, expected, "{what} in FactoryDecay");
        assert_eq!(stepped(&Clip::new(inner, 1e9)?)?, expected, "{what} in Clip");
        Ok(())
    }
    let sgd = Sgd::new(0.1)?;
    let factory = start(&two(), &sgd, 15).parameters;
    let short = Clip::new(sgd, 0.01)?;
    inside("Clip", short, &factory)?;
    inside("FactoryDecay", FactoryDecay::new(sgd, 0.5, &factory)?, &factory)?;
    // Of two limits the smaller one.
    assert_eq!(stepped(&Clip::new(Clip::new(sgd, 0.02)?, 0.01)?)?, stepped(&short)?);
    assert_eq!(stepped(&Clip::new(short, 0.02)?)?, stepped(&short)?);
    Ok(())
}

// -------------------------------------------------------------------------------------------------------- accumulation

fn add<N: Layer<f32>>(
    sum: &mut Accumulator<'_, f32>,
    network: &Net<N>,
    state: &State,
    sample: &Sample,
) -> Result<f32, Error> {
    let work = &mut Work { scalars: &mut [], values: &mut memory(network) };
    let features = &RowMajor::new(&sample.features, FEATURES)?;
    sum.add(network, work, &state.parameters, features, &Targets::labels(&sample.truth))
}

fn accumulates<N: Layer<f32>, O: Optimizer<f32>>(layers: N, optimizer: O, reduction: Reduction) -> Outcome {
    let network = network(layers)?;
    let start = start(&layers, &optimizer, 14);
    let (mut singly, mut at_once) = (start.clone(), start);
    let mut gradient = vec![f32::NAN; singly.parameters.len()];
    let mut sum = Accumulator::new(&mut gradient, reduction);
    for (n, seed) in [1, 2, 5, 15, GROUP].into_iter().zip(20..) {
        let samples = samples(n, seed)?;
        for sample in &samples {
            add(&mut sum, &network, &singly, sample)?;
        }
        assert_eq!(sum.samples(), n);
        let a = sum.apply(&optimizer, singly.model())?;
        let features: Vec<f32> = samples.iter().flat_map(|s| s.features.clone()).collect();
        let truth: Vec<_> = samples.iter().map(|s| s.truth[0]).collect();
        let rows = RowMajor::new(&features, FEATURES)?;
        let b = step_batch(&network, &optimizer, &mut at_once, &rows, Targets::labels(&truth), reduction)?;
        assert_eq!(a.to_bits(), b.to_bits());
        assert_eq!(singly.bits(), at_once.bits(), "{n} samples");
    }
    Ok(())
}

#[test]
fn an_accumulated_batch_has_the_bits_of_the_batch() -> Outcome {
    for reduction in [Reduction::MeanByWeight, Reduction::MeanByCount, Reduction::Sum] {
        accumulates(one(), Sgd::new(0.5)?, reduction)?;
        accumulates(two(), Adam::new(0.1)?, reduction)?;
        accumulates(two(), Clip::new(Momentum::new(0.1, 0.9)?, 0.05)?, reduction)?;
        accumulates(convolution(), Sgd::new(0.5)?, reduction)?;
    }
    Ok(())
}

/// The rate means the same for 1, 3 or 100 copies of a sample.
#[test]
fn a_mean_does_not_multiply_the_rate() -> Outcome {
    let (layers, sgd) = (two(), Sgd::new(0.5)?);
    let network = network(layers)?;
    let sample = &samples(1, 30)?[0];
    let start = start(&layers, &sgd, 31);
    let mut once = start.clone();
    step_one(&network, &sgd, &mut once, sample, 1.0)?;
    for copies in [1, 3, 100] {
        let mut state = start.clone();
        let mut gradient = vec![0.0; state.parameters.len()];
        let mut sum = Accumulator::new(&mut gradient, Reduction::MeanByWeight);
        for _ in 0..copies {
            add(&mut sum, &network, &state, sample)?;
        }
        sum.apply(&sgd, state.model())?;
        assert!(distance(&state, &once) <= 1e-5 * distance(&once, &start), "{copies} copies");
    }
    Ok(())
}

#[test]
fn a_refused_sample_adds_nothing() -> Outcome {
    let (layers, sgd) = (one(), Sgd::new(0.5)?);
    let network = network(layers)?;
    let mut start = start(&layers, &sgd, 32);
    // Feature 4 does not reach the logits, so that only its gradient is large.
    start.parameters[..FEATURES * CLASSES].chunks_mut(FEATURES).for_each(|row| row[4] = 0.0);
    let good = samples(3, 33)?;
    let run = |bad: &[Sample]| -> Result<State, Error> {
        let mut state = start.clone();
        let mut gradient = vec![0.0; state.parameters.len()];
        let mut sum = Accumulator::new(&mut gradient, Reduction::MeanByWeight);
        // Without a sample there is no mean.
        assert_eq!(sum.apply(&sgd, state.model()), Err(Error::Empty));
        for good in &good {
            for bad in bad {
                assert!(add(&mut sum, &network, &state, bad).is_err());
            }
            add(&mut sum, &network, &state, good)?;
        }
        assert!(matches!(
            sum.apply(&sgd, Model { parameters: &mut [0.0; 3], moments: &mut [], steps: &mut 0 }),
            Err(Error::Length { .. })
        ));
        sum.apply(&sgd, state.model())?;
        assert_eq!(sum.samples(), 0);
        assert_eq!(sum.apply(&sgd, state.model()), Err(Error::Empty));
        Ok(state)
    };
    let label = [Some(Label::new(0, CLASSES)?)];
    let with = |x: f32| {
        let mut features = vec![0.0; FEATURES];
        features[4] = x;
        features
    };
    let bad = [
        Sample { features: with(f32::NAN), truth: label },
        Sample { features: with(f32::INFINITY), truth: label },
        Sample { features: with(3e38), truth: label },
        Sample { features: with(1.0), truth: [Some(Label::new(0, CLASSES + 1)?)] },
    ];
    assert_eq!(run(&bad)?.bits(), run(&[])?.bits());
    Ok(())
}

// -------------------------------------------------------------------------------------------------------- guarded round

#[test]
fn a_round_that_does_harm_is_taken_back() -> Outcome {
    let (layers, adam) = (two(), Adam::new(0.02)?);
    let network = network(layers)?;
    let train = samples(12, 40)?;
    let held: Vec<f32> = train.iter().flat_map(|s| s.features.clone()).collect();
    let truth: Vec<_> = train.iter().map(|s| s.truth[0]).collect();
    let mut state = start(&layers, &adam, 41);
    let held_out = |parameters: &[f32]| {
        let (mut losses, mut memory) = (vec![f32::NAN; truth.len()], memory(&network));
        let work = Work { scalars: &mut [], values: &mut memory };
        let mut engine = Serial { token: (), network: &network, work, group: &mut [] };
        let features = &RowMajor::new(&held, FEATURES)?;
        let targets = Targets::labels(&truth);
        mean_loss(
            &mut engine,
            parameters,
            Batch { features, targets, reduction: Reduction::MeanByWeight, losses: &mut losses },
        )
    };
    let mut backup = vec![f32::NAN; 3 * state.parameters.len()];
    let mut rounds = |state: &mut State, rate: f32, fail: bool| {
        guarded_round(state.model(), &mut backup, held_out, |model| {
            let mut own =
                State { parameters: model.parameters.to_vec(), moments: model.moments.to_vec(), steps: *model.steps };
            let adam = adam.with_rate(rate)?;
            for sample in train.iter().filter(|s| s.truth[0].is_some()) {
                step_one(&network, &adam, &mut own, sample, 1.0)?;
            }
            model.parameters.copy_from_slice(&own.parameters);
            model.moments.copy_from_slice(&own.moments);
            *model.steps = own.steps;
            if fail { Err(Error::Empty) } else { Ok(()) }
        })
    };
    let start = state.clone();
    let good = rounds(&mut state, 0.02, false)?;
    assert!(good.kept && good.after < good.before, "{good:?}");
    assert_eq!(state.steps, 10);
    assert_ne!(state.bits(), start.bits());
    assert_eq!(held_out(&state.parameters)?, good.after);

    let learnt = state.clone();
    let bad = rounds(&mut state, 1e4, false)?;
    assert!(!bad.kept && bad.after > bad.before, "{bad:?}");
    assert_eq!(bad.before.to_bits(), good.after.to_bits());
    assert_eq!(state.bits(), learnt.bits(), "parameters, moments and steps are back");

    assert_eq!(rounds(&mut state, 0.02, true), Err(Error::Empty));
    assert_eq!(state.bits(), learnt.bits(), "also after an error");

    let short = guarded_round(state.model(), &mut [0.0; 3], held_out, |_| Ok(()));
    assert!(matches!(short, Err(Error::Length { what: "the backup", .. })));
    Ok(())
}

/// A held-out loss that is no number is worse than any.
#[test]
fn nan_is_not_kept() -> Outcome {
    let (mut w, mut m, mut steps) = ([1.0f32], [2.0f32], 3);
    let model = Model { parameters: &mut w, moments: &mut m, steps: &mut steps };
    let held_out = |w: &[f32]| Ok::<_, Error>(if w[0] == 1.0 { 0.0 } else { f32::NAN });
    let round = guarded_round(model, &mut [0.0; 2], held_out, |model| {
        (model.parameters[0], model.moments[0], *model.steps) = (5.0, 6.0, 7);
        Ok(())
    })?;
    assert!(!round.kept && round.after.is_nan());
    assert_eq!((w, m, steps), ([1.0], [2.0], 3));
    Ok(())
}

// -------------------------------------------------------------------------------------------------------------- replay

fn offer<const N: usize>(keep: Keep, classes: &[usize]) -> Result<Replay<f32, 1, N>, Error> {
    let mut replay = Replay::new(keep);
    for (i, &class) in classes.iter().enumerate() {
        replay.offer(&[i as f32], Label::new(class, 8)?)?;
    }
    Ok(replay)
}

fn held<const N: usize>(replay: &Replay<f32, 1, N>) -> Vec<(usize, usize)> {
    let mut held: Vec<_> =
        (0..replay.len()).filter_map(|i| replay.get(i)).map(|(x, y)| (x[0] as usize, y.index())).collect();
    held.sort_unstable();
    held
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_latest_are_kept(classes in prop::collection::vec(0usize..4, 0..40)) {
        let replay = offer::<7>(Keep::Latest, &classes)?;
        let first = classes.len().saturating_sub(7);
        let expected: Vec<_> = classes.iter().copied().enumerate().skip(first).collect();
        prop_assert_eq!(held(&replay), expected);
    }

    #[test]
    fn classes_are_balanced(classes in prop::collection::vec(0usize..4, 0..60)) {
        let replay = offer::<8>(Keep::Balanced, &classes)?;
        let held = held(&replay);
        let count = |y: usize| held.iter().filter(|(_, c)| *c == y).count();
        let seen = |y: usize| classes.iter().filter(|c| **c == y).count();
        prop_assert_eq!(held.len(), classes.len().min(8));
        let most = (0..4).map(count).max().unwrap_or(0);
        for y in 0..4 {
            // A class has its fair share, or all that was ever seen of it.
            prop_assert!(count(y) + 1 >= most || count(y) == seen(y), "{:?} of {:?}", held, classes);
            // And of it the latest.
            let all: Vec<_> = (0..classes.len()).filter(|i| classes[*i] == y).collect();
            let own: Vec<_> = held.iter().filter(|(_, c)| *c == y).map(|(i, _)| *i).collect();
            prop_assert_eq!(&own[..], &all[all.len() - own.len()..]);
        }
    }

    #[test]
    fn what_is_drawn_is_held_and_drawn_once(n in 0usize..12, seed in 0u64..1000) {
        let classes: Vec<_> = (0..n).map(|i| i % 8).collect();
        let replay = offer::<10>(Keep::Latest, &classes)?;
        let drawn = replay.draw::<4>(&mut Random::new(seed));
        prop_assert_eq!(drawn.samples(), n.min(4));
        let found: Vec<usize> = drawn.ones().map(|(x, _)| x.lanes::<f32>((), 0, 1, &mut [])[0] as usize).collect();
        prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1] || n > 10), "{:?}", found);
        let held = held(&replay);
        for (x, (_, targets)) in found.iter().zip(drawn.ones()) {
            prop_assert!(held.contains(&(*x, x % 8)));
            let truth = [Some(Label::new(x % 8, 8)?)];
            prop_assert_eq!(targets, Targets::labels(&truth));
        }
    }
}

/// Every sample is held with the same probability, whenever it came; and drawn likewise.
#[test]
fn the_reservoir_and_the_draw_are_fair() -> Outcome {
    const ROUNDS: usize = 4000;
    let (mut kept, mut drawn) = ([0usize; 20], [0usize; 20]);
    for seed in 0..ROUNDS as u64 {
        let replay = offer::<5>(Keep::Reservoir(Random::new(seed)), &[0; 20])?;
        held(&replay).iter().for_each(|(i, _)| kept[*i] += 1);
        let whole = offer::<20>(Keep::Latest, &[0; 20])?;
        for (x, _) in whole.draw::<5>(&mut Random::new(seed).key(1)).ones() {
            drawn[x.lanes::<f32>((), 0, 1, &mut [])[0] as usize] += 1;
        }
    }
    for n in kept.iter().chain(&drawn) {
        // 1000 expected, standard deviation 27.
        assert!(n.abs_diff(1000) < 140, "{kept:?} {drawn:?}");
    }
    Ok(())
}

#[test]
fn a_batch_from_memory_trains_as_one_from_rows() -> Outcome {
    let (layers, sgd) = (two(), Sgd::new(0.5)?);
    let network = network(layers)?;
    let mut replay = Replay::<f32, FEATURES, 40>::new(Keep::Latest);
    for sample in samples(40, 50)?.iter().filter(|s| s.truth[0].is_some()) {
        let Some(label) = sample.truth[0] else { continue };
        replay.offer(&sample.features, label)?;
    }
    let start = start(&layers, &sgd, 51);
    let drawn = replay.draw::<21>(&mut Random::new(52));
    let mut rows = vec![];
    let mut truth = vec![];
    for (x, y) in drawn.ones() {
        rows.extend_from_slice(x.lanes::<f32>((), 0, 1, &mut []));
        if let simloss_core::loss::Truth::Labels(y) = y.truth {
            truth.extend_from_slice(y);
        }
    }
    assert_eq!(rows.len(), 21 * FEATURES);
    let (mut a, mut b, mut c) = (start.clone(), start.clone(), start);
    let mean = Reduction::MeanByWeight;
    step_batch(&network, &sgd, &mut a, &drawn, drawn.targets(), mean)?;
    step_batch(&network, &sgd, &mut b, &RowMajor::new(&rows, FEATURES)?, Targets::labels(&truth), mean)?;
    assert_eq!(a.bits(), b.bits());
    // In lanes, too.
    let n = c.parameters.len();
    let needed = network.scratch::<Array<f32, 4>>(false, true);
    let t = Token::new();
    let mut values = vec![simloss_core::number::Value::splat(t, f32::NAN); needed.values];
    let (mut scalars, mut group, mut losses) = (vec![0.0; needed.scalars], vec![0.0; n], vec![0.0; 21]);
    let work = Work::<Array<f32, 4>> { scalars: &mut scalars, values: &mut values };
    let mut engine = Serial { token: t, network: &network, work, group: &mut group };
    let batch = Batch { features: &drawn, targets: drawn.targets(), reduction: mean, losses: &mut losses };
    train_step(&mut engine, &sgd, c.model(), &mut vec![0.0; n], batch)?;
    assert_eq!(a.bits(), c.bits());
    // And the whole memory is a batch.
    step_batch(&network, &sgd, &mut c, &replay.features()?, replay.targets(), mean)?;
    Ok(())
}

#[test]
fn a_memory_refuses_what_would_spoil_a_batch() -> Outcome {
    let mut replay = Replay::<f32, 2, 3>::new(Keep::Balanced);
    let label = Label::new(0, 2)?;
    assert!(replay.is_empty());
    assert!(matches!(replay.offer(&[1.0], label), Err(Error::Length { expected: 2, found: 1, .. })));
    for bad in [f32::NAN, f32::INFINITY] {
        assert_eq!(replay.offer(&[1.0, bad], label), Err(Error::NotFinite { what: "the features", sample: 0 }));
    }
    assert!(replay.is_empty());
    assert_eq!(replay.draw::<2>(&mut Random::new(0)).samples(), 0);
    assert_eq!(replay.offer(&[1.0, 2.0], label), Ok(true));
    Ok(())
}

// --------------------------------------------------------------------------------------------------------- sliced steps

fn slices<N: Sliced<f32>, O: Optimizer<f32>>(what: &str, layers: N, optimizer: O) -> Outcome {
    let network = network(layers)?;
    let start = start(&layers, &optimizer, 60);
    for at_a_time in [1, 2, 7, usize::MAX] {
        let (mut whole, mut sliced) = (start.clone(), start.clone());
        for sample in &samples(20, 61)? {
            let expected = step_one(&network, &optimizer, &mut whole, sample, 1.5)?;
            let features = RowMajor::new(&sample.features, FEATURES)?;
            let targets = Targets { sample_weights: Some(&[1.5]), ..Targets::labels(&sample.truth) };
            let (mut losses, mut values) = ([f32::NAN], memory(&network));
            let before = sliced.clone();
            let work = || Work { scalars: &mut [], values: &mut [] };
            let short = SlicedStep::new(
                &network,
                work(),
                optimizer,
                sliced.model(),
                Batch { features: &features, targets, reduction: Reduction::Sum, losses: &mut losses },
            );
            assert!(matches!(short, Err(Error::Length { .. })));
            let work = Work { scalars: &mut [], values: &mut values };
            let batch = Batch { features: &features, targets, reduction: Reduction::Sum, losses: &mut losses };
            let mut step = SlicedStep::new(&network, work, optimizer, sliced.model(), batch)?;
            let mut calls = 1usize;
            let found = loop {
                match step.run(at_a_time)? {
                    Some(loss) => break loss,
                    None => calls += 1,
                }
            };
            // Done is done.
            assert_eq!(step.run(1)?.map(f32::to_bits), Some(found.to_bits()));
            assert_eq!(found.to_bits(), expected.to_bits(), "{what}");
            assert_eq!(sliced.bits(), whole.bits(), "{what}, {at_a_time} slices at a time");
            let n = layers.slices(false);
            let all = 3 + n.forward + n.backward + n.parameters;
            assert_eq!(calls, all.div_ceil(at_a_time), "{what}");

            // Stopped before its parameters move, a step has changed nothing.
            let mut stopped = before.clone();
            let (mut losses, mut values) = ([f32::NAN], memory(&network));
            let work = Work { scalars: &mut [], values: &mut values };
            let batch = Batch { features: &features, targets, reduction: Reduction::Sum, losses: &mut losses };
            let mut step = SlicedStep::new(&network, work, optimizer, stopped.model(), batch)?;
            assert_eq!(step.run(all - n.parameters)?, None);
            assert_eq!(stopped.bits(), before.bits(), "{what}");
        }
    }
    Ok(())
}

#[test]
fn a_sliced_step_has_the_bits_of_a_whole_one() -> Outcome {
    slices("one layer", one(), Sgd::new(0.1)?)?;
    slices("one layer, clipped", one(), Clip::new(Sgd::new(0.1)?, 0.3)?)?;
    slices("two layers", two(), Adam::new(0.1)?)?;
    let factory = start(&two(), &Sgd::new(0.1f32)?, 62).parameters;
    slices("two layers, factory decay", two(), FactoryDecay::new(Momentum::new(0.1, 0.9)?, 0.1, &factory)?)?;
    let three = Layer::<f32>::then(Layer::<f32>::relu(two()), Dense::new(CLASSES, CLASSES));
    slices("three layers", three, Sgd::new(0.1)?)
}

#[test]
fn a_sliced_step_refuses_what_a_whole_one_does() -> Outcome {
    let (layers, clip) = (two(), Clip::new(Sgd::new(0.1)?, 1.0)?);
    let network = network(layers)?;
    let good = [Some(Label::new(1, CLASSES)?)];
    let with = |x: f32| {
        let mut features = vec![0.25; FEATURES];
        features[3] = x;
        features
    };
    let mut start = start(&layers, &clip, 63);
    // Feature 3 does not reach the logits, so that only its gradient is large.
    start.parameters[..7 * FEATURES].chunks_mut(FEATURES).for_each(|row| row[3] = 0.0);
    for (features, weight) in [(with(f32::NAN), 1.0), (with(f32::INFINITY), 1.0), (with(3e38), 1.0), (with(0.0), 3e38)]
    {
        let sample = Sample { features, truth: good };
        let (mut whole, mut sliced) = (start.clone(), start.clone());
        let expected = step_one(&network, &clip, &mut whole, &sample, weight);
        let features = RowMajor::new(&sample.features, FEATURES)?;
        let weights = [weight];
        let targets = Targets { sample_weights: Some(&weights), ..Targets::labels(&sample.truth) };
        let (mut losses, mut values) = ([f32::NAN], memory(&network));
        let work = Work { scalars: &mut [], values: &mut values };
        let batch = Batch { features: &features, targets, reduction: Reduction::Sum, losses: &mut losses };
        let mut step = SlicedStep::new(&network, work, clip, sliced.model(), batch)?;
        let error = loop {
            match step.run(1) {
                Ok(None) => {}
                Ok(Some(loss)) => panic!("a loss of {loss}"),
                Err(error) => break error,
            }
        };
        assert!(matches!(expected, Err(Error::NotFinite { .. })), "{expected:?}");
        assert_eq!(step.run(1), Err(error), "failed is failed");
        assert_eq!(sliced.bits(), start.bits());
        assert_eq!(whole.bits(), start.bits());
        assert_eq!(Err(error), expected);
    }
    let other = labels(&[Some(0)], CLASSES + 1)?;
    let features = RowMajor::new(&[0.0f32; FEATURES], FEATURES)?;
    let (mut losses, mut values) = ([0.0], memory(&network));
    let work = Work { scalars: &mut [], values: &mut values };
    let batch =
        Batch { features: &features, targets: Targets::labels(&other), reduction: Reduction::Sum, losses: &mut losses };
    assert!(SlicedStep::new(&network, work, clip, start.model(), batch).is_err());
    Ok(())
}

/// Cross entropy is a loss like any other here.
#[test]
fn cross_entropy_in_slices() -> Outcome {
    let network = Network::new(one(), Criterion::new(CrossEntropy::new(CLASSES)?))?;
    let (mut a, sgd) = (start(&one(), &Sgd::new(0.1)?, 70), Sgd::new(0.1)?);
    let mut b = a.clone();
    let (x, truth) = ([0.5f32; FEATURES], [Some(Label::new(4, CLASSES)?)]);
    let (features, targets) = (RowMajor::new(&x, FEATURES)?, Targets::labels(&truth));
    let (mut values, mut losses) = ([0.0; 2 * CLASSES], [0.0]);
    let batch = Batch { features: &features, targets, reduction: Reduction::MeanByCount, losses: &mut losses };
    let work = Work { scalars: &mut [], values: &mut values };
    let found = SlicedStep::new(&network, work, sgd, a.model(), batch)?.run(1000)?;
    let batch = Batch { features: &features, targets, reduction: Reduction::MeanByCount, losses: &mut losses };
    let work = &mut Work { scalars: &mut [], values: &mut values };
    assert_eq!(found, Some(train_one(&network, work, &sgd, b.model(), batch)?));
    assert_eq!(a.bits(), b.bits());
    Ok(())
}
