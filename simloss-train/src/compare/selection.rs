//! Which loss the validation set selects among those of a role.

use crate::{
    compare::{
        comparison::{Comparison, Series},
        manifest::Role,
        metric::{Better, Metric},
        statistics::Summary,
    },
    eval::scores::Scores,
    run::record::{Record, Selection},
};
use serde::Serialize;

/// The loss of a role that the validation set selects.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Selected {
    /// SimLoss or proper SimLoss.
    pub role: Role,
    /// Its index.
    pub loss: usize,
    /// Among how many.
    pub candidates: usize,
    /// Its mean score on the validation sets, over the shared seeds.
    pub score: f64,
    /// That of cross entropy.
    pub reference: Option<f64>,
}

impl Comparison {
    /// The seeds that cross entropy, every SimLoss and every proper SimLoss have finished, except those without any run.
    /// Losses are selected over these alone: some seeds are easier than others.
    pub(crate) fn shared_seeds(&self) -> Vec<u64> {
        let begun = self.series.iter().filter(|s| s.role != Role::Baseline && !s.records.is_empty());
        let seeds = |series: &Series| series.records.iter().map(|record| record.settings.seed).collect::<Vec<_>>();
        let all = begun.map(seeds).reduce(|a, b| a.into_iter().filter(|seed| b.contains(seed)).collect());
        all.unwrap_or_default()
    }

    /// The losses of a role that have runs.
    pub(crate) fn of_role(&self, role: Role) -> impl Iterator<Item = usize> {
        let all = self.series.iter().enumerate();
        all.filter(move |(_, series)| series.role == role && !series.records.is_empty()).map(|(i, _)| i)
    }

    /// What selects among losses. Training losses are not comparable between losses, so accuracy or MAE takes their place.
    pub(super) fn selection(&self) -> Selection {
        match self.settings.selection {
            Selection::Loss => self.metrics.selection(),
            other => other,
        }
    }

    /// The loss of a role with the best validation score.
    pub(super) fn selected(&self, role: Role) -> Option<Selected> {
        let metric = selecting(self.selection());
        let sign = if metric.better() == Better::Lower { 1.0 } else { -1.0 };
        let scored = self.of_role(role).filter_map(|i| Some((i, self.validated(i)?)));
        let (loss, score) = scored.min_by(|a, b| (sign * a.1).total_cmp(&(sign * b.1)))?;
        Some(Selected { role, loss, candidates: self.of_role(role).count(), score, reference: self.validated(0) })
    }

    /// The mean validation score of a loss over the [shared seeds](Self::shared_seeds).
    fn validated(&self, loss: usize) -> Option<f64> {
        let seeds = self.shared_seeds();
        let records = self.series.get(loss)?.records.iter().filter(|r| seeds.contains(&r.settings.seed));
        let validation = |record: &Record| {
            let best = record.result.as_ref()?.best_epoch;
            score(self.selection(), &record.epochs.iter().find(|epoch| epoch.epoch == best)?.validation)
        };
        Some(Summary::of(&records.map(validation).collect::<Option<Vec<f64>>>()?)?.mean)
    }
}

/// The metric that selects.
pub(crate) fn selecting(selection: Selection) -> Metric {
    if selection == Selection::Mae { Metric::Mae } else { Metric::Accuracy }
}

pub(super) fn score(selection: Selection, scores: &Scores) -> Option<f64> {
    match selecting(selection) {
        Metric::Mae => scores.argmax.mae,
        _ => scores.argmax.accuracy,
    }
}
