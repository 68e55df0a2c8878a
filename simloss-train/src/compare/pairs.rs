//! Numbers of runs, paired by their seeds.

use crate::compare::{
    comparison::Comparison,
    statistics::{self, Paired, Summary},
};

/// Numbers of runs, each with its seed.
pub(crate) type Values = Vec<(u64, f64)>;

/// The numbers of the seeds that both have, in the order of the first.
pub(crate) fn shared(values: &[(u64, f64)], reference: &[(u64, f64)]) -> (Vec<f64>, Vec<f64>) {
    let of = |seed: u64| reference.iter().find(|(other, _)| *other == seed).map(|(_, x)| *x);
    values.iter().filter_map(|&(seed, x)| Some((x, of(seed)?))).unzip()
}

/// The paired test over the seeds that both have.
pub(crate) fn paired_by_seed(
    comparison: &Comparison,
    values: &[(u64, f64)],
    reference: &[(u64, f64)],
) -> Option<Paired> {
    let (its, of) = shared(values, reference);
    let [train, _, test] = comparison.facts.parts;
    statistics::paired(&its, &of, test as f64 / train as f64)
}

/// Mean and standard deviation, whatever the seeds.
pub(crate) fn summary(values: &[(u64, f64)]) -> Option<Summary> {
    Summary::of(&values.iter().map(|(_, x)| *x).collect::<Vec<_>>())
}
