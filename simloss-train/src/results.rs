//! What came of a comparison, as data: a table for a spreadsheet, and one small file that says everything.
//!
//! | file | contents |
//! |---|---|
//! | `results.csv` | one row a run: loss, seed, and every measure of the test part |
//! | `results.json` | [`Results`]: data, network, settings, and every run with all its scores, without its epochs |
//!
//! Everything in them but the [`Machine`] is the same on every machine.

use crate::{
    Error,
    compare::Comparison,
    files,
    lanes::InstructionSet,
    measure::Measure,
    network::Kind,
    record::{DataDescription, Ended, LossDescription, Scores, Settings, Test, VERSION},
};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A comparison without its epochs and confusions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The version of this program.
    pub version: String,
    /// Where it ran.
    pub machine: Machine,
    /// The data; the split is that of the first seed.
    pub data: DataDescription,
    /// The network.
    pub network: Kind,
    /// The number of its parameters.
    pub parameters: usize,
    /// How it was trained; the seed is the first.
    pub settings: Settings,
    /// Every run: loss by loss, seed by seed.
    pub runs: Vec<Run>,
}

/// Where a comparison ran, which changes no result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor.
    pub processor: String,
    /// Its instructions that were used.
    pub instructions: String,
    /// Threads for all runs.
    pub threads: usize,
    /// The operating system and architecture.
    pub system: String,
}

impl Machine {
    fn this(threads: usize) -> Result<Self, Error> {
        let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let name = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Ok(Machine {
            processor: name.map_or_else(|| "unknown".to_owned(), |(_, name)| name.to_owned()),
            instructions: format!("{:?}", InstructionSet::chosen()?),
            threads,
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        })
    }
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The loss.
    pub loss: LossDescription,
    /// The seed.
    pub seed: u64,
    /// Epochs trained.
    pub epochs: usize,
    /// The one that was kept, counted from 1.
    pub best_epoch: usize,
    /// Why training ended.
    pub ended: Ended,
    /// Scores of the validation part after the epoch that was kept.
    pub validation: Option<Scores>,
    /// Scores of the test part, under every decoder.
    pub test: Test,
    /// Superclass accuracy of the most probable class on the test part, where classes are grouped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superclass_accuracy: Option<f64>,
    /// The same among wrong classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_superclass_accuracy: Option<f64>,
}

impl Results {
    /// Those of a comparison; `None` where it has no run.
    ///
    /// # Errors
    /// [`Error::Core`] for confusion matrices of other classes.
    pub fn of(comparison: &Comparison) -> Result<Option<Self>, Error> {
        let mut runs = vec![];
        let all = comparison.series.iter().flat_map(|series| &series.records);
        for record in all.clone() {
            let Some(outcome) = Comparison::outcome(record) else { continue };
            let best = outcome.best_epoch;
            runs.push(Run {
                loss: record.loss.clone(),
                seed: record.settings.seed,
                epochs: record.epochs.len(),
                best_epoch: best,
                ended: outcome.ended,
                validation: record
                    .epochs
                    .iter()
                    .find(|epoch| epoch.epoch == best)
                    .map(|epoch| epoch.validation.clone()),
                test: Test { confusion: vec![], ..outcome.test.clone() },
                superclass_accuracy: comparison.measures.value(Measure::SuperclassAccuracy, outcome)?,
                failed_superclass_accuracy: comparison.measures.value(Measure::FailedSuperclassAccuracy, outcome)?,
            });
        }
        let Some(first) = all.into_iter().next() else { return Ok(None) };
        let settings = comparison.plan.settings.clone();
        Ok(Some(Results {
            version: VERSION.to_owned(),
            machine: Machine::this(settings.threads)?,
            data: first.data.clone(),
            network: first.network.clone(),
            parameters: first.parameters,
            settings,
            runs,
        }))
    }
}

/// Writes both files, each whole or not at all.
///
/// # Errors
/// [`Error::File`]; [`Error::Core`] for confusion matrices of other classes.
pub(crate) fn write(comparison: &Comparison) -> Result<(), Error> {
    let path = |name: &str| comparison.plan.out.join(name);
    let table = path("results.csv");
    files::replace(&table, &[&csv(comparison).map_err(|e| Error::format(&table, "a table")(&e))?])?;
    let Some(results) = Results::of(comparison)? else { return Ok(()) };
    results.save(&path("results.json"))
}

impl Results {
    fn save(&self, path: &Path) -> Result<(), Error> {
        let text = serde_json::to_vec_pretty(self).map_err(|e| Error::format(path, "results")(&e))?;
        files::replace(path, &[&text, b"\n"])
    }
}

fn csv(comparison: &Comparison) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut csv = csv::Writer::from_writer(vec![]);
    let measures = comparison.measures.list();
    csv.write_record(["loss", "seed", "best_epoch"].into_iter().chain(measures.iter().map(|m| m.short())))?;
    for series in &comparison.series {
        for record in &series.records {
            let Some(outcome) = Comparison::outcome(record) else { continue };
            let mut row = vec![series.title.clone(), record.settings.seed.to_string()];
            row.push(outcome.best_epoch.to_string());
            for &measure in measures {
                let value = comparison.measures.value(measure, outcome)?;
                row.push(value.map_or_else(String::new, |x| x.to_string()));
            }
            csv.write_record(row)?;
        }
    }
    Ok(csv.into_inner()?)
}
