//! What came of a comparison: its runs, what they were for, and the tests between them. It is read from the files of the
//! runs; the data are not needed.

use crate::{
    Error,
    compare::{
        manifest::{self, COMPARISON, Facts, MANIFEST, Manifest, REPORT, RUNS, Role, named, run_folder},
        metric::{Measure, Measures, confusion},
        statistics::{Paired, Summary, holm, paired},
    },
    run::{
        diagnostics::{self, Details},
        record::{Outcome, Record, Selection, Settings},
    },
    similarity::spec::{Link, LossDescription},
};
use simloss_core::metrics::ConfusionTable;
use std::path::{Path, PathBuf};

/// All runs, and what they were for.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The folder.
    pub out: PathBuf,
    /// What reports say beyond the runs.
    pub facts: Facts,
    /// How runs are trained; the seed is the first.
    pub settings: Settings,
    /// How many seeds, one after the other.
    pub seeds: usize,
    /// What is measured.
    pub measures: Measures,
    /// Cross entropy first.
    pub series: Vec<Series>,
    /// What its files do not say, and a report leaves out.
    pub missing: Vec<&'static str>,
}

/// The runs of one loss, one for each seed.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its name among the others: `cross entropy`, `r = 0.3`.
    pub title: String,
    /// Its folder among the others.
    pub folder: String,
    /// What it is compared as.
    pub role: Role,
    /// What it is.
    pub loss: LossDescription,
    /// `r`, `l` or `b` of SimLoss and of proper SimLoss, where there is one.
    pub parameter: Option<f64>,
    /// Those that are finished, by seed.
    pub records: Vec<Record>,
    /// What else is known of each; `None` where the file is missing.
    pub details: Vec<Option<Details>>,
}

impl Series {
    /// What is known beyond the records.
    pub fn known(&self) -> impl Iterator<Item = &Details> {
        self.details.iter().flatten()
    }
}

/// One measure of one loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// One number a run, with its seed; runs without one, where nothing was counted, are left out.
    pub values: Vec<(u64, f64)>,
    /// Their mean and spread.
    pub summary: Summary,
    /// The paired test against cross entropy; absent for cross entropy itself and where no test is possible.
    pub test: Option<Paired>,
    /// Its p value after Holm's correction over all losses for this measure.
    pub corrected: Option<f64>,
}

impl Cell {
    /// Whether it differs from cross entropy by more than chance.
    pub fn is_significant(&self) -> bool {
        self.corrected.is_some_and(|p| p < crate::compare::statistics::SIGNIFICANCE)
    }
}

/// The seeds of a comparison.
pub(crate) fn seeds(settings: &Settings, count: usize) -> Vec<u64> {
    (0..count as u64).map(|i| settings.seed.wrapping_add(i)).collect()
}

/// The record in the folder of a run, if there is one, of these data, this loss and these settings.
///
/// # Errors
/// [`Error::OtherRun`] for any other run, [`Error::File`], [`Error::Format`].
pub(crate) fn recorded(
    run: &Path,
    data: &str,
    loss: &LossDescription,
    settings: &Settings,
) -> Result<Option<Record>, Error> {
    let path = run.join("record.json");
    if !path.try_exists().map_err(Error::file("read", &path))? {
        return Ok(None);
    }
    let record = Record::load(&path)?;
    let other = (record.data.fingerprint != data).then(|| ("data", record.data.fingerprint.clone(), data.to_owned()));
    let other = other.or_else(|| record.loss.other(loss)).or_else(|| record.other_settings(settings));
    match other {
        Some((what, recorded, asked)) => Err(Error::OtherRun { path, what, recorded, asked }),
        None => Ok(Some(record)),
    }
}

/// What is finished of each loss, one for each seed.
pub(crate) type Finished = Vec<Option<(Record, Option<Details>)>>;

impl Comparison {
    /// Of finished runs: for each loss of the manifest, one for each seed.
    ///
    /// # Errors
    /// [`Error::Core`] for a similarity that cannot be built again.
    pub(crate) fn of(out: PathBuf, manifest: Manifest, facts: Facts, finished: Vec<Finished>) -> Result<Self, Error> {
        let measures = Measures::of(&facts, &manifest.losses)?;
        let series = manifest.losses.iter().zip(finished).map(|(description, finished)| {
            let (title, folder, role) = named(&facts.kind, description);
            let parameter = match (role, description.link) {
                (Role::CrossEntropy | Role::Baseline, _) => None,
                (_, Link::Exp(b)) => Some(b),
                (_, Link::Threshold | Link::Hull) => description.reduction_factor.or(description.lower_bound),
            };
            let (records, details) = finished.into_iter().flatten().unzip();
            Series { title, folder, role, loss: description.clone(), parameter, records, details }
        });
        let series = series.collect();
        let Manifest { settings, seeds, .. } = manifest;
        Ok(Comparison { out, facts, settings, seeds, measures, series, missing: vec![] })
    }

    /// What a folder holds. Nothing else is read, least of all the data.
    ///
    /// # Errors
    /// As [`Manifest::read`]; [`Error::Usage`] where no run is finished; [`Error::OtherRun`] for runs that are not of this
    /// comparison; [`Error::File`] and [`Error::Format`].
    pub fn read(out: &Path) -> Result<Self, Error> {
        let mut manifest = Manifest::read(out)?;
        // Those of this machine: the file does not say them, since they change no result.
        manifest.settings.threads = std::thread::available_parallelism().map_or(1, usize::from);
        let facts = manifest.facts.take();
        let kind = facts.as_ref().map_or_else(|| manifest::kind(&manifest.losses), |facts| facts.kind.clone());
        let mut finished = vec![];
        for loss in &manifest.losses {
            let (_, folder, _) = named(&kind, loss);
            let mut of_loss = vec![];
            for seed in seeds(&manifest.settings, manifest.seeds) {
                let run = run_folder(out, &folder, seed);
                let asked = Settings { seed, ..manifest.settings.clone() };
                let is_finished = |record: &Record| record.result.is_some() && record.settings.epochs == asked.epochs;
                let record = recorded(&run, &manifest.data, loss, &asked)?.filter(is_finished);
                of_loss.push(record.map(|record| {
                    let details = diagnostics::read(&run, &record);
                    (record, details)
                }));
            }
            finished.push(of_loss);
        }
        let runs = || finished.iter().flatten().flatten();
        let Some((first, _)) = runs().next() else {
            let runs = out.join(RUNS);
            return Err(Error::Usage(format!("{} holds no finished run of this comparison", runs.display())));
        };
        let (facts, mut missing) = match facts {
            Some(facts) if facts.class_names != first.data.class_names => {
                let problem = "its classes are not those of its runs";
                return Err(Error::format(out.join(MANIFEST), COMPARISON)(&problem));
            }
            Some(facts) => (facts, vec![]),
            None => Facts::of_run(&manifest.losses, first),
        };
        if runs().any(|(_, details)| details.is_none()) {
            missing.push("calibration after temperature scaling and mean predictions of runs without details.json");
        }
        let comparison = Comparison::of(out.to_owned(), manifest, facts, finished)?;
        Ok(Comparison { missing, ..comparison })
    }

    /// How many runs are finished, and how many there are.
    pub fn finished(&self) -> [usize; 2] {
        let done = self.series.iter().map(|series| series.records.len()).sum();
        [done, self.series.len() * self.seeds]
    }

    /// Test samples by training samples, which the paired test needs.
    pub fn test_to_train(&self) -> f64 {
        self.facts.parts[2] as f64 / self.facts.parts[0] as f64
    }

    /// The result of a run.
    pub(crate) fn outcome(record: &Record) -> Option<&Outcome> {
        record.result.as_ref()
    }

    /// The paired test of two losses over the seeds that both have.
    pub fn paired(&self, values: &[(u64, f64)], reference: &[(u64, f64)]) -> Option<Paired> {
        let (a, b) = pairs(values, reference);
        paired(&a, &b, self.test_to_train())
    }

    /// The seeds, each that of one pair of runs.
    pub fn seeds(&self) -> Vec<u64> {
        seeds(&self.settings, self.seeds)
    }

    /// The seeds that cross entropy, every SimLoss and every proper SimLoss have finished, but for those of them without any
    /// run. Among losses with other seeds nothing is chosen: some seeds are easier than others.
    pub fn common_seeds(&self) -> Vec<u64> {
        let begun = self.series.iter().filter(|s| s.role != Role::Baseline && !s.records.is_empty());
        let seeds = |series: &Series| series.records.iter().map(|record| record.settings.seed).collect::<Vec<_>>();
        let all = begun.map(seeds).reduce(|a, b| a.into_iter().filter(|seed| b.contains(seed)).collect());
        all.unwrap_or_default()
    }

    /// The cells of a measure, one a series; `None` where no run has such a number.
    ///
    /// # Errors
    /// [`Error::Core`] for confusion matrices of other classes.
    pub fn cells(&self, measure: Measure) -> Result<Vec<Option<Cell>>, Error> {
        let mut columns = Vec::with_capacity(self.series.len());
        for series in &self.series {
            let mut values = Vec::with_capacity(series.records.len());
            for record in &series.records {
                let Some(outcome) = Self::outcome(record) else { continue };
                values.extend(self.measures.value(measure, outcome)?.map(|x| (record.settings.seed, x)));
            }
            columns.push(values);
        }
        let reference = columns.first().cloned().unwrap_or_default();
        let test = |(i, values): (usize, &Vec<_>)| match i > 0 && measure.is_tested() {
            true => self.paired(values, &reference),
            false => None,
        };
        let tests: Vec<Option<Paired>> = columns.iter().enumerate().map(test).collect();
        let mut corrected = holm(&tests.iter().flatten().map(|test| test.p).collect::<Vec<_>>()).into_iter();
        Ok(columns
            .into_iter()
            .zip(tests)
            .map(|(values, test)| {
                let corrected = test.and_then(|_| corrected.next());
                let summary = summary(&values)?;
                Some(Cell { values, summary, test, corrected })
            })
            .collect())
    }

    /// The series of SimLoss with the best [score](Self::validated) on the validation parts, where the test parts have no
    /// say.
    pub fn chosen(&self) -> Option<usize> {
        self.chosen_of(Role::SimLoss)
    }

    /// The same of any role.
    pub fn chosen_of(&self, role: Role) -> Option<usize> {
        let scored = self.of_role(role).filter_map(|i| Some((i, self.validated(i)?)));
        // The loss that is trained with is another one in each series, and cannot choose among them.
        let sign = if self.choice() == Selection::Mae { 1.0 } else { -1.0 };
        scored.min_by(|a, b| (sign * a.1).total_cmp(&(sign * b.1))).map(|(i, _)| i)
    }

    /// The series that are shown beside cross entropy: the chosen SimLoss and the chosen proper SimLoss.
    pub(crate) fn all_chosen(&self) -> Vec<usize> {
        Role::CHOSEN.iter().filter_map(|&role| self.chosen_of(role)).collect()
    }

    /// The series of SimLoss that have runs.
    pub fn ours(&self) -> impl Iterator<Item = usize> {
        self.of_role(Role::SimLoss)
    }

    /// The series of a role that have runs.
    pub fn of_role(&self, role: Role) -> impl Iterator<Item = usize> {
        let all = self.series.iter().enumerate();
        all.filter(move |(_, series)| series.role == role && !series.records.is_empty()).map(|(i, _)| i)
    }

    /// The mean score of a series on the validation parts, over the [common seeds](Self::common_seeds).
    pub fn validated(&self, series: usize) -> Option<f64> {
        let seeds = self.common_seeds();
        let records = self.series.get(series)?.records.iter().filter(|r| seeds.contains(&r.settings.seed));
        let scores: Option<Vec<f64>> = records.map(|record| self.validation(record)).collect();
        Summary::of(&scores?).map(|summary| summary.mean)
    }

    /// What chooses among the losses.
    pub fn choice(&self) -> Selection {
        match self.settings.selection {
            Selection::Loss => self.measures.selection(),
            other => other,
        }
    }

    fn validation(&self, record: &Record) -> Option<f64> {
        let best = Self::outcome(record)?.best_epoch;
        let scores = &record.epochs.iter().find(|epoch| epoch.epoch == best)?.validation;
        match self.choice() {
            Selection::Mae => scores.argmax.mae,
            Selection::Accuracy | Selection::Loss => scores.argmax.accuracy,
        }
    }

    /// The confusion counts of a series, all seeds together, row of the true class first.
    ///
    /// # Errors
    /// [`Error::Core`] for confusion matrices of other classes.
    pub fn confusion(&self, series: usize) -> Result<Vec<Vec<u64>>, Error> {
        let classes = self.facts.class_names.len();
        let mut sum = ConfusionTable::in_memory(vec![0; classes * classes], classes)?;
        for outcome in self.series.get(series).iter().flat_map(|s| &s.records).filter_map(Self::outcome) {
            sum.merge(&confusion(&outcome.test.confusion)?)?;
        }
        Ok(sum.counts().chunks(classes).map(<[u64]>::to_vec).collect())
    }

    /// The file with the report.
    pub fn report(&self) -> PathBuf {
        self.out.join(REPORT)
    }

    /// The folder with the runs.
    pub fn runs(&self) -> PathBuf {
        self.out.join(RUNS)
    }
}

/// The numbers of the seeds that both have, in the order of the first.
pub(crate) fn pairs(values: &[(u64, f64)], reference: &[(u64, f64)]) -> (Vec<f64>, Vec<f64>) {
    let of = |seed: u64| reference.iter().find(|(other, _)| *other == seed).map(|(_, x)| *x);
    values.iter().filter_map(|&(seed, x)| Some((x, of(seed)?))).unzip()
}

/// Mean and spread, whatever the seeds.
pub(crate) fn summary(values: &[(u64, f64)]) -> Option<Summary> {
    Summary::of(&values.iter().map(|(_, x)| *x).collect::<Vec<_>>())
}
