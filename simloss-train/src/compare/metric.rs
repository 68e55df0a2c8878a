//! What runs are compared by: one number per run.

use crate::{
    Error,
    compare::manifest::{Facts, Role, named},
    run::record::{Outcome, Selection},
    similarity::{AnySimilarity, Kind, Source, rebuilt, spec::LossDescription},
};
use simloss_core::{Label, metrics::ConfusionTable, similarity::Similarity};

/// A number that a run's test part gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Share of right classes, of the most probable class.
    Accuracy,
    /// Mean absolute error of the most probable class's value.
    ClassError,
    /// Mean absolute error of the expected value.
    ExpectedError,
    /// Mean squared error of the most probable class's value.
    ClassSquaredError,
    /// Mean distance round the circle, in classes, of the most probable class.
    CircularError,
    /// Share of right superclasses.
    SuperclassAccuracy,
    /// Share of right superclasses among wrong classes.
    FailedSuperclassAccuracy,
    /// Mean similarity of the most probable class to the true one.
    Similarity,
    /// Negative log-likelihood.
    Likelihood,
    /// Expected calibration error.
    Calibration,
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// More.
    Higher,
    /// Less.
    Lower,
}

impl Measure {
    /// A few letters for the head of a column.
    pub fn short(self) -> &'static str {
        match self {
            Measure::Accuracy => "accuracy",
            Measure::ClassError => "MAE, class",
            Measure::ExpectedError => "MAE, expected",
            Measure::ClassSquaredError => "MSE, class",
            Measure::CircularError => "error, circle",
            Measure::SuperclassAccuracy => "SA",
            Measure::FailedSuperclassAccuracy => "FSA",
            Measure::Similarity => "similarity",
            Measure::Likelihood => "NLL",
            Measure::Calibration => "ECE",
        }
    }

    /// What it is, in a phrase.
    pub fn long(self) -> &'static str {
        match self {
            Measure::Accuracy => "accuracy of the most probable class",
            Measure::ClassError => "mean absolute error of the most probable class",
            Measure::ExpectedError => "mean absolute error of the expected value",
            Measure::ClassSquaredError => "mean squared error of the most probable class",
            Measure::CircularError => "mean distance round the circle of the most probable class",
            Measure::SuperclassAccuracy => "superclass accuracy of the most probable class",
            Measure::FailedSuperclassAccuracy => "failed superclass accuracy (right superclass among wrong classes)",
            Measure::Similarity => "mean similarity of the most probable class to the true one",
            Measure::Likelihood => "negative log-likelihood",
            Measure::Calibration => "expected calibration error, 15 bins",
        }
    }

    /// Which way is better.
    pub fn better(self) -> Better {
        match self {
            Measure::Accuracy
            | Measure::SuperclassAccuracy
            | Measure::FailedSuperclassAccuracy
            | Measure::Similarity => Better::Higher,
            Measure::ClassError
            | Measure::ExpectedError
            | Measure::ClassSquaredError
            | Measure::CircularError
            | Measure::Likelihood
            | Measure::Calibration => Better::Lower,
        }
    }

    /// Whether its differences from cross entropy are tested. (That likelihood and calibration get worse is no question.)
    pub fn is_tested(self) -> bool {
        !matches!(self, Measure::Likelihood | Measure::Calibration)
    }
}

/// The measures that make sense for some classes and a similarity, and what they need.
#[derive(Clone, Debug)]
pub struct Measures {
    list: Vec<Measure>,
    superclasses: Option<Vec<u16>>,
    reference: Option<AnySimilarity>,
}

impl Measures {
    /// Those of a comparison.
    ///
    /// # Errors
    /// [`Error::Core`] and [`Error::Similarity`] for a similarity that cannot be built again.
    pub(crate) fn of(facts: &Facts, losses: &[LossDescription]) -> Result<Self, Error> {
        let mut list = vec![Measure::Accuracy];
        let mut reference = None;
        if matches!(facts.kind, Kind::Circular) {
            list.push(Measure::CircularError);
        } else if facts.ordered {
            list.extend([Measure::ClassError, Measure::ExpectedError, Measure::ClassSquaredError]);
        }
        if facts.superclasses.is_some() {
            list.extend([Measure::SuperclassAccuracy, Measure::FailedSuperclassAccuracy]);
        }
        if let Some(source @ Source::Matrix(_)) = facts.source() {
            // The least lower bound keeps the most of the file.
            let bound = |loss: &&LossDescription| loss.lower_bound.unwrap_or(0.0);
            let ours = losses.iter().filter(|loss| named(&facts.kind, loss).2 == Role::SimLoss);
            let least = ours.min_by(|a, b| bound(a).total_cmp(&bound(b)));
            reference = least.map(|loss| rebuilt(&source, facts.class_names.len(), loss)).transpose()?;
            list.push(Measure::Similarity);
        }
        list.extend([Measure::Likelihood, Measure::Calibration]);
        Ok(Measures { list, superclasses: facts.superclasses.clone(), reference })
    }

    /// The superclass of each class, where classes are grouped.
    pub fn superclasses(&self) -> Option<&[u16]> {
        self.superclasses.as_deref()
    }

    /// The measures, in the order of the columns.
    pub fn list(&self) -> &[Measure] {
        &self.list
    }

    /// What should choose among losses.
    pub fn selection(&self) -> Selection {
        if self.list.contains(&Measure::ClassError) { Selection::Mae } else { Selection::Accuracy }
    }

    /// The number of one run; `None` where nothing was counted.
    ///
    /// # Errors
    /// [`Error::Core`] for a confusion matrix of other classes.
    pub fn value(&self, measure: Measure, outcome: &Outcome) -> Result<Option<f64>, Error> {
        let test = &outcome.test;
        let confusion = || confusion(&test.confusion);
        Ok(match measure {
            Measure::Accuracy => test.scores.argmax.accuracy,
            Measure::ClassError => test.scores.argmax.mae,
            Measure::ExpectedError => test.expectation.mae,
            Measure::ClassSquaredError => test.scores.argmax.mse,
            Measure::CircularError => {
                let classes = test.confusion.len();
                let distance = |y: usize, c: usize| y.abs_diff(c).min(classes - y.abs_diff(c)) as f64;
                confusion()?.mean(distance)?.value()
            }
            Measure::SuperclassAccuracy => match &self.superclasses {
                Some(of) => confusion()?.superclass_accuracy(of)?.value(),
                None => None,
            },
            Measure::FailedSuperclassAccuracy => match &self.superclasses {
                Some(of) => confusion()?.failed_superclass_accuracy(of)?.value(),
                None => None,
            },
            Measure::Similarity => match &self.reference {
                Some(s) => confusion()?.similarity(s, &mut vec![0.0; s.classes()])?.value(),
                None => None,
            },
            Measure::Likelihood => test.scores.likelihood,
            Measure::Calibration => test.scores.calibration,
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
    let mut table = ConfusionTable::in_memory(vec![0; classes * classes], classes)?;
    for (y, row) in counts.iter().enumerate() {
        for (c, &n) in row.iter().enumerate() {
            for _ in 0..n {
                table.update(Label::new(y, classes)?, Label::new(c, classes)?)?;
            }
        }
    }
    Ok(table)
}
