//! A class by its index, which nobody has compared with the number of classes.
//~ expected `Label`, found integer

use simloss_core::{
    Error,
    loss::{CrossEntropy, Loss},
};

fn main() -> Result<(), Error> {
    CrossEntropy::new(3)?.value(&[0.0f32, 1.0, 2.0].into(), 2)?;
    Ok(())
}
