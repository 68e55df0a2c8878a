//! A similarity of your own: from a matrix in a CSV file, and from word vectors.
//!
//!     cargo run -p simloss-train --example 02_your_own_similarity
//!
//! On the command line these are `--similarity FILE.csv` and `--similarity vectors --vectors FILE -l 0.3`; `simloss similarity`
//! draws what comes of them.

use simloss_core::{
    Label,
    loss::{CrossEntropy, Loss, SimLoss},
    similarity::Similarity,
};
use simloss_train::{
    Error,
    similarity::{Kind, Request},
};
use std::{fs, path::Path};

/// Names of classes, in the order of the logits.
const CLASSES: [&str; 3] = ["cat", "dog", "car"];

/// The row of the true class is the first field; names put the rows and columns in the order of the classes.
const MATRIX: &str = "\
,dog,cat,car
dog,1,0.6,0
cat,0.7,1,0
car,0,0,1
";

/// One word a line, as GloVe and word2vec write them.
const VECTORS: &str = "\
the 0.1 0.1 0.1
dog 0.9 0.4 0.0
cat 0.8 0.6 0.0
car 0.1 0.0 1.0
";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("simloss-example-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let result = compare(&folder);
    fs::remove_dir_all(&folder)?;
    result
}

fn compare(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let (matrix, vectors) = (folder.join("similarity.csv"), folder.join("vectors.txt"));
    fs::write(&matrix, MATRIX)?;
    fs::write(&vectors, VECTORS)?;
    let names = CLASSES.map(str::to_owned);

    // A number in `lower_bounds` would stretch what is above it to [0, 1].
    let request = Request::new(Kind::File(matrix.clone()));
    // Of word vectors the similarity is the cosine, which is high for words that hardly relate: below l it counts as 0.
    let of_words = Request { kind: Kind::Vectors, vectors: Some(vectors), lower_bounds: vec![0.3], ..request.clone() };

    // A picture of a dog, which the network takes for a cat.
    let (logits, dog, cat) = ([4.0f32, 2.0, -1.0], Label::new(1, 3)?, Label::new(0, 3)?);
    let mut losses = vec![CrossEntropy::new(3)?.value(&logits.into(), dog)?];
    println!("cross entropy: loss {:.3}", losses[0]);
    for request in [&request, &of_words] {
        let loaded = request.load(Some(&names), None)?;
        let candidate = request.candidates(&loaded.source, names.len())?.swap_remove(0);
        let similar = candidate.similarity.get(dog, cat, &mut [0.0; 3])?;
        let loss = SimLoss::new(&candidate.similarity);
        losses.push(loss.value(&logits.into(), dog)?);
        println!(
            "{}: S[dog, cat] = {similar:.2}, loss {:.3}",
            candidate.description.similarity,
            losses[losses.len() - 1]
        );
    }
    // A mistake among animals is a small one.
    assert!(losses[1] < 0.3 * losses[0] && losses[2] < 0.3 * losses[0]);

    // What is wrong in a file is said with its place.
    fs::write(&matrix, MATRIX.replace("0.7", "seven"))?;
    let error = request.load(Some(&names), None).err().ok_or("a word is no number")?;
    let said = simloss_train::cli::commands::with_causes(&error);
    println!("refused: {}", said.replace(&format!("{}/", folder.display()), ""));
    assert!(matches!(error, Error::Similarity { .. }) && said.contains("seven") && said.contains("similarity.csv"));
    Ok(())
}
