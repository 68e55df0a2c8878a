//! Everything that reports say of a comparison, computed once from its runs. It is plain data: what renders it computes
//! nothing.

use crate::{
    Error,
    compare::{
        claims::{self, Decided},
        comparison::Comparison,
        decoder::{self, Contest, Decoded},
        loss_result::LossResult,
        manifest::{Facts, Role},
        metric::Metric,
        metric_result::MetricResult,
        pairs::{Values, shared},
        selection::Selected,
        statistics::Summary,
    },
    compute::network::Kind,
    run::record::{DataDescription, Selection, Settings},
    similarity::{describe::Description, rebuilt},
};
use serde::Serialize;

/// What came of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Analysis {
    /// The data, the network and the similarity.
    pub facts: Facts,
    /// The data as the first run describes them.
    pub data: DataDescription,
    /// How runs are trained; the seed is the first.
    pub settings: Settings,
    /// The network,
    pub network: Kind,
    /// and the number of its parameters.
    pub parameters: usize,
    /// The seeds; each is that of one pair of runs.
    pub seeds: Vec<u64>,
    /// Every loss, cross entropy first.
    pub losses: Vec<LossResult>,
    /// Every metric, in the order of columns.
    pub metrics: Vec<MetricResult>,
    /// What selects among the parameters of a loss, on the validation set.
    pub selection: Selection,
    /// The selected SimLoss, then the selected proper SimLoss.
    pub selected: Vec<Selected>,
    /// Cross entropy and the selected losses under every decoder.
    pub decoded: Decoded,
    /// The best of each under any decoder.
    pub contests: Vec<Contest>,
    /// Accuracy of cross entropy, and of always predicting the most frequent class, over the same seeds.
    pub floor: Option<[f64; 2]>,
    /// The published claims that these runs can decide.
    pub claims: Vec<Decided>,
    /// The similarities of the selected losses, by title.
    pub similarities: Vec<(String, Description)>,
    /// What the files of the comparison do not say.
    pub missing: Vec<&'static str>,
}

impl Analysis {
    /// Of finished runs.
    ///
    /// # Errors
    /// [`Error::Usage`] without any run; [`Error::Core`] for confusion matrices of other classes, and for a similarity that
    /// cannot be built again.
    pub fn of(comparison: &Comparison) -> Result<Self, Error> {
        let facts = comparison.facts.clone();
        let Some(first) = comparison.series.iter().flat_map(|series| &series.records).next() else {
            return Err(Error::Usage(format!("{} holds no finished run", comparison.runs().display())));
        };
        let list = comparison.metrics.list();
        let metrics = list.iter().map(|&m| MetricResult::of(comparison, m)).collect::<Result<Vec<_>, _>>()?;
        let selected: Vec<Selected> = Role::SELECTED.iter().filter_map(|&role| comparison.selected(role)).collect();
        let of_selected: Vec<usize> = selected.iter().map(|of| of.loss).collect();
        let is_shown = |i: usize| i == 0 || of_selected.contains(&i);
        let losses =
            comparison.series.iter().enumerate().map(|(i, series)| LossResult::of(comparison, series, is_shown(i)));
        let losses = losses.collect::<Result<Vec<_>, _>>()?;
        let accuracy = metrics.first().and_then(|result| result.cells.first()?.as_ref());
        let majority: Values = comparison.seeds().into_iter().zip(facts.majority.accuracy.iter().copied()).collect();
        let floor = accuracy.and_then(|network| {
            let (network, majority) = shared(&network.values, &majority);
            Some([Summary::of(&network)?.mean, Summary::of(&majority)?.mean])
        });
        let mut similarities: Vec<(String, Description)> = vec![];
        let mut seen = vec![];
        for loss in of_selected.iter().filter_map(|&i| losses.get(i)) {
            let description = &loss.description;
            if let Some(source) = facts.source().filter(|_| !seen.contains(&&description.fingerprint)) {
                let similarity = rebuilt(&source, facts.class_names.len(), description)?;
                let title = description.parameter().unwrap_or_else(|| description.similarity.clone());
                similarities.push((title, Description::of(&similarity)?));
                seen.push(&description.fingerprint);
            }
        }
        Ok(Analysis {
            data: first.data.clone(),
            settings: comparison.settings.clone(),
            network: first.network.clone(),
            parameters: first.parameters,
            seeds: comparison.seeds(),
            selection: comparison.selection(),
            decoded: decoder::decoded(comparison, &of_selected),
            contests: decoder::contests(comparison, &comparison.shared_seeds()),
            floor,
            claims: claims::decided(&facts, &losses, &metrics),
            similarities,
            missing: comparison.missing.clone(),
            facts,
            losses,
            metrics,
            selected,
        })
    }

    /// The cells of a metric, if the comparison has it.
    pub fn metric(&self, metric: Metric) -> Option<&MetricResult> {
        self.metrics.iter().find(|result| result.metric == metric)
    }

    /// A loss that was selected among those of its role.
    pub fn selected(&self, role: Role) -> Option<&Selected> {
        self.selected.iter().find(|selected| selected.role == role)
    }

    /// How many runs are finished, and how many there are.
    pub fn finished(&self) -> [usize; 2] {
        [self.losses.iter().map(|loss| loss.runs.len()).sum(), self.losses.len() * self.seeds.len()]
    }
}
