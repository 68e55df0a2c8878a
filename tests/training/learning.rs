//! Networks that learn.

use super::{image_of, serial};
use simloss_core::{
    Error, Random,
    layers::{Dense, Layer},
    loss::{Criterion, CrossEntropy, Loss, Reduction, SimLoss, Targets},
    optimizer::Adam,
    similarity::ClassOrder,
    train::{Batch, Evaluation, Network, RowMajor, eval_step, train_step},
};
use simloss_tests::{Outcome, State, labels, uniform};

/// Steps over all samples at once until all are classified correctly; how many it took, if no more than `limit`.
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
    let centers = [[0.0f32, 2.0], [2.0, -1.0], [-2.0, -1.0]];
    let truth: Vec<usize> = (0..60).map(|i| i % 3).collect();
    let features: Vec<f32> =
        truth.iter().flat_map(|&y| centers[y].map(|x| x + 0.8 * (random.unit::<f32>() - 0.5))).collect();
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
