//! Cross entropy against SimLoss, proper SimLoss and others over a grid, with paired seeds.
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
//! | `runs/<loss>/seed-<n>/` | the files of a [run](mod@run), and its [`details`] |
//! | `results.csv`, `results.json` | what came of every run ([`results`]) |
//! | `report.html` | the report |
//!
//! # Many machines
//! Runs know nothing of each other, so each may be a process of its own ([`Plan::list`] names them, [`one`] trains one),
//! and [`gather`] makes a comparison of those that are finished. Two processes never write one run, nor one comparison:
//! their folders are locked.
//!
//! Runs on a table compute with one thread each, and as many run at a time as there are threads; runs on images, one
//! after the other, compute with all of them. Results do not depend on it.

use crate::{
    Error,
    data::Split,
    details::{self, Details},
    error::Expected,
    files,
    lanes::InstructionSet,
    loss::AnyLoss,
    measure::{Measure, Measures, confusion},
    progress::Progress,
    record::{Link, LossDescription, LossKind, Outcome, Record, Selection, Settings, Truth, VERSION},
    report, results,
    run::{self, Objective, OutDir, run},
    similarity::{AnySimilarity, Candidate, Kind, Source, proper::AnyProper},
    statistics::{Paired, Summary, holm, paired},
    task::Task,
};
use serde::{Deserialize, Serialize};
use simloss_core::{Label, metrics::ConfusionTable};
use std::{
    fs,
    path::{Path, PathBuf},
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
    /// SimLoss of these is compared with cross entropy,
    pub candidates: Vec<Candidate>,
    /// proper SimLoss of these,
    pub proper: Vec<Proper>,
    /// and cross entropy with another truth, and losses that need no similarity.
    pub baselines: Vec<Candidate>,
    /// How to train. The seed is that of the first run; `threads` is how many threads there are for all runs.
    pub settings: Settings,
    /// How many seeds, one after the other.
    pub seeds: usize,
    /// The output folder.
    pub out: PathBuf,
    /// What to do with a comparison that is there.
    pub existing: Existing,
    /// The words of the command line that asks for it, after the program's name.
    pub command: Vec<String>,
}

/// Proper SimLoss: a similarity that is known to be proper, and what it was built from.
#[derive(Clone, Debug, PartialEq)]
pub struct Proper {
    /// For records.
    pub description: LossDescription,
    /// Ready for a loss.
    pub similarity: AnyProper,
}

/// What to do with a comparison that the output folder already holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Refuse to start.
    Keep,
    /// Go on with it: finished runs are read, unfinished ones continued.
    Resume,
    /// Remove its runs and what was written of them, and start again.
    Replace,
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
    /// `r`, `l` or `b` of SimLoss and of proper SimLoss, where there is one.
    pub parameter: Option<f64>,
    /// Those that are finished, by seed.
    pub records: Vec<Record>,
    /// What else is known of each.
    pub details: Vec<Details>,
}

/// A run that is finished.
type Finished = (Record, Details);

/// What a loss is compared as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// What all are compared with.
    CrossEntropy,
    /// SimLoss.
    SimLoss,
    /// Proper SimLoss.
    Proper,
    /// Cross entropy with another truth, and squared EMD.
    Baseline,
}

impl Role {
    /// The losses among which the validation parts choose, each on its own.
    pub(crate) const CHOSEN: [Role; 2] = [Role::SimLoss, Role::Proper];

    /// What it is called in sentences.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Role::CrossEntropy => "cross entropy",
            Role::SimLoss => "SimLoss",
            Role::Proper => "proper SimLoss",
            Role::Baseline => "a baseline",
        }
    }
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
    /// The command line and the folder it was given in: [`asked_for`] reads them again.
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    folder: PathBuf,
}

/// How a comparison was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct AskedFor {
    /// The words of the command line, after the program's name,
    pub command: Vec<String>,
    /// the folder where it was given,
    pub folder: PathBuf,
    /// and the losses that it meant: a later version may compare more without being asked.
    pub losses: Vec<LossDescription>,
}

/// The command line that a comparison was asked for with, and the folder where.
///
/// # Errors
/// [`Error::Usage`] for a folder that holds nothing but runs, which [`one`] leaves; [`Error::File`] and [`Error::Format`]
/// for one that holds no comparison, or one that does not say.
pub fn asked_for(out: &Path) -> Result<AskedFor, Error> {
    let path = out.join(MANIFEST);
    let wrong = Error::format(&path, COMPARISON);
    if out.join(RUNS).is_dir() && !path.exists() {
        let dir = out.display();
        return Err(Error::Usage(format!(
            "{dir} holds runs, but no {MANIFEST} that says what they are compared by; give the command of the comparison \
             after the folder: simloss report {dir} sweep ..."
        )));
    }
    let text = fs::read(&path).map_err(Error::file("read", &path))?;
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|e| wrong(&e))?;
    if manifest.command.is_empty() {
        return Err(wrong(&"it does not say how it was asked for"));
    }
    let Manifest { command, folder, losses, .. } = manifest;
    Ok(AskedFor { command, folder, losses })
}

pub(crate) const COMPARISON: Expected =
    Expected::new("a comparison", "give the command that made it again, after the folder");
const MANIFEST: &str = "comparison.json";
const RUNS: &str = "runs";
const REPORT: &str = "report.html";
/// What is written of runs, and goes with them.
const OF_RUNS: [&str; 4] = [REPORT, report::TABLE, results::TABLE, results::ALL];

struct Contender<'a> {
    title: String,
    folder: String,
    role: Role,
    formula: Formula<'a>,
    description: LossDescription,
}

/// What a contender trains with.
#[derive(Clone, Copy)]
enum Formula<'a> {
    /// Cross entropy, perhaps with another truth, which soft labels are made of the similarity for.
    CrossEntropy(Option<&'a AnySimilarity>),
    SimLoss(&'a AnySimilarity),
    Proper(&'a AnyProper),
    Emd,
}

/// The title of a loss, its folder and its role, for a comparison of this kind of similarity.
pub(crate) fn named(kind: &Kind, description: &LossDescription) -> (String, String, Role) {
    let kind = match kind {
        Kind::File(_) => "file".to_owned(),
        other => other.name(),
    };
    let parameter = description.parameter();
    let folder = parameter.iter().fold(kind, |kind, parameter| {
        // r = 0.5 is r0.5, and hull, l = 0 is hull-l0.
        format!("{kind}-{}", parameter.replace(" = ", "").replace(", ", "-"))
    });
    let title = parameter.unwrap_or_else(|| description.similarity.clone());
    match (description.loss, description.truth) {
        (LossKind::SimLoss, Truth::Class) => (title, folder, Role::SimLoss),
        (LossKind::SimLoss, Truth::Soft) => (format!("soft labels, {title}"), format!("{folder}-soft"), Role::Baseline),
        (LossKind::SimLoss, Truth::Smoothed(share)) => {
            (format!("label smoothing {share}"), format!("smoothing-{share}"), Role::Baseline)
        }
        (LossKind::Proper, _) => (format!("proper, {title}"), format!("{folder}-proper"), Role::Proper),
        (LossKind::Emd, _) => ("squared EMD".to_owned(), "emd".to_owned(), Role::Baseline),
    }
}

/// A run by its place: the loss and the seed.
type Job = (usize, usize);

impl Plan {
    /// Leaves out what is not among `losses`.
    pub(crate) fn keep(&mut self, losses: &[LossDescription]) {
        self.candidates.retain(|candidate| losses.contains(&candidate.description));
        self.proper.retain(|proper| losses.contains(&proper.description));
        self.baselines.retain(|candidate| losses.contains(&candidate.description));
    }

    fn contenders(&self) -> Vec<Contender<'_>> {
        let mut all = vec![Contender {
            title: "cross entropy".into(),
            folder: "cross-entropy".into(),
            role: Role::CrossEntropy,
            formula: Formula::CrossEntropy(None),
            description: LossDescription::cross_entropy(),
        }];
        let mut add = |description: &LossDescription, formula| {
            let (title, folder, role) = named(&self.kind, description);
            all.push(Contender { title, folder, role, formula, description: description.clone() });
        };
        for Candidate { description, similarity } in &self.candidates {
            if !matches!(similarity, AnySimilarity::None(_)) {
                add(description, Formula::SimLoss(similarity));
            }
        }
        self.proper.iter().for_each(|proper| add(&proper.description, Formula::Proper(&proper.similarity)));
        for Candidate { description, similarity } in &self.baselines {
            add(
                description,
                match description.loss {
                    LossKind::Emd => Formula::Emd,
                    LossKind::SimLoss | LossKind::Proper => Formula::CrossEntropy(Some(similarity)),
                },
            );
        }
        all
    }

    /// All runs. Seed by seed: what is finished first is a comparison, of fewer seeds.
    fn jobs(&self, contenders: &[Contender<'_>]) -> Vec<Job> {
        (0..self.seeds).flat_map(|seed| (0..contenders.len()).map(move |loss| (loss, seed))).collect()
    }

    /// The name of a run: its folder below that of all.
    fn name(&self, contender: &Contender<'_>, seed: u64) -> String {
        format!("{}/seed-{seed}", contender.folder)
    }

    /// The record of a run, if it is finished.
    fn finished(&self, contender: &Contender<'_>, seed: u64) -> Result<Option<Record>, Error> {
        let path = self.runs().join(self.name(contender, seed)).join("record.json");
        if !path.try_exists().map_err(Error::file("read", &path))? {
            return Ok(None);
        }
        let record = Record::load(&path)?;
        let asked = Settings { seed, ..self.settings.clone() };
        let differing = [("data", record.data.fingerprint.clone(), self.task.data().fingerprint().to_owned())];
        let other = differing.into_iter().find(|(_, a, b)| a != b);
        let other =
            other.or_else(|| record.loss.other(&contender.description)).or_else(|| record.other_settings(&asked));
        if let Some((what, recorded, asked)) = other {
            return Err(Error::OtherRun { path, what, recorded, asked });
        }
        // Without both, what a report needs is lost until the run is continued.
        let usable = ["model.safetensors", "details.json"].iter().any(|name| path.with_file_name(name).exists());
        let finished = usable && record.result.is_some() && record.settings.epochs == asked.epochs;
        Ok(finished.then_some(record))
    }

    /// Whether there is a record of any of its runs.
    fn is_begun(&self, contenders: &[Contender<'_>]) -> bool {
        let seeds = self.seeds();
        let mut runs = self.jobs(contenders).into_iter().map(|(loss, seed)| self.name(&contenders[loss], seeds[seed]));
        runs.any(|run| self.runs().join(run).join("record.json").exists())
    }

    /// The folder with the runs.
    fn runs(&self) -> PathBuf {
        self.out.join(RUNS)
    }

    /// Makes the folder ready for processes that train one run each, and names the runs that are not finished.
    ///
    /// # Errors
    /// As [`compare`], before the first run.
    pub fn list(&self) -> Result<Vec<String>, Error> {
        self.check()?;
        let contenders = self.contenders();
        let _lock = self.prepare(&contenders)?;
        let seeds = self.seeds();
        let mut names = vec![];
        for (loss, seed) in self.jobs(&contenders) {
            if self.finished(&contenders[loss], seeds[seed])?.is_none() {
                names.push(self.name(&contenders[loss], seeds[seed]));
            }
        }
        Ok(names)
    }

    fn check(&self) -> Result<(), Error> {
        self.settings.check()?;
        if self.settings.selection == Selection::Mae && !self.task.ordered() {
            return Err(Error::Usage(
                "--selection mae needs classes in an order; choose accuracy or loss, or give a table an order with \
                 --order"
                    .into(),
            ));
        }
        InstructionSet::chosen()?;
        Ok(())
    }

    fn splits(&self) -> Result<Vec<Split>, Error> {
        self.seeds().iter().map(|&seed| self.task.data().split(seed)).collect()
    }

    /// The seeds, each that of one pair of runs.
    pub fn seeds(&self) -> Vec<u64> {
        (0..self.seeds as u64).map(|i| self.settings.seed.wrapping_add(i)).collect()
    }

    /// Makes the output folder ready and this process's own as long as the file that is returned is open, or says why
    /// it cannot be.
    fn prepare(&self, contenders: &[Contender<'_>]) -> Result<fs::File, Error> {
        let (manifest, runs, seeds) = (self.out.join(MANIFEST), self.runs(), self.seeds());
        let resumed = self.existing == Existing::Resume && self.is_begun(contenders);
        if runs.exists() && !manifest.exists() && !resumed {
            return Err(Error::Usage(format!(
                "{} is there already, but not from a comparison; give another output folder with --out",
                runs.display()
            )));
        }
        if self.existing == Existing::Keep && manifest.exists() {
            return Err(Error::Exists { path: self.out.clone() });
        }
        let lock = run::lock(&self.out)?;
        if self.existing == Existing::Resume {
            // Other runs are refused before anything says that these are here.
            for (loss, seed) in self.jobs(contenders) {
                self.finished(&contenders[loss], seeds[seed])?;
            }
        }
        if self.existing == Existing::Replace && runs.exists() {
            // A run that a process of its own still writes is not removed under it.
            for run in folders(&runs)?.iter().map(|loss| folders(loss)).collect::<Result<Vec<_>, _>>()?.concat() {
                run::lock(&run)?;
            }
            // Only what a comparison wrote is removed.
            OF_RUNS.iter().try_for_each(|name| files::remove(&self.out.join(name)))?;
            fs::remove_dir_all(&runs).map_err(Error::file("remove", &runs))?;
        }
        let manifest = Manifest {
            version: VERSION.into(),
            data: self.task.data().fingerprint().into(),
            losses: contenders.iter().map(|contender| contender.description.clone()).collect(),
            seeds: self.seeds,
            settings: self.settings.clone(),
            command: self.command.clone(),
            folder: std::env::current_dir().unwrap_or_default(),
        };
        let text = serde_json::to_vec_pretty(&manifest).map_err(|e| Error::format(&self.out, COMPARISON)(&e))?;
        files::replace(&self.out.join(MANIFEST), &[&text, b"\n"])?;
        Ok(lock)
    }
}

/// The folders in a folder.
fn folders(of: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(of).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
    let paths = entries.map_err(Error::file("read", of))?.into_iter().map(|entry| entry.path());
    Ok(paths.filter(|path| path.is_dir()).collect())
}

/// Runs what is planned and not yet there.
///
/// # Errors
/// [`Error::Exists`] for a folder that holds a comparison; [`Error::Interrupted`]; those of [`run()`].
pub fn compare(plan: Plan, progress: &Progress<'_>) -> Result<Comparison, Error> {
    plan.check()?;
    let contenders = plan.contenders();
    let (seeds, splits) = (plan.seeds(), plan.splits()?);
    let _lock = plan.prepare(&contenders)?;

    let jobs = plan.jobs(&contenders);
    progress.started(jobs.len());
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Finished>>> = Mutex::new(vec![None; jobs.len()]);
    let failure: Mutex<Option<Error>> = Mutex::new(None);
    let work = || {
        while !progress.stopped() {
            let job = next.fetch_add(1, Ordering::Relaxed);
            let Some(&(loss, seed)) = jobs.get(job) else { return };
            match plan.train(&contenders[loss], seeds[seed], &splits[seed], progress) {
                Ok(finished) => held(&results)[job] = Some(finished),
                Err(error) => {
                    // The first failure ends the others, which then report that they were interrupted.
                    held(&failure).get_or_insert(error);
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
    if results.iter().any(Option::is_none) {
        return Err(interrupted());
    }
    drop(contenders);
    Comparison::of(plan, &splits, results)
}

/// Runs the one run of this name, as [`Plan::list`] gives it, and nothing else.
///
/// # Errors
/// [`Error::Usage`] for a name that the plan does not have, [`Error::Busy`] where another process is at it; those of
/// [`run()`].
pub fn one(plan: &Plan, name: &str, progress: &Progress<'_>) -> Result<Record, Error> {
    plan.check()?;
    let contenders = plan.contenders();
    let seeds = plan.seeds();
    let found =
        plan.jobs(&contenders).into_iter().find(|&(loss, seed)| plan.name(&contenders[loss], seeds[seed]) == name);
    let Some((loss, seed)) = found else {
        return Err(Error::Usage(format!("there is no run {name} in this comparison; --list names them")));
    };
    let split = plan.task.data().split(seeds[seed])?;
    progress.started(1);
    let record = plan.train(&contenders[loss], seeds[seed], &split, progress);
    progress.finished();
    Ok(record?.0)
}

/// The comparison of those runs that are finished.
///
/// # Errors
/// [`Error::Usage`] where none is; [`Error::OtherRun`] for runs on other data or with another loss; [`Error::File`] and
/// [`Error::Format`].
pub fn gather(plan: Plan) -> Result<Comparison, Error> {
    plan.check()?;
    let contenders = plan.contenders();
    let (seeds, splits) = (plan.seeds(), plan.splits()?);
    let mut records = vec![];
    for (loss, seed) in plan.jobs(&contenders) {
        let (contender, split) = (&contenders[loss], &splits[seed]);
        let record = plan.finished(contender, seeds[seed])?;
        let details = record.map(|record| {
            let details = plan.details(contender, seeds[seed], split, &record, plan.settings.threads)?;
            Ok::<_, Error>((record, details))
        });
        records.push(details.transpose()?);
    }
    if records.iter().all(Option::is_none) {
        let runs = plan.runs();
        return Err(Error::Usage(format!("{} holds no finished run of this comparison", runs.display())));
    }
    drop(contenders);
    Comparison::of(plan, &splits, records)
}

fn held<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
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

    fn train(
        &self,
        contender: &Contender<'_>,
        seed: u64,
        split: &Split,
        progress: &Progress<'_>,
    ) -> Result<Finished, Error> {
        let threads = (self.settings.threads / self.at_a_time()).max(1);
        let settings = Settings { seed, threads, ..self.settings.clone() };
        let dir = self.runs().join(self.name(contender, seed));
        let out = OutDir { dir, resume: self.existing == Existing::Resume };
        let data = self.task.data();
        let alone = (self.at_a_time() == 1).then(|| format!("{}, seed {seed}", contender.title));
        let mut watch = progress.watch(alone);
        let Contender { description, formula, .. } = contender;
        let groups = match &self.source {
            Source::Superclass(of) => Some(&of[..]),
            _ => None,
        };
        let classes = data.class_names().len();
        let (loss, similarity) = match *formula {
            Formula::CrossEntropy(similarity) => (AnyLoss::cross_entropy(classes)?, similarity),
            Formula::SimLoss(similarity) => (AnyLoss::simloss(similarity.clone()), None),
            Formula::Proper(similarity) => (AnyLoss::proper(similarity.clone())?, None),
            Formula::Emd => (AnyLoss::squared_emd(classes)?, None),
        };
        let objective = Objective { loss, description, similarity, groups };
        let record = run(&settings, objective, data, split, Some(&out), &mut watch)?;
        let details = self.details(contender, seed, split, &record, threads)?;
        progress.run_done(watch.trained());
        Ok((record, details))
    }

    /// What else is known of a finished run.
    fn details(
        &self,
        contender: &Contender<'_>,
        seed: u64,
        split: &Split,
        record: &Record,
        threads: usize,
    ) -> Result<Details, Error> {
        let dir = self.runs().join(self.name(contender, seed));
        let measures = Measures::new(&self.task, &self.kind, &self.source, &[]);
        details::of(&details::Finished {
            dir: &dir,
            record,
            data: self.task.data(),
            ordered: self.task.ordered(),
            superclasses: measures.superclasses(),
            split,
            threads,
        })
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
    /// Of the records of all jobs, in their order; those that are missing are not finished.
    fn of(plan: Plan, splits: &[Split], finished: Vec<Option<Finished>>) -> Result<Self, Error> {
        let contenders = plan.contenders();
        let of = |loss: usize| finished.iter().skip(loss).step_by(contenders.len()).flatten().cloned().unzip();
        let series = contenders
            .iter()
            .enumerate()
            .map(|(loss, contender)| (contender, of(loss)))
            .map(|(contender, (records, details))| Series {
                title: contender.title.clone(),
                folder: contender.folder.clone(),
                role: contender.role,
                parameter: match (contender.role, &contender.description) {
                    (Role::SimLoss | Role::Proper, description) => match description.link {
                        Link::Exp(b) => Some(b),
                        Link::Threshold | Link::Hull => description.reduction_factor.or(description.lower_bound),
                    },
                    (Role::CrossEntropy | Role::Baseline, _) => None,
                },
                records,
                details,
            })
            .collect();
        drop(contenders);
        let majority = majority(&plan, splits)?;
        let measures = Measures::new(&plan.task, &plan.kind, &plan.source, &plan.candidates);
        let samples = splits.first().map_or([0; 3], |s| [s.train.len(), s.validation.len(), s.test.len()]);
        let comparison = Comparison { plan, measures, series, majority, samples };
        results::write(&comparison)?;
        Ok(comparison)
    }

    /// How many runs are finished, and how many there are.
    pub fn finished(&self) -> [usize; 2] {
        let done = self.series.iter().map(|series| series.records.len()).sum();
        [done, self.series.len() * self.plan.seeds]
    }

    /// Test samples by training samples, which the paired test needs.
    pub fn test_to_train(&self) -> f64 {
        self.samples[2] as f64 / self.samples[0] as f64
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

    /// The seeds that cross entropy, every SimLoss and every proper SimLoss have finished, but for those of them without any run. Among losses
    /// with other seeds nothing is chosen: some seeds are easier than others.
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
        self.plan.out.join(REPORT)
    }

    /// The folder with the runs.
    pub fn runs(&self) -> PathBuf {
        self.plan.runs()
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
