//! An analysis as a table for a spreadsheet: a row for each run, with every metric of its test set.

use crate::{Error, compare::analysis::Analysis, error::Expected};
use std::path::Path;

/// The bytes of `results.csv`; `path` is for errors.
///
/// # Errors
/// [`Error::Format`], which memory does not give.
pub fn render(analysis: &Analysis, path: &Path) -> Result<Vec<u8>, Error> {
    rows(analysis).map_err(|e| Error::format(path, Expected::written("a table"))(&e))
}

fn rows(analysis: &Analysis) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut csv = csv::Writer::from_writer(vec![]);
    let metrics = analysis.metrics.iter().map(|result| result.metric.key());
    csv.write_record(["loss", "seed", "best_epoch"].into_iter().chain(metrics))?;
    for loss in &analysis.losses {
        for run in &loss.runs {
            let mut row = vec![loss.title.clone(), run.seed.to_string(), run.best_epoch.to_string()];
            row.extend(run.metrics.iter().map(|value| value.map_or_else(String::new, |x| x.to_string())));
            csv.write_record(row)?;
        }
    }
    Ok(csv.into_inner()?)
}
