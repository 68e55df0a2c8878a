//! A similarity in place of the loss that is made of it.
//~ is no loss over `f32`
//~ a similarity becomes a loss with SimLoss::new

use simloss_core::{Error, layers::Dense, loss::Criterion, similarity::ClassOrder, train::Network};

fn main() -> Result<(), Error> {
    Network::<_, _, f32>::new(Dense::new(2, 5), Criterion::new(ClassOrder::<f32, 5>::new(0.5)?))?;
    Ok(())
}
