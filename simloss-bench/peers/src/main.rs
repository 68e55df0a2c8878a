//! The cross entropy of candle on the hard cases of `stability`, gradient by its own backward pass.
//!
//!     cargo run --release > ../../docs/records/peers-stability.json
//!
//! candle's own crates compute; nothing here is a transcription of them. burn is absent: see README.md.

use candle_core::{Device, Error, Tensor, Var, WithDType};
use simloss_bench::{
    bounds::Implementation,
    cases::Case,
    measure::{self, CASES, Judged, Measured, SEED},
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

fn measured<T: Platform + WithDType + Send>() -> Vec<Measured> {
    let candle: Judged<T> = candle;
    measure::judge(&[(Implementation::Candle, candle)], SEED, CASES)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut rows = measured::<f32>();
    rows.extend(measured::<f64>());
    let rows: Vec<Row> =
        rows.iter().map(|row| Row::new(row.quantity, row.implementation, row.scalar, &row.tally)).collect();
    let command = "cargo run --release --manifest-path simloss-bench/peers/Cargo.toml (candle-core, candle-nn 0.11.1)";
    print!("{}", record::write(&Machine::this(command), &rows)?);
    Ok(())
}
