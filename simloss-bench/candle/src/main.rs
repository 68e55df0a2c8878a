//! candle trains a network on ordered classes, with its own cross entropy and with SimLoss of simloss-core.
//!
//!     cargo run --release --manifest-path simloss-bench/candle/Cargo.toml

mod op;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{AdamW, Linear, Module, Optimizer, ParamsAdamW, VarBuilder, VarMap, linear, loss::cross_entropy};
use op::MeanLoss;
use simloss_core::{
    Label, Random,
    loss::{Criterion, Loss, Reduction, SimLoss, Targets},
    similarity::OrderTable,
};
use std::{error::Error, sync::Arc, time::Instant};

const CLASSES: usize = 10;
const SAMPLES: usize = 1000;

type Ordinal = SimLoss<OrderTable<f32, Vec<f32>>>;

fn ordinal(classes: usize, r: f32) -> std::result::Result<Arc<Ordinal>, simloss_core::Error> {
    Ok(Arc::new(SimLoss::new(OrderTable::in_memory(vec![0.0; 2 * classes], classes, r)?)))
}

/// Two numbers per sample; the class is their sum with noise.
fn data() -> std::result::Result<(Tensor, Vec<Option<Label>>), Box<dyn Error>> {
    let mut random = Random::new(1);
    let (mut rows, mut labels) = (vec![], vec![]);
    for _ in 0..SAMPLES {
        let [a, b, noise]: [f32; 3] = [(); 3].map(|()| random.unit());
        rows.extend([a, b]);
        let class = ((a + b) * 4.0 + 2.0 * noise) as usize;
        labels.push(Some(Label::new(class.min(CLASSES - 1), CLASSES)?));
    }
    Ok((Tensor::from_vec(rows, (SAMPLES, 2), &Device::Cpu)?, labels))
}

/// Trains and returns the MAE of the predicted class.
fn train(x: &Tensor, labels: &[Option<Label>], loss: impl Fn(&Tensor) -> Result<Tensor>) -> Result<f64> {
    let parameters = VarMap::new();
    let place = VarBuilder::from_varmap(&parameters, DType::F32, &Device::Cpu);
    let layers: [Linear; 2] = [linear(2, 32, place.pp("first"))?, linear(32, CLASSES, place.pp("second"))?];
    let forward = |x: &Tensor| layers[1].forward(&layers[0].forward(x)?.relu()?);
    let settings = ParamsAdamW { lr: 0.02, weight_decay: 0.0, ..Default::default() };
    let mut optimizer = AdamW::new(parameters.all_vars(), settings)?;
    for _ in 0..200 {
        optimizer.backward_step(&loss(&forward(x)?)?)?;
    }
    let answers = forward(x)?.argmax(1)?.to_vec1::<u32>()?;
    let off = answers.iter().zip(labels).map(|(&c, y)| y.map_or(0, |y| y.index().abs_diff(c as usize)));
    Ok(off.sum::<usize>() as f64 / labels.len() as f64)
}

/// The shortest of many runs, in microseconds.
fn time(mut f: impl FnMut() -> std::result::Result<(), Box<dyn Error>>) -> std::result::Result<f64, Box<dyn Error>> {
    let mut best = f64::INFINITY;
    for _ in 0..200 {
        let start = Instant::now();
        f()?;
        best = best.min(start.elapsed().as_secs_f64() * 1e6);
    }
    Ok(best)
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let (x, labels) = data()?;
    let classes: Vec<u32> = labels.iter().flatten().map(|y| y.index() as u32).collect();
    let classes = Tensor::from_vec(classes, SAMPLES, &Device::Cpu)?;
    let loss = ordinal(CLASSES, 0.5)?;
    let plain = train(&x, &labels, |logits| cross_entropy(logits, &classes))?;
    let similar = train(&x, &labels, |logits| MeanLoss::of(logits, &labels, &loss))?;
    println!("MAE: candle's cross entropy {plain:.3}, SimLoss {similar:.3}");
    assert!(plain < 1.0 && similar < 1.0);

    // The overhead of candle for 96 classes, as in CIFAR-100: the same work through candle and directly, best of 200.
    println!("| batch | through candle | core only | overhead | candle's cross entropy |\n|---|---|---|---|---|");
    for samples in [1, 64, 1024] {
        let (classes, mut random) = (96, Random::new(2));
        let logits: Vec<f32> = (0..samples * classes).map(|_| 8.0 * random.unit::<f32>()).collect();
        let labels = (0..samples)
            .map(|_| Label::new(random.below(classes), classes).map(Some))
            .collect::<std::result::Result<Vec<_>, _>>()?;
        let loss = ordinal(classes, 0.5)?;

        let var = Var::from_vec(logits.clone(), (samples, classes), &Device::Cpu)?;
        let mut theirs = vec![];
        let through = time(|| {
            let gradients = MeanLoss::of(&var, &labels, &loss)?.backward()?;
            theirs = gradients.get(&var).ok_or("no gradient")?.flatten_all()?.to_vec1::<f32>()?;
            Ok(())
        })?;
        let index: Vec<u32> = labels.iter().flatten().map(|y| y.index() as u32).collect();
        let index = Tensor::from_vec(index, samples, &Device::Cpu)?;
        let plain = time(|| {
            let gradients = cross_entropy(&var, &index)?.backward()?;
            gradients.get(&var).ok_or("no gradient")?.flatten_all()?.to_vec1::<f32>()?;
            Ok(())
        })?;

        let (criterion, targets) = (Criterion::new(&*loss), Targets::labels(&labels));
        let needed = criterion.scratch::<f32>(&targets);
        let (mut scalars, mut values) = (vec![0.0; needed.scalars], vec![0.0; needed.values]);
        let mut ours = vec![0.0; logits.len()];
        let mean = Reduction::MeanByWeight;
        let alone = time(|| {
            criterion.reduce(mean, &logits, &targets, &mut scalars, &mut values, Some(&mut ours))?;
            Ok(())
        })?;
        assert!(theirs.iter().map(|g| g.to_bits()).eq(ours.iter().map(|g| g.to_bits())), "the gradient differs");
        assert_eq!(loss.classes(), classes);
        let crossing = through - alone;
        println!("| {samples} x {classes} | {through:.0} us | {alone:.0} us | {crossing:.0} us | {plain:.0} us |");
    }
    Ok(())
}
