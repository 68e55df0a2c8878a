//! Metrics that losses are compared by: one number a run.

use crate::{
    Error,
    compare::manifest::{Facts, Role, named},
    run::record::{Outcome, Selection},
    similarity::{AnySimilarity, Kind, Source, rebuilt, spec::LossDescription},
};
use serde::{Serialize, Serializer};
use simloss_core::{metrics::ConfusionTable, similarity::Similarity};

/// A metric of a run on its test set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Fraction of test samples whose argmax is the true class.
    Accuracy,
    /// Mean absolute error of the argmax's value.
    Mae,
    /// Mean absolute error of the expected value.
    ExpectedMae,
    /// Mean squared error of the argmax's value.
    Mse,
    /// Mean distance around the circle of the argmax, in classes.
    CircularError,
    /// Fraction of correct superclasses.
    SuperclassAccuracy,
    /// Fraction of correct superclasses among wrong classes.
    FailedSuperclassAccuracy,
    /// Mean similarity of the argmax to the true class.
    Similarity,
    /// Negative log-likelihood.
    Nll,
    /// Expected calibration error.
    Ece,
}

/// Which direction is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// More.
    Higher,
    /// Less.
    Lower,
}

impl Metric {
    /// Its name in files, the same as in published records.
    pub const fn key(self) -> &'static str {
        match self {
            Metric::Accuracy => "accuracy",
            Metric::Mae => "mae",
            Metric::ExpectedMae => "mae_expectation",
            Metric::Mse => "mse",
            Metric::CircularError => "circular_error",
            Metric::SuperclassAccuracy => "sa",
            Metric::FailedSuperclassAccuracy => "fsa",
            Metric::Similarity => "similarity",
            Metric::Nll => "nll",
            Metric::Ece => "ece",
        }
    }

    /// Its name in tables.
    pub const fn short(self) -> &'static str {
        match self {
            Metric::Accuracy => "accuracy",
            Metric::Mae => "MAE",
            Metric::ExpectedMae => "MAE, expected value",
            Metric::Mse => "MSE",
            Metric::CircularError => "circular error",
            Metric::SuperclassAccuracy => "SA",
            Metric::FailedSuperclassAccuracy => "FSA",
            Metric::Similarity => "similarity",
            Metric::Nll => "NLL",
            Metric::Ece => "ECE",
        }
    }

    /// Its name in a sentence.
    pub const fn phrase(self) -> &'static str {
        match self {
            Metric::ExpectedMae => "MAE of the expected value",
            Metric::SuperclassAccuracy => "superclass accuracy",
            Metric::FailedSuperclassAccuracy => "failed superclass accuracy",
            other => other.short(),
        }
    }

    /// Its name in full.
    pub const fn long(self) -> &'static str {
        match self {
            Metric::Accuracy => "accuracy of the argmax",
            Metric::Mae => "mean absolute error of the argmax",
            Metric::ExpectedMae => "mean absolute error of the expected value",
            Metric::Mse => "mean squared error of the argmax",
            Metric::CircularError => "mean distance around the circle of the argmax, in classes",
            Metric::SuperclassAccuracy => "superclass accuracy of the argmax",
            Metric::FailedSuperclassAccuracy => "superclass accuracy among wrong classes",
            Metric::Similarity => "mean similarity of the argmax to the true class",
            Metric::Nll => "negative log-likelihood",
            Metric::Ece => "expected calibration error, 15 bins",
        }
    }

    /// Which direction is better.
    pub const fn better(self) -> Better {
        match self {
            Metric::Accuracy | Metric::SuperclassAccuracy | Metric::FailedSuperclassAccuracy | Metric::Similarity => {
                Better::Higher
            }
            Metric::Mae | Metric::ExpectedMae | Metric::Mse | Metric::CircularError | Metric::Nll | Metric::Ece => {
                Better::Lower
            }
        }
    }

    /// Whether `difference` from a reference is an improvement.
    pub const fn improves(self, difference: f64) -> bool {
        match self.better() {
            Better::Higher => difference > 0.0,
            Better::Lower => difference < 0.0,
        }
    }

    /// Whether it is a fraction, written in percent.
    pub const fn is_fraction(self) -> bool {
        matches!(self, Metric::Accuracy | Metric::SuperclassAccuracy | Metric::FailedSuperclassAccuracy)
    }

    /// Whether the family of tests includes it. NLL and ECE are shown with intervals instead: SimLoss is not a proper
    /// scoring rule, so that they degrade is expected.
    pub const fn is_tested(self) -> bool {
        !matches!(self, Metric::Nll | Metric::Ece)
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.key())
    }
}

/// The metrics that make sense for some classes and a similarity, and what they need.
#[derive(Clone, Debug)]
pub struct Metrics {
    list: Vec<Metric>,
    superclasses: Option<Vec<u16>>,
    reference: Option<AnySimilarity>,
}

impl Metrics {
    /// Those of a comparison.
    ///
    /// # Errors
    /// [`Error::Core`] and [`Error::Similarity`] for a similarity that cannot be built again.
    pub(crate) fn of(facts: &Facts, losses: &[LossDescription]) -> Result<Self, Error> {
        let mut list = vec![Metric::Accuracy];
        let mut reference = None;
        if matches!(facts.kind, Kind::Circular) {
            list.push(Metric::CircularError);
        } else if facts.ordered {
            list.extend([Metric::Mae, Metric::ExpectedMae, Metric::Mse]);
        }
        if facts.superclasses.is_some() {
            list.extend([Metric::SuperclassAccuracy, Metric::FailedSuperclassAccuracy]);
        }
        if let Some(source @ Source::Matrix(_)) = facts.source() {
            // The least lower bound keeps the most of the file.
            let bound = |loss: &&LossDescription| loss.lower_bound.unwrap_or(0.0);
            let ours = losses.iter().filter(|loss| named(&facts.kind, loss).2 == Role::SimLoss);
            let least = ours.min_by(|a, b| bound(a).total_cmp(&bound(b)));
            reference = least.map(|loss| rebuilt(&source, facts.class_names.len(), loss)).transpose()?;
            list.push(Metric::Similarity);
        }
        list.extend([Metric::Nll, Metric::Ece]);
        Ok(Metrics { list, superclasses: facts.superclasses.clone(), reference })
    }

    /// The superclass of each class, where classes are grouped.
    pub fn superclasses(&self) -> Option<&[u16]> {
        self.superclasses.as_deref()
    }

    /// The metrics, in the order of the columns.
    pub fn list(&self) -> &[Metric] {
        &self.list
    }

    /// What should choose among losses.
    pub fn selection(&self) -> Selection {
        if self.list.contains(&Metric::Mae) { Selection::Mae } else { Selection::Accuracy }
    }

    /// The number of one run; `None` where nothing was counted.
    ///
    /// # Errors
    /// [`Error::Core`] for a confusion matrix of other classes.
    pub fn value(&self, metric: Metric, outcome: &Outcome) -> Result<Option<f64>, Error> {
        let test = &outcome.test;
        let confusion = || confusion(&test.confusion);
        Ok(match metric {
            Metric::Accuracy => test.scores.argmax.accuracy,
            Metric::Mae => test.scores.argmax.mae,
            Metric::ExpectedMae => test.expectation.mae,
            Metric::Mse => test.scores.argmax.mse,
            Metric::CircularError => {
                let classes = test.confusion.len();
                let distance = |y: usize, c: usize| y.abs_diff(c).min(classes - y.abs_diff(c)) as f64;
                confusion()?.mean(distance)?.value()
            }
            Metric::SuperclassAccuracy => match &self.superclasses {
                Some(of) => confusion()?.superclass_accuracy(of)?.value(),
                None => None,
            },
            Metric::FailedSuperclassAccuracy => match &self.superclasses {
                Some(of) => confusion()?.failed_superclass_accuracy(of)?.value(),
                None => None,
            },
            Metric::Similarity => match &self.reference {
                Some(s) => confusion()?.similarity(s, &mut vec![0.0; s.classes()])?.value(),
                None => None,
            },
            Metric::Nll => test.scores.likelihood,
            Metric::Ece => test.scores.calibration,
        })
    }
}

/// What should choose the best epoch: distances where they mean something.
pub fn selection(kind: &Kind, ordered: bool) -> Selection {
    if ordered && !matches!(kind, Kind::Circular) { Selection::Mae } else { Selection::Accuracy }
}

/// The core's confusion table of recorded counts.
pub(crate) fn confusion(counts: &[Vec<u64>]) -> Result<ConfusionTable<Vec<u64>>, Error> {
    let classes = counts.len();
    if let Some(row) = counts.iter().find(|row| row.len() != classes) {
        let what = "a row of a confusion matrix";
        return Err(simloss_core::Error::Length { what, expected: classes, found: row.len() }.into());
    }
    Ok(ConfusionTable::from_counts(counts.concat(), classes)?)
}
