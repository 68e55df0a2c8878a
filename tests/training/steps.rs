//! Steps: buffers and the optimizer as sinks, lanes, groups, evaluation.

use super::{CLASSES, Data, buffered, hidden, image, in_place, linear, network, serial};
use simloss_core::{
    Error, Label,
    gradient::GroupGradient,
    layers::{Dense, Layer},
    loss::{Criterion, CrossEntropy, Reduction, Targets},
    number::Value,
    optimizer::{Adam, DecoupledDecay, L2, Momentum, Optimizer, Sgd},
    train::{Batch, Evaluation, GROUP, Network, RowMajor, eval_step, train_step},
};
use simloss_tests::{
    Outcome, State, bits, each_in, labels,
    lanes::{Array, Token},
    reduce_in,
};

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
fn both_gradient_sinks_give_the_same_bits() -> Outcome {
    every_optimizer_with("dense", linear())?;
    every_optimizer_with("dense, relu, dense", hidden())?;
    every_optimizer_with("convolution, relu, max-pool, dense", image())
}

// --------------------------------------------------------------------------------------------------------------- lanes

/// Steps over batches of every size, with whole groups and with parts of them.
pub(super) fn trained_in<V: Value<Scalar = f32>, N: Layer<f32>, O: Optimizer<f32>>(
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
fn absent_lanes_cause_no_error() -> Outcome {
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
fn a_step_adds_groups_in_order_and_updates_once() -> Outcome {
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
        let evaluated =
            reduce_in::<f32, _>((), network.criterion(), Reduction::MeanByWeight, &logits, &data.targets())?;
        assert_eq!(bits(&[mean]), bits(&evaluated.losses));
        Ok(())
    })
}

/// Half the steps, and the other half from what was kept: parameters, moments and the count.
#[test]
fn a_restored_model_continues_identically() -> Outcome {
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
        let evaluated = each_in::<f32, _>((), network.criterion(), &expected, &data.targets())?;
        serial::<V, _, _, Outcome>(t, &network, |engine| {
            let targets = data.targets();
            eval_step(engine, &parameters, Evaluation { features, targets, losses: &mut losses, logits: &mut logits })?;
            assert_eq!(bits(&logits), bits(&expected), "logits in {} lanes", V::WIDTH);
            assert_eq!(bits(&losses), bits(&evaluated.losses), "losses in {} lanes", V::WIDTH);
            // Logits that nobody wants need no memory.
            losses.fill(f32::NAN);
            eval_step(engine, &parameters, Evaluation { features, targets, losses: &mut losses, logits: &mut [] })?;
            assert_eq!(bits(&losses), bits(&evaluated.losses));
            Ok(())
        })
    }
    in_lanes::<f32, _>((), image())?;
    in_lanes::<Array<f32, 4>, _>(Token::new(), image())?;
    in_lanes::<Array<f32, 16>, _>(Token::new(), hidden())
}
