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
//! | `runs/<loss>/seed-<n>/` | the files of a [run](crate::run::train), and its [details](crate::run::diagnostics) |
//! | `results.csv`, `results.json` | what came of every run ([`records`](crate::report::records)) |
//! | `report.html` | the report |
//!
//! # Many machines
//! Every run is independent, so each may be a process of its own: [`Plan::list`] names them, and
//! [`one`](crate::compare::schedule::one) trains one. [`gather`](crate::compare::schedule::gather) compares the finished ones.
//! Two processes never write one run, nor one comparison: their directories are locked.

use crate::{
    Error,
    compare::{
        comparison::{Comparison, recorded, seeds},
        manifest::{Facts, MANIFEST, Majority, Manifest, REPORTS, RUNS, Samples, named, run_folder},
    },
    compute::{lanes::InstructionSet, task::Task},
    data::Split,
    eval::scores::Values,
    files,
    run::{
        diagnostics::Details,
        folder,
        record::{Record, Selection, Settings},
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
pub(super) type Finished = (Record, Details);

pub(super) struct Contender<'a> {
    pub(super) title: String,
    folder: String,
    pub(super) formula: Formula<'a>,
    pub(super) description: LossDescription,
}

/// What a contender trains with.
#[derive(Clone, Copy)]
pub(super) enum Formula<'a> {
    /// Cross entropy, perhaps with another truth, which soft labels are made of the similarity for.
    CrossEntropy(Option<&'a AnySimilarity>),
    SimLoss(&'a AnySimilarity),
    Proper(&'a AnyProper),
    Emd,
}

/// A run by its place: the loss and the seed.
pub(super) type Job = (usize, usize);

impl Plan {
    pub(super) fn contenders(&self) -> Vec<Contender<'_>> {
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
    pub(super) fn jobs(&self, contenders: &[Contender<'_>]) -> Vec<Job> {
        (0..self.seeds).flat_map(|seed| (0..contenders.len()).map(move |loss| (loss, seed))).collect()
    }

    /// The name of a run: its folder below that of all.
    pub(super) fn name(&self, contender: &Contender<'_>, seed: u64) -> String {
        format!("{}/seed-{seed}", contender.folder)
    }

    /// The record of a run, if it is finished.
    pub(super) fn finished(&self, contender: &Contender<'_>, seed: u64) -> Result<Option<Record>, Error> {
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
    pub(super) fn runs(&self) -> PathBuf {
        self.out.join(RUNS)
    }

    /// Makes the folder ready for processes that train one run each, and names the runs that are not finished.
    ///
    /// # Errors
    /// As [`compare`](crate::compare::schedule::compare), before the first run.
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

    pub(super) fn check(&self) -> Result<(), Error> {
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

    pub(super) fn splits(&self) -> Result<Vec<Split>, Error> {
        self.seeds().iter().map(|&seed| self.task.data().split(seed)).collect()
    }

    /// The seeds, each that of one pair of runs.
    pub fn seeds(&self) -> Vec<u64> {
        seeds(&self.settings, self.seeds)
    }

    /// Makes the output folder ready and this process's own as long as the file that is returned is open, or says why
    /// it cannot be.
    pub(super) fn prepare(&self, contenders: &[Contender<'_>], splits: &[Split]) -> Result<fs::File, Error> {
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
        let lock = folder::lock(&self.out)?;
        if self.existing == Existing::Resume {
            // Other runs are refused before anything says that these are here.
            for (loss, seed) in self.jobs(contenders) {
                self.finished(&contenders[loss], seeds[seed])?;
            }
        }
        if self.existing == Existing::Replace && runs.exists() {
            // A run that a process of its own still writes is not removed under it.
            for run in folders(&runs)?.iter().map(|loss| folders(loss)).collect::<Result<Vec<_>, _>>()?.concat() {
                folder::lock(&run)?;
            }
            // Only what a comparison wrote is removed.
            REPORTS.iter().try_for_each(|name| files::remove(&self.out.join(name)))?;
            fs::remove_dir_all(&runs).map_err(Error::file("remove", &runs))?;
        }
        self.manifest(contenders, self.facts(splits)?).write(&self.out)?;
        Ok(lock)
    }

    /// What is written of it, for reports.
    pub(super) fn manifest(&self, contenders: &[Contender<'_>], facts: Facts) -> Manifest {
        let losses = contenders.iter().map(|contender| contender.description.clone()).collect();
        Manifest::new(facts, losses, self.settings.clone(), self.seeds, self.command.clone())
    }

    pub(super) fn facts(&self, splits: &[Split]) -> Result<Facts, Error> {
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
    pub(super) fn superclasses(&self) -> Option<Vec<u16>> {
        match &self.source {
            Source::Superclass(of) => Some(of.clone()),
            _ => self.task.data().superclasses(),
        }
    }

    /// The comparison of what is finished, job by job.
    pub(super) fn comparison(
        self,
        splits: &[Split],
        finished: Vec<Option<(Record, Details)>>,
    ) -> Result<Comparison, Error> {
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
