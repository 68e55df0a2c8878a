//! The loss of one sample: what SimLoss says where cross entropy says something else.
//!
//!     cargo run -p simloss-core --example 01_loss
//!
//! Next: 02_similarity.

use simloss_core::{
    Error, Label,
    loss::{CrossEntropy, Loss, SimLoss, softmax},
    nalgebra::SVector,
    similarity::ClassOrder,
};

fn main() -> Result<(), Error> {
    // A network rates a film with one to five stars. Logits are its last outputs, as they are: no softmax before the
    // loss. The loss takes the softmax itself, more exactly than two steps could.
    let near = SVector::from([-2.0f32, -1.0, 1.0, 3.0, 0.0]); // most likely four stars
    let far = SVector::from([3.0f32, 1.0, -2.0, 0.0, -1.0]); // most likely one star
    println!("near: p = {:.2?}", &softmax(&near)?[..]);

    // In truth it has three. A label is made with the number of classes, and checked once, here: class 2 of 5.
    let three_stars = Label::new(2, 5)?;
    assert_eq!(Label::new(5, 5), Err(Error::Label { index: 5, classes: 5 }));

    // Cross entropy sees only the probability of three stars. For SimLoss one star more or less counts 0.5 of right, two
    // count 0.25, and so on.
    let cross_entropy = CrossEntropy::new(5)?;
    let simloss = SimLoss::new(ClassOrder::<f32, 5>::new(0.5)?);
    let mut lines = Vec::new();
    for (name, logits) in [("near", near), ("far", far)] {
        let (a, b) = (cross_entropy.value(&logits, three_stars)?, simloss.value(&logits, three_stars)?);
        lines.push(format!("{name}: cross entropy {a:.3}, SimLoss {b:.3}"));
    }
    println!("{}", lines.join("\n"));
    assert_eq!(lines, ["near: cross entropy 2.191, SimLoss 0.608", "far: cross entropy 5.191, SimLoss 1.230"]);

    // The gradient with respect to the logits is what training needs: it asks for more of the true class, and for less of
    // what is not similar to it. It adds up to 0.
    let (_, gradient) = simloss.value_and_gradient(&far, three_stars)?;
    println!("gradient of far: {:.3?}", gradient.as_slice());
    assert!(gradient[0] > 0.0 && gradient[1] < 0.0 && gradient[2] < 0.0);
    assert!(gradient.iter().sum::<f32>().abs() < 1e-6);
    Ok(())
}
