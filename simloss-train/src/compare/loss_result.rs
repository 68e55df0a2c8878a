//! One loss of a comparison: its runs, and what all of them say together.

use crate::{
    Error,
    compare::{
        comparison::{Comparison, Series},
        manifest::Role,
        metric::{Metric, confusion},
        selection::score,
        statistics::Summary,
    },
    eval::scores::{Scores, Test},
    run::{
        diagnostics::{Bin, Details, Trust},
        record::{Ended, Record},
    },
    similarity::spec::LossDescription,
};
use serde::{Deserialize, Serialize};
use simloss_core::metrics::ConfusionTable;

/// One loss.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LossResult {
    /// Its name among the others.
    pub title: String,
    /// What it is compared as.
    pub role: Role,
    /// What it is.
    pub description: LossDescription,
    /// `r`, `l` or `b` of SimLoss and proper SimLoss.
    pub parameter: Option<f64>,
    /// Its finished runs, by seed.
    pub runs: Vec<Run>,
    /// Their epochs.
    pub curves: Vec<Vec<Point>>,
    /// Confusion counts of all runs together, row of the true class first; empty for losses that are not shown.
    pub confusion: Vec<Vec<u64>>,
    /// Calibration of all runs together, where their details are known.
    pub calibration: Option<Calibration>,
    /// The mean prediction for test samples of one class.
    pub mean_prediction: Option<MeanPrediction>,
}

/// A finished run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The loss.
    pub loss: LossDescription,
    /// The seed.
    pub seed: u64,
    /// Epochs trained.
    pub epochs: usize,
    /// The best epoch, whose parameters were kept, counted from 1.
    pub best_epoch: usize,
    /// Why training ended.
    pub ended: Ended,
    /// Scores of the validation set after the best epoch.
    pub validation: Option<Scores>,
    /// Scores of the test set under every decoder.
    pub test: Test,
    /// Superclass accuracy of the argmax on the test set, where classes have superclasses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superclass_accuracy: Option<f64>,
    /// The same among wrong classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_superclass_accuracy: Option<f64>,
    /// Every metric of the comparison.
    #[serde(skip)]
    pub metrics: Vec<Option<f64>>,
}

/// One epoch of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Counted from 1.
    pub epoch: usize,
    /// Mean training loss.
    pub train_loss: Option<f64>,
    /// What selects, on the validation set.
    pub validation: Option<f64>,
}

/// Calibration before and after temperature scaling.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// The mean of the temperatures that fit the validation sets best.
    pub temperature: f64,
    /// As trained.
    pub before: Reliability,
    /// After temperature scaling.
    pub after: Reliability,
}

/// Confidence against accuracy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reliability {
    /// Mean negative log-likelihood.
    pub nll: Option<f64>,
    /// Mean expected calibration error.
    pub ece: Option<f64>,
    /// Mean confidence and fraction of correct predictions of each bin that has samples, all runs together.
    pub bins: Vec<[f64; 2]>,
}

/// The mean prediction for test samples of one class, over all runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeanPrediction {
    /// The class.
    pub class: usize,
    /// The mean probability of each class.
    pub probabilities: Vec<f64>,
}

impl LossResult {
    pub(super) fn of(comparison: &Comparison, series: &Series, is_shown: bool) -> Result<Self, Error> {
        let runs = series.records.iter().filter_map(|record| Run::of(comparison, record).transpose());
        let curve = |record: &Record| {
            let points = record.epochs.iter().map(|epoch| Point {
                epoch: epoch.epoch,
                train_loss: epoch.train_loss,
                validation: score(comparison.selection(), &epoch.validation),
            });
            points.collect()
        };
        let classes = comparison.facts.class_names.len();
        let mut counts = ConfusionTable::in_memory(vec![0; classes * classes], classes)?;
        for outcome in series.records.iter().filter(|_| is_shown).filter_map(|record| record.result.as_ref()) {
            counts.merge(&confusion(&outcome.test.confusion)?)?;
        }
        Ok(LossResult {
            title: series.title.clone(),
            role: series.role,
            description: series.loss.clone(),
            parameter: series.parameter,
            runs: runs.collect::<Result<_, _>>()?,
            curves: series.records.iter().map(curve).collect(),
            confusion: match is_shown {
                true => counts.counts().chunks(classes).map(<[u64]>::to_vec).collect(),
                false => vec![],
            },
            calibration: Calibration::of(series),
            mean_prediction: MeanPrediction::of(series),
        })
    }
}

impl Run {
    fn of(comparison: &Comparison, record: &Record) -> Result<Option<Self>, Error> {
        let Some(outcome) = &record.result else { return Ok(None) };
        let value = |metric| comparison.metrics.value(metric, outcome);
        let best = record.epochs.iter().find(|epoch| epoch.epoch == outcome.best_epoch);
        Ok(Some(Run {
            loss: record.loss.clone(),
            seed: record.settings.seed,
            epochs: record.epochs.len(),
            best_epoch: outcome.best_epoch,
            ended: outcome.ended,
            validation: best.map(|epoch| epoch.validation.clone()),
            test: Test { confusion: vec![], ..outcome.test.clone() },
            superclass_accuracy: value(Metric::SuperclassAccuracy)?,
            failed_superclass_accuracy: value(Metric::FailedSuperclassAccuracy)?,
            metrics: comparison.metrics.list().iter().map(|&m| value(m)).collect::<Result<_, _>>()?,
        }))
    }
}

impl Calibration {
    fn of(series: &Series) -> Option<Self> {
        let mean = |of: &dyn Fn(&Details) -> Option<f64>| {
            let values: Option<Vec<f64>> = series.known().map(of).collect();
            Some(Summary::of(&values?)?.mean)
        };
        let reliability = |of: fn(&Details) -> &Trust| {
            let bins = series.known().next().map_or(0, |details| of(details).bins.len());
            let bins = (0..bins).filter_map(|b| {
                let all = series.known().filter_map(|details| of(details).bins.get(b));
                let (samples, correct, confidence) = all.fold((0u64, 0u64, 0.0), |(n, k, sum), bin: &Bin| {
                    (n + bin.samples, k + bin.right, sum + bin.confidence * bin.samples as f64)
                });
                (samples > 0).then(|| [confidence / samples as f64, correct as f64 / samples as f64])
            });
            Reliability { nll: mean(&|d| of(d).likelihood), ece: mean(&|d| of(d).calibration), bins: bins.collect() }
        };
        let temperature = mean(&|details| Some(details.temperature))?;
        Some(Calibration { temperature, before: reliability(|d| &d.before), after: reliability(|d| &d.after) })
    }
}

impl MeanPrediction {
    fn of(series: &Series) -> Option<Self> {
        let class = series.known().next()?.of_one_class.class;
        let classes = series.known().map(|d| d.of_one_class.probabilities.len()).min()?;
        let runs = series.known().count() as f64;
        let mean = |c: usize| series.known().map(|d| d.of_one_class.probabilities[c]).sum::<f64>() / runs;
        Some(MeanPrediction { class, probabilities: (0..classes).map(mean).collect() })
    }
}
