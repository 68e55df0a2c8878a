//! Decoders: what a network predicts, given its probabilities. A loss is worth its cost only if it is better under the
//! decoder that will be used.

use crate::{
    compare::{
        comparison::Comparison,
        manifest::Role,
        metric::{Better, Metric},
        pairs::{Values, paired_by_seed, shared, summary},
        statistics::{Summary, holm},
    },
    eval::scores::Answers,
    run::{diagnostics::Details, record::Record},
};
use serde::Serialize;

/// How a prediction follows from probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decoder {
    /// The class of the largest probability, as published.
    Argmax,
    /// `sum_k p[k] v[k]`.
    ExpectedValue,
    /// The first class whose cumulated probability reaches one half: it has the smallest expected absolute error.
    Median,
    /// The class whose superclass is the most probable one.
    SuperclassRisk,
}

impl Decoder {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Decoder::Argmax => "argmax",
            Decoder::ExpectedValue => "expected value",
            Decoder::Median => "median",
            Decoder::SuperclassRisk => "minimum superclass risk",
        }
    }

    /// Those that fit these metrics.
    fn fitting(metrics: &[Metric]) -> Vec<Self> {
        let mut all = vec![Decoder::Argmax];
        if metrics.contains(&Metric::Mae) {
            all.extend([Decoder::ExpectedValue, Decoder::Median]);
        }
        if metrics.contains(&Metric::SuperclassAccuracy) {
            all.push(Decoder::SuperclassRisk);
        }
        all
    }

    /// A metric of its predictions, one number a run; `None` unless every run has one.
    fn values(self, comparison: &Comparison, loss: usize, metric: Metric) -> Option<Values> {
        let series = comparison.series.get(loss)?;
        let value = |record: &Record, details: &Option<Details>| {
            let outcome = record.result.as_ref()?;
            let of = |scores: &Answers| match metric {
                Metric::Accuracy => scores.accuracy,
                Metric::Mae => scores.mae,
                Metric::Mse => scores.mse,
                _ => None,
            };
            match self {
                Decoder::Argmax => comparison.metrics.value(metric, outcome).ok().flatten(),
                Decoder::ExpectedValue => of(&outcome.test.expectation),
                Decoder::Median => of(&outcome.test.median),
                Decoder::SuperclassRisk if metric == Metric::SuperclassAccuracy => {
                    details.as_ref()?.superclass_of_least_risk
                }
                Decoder::SuperclassRisk => None,
            }
        };
        let runs = series.records.iter().zip(&series.details);
        let values: Option<Values> = runs.map(|(r, d)| Some((r.settings.seed, value(r, d)?))).collect();
        values.filter(|values| !values.is_empty())
    }
}

/// Every decoder for cross entropy and for the selected losses, in the metrics that depend on a decoder.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decoded {
    /// Accuracy, and the last of MAE and superclass accuracy that there is.
    pub metrics: Vec<Metric>,
    /// One row a decoder.
    pub rows: Vec<DecodedRow>,
}

/// One decoder.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DecodedRow {
    /// The decoder; none for always predicting the most frequent class of the training set.
    pub decoder: Option<Decoder>,
    /// Cross entropy, by metric.
    pub reference: Vec<Option<Summary>>,
    /// Each selected loss, by metric, with the corrected p value of its last metric.
    pub selected: Vec<(Vec<Option<Summary>>, Option<f64>)>,
}

/// The decoders of a comparison.
pub(crate) fn decoded(comparison: &Comparison, selected: &[usize]) -> Decoded {
    let list = comparison.metrics.list();
    let last = list.iter().rfind(|m| matches!(m, Metric::Mae | Metric::SuperclassAccuracy));
    let metrics: Vec<Metric> = std::iter::once(Metric::Accuracy).chain(last.copied()).collect();
    let tested = last.copied().unwrap_or(Metric::Accuracy);
    let (mut rows, mut tests) = (vec![], vec![]);
    for decoder in Decoder::fitting(list) {
        let values = |loss: usize, metric: Metric| decoder.values(comparison, loss, metric);
        // Where both have numbers, of the seeds that both have.
        let of = |loss: usize, metric: Metric| match (values(0, metric), values(loss, metric)) {
            (Some(reference), Some(its)) => Summary::of(&shared(&its, &reference).0),
            (_, its) => its.and_then(|its| summary(&its)),
        };
        // Of the seeds that the selected loss has too, where that is one.
        let reference = |metric: Metric| match (values(0, metric), selected) {
            (Some(reference), &[one]) => match values(one, metric) {
                Some(its) => Summary::of(&shared(&its, &reference).1),
                None => summary(&reference),
            },
            (reference, _) => reference.and_then(|values| summary(&values)),
        };
        for &loss in selected {
            let pair = values(loss, tested).zip(values(0, tested));
            tests.push(pair.and_then(|(its, reference)| paired_by_seed(comparison, &its, &reference)));
        }
        rows.push(DecodedRow {
            decoder: Some(decoder),
            reference: metrics.iter().map(|&m| reference(m)).collect(),
            selected: selected.iter().map(|&i| (metrics.iter().map(|&m| of(i, m)).collect(), None)).collect(),
        });
    }
    let mut corrected = holm(&tests.iter().flatten().map(|test| test.p).collect::<Vec<_>>()).into_iter();
    for ((_, p), test) in rows.iter_mut().flat_map(|row| &mut row.selected).zip(&tests) {
        *p = test.and_then(|_| corrected.next());
    }
    let majority = &comparison.facts.majority;
    let floor = |metric: &Metric| match metric {
        Metric::Accuracy => Summary::of(&majority.accuracy),
        Metric::Mae => Summary::of(&majority.error),
        _ => None,
    };
    let nothing = (vec![None; metrics.len()], None);
    rows.push(DecodedRow {
        decoder: None,
        reference: metrics.iter().map(floor).collect(),
        selected: vec![nothing; selected.len()],
    });
    Decoded { metrics, rows }
}

/// The best that cross entropy reaches in a metric under any decoder, and the best of SimLoss and proper SimLoss. The test
/// set selects parameters and decoders here, so p values are corrected for all of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contest {
    /// The metric.
    pub metric: Metric,
    /// Cross entropy under its best decoder.
    pub reference: Entry,
    /// The best under the argmax, then under any decoder, of each role that has runs.
    pub best: Vec<Best>,
    /// How many tests the correction covers.
    pub tests: usize,
}

/// A loss under a decoder.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// Its index among the losses.
    pub loss: usize,
    /// The decoder.
    pub decoder: Decoder,
    /// Its mean over the seeds that all losses share.
    pub mean: f64,
}

/// The best loss of a role.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Best {
    /// SimLoss or proper SimLoss.
    pub role: Role,
    /// Whether only the argmax is considered.
    pub argmax: bool,
    /// The loss and its decoder.
    pub entry: Entry,
    /// The corrected p value of no difference from the reference, where it can be tested.
    pub p: Option<f64>,
}

/// A contest in each metric in which another decoder than the argmax can be best.
pub(crate) fn contests(comparison: &Comparison, seeds: &[u64]) -> Vec<Contest> {
    let shown = [Metric::Mae, Metric::Mse, Metric::SuperclassAccuracy];
    let metrics = comparison.metrics.list().iter().filter(|metric| shown.contains(metric));
    metrics.filter_map(|&metric| contest(comparison, metric, seeds)).collect()
}

fn contest(comparison: &Comparison, metric: Metric, seeds: &[u64]) -> Option<Contest> {
    let sign = if metric.better() == Better::Higher { -1.0 } else { 1.0 };
    let decoders = Decoder::fitting(comparison.metrics.list());
    let entries = |loss: usize| -> Vec<(Entry, Values)> {
        let known = decoders.iter().filter_map(|&decoder| {
            let mut values = decoder.values(comparison, loss, metric)?;
            values.retain(|(seed, _)| seeds.contains(seed));
            Some((Entry { loss, decoder, mean: summary(&values)?.mean }, values))
        });
        known.collect()
    };
    let references = entries(0);
    let candidates: Vec<(Entry, Values)> =
        Role::SELECTED.iter().flat_map(|&role| comparison.of_role(role)).flat_map(entries).collect();
    let tests = references
        .iter()
        .flat_map(|(_, reference)| candidates.iter().map(|(_, its)| paired_by_seed(comparison, its, reference)));
    let tests: Vec<_> = tests.collect();
    let family = tests.iter().flatten().count();
    let mut corrected = holm(&tests.iter().flatten().map(|test| test.p).collect::<Vec<_>>()).into_iter();
    let corrected: Vec<Option<f64>> = tests.iter().map(|test| test.and_then(|_| corrected.next())).collect();

    let least = |of: &[(Entry, Values)], fits: &dyn Fn(&Entry) -> bool| {
        let fitting = (0..of.len()).filter(|&i| fits(&of[i].0));
        fitting.min_by(|&a, &b| (sign * of[a].0.mean).total_cmp(&(sign * of[b].0.mean)))
    };
    let reference = least(&references, &|_| true)?;
    let ways = Role::SELECTED.iter().flat_map(|&role| [true, false].map(|argmax| (role, argmax)));
    let best = ways.filter_map(|(role, argmax)| {
        let fits =
            |entry: &Entry| comparison.series[entry.loss].role == role && (!argmax || entry.decoder == Decoder::Argmax);
        let chosen = least(&candidates, &fits)?;
        Some(Best { role, argmax, entry: candidates[chosen].0, p: corrected[reference * candidates.len() + chosen] })
    });
    let best: Vec<Best> = best.collect();
    (!best.is_empty()).then(|| Contest { metric, reference: references[reference].0, best, tests: family })
}
