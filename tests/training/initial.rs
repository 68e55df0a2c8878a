//! Initial weights.

use super::{CLASSES, hidden, image, linear, steps::trained_in};
use simloss_core::{
    Random,
    layers::{Conv2d, Dense, Layer, MaxPool},
    optimizer::{Adam, Sgd},
};
use simloss_tests::{Outcome, bits};

fn initialized<N: Layer<f32>>(layers: &N, seed: u64) -> Vec<f32> {
    let mut parameters = vec![f32::NAN; layers.shape().parameters];
    layers.initialise(&mut parameters, &mut Random::new(seed));
    parameters
}

/// Uniform in `[-b, b)` with `b = 1 / sqrt(fan_in)`: range, mean, variance and neighbors, within 5 standard errors.
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
    // Products of independent neighbors have the mean 0 and the variance 1/9.
    let lag = u.windows(2).map(|w| w[0] * w[1]).sum::<f64>() / (n - 1.0);
    assert!(lag.abs() <= 5.0 / (9.0 * (n - 1.0)).sqrt(), "{what}: neighbors {lag}");
}

#[test]
fn initial_weights_are_uniform_in_their_bounds() {
    for seed in 0..8 {
        looks_uniform("dense", &initialized(&Dense::new(50, 90), seed), 50);
        let conv = Conv2d { channels: 6, height: 14, width: 14, outputs: 16, kernel: 5 };
        let w = initialized(&conv, seed);
        looks_uniform("convolution", &w, 6 * 25);
        // Biases too, whose bound is that of their weights; 16 of them say little more.
        let biases = &w[16 * 6 * 25..];
        assert!(biases.iter().any(|&b| b > 0.0) && biases.iter().any(|&b| b < 0.0));
        let net = Layer::<f32>::then(Layer::<f32>::relu(Dense::new(400, 20)), Dense::new(20, 200));
        let w = initialized(&net, seed);
        looks_uniform("first of two", &w[..401 * 20], 400);
        looks_uniform("second of two", &w[401 * 20..], 20);
    }
    assert_ne!(initialized(&linear(), 0), initialized(&linear(), 1));
    assert!(initialized(&MaxPool::new(1, 4, 4), 0).is_empty());
}

/// Layers draw one after the other from one stream; a relu draws nothing; `f64` sees the same draws.
#[test]
fn layers_draw_weights_in_parameter_order() {
    let mut random = Random::new(20);
    let mut expected = vec![0.0f32; Layer::<f32>::shape(&image()).parameters];
    let (conv, dense) = expected.split_at_mut(2 * 9 + 2);
    Layer::<f32>::initialise(&Conv2d { channels: 1, height: 6, width: 6, outputs: 2, kernel: 3 }, conv, &mut random);
    Layer::<f32>::initialise(&Dense::new(8, CLASSES), dense, &mut random);
    assert_eq!(bits(&initialized(&image(), 20)), bits(&expected));

    let mut wide = vec![0.0f64; 37 * CLASSES];
    linear().initialise(&mut wide, &mut Random::new(21));
    let narrow = initialized(&linear(), 21);
    assert!(wide.iter().zip(&narrow).all(|(wide, &narrow)| (wide - f64::from(narrow)).abs() <= 1e-7));
}

/// Fowler, Noll and Vo's hash (FNV-1a, 64 bits) of the bits of numbers, lowest byte first.
fn hash(numbers: &[f32]) -> u64 {
    numbers
        .iter()
        .flat_map(|x| x.to_bits().to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Initial weights and a short training have the same bits on every machine, and change only on purpose.
#[test]
fn initial_weights_have_the_golden_bits() -> Outcome {
    let found = [hash(&initialized(&linear(), 1)), hash(&initialized(&hidden(), 2)), hash(&initialized(&image(), 3))];
    assert_eq!(found, INITIAL, "initial weights: {found:#018x?}");
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
