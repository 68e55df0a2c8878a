//! What is known of a run only with its network and data: how far its confidence can be trusted, before and after one
//! number mends it, and other answers from the same probabilities.
//!
//! Written beside the record as `details.json` when a run ends, with `samples.csv.gz`: a row for each test sample, so that
//! differences between losses can be resampled over samples. Where they are missing (or of another run) they are computed
//! from the model and the data, to the same bytes.
//!
//! | column of `samples.csv.gz` | contents |
//! |---|---|
//! | `sample` | its index in the data |
//! | `label`, `argmax` | the place of its class, and of the most probable one |
//! | `median` | that of the median class, where classes are in an order |
//! | `p` | the probability of its class |

use crate::{
    Error,
    compute::{
        loss::AnyLoss,
        samples::{Samples, Scaled},
        task::Data,
    },
    data::{Split, hex},
    error::Expected,
    eval::{
        infer::{Prediction, evaluate},
        scores::{Scorer, Values},
    },
    files,
    model::Model,
    run::record::Record,
};
use flate2::{Compression, write::GzEncoder};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use simloss_core::{
    Label,
    decoders::{CostTable, Probabilities, median},
    metrics::{ConfusionTable, Mean, fit_temperature, tempered_into},
};
use std::{io::Write, path::Path};

/// What is known of a run beyond its record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// Fingerprint of the run.
    run: String,
    /// The epoch that was kept.
    best_epoch: usize,
    /// That of greatest likelihood on the validation part.
    pub temperature: f64,
    /// Probabilities of the test part as they are.
    pub before: Trust,
    /// The same at that temperature.
    pub after: Trust,
    /// Share of right superclasses on the test part, of the answer with the least risk of a wrong one; absent where
    /// classes have none.
    pub superclass_of_least_risk: Option<f64>,
    /// What the network says of test samples of one class.
    pub of_one_class: OneClass,
    /// The same of several: of all where they are at most [`PICTURED`], else of those whose values are [`AGES`]. Absent
    /// from files of versions that did not keep them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_predictions: Option<Vec<OneClass>>,
    /// SHA-256 over the file beside it ([`SAMPLES`]), so that one that was cut short is noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    samples: Option<String>,
}

/// Up to so many classes, the mean prediction of every one is kept.
pub const PICTURED: usize = 20;

/// Of more classes in an order, such as ages, those with these values.
pub const AGES: [f64; 3] = [20.0, 40.0, 60.0];

/// The file with a row for each test sample.
pub const SAMPLES: &str = "samples.csv.gz";

/// How far confidence can be trusted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trust {
    /// Negative log-likelihood.
    pub likelihood: Option<f64>,
    /// Expected calibration error.
    pub calibration: Option<f64>,
    /// Samples by confidence, in bins of equal width.
    pub bins: Vec<Bin>,
}

/// The samples of one interval of confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// How many.
    pub samples: u64,
    /// How many are right.
    pub right: u64,
    /// Their mean confidence; 0 without samples.
    pub confidence: f64,
}

/// The mean of what a network says of samples of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OneClass {
    /// The most frequent class of the data.
    pub class: usize,
    /// Its test samples.
    pub samples: u64,
    /// The mean probability of each class.
    pub probabilities: Vec<f64>,
}

impl Trust {
    fn of(scorer: &Scorer<'_>) -> Result<Self, Error> {
        let scores = scorer.scores()?;
        let bins = scorer.bins().iter().map(|bin| Bin {
            samples: bin.count(),
            right: bin.hits(),
            confidence: bin.confidence().unwrap_or(0.0),
        });
        Ok(Trust { likelihood: scores.likelihood, calibration: scores.calibration, bins: bins.collect() })
    }
}

/// A run on its way to its details.
pub(crate) struct Finished<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) record: &'a Record,
    pub(crate) data: Data<'a>,
    /// Whether the classes are in an order.
    pub(crate) ordered: bool,
    pub(crate) superclasses: Option<&'a [u16]>,
    pub(crate) split: &'a Split,
    pub(crate) threads: usize,
}

/// Those in the folder of a finished run. A file that cannot be read is as good as none.
pub(crate) fn read(dir: &Path, record: &Record) -> Option<Details> {
    let text = std::fs::read(dir.join("details.json")).ok()?;
    let found: Details = serde_json::from_slice(&text).ok()?;
    let best_epoch = record.result.as_ref().map_or(0, |result| result.best_epoch);
    (record.is_fingerprint(&found.run) && found.best_epoch == best_epoch).then_some(found)
}

/// Those of a finished run, read where they are there, else computed and written.
///
/// # Errors
/// [`Error::File`] and [`Error::Format`] for the model; those of [`evaluate`].
pub(crate) fn of(finished: &Finished<'_>) -> Result<Details, Error> {
    let (path, rows) = (finished.dir.join("details.json"), finished.dir.join(SAMPLES));
    let model = finished.dir.join("model.safetensors");
    let record = finished.record;
    let best_epoch = record.result.as_ref().map_or(0, |result| result.best_epoch);
    let run = record.fingerprint();
    if let Some(details) = read(finished.dir, record) {
        // What a version before did not keep can be computed where there is a model.
        let table = || std::fs::read(&rows).ok().map(|bytes| hex(&Sha256::digest(bytes)));
        let whole = details.mean_predictions.is_some() && details.samples.is_some() && details.samples == table();
        if whole || !model.exists() {
            return Ok(details);
        }
    }
    let model = Model::load(&model)?;
    let (details, table) = match finished.data {
        Data::Table(table) => {
            let samples = Scaled::new(table, model.standardiser.as_ref());
            compute(finished, &model, &samples, (run, best_epoch))
        }
        Data::Images(set, _) => compute(finished, &model, set, (run, best_epoch)),
    }?;
    let mut text =
        serde_json::to_vec_pretty(&details).map_err(|e| Error::format(&path, Expected::written("details"))(&e))?;
    text.push(b'\n');
    files::replace(&rows, &[&table])?;
    files::replace(&path, &[&text])?;
    Ok(details)
}

/// The classes whose mean predictions are kept.
fn pictured(values: &[f64], ordered: bool) -> Vec<usize> {
    if values.len() <= PICTURED {
        return (0..values.len()).collect();
    }
    let place = |age: &f64| values.iter().position(|value| value == age);
    if ordered { AGES.iter().filter_map(place).collect() } else { vec![] }
}

/// The details, and the rows of [`SAMPLES`].
fn compute(
    finished: &Finished<'_>,
    model: &Model,
    samples: &dyn Samples,
    (run, best_epoch): (String, usize),
) -> Result<(Details, Vec<u8>), Error> {
    let &Finished { superclasses, split, threads, ordered, .. } = finished;
    let classes = samples.class_names().len();
    let each = |chosen: &[u32], each: &mut dyn FnMut(Prediction<'_>) -> Result<(), Error>| {
        evaluate(&model.network, &model.parameters, AnyLoss::cross_entropy(classes)?, samples, chosen, threads, each)
    };
    let (mut logits, mut labels) = (vec![], vec![]);
    each(&split.validation, &mut |prediction| {
        logits.extend_from_slice(prediction.logits);
        labels.push(prediction.label);
        Ok(())
    })?;
    let temperature: f32 = fit_temperature(&logits, &labels, &mut vec![0.0; 2 * classes])?;

    let mut counts = vec![0usize; classes];
    samples.labels().iter().for_each(|y| counts[y.index()] += 1);
    let most = counts.iter().max().copied().unwrap_or(0);
    let class = Label::new(counts.iter().position(|&n| n == most).unwrap_or(0), classes)?;

    let values = Values::of(samples.class_values());
    let (mut before, mut after) = (Scorer::new(&values)?, Scorer::new(&values)?);
    let risk = superclasses.map(|of| {
        let cost = |k: usize, c: usize| if of[k] == of[c] { 0.0f32 } else { 1.0 };
        let costs = CostTable::in_memory(vec![0.0; classes * classes], classes, cost)?;
        Ok::<_, Error>((of, costs, ConfusionTable::in_memory(vec![0; classes * classes], classes)?))
    });
    let mut risk = risk.transpose()?;
    let mut kept = pictured(samples.class_values(), ordered);
    // The most frequent class is always kept, in front.
    kept.insert(0, class.index());
    let mut means = vec![vec![Mean::new(); classes]; kept.len()];
    let mut scaled = vec![0.0; classes];
    let failed =
        |error: std::io::Error| Error::File { action: "write", path: finished.dir.join(SAMPLES), source: error };
    // The same bytes everywhere: no name, no time.
    let mut rows = GzEncoder::new(vec![], Compression::best());
    rows.write_all(b"sample,label,argmax,median,p\n").map_err(failed)?;
    each(&split.test, &mut |Prediction { sample, label, argmax, logits, probabilities, .. }| {
        before.add(logits, label, 0.0)?;
        tempered_into(logits, temperature, &mut scaled)?;
        after.add(&scaled, label, 0.0)?;
        if let Some((_, costs, confusion)) = &mut risk {
            confusion.update(label, costs.minimum_risk(Probabilities::new(probabilities)?)?)?;
        }
        for (_, means) in kept.iter().zip(&mut means).filter(|(kept, _)| **kept == label.index()) {
            means.iter_mut().zip(probabilities).try_for_each(|(mean, &p)| mean.update(p))?;
        }
        let middle = match ordered {
            true => median(Probabilities::new(probabilities)?).index().to_string(),
            false => String::new(),
        };
        let (y, p) = (label.index(), probabilities.get(label.index()).copied().unwrap_or(0.0));
        writeln!(rows, "{sample},{y},{},{middle},{p}", argmax.index()).map_err(failed)
    })?;
    let mean = |class: usize, means: &[Mean]| OneClass {
        class,
        samples: means.first().map_or(0, Mean::count),
        probabilities: means.iter().map(|mean| mean.value().unwrap_or(0.0)).collect(),
    };
    let rows = rows.finish().map_err(failed)?;
    let mut predictions = kept.iter().zip(&means).map(|(&class, means)| mean(class, means));
    let first = predictions.next();
    let details = Details {
        run,
        best_epoch,
        temperature: temperature.into(),
        before: Trust::of(&before)?,
        after: Trust::of(&after)?,
        superclass_of_least_risk: match &risk {
            Some((of, _, confusion)) => confusion.superclass_accuracy(of)?.value(),
            None => None,
        },
        of_one_class: first.unwrap_or_else(|| mean(class.index(), &[])),
        mean_predictions: Some(predictions.collect()),
        samples: Some(hex(&Sha256::digest(&rows))),
    };
    Ok((details, rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_classes_are_kept() {
        let ages: Vec<f64> = (1..91).map(f64::from).collect();
        assert_eq!(pictured(&ages, true), [19, 39, 59]);
        assert_eq!(pictured(&ages, false), [] as [usize; 0]);
        assert_eq!(pictured(&ages[..30], true), [19]);
        assert_eq!(pictured(&ages[..20], false), (0..20).collect::<Vec<_>>());
    }
}
