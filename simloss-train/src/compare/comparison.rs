//! The finished runs of a comparison and what they were for, read from an output directory. The data are not needed.

use crate::{
    Error,
    compare::{
        manifest::{self, COMPARISON, Facts, MANIFEST, Manifest, REPORT, RUNS, Role, named, run_folder},
        metric::Metrics,
    },
    run::{
        diagnostics::{self, Details},
        record::{Record, Settings},
    },
    similarity::spec::{Link, LossDescription},
};
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
    /// The metrics that fit these classes.
    pub metrics: Metrics,
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
        let metrics = Metrics::of(&facts, &manifest.losses)?;
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
        Ok(Comparison { out, facts, settings, seeds, metrics, series, missing: vec![] })
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

    /// The seeds; each is that of one pair of runs.
    pub fn seeds(&self) -> Vec<u64> {
        seeds(&self.settings, self.seeds)
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
