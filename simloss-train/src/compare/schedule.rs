//! The runs of a plan: trained many at a time, one by name, or read where they are finished.
//!
//! Runs on a table compute with one thread each, and as many run at a time as there are threads; runs on images, one
//! after the other, compute with all of them. Results do not depend on it.

use crate::{
    Error,
    compare::{
        comparison::Comparison,
        manifest::MANIFEST,
        plan::{Contender, Existing, Finished, Formula, Plan},
    },
    compute::{loss::AnyLoss, task::Task},
    data::Split,
    run::{
        diagnostics::{self, Details},
        progress::Progress,
        record::{Record, Settings},
        train::{Objective, OutDir, run},
    },
    similarity::Source,
};
use std::{
    fs,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

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
