//! Training steps: the same bits with and without gradient memory and in any lanes, a model that bad input leaves
//! alone, first parameters, and networks that learn.

use simloss_core::{
    Error, Label, Random,
    gradient::GroupGradient,
    layers::{Chain, Conv2d, Dense, Layer, MaxPool, Relu},
    loss::{Criterion, CrossEntropy, Loss, Reduction, SimLoss, Targets, Truth},
    number::Value,
    optimizer::{Adam, DecoupledDecay, L2, Momentum, Optimizer, Sgd},
    similarity::ClassOrder,
    train::{Batch, Evaluation, GROUP, Network, RowMajor, Serial, Work, eval_step, train_one, train_step},
};
use simloss_tests::{
    Outcome, State, bits, each_in, labels,
    lanes::{Array, Token},
    reduce_in, uniform,
};

const CLASSES: usize = 3;

/// A linear head.
fn linear() -> Dense {
    Dense::new(36, CLASSES)
}

/// One hidden layer.
fn hidden() -> Chain<Relu<Dense>, Dense> {
    Layer::<f32>::then(Layer::<f32>::relu(Dense::new(36, 7)), Dense::new(7, CLASSES))
}

/// A small image network: 6 x 6 to `channels` of 4 x 4, to 2 x 2, to the classes.
fn image_of(channels: usize) -> Chain<Chain<Relu<Conv2d>, MaxPool>, Dense> {
    let conv = Layer::<f32>::relu(Conv2d { channels: 1, height: 6, width: 6, outputs: channels, kernel: 3 });
    let pooled = Layer::<f32>::then(conv, MaxPool::new(channels, 4, 4));
    Layer::<f32>::then(pooled, Dense::new(4 * channels, CLASSES))
}

/// The same of two channels.
fn image() -> Chain<Chain<Relu<Conv2d>, MaxPool>, Dense> {
    image_of(2)
}

/// Samples of 36 features, some ignored, with weights.
struct Data {
    features: Vec<f32>,
    truth: Vec<Option<Label>>,
    weights: Vec<f32>,
}

impl Data {
    fn draw(samples: usize, seed: u64) -> Result<Self, Error> {
        let mut random = Random::new(seed);
        let truth: Vec<Option<usize>> =
            (0..samples).map(|i| if i % 7 == 3 { None } else { Some(random.below(3)) }).collect();
        let mut features: Vec<f32> = uniform(&mut random, 36 * samples, 1.0);
        // Ties for the pool, zeroes for the relu.
        features.iter_mut().step_by(5).for_each(|x| *x = 0.0);
        let weights = (0..samples).map(|_| 0.25 + random.unit::<f32>()).collect();
        Ok(Data { features, truth: labels(&truth, CLASSES)?, weights })
    }

    /// Samples `first..first + n`, starting over at the end.
    fn part(&self, first: usize, n: usize) -> Data {
        let at = |i: usize| (first + i) % self.truth.len();
        Data {
            features: (0..n).flat_map(|i| self.features[36 * at(i)..][..36].to_vec()).collect(),
            truth: (0..n).map(|i| self.truth[at(i)]).collect(),
            weights: (0..n).map(|i| self.weights[at(i)]).collect(),
        }
    }

    fn targets(&self) -> Targets<'_, f32> {
        Targets { truth: Truth::Labels(&self.truth), sample_weights: Some(&self.weights) }
    }
}

type Net<'c, N> = Network<'c, N, SimLoss<ClassOrder<f32, CLASSES>>, f32>;

fn network<N: Layer<f32>>(layers: N) -> Result<Net<'static, N>, Error> {
    Network::new(layers, Criterion::new(SimLoss::new(ClassOrder::new(0.6)?)))
}

/// An engine in the lanes of `V`, with just the memory that the network asks for.
fn serial<V: Value<Scalar = f32>, N: Layer<f32>, L: Loss<f32>, R>(
    t: V::Token,
    network: &Network<'_, N, L, f32>,
    run: impl FnOnce(&mut Serial<'_, '_, N, L, V>) -> R,
) -> R {
    let needed = network.scratch::<V>(true, true);
    // Whatever is left from before must not be read.
    let mut scalars = vec![f32::NAN; needed.scalars];
    let mut values = vec![V::splat(t, f32::NAN); needed.values];
    let mut group = vec![f32::NAN; network.parameters()];
    let work = Work { scalars: &mut scalars, values: &mut values };
    run(&mut Serial { token: t, network, work, group: &mut group })
}

/// One step with gradient memory; the loss it returns.
fn buffered<V: Value<Scalar = f32>, N: Layer<f32>, L: Loss<f32>, O: Optimizer<f32>>(
    engine: &mut Serial<'_, '_, N, L, V>,
    optimizer: &O,
    state: &mut State,
    data: &Data,
    reduction: Reduction,
) -> Result<f32, Error> {
    let mut gradient = vec![f32::NAN; state.parameters.len()];
    let mut losses = vec![f32::NAN; data.truth.len()];
    let features = &RowMajor::new(&data.features, 36)?;
    let batch = Batch { features, targets: data.targets(), reduction, losses: &mut losses };
    train_step(engine, optimizer, state.model(), &mut gradient, batch)
}

/// One step without.
fn in_place<N: Layer<f32>, L: Loss<f32>, O: Optimizer<f32>>(
    engine: &mut Serial<'_, '_, N, L, f32>,
    optimizer: &O,
    state: &mut State,
    data: &Data,
    reduction: Reduction,
) -> Result<f32, Error> {
    let mut losses = [f32::NAN];
    let features = &RowMajor::new(&data.features, 36)?;
    let batch = Batch { features, targets: data.targets(), reduction, losses: &mut losses };
    train_one(engine.network, &mut engine.work, optimizer, state.model(), batch)
}

// ---------------------------------------------------------------------------------------- buffer and optimizer as sink

/// Fifty steps on single samples, both ways.
fn both_sinks<N: Layer<f32>, O: Optimizer<f32>>(what: &str, layers: N, optimizer: O, reduction: Reduction) -> Outcome {
    let network = network(layers)?;
    let data = Data::draw(50, 1)?;
    let start = State::new::<N, O>(&layers, 2);
    let (mut with, mut without) = (start.clone(), start.clone());
    serial::<f32, _, _, Outcome>((), &network, |engine| {
        for i in 0..50 {
            let one = data.part(i, 1);
            let a = buffered(engine, &optimizer, &mut with, &one, reduction);
            let b = in_place(engine, &optimizer, &mut without, &one, reduction);
            assert_eq!(a, b, "{what}: loss of step {i}");
            // A sample without a label moves nothing.
            assert_eq!(a == Err(Error::Empty), one.truth[0].is_none() && reduction != Reduction::Sum, "{what}: {a:?}");
            assert_eq!(with.bits(), without.bits(), "{what}: step {i}");
        }
        Ok(())
    })?;
    let moved = with.parameters.iter().zip(&start.parameters).filter(|(a, b)| a != b).count();
    assert!(moved * 10 > 9 * start.parameters.len(), "{what}: only {moved} parameters moved");
    Ok(())
}

fn every_optimizer_with<N: Layer<f32>>(what: &str, layers: N) -> Outcome {
    let name = |optimizer: &str| format!("{what}, {optimizer}");
    let (sgd, momentum, adam) = (Sgd::new(0.1)?, Momentum::new(0.05, 0.9)?, Adam::new(0.01)?);
    let mean = Reduction::MeanByWeight;
    both_sinks(&name("SGD"), layers, sgd, mean)?;
    both_sinks(&name("SGD of a sum"), layers, sgd, Reduction::Sum)?;
    both_sinks(&name("momentum"), layers, momentum, mean)?;
    both_sinks(&name("Adam"), layers, adam, Reduction::MeanByCount)?;
    both_sinks(&name("SGD with L2"), layers, L2::new(sgd, 0.01)?, mean)?;
    both_sinks(&name("momentum with L2"), layers, L2::new(momentum, 0.01)?, mean)?;
    both_sinks(&name("Adam with decoupled decay"), layers, DecoupledDecay::new(adam, 0.01)?, mean)?;
    both_sinks(&name("momentum with both"), layers, DecoupledDecay::new(L2::new(momentum, 0.1)?, 0.01)?, mean)
}

#[test]
fn a_buffer_and_the_optimizer_as_sink_give_the_same_bits() -> Outcome {
    every_optimizer_with("dense", linear())?;
    every_optimizer_with("dense, relu, dense", hidden())?;
    every_optimizer_with("convolution, relu, max-pool, dense", image())
}

// --------------------------------------------------------------------------------------------------------------- lanes

/// Steps over batches of every size, with whole groups and with parts of them.
fn trained_in<V: Value<Scalar = f32>, N: Layer<f32>, O: Optimizer<f32>>(
    t: V::Token,
    layers: N,
    optimizer: O,
) -> Result<(State, Vec<f32>), Error> {
    let network = network(layers)?;
    let data = Data::draw(83, 3)?;
    let mut state = State::new::<N, O>(&layers, 4);
    let mut losses = vec![];
    serial::<V, _, _, Result<(), Error>>(t, &network, |engine| {
        let mut first = 0;
        for n in [1, 5, 16, 17, 40, 1, 40, 16, 5, 17, 32, 2] {
            let batch = data.part(first, n);
            losses.push(buffered(engine, &optimizer, &mut state, &batch, Reduction::MeanByWeight)?);
            first += n;
        }
        Ok(())
    })?;
    Ok((state, losses))
}

fn every_width<N: Layer<f32>, O: Optimizer<f32>>(what: &str, layers: N, optimizer: O) -> Outcome {
    let (expected, losses) = trained_in::<f32, N, O>((), layers, optimizer)?;
    let same = |(state, found): (State, Vec<f32>), lanes: usize| {
        assert_eq!(bits(&losses), bits(&found), "{what}: losses in {lanes} lanes");
        assert_eq!(expected.bits(), state.bits(), "{what}: the model in {lanes} lanes");
    };
    same(trained_in::<Array<f32, 2>, N, O>(Token::new(), layers, optimizer)?, 2);
    same(trained_in::<Array<f32, 4>, N, O>(Token::new(), layers, optimizer)?, 4);
    same(trained_in::<Array<f32, 16>, N, O>(Token::new(), layers, optimizer)?, 16);
    Ok(())
}

#[test]
fn lanes_of_any_width_give_the_same_bits() -> Outcome {
    every_width("dense", linear(), Sgd::new(0.1)?)?;
    every_width("dense, relu, dense", hidden(), Momentum::new(0.05, 0.9)?)?;
    every_width("convolution, relu, max-pool, dense", image(), DecoupledDecay::new(Adam::new(0.01)?, 0.1)?)
}

/// Lanes without a sample cannot refuse the sample that is there: here features of 0 would give logits too far apart.
#[test]
fn absent_lanes_refuse_nothing() -> Outcome {
    let network = Network::new(Dense::new(1, 2), Criterion::new(CrossEntropy::new(2)?))?;
    let (parameters, truth) = ([-3e38f32, 3e38, 3e38, -3e38], labels(&[Some(0)], 2)?);
    fn loss<V: Value<Scalar = f32>>(
        t: V::Token,
        network: &Network<'_, Dense, CrossEntropy, f32>,
        parameters: &[f32],
        truth: &[Option<Label>],
    ) -> Result<f32, Error> {
        let (mut losses, features) = ([f32::NAN], &RowMajor::new(&[1.0f32], 1)?);
        let targets = Targets::labels(truth);
        serial::<V, _, _, _>(t, network, |engine| {
            let evaluation = Evaluation { features, targets, losses: &mut losses, logits: &mut [] };
            eval_step(engine, parameters, evaluation)
        })?;
        Ok(losses[0])
    }
    assert_eq!(loss::<f32>((), &network, &parameters, &truth)?, core::f32::consts::LN_2);
    assert_eq!(loss::<Array<f32, 4>>(Token::new(), &network, &parameters, &truth)?, core::f32::consts::LN_2);
    Ok(())
}

// --------------------------------------------------------------------------------------------- what a step consists of

/// A step is: gradients of groups, added in group order, times 1 / Omega, and one move.
#[test]
fn a_step_adds_groups_in_order_and_moves_once() -> Outcome {
    let (layers, data, rate) = (hidden(), Data::draw(40, 5)?, 0.25);
    let network = network(layers)?;
    let mut state = State::new::<_, Sgd<f32>>(&layers, 6);
    let start = state.parameters.clone();
    let features = &RowMajor::new(&data.features, 36)?;
    let n = start.len();
    serial::<f32, _, _, Outcome>((), &network, |engine| {
        let mut total = vec![0.0f32; n];
        let mut losses = vec![0.0; 40];
        for (group, losses) in losses.chunks_mut(GROUP).enumerate() {
            let mut sum = vec![0.0; n];
            let (mut sink, targets) = (GroupGradient(&mut sum), data.targets());
            engine.network.gradient_of_group(
                (),
                &start,
                features,
                &targets,
                group,
                &mut engine.work,
                losses,
                &mut sink,
            )?;
            total.iter_mut().zip(&sum).for_each(|(total, sum)| *total += sum);
        }
        let mut gradient = vec![f32::NAN; n];
        let mut found = vec![f32::NAN; 40];
        let batch = Batch { features, targets: data.targets(), reduction: Reduction::MeanByWeight, losses: &mut found };
        let mean = train_step(engine, &Sgd::new(rate)?, state.model(), &mut gradient, batch)?;

        assert_eq!(bits(&found), bits(&losses));
        assert_eq!(bits(&gradient), bits(&total), "the gradient is the sum, not divided");
        let omega = network.criterion().omega(Reduction::MeanByWeight, &data.targets(), 40)?;
        let expected: Vec<f32> = start.iter().zip(&total).map(|(w, g)| w - rate * (g * (1.0 / omega))).collect();
        assert_eq!(bits(&state.parameters), bits(&expected));
        assert_eq!(state.steps, 1);

        // The loss it returns is the criterion's, of the logits before the move.
        let mut logits = vec![f32::NAN; 40 * CLASSES];
        let targets = data.targets();
        eval_step(engine, &start, Evaluation { features, targets, losses: &mut found, logits: &mut logits })?;
        let judged = reduce_in::<f32, _>((), network.criterion(), Reduction::MeanByWeight, &logits, &data.targets())?;
        assert_eq!(bits(&[mean]), bits(&judged.losses));
        Ok(())
    })
}

/// Half the steps, and the other half from what was kept: parameters, moments and the count.
#[test]
fn a_model_that_was_put_away_goes_on_as_if_it_had_not() -> Outcome {
    let (layers, data, adam) = (hidden(), Data::draw(64, 7)?, Adam::new(0.01)?);
    let network = network(layers)?;
    let run = |state: &mut State, from: usize, to: usize| {
        serial::<f32, _, _, Outcome>((), &network, |engine| {
            for i in from..to {
                buffered(engine, &adam, state, &data.part(8 * i, 8), Reduction::MeanByWeight)?;
            }
            Ok(())
        })
    };
    let mut whole = State::new::<_, Adam<f32>>(&layers, 8);
    let mut half = whole.clone();
    run(&mut whole, 0, 20)?;
    run(&mut half, 0, 10)?;
    let mut forgetful = State { steps: 0, ..half.clone() };
    let mut kept = half.clone();
    drop(half);
    run(&mut kept, 10, 20)?;
    run(&mut forgetful, 10, 20)?;
    assert_eq!(kept.bits(), whole.bits());
    assert_eq!(kept.steps, 20);
    assert_ne!(forgetful.bits().0, whole.bits().0, "the count of steps does not matter");
    Ok(())
}

/// Logits of `eval_step` are those of `forward`, its losses the criterion's; no parameter is touched.
#[test]
fn evaluation_gives_logits_and_losses() -> Outcome {
    fn in_lanes<V: Value<Scalar = f32>, N: Layer<f32>>(t: V::Token, layers: N) -> Outcome {
        let (network, data) = (network(layers)?, Data::draw(37, 9)?);
        let parameters = State::new::<N, Sgd<f32>>(&layers, 10).parameters;
        let features = &RowMajor::new(&data.features, 36)?;
        let (mut losses, mut logits) = (vec![f32::NAN; 37], vec![f32::NAN; 37 * CLASSES]);
        let mut expected = vec![f32::NAN; 37 * CLASSES];
        let mut tape = vec![f32::NAN; layers.shape().tape];
        for (x, y) in data.features.chunks(36).zip(expected.chunks_mut(CLASSES)) {
            layers.forward((), &parameters, x, &mut tape, y);
        }
        let judged = each_in::<f32, _>((), network.criterion(), &expected, &data.targets())?;
        serial::<V, _, _, Outcome>(t, &network, |engine| {
            let targets = data.targets();
            eval_step(engine, &parameters, Evaluation { features, targets, losses: &mut losses, logits: &mut logits })?;
            assert_eq!(bits(&logits), bits(&expected), "logits in {} lanes", V::WIDTH);
            assert_eq!(bits(&losses), bits(&judged.losses), "losses in {} lanes", V::WIDTH);
            // Logits that nobody wants need no memory.
            losses.fill(f32::NAN);
            eval_step(engine, &parameters, Evaluation { features, targets, losses: &mut losses, logits: &mut [] })?;
            assert_eq!(bits(&losses), bits(&judged.losses));
            Ok(())
        })
    }
    in_lanes::<f32, _>((), image())?;
    in_lanes::<Array<f32, 4>, _>(Token::new(), image())?;
    in_lanes::<Array<f32, 16>, _>(Token::new(), hidden())
}

// ----------------------------------------------------------------------------------------------------------- bad input

/// What a bad batch is, and the error it gets.
fn refused_batches() -> Result<Vec<(&'static str, Data, Error)>, Error> {
    let good = || Data::draw(40, 11);
    let features = |sample| Error::NotFinite { what: "the features", sample };
    let mut cases = vec![];
    for (what, bad) in [("NaN", f32::NAN), ("infinity", f32::INFINITY), ("-infinity", f32::NEG_INFINITY)] {
        let mut data = good()?;
        data.features[36 * 33 + 20] = bad;
        cases.push((what, data, features(33)));
    }
    // Of an ignored sample as well: 0 times NaN is NaN.
    let mut data = good()?;
    assert_eq!(data.truth[3], None);
    data.features[36 * 3] = f32::NAN;
    cases.push(("NaN in an ignored sample", data, features(3)));
    let mut data = good()?;
    data.truth.pop();
    cases.push(("a label too few", data, Error::Length { what: "the labels", expected: 40, found: 39 }));
    let mut data = good()?;
    data.truth[39] = Some(Label::new(3, 4)?);
    cases.push(("a label of others", data, Error::Length { what: "the classes of a label", expected: 3, found: 4 }));
    let mut data = good()?;
    data.weights[20] = -1.0;
    cases.push(("a negative weight", data, Error::Weight { what: "the sample weights", index: 20 }));
    let mut data = good()?;
    data.truth.fill(None);
    cases.push(("no label", data, Error::Empty));
    let mut data = good()?;
    data.weights.fill(0.0);
    cases.push(("no weight", data, Error::Empty));
    let mut data = good()?;
    data.weights.fill(1e-42);
    cases.push(("weights that vanish", data, Error::Setting { what: "the sum of the weights, a normal number" }));
    let mut data = good()?;
    data.weights.fill(3e38);
    cases.push(("weights that overflow", data, Error::Setting { what: "the sum of the weights, a normal number" }));
    Ok(cases)
}

/// A batch after some good ones, in the lanes of `V`: everything as before it.
fn leaves_alone<V: Value<Scalar = f32>>(t: V::Token) -> Outcome {
    let (layers, adam) = (image(), Adam::new(0.01)?);
    let network = network(layers)?;
    let good = Data::draw(40, 12)?;
    serial::<V, _, _, Outcome>(t, &network, |engine| {
        for (what, data, expected) in refused_batches()? {
            let mut state = State::new::<_, Adam<f32>>(&layers, 13);
            buffered(engine, &adam, &mut state, &good, Reduction::MeanByWeight)?;
            let before = state.bits();
            let losses = &mut vec![0.0; 40][..];
            let features = &RowMajor::new(&data.features, 36)?;
            let batch = Batch { features, targets: data.targets(), reduction: Reduction::MeanByWeight, losses };
            let mut gradient = vec![0.0; state.parameters.len()];
            let got = train_step(engine, &adam, state.model(), &mut gradient, batch);
            assert_eq!(got, Err(expected), "{what} in {} lanes", V::WIDTH);
            assert_eq!(state.bits(), before, "{what} in {} lanes", V::WIDTH);
            // And nothing is left behind that a good batch would see.
            let mut other = state.clone();
            let a = buffered(engine, &adam, &mut state, &good, Reduction::MeanByWeight)?;
            let b = serial::<f32, _, _, _>((), engine.network, |fresh| {
                buffered(fresh, &adam, &mut other, &good, Reduction::MeanByWeight)
            })?;
            assert_eq!((a, state.bits()), (b, other.bits()), "after {what}");
        }
        Ok(())
    })
}

#[test]
fn a_refused_batch_leaves_the_model_alone() -> Outcome {
    leaves_alone::<f32>(())?;
    leaves_alone::<Array<f32, 4>>(Token::new())
}

#[test]
fn a_refused_sample_leaves_the_model_alone() -> Outcome {
    let (layers, optimizer) = (hidden(), Momentum::new(0.1, 0.9)?);
    let network = network(layers)?;
    let good = Data::draw(1, 14)?;
    serial::<f32, _, _, Outcome>((), &network, |engine| {
        for (what, data, expected) in refused_batches()? {
            // The sample that is bad; none where the batch is.
            let sample = match expected {
                Error::NotFinite { sample, .. } => sample,
                Error::Weight { index, .. } => index,
                Error::Length { what: "the classes of a label", .. } => 39,
                _ => 0,
            };
            let one = data.part(sample, 1);
            let expected = match expected {
                // An ignored sample alone is nothing to average, which is seen first.
                Error::NotFinite { sample: 3, .. } => Error::Empty,
                Error::NotFinite { what, .. } => Error::NotFinite { what, sample: 0 },
                Error::Weight { what, .. } => Error::Weight { what, index: 0 },
                Error::Length { what: "the labels", .. } => continue,
                Error::Setting { .. } if one.weights[0] > 1.0 => continue, // alone it does not overflow
                other => other,
            };
            let mut state = State::new::<_, Momentum<f32>>(&layers, 15);
            in_place(engine, &optimizer, &mut state, &good, Reduction::MeanByWeight)?;
            let before = state.bits();
            let got = in_place(engine, &optimizer, &mut state, &one, Reduction::MeanByWeight);
            assert_eq!(got, Err(expected), "{what}");
            assert_eq!(state.bits(), before, "{what}");
        }
        Ok(())
    })
}

/// Parameters that have run away: the logits are refused before they reach a gradient.
#[test]
fn logits_that_overflow_leave_the_model_alone() -> Outcome {
    fn check<V: Value<Scalar = f32>>(t: V::Token, huge: f32) -> Outcome {
        let (layers, momentum) = (hidden(), Momentum::new(0.1, 0.9)?);
        let network = network(layers)?;
        let data = Data::draw(20, 16)?;
        let mut state = State::new::<_, Momentum<f32>>(&layers, 17);
        state.parameters.iter_mut().for_each(|w| *w = w.signum() * huge);
        state.moments.fill(0.5);
        state.steps = 7;
        let before = state.bits();
        let got = serial::<V, _, _, _>(t, &network, |engine| {
            buffered(engine, &momentum, &mut state, &data, Reduction::MeanByWeight)
        });
        assert!(matches!(got, Err(Error::NotFinite { what: "the logits", .. } | Error::Spread { .. })), "{got:?}");
        assert_eq!(state.bits(), before);
        let one = data.part(0, 1);
        let got = serial::<f32, _, _, _>((), &network, |engine| {
            in_place(engine, &momentum, &mut state, &one, Reduction::MeanByWeight)
        });
        assert!(matches!(got, Err(Error::NotFinite { what: "the logits", .. } | Error::Spread { .. })), "{got:?}");
        assert_eq!(state.bits(), before);
        Ok(())
    }
    for huge in [1e20, 3e38, f32::INFINITY, f32::NAN] {
        check::<f32>((), huge)?;
        check::<Array<f32, 16>>(Token::new(), huge)?;
    }
    Ok(())
}

/// One NaN in a first layer must come through relu and pool to the logits: a comparison would turn it into 0.
#[test]
fn a_poisoned_parameter_is_seen_behind_relu_and_pool() -> Outcome {
    fn check<N: Layer<f32>>(layers: N, spoilt: f32) -> Outcome {
        let network = network(layers)?;
        let data = Data::draw(1, 25)?;
        for parameter in [0, 1] {
            let mut state = State::new::<N, Sgd<f32>>(&layers, 26);
            state.parameters[parameter] = spoilt;
            let before = state.bits();
            let got = serial::<f32, _, _, _>((), &network, |engine| {
                buffered(engine, &Sgd::new(0.1)?, &mut state, &data, Reduction::MeanByWeight)
            });
            assert_eq!(got, Err(Error::NotFinite { what: "the logits", sample: 0 }), "{spoilt}");
            assert_eq!(state.bits(), before);
        }
        Ok(())
    }
    check(hidden(), f32::NAN)?;
    check(image(), f32::NAN)?;
    // An infinite weight makes sums infinite of one sign; the pool could pick the other.
    check(image(), f32::NEG_INFINITY)
}

/// Finite logits, and a sum over samples that is not: the step is refused, not the model spoilt.
#[test]
fn a_gradient_that_overflows_leaves_the_model_alone() -> Outcome {
    let layers = linear();
    let network = network(layers)?;
    let mut data = Data::draw(16, 18)?;
    data.truth = labels(&[Some(0); 16], CLASSES)?;
    data.features.fill(0.0);
    data.features.iter_mut().step_by(36).for_each(|x| *x = 3e38);
    let mut state = State::new::<_, Adam<f32>>(&layers, 19);
    state.parameters.fill(0.0);
    let before = state.bits();
    let got = serial::<f32, _, _, _>((), &network, |engine| {
        buffered(engine, &Adam::new(0.1)?, &mut state, &data, Reduction::Sum)
    });
    assert_eq!(got, Err(Error::NotFinite { what: "the gradients", sample: 0 }));
    assert_eq!(state.bits(), before);
    Ok(())
}

// ---------------------------------------------------------------------------------------------------- first parameters

fn initialised<N: Layer<f32>>(layers: &N, seed: u64) -> Vec<f32> {
    let mut parameters = vec![f32::NAN; layers.shape().parameters];
    layers.initialise(&mut parameters, &mut Random::new(seed));
    parameters
}

/// Uniform in `[-b, b)` with `b = 1 / sqrt(fan_in)`: range, mean, variance and neighbours, within 5 standard errors.
fn looks_uniform(what: &str, w: &[f32], fan_in: usize) {
    let bound = 1.0 / (fan_in as f64).sqrt();
    let n = w.len() as f64;
    // As multiples of the bound, with the rounding of its f32.
    let u: Vec<f64> = w.iter().map(|&w| f64::from(w) / bound).collect();
    let most = u.iter().fold(0.0, |most: f64, u| u.abs().max(most));
    assert!(most <= 1.0 + 1e-6, "{what}: {most} bounds");
    assert!(most > 1.0 - 10.0 / n, "{what}: at most {most} bounds are reached");
    let mean = u.iter().sum::<f64>() / n;
    assert!(mean.abs() <= 5.0 / (3.0 * n).sqrt(), "{what}: mean {mean}");
    // u^2 has the mean 1/3 and the variance 4/45.
    let variance = u.iter().map(|u| u * u).sum::<f64>() / n;
    assert!((variance - 1.0 / 3.0).abs() <= 5.0 * (4.0 / 45.0 / n).sqrt(), "{what}: variance {variance}");
    // Products of independent neighbours have the mean 0 and the variance 1/9.
    let lag = u.windows(2).map(|w| w[0] * w[1]).sum::<f64>() / (n - 1.0);
    assert!(lag.abs() <= 5.0 / (9.0 * (n - 1.0)).sqrt(), "{what}: neighbours {lag}");
}

#[test]
fn first_parameters_are_uniform_in_the_bounds_of_their_layer() {
    for seed in 0..8 {
        looks_uniform("dense", &initialised(&Dense::new(50, 90), seed), 50);
        let conv = Conv2d { channels: 6, height: 14, width: 14, outputs: 16, kernel: 5 };
        let w = initialised(&conv, seed);
        looks_uniform("convolution", &w, 6 * 25);
        // Biases too, whose bound is that of their weights; 16 of them say little more.
        let biases = &w[16 * 6 * 25..];
        assert!(biases.iter().any(|&b| b > 0.0) && biases.iter().any(|&b| b < 0.0));
        let net = Layer::<f32>::then(Layer::<f32>::relu(Dense::new(400, 20)), Dense::new(20, 200));
        let w = initialised(&net, seed);
        looks_uniform("first of two", &w[..401 * 20], 400);
        looks_uniform("second of two", &w[401 * 20..], 20);
    }
    assert_ne!(initialised(&linear(), 0), initialised(&linear(), 1));
    assert!(initialised(&MaxPool::new(1, 4, 4), 0).is_empty());
}

/// Layers draw one after the other from one stream; a relu draws nothing; `f64` sees the same draws.
#[test]
fn compositions_draw_in_the_order_of_their_parameters() {
    let mut random = Random::new(20);
    let mut expected = vec![0.0f32; Layer::<f32>::shape(&image()).parameters];
    let (conv, dense) = expected.split_at_mut(2 * 9 + 2);
    Layer::<f32>::initialise(&Conv2d { channels: 1, height: 6, width: 6, outputs: 2, kernel: 3 }, conv, &mut random);
    Layer::<f32>::initialise(&Dense::new(8, CLASSES), dense, &mut random);
    assert_eq!(bits(&initialised(&image(), 20)), bits(&expected));

    let mut wide = vec![0.0f64; 37 * CLASSES];
    linear().initialise(&mut wide, &mut Random::new(21));
    let narrow = initialised(&linear(), 21);
    assert!(wide.iter().zip(&narrow).all(|(wide, &narrow)| (wide - f64::from(narrow)).abs() <= 1e-7));
}

/// Fowler, Noll and Vo's hash (FNV-1a, 64 bits) of the bits of numbers, lowest byte first.
fn hash(numbers: &[f32]) -> u64 {
    numbers
        .iter()
        .flat_map(|x| x.to_bits().to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The bits of first parameters and of a short training are the same on every machine, and change only on purpose.
#[test]
fn bits_are_pinned() -> Outcome {
    let found = [hash(&initialised(&linear(), 1)), hash(&initialised(&hidden(), 2)), hash(&initialised(&image(), 3))];
    assert_eq!(found, INITIAL, "first parameters: {found:#018x?}");
    let (sgd, _) = trained_in::<f32, _, _>((), hidden(), Sgd::new(0.1)?)?;
    let (adam, _) = trained_in::<f32, _, _>((), image(), Adam::new(0.01)?)?;
    let found = [hash(&sgd.parameters), hash(&adam.parameters), hash(&adam.moments)];
    assert_eq!(found, TRAINED, "after twelve steps: {found:#018x?}");
    Ok(())
}

/// Also computed in Python from the definition of the stream.
const INITIAL: [u64; 3] = [0x7662_3893_7a7f_2658, 0xec5e_2859_9102_c8b7, 0x2bb1_e6e2_003e_d528];

/// The same in debug and release.
const TRAINED: [u64; 3] = [0xddb5_7ff5_9649_aef2, 0xed9e_cf2a_46d1_b7ed, 0xed44_2f7e_e0d6_85bf];

// ------------------------------------------------------------------------------------------------------------ learning

/// Steps over all samples at once until none is misjudged; how many it took, if no more than `limit`.
fn learn<N: Layer<f32>, L: Loss<f32>>(
    layers: N,
    loss: L,
    features: &[f32],
    truth: &[usize],
    rate: f32,
    limit: usize,
) -> Result<Option<usize>, Error> {
    let network = Network::new(layers, Criterion::new(loss))?;
    let classes = layers.shape().outputs;
    let truth: Vec<Option<usize>> = truth.iter().map(|&y| Some(y)).collect();
    let truth = labels(&truth, classes)?;
    let features = &RowMajor::new(features, layers.shape().inputs)?;
    let (n, adam) = (truth.len(), Adam::new(rate)?);
    let mut state = State::new::<N, Adam<f32>>(&layers, 22);
    let (mut gradient, mut losses) = (vec![0.0; state.parameters.len()], vec![0.0; n]);
    let mut logits = vec![0.0; n * classes];
    serial::<f32, _, _, _>((), &network, |engine| {
        for step in 0..limit {
            let targets = Targets::labels(&truth);
            let evaluation = Evaluation { features, targets, losses: &mut losses, logits: &mut logits };
            eval_step(engine, &state.parameters, evaluation)?;
            let right = logits
                .chunks(classes)
                .zip(&truth)
                .filter(|(row, y)| y.is_some_and(|y| (0..classes).all(|k| k == y.index() || row[k] < row[y.index()])));
            if right.count() == n {
                return Ok(Some(step));
            }
            let batch = Batch { features, targets, reduction: Reduction::MeanByWeight, losses: &mut losses };
            train_step(engine, &adam, state.model(), &mut gradient, batch)?;
        }
        Ok(None)
    })
}

/// Twenty samples around each of three points, which a line parts.
#[test]
fn a_linear_head_learns_three_clusters() -> Outcome {
    let mut random = Random::new(23);
    let centres = [[0.0f32, 2.0], [2.0, -1.0], [-2.0, -1.0]];
    let truth: Vec<usize> = (0..60).map(|i| i % 3).collect();
    let features: Vec<f32> =
        truth.iter().flat_map(|&y| centres[y].map(|x| x + 0.8 * (random.unit::<f32>() - 0.5))).collect();
    let cross_entropy = learn(Dense::new(2, 3), CrossEntropy::new(3)?, &features, &truth, 0.1, 100)?;
    assert!(cross_entropy.is_some_and(|steps| steps > 0), "{cross_entropy:?}");
    for r in [0.0, 0.5, 0.8] {
        let simloss =
            learn(Dense::new(2, 3), SimLoss::new(ClassOrder::<f32, 3>::new(r)?), &features, &truth, 0.1, 300)?;
        assert!(simloss.is_some_and(|steps| steps > 0), "r = {r}: {simloss:?}");
        assert!(r > 0.0 || simloss == cross_entropy, "r = 0 is cross entropy");
    }
    Ok(())
}

/// Exclusive or: no line parts it.
#[test]
fn a_hidden_layer_learns_exclusive_or() -> Outcome {
    let (features, truth) = ([-1.0f32, -1.0, -1.0, 1.0, 1.0, -1.0, 1.0, 1.0], [0, 1, 1, 0]);
    let net = Layer::<f32>::then(Layer::<f32>::relu(Dense::new(2, 16)), Dense::new(16, 2));
    let steps = learn(net, CrossEntropy::new(2)?, &features, &truth, 0.05, 400)?;
    assert!(steps.is_some_and(|steps| steps > 0), "{steps:?}");
    assert_eq!(learn(Dense::new(2, 2), CrossEntropy::new(2)?, &features, &truth, 0.05, 400)?, None);
    Ok(())
}

/// Horizontal, vertical and diagonal strokes anywhere in a small image.
#[test]
fn a_convolution_learns_strokes() -> Outcome {
    let mut random = Random::new(24);
    let truth: Vec<usize> = (0..48).map(|i| i % 3).collect();
    let mut features = vec![];
    for &y in &truth {
        let mut image: Vec<f32> = uniform(&mut random, 36, 0.2);
        let (row, column) = (random.below(4), random.below(4)); // a stroke of 3 fits
        for k in 0..3 {
            let (i, j) = [(row, column + k), (row + k, column), (row + k, column + k)][y];
            image[6 * i + j] += 1.0;
        }
        features.extend(image);
    }
    let steps = learn(image_of(6), SimLoss::new(ClassOrder::<f32, 3>::new(0.3)?), &features, &truth, 0.02, 600)?;
    assert!(steps.is_some_and(|steps| steps > 0), "{steps:?}");
    Ok(())
}
