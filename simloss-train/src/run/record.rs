//! What a run was and what came of it: data that reports read, written as the run goes.
//!
//! Two runs of the same settings on the same data write the same bytes: nothing in a record depends on the time, the
//! machine or the number of threads.

use crate::{
    Error,
    compute::{network::Kind, task::Data},
    data::Split,
    error::Expected,
    eval::scores::{Scores, Test},
    files::{self, Safe},
    similarity::spec::{Difference, LossDescription},
};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What chooses the best epoch, on the validation part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Selection {
    /// The least mean absolute error of the most probable class's value.
    #[default]
    Mae,
    /// The greatest accuracy.
    Accuracy,
    /// The least loss that is trained with.
    Loss,
}

impl Selection {
    /// As an option says it.
    fn name(self) -> &'static str {
        match self {
            Selection::Mae => "mae",
            Selection::Accuracy => "accuracy",
            Selection::Loss => "loss",
        }
    }
}

/// How to train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Passes over the training part, at most.
    pub epochs: usize,
    /// Samples per step; the last batch of an epoch may be smaller.
    pub batch: usize,
    /// Adam's learning rate.
    pub rate: f32,
    /// Epochs without a better one before training stops.
    pub patience: Option<usize>,
    /// Of the first parameters and the order of samples.
    pub seed: u64,
    /// Units of the hidden layers of a network for tables, one or two.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<usize>,
    /// The padding of random crops of images, which are mirrored at random too; none for images as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub augmentation: Option<usize>,
    /// What chooses the best epoch.
    pub selection: Selection,
    /// Threads to compute with. Changes no bit, so records leave it out.
    #[serde(skip)]
    pub threads: usize,
}

impl Settings {
    /// # Errors
    /// [`Error::Setting`] for the first that is outside its domain.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |name, domain, found: String| Err(Error::Setting { name, domain, found });
        if self.epochs == 0 {
            return wrong("--epochs", "at least 1", "0".to_owned());
        }
        if self.batch == 0 {
            return wrong("--batch-size", "at least 1", "0".to_owned());
        }
        if !(self.rate.is_finite() && self.rate > 0.0) {
            return wrong("--learning-rate", "a finite number above 0", self.rate.to_string());
        }
        if self.patience == Some(0) {
            return wrong("--patience", "at least 1", "0".to_owned());
        }
        if self.augmentation == Some(0) {
            return wrong("--augmentation", "a padding of at least 1, or none", "0".to_owned());
        }
        if self.threads == 0 {
            return wrong("--threads", "at least 1", "0".to_owned());
        }
        Ok(())
    }
}

/// The data of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataDescription {
    /// Where they come from, for people; not compared.
    pub name: String,
    /// SHA-256 over the contents.
    pub fingerprint: String,
    /// SHA-256 over the indices of the split.
    pub split: String,
    /// Samples to train, validate and test with.
    pub samples: [usize; 3],
    /// Features per sample.
    pub features: usize,
    /// Names of the classes.
    pub class_names: Vec<String>,
    /// What the classes stand for.
    pub class_values: Vec<f64>,
}

/// One epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: usize,
    /// Mean loss of the training samples, each before the step it was part of.
    pub train_loss: Option<f64>,
    /// Scores of the validation part after the epoch.
    pub validation: Scores,
}

/// Why training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// All epochs were trained.
    Epochs,
    /// No better epoch within the patience.
    Patience,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The epoch whose parameters were kept, counted from 1.
    pub best_epoch: usize,
    /// Why training ended.
    pub ended: Ended,
    /// Scores of the test part with the parameters kept.
    pub test: Test,
}

/// A run: what it was asked to do, what it did so far, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`VERSION`](crate::VERSION).
    pub version: String,
    /// How it trains.
    pub settings: Settings,
    /// With which loss.
    pub loss: LossDescription,
    /// On what data.
    pub data: DataDescription,
    /// Which network.
    pub network: Kind,
    /// The number of its parameters.
    pub parameters: usize,
    /// Every epoch so far.
    pub epochs: Vec<Epoch>,
    /// What came of it, once it has ended.
    pub result: Option<Outcome>,
}

impl DataDescription {
    pub(crate) fn of(data: Data<'_>, split: &Split) -> Self {
        DataDescription {
            name: data.name().to_owned(),
            fingerprint: data.fingerprint().to_owned(),
            split: split.fingerprint(),
            samples: [&split.train, &split.validation, &split.test].map(Vec::len),
            features: data.width(),
            class_names: data.class_names().to_vec(),
            class_values: data.class_values().to_vec(),
        }
    }
}

const RECORD: Expected =
    Expected::new("a record", "remove the folder it is in to train this run again, or use the version that wrote it");

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// [`Error::File`] and [`Error::Format`].
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read(path).map_err(Error::file("read", path))?;
        serde_json::from_slice(&text).map_err(|e| Error::format(path, RECORD)(&e))
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        self.save_safe(Safe::FromPowerCut, path)
    }

    pub(crate) fn save_safe(&self, safe: Safe, path: &Path) -> Result<(), Error> {
        let mut text = serde_json::to_vec_pretty(self).map_err(|e| Error::format(path, RECORD)(&e))?;
        text.push(b'\n');
        files::replace_safe(safe, path, &[&text])
    }

    /// Refuses to continue this run, read from `path`, as `asked`. The number of epochs may grow, threads do not matter.
    ///
    /// # Errors
    /// [`Error::OtherRun`] for the first thing that differs.
    pub(crate) fn continues_as(&self, path: &Path, asked: &Record) -> Result<(), Error> {
        let differing = [
            ("version", self.version.clone(), asked.version.clone()),
            ("data", self.data.fingerprint.clone(), asked.data.fingerprint.clone()),
            ("split of the data", self.data.split.clone(), asked.data.split.clone()),
        ];
        let other = differing.into_iter().find(|(_, recorded, asked)| recorded != asked);
        let network = || ("network", self.network.name(), asked.network.name());
        let other = other.or_else(|| self.loss.other(&asked.loss)).or_else(|| self.other_settings(&asked.settings));
        match other.or_else(|| (self.network != asked.network).then(network)) {
            None => Ok(()),
            Some((what, recorded, asked)) => Err(Error::OtherRun { path: path.to_owned(), what, recorded, asked }),
        }
    }

    /// The first setting that the run was made with and that is another one than asked. Epochs may be fewer.
    pub(crate) fn other_settings(&self, asked: &Settings) -> Option<Difference> {
        let or_none = |x: Option<usize>| x.map_or_else(|| "none".to_owned(), |x| x.to_string());
        let list = |units: &[usize]| units.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        let (a, b) = (&self.settings, asked);
        let differing = [
            ("--hidden", list(&a.hidden), list(&b.hidden)),
            ("--batch-size", a.batch.to_string(), b.batch.to_string()),
            ("--learning-rate", format!("{:?}", a.rate), format!("{:?}", b.rate)),
            ("--patience", or_none(a.patience), or_none(b.patience)),
            ("--seed", a.seed.to_string(), b.seed.to_string()),
            ("--augmentation", or_none(a.augmentation), or_none(b.augmentation)),
            ("--selection", a.selection.name().to_owned(), b.selection.name().to_owned()),
        ];
        let trained = self.epochs.len();
        let more = ("number of epochs already", trained.to_string(), format!("at most {}", b.epochs));
        differing.into_iter().find(|(_, recorded, asked)| recorded != asked).or((trained > b.epochs).then_some(more))
    }
}
