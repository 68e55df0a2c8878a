//! Gradients against differences of the values they belong to: every loss and similarity, every layer, whole networks.
//!
//! A central difference with one step of Richardson's extrapolation, in `f64`: `(4 D(h/2) - D(h)) / 3` with
//! `D(h) = (f(x + h) - f(x - h)) / 2h` and `h = 2^-9`. It is wrong by `h^4 / 480`, that is 3e-14, times the fifth
//! derivative, and by about 1e-16 / h, that is 5e-14, times the value; [`TOLERANCE`] leaves room for the sums of a
//! network. A wrong sign, index or factor is wrong by a good part of the gradient.

use simloss_core::{
    Error, Random,
    gradient::GroupGradient,
    layers::{Conv2d, Dense, Layer, MaxPool},
    loss::{Criterion, CrossEntropy, Loss, PublishedSimLoss, Reduction, SimLoss, Targets, Truth},
    number::Value,
    similarity::{DenseTable, SparseSimilarity, Taxonomy},
    train::{Network, RowMajor, Work},
};
use simloss_tests::{AnySimilarity, Outcome, labels, passes, reduce_in, uniform};

const STEP: f64 = 1.0 / 512.0;
const TOLERANCE: f64 = 1e-11;

/// The derivative of `f` with respect to `x[k]`.
fn derivative(x: &[f64], k: usize, mut f: impl FnMut(&[f64]) -> Result<f64, Error>) -> Result<f64, Error> {
    let mut moved = x.to_vec();
    let mut at = |offset: f64| {
        moved[k] = x[k] + offset;
        f(&moved)
    };
    let mut difference = |h: f64| -> Result<f64, Error> { Ok((at(h)? - at(-h)?) / (2.0 * h)) };
    Ok((4.0 * difference(STEP / 2.0)? - difference(STEP)?) / 3.0)
}

/// Refuses a gradient that is not that of `f` at `x`.
fn close(what: &str, x: &[f64], gradient: &[f64], mut f: impl FnMut(&[f64]) -> Result<f64, Error>) -> Outcome {
    assert_eq!(x.len(), gradient.len(), "{what}");
    let value = f(x)?.abs();
    let largest = gradient.iter().fold(value, |most, g| g.abs().max(most));
    assert!(gradient.iter().any(|g| g.abs() > 1e-3 * largest), "{what}: a gradient of nothing proves nothing");
    for (k, g) in gradient.iter().enumerate() {
        let expected = derivative(x, k, &mut f)?;
        assert!((g - expected).abs() <= TOLERANCE * largest.max(1.0), "{what}: {g} for {expected} at {k}");
    }
    Ok(())
}

/// One of every kind of similarity over 8 classes.
fn similarities() -> Result<Vec<(&'static str, AnySimilarity<f64>)>, Error> {
    let mut random = Random::new(8);
    let any: Vec<f64> = (0..64).map(|at| if at % 9 == 0 { 1.0 } else { random.unit::<f64>() }).collect();
    let cosine: Vec<f64> = (0..64).map(|_| 2.0 * random.unit::<f64>() - 1.0).collect();
    let general = DenseTable::lower_bounded_in_memory(vec![0.0; 64], 8, |i, j| cosine[8 * i + j], 0.25)?;
    // Two trees under a root, one of them a level deeper.
    let parents = vec![8, 8, 9, 9, 9, 10, 10, 11, 11, 11, 12, 12, 12];
    let tree = Taxonomy::new(parents, vec![1.0, 0.75, 0.5, 0.125], 8)?;
    let mut sparse = SparseSimilarity::new()?;
    for (y, c, s) in [(0, 7, 0.9), (0, 3, 0.01), (2, 1, 0.5), (5, 6, 1.0), (6, 5, 0.25)] {
        let class = |k| simloss_core::Label::new(k, 8);
        sparse.insert(class(y)?, class(c)?, s)?;
    }
    Ok(vec![
        ("identity", AnySimilarity::Identity(simloss_core::similarity::Identity::new(8)?)),
        ("order", AnySimilarity::order(8, 0.8)?),
        ("circular order", AnySimilarity::circular(8, 0.3)?),
        ("dense", AnySimilarity::dense(8, &any)?),
        ("general", AnySimilarity::Dense(general)),
        ("superclass", AnySimilarity::superclass(&[0, 1, 1, 2, 2, 2, 0, 0], 0.5, 0.0)?),
        ("taxonomy", AnySimilarity::Taxonomy(tree)),
        ("sparse", AnySimilarity::Sparse(sparse)),
    ])
}

/// One sample, for each true class.
fn loss_of_a_sample(what: &str, loss: &impl Loss<f64>) -> Outcome {
    let mut random = Random::new(1);
    for y in 0..8 {
        let z: Vec<f64> = uniform(&mut random, 8, 3.0);
        let label = simloss_core::Label::new(y, 8)?;
        let (mut scratch, mut gradient) = ([0.0; 8], [0.0; 8]);
        loss.gradient_of_slice(&z, label, &mut scratch, &mut gradient)?;
        close(&format!("{what}, class {y}"), &z, &gradient, |z| {
            loss.value_of_slice(z, label, &mut [0.0; 8], &mut [0.0; 8])
        })?;
    }
    Ok(())
}

#[test]
fn of_a_sample() -> Outcome {
    loss_of_a_sample("cross entropy", &CrossEntropy::new(8)?)?;
    for (what, similarity) in similarities()? {
        loss_of_a_sample(what, &SimLoss::new(&similarity))?;
        loss_of_a_sample(&format!("{what}, published form"), &PublishedSimLoss::new(&similarity))?;
    }
    Ok(())
}

/// The second form of the loss, where no probability is near the true class.
#[test]
fn of_a_sample_far_from_its_class() -> Outcome {
    let loss = SimLoss::new(AnySimilarity::superclass(&[0, 0, 1, 1], 0.5, 0.0)?);
    let z = [-400.0, -401.5, 380.0, 379.0];
    let label = simloss_core::Label::new(0, 4)?;
    let mut gradient = [0.0; 4];
    loss.gradient_of_slice(&z, label, &mut [0.0; 4], &mut gradient)?;
    assert!(gradient[0] < -0.5);
    close("far", &z, &gradient, |z| loss.value_of_slice(z, label, &mut [0.0; 4], &mut [0.0; 4]))
}

/// Wrong or right by any number of logits, the gradient is neither clamped nor lost: `p` of the other class, and its
/// negative.
#[test]
fn of_a_sample_at_any_gap() -> Outcome {
    fn at(loss: &impl Loss<f32>, gap: f32) -> Outcome {
        let label = simloss_core::Label::new(0, 2)?;
        let mut gradient = [0.0; 2];
        loss.gradient_of_slice(&[0.0, gap], label, &mut [0.0; 2], &mut gradient)?;
        let p = 1.0 / (1.0 + f64::from(-gap).exp());
        for (found, expected) in [(gradient[0], -p), (gradient[1], p)] {
            assert!((f64::from(found) / expected - 1.0).abs() < 1e-6, "{found} for {expected} at a gap of {gap}");
        }
        Ok(())
    }
    let identity = AnySimilarity::order(2, 0.0)?;
    for gap in [-80.0, -40.0, -20.0, -17.0, -1.0, 0.0, 1.0, 17.0, 20.0, 21.0, 40.0, 88.0, 90.0, 104.0, 1e4] {
        at(&CrossEntropy::new(2)?, gap)?;
        at(&SimLoss::new(&identity), gap)?;
    }
    Ok(())
}

/// What weighs on a batch of five samples and eight classes.
struct Weights {
    class: Vec<f64>,
    sample: Vec<f64>,
    soft: Vec<f64>,
    truth: Vec<Option<usize>>,
}

impl Weights {
    fn draw() -> Self {
        let mut random = Random::new(2);
        let mut draw = |n: usize| -> Vec<f64> { (0..n).map(|_| 2.0 * random.unit::<f64>()).collect() };
        let (class, mut sample, mut soft) = (draw(8), draw(5), draw(40));
        sample[1] = 0.0;
        soft.iter_mut().step_by(3).for_each(|t| *t = 0.0);
        Weights { class, sample, soft, truth: vec![Some(3), Some(0), None, Some(7), Some(3)] }
    }
}

#[test]
fn of_a_batch_with_every_weight() -> Outcome {
    let weights = Weights::draw();
    let truth = labels(&weights.truth, 8)?;
    let z: Vec<f64> = uniform(&mut Random::new(3), 40, 3.0);
    for (what, similarity) in similarities()? {
        for (smoothing, truth) in [
            (0.0, Truth::Labels(&truth[..])),
            (0.1, Truth::Labels(&truth)),
            (0.0, Truth::Soft(&weights.soft[..])),
            (0.25, Truth::Soft(&weights.soft)),
        ] {
            let targets = Targets { truth, sample_weights: Some(&weights.sample) };
            let criterion = Criterion::new(SimLoss::new(&similarity)).with_label_smoothing(smoothing)?;
            let criterion = criterion.with_class_weights(&weights.class)?;
            for reduction in [Reduction::MeanByWeight, Reduction::MeanByCount, Reduction::Sum] {
                let evaluate = |z: &[f64]| reduce_in::<f64, _>((), &criterion, reduction, z, &targets);
                let what = format!("{what}, {reduction:?}, smoothing {smoothing}");
                close(&what, &z, &evaluate(&z)?.gradient, |z| Ok(evaluate(z)?.losses[0]))?;
            }
        }
    }
    Ok(())
}

/// `sum dy y` of all samples: what the backward pass differentiates.
fn layer<N: Layer<f64>>(what: &str, layer: N, samples: usize) -> Outcome {
    let shape = layer.shape();
    let mut random = Random::new(4);
    let parameters: Vec<f64> = uniform(&mut random, shape.parameters, 1.0);
    // No two numbers within 2 h of each other, nor of 0: a pool or relu does not change sides.
    let mut x: Vec<f64> = (0..samples * shape.inputs).map(|k| 0.01 + 0.02 * k as f64).collect();
    random.shuffle(&mut x);
    x.iter_mut().step_by(2).for_each(|x| *x = -*x);
    let dy: Vec<f64> = uniform(&mut random, samples * shape.outputs, 1.0);
    let value = |parameters: &[f64], x: &[f64]| -> Result<f64, Error> {
        let y = passes::<f64, N>((), layer, parameters, x, &dy).y;
        Ok(y.iter().zip(&dy).map(|(y, dy)| y * dy).sum())
    };
    let found = passes::<f64, N>((), layer, &parameters, &x, &dy);
    close(&format!("inputs of {what}"), &x, &found.dx, |x| value(&parameters, x))?;
    if !parameters.is_empty() {
        close(&format!("parameters of {what}"), &parameters, &found.dparameters, |w| value(w, &x))?;
    }
    Ok(())
}

fn relu<N: Layer<f64>>(layer: N) -> simloss_core::layers::Relu<N> {
    layer.relu()
}

fn then<A: Layer<f64>, B: Layer<f64>>(a: A, b: B) -> simloss_core::layers::Chain<A, B> {
    a.then(b)
}

const CONV: Conv2d = Conv2d { channels: 2, height: 5, width: 7, outputs: 3, kernel: 2 };

#[test]
fn of_layers() -> Outcome {
    layer("dense", Dense::new(6, 5), 3)?;
    layer("dense 1 to 1", Dense::new(1, 1), 2)?;
    layer("convolution", CONV, 2)?;
    layer("convolution, one position", Conv2d { channels: 5, height: 3, width: 3, outputs: 2, kernel: 3 }, 2)?;
    layer("convolution, wide kernel", Conv2d { channels: 1, height: 7, width: 8, outputs: 2, kernel: 6 }, 2)?;
    layer("max-pool", MaxPool::new(2, 5, 6), 2)?;
    layer("dense, dense", then(Dense::new(4, 6), Dense::new(6, 3)), 3)?;
    layer("convolution, max-pool, dense", then(then(CONV, MaxPool::new(3, 4, 6)), Dense::new(18, 4)), 2)
}

/// With relus: the draw keeps all sums away from 0, or the difference would be of two sides.
#[test]
fn of_layers_with_relu() -> Outcome {
    layer("relu of dense", relu(Dense::new(6, 5)), 3)?;
    layer("relu of convolution", relu(CONV), 1)?;
    layer("dense, relu, dense, relu", relu(then(relu(Dense::new(4, 6)), Dense::new(6, 3))), 2)?;
    let features = then(relu(CONV), MaxPool::new(3, 4, 6));
    layer("convolution, relu, max-pool, dense", then(features, Dense::new(18, 4)), 1)
}

/// From features to the mean loss, with respect to the parameters.
fn network<N: Layer<f64>, L: Loss<f64>>(what: &str, layers: N, criterion: Criterion<'_, L, f64>) -> Outcome {
    let samples = 7;
    let shape = layers.shape();
    let mut random = Random::new(5);
    let mut parameters = vec![0.0; shape.parameters];
    layers.initialise(&mut parameters, &mut random);
    let features: Vec<f64> = uniform(&mut random, samples * shape.inputs, 2.0);
    let truth: Vec<Option<usize>> =
        (0..samples).map(|i| if i == 2 { None } else { Some(random.below(shape.outputs)) }).collect();
    let truth = labels(&truth, shape.outputs)?;
    let sample_weights: Vec<f64> = (0..samples).map(|i| 0.5 + i as f64 / 4.0).collect();
    let targets = Targets { truth: Truth::Labels(&truth), sample_weights: Some(&sample_weights) };

    let network = Network::new(layers, criterion)?;
    let rows = RowMajor::new(&features, shape.inputs)?;
    let needed = network.scratch::<f64>(false, true);
    let (mut scalars, mut values) = (vec![0.0; needed.scalars], vec![f64::splat((), 0.0); needed.values]);
    let mut losses = vec![0.0; samples];
    let mut gradient = vec![0.0; shape.parameters];
    let mut work = Work { scalars: &mut scalars, values: &mut values };
    let mut sink = GroupGradient(&mut gradient);
    network.gradient_of_group((), &parameters, &rows, &targets, 0, &mut work, &mut losses, &mut sink)?;
    close(what, &parameters, &gradient, |parameters| {
        network.losses_of_group((), parameters, &rows, &targets, 0, &mut work, &mut losses, &mut [])?;
        Ok(losses.iter().sum())
    })
}

#[test]
fn of_networks_with_their_criterion() -> Outcome {
    let dense = then(relu(Dense::new(5, 9)), Dense::new(9, 8));
    let conv = then(then(relu(CONV), MaxPool::new(3, 4, 6)), then(relu(Dense::new(18, 6)), Dense::new(6, 8)));
    let class_weights = Weights::draw().class;
    network("cross entropy of a dense network", dense, Criterion::new(CrossEntropy::new(8)?))?;
    for (what, similarity) in similarities()? {
        let plain = Criterion::new(SimLoss::new(&similarity));
        network(&format!("{what} of a dense network"), dense, plain)?;
        let smooth = plain.with_label_smoothing(0.1)?.with_class_weights(&class_weights)?;
        network(&format!("smoothed {what} of a dense network"), dense, smooth)?;
        network(&format!("{what} of a convolution network"), conv, plain)?;
    }
    Ok(())
}
