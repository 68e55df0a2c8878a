//! The claims of the published paper, decided by the runs of a comparison.

use crate::{
    compare::{
        loss_result::LossResult,
        manifest::{Facts, Role, Samples},
        metric::Metric,
        metric_result::MetricResult,
    },
    compute::network::Kind as Network,
};
use serde::Serialize;

/// A claim of arXiv 2003.03182.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// 1. Significant gains over cross entropy in several metrics.
    SeveralGains,
    /// 2. On CIFAR-100, a weak influence of the similarity (`l >= 0.9`) improves accuracy.
    WeakInfluence,
    /// 3. On CIFAR-100, a strong influence (`l <= 0.3`) improves superclass accuracy.
    StrongInfluence,
    /// 4. On ages, `r` trades accuracy against MAE.
    Trade,
}

/// What runs say of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Significant differences as claimed.
    Confirmed,
    /// No such significant differences.
    NotConfirmed,
    /// No run of the losses that it speaks of is tested.
    NotTestable,
}

/// A claim with its verdict and evidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decided {
    /// The claim.
    pub claim: Claim,
    /// The verdict.
    pub verdict: Verdict,
    /// The significant differences that it rests on.
    pub evidence: Vec<Evidence>,
}

/// A significant difference from cross entropy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// In this metric,
    pub metric: Metric,
    /// of the loss of this index,
    pub loss: usize,
    /// by this mean difference
    pub difference: f64,
    /// and effect size.
    pub effect: f64,
}

/// The claims that a comparison of this kind can decide.
pub(crate) fn decided(facts: &Facts, losses: &[LossResult], metrics: &[MetricResult]) -> Vec<Decided> {
    let Samples::Image { network, .. } = &facts.samples else { return vec![] };
    let (ages, cifar) = (matches!(network, Network::Ages { .. }), matches!(network, Network::LeNet { .. }));
    let ours = |loss: &LossResult| matches!(loss.role, Role::SimLoss | Role::Proper);
    let bounded = losses.iter().any(|loss| ours(loss) && loss.description.lower_bound.is_some());
    // The paper speaks of SimLoss alone.
    let speaks_of = |loss: &LossResult, which: &dyn Fn(f64) -> bool| {
        loss.role == Role::SimLoss && loss.parameter.is_some_and(which)
    };
    let of = |metric: Metric, which: &dyn Fn(f64) -> bool| {
        let found = metrics.iter().find(|result| result.metric == metric);
        let cells = found.into_iter().flat_map(|result| result.cells.iter().enumerate());
        let fitting = cells.filter(|&(i, _)| losses.get(i).is_some_and(|loss| speaks_of(loss, which)));
        fitting.filter_map(|(i, cell)| Some((i, cell.as_ref()?))).collect::<Vec<_>>()
    };
    let significant = |metric: Metric, better: bool, which: &dyn Fn(f64) -> bool| -> Vec<Evidence> {
        let cells = of(metric, which).into_iter().filter(|(_, cell)| cell.is_significant());
        let tests = cells.filter_map(|(loss, cell)| Some((loss, cell.test?)));
        let fitting = tests.filter(|(_, test)| metric.improves(test.difference.mean) == better);
        fitting
            .map(|(loss, test)| Evidence { metric, loss, difference: test.difference.mean, effect: test.effect })
            .collect()
    };
    let testable = |metric: Metric, which: &dyn Fn(f64) -> bool| {
        of(metric, which).iter().any(|(_, cell)| cell.corrected.is_some())
    };
    let decide = |claim: Claim, testable: bool, holds: bool, evidence: Vec<Evidence>| {
        let (verdict, evidence) = match (testable, holds && !evidence.is_empty()) {
            (false, _) => (Verdict::NotTestable, vec![]),
            (true, true) => (Verdict::Confirmed, evidence),
            (true, false) => (Verdict::NotConfirmed, evidence),
        };
        Decided { claim, verdict, evidence }
    };
    let all = |_| true;
    let mut claims = vec![];
    if ages || cifar {
        let tested = metrics.iter().map(|result| result.metric).filter(|metric| metric.is_tested());
        let gains: Vec<Vec<Evidence>> = tested.map(|metric| significant(metric, true, &all)).collect();
        let several = gains.iter().filter(|gains| !gains.is_empty()).count() > 1;
        claims.push(decide(Claim::SeveralGains, testable(Metric::Accuracy, &all), several, gains.concat()));
    }
    if cifar && bounded {
        let weak = |l: f64| l >= 0.9;
        let gains = significant(Metric::Accuracy, true, &weak);
        claims.push(decide(Claim::WeakInfluence, testable(Metric::Accuracy, &weak), true, gains));
        let strong = |l: f64| l <= 0.3;
        let mut gains = significant(Metric::SuperclassAccuracy, true, &strong);
        gains.extend(significant(Metric::FailedSuperclassAccuracy, true, &strong));
        claims.push(decide(Claim::StrongInfluence, testable(Metric::SuperclassAccuracy, &strong), true, gains));
    }
    if ages {
        let (gains, losses) = (significant(Metric::Mae, true, &all), significant(Metric::Accuracy, false, &all));
        let both = gains.iter().any(|gain| losses.iter().any(|loss| gain.loss == loss.loss));
        claims.push(decide(Claim::Trade, testable(Metric::Mae, &all), both, [gains, losses].concat()));
    }
    claims
}
