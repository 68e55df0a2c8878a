//! A similarity of four classes, from a matrix of three.
//~ expected `4`, found `3`

use simloss_core::{Error, nalgebra::SMatrix, similarity::DenseSimilarity};

fn main() -> Result<(), Error> {
    DenseSimilarity::<f32, 4>::new(&SMatrix::<f32, 3, 3>::identity())?;
    Ok(())
}
