//! Measures the cross entropies of candle and burn on the hard cases of `stability`, with their own backward passes.
//!
//!     cargo run --release > ../../docs/records/peers-stability.json
//!
//! Their crates do all computation; nothing is reimplemented here.

use burn::{
    backend::{Autodiff, NdArray},
    nn::loss::CrossEntropyLossConfig,
    tensor::{Element, Int, Tensor as BurnTensor, TensorData, backend::AutodiffBackend},
};
use candle_core::{Device, Error, Tensor, Var, WithDType};
use simloss_bench::{
    bounds::Implementation,
    cases::Case,
    measure::{self, CASES, Evaluator, Measured, SEED},
    peers::Platform,
    record::{self, Machine, Row},
    subject::Answer,
};

fn candle<T: Platform + WithDType>(case: &Case<T>) -> Result<Answer<T>, String> {
    cross_entropy(&case.logits, case.y).map_err(|error| error.to_string())
}

fn cross_entropy<T: Platform + WithDType>(logits: &[T], y: usize) -> Result<Answer<T>, Error> {
    let logits = Var::from_tensor(&Tensor::from_slice(logits, (1, logits.len()), &Device::Cpu)?)?;
    let target = Tensor::from_slice(&[y as u32], 1, &Device::Cpu)?;
    let loss = candle_nn::loss::cross_entropy(&logits, &target)?;
    let gradients = loss.backward()?;
    let gradient = gradients.get(&logits).ok_or_else(|| Error::Msg("no gradient".into()))?;
    Ok(Answer { loss: loss.to_scalar()?, gradient: gradient.flatten_all()?.to_vec1()? })
}

/// A scalar and burn's backend for it.
trait BurnScalar: Element {
    type Backend: AutodiffBackend<FloatElem = Self>;
}

impl BurnScalar for f32 {
    type Backend = Autodiff<NdArray<f32>>;
}

impl BurnScalar for f64 {
    type Backend = Autodiff<NdArray<f64>>;
}

fn burn<T: Platform + BurnScalar>(case: &Case<T>) -> Result<Answer<T>, String> {
    let device = Default::default();
    let logits = TensorData::new(case.logits.clone(), [1, case.logits.len()]);
    let logits = BurnTensor::<T::Backend, 2>::from_data(logits, &device).require_grad();
    let target = BurnTensor::<T::Backend, 1, Int>::from_data(TensorData::new(vec![case.y as i64], [1]), &device);
    let loss = CrossEntropyLossConfig::new().init(&device).forward(logits.clone(), target);
    let gradients = loss.backward();
    let gradient = logits.grad(&gradients).ok_or("no gradient")?;
    let gradient = gradient.into_data().to_vec().map_err(|error| format!("{error:?}"))?;
    Ok(Answer { loss: loss.into_scalar(), gradient })
}

fn measured<T: Platform + WithDType + BurnScalar + Send>() -> Vec<Measured> {
    let (candle, burn): (Evaluator<T>, Evaluator<T>) = (candle, burn);
    measure::evaluate(&[(Implementation::Candle, candle), (Implementation::Burn, burn)], SEED, CASES)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut rows = measured::<f32>();
    rows.extend(measured::<f64>());
    let rows: Vec<Row> =
        rows.iter().map(|row| Row::new(row.quantity, row.implementation, row.scalar, &row.stats)).collect();
    let command = "cargo run --release --manifest-path simloss-bench/peers/Cargo.toml (candle-core, candle-nn 0.11.1; burn 0.20.1)";
    print!("{}", record::write(&Machine::this(command), &rows)?);
    Ok(())
}
