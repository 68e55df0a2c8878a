//! Training steps: the same bits with and without gradient memory and in any lanes, a model that bad input leaves
//! alone, initial weights, and networks that learn.

mod bad_input;
mod initial;
mod learning;
mod steps;

use simloss_core::{
    Error, Label, Random,
    layers::{Chain, Conv2d, Dense, Layer, MaxPool, Relu},
    loss::{Criterion, Loss, Reduction, SimLoss, Targets, Truth},
    number::Value,
    optimizer::Optimizer,
    similarity::ClassOrder,
    train::{Batch, Network, RowMajor, Serial, Work, train_one, train_step},
};
use simloss_tests::{State, labels, uniform};

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
