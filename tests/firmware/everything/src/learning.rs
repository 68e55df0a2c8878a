//! Layers, gradient sinks, optimizers, training.

use crate::{
    Memory, Outcome,
    judging::{reduction, targets},
    label, number, numbers, size,
};
use core::hint::black_box;
use simloss_core::{
    Error, Random,
    device::{Accumulator, Budget, Drawn, Keep, Replay, SlicedStep, guarded_round},
    gradient::{GradientSink, GroupGradient, commit},
    layers::{Activations, Chain, Conv2d, Dense, Layer, MaxPool, Place, Relu, Sliced},
    loss::{Criterion, CrossEntropy, Loss, SimLoss},
    optimizer::{Adam, Clip, DecoupledDecay, FactoryDecay, InPlace, L2, Momentum, Optimizer, Sgd, apply},
    similarity::{ClassOrder, SparseSimilarity},
    train::{
        Batch, Engine, Evaluation, Features, Model, Network, RowMajor, Serial, Work, eval_step, mean_loss, train_one,
        train_step,
    },
};

pub static ENTRIES: &[fn() -> super::Outcome] =
    &[dense, conv2d, max_pool, relu, chain, sinks, plain, momentum, adam, decay, fixed, convolutional, replay, budget];

fn any_dense() -> Dense {
    Dense::new(size(), size())
}

fn any_conv2d() -> Conv2d {
    Conv2d { channels: size(), height: size(), width: size(), outputs: size(), kernel: size() }
}

fn any_layer<L: Layer<f32>>(layer: L) -> Outcome {
    let [mut w, mut x, mut tape, mut y, mut dy, mut dtape, mut dx, mut s] = [(); 8].map(|()| numbers());
    Layer::check(&layer)?;
    black_box((Layer::shape(&layer), Layer::gradient_scratch::<f32>(&layer)));
    Layer::initialise(&layer, w.part(), &mut Random::new(1));
    Layer::forward(&layer, (), w.part(), x.part(), tape.part(), y.part());
    let activations = Activations { x: x.part(), tape: tape.part(), y: y.part() };
    Layer::backward(&layer, (), w.part(), activations, dy.part(), dtape.part(), Some(dx.part()), s.part());
    Layer::backward(&layer, (), w.part(), activations, dy.part(), dtape.part(), None, s.part());
    black_box(Layer::gradient_square(&layer, activations, dy.part(), dtape.part()));
    let (mut gradient, place) = (numbers(), Place { first_parameter: size(), present: size(), scratch: s.part() });
    let mut sink = GroupGradient(gradient.part());
    Layer::parameter_gradient(&layer, (), activations, dy.part(), dtape.part(), place, &mut sink);
    gradient.done();
    w.done();
    dx.done();
    Ok(())
}

fn any_sliced<L: Sliced<f32>>(layer: L) -> Outcome {
    let [mut w, mut x, mut tape, mut y, mut dy, mut dtape, mut dx, mut gradient] = [(); 8].map(|()| numbers());
    black_box(Sliced::slices(&layer, black_box(true)));
    Sliced::forward_slice(&layer, size(), w.part(), x.part(), tape.part(), y.part());
    let activations = Activations { x: x.part(), tape: tape.part(), y: y.part() };
    Sliced::backward_slice(&layer, size(), w.part(), activations, dy.part(), dtape.part(), Some(dx.part()));
    let mut sink = GroupGradient(gradient.part());
    Sliced::parameter_slice(&layer, size(), activations, dy.part(), dtape.part(), size(), &mut sink);
    gradient.done();
    dx.done();
    any_layer(layer)
}

fn dense() -> Outcome {
    let (dense, mut w) = (any_dense(), numbers());
    black_box(Dense::dense_shape(&dense));
    black_box(Dense::weights::<f32, 2, 3>(&dense, w.part())?);
    black_box(Dense::biases::<f32, 2, 3>(&dense, w.part())?);
    any_sliced(dense)?;
    any_sliced(black_box(Dense::new(8, 3)))
}

fn conv2d() -> Outcome {
    any_layer(any_conv2d())
}

fn max_pool() -> Outcome {
    let pool = MaxPool::new(size(), size(), size());
    black_box(MaxPool::size(&pool));
    any_layer(pool)
}

fn relu() -> Outcome {
    any_layer(Layer::<f32>::relu(any_conv2d()))?;
    let relu: Relu<Dense> = Layer::<f32>::relu(any_dense());
    black_box(Relu::layer(&relu));
    any_sliced(relu)
}

fn chain() -> Outcome {
    let pooled = Layer::<f32>::then(any_conv2d(), MaxPool::new(size(), size(), size()));
    any_layer(Layer::<f32>::then(pooled, any_dense()))?;
    let chain: Chain<Relu<Dense>, Dense> = Layer::<f32>::then(Layer::<f32>::relu(any_dense()), any_dense());
    black_box((Chain::first(&chain), Chain::second(&chain)));
    any_sliced(chain)
}

fn any_sink(sink: &mut impl GradientSink<f32>) {
    let (mut a, mut b) = (numbers(), numbers());
    GradientSink::add(sink, size(), a.part());
    GradientSink::add_products::<f32>(sink, (), size(), a.part(), b.part(), size());
    GradientSink::add_lanes::<f32>(sink, (), size(), a.part(), size());
}

fn sinks() -> Outcome {
    let (mut group, mut total) = (numbers(), numbers());
    any_sink(&mut GroupGradient(group.part()));
    commit::<f32>((), group.part(), total.part());
    total.done();
    Ok(())
}

fn any_optimizer<O: Optimizer<f32>>(optimizer: O) -> Outcome {
    let [mut w, mut g, mut m] = [(); 3].map(|()| numbers());
    let optimizer = black_box(Optimizer::with_rate(optimizer, number())?);
    black_box((Optimizer::rate(&optimizer), Optimizer::max_norm(&optimizer), Optimizer::fits(&optimizer, size())?));
    let step = Optimizer::begin(&optimizer, size() as u64);
    let mut moments = black_box([0.5f32; 2]);
    black_box(<O as Optimizer<f32>>::update((), &step, number(), number(), &mut moments));
    <O as Optimizer<f32>>::pull(&step, size(), w.part());
    apply::<f32, O>((), &step, number(), g.part(), w.part(), m.part())?;
    any_sink(&mut InPlace::<f32, O> { step, scale: number(), parameters: w.part(), moments: m.part() });
    w.done();
    m.done();
    Ok(())
}

/// Everything that a network does in training, with one optimizer.
fn any_training<N: Layer<f32>, L: Loss<f32>, O: Optimizer<f32>, F: Features<f32> + Sync>(
    layers: N,
    loss: L,
    optimizer: O,
    features: &F,
) -> Outcome {
    any_optimizer(optimizer)?;
    let network = Network::new(layers, Criterion::new(loss))?;
    black_box((Network::parameters(&network), Network::layers(&network).shape()));
    black_box(Network::criterion(&network).loss().classes());
    black_box(Network::scratch::<f32>(&network, black_box(true), black_box(false)));
    let [mut w, mut m, mut g, mut total, mut s, mut v, mut losses, mut logits] = [(); 8].map(|()| numbers());
    let (mut labels, mut weights, mut steps) = (Memory::<_, 8>::of(Some(label()?)), numbers(), 1);
    let truth = targets(labels.part(), weights.part());

    let mut work = Work { scalars: s.part(), values: v.part() };
    let mut sink = GroupGradient(g.part());
    let (group, l, z) = (size(), losses.part(), logits.part());
    Network::gradient_of_group(&network, (), w.part(), features, &truth, group, &mut work, l, &mut sink)?;
    Network::losses_of_group(&network, (), w.part(), features, &truth, group, &mut work, l, z)?;
    let batch = Batch { features, targets: truth, reduction: reduction(), losses: losses.part() };
    black_box(Network::omega(&network, w.part(), &batch)?);
    let evaluation = Evaluation { features, targets: truth, losses: losses.part(), logits: logits.part() };
    Network::check_evaluation(&network, w.part(), &evaluation)?;

    let model = Model { parameters: w.part(), moments: m.part(), steps: &mut steps };
    let batch = Batch { features, targets: truth, reduction: reduction(), losses: losses.part() };
    black_box(train_one(&network, &mut work, &optimizer, model, batch)?);

    let mut model = Model { parameters: w.part(), moments: m.part(), steps: &mut steps };
    black_box(Model::reborrow(&mut model).steps);
    let mut sum = Accumulator::new(g.part(), reduction());
    black_box(Accumulator::add(&mut sum, &network, &mut work, w.part(), features, &truth)?);
    black_box(Accumulator::samples(&sum));
    let model = Model { parameters: w.part(), moments: m.part(), steps: &mut steps };
    black_box(Accumulator::apply(&mut sum, &optimizer, model)?);
    Accumulator::clear(&mut sum);

    let mut engine = Serial { token: (), network: &network, work, group: g.part() };
    let batch = Batch { features, targets: truth, reduction: reduction(), losses: losses.part() };
    black_box(Engine::check(&engine, w.part(), &batch)?);
    Engine::gradient(&mut engine, w.part(), features, &truth, losses.part(), total.part())?;
    let evaluation = Evaluation { features, targets: truth, losses: losses.part(), logits: logits.part() };
    Engine::losses(&mut engine, w.part(), evaluation)?;
    let step = optimizer.begin(1);
    Engine::apply::<O>(&mut engine, &step, number(), total.part(), w.part(), m.part())?;
    let model = Model { parameters: w.part(), moments: m.part(), steps: &mut steps };
    let batch = Batch { features, targets: truth, reduction: reduction(), losses: losses.part() };
    black_box(train_step(&mut engine, &optimizer, model, total.part(), batch)?);
    let evaluation = Evaluation { features, targets: truth, losses: losses.part(), logits: logits.part() };
    eval_step(&mut engine, w.part(), evaluation)?;
    let batch = Batch { features, targets: truth, reduction: reduction(), losses: losses.part() };
    black_box(mean_loss(&mut engine, w.part(), batch)?);

    let model = Model { parameters: w.part(), moments: m.part(), steps: &mut steps };
    let held_out = |_: &[f32]| Ok::<f32, Error>(number());
    black_box(guarded_round(model, total.part(), held_out, |_| Ok(()))?);
    w.done();
    m.done();
    Ok(())
}

/// The same in slices.
fn any_slices<N: Sliced<f32>, L: Loss<f32>, O: Optimizer<f32>>(layers: N, loss: L, optimizer: O) -> Outcome {
    let [mut w, mut m, mut s, mut v, mut losses, mut rows, mut weights] = [(); 7].map(|()| numbers());
    let (mut labels, mut steps) = (Memory::<_, 8>::of(Some(label()?)), 1);
    let network = Network::new(layers, Criterion::new(loss))?;
    let features = RowMajor::new(rows.part(), size())?;
    let mut step = SlicedStep::new(
        &network,
        Work { scalars: s.part(), values: v.part() },
        optimizer,
        Model { parameters: w.part(), moments: m.part(), steps: &mut steps },
        Batch {
            features: &features,
            targets: targets(labels.part(), weights.part()),
            reduction: reduction(),
            losses: losses.part(),
        },
    )?;
    black_box(SlicedStep::run(&mut step, size())?);
    w.done();
    m.done();
    Ok(())
}

fn any_features<F: Features<f32>>(features: &F) -> Outcome {
    let mut buffer = numbers();
    black_box((Features::samples(features), Features::width(features), Features::is_in_place(features)));
    black_box(Features::lanes::<f32>(features, (), size(), size(), buffer.part()));
    Ok(())
}

/// Layers of unknown size.
fn layers() -> Chain<Relu<Dense>, Dense> {
    Layer::<f32>::then(Layer::<f32>::relu(any_dense()), any_dense())
}

fn plain() -> Outcome {
    let mut rows = numbers();
    let features = RowMajor::new(rows.part(), size())?;
    any_features(&features)?;
    any_training(any_dense(), CrossEntropy::new(size())?, Sgd::new(number())?, &features)?;
    any_slices(any_dense(), CrossEntropy::new(size())?, Sgd::new(number())?)
}

fn momentum() -> Outcome {
    let (mut rows, mut factory) = (numbers(), numbers());
    let features = RowMajor::new(rows.part(), size())?;
    let optimizer = FactoryDecay::new(Momentum::new(number(), number())?, number(), factory.part())?;
    any_training(layers(), CrossEntropy::new(size())?, optimizer, &features)?;
    any_slices(layers(), CrossEntropy::new(size())?, optimizer)
}

fn adam() -> Outcome {
    let mut rows = numbers();
    let features = RowMajor::new(rows.part(), size())?;
    let adam = Adam::with_settings(number(), number(), number(), number())?;
    let loss = || Ok::<_, Error>(SimLoss::new(ClassOrder::<f32, 5>::new(number())?));
    any_training(layers(), loss()?, Adam::new(number())?, &features)?;
    any_training(layers(), loss()?, Clip::new(adam, number())?, &features)?;
    any_slices(layers(), loss()?, Clip::new(adam, number())?)
}

fn decay() -> Outcome {
    let mut rows = numbers();
    let features = RowMajor::new(rows.part(), size())?;
    let sparse = SparseSimilarity::<f32, 5, 2>::new()?;
    any_training(layers(), SimLoss::new(&sparse), L2::new(Sgd::new(number())?, number())?, &features)?;
    any_training(layers(), SimLoss::new(&sparse), DecoupledDecay::new(Adam::new(number())?, number())?, &features)
}

/// Layers whose sizes the compiler knows.
fn fixed() -> Outcome {
    let mut rows = numbers();
    let features = RowMajor::new(rows.part(), 8)?;
    let loss = || Ok::<_, Error>(SimLoss::new(ClassOrder::<f32, 5>::new(number())?));
    any_training(Dense::new(8, 5), loss()?, Sgd::new(number())?, &features)?;
    any_slices(Dense::new(8, 5), loss()?, Momentum::new(number(), number())?)
}

fn convolutional() -> Outcome {
    let mut rows = numbers();
    let features = RowMajor::new(rows.part(), size())?;
    let first = Layer::<f32>::relu(Layer::<f32>::then(any_conv2d(), MaxPool::new(size(), size(), size())));
    let layers = Layer::<f32>::then(first, any_dense());
    any_training(layers, CrossEntropy::new(size())?, Adam::new(number())?, &features)
}

fn replay() -> Outcome {
    let mut row = numbers();
    for keep in [Keep::Latest, Keep::Balanced, Keep::Reservoir(Random::new(1))] {
        let mut replay = Replay::<f32, 4, 6>::new(black_box(keep));
        black_box(Replay::offer(&mut replay, row.part(), label()?)?);
        black_box((Replay::len(&replay), Replay::is_empty(&replay), Replay::get(&replay, size())));
        any_features(&Replay::features(&replay)?)?;
        black_box(Replay::targets(&replay));
        let drawn: Drawn<'_, f32, 4, 3> = Replay::draw(&replay, &mut Random::new(1));
        any_features(&drawn)?;
        black_box(Drawn::targets(&drawn));
        for sample in Drawn::pairs(&drawn) {
            black_box(sample);
        }
        for one in Drawn::ones(&drawn) {
            black_box(one);
        }
        any_training(any_dense(), CrossEntropy::new(size())?, Sgd::new(number())?, &drawn)?;
    }
    Ok(())
}

fn budget() -> Outcome {
    let budget = black_box([Budget::new(any_dense().dense_shape()), Budget::dense(size(), size())]);
    for budget in budget {
        let budget = Budget::with_row_scratch(Budget::with_accumulation(Budget::with_moments(budget, size())), size());
        black_box([Budget::parameter_bytes(budget), Budget::bytes_beyond_parameters(budget), Budget::bytes(budget)]);
        black_box([Budget::with_groups(budget), Budget::with_soft_targets(budget, size())]);
        black_box(Budget::with_loss_values(budget, size()));
    }
    Ok(())
}
