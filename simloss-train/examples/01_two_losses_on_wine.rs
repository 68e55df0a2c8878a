//! Two losses on real data: does SimLoss grade wine better than cross entropy, and is that more than chance?
//!
//!     cargo run -p simloss-train --example 01_two_losses_on_wine
//!
//! What `simloss train table` does for a whole grid, with records, models and a report, in a few lines of the library.
//! The mathematics is all in simloss-core: begin with its examples. Next: 02_your_own_similarity.

use simloss_core::loss::{CrossEntropy, SimLoss};
use simloss_train::{
    Error,
    compare::statistics::paired,
    data::{Split, read::wine},
    run::{
        record::{Record, Selection, Settings},
        train::{Objective, run},
    },
    similarity::{Kind, Request, Source, spec::LossDescription},
};

const SEEDS: [u64; 3] = [1, 2, 3];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // 1,599 red wines, 11 measurements each, graded 3 to 8: six classes in an order. `data::read::csv::read` reads a file of yours.
    let table = wine::table()?;
    let classes = table.data.classes();

    // S[i, j] = 0.5^|i - j|: one grade off counts half.
    let request = Request { reduction_factors: vec![0.5], ..Request::new(Kind::Order) };
    let order = request.candidates(&Source::Order, classes)?.swap_remove(0);

    let (mut plain, mut ordinal) = (vec![], vec![]);
    for seed in SEEDS {
        // The same split, first parameters and order of samples for both losses: they are compared pair by pair.
        let split = Split::stratified(&table.data, seed)?;
        let settings = Settings {
            epochs: 30,
            batch: 64,
            rate: 0.01,
            patience: None,
            seed,
            hidden: vec![16],
            augmentation: None,
            selection: Selection::Mae,
            threads: 1, // more change the speed, and no bit
        };
        let description = LossDescription::cross_entropy();
        let loss = Objective::new(CrossEntropy::new(classes)?, &description);
        plain.push(error(&run(&settings, loss, &table.data, &split, None, &mut ())?)?);
        let loss = Objective::new(SimLoss::new(&order.similarity), &order.description);
        ordinal.push(error(&run(&settings, loss, &table.data, &split, None, &mut ())?)?);
    }
    println!("mean absolute error of the grade on the test part, seeds {SEEDS:?}:");
    println!("cross entropy   {plain:.4?}");
    println!("SimLoss         {ordinal:.4?}");

    // The splits overlap, so the t test is the corrected one: a test part of 20 % for a training part of 60 %.
    let test = paired(&ordinal, &plain, 20.0 / 60.0).ok_or("no test is possible")?;
    let sure = if test.p < 0.05 { "more than chance" } else { "not more than chance" };
    println!("difference {:+.4}, p = {:.2}: {sure}", test.difference.mean, test.p);

    assert_eq!((plain.len(), ordinal.len()), (3, 3));
    // Always answering the most frequent grade is 0.67 off.
    assert!(plain.iter().chain(&ordinal).all(|error| *error < 0.55));
    Ok(())
}

/// How far the most probable grade is from the true one, on average.
fn error(record: &Record) -> Result<f64, Error> {
    let unfinished = || Error::Usage("the run did not finish".into());
    record.result.as_ref().and_then(|result| result.test.scores.argmax.mae).ok_or_else(unfinished)
}
