//! Logits where probabilities are scored.
//~ expected `Probabilities<'_, _>`, found `&Matrix<f32, Const<3>

use simloss_core::{Error, Label, metrics::rank, nalgebra::SVector};

fn main() -> Result<(), Error> {
    let logits = SVector::from([0.0f32, 1.0, 2.0]);
    rank(&logits, Label::new(2, 3)?)?;
    Ok(())
}
