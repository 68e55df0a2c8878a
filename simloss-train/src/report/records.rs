//! Published records: a JSON file with one line for each run, enough to compare it with others without this program.

use crate::{
    Error,
    compare::{comparison::Comparison, metric::Metric},
    compute::network::Kind,
    error::Expected,
    eval::scores::{Answers, Scores},
    files,
    run::{
        diagnostics::{Details, OneClass, Trust},
        record::{Record, Settings},
    },
    similarity::spec::{Link, LossKind, Truth},
};
use serde::{Deserialize, Serialize};
use std::{cmp::Ordering, collections::BTreeMap, path::Path};

/// A run in a published record: all that is needed to compare it with others, without this program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The comparison that the run was trained for. Its losses are the family that a correction of tests is over; pairs
    /// are as [`Line::is_comparable`] says, so that comparisons on the same data share their cross entropy.
    pub comparison: String,
    /// Its formula, where it is another one than that of SimLoss and cross entropy.
    #[serde(default, skip_serializing_if = "LossKind::is_simloss")]
    pub loss: LossKind,
    /// `none` for cross entropy and squared EMD, else that of SimLoss, of proper SimLoss or of the soft labels.
    pub similarity: String,
    /// How the measure of a matrix becomes its similarity, where that is not as published.
    #[serde(default, skip_serializing_if = "Link::is_threshold")]
    pub link: Link,
    /// `r`, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r: Option<f64>,
    /// `l`, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l: Option<f64>,
    /// What is taken for the truth, where it is not the class.
    #[serde(default, skip_serializing_if = "Truth::is_class")]
    pub truth: Truth,
    /// The seed.
    pub seed: u64,
    /// Epochs trained.
    pub epochs: usize,
    /// The one that was kept, counted from 1.
    pub best_epoch: usize,
    /// Of the validation part, after that epoch.
    pub val: BTreeMap<String, f64>,
    /// Of the test part.
    pub test: BTreeMap<String, f64>,
    /// Test samples by confidence, as the network gives it. Absent from records of versions that did not keep them, as the
    /// two below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reliability: Option<Bins>,
    /// The same after temperature scaling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reliability_scaled: Option<Bins>,
    /// For some true classes ([`Details::mean_predictions`]), by name, the mean probability of each class, in
    /// ten-thousandths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_predictions: Option<BTreeMap<String, Vec<u32>>>,
    /// The number of classes.
    pub classes: usize,
    /// Samples to train, validate and test with.
    pub samples: [usize; 3],
    /// SHA-256 over the data.
    pub data: String,
    /// The network.
    pub network: Kind,
    /// How it was trained; the seed is the run's.
    pub settings: Settings,
    /// The version of this program.
    pub version: String,
}

/// Samples in bins of confidence of equal width: a number a bin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bins {
    /// How many samples.
    pub samples: Vec<u64>,
    /// How many of them are right.
    pub right: Vec<u64>,
    /// Their mean confidence, in ten-thousandths.
    pub confidence: Vec<u32>,
}

/// A number from 0 to 1 in a record that stays small: figures need no more digits.
fn ten_thousandths(x: f64) -> u32 {
    (x * 10_000.0).round() as u32
}

impl Bins {
    fn of(trust: &Trust) -> Self {
        let bins = &trust.bins;
        Bins {
            samples: bins.iter().map(|bin| bin.samples).collect(),
            right: bins.iter().map(|bin| bin.right).collect(),
            confidence: bins.iter().map(|bin| ten_thousandths(bin.confidence)).collect(),
        }
    }
}

/// Figures by name; those that are absent are left out.
fn figures<const N: usize>(of: [(&str, Option<f64>); N]) -> BTreeMap<String, f64> {
    of.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

impl Line {
    fn of(
        comparison: &Comparison,
        record: &Record,
        details: Option<&Details>,
        called: &str,
    ) -> Result<Option<Self>, Error> {
        let Some(outcome) = &record.result else { return Ok(None) };
        let (best, test, loss) = (outcome.best_epoch, &outcome.test, &record.loss);
        let scores = |scores: &Scores| {
            figures([
                ("loss", scores.loss),
                ("accuracy", scores.argmax.accuracy),
                ("nll", scores.likelihood),
                ("ece", scores.calibration),
                ("brier", scores.brier),
            ])
        };
        let of_answers = |prefix: &str, answers: &Answers| {
            let Answers { mae, mse, .. } = answers;
            figures([(&format!("mae{prefix}")[..], *mae), (&format!("mse{prefix}")[..], *mse)])
        };
        let kept = record.epochs.iter().find(|epoch| epoch.epoch == best).map(|epoch| &epoch.validation);
        let mut val = kept.map(scores).unwrap_or_default();
        let mut found = scores(&test.scores);
        if comparison.facts.ordered {
            val.extend(kept.map(|kept| of_answers("", &kept.argmax)).unwrap_or_default());
            for (prefix, answers) in
                [("", &test.scores.argmax), ("_expectation", &test.expectation), ("_median", &test.median)]
            {
                found.extend(of_answers(prefix, answers));
            }
            found.extend(figures([("rps", test.scores.ranked), ("kappa", test.scores.argmax.kappa)]));
        }
        let value = |metric| comparison.metrics.value(metric, outcome);
        found.extend(figures([
            ("sa", value(Metric::SuperclassAccuracy)?),
            ("fsa", value(Metric::FailedSuperclassAccuracy)?),
            ("sa_least_risk", details.and_then(|of| of.superclass_of_least_risk)),
            ("temperature", details.map(|of| of.temperature)),
            ("nll_scaled", details.and_then(|of| of.after.likelihood)),
            ("ece_scaled", details.and_then(|of| of.after.calibration)),
        ]));
        let ours = loss.similarity != "none";
        Ok(Some(Line {
            comparison: called.to_owned(),
            loss: loss.loss,
            link: loss.link,
            similarity: if ours { called.to_owned() } else { loss.similarity.clone() },
            r: loss.reduction_factor,
            l: loss.lower_bound,
            truth: loss.truth,
            seed: record.settings.seed,
            epochs: record.epochs.len(),
            best_epoch: best,
            val,
            test: found,
            reliability: details.map(|of| Bins::of(&of.before)),
            reliability_scaled: details.map(|of| Bins::of(&of.after)),
            mean_predictions: details.and_then(|of| of.mean_predictions.as_ref()).map(|all| {
                let named = all.iter().filter_map(|of| Some((record.data.class_names.get(of.class)?, of)));
                let numbers = |of: &OneClass| of.probabilities.iter().map(|&p| ten_thousandths(p)).collect();
                named.filter(|(_, of)| of.samples > 0).map(|(name, of)| (name.clone(), numbers(of))).collect()
            }),
            classes: record.data.class_names.len(),
            samples: record.data.samples,
            data: record.data.fingerprint.clone(),
            network: record.network.clone(),
            settings: record.settings.clone(),
            version: record.version.clone(),
        }))
    }
}

const RUNS: Expected = Expected::new("a record of runs", "give another file, or remove this one");

/// What is compared in a record: the comparison, and its loss.
type Compared<'a> = (&'a str, LossKind, &'a str, Link, Option<f64>, Option<f64>, Truth);

impl Line {
    fn compared(&self) -> Compared<'_> {
        (&self.comparison, self.loss, &self.similarity, self.link, self.r, self.l, self.truth)
    }

    /// Of losses in a comparison: cross entropy, SimLoss by its parameter, proper SimLoss by its parameter, squared EMD, then
    /// those with another truth.
    fn order(&self, other: &Line) -> Ordering {
        let key = |line: &Line| (line.truth, line.loss, line.similarity != "none", line.link, line.r.or(line.l));
        // No number in a JSON file is without a place.
        key(self).partial_cmp(&key(other)).unwrap_or(Ordering::Equal)
    }

    /// Whether this run and another of the same seed are a pair: of the same classes, samples, network and settings but
    /// for the seed, and threads, which change no bit.
    pub fn is_comparable(&self, other: &Line) -> bool {
        let settings = |line: &Line| Settings { seed: 0, threads: 0, ..line.settings.clone() };
        (self.classes, self.samples, &self.data) == (other.classes, other.samples, &other.data)
            && (&self.network, settings(self)) == (&other.network, settings(other))
    }
}

/// Writes all runs of a comparison to a record, in place of those that it holds of the same losses and seeds. Other runs
/// of this comparison stay where they are, so that a grid may grow in several folders, one after the other or by several
/// processes at the same time.
///
/// # Errors
/// [`Error::File`]; [`Error::Format`] for a file that is there and is no record, or that holds runs of this name on other
/// data or with other settings; [`Error::Core`].
pub(crate) fn record(comparison: &Comparison, path: &Path, called: Option<&str>) -> Result<(), Error> {
    let name = comparison.facts.kind.name();
    let called = called.unwrap_or(&name);
    files::change(path, |text| with_runs(comparison, path, called, text))
}

/// The runs of a record.
///
/// # Errors
/// [`Error::File`]; [`Error::Format`] for a file that is no record.
pub(crate) fn lines(path: &Path) -> Result<Vec<Line>, Error> {
    let text = std::fs::read(path).map_err(Error::file("read", path))?;
    serde_json::from_slice(&text).map_err(|e| Error::format(path, RUNS)(&e))
}

/// The text of a record with all runs of a comparison.
fn with_runs(comparison: &Comparison, path: &Path, called: &str, text: Option<Vec<u8>>) -> Result<Vec<u8>, Error> {
    let wrong = Error::format(path, RUNS);
    let lines = text.map(|text| serde_json::from_slice(&text)).transpose();
    let mut lines: Vec<Line> = lines.map_err(|e| wrong(&e))?.unwrap_or_default();
    for (record, details) in comparison.series.iter().flat_map(|series| series.records.iter().zip(&series.details)) {
        let Some(new) = Line::of(comparison, record, details.as_ref(), called)? else { continue };
        if let Some(other) = lines.iter().find(|line| line.comparison == called && !line.is_comparable(&new)) {
            let seed = other.seed;
            return Err(wrong(&format!(
                "its runs called {called}, such as that of seed {seed}, have other data, network or settings; give these \
                 another name with --name"
            )));
        }
        match lines.iter_mut().find(|line| line.compared() == new.compared() && line.seed == new.seed) {
            Some(line) => *line = new,
            None => lines.push(new),
        }
    }
    // Comparison by comparison, as they first came; then loss by loss, seed by seed.
    let names: Vec<String> = lines.iter().map(|line| line.comparison.clone()).collect();
    let place = |line: &Line| names.iter().position(|name| *name == line.comparison);
    lines.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| a.order(b)).then(a.seed.cmp(&b.seed)));
    let text = lines.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>();
    let text = text.map_err(|e| wrong(&e))?;
    Ok(format!("[\n{}\n]\n", text.join(",\n")).into_bytes())
}
