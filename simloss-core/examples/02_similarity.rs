//! Similarities: from how classes relate to the rows that the loss reads.
//!
//!     cargo run -p simloss-core --example 02_similarity
//!
//! `S[y, c]` in `[0, 1]` says how much of the probability of class `c` counts as right when `y` is true. A type that holds a
//! similarity holds a valid one: every constructor checks. Next: 03_train_step.

use simloss_core::{
    Error, Label,
    nalgebra::SMatrix,
    number::Scalar,
    similarity::{CircularOrder, ClassOrder, DenseSimilarity, Identity, Similarity, SparseSimilarity, Taxonomy},
};

/// `S[y, ..]` of four classes, as text.
fn row(s: &impl Similarity<f32>, y: usize) -> Result<String, Error> {
    let y = Label::new(y, 4)?;
    let mut numbers = Vec::new();
    for c in 0..4 {
        // Some similarities store their rows; others write them to memory that you lend them.
        numbers.push(format!("{:.2}", s.get(y, Label::new(c, 4)?, &mut [f32::ZERO; 4])?));
    }
    Ok(numbers.join(" "))
}

fn main() -> Result<(), Error> {
    // None: with it SimLoss is cross entropy.
    assert_eq!(row(&Identity::new(4)?, 0)?, "1.00 0.00 0.00 0.00");

    // Classes in an order, such as ages or grades: r^|y - c|. The type knows the number of classes; see 03_train_step for
    // a number that is known when the program runs.
    let order = ClassOrder::<f32, 4>::new(0.5)?;
    println!("order     {}", row(&order, 0)?);
    assert_eq!(row(&order, 0)?, "1.00 0.50 0.25 0.12");

    // Round a circle, such as the seasons: the last is next to the first.
    let seasons = CircularOrder::<f32, 4>::new(0.5)?;
    println!("circular  {}", row(&seasons, 0)?);
    assert_eq!(row(&seasons, 0)?, "1.00 0.50 0.25 0.50");

    // Any matrix. The TRUE class is the row; it need not be symmetric, but the diagonal is 1.
    let measure = SMatrix::<f32, 4, 4>::from_row_slice(&[
        1.0, 0.8, 0.4, -0.1, // cat
        0.8, 1.0, 0.6, 0.0, // dog
        0.4, 0.6, 1.0, 0.2, // horse
        -0.1, 0.0, 0.2, 1.0, // car
    ]);
    assert_eq!(DenseSimilarity::new(&measure), Err(Error::Entry { row: 0, column: 3 }));
    // Measures such as the cosine of word vectors may be negative, and high for what hardly relates: everything up to a
    // lower bound l counts as nothing, what is above is stretched to [0, 1].
    let dense = DenseSimilarity::lower_bounded(&measure, 0.5)?;
    println!("dense     {}", row(&dense, 0)?);
    assert_eq!(row(&dense, 0)?, "1.00 0.60 0.00 0.00");

    // A few pairs only, without a matrix: here room for one other class a row.
    let mut sparse = SparseSimilarity::<f32, 4, 1>::new()?;
    sparse.insert(Label::new(0, 4)?, Label::new(2, 4)?, 0.75)?;
    println!("sparse    {}", row(&sparse, 0)?);
    assert_eq!(row(&sparse, 0)?, "1.00 0.00 0.75 0.00");

    // A tree. Classes 0 and 1 are below node 4, classes 2 and 3 below node 5, both of them below the root 6; a level is
    // the similarity of two classes by the height at which their branches meet.
    let taxonomy = Taxonomy::new([4u16, 4, 5, 5, 6, 6, 6], [1.0f32, 0.75, 0.25], 4)?;
    println!("taxonomy  {}", row(&taxonomy, 0)?);
    assert_eq!(row(&taxonomy, 0)?, "1.00 0.75 0.25 0.25");

    // What cannot be a similarity is refused, and the error says which number it was.
    let error = ClassOrder::<f32, 4>::new(1.5).err();
    assert_eq!(error, Some(Error::ReductionFactor));
    println!("refused: {}", Error::ReductionFactor);
    Ok(())
}
