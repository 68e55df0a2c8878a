//! Cross entropy against SimLoss over a grid, with paired seeds.
//!
//! ```text
//! for each seed: one split, one set of first parameters, one order of samples, the same for every loss
//!     for each loss: a run
//! ```
//!
//! # Files of the output folder
//! | file | contents |
//! |---|---|
//! | `comparison.json` | what is compared: marks the folder as one that holds a comparison |
//! | `runs/<loss>/seed-<n>/` | the files of a [`run`](crate::run) |
//! | `results.csv`, `results.json` | what came of every run ([`results`]) |
//! | `report.html` | the report |
//!
//! Runs on a table compute with one thread each, and as many run at a time as there are threads; runs on images, one
//! after the other, compute with all of them. Results do not depend on it.

use crate::{
    Error,
    data::Split,
    files,
    lanes::InstructionSet,
    measure::{Measure, Measures, confusion},
    progress::Progress,
    record::{LossDescription, Outcome, Record, Selection, Settings, VERSION},
    results,
    run::{OutDir, run},
    similarity::{AnySimilarity, Candidate, Kind, Source},
    statistics::{Paired, Summary, holm, paired},
    task::Task,
};
use serde::{Deserialize, Serialize};
use simloss_core::{
    Label,
    loss::{CrossEntropy, SimLoss},
    metrics::ConfusionTable,
};
use std::{
    fs,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// What to compare, on what, and where to write.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The samples.
    pub task: Task,
    /// The kind of similarity.
    pub kind: Kind,
    /// What its candidates were built from.
    pub source: Source,
    /// What is compared with cross entropy.
    pub candidates: Vec<Candidate>,
    /// How to train. The seed is that of the first run; `threads` is how many threads there are for all runs.
    pub settings: Settings,
    /// How many seeds, one after the other.
    pub seeds: usize,
    /// The output folder.
    pub out: PathBuf,
    /// What to do with a comparison that is there.
    pub existing: Existing,
}

/// What to do with a comparison that the output folder already holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Refuse to start.
    Keep,
    /// Go on with it: finished runs are read, unfinished ones continued.
    Resume,
    /// Remove its runs and start again.
    Replace,
}

/// The runs of one loss, one for each seed.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its name among the others: `cross entropy`, `r = 0.3`.
    pub title: String,
    /// `r` or `l`, where there is one.
    pub parameter: Option<f64>,
    /// By seed.
    pub records: Vec<Record>,
}

/// What always answering the most frequent class of the training part scores on the test part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Majority {
    /// Accuracy, by seed.
    pub accuracy: Vec<f64>,
    /// Mean absolute error of the values, by seed.
    pub error: Vec<f64>,
}

/// All runs, and what they were for.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What was asked for.
    pub plan: Plan,
    /// What is measured.
    pub measures: Measures,
    /// Cross entropy first.
    pub series: Vec<Series>,
    /// The floor.
    pub majority: Majority,
    /// Samples to train, validate and test with.
    pub samples: [usize; 3],
}

/// One measure of one loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// One number a seed.
    pub values: Vec<f64>,
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
        self.corrected.is_some_and(|p| p < crate::statistics::SIGNIFICANCE)
    }
}

/// What marks a folder as one that holds a comparison.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    version: String,
    data: String,
    losses: Vec<LossDescription>,
    seeds: usize,
    settings: Settings,
}

const MANIFEST: &str = "comparison.json";
const RUNS: &str = "runs";

/// The loss of a series.
enum Loss<'a> {
    CrossEntropy,
    SimLoss(&'a AnySimilarity),
}

struct Contender<'a> {
    title: String,
    folder: String,
    parameter: Option<f64>,
    loss: Loss<'a>,
    description: LossDescription,
}

impl Plan {
    fn contenders(&self) -> Vec<Contender<'_>> {
        let none = LossDescription {
            similarity: Kind::None.name(),
            reduction_factor: None,
            lower_bound: None,
            fingerprint: None,
        };
        let mut all = vec![Contender {
            title: "cross entropy".into(),
            folder: "cross-entropy".into(),
            parameter: None,
            loss: Loss::CrossEntropy,
            description: none,
        }];
        for Candidate { description, similarity } in &self.candidates {
            if matches!(similarity, AnySimilarity::None(_)) {
                continue;
            }
            let kind = match &self.kind {
                Kind::File(_) => "file".to_owned(),
                other => other.name(),
            };
            let (title, folder) = match (description.reduction_factor, description.lower_bound) {
                (Some(r), _) => (format!("r = {r}"), format!("{kind}-r{r}")),
                (None, Some(l)) => (format!("l = {l}"), format!("{kind}-l{l}")),
                (None, None) => (description.similarity.clone(), kind),
            };
            all.push(Contender {
                title,
                folder,
                parameter: description.reduction_factor.or(description.lower_bound),
                loss: Loss::SimLoss(similarity),
                description: description.clone(),
            });
        }
        all
    }

    /// The seeds, each that of one pair of runs.
    pub fn seeds(&self) -> Vec<u64> {
        (0..self.seeds as u64).map(|i| self.settings.seed.wrapping_add(i)).collect()
    }

    /// Makes the output folder ready, or says why it cannot be.
    fn prepare(&self, losses: Vec<LossDescription>) -> Result<(), Error> {
        let manifest = self.out.join(MANIFEST);
        let runs = self.out.join(RUNS);
        if runs.exists() && !manifest.exists() {
            return Err(Error::Usage(format!(
                "{} is there already, but not from a comparison; give another output folder with --out",
                runs.display()
            )));
        }
        match self.existing {
            Existing::Keep if manifest.exists() => return Err(Error::Exists { path: self.out.clone() }),
            // Only what a comparison wrote is removed.
            Existing::Replace if runs.exists() => fs::remove_dir_all(&runs).map_err(Error::file("remove", &runs))?,
            Existing::Keep | Existing::Replace | Existing::Resume => {}
        }
        fs::create_dir_all(&self.out).map_err(Error::file("create", &self.out))?;
        let manifest = Manifest {
            version: VERSION.into(),
            data: self.task.data().fingerprint().into(),
            losses,
            seeds: self.seeds,
            settings: self.settings.clone(),
        };
        let text = serde_json::to_vec_pretty(&manifest).map_err(|e| Error::format(&self.out, "a comparison")(&e))?;
        files::replace(&self.out.join(MANIFEST), &[&text, b"\n"])
    }
}

/// Runs what is planned and not yet there.
///
/// # Errors
/// [`Error::Exists`] for a folder that holds a comparison; [`Error::Interrupted`]; those of [`run`].
pub fn compare(plan: Plan, progress: &Progress<'_>) -> Result<Comparison, Error> {
    plan.settings.check()?;
    if plan.settings.selection == Selection::Mae && !plan.task.ordered() {
        return Err(Error::Usage(
            "--selection mae needs classes in an order; choose accuracy or loss, or give a table an order with --order"
                .into(),
        ));
    }
    InstructionSet::chosen()?;
    let contenders = plan.contenders();
    let seeds = plan.seeds();
    let splits = seeds.iter().map(|&seed| plan.task.data().split(seed)).collect::<Result<Vec<_>, _>>()?;
    plan.prepare(contenders.iter().map(|contender| contender.description.clone()).collect())?;

    // Seed by seed: what is finished is a comparison, of fewer seeds.
    let jobs: Vec<(usize, usize)> =
        (0..seeds.len()).flat_map(|seed| (0..contenders.len()).map(move |loss| (seed, loss))).collect();
    progress.started(jobs.len());
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Record>>> = Mutex::new(vec![None; jobs.len()]);
    let failure: Mutex<Option<Error>> = Mutex::new(None);
    let work = || {
        while !progress.stopped() {
            let job = next.fetch_add(1, Ordering::Relaxed);
            let Some(&(seed, loss)) = jobs.get(job) else { return };
            match plan.one(&contenders[loss], seeds[seed], &splits[seed], progress) {
                Ok(record) => {
                    lock(&results)[job] = Some(record);
                    progress.run_done();
                }
                Err(error) => {
                    // The first failure ends the others, which then report that they were interrupted.
                    lock(&failure).get_or_insert(error);
                    progress.stop();
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..plan.at_a_time().min(jobs.len()) {
            scope.spawn(work);
        }
        work();
    });
    progress.finished();
    let interrupted = || Error::Interrupted { folder: Some(plan.out.clone()) };
    match failure.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some(Error::Interrupted { .. }) => return Err(interrupted()),
        Some(error) => return Err(error),
        None => {}
    }
    let results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let records: Vec<Record> = results.into_iter().flatten().collect();
    if records.len() < jobs.len() {
        return Err(interrupted());
    }
    let series = contenders
        .iter()
        .enumerate()
        .map(|(loss, contender)| Series {
            title: contender.title.clone(),
            parameter: contender.parameter,
            records: records.iter().skip(loss).step_by(contenders.len()).cloned().collect(),
        })
        .collect();
    let majority = majority(&plan, &splits)?;
    let measures = Measures::new(&plan.task, &plan.kind, &plan.source, &plan.candidates);
    let samples = splits.first().map_or([0; 3], |s| [s.train.len(), s.validation.len(), s.test.len()]);
    drop(contenders);
    let comparison = Comparison { plan, measures, series, majority, samples };
    results::write(&comparison)?;
    Ok(comparison)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Plan {
    /// Runs at a time. A batch of images is work enough for all threads, one of a table is not.
    fn at_a_time(&self) -> usize {
        match self.task {
            Task::Table(_) => self.settings.threads,
            Task::Images { .. } => 1,
        }
    }

    fn one(
        &self,
        contender: &Contender<'_>,
        seed: u64,
        split: &Split,
        progress: &Progress<'_>,
    ) -> Result<Record, Error> {
        let threads = (self.settings.threads / self.at_a_time()).max(1);
        let settings = Settings { seed, threads, ..self.settings.clone() };
        let dir = self.out.join(RUNS).join(&contender.folder).join(format!("seed-{seed}"));
        let out = OutDir { dir, resume: self.existing == Existing::Resume };
        let data = self.task.data();
        let alone = (self.at_a_time() == 1).then(|| format!("{}, seed {seed}", contender.title));
        let mut watch = progress.watch(alone);
        let description = &contender.description;
        match contender.loss {
            Loss::CrossEntropy => {
                let loss = CrossEntropy::new(data.class_names().len())?;
                run(&settings, loss, description, data, split, Some(&out), &mut watch)
            }
            Loss::SimLoss(similarity) => {
                run(&settings, SimLoss::new(similarity.clone()), description, data, split, Some(&out), &mut watch)
            }
        }
    }
}

fn majority(plan: &Plan, splits: &[Split]) -> Result<Majority, Error> {
    let data = plan.task.data();
    let classes = data.class_names().len();
    let values: Vec<f32> = data.class_values().iter().map(|&x| x as f32).collect();
    let mut majority = Majority::default();
    for split in splits {
        let label = |i: &u32| data.labels()[*i as usize];
        let mut counts = vec![0usize; classes];
        split.train.iter().for_each(|i| counts[label(i).index()] += 1);
        let most = counts.iter().max().copied().unwrap_or(0);
        let answer = Label::new(counts.iter().position(|&n| n == most).unwrap_or(0), classes)?;
        let mut confusion = ConfusionTable::in_memory(vec![0; classes * classes], classes)?;
        for i in &split.test {
            confusion.update(label(i), answer)?;
        }
        majority.accuracy.extend(confusion.accuracy().value());
        majority.error.extend(confusion.errors(&values)?.absolute.value());
    }
    Ok(majority)
}

impl Comparison {
    /// Test samples by training samples, which the paired test needs.
    pub fn test_to_train(&self) -> f64 {
        self.samples[2] as f64 / self.samples[0] as f64
    }

    /// The result of a run.
    pub(crate) fn outcome(record: &Record) -> Option<&Outcome> {
        record.result.as_ref()
    }

    /// One number a seed, from the results of a series; `None` where a run has none.
    pub fn by_seed(&self, series: usize, value: impl Fn(&Outcome) -> Option<f64>) -> Option<Vec<f64>> {
        self.series.get(series)?.records.iter().map(|record| Self::outcome(record).and_then(&value)).collect()
    }

    /// The cells of a measure, one a series; `None` where a run has no such number.
    ///
    /// # Errors
    /// [`Error::Core`] for confusion matrices of other classes.
    pub fn cells(&self, measure: Measure) -> Result<Vec<Option<Cell>>, Error> {
        let mut columns = Vec::with_capacity(self.series.len());
        for series in &self.series {
            let mut values = Vec::with_capacity(series.records.len());
            for outcome in series.records.iter().filter_map(Self::outcome) {
                values.extend(self.measures.value(measure, outcome)?);
            }
            columns.push((values.len() == series.records.len()).then_some(values));
        }
        let ratio = self.test_to_train();
        let reference = columns.first().cloned().flatten();
        let tests: Vec<Option<Paired>> = columns
            .iter()
            .enumerate()
            .map(|(i, values)| match (values, &reference) {
                (Some(values), Some(reference)) if i > 0 && measure.is_tested() => paired(values, reference, ratio),
                _ => None,
            })
            .collect();
        let mut corrected = holm(&tests.iter().flatten().map(|test| test.p).collect::<Vec<_>>()).into_iter();
        Ok(columns
            .into_iter()
            .zip(tests)
            .map(|(values, test)| {
                let corrected = test.and_then(|_| corrected.next());
                let values = values?;
                let summary = Summary::of(&values)?;
                Some(Cell { values, summary, test, corrected })
            })
            .collect())
    }

    /// The series of SimLoss with the best mean score on the validation parts, where the test parts have no say.
    pub fn chosen(&self) -> Option<usize> {
        let score = |series: &Series| {
            let scores: Option<Vec<f64>> = series.records.iter().map(|r| self.validation(r)).collect();
            scores.and_then(|scores| Summary::of(&scores)).map(|summary| summary.mean)
        };
        let scored = self.series.iter().enumerate().skip(1).filter_map(|(i, series)| Some((i, score(series)?)));
        // The loss that is trained with is another one in each series, and cannot choose among them.
        let sign = if self.choice() == Selection::Mae { 1.0 } else { -1.0 };
        scored.min_by(|a, b| (sign * a.1).total_cmp(&(sign * b.1))).map(|(i, _)| i)
    }

    /// What chooses among the losses.
    pub fn choice(&self) -> Selection {
        match self.plan.settings.selection {
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
        let classes = self.plan.task.data().class_names().len();
        let mut sum = ConfusionTable::in_memory(vec![0; classes * classes], classes)?;
        for outcome in self.series.get(series).iter().flat_map(|s| &s.records).filter_map(Self::outcome) {
            sum.merge(&confusion(&outcome.test.confusion)?)?;
        }
        Ok(sum.counts().chunks(classes).map(<[u64]>::to_vec).collect())
    }

    /// The file with the report.
    pub fn report(&self) -> PathBuf {
        self.plan.out.join("report.html")
    }

    /// The folder with the runs.
    pub fn runs(&self) -> PathBuf {
        self.plan.out.join(RUNS)
    }
}
