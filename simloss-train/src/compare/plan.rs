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
//! | `runs/<loss>/seed-<n>/` | the files of a [run](crate::run::train), and its [`diagnostics`] |
//! | `results.csv`, `results.json` | what came of every run ([`records`](crate::report::records)) |
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
    compare::{
        analysis::{Comparison, recorded, seeds},
        manifest::{Facts, MANIFEST, Majority, Manifest, REPORTS, RUNS, Samples, named, run_folder},
    },
    compute::{lanes::InstructionSet, loss::AnyLoss, task::Task},
    data::Split,
    eval::scores::Values,
    files,
    run::{
        diagnostics::{self, Details},
        progress::Progress,
        record::{Record, Selection, Settings},
        train::{self, Objective, OutDir, run},
    },
    similarity::{
        AnySimilarity, Candidate, Kind, Source,
        proper::AnyProper,
        spec::{LossDescription, LossKind},
    },
};
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

/// A run that is finished.
type Finished = (Record, Details);

struct Contender<'a> {
    title: String,
    folder: String,
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

/// A run by its place: the loss and the seed.
type Job = (usize, usize);

impl Plan {
    fn contenders(&self) -> Vec<Contender<'_>> {
        let mut all = vec![];
        let mut add = |description: &LossDescription, formula| {
            let (title, folder, _) = named(&self.kind, description);
            all.push(Contender { title, folder, formula, description: description.clone() });
        };
        add(&LossDescription::cross_entropy(), Formula::CrossEntropy(None));
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
        let asked = Settings { seed, ..self.settings.clone() };
        let run = run_folder(&self.out, &contender.folder, seed);
        let data = self.task.data().fingerprint();
        let Some(record) = recorded(&run, data, &contender.description, &asked)? else { return Ok(None) };
        // Without both, what a report needs is lost until the run is continued.
        let usable = ["model.safetensors", "details.json"].iter().any(|name| run.join(name).exists());
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
        let _lock = self.prepare(&contenders, &self.splits()?)?;
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
        seeds(&self.settings, self.seeds)
    }

    /// Makes the output folder ready and this process's own as long as the file that is returned is open, or says why
    /// it cannot be.
    fn prepare(&self, contenders: &[Contender<'_>], splits: &[Split]) -> Result<fs::File, Error> {
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
        let lock = train::lock(&self.out)?;
        if self.existing == Existing::Resume {
            // Other runs are refused before anything says that these are here.
            for (loss, seed) in self.jobs(contenders) {
                self.finished(&contenders[loss], seeds[seed])?;
            }
        }
        if self.existing == Existing::Replace && runs.exists() {
            // A run that a process of its own still writes is not removed under it.
            for run in folders(&runs)?.iter().map(|loss| folders(loss)).collect::<Result<Vec<_>, _>>()?.concat() {
                train::lock(&run)?;
            }
            // Only what a comparison wrote is removed.
            REPORTS.iter().try_for_each(|name| files::remove(&self.out.join(name)))?;
            fs::remove_dir_all(&runs).map_err(Error::file("remove", &runs))?;
        }
        self.manifest(contenders, self.facts(splits)?).write(&self.out)?;
        Ok(lock)
    }

    /// What is written of it, for reports.
    fn manifest(&self, contenders: &[Contender<'_>], facts: Facts) -> Manifest {
        let losses = contenders.iter().map(|contender| contender.description.clone()).collect();
        Manifest::new(facts, losses, self.settings.clone(), self.seeds, self.command.clone())
    }

    fn facts(&self, splits: &[Split]) -> Result<Facts, Error> {
        let data = self.task.data();
        let mut class_samples = vec![0; data.class_names().len()];
        data.labels().iter().for_each(|y| class_samples[y.index()] += 1);
        Ok(Facts {
            name: data.name().to_owned(),
            fingerprint: data.fingerprint().to_owned(),
            class_names: data.class_names().to_vec(),
            class_values: data.class_values().to_vec(),
            class_samples,
            ordered: self.task.ordered(),
            superclasses: self.superclasses(),
            width: data.width(),
            samples: match &self.task {
                Task::Table(table) => {
                    Samples::Row { features: table.data.feature_names().to_vec(), repeated: table.repeated }
                }
                Task::Images { set, network, .. } => {
                    let [height, width] = set.size();
                    Samples::Image { height, width, network: network.clone() }
                }
            },
            parts: splits.first().map_or([0; 3], |s| [s.train.len(), s.validation.len(), s.test.len()]),
            kind: self.kind.clone(),
            matrix: match &self.source {
                Source::Matrix(matrix) => Some(matrix.entries.clone()),
                _ => None,
            },
            majority: majority(self, splits)?,
        })
    }

    /// The superclass of each class, where the similarity or the data say so.
    fn superclasses(&self) -> Option<Vec<u16>> {
        match &self.source {
            Source::Superclass(of) => Some(of.clone()),
            _ => self.task.data().superclasses(),
        }
    }

    /// The comparison of what is finished, job by job.
    fn comparison(self, splits: &[Split], finished: Vec<Option<(Record, Details)>>) -> Result<Comparison, Error> {
        let contenders = self.contenders();
        let of = |loss: usize| finished.iter().skip(loss).step_by(contenders.len()).cloned();
        let finished = |loss: usize| of(loss).map(|run| run.map(|(record, details)| (record, Some(details)))).collect();
        let finished = (0..contenders.len()).map(finished).collect();
        let facts = self.facts(splits)?;
        let manifest = self.manifest(&contenders, facts.clone());
        drop(contenders);
        Comparison::of(self.out, manifest, facts, finished)
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
    let _lock = plan.prepare(&contenders, &splits)?;

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
    plan.comparison(&splits, results)
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
    if !plan.out.join(MANIFEST).exists() {
        // Where --list was not asked for, so that there is a report of this run, too.
        fs::create_dir_all(&plan.out).map_err(Error::file("create", &plan.out))?;
        plan.manifest(&contenders, plan.facts(&plan.splits()?)?).write(&plan.out)?;
    }
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
    plan.comparison(&splits, records)
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
        let superclasses = self.superclasses();
        diagnostics::of(&diagnostics::Finished {
            dir: &dir,
            record,
            data: self.task.data(),
            ordered: self.task.ordered(),
            superclasses: superclasses.as_deref(),
            split,
            threads,
        })
    }
}

fn majority(plan: &Plan, splits: &[Split]) -> Result<Majority, Error> {
    let data = plan.task.data();
    let classes = data.class_names().len();
    let values = Values::of(data.class_values());
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
        majority.error.extend(values.errors(&confusion)?.absolute.value());
    }
    Ok(majority)
}
