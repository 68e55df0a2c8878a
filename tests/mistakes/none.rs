//! No mistake: what the others are compared with.

use simloss_core::{
    Error, Label,
    decoders::Probabilities,
    layers::Dense,
    loss::{Criterion, Loss, SimLoss, softmax},
    metrics::rank,
    nalgebra::{SMatrix, SVector},
    similarity::{ClassOrder, DenseSimilarity},
    train::Network,
};

fn main() -> Result<(), Error> {
    let logits = SVector::from([0.0f32, 1.0, 2.0]);
    let y = Label::new(2, 3)?;
    let loss = SimLoss::new(ClassOrder::<f32, 3>::new(0.5)?);
    loss.value(&logits, y)?;
    SimLoss::new(DenseSimilarity::new(&SMatrix::<f32, 3, 3>::identity())?).value_and_gradient(&logits, y)?;
    rank(Probabilities::new(&softmax(&logits)?)?, y)?;
    Network::new(Dense::new(2, 3), Criterion::new(loss))?;
    Ok(())
}
