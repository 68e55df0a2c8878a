//! Five logits, and a similarity of four classes.
//~ the logits and the similarity have different numbers of classes

use simloss_core::{
    Error, Label,
    loss::{Loss, SimLoss},
    similarity::ClassOrder,
};

fn main() -> Result<(), Error> {
    let loss = SimLoss::new(ClassOrder::<f32, 4>::new(0.5)?);
    loss.value(&[0.0, 1.0, 2.0, 3.0, 4.0].into(), Label::new(2, 4)?)?;
    Ok(())
}
