//! `comparison.json`: what a comparison is of, and what its reports say beyond the runs, so that they need no data.

use crate::{
    Error, VERSION,
    compute::network::Kind as Network,
    error::Expected,
    files,
    run::record::{Record, Settings},
    similarity::{
        Kind, Source,
        matrix::Matrix,
        spec::{LossDescription, LossKind, Truth},
    },
};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The file.
pub(crate) const MANIFEST: &str = "comparison.json";
/// The report as a page, and its table in Markdown.
pub(crate) const REPORT: &str = "report.html";
pub(crate) const MARKDOWN: &str = "report.md";
/// What came of every run.
pub(crate) const RESULTS_CSV: &str = "results.csv";
pub(crate) const RESULTS_JSON: &str = "results.json";
/// What is written of runs, and goes with them.
pub(crate) const REPORTS: [&str; 4] = [REPORT, MARKDOWN, RESULTS_CSV, RESULTS_JSON];
/// More seeds than anybody trains: what a file says is not allocated before it is believed.
const MOST_SEEDS: usize = 100_000;
/// The folder of the runs, beside it.
pub(crate) const RUNS: &str = "runs";

pub(crate) const COMPARISON: Expected =
    Expected::new("a comparison", "give the command that made it again, after the folder");

/// What is compared. It marks a folder as one that holds a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version that wrote it.
    pub version: String,
    /// SHA-256 over the data.
    pub data: String,
    /// Every loss, cross entropy first.
    pub losses: Vec<LossDescription>,
    /// How many seeds, one after the other.
    pub seeds: usize,
    /// How runs are trained; the seed is the first.
    pub settings: Settings,
    /// The words of the command line, for people.
    #[serde(default)]
    pub command: Vec<String>,
    /// The data, the network and the similarity. Absent from files of versions that read the data again for a report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
}

/// What reports say of the data, the network and the similarity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Where the data come from, for people.
    pub name: String,
    /// SHA-256 over them.
    pub fingerprint: String,
    /// Names of the classes.
    pub class_names: Vec<String>,
    /// What the classes stand for.
    pub class_values: Vec<f64>,
    /// Samples of each class; empty where nothing says so.
    pub class_samples: Vec<usize>,
    /// Whether the classes are in an order, so that distances between them mean something.
    pub ordered: bool,
    /// The superclass of each class, where classes are grouped.
    pub superclasses: Option<Vec<u16>>,
    /// Features of a sample.
    pub width: usize,
    /// What a sample is.
    pub samples: Samples,
    /// Samples to train, validate and test with.
    pub parts: [usize; 3],
    /// The kind of similarity.
    pub kind: Kind,
    /// The measures that a similarity from a file or of word vectors is made of, row by row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matrix: Option<Vec<f32>>,
    /// The floor.
    pub majority: Majority,
}

/// What a sample is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Samples {
    /// A row of a table.
    Row {
        /// Names of the features; empty where nothing says so.
        features: Vec<String>,
        /// Rows equal to an earlier one in all features and in the class.
        repeated: usize,
    },
    /// An image.
    Image {
        /// Pixels.
        height: usize,
        /// Pixels.
        width: usize,
        /// What is trained with them.
        network: Network,
    },
}

/// What always answering the most frequent class of the training part scores on the test part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Majority {
    /// Accuracy, by seed.
    pub accuracy: Vec<f64>,
    /// Mean absolute error of the values, by seed.
    pub error: Vec<f64>,
}

impl Manifest {
    /// The file of a folder.
    ///
    /// # Errors
    /// [`Error::Usage`] for a folder that holds nothing but runs; [`Error::File`] and [`Error::Format`] for one that holds
    /// no comparison.
    pub fn read(out: &Path) -> Result<Self, Error> {
        let path = out.join(MANIFEST);
        let wrong = Error::format(&path, COMPARISON);
        if out.join(RUNS).is_dir() && !path.exists() {
            let dir = out.display();
            return Err(Error::Usage(format!(
                "{dir} holds runs, but no {MANIFEST} that says what they are compared by; give the command of the \
                 comparison after the folder: simloss report {dir} sweep ..."
            )));
        }
        let text = fs::read(&path).map_err(Error::file("read", &path))?;
        let manifest: Manifest = serde_json::from_slice(&text).map_err(|e| wrong(&e))?;
        if !manifest.losses.first().is_some_and(LossDescription::is_cross_entropy) {
            return Err(wrong(&"its first loss is not cross entropy"));
        }
        if manifest.seeds > MOST_SEEDS {
            return Err(wrong(&format!("it has {} seeds, more than {MOST_SEEDS}", manifest.seeds)));
        }
        if let Some(facts) = &manifest.facts {
            let [names, values, of] = [facts.class_names.len(), facts.class_values.len(), facts.class_samples.len()];
            if names != values
                || of != names && of != 0
                || facts.superclasses.as_ref().is_some_and(|of| of.len() != names)
            {
                return Err(wrong(&format!("it has {names} names, {values} values and samples of {of} classes")));
            }
        }
        Ok(manifest)
    }

    /// Writes it to a folder, whole or not at all.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(crate) fn write(&self, out: &Path) -> Result<(), Error> {
        let text = serde_json::to_vec(self).map_err(|e| Error::format(out, COMPARISON)(&e))?;
        files::replace(&out.join(MANIFEST), &[&text, b"\n"])
    }

    /// For these losses and facts, by this version.
    pub(crate) fn new(
        facts: Facts,
        losses: Vec<LossDescription>,
        settings: Settings,
        seeds: usize,
        command: Vec<String>,
    ) -> Self {
        let (version, data) = (VERSION.to_owned(), facts.fingerprint.clone());
        Manifest { version, data, losses, seeds, settings, command, facts: Some(facts) }
    }
}

impl Facts {
    /// What a run says of them, for a comparison whose file does not; and what it cannot say.
    pub(crate) fn of_run(losses: &[LossDescription], run: &Record) -> (Self, Vec<&'static str>) {
        let (kind, data) = (kind(losses), &run.data);
        let mut missing =
            vec!["how many samples each class has", "the score of always predicting the most frequent class"];
        let samples = match run.network.image_size() {
            Some([height, width]) => Samples::Image { height, width, network: run.network.clone() },
            None => {
                missing.push("the names of the features");
                Samples::Row { features: vec![], repeated: 0 }
            }
        };
        if matches!(samples, Samples::Image { .. }) || kind == Kind::Superclass {
            missing.push("superclasses, if there are any, and their accuracy");
        }
        if matches!(kind, Kind::File(_) | Kind::Vectors) {
            missing.push("the matrix of the similarity");
        }
        let has_emd = losses.iter().any(|loss| loss.loss == LossKind::Emd);
        let facts = Facts {
            name: data.name.clone(),
            fingerprint: data.fingerprint.clone(),
            class_names: data.class_names.clone(),
            class_values: data.class_values.clone(),
            class_samples: vec![],
            ordered: has_emd || kind == Kind::Order || matches!(run.network, Network::Ages { .. }),
            superclasses: None,
            width: data.features,
            samples,
            parts: data.samples,
            kind,
            matrix: None,
            majority: Majority::default(),
        };
        (facts, missing)
    }

    /// What similarities are built from; `None` where it is missing.
    pub(crate) fn source(&self) -> Option<Source> {
        Some(match &self.kind {
            Kind::None => Source::None,
            Kind::Order => Source::Order,
            Kind::Circular => Source::Circular,
            Kind::Superclass => Source::Superclass(self.superclasses.clone()?),
            Kind::Vectors | Kind::File(_) => Source::Matrix(Matrix { names: None, entries: self.matrix.clone()? }),
        })
    }

    /// How many samples there are.
    pub(crate) fn sample_count(&self) -> usize {
        match self.class_samples.is_empty() {
            true => self.parts.iter().sum(),
            false => self.class_samples.iter().sum(),
        }
    }
}

/// The kind of similarity of some losses, by its name in them.
pub(crate) fn kind(losses: &[LossDescription]) -> Kind {
    let named = losses.iter().find(|loss| loss.similarity != "none" && loss.loss != LossKind::Emd);
    named.map_or(Kind::None, |loss| loss.similarity.parse().unwrap_or(Kind::None))
}

/// The title of a loss, its folder and what it is compared as, for a comparison of this kind of similarity.
pub(crate) fn named(kind: &Kind, description: &LossDescription) -> (String, String, Role) {
    if description.is_cross_entropy() {
        return ("cross entropy".to_owned(), "cross-entropy".to_owned(), Role::CrossEntropy);
    }
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
        (LossKind::SimLoss, Truth::Class) => (format!("SimLoss {title}"), folder, Role::SimLoss),
        (LossKind::SimLoss, Truth::Soft) => (format!("SORD {title}"), format!("{folder}-soft"), Role::Baseline),
        (LossKind::SimLoss, Truth::Smoothed(share)) => {
            (format!("label smoothing {share}"), format!("smoothing-{share}"), Role::Baseline)
        }
        (LossKind::Proper, _) => (format!("proper SimLoss {title}"), format!("{folder}-proper"), Role::Proper),
        (LossKind::Emd, _) => ("squared EMD".to_owned(), "emd".to_owned(), Role::Baseline),
    }
}

/// What a loss is compared as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
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
    /// The roles among whose losses the validation set selects one each.
    pub(crate) const SELECTED: [Role; 2] = [Role::SimLoss, Role::Proper];

    /// What it is called in sentences.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Role::CrossEntropy => "cross entropy",
            Role::SimLoss => "SimLoss",
            Role::Proper => "proper SimLoss",
            Role::Baseline => "baselines",
        }
    }
}

/// The folder of a run.
pub(crate) fn run_folder(out: &Path, loss: &str, seed: u64) -> PathBuf {
    out.join(RUNS).join(loss).join(format!("seed-{seed}"))
}
