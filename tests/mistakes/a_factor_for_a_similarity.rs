//! The reduction factor in place of the similarity that is made of it.
//~ `f32` is no similarity of classes over `f32`
//~ SimLoss::new(ClassOrder::<f32, 5>::new(0.8)?)

use simloss_core::{
    Error,
    layers::Dense,
    loss::{Criterion, SimLoss},
    train::Network,
};

fn main() -> Result<(), Error> {
    Network::<_, _, f32>::new(Dense::new(2, 5), Criterion::new(SimLoss::new(0.8f32)))?;
    Ok(())
}
