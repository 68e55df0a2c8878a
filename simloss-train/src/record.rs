//! What a run was and what came of it: data that reports read, written as the run goes.
//!
//! Two runs of the same settings on the same data write the same bytes: nothing in a record depends on the time, the
//! machine or the number of threads.

use crate::{
    Error,
    data::{Split, hex},
    error::Expected,
    files::{self, Safe},
    network::Kind,
    task::Data,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{fmt, path::Path};

/// The version of this crate, part of every record.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

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
            return wrong("--batch", "at least 1", "0".to_owned());
        }
        if !(self.rate.is_finite() && self.rate > 0.0) {
            return wrong("--rate", "a finite number above 0", self.rate.to_string());
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

/// What is taken for the truth of a sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Truth {
    /// Its class.
    #[default]
    Class,
    /// Its class but for this share, which is spread evenly over all classes: label smoothing.
    Smoothed(f64),
    /// All classes, as similar as they are to its own: soft labels, for cross entropy.
    Soft,
}

impl Truth {
    pub(crate) fn is_class(&self) -> bool {
        *self == Truth::Class
    }
}

/// The formula of a loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LossKind {
    /// SimLoss; without a similarity, or with another truth than the class, cross entropy.
    #[default]
    SimLoss,
    /// Proper SimLoss: the proper scoring rule of the same similarity.
    Proper,
    /// The squared earth mover's distance between classes in an order: the ranked probability score.
    Emd,
}

impl LossKind {
    pub(crate) fn is_simloss(&self) -> bool {
        *self == LossKind::SimLoss
    }
}

/// How a measure of two classes, such as the cosine of their words, becomes a similarity.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    /// As published: `S = max(0, (s - l) / (1 - l))`; without an `l` the measure is the similarity.
    #[default]
    Threshold,
    /// `S = exp(b (s - 1))`, for this `b`.
    Exp(f64),
    /// That of [`Link::Threshold`], `s` being the level at which average linkage joins the two classes.
    Hull,
}

impl Link {
    pub(crate) fn is_threshold(&self) -> bool {
        *self == Link::Threshold
    }
}

/// The loss that is trained with.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct LossDescription {
    /// Its formula.
    #[serde(default, skip_serializing_if = "LossKind::is_simloss")]
    pub loss: LossKind,
    /// `none` (cross entropy), `order`, `circular`, `superclass`, or the name of a file.
    pub similarity: String,
    /// How the measure of a file, or of word vectors, becomes that similarity.
    #[serde(default, skip_serializing_if = "Link::is_threshold")]
    pub link: Link,
    /// `r`, where there is one.
    pub reduction_factor: Option<f64>,
    /// `l`, where there is one.
    pub lower_bound: Option<f64>,
    /// SHA-256 over the matrix, so that a file that changed is noticed; absent for cross entropy.
    pub fingerprint: Option<String>,
    /// What is taken for the truth; with soft labels the loss is cross entropy, and the similarity is that of the labels.
    #[serde(default, skip_serializing_if = "Truth::is_class")]
    pub truth: Truth,
}

impl LossDescription {
    /// Plain cross entropy.
    pub fn cross_entropy() -> Self {
        LossDescription {
            loss: LossKind::SimLoss,
            similarity: "none".to_owned(),
            link: Link::Threshold,
            reduction_factor: None,
            lower_bound: None,
            fingerprint: None,
            truth: Truth::Class,
        }
    }

    /// Squared earth mover's distance.
    pub fn squared_emd() -> Self {
        LossDescription { loss: LossKind::Emd, ..Self::cross_entropy() }
    }

    /// Whether it is plain cross entropy.
    pub fn is_cross_entropy(&self) -> bool {
        self.loss.is_simloss() && self.truth.is_class() && self.similarity == "none"
    }

    /// What the similarity was made with, in words: `r = 0.5`; `None` for a similarity as it stands in a file.
    pub(crate) fn parameter(&self) -> Option<String> {
        let LossDescription { link, reduction_factor: r, lower_bound: l, .. } = self;
        let number = r.map(|r| format!("r = {r}")).or_else(|| l.map(|l| format!("l = {l}")));
        match (link, number) {
            (Link::Threshold, number) => number,
            (Link::Exp(b), _) => Some(format!("b = {b}")),
            (Link::Hull, None) => Some("hull".to_owned()),
            (Link::Hull, Some(number)) => Some(format!("hull, {number}")),
        }
    }

    /// The loss in words, such as `proper SimLoss (order, r = 0.8)`.
    pub(crate) fn words(&self) -> String {
        let LossDescription { loss, similarity, truth, .. } = self;
        let of = [Some(similarity.clone()), self.parameter()].into_iter().flatten().collect::<Vec<_>>().join(", ");
        match (loss, truth) {
            _ if self.is_cross_entropy() => "cross entropy".to_owned(),
            (LossKind::SimLoss, Truth::Class) => format!("SimLoss ({of})"),
            (LossKind::Proper, _) => format!("proper SimLoss ({of})"),
            (LossKind::Emd, _) => "squared EMD".to_owned(),
            (LossKind::SimLoss, Truth::Soft) => format!("cross entropy with soft labels ({of})"),
            (LossKind::SimLoss, Truth::Smoothed(share)) => format!("cross entropy with label smoothing {share}"),
        }
    }

    /// What differs in another one: what asks for it, else what a file holds.
    pub(crate) fn other(&self, asked: &LossDescription) -> Option<Difference> {
        let content = |of: &LossDescription| of.fingerprint.clone().unwrap_or_else(|| "none".to_owned());
        let [this, that] = [self, asked].map(LossDescription::options);
        match (self == asked, this == that) {
            (true, _) => None,
            (false, false) => Some(("loss", this, that)),
            (false, true) => Some(("SHA-256 of the similarity", content(self), content(asked))),
        }
    }

    /// The options that ask for it.
    pub(crate) fn options(&self) -> String {
        let LossDescription { loss, similarity, link, reduction_factor: r, lower_bound: l, truth, .. } = self;
        let link_option = match link {
            Link::Threshold => None,
            Link::Exp(b) => Some(format!(" --link exp -b {b}")),
            Link::Hull => Some(" --link hull".to_owned()),
        };
        let given = [link_option, r.map(|r| format!(" -r {r}")), l.map(|l| format!(" -l {l}"))];
        let options = format!("--similarity {similarity}{}", given.into_iter().flatten().collect::<String>());
        match (loss, truth) {
            (LossKind::SimLoss, Truth::Class) => options,
            (LossKind::SimLoss, Truth::Soft) if link.is_threshold() => {
                let bound = r.or(*l).unwrap_or(0.0);
                format!("--similarity {similarity} --baselines soft={bound}")
            }
            (LossKind::SimLoss, Truth::Soft) => format!("{options} --losses sord"),
            (LossKind::SimLoss, Truth::Smoothed(share)) => format!("--baselines smoothing={share}"),
            (LossKind::Proper, _) => format!("{options} --losses proper"),
            (LossKind::Emd, _) => "--losses emd".to_owned(),
        }
    }
}

/// Part of `Record::fingerprint`, so what is customary is left out: states written before there was another truth
/// stay usable.
impl fmt::Debug for LossDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LossDescription { loss, similarity, link, reduction_factor, lower_bound, fingerprint, truth } = self;
        let mut all = f.debug_struct("LossDescription");
        all.field("similarity", similarity).field("reduction_factor", reduction_factor);
        all.field("lower_bound", lower_bound).field("fingerprint", fingerprint);
        if !truth.is_class() {
            all.field("truth", truth);
        }
        if !loss.is_simloss() {
            all.field("loss", loss);
        }
        if !link.is_threshold() {
            all.field("link", link);
        }
        all.finish()
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

/// Scores of the answers of one decoder. Absent where it does not apply, or nothing was counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// Share of right classes. The expectation answers with a value, so it has none.
    pub accuracy: Option<f64>,
    /// Share of answers at most one class off.
    pub within_one: Option<f64>,
    /// Mean absolute error of the class values.
    pub mae: Option<f64>,
    /// Mean squared error of the class values.
    pub mse: Option<f64>,
    /// Quadratic weighted kappa.
    pub kappa: Option<f64>,
}

/// Scores of the probabilities, and of their most probable class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Mean of the loss that is trained with.
    pub loss: Option<f64>,
    /// Of the most probable class.
    pub argmax: Answers,
    /// Mean cross entropy: the negative log-likelihood.
    pub likelihood: Option<f64>,
    /// Brier score.
    pub brier: Option<f64>,
    /// Ranked probability score.
    pub ranked: Option<f64>,
    /// Expected calibration error.
    pub calibration: Option<f64>,
}

/// Scores of the test part, for every decoder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Test {
    /// Of the probabilities and the most probable class.
    pub scores: Scores,
    /// Of the expected value `sum_k p[k] v[k]`.
    pub expectation: Answers,
    /// Of the median class.
    pub median: Answers,
    /// Of the class of least expected `abs(i - j)`.
    pub minimum_risk: Answers,
    /// Counts of the most probable class, row of the true class first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confusion: Vec<Vec<u64>>,
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
    /// [`VERSION`].
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
    /// SHA-256 over what determines the bits of every epoch: all that was asked for, but for the number of epochs.
    pub(crate) fn fingerprint(&self) -> String {
        let Record { version, settings, loss, data, network, .. } = self;
        let settings = Settings { epochs: 0, threads: 0, ..settings.clone() };
        let asked = format!("{version:?} {settings:?} {loss:?} {:?} {:?} {network:?}", data.fingerprint, data.split);
        hex(&Sha256::digest(asked))
    }

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
            ("--batch", a.batch.to_string(), b.batch.to_string()),
            ("--rate", format!("{:?}", a.rate), format!("{:?}", b.rate)),
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

/// What differs, what is recorded, and what is asked for.
pub(crate) type Difference = (&'static str, String, String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_said_as_it_is_asked_for() {
        let order = LossDescription {
            similarity: "order".to_owned(),
            reduction_factor: Some(0.5),
            fingerprint: Some("ab".to_owned()),
            ..LossDescription::cross_entropy()
        };
        let matrix = LossDescription { similarity: "s.csv".to_owned(), reduction_factor: None, ..order.clone() };
        let bounded = LossDescription { lower_bound: Some(0.2), ..matrix.clone() };
        let soft = LossDescription { truth: Truth::Soft, ..order.clone() };
        let smoothed = LossDescription { truth: Truth::Smoothed(0.1), ..LossDescription::cross_entropy() };
        let proper = LossDescription { loss: LossKind::Proper, ..order.clone() };
        let steep = LossDescription { link: Link::Exp(2.0), lower_bound: None, ..bounded.clone() };
        let hull = LossDescription { link: Link::Hull, ..bounded.clone() };
        let [soft_steep, emd] =
            [LossDescription { truth: Truth::Soft, ..steep.clone() }, LossDescription::squared_emd()];
        let all = [
            LossDescription::cross_entropy(),
            order.clone(),
            matrix,
            bounded,
            soft,
            smoothed,
            proper,
            steep,
            hull,
            soft_steep,
            emd,
        ];
        let said: Vec<String> = all.iter().map(LossDescription::options).collect();
        let expected = [
            "--similarity none",
            "--similarity order -r 0.5",
            "--similarity s.csv",
            "--similarity s.csv -l 0.2",
            "--similarity order --baselines soft=0.5",
            "--baselines smoothing=0.1",
            "--similarity order -r 0.5 --losses proper",
            "--similarity s.csv --link exp -b 2",
            "--similarity s.csv --link hull -l 0.2",
            "--similarity s.csv --link exp -b 2 --losses sord",
            "--losses emd",
        ];
        assert_eq!(said, expected);
        for (a, b) in all.iter().zip(all.iter().skip(1)) {
            assert_eq!(a.other(b), Some(("loss", a.options(), b.options())));
            assert_eq!(a.other(a), None);
        }
        let other = LossDescription { fingerprint: Some("cd".to_owned()), ..order.clone() };
        assert_eq!(order.other(&other), Some(("SHA-256 of the similarity", "ab".to_owned(), "cd".to_owned())));
    }

    #[test]
    fn what_is_customary_leaves_no_trace() -> Result<(), Box<dyn std::error::Error>> {
        // Records and states that were written before losses had a truth are read, and continued.
        let old = r#"{"similarity":"order","reduction_factor":0.5,"lower_bound":null,"fingerprint":"ab"}"#;
        let loss: LossDescription = serde_json::from_str(old)?;
        assert_eq!((loss.truth, serde_json::to_string(&loss)?), (Truth::Class, old.to_owned()));
        assert_eq!((loss.loss, loss.link), (LossKind::SimLoss, Link::Threshold));
        let text = r#"LossDescription { similarity: "order", reduction_factor: Some(0.5), lower_bound: None, fingerprint: Some("ab") }"#;
        assert_eq!(format!("{loss:?}"), text);
        for other in [
            LossDescription { truth: Truth::Soft, ..loss.clone() },
            LossDescription { truth: Truth::Smoothed(0.1), ..loss.clone() },
            LossDescription { loss: LossKind::Proper, ..loss.clone() },
            LossDescription { loss: LossKind::Emd, ..loss.clone() },
            LossDescription { link: Link::Exp(1.5), ..loss.clone() },
            LossDescription { link: Link::Hull, ..loss.clone() },
        ] {
            assert_ne!(format!("{other:?}"), text);
            assert_eq!(serde_json::from_str::<LossDescription>(&serde_json::to_string(&other)?)?, other);
        }
        Ok(())
    }
}
