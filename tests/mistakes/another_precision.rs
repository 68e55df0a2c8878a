//! Logits of double precision, and a similarity of single.
//~ is no similarity of classes over `f64`

use simloss_core::{
    Error,
    layers::Dense,
    loss::{Criterion, SimLoss},
    similarity::ClassOrder,
    train::Network,
};

fn main() -> Result<(), Error> {
    Network::<_, _, f64>::new(Dense::new(2, 5), Criterion::new(SimLoss::new(ClassOrder::<f32, 5>::new(0.5)?)))?;
    Ok(())
}
