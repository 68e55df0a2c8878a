//! A label whose check nobody has looked at.
//~ expected `Label`, found `Result<Label, Error>`
//~ `?`

use simloss_core::{
    Error, Label,
    loss::{CrossEntropy, Loss},
};

fn main() -> Result<(), Error> {
    CrossEntropy::new(3)?.value(&[0.0f32, 1.0, 2.0].into(), Label::new(2, 3))?;
    Ok(())
}
