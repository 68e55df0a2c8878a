//! What is known of a run only with its network and data: how far its confidence can be trusted, before and after one
//! number mends it, and other answers from the same probabilities.
//!
//! Written beside the record as `details.json` when a run ends. Where it is missing (or of another run) it is computed
//! from the model and the data, to the same bytes.

use crate::{
    Error,
    data::Split,
    error::Expected,
    evaluate::{Prediction, evaluate},
    files,
    model::Model,
    record::Record,
    samples::{Samples, Scaled},
    score::Scorer,
    task::Data,
};
use serde::{Deserialize, Serialize};
use simloss_core::{
    Label,
    decoders::{CostTable, Probabilities},
    loss::CrossEntropy,
    metrics::{ConfusionTable, Mean, fit_temperature, tempered_into},
};
use std::path::Path;

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
}

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

/// Those of the finished run in the folder `dir`, read where they are there, else computed and written.
///
/// # Errors
/// [`Error::File`] and [`Error::Format`] for the model; those of [`evaluate`].
pub(crate) fn of(
    dir: &Path,
    record: &Record,
    data: Data<'_>,
    superclasses: Option<&[u16]>,
    split: &Split,
    threads: usize,
) -> Result<Details, Error> {
    let path = dir.join("details.json");
    let best_epoch = record.result.as_ref().map_or(0, |result| result.best_epoch);
    let run = record.fingerprint();
    // One that cannot be read is as good as none.
    let before = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Details>(&text).ok());
    if let Some(details) = before.filter(|before| before.run == run && before.best_epoch == best_epoch) {
        return Ok(details);
    }
    let model = Model::load(&dir.join("model.safetensors"))?;
    let details = match data {
        Data::Table(table) => {
            let samples = Scaled::new(table, model.standardiser.as_ref());
            compute(&model, &samples, superclasses, split, threads, (run, best_epoch))
        }
        Data::Images(set, _) => compute(&model, set, superclasses, split, threads, (run, best_epoch)),
    }?;
    let mut text =
        serde_json::to_vec_pretty(&details).map_err(|e| Error::format(&path, Expected::written("details"))(&e))?;
    text.push(b'\n');
    files::replace(&path, &[&text])?;
    Ok(details)
}

fn compute(
    model: &Model,
    samples: &dyn Samples,
    superclasses: Option<&[u16]>,
    split: &Split,
    threads: usize,
    (run, best_epoch): (String, usize),
) -> Result<Details, Error> {
    let classes = samples.class_names().len();
    let each = |chosen: &[u32], each: &mut dyn FnMut(Prediction<'_>) -> Result<(), Error>| {
        evaluate(&model.network, &model.parameters, CrossEntropy::new(classes)?, samples, chosen, threads, each)
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

    let values: Vec<f32> = samples.class_values().iter().map(|&value| value as f32).collect();
    let (mut before, mut after) = (Scorer::new(&values)?, Scorer::new(&values)?);
    let risk = superclasses.map(|of| {
        let cost = |k: usize, c: usize| if of[k] == of[c] { 0.0f32 } else { 1.0 };
        let costs = CostTable::in_memory(vec![0.0; classes * classes], classes, cost)?;
        Ok::<_, Error>((of, costs, ConfusionTable::in_memory(vec![0; classes * classes], classes)?))
    });
    let mut risk = risk.transpose()?;
    let (mut means, mut scaled) = (vec![Mean::new(); classes], vec![0.0; classes]);
    each(&split.test, &mut |Prediction { label, logits, probabilities, .. }| {
        before.add(logits, label, 0.0)?;
        tempered_into(logits, temperature, &mut scaled)?;
        after.add(&scaled, label, 0.0)?;
        if let Some((_, costs, confusion)) = &mut risk {
            confusion.update(label, costs.minimum_risk(Probabilities::new(probabilities)?)?)?;
        }
        if label == class {
            means.iter_mut().zip(probabilities).try_for_each(|(mean, &p)| mean.update(p))?;
        }
        Ok(())
    })?;
    Ok(Details {
        run,
        best_epoch,
        temperature: temperature.into(),
        before: Trust::of(&before)?,
        after: Trust::of(&after)?,
        superclass_of_least_risk: match &risk {
            Some((of, _, confusion)) => confusion.superclass_accuracy(of)?.value(),
            None => None,
        },
        of_one_class: OneClass {
            class: class.index(),
            samples: means.first().map_or(0, Mean::count),
            probabilities: means.iter().map(|mean| mean.value().unwrap_or(0.0)).collect(),
        },
    })
}
