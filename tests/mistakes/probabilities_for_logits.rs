//! A softmax before the loss, as some other libraries want it.
//~ found `ProbabilityVector<f32, 3>`

use simloss_core::{
    Error, Label,
    loss::{CrossEntropy, Loss, softmax},
    nalgebra::SVector,
};

fn main() -> Result<(), Error> {
    let logits = SVector::from([0.0f32, 1.0, 2.0]);
    CrossEntropy::new(3)?.value(&softmax(&logits)?, Label::new(2, 3)?)?;
    Ok(())
}
