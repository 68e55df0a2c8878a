//! README and `docs/reproduction.md`: comparisons on images, from the `results.json` of their runs.

use super::{Sections, grids::with_parameter};
use simloss_tests::documents::{self, Section, Table, paragraph, percent};
use simloss_train::{
    compare::loss_result::Run,
    compare::statistics::{SIGNIFICANCE, holm, paired},
    report::json::Results,
    run::record::Selection,
};
use std::error::Error;

const REPRODUCTION: &str = "docs/reproduction.md";
const DIGITS: &str = "folder-digits";
const FEW_FACES: [&str; 2] = ["age-utkface4k", "age-utkface4k-batch1024"];

fn results(name: &str) -> Result<Results, Box<dyn Error>> {
    let results: Results = serde_json::from_str(&documents::record(&format!("{name}.json"))?)?;
    assert!(!results.runs.is_empty(), "{name} has no runs");
    Ok(results)
}

/// Means over the seeds of each loss; `folder` leads to the records. Metrics that no record has are left out.
fn table(folder: &str, records: &[&str]) -> Result<Table, Box<dyn Error>> {
    let head =
        ["record", "loss", "seeds", "best epoch", "accuracy", "MAE", "MAE of the expected value", "SA", "FSA", "NLL"];
    let mut rows = vec![];
    for name in records {
        let results = results(name)?;
        for runs in results.runs.chunk_by(|a, b| a.loss == b.loss) {
            let mean = |of: &dyn Fn(&Run) -> Option<f64>| {
                let values: Option<Vec<f64>> = runs.iter().map(of).collect();
                values.map(|values| values.iter().sum::<f64>() / runs.len() as f64)
            };
            let fraction = |x: Option<f64>| x.map_or(String::new(), |x| percent(x, 1));
            let number = |x: Option<f64>| x.map_or(String::new(), |x| format!("{x:.2}"));
            // Distances between classes without an order mean nothing.
            let ordered = |x: Option<f64>| number(x.filter(|_| results.settings.selection == Selection::Mae));
            let loss = &runs[0].loss;
            rows.push([
                format!("[{name}]({folder}/{name}.json)"),
                match with_parameter(&loss.similarity, loss.reduction_factor, loss.lower_bound) {
                    plain if plain == "none" => "cross entropy".to_owned(),
                    of => format!("SimLoss, {of}"),
                },
                runs.len().to_string(),
                mean(&|run| Some(run.best_epoch as f64)).map_or(String::new(), |x| format!("{x:.0}")),
                fraction(mean(&|run| run.test.scores.argmax.accuracy)),
                ordered(mean(&|run| run.test.scores.argmax.mae)),
                ordered(mean(&|run| run.test.expectation.mae)),
                fraction(mean(&|run| run.superclass_accuracy)),
                fraction(mean(&|run| run.failed_superclass_accuracy)),
                number(mean(&|run| run.test.scores.likelihood)),
            ]);
        }
    }
    let is_known = |column: &usize| rows.iter().any(|row: &[String; 10]| !row[*column].is_empty());
    let columns: Vec<usize> = (0..head.len()).filter(is_known).collect();
    let mut table = Table::new(&columns.iter().map(|&c| head[c]).collect::<Vec<_>>());
    for row in &rows {
        table.row(columns.iter().map(|&c| &row[c]));
    }
    Ok(table)
}

/// The verdict on digits: paired over the seeds, corrected over both losses, that of r = 0.5 last.
fn verdict() -> Result<String, Box<dyn Error>> {
    let results = results(DIGITS)?;
    let ratio = results.data.samples[2] as f64 / results.data.samples[0] as f64;
    let [plain, others @ ..] = &results.runs.chunks(5).collect::<Vec<_>>()[..] else { return Err("no runs".into()) };
    let corrected = |of: &dyn Fn(&Run) -> Option<f64>| {
        let values = |runs: &[Run]| runs.iter().filter_map(of).collect::<Vec<_>>();
        let tests = others.iter().filter_map(|runs| paired(&values(runs), &values(plain), ratio));
        holm(&tests.map(|test| test.p).collect::<Vec<_>>())
    };
    let (fsa, accuracy) =
        (corrected(&|run| run.failed_superclass_accuracy), corrected(&|run| run.test.scores.argmax.accuracy));
    assert_eq!((fsa.len(), accuracy.len()), (2, 2));
    assert!(fsa[0] >= SIGNIFICANCE && fsa[1] < SIGNIFICANCE, "{fsa:?}");
    assert!(accuracy.iter().all(|&p| p >= SIGNIFICANCE), "{accuracy:?}");
    let nll = |runs: &[Run]| runs.iter().filter_map(|run| run.test.scores.likelihood).sum::<f64>();
    assert!(others.iter().all(|runs| nll(runs) > nll(plain)));
    Ok(paragraph(&format!(
        "**At r = 0.5, SimLoss puts significantly more of its wrong predictions in the right group (FSA, corrected p = \
         {:.3}); at r = 0.2 it does not (p = {:.3}).** The tests are paired over the five seeds and corrected over both \
         losses. Accuracy does not differ significantly, and the mean NLL is higher.",
        fsa[1], fsa[0]
    )))
}

pub fn sections() -> Sections {
    Ok(vec![
        Section::new("README.md", "images", table("docs/records", &[DIGITS])?),
        Section::new(REPRODUCTION, "images", table("records", &FEW_FACES)?),
        Section::new(REPRODUCTION, "digits-verdict", verdict()?),
    ])
}
