//! One metric of every loss: means, paired tests against cross entropy, and why some are missing.

use crate::{
    Error,
    compare::{
        comparison::{Comparison, Series},
        metric::Metric,
        pairs::{Values, paired_by_seed, shared, summary},
        statistics::{Paired, SIGNIFICANCE, Summary, holm},
    },
};
use serde::Serialize;

/// A metric of every loss.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetricResult {
    /// The metric.
    pub metric: Metric,
    /// One cell a loss; `None` where no run has such a number.
    pub cells: Vec<Option<Cell>>,
    /// Why losses with runs are not tested, each reason with the losses' indices.
    pub untested: Vec<(Untested, Vec<usize>)>,
}

/// One metric of one loss.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// One number a run; runs without one are left out.
    pub values: Values,
    /// Their mean and standard deviation.
    pub summary: Summary,
    /// The paired test against cross entropy, where one is possible.
    pub test: Option<Paired>,
    /// Its p value after Holm's correction over all losses for this metric; absent for metrics that are not tested.
    pub corrected: Option<f64>,
}

impl Cell {
    /// Whether it differs from cross entropy significantly.
    pub fn is_significant(&self) -> bool {
        self.corrected.is_some_and(|p| p < SIGNIFICANCE)
    }
}

/// Why a difference is not tested.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Untested {
    /// The difference is the same in every pair of runs, but not 0.
    NoSpread(f64),
    /// Fewer than two pairs of runs have a value.
    Values {
        /// Pairs with a value in both.
        have: usize,
        /// Pairs of runs.
        of: usize,
    },
    /// Fewer than two seeds.
    Seeds,
}

impl MetricResult {
    pub(super) fn of(comparison: &Comparison, metric: Metric) -> Result<Self, Error> {
        let mut columns: Vec<Values> = vec![];
        for series in &comparison.series {
            let mut values = vec![];
            for record in &series.records {
                let Some(outcome) = &record.result else { continue };
                values.extend(comparison.metrics.value(metric, outcome)?.map(|x| (record.settings.seed, x)));
            }
            columns.push(values);
        }
        let reference = columns.first().cloned().unwrap_or_default();
        let tests: Vec<Option<Paired>> = columns
            .iter()
            .enumerate()
            .map(|(i, values)| (i > 0).then(|| paired_by_seed(comparison, values, &reference)).flatten())
            .collect();
        let family = || tests.iter().flatten().filter(|_| metric.is_tested());
        let mut corrected = holm(&family().map(|test| test.p).collect::<Vec<_>>()).into_iter();
        let cells: Vec<Option<Cell>> = columns
            .into_iter()
            .zip(&tests)
            .map(|(values, &test)| {
                let corrected = test.and_then(|_| corrected.next());
                let summary = summary(&values)?;
                Some(Cell { values, summary, test, corrected })
            })
            .collect();
        let mut untested: Vec<(Untested, Vec<usize>)> = vec![];
        for (i, series) in comparison.series.iter().enumerate().skip(1) {
            let cell = cells.get(i).and_then(Option::as_ref);
            if !metric.is_tested() || series.records.is_empty() || cell.is_some_and(|cell| cell.corrected.is_some()) {
                continue;
            }
            let (its, of) = shared(cell.map_or(&[][..], |cell| &cell.values), &reference);
            let seeds = |series: &Series| series.records.iter().map(|r| (r.settings.seed, 0.0)).collect::<Values>();
            let pairs = shared(&seeds(series), &seeds(&comparison.series[0])).0.len();
            let why = match (its.len(), its.first().zip(of.first())) {
                (2.., Some((its, of))) => Untested::NoSpread(its - of),
                (have, _) if pairs > have => Untested::Values { have, of: pairs },
                _ => Untested::Seeds,
            };
            match untested.iter_mut().find(|(other, _)| *other == why) {
                Some((_, losses)) => losses.push(i),
                None => untested.push((why, vec![i])),
            }
        }
        Ok(MetricResult { metric, cells, untested })
    }

    /// The means of a loss and of cross entropy, over the seeds that both have.
    pub fn means(&self, loss: usize) -> Option<[f64; 2]> {
        let values = |i: usize| Some(&self.cells.get(i)?.as_ref()?.values[..]);
        let (its, reference) = shared(values(loss)?, values(0)?);
        Some([Summary::of(&its)?.mean, Summary::of(&reference)?.mean])
    }
}
