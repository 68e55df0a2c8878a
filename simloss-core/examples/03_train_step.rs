//! Training: layers, a loss and an optimizer become one step, called as often as you like.
//!
//!     cargo run -p simloss-core --example 03_train_step
//!
//! All memory is yours: parameters, the optimizer's moments, a gradient, and what one group of samples works in. On a
//! desktop these are `Vec`s; 04_head_on_a_device does the same in arrays.

use simloss_core::{
    Error, Label, Random,
    layers::{Dense, Layer},
    loss::{Criterion, Reduction, SimLoss, Targets},
    optimizer::{Adam, Optimizer},
    similarity::OrderTable,
    train::{Batch, Evaluation, Model, Network, RowMajor, Serial, Work, eval_step, train_step},
};

const FEATURES: usize = 2;
const SAMPLES: usize = 200;

fn main() -> Result<(), Error> {
    // Data: two numbers in [0, 1) a sample; the class is their sum, in five steps.
    let classes = 5; // might come from a file: nothing below needs it as a constant
    let mut random = Random::new(1);
    let (mut rows, mut labels) = (Vec::new(), Vec::new());
    for _ in 0..SAMPLES {
        let (a, b): (f32, f32) = (random.unit(), random.unit());
        rows.extend([a, b]);
        labels.push(Some(Label::new(((a + b) * 2.5) as usize, classes)?)); // None would be ignored
    }
    let features = RowMajor::new(&rows, FEATURES)?;

    // A network: two inputs, sixteen hidden numbers with a relu, five logits. And what judges the logits.
    let layers = Layer::<f32>::then(Layer::<f32>::relu(Dense::new(FEATURES, 16)), Dense::new(16, classes));
    let similarity = OrderTable::in_memory(vec![0.0; 2 * classes], classes, 0.2f32)?;
    let network = Network::new(layers, Criterion::new(SimLoss::new(similarity)))?;
    let optimizer = Adam::new(0.02)?;

    // Memory, as much as each of them says it needs.
    let n = network.parameters();
    let (mut parameters, mut moments, mut steps) = (vec![0.0; n], vec![0.0; moments_of(&optimizer) * n], 0);
    let (mut gradient, mut group, mut losses) = (vec![0.0; n], vec![0.0; n], vec![0.0; SAMPLES]);
    let needed = network.scratch::<f32>(false, true);
    let (mut scalars, mut values) = (vec![0f32; needed.scalars], vec![0f32; needed.values]);
    layers.initialise(&mut parameters, &mut Random::new(2));

    // An engine computes one group of 16 samples after another; simloss-train has one with threads and SIMD.
    let work = Work { scalars: &mut scalars, values: &mut values };
    let mut engine = Serial { token: (), network: &network, work, group: &mut group };
    let mut curve = Vec::new();
    for step in 0..400 {
        let model = Model { parameters: &mut parameters, moments: &mut moments, steps: &mut steps };
        let targets = Targets::labels(&labels);
        let batch = Batch { features: &features, targets, reduction: Reduction::MeanByWeight, losses: &mut losses };
        let loss = train_step(&mut engine, &optimizer, model, &mut gradient, batch)?;
        if step % 100 == 0 {
            println!("step {step:3}: loss {loss:.4}");
            curve.push(loss);
        }
    }
    assert!(curve.windows(2).all(|pair| pair[1] < pair[0]), "the loss falls: {curve:?}");

    // What the network answers now: its logits, of which the largest counts.
    let mut logits = vec![0.0; SAMPLES * classes];
    let targets = Targets::labels(&labels);
    let evaluation = Evaluation { features: &features, targets, losses: &mut losses, logits: &mut logits };
    eval_step(&mut engine, &parameters, evaluation)?;
    let mut right = 0;
    for (z, y) in logits.chunks(classes).zip(&labels) {
        right += usize::from(Some(simloss_core::decoders::argmax(z)?) == *y);
    }
    println!("{right} of {SAMPLES} right");
    assert!(right > 170);
    assert_eq!(steps, 400);

    // Bad input is an error with a name, and changes nothing.
    rows[7] = f32::NAN;
    let before = parameters.clone();
    let features = RowMajor::new(&rows, FEATURES)?;
    let model = Model { parameters: &mut parameters, moments: &mut moments, steps: &mut steps };
    let targets = Targets::labels(&labels);
    let batch = Batch { features: &features, targets, reduction: Reduction::MeanByWeight, losses: &mut losses };
    let refused = train_step(&mut engine, &optimizer, model, &mut gradient, batch);
    assert_eq!(refused, Err(Error::NotFinite { what: "the features", sample: 3 }));
    assert_eq!((parameters, steps), (before, 400));
    Ok(())
}

/// Numbers that an optimizer keeps for each parameter.
fn moments_of<O: Optimizer<f32>>(_: &O) -> usize {
    O::MOMENTS
}
