//! Laws of layers in lanes.

use super::Law;
use proptest::prelude::*;
use simloss_core::{
    Random,
    layers::{Conv2d, Dense, Layer, MaxPool},
};
use simloss_tests::{
    bits, config,
    lanes::{Array, Token},
    passes,
};

fn layer_in_lanes<N: Layer<f32>>(layer: N, seed: u64, samples: usize) -> Law {
    gradients_in_lanes(layer, seed, samples, 1)?;
    // As behind a relu and a pool: most of them 0.
    gradients_in_lanes(layer, seed, samples, 6)
}

/// With one of so many gradients of the outputs drawn, the others 0.
fn gradients_in_lanes<N: Layer<f32>>(layer: N, seed: u64, samples: usize, one_of: usize) -> Law {
    let mut random = Random::new(seed);
    let shape = layer.shape();
    // Coarse numbers: ties for the pool, zeroes for the relu.
    let mut draw = |n: usize| -> Vec<f32> { (0..n).map(|_| (random.below(9) as f32 - 4.0) * 0.3).collect() };
    let (parameters, x, dy) = (draw(shape.parameters), draw(samples * shape.inputs), draw(samples * shape.outputs));
    let dy: Vec<f32> = dy.into_iter().map(|g| if random.below(one_of) == 0 { g } else { 0.0 }).collect();
    let one = passes::<f32, N>((), layer, &parameters, &x, &dy);
    let same = |many: simloss_tests::Passes<f32>, lanes: usize| -> Law {
        prop_assert_eq!(bits(&one.y), bits(&many.y), "outputs in {} lanes", lanes);
        prop_assert_eq!(bits(&one.dx), bits(&many.dx), "input gradients in {} lanes", lanes);
        prop_assert_eq!(bits(&one.dparameters), bits(&many.dparameters), "parameter gradients in {} lanes", lanes);
        prop_assert!(one.y.iter().chain(&one.dx).all(|x| x.is_finite()), "not all is written");
        Ok(())
    };
    same(passes::<Array<f32, 2>, N>(Token::new(), layer, &parameters, &x, &dy), 2)?;
    same(passes::<Array<f32, 16>, N>(Token::new(), layer, &parameters, &x, &dy), 16)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn layers_in_lanes_have_the_same_bits(
        seed: u64,
        samples in 1usize..18,
        [inputs, hidden, outputs] in [1usize..14, 1usize..10, 1usize..7],
        [channels, kernel, spare, wide, filters] in [1usize..6, 1usize..10, 0usize..4, 0usize..9, 1usize..5],
    ) {
        layer_in_lanes(Dense::new(inputs, outputs), seed, samples)?;
        let dense = Layer::<f32>::relu(Dense::new(inputs, hidden));
        layer_in_lanes(Layer::<f32>::then(dense, Dense::new(hidden, outputs)), seed, samples)?;
        let (height, width) = (kernel + spare, kernel + wide);
        let conv = Conv2d { channels, height, width, outputs: filters, kernel };
        layer_in_lanes(conv, seed, samples)?;
        layer_in_lanes(MaxPool::new(channels, height + 1, width + 1), seed, samples)?;
        // As many rows and columns again as the kernel takes, so that the pool gets 2 x 2 at least.
        let conv = Conv2d { height: height + 1, width: width + 1, ..conv };
        let pool = MaxPool::new(filters, spare + 2, wide + 2);
        let flat = Layer::<f32>::shape(&pool).outputs;
        let net = Layer::<f32>::then(Layer::<f32>::relu(conv), pool);
        layer_in_lanes(Layer::<f32>::then(net, Dense::new(flat, outputs)), seed, samples)?;
    }
}
