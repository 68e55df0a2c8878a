//! From logits to scores: every sample through the core's decoders and metrics.

use serde::{Deserialize, Serialize};
use simloss_core::{
    Error, Label,
    decoders::{CostTable, Probabilities, expectation, median},
    loss::{CrossEntropy, Loss, softmax_into},
    metrics::{Bin, ClassificationMetrics, ConfusionTable, Mean, ValueErrors},
};

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

/// What classes stand for, in the precision that distances between them need.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Values {
    /// 32 bits: what is lost is below a thousandth of the least distance.
    Narrow(Vec<f32>),
    /// 64 bits, for dates and the like: `f32` would make one value of 20210131 and 20210132.
    Wide(Vec<f64>),
}

impl Values {
    /// The greatest value in units of the least distance for which 32 bits do.
    const NARROW: f64 = 4096.0;

    pub(crate) fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let least =
            sorted.windows(2).map(|pair| pair[1] - pair[0]).filter(|&gap| gap > 0.0).fold(f64::INFINITY, f64::min);
        let greatest = values.iter().fold(0.0f64, |most, x| most.max(x.abs()));
        match greatest <= Self::NARROW * least {
            true => Values::Narrow(values.iter().map(|&x| x as f32).collect()),
            false => Values::Wide(values.to_vec()),
        }
    }

    /// How many classes.
    fn classes(&self) -> usize {
        match self {
            Values::Narrow(values) => values.len(),
            Values::Wide(values) => values.len(),
        }
    }

    /// The expected value of a sample's probabilities.
    pub(crate) fn expectation(&self, p: Probabilities<'_, f32>) -> Result<f64, Error> {
        match self {
            Values::Narrow(values) => Ok(expectation(p, values)?.into()),
            Values::Wide(values) => {
                let wide: Vec<f64> = p.as_slice().iter().map(|&p| p.into()).collect();
                expectation(Probabilities::new(&wide)?, values)
            }
        }
    }

    /// Counts how far the expected value is from that of the class `y`.
    fn add_expectation(&self, errors: &mut ValueErrors, y: Label, p: Probabilities<'_, f32>) -> Result<(), Error> {
        let expected = self.expectation(p)?;
        match self {
            Values::Narrow(values) => errors.update(values[y.index()], expected as f32),
            Values::Wide(values) => errors.update(values[y.index()], expected),
        }
    }

    /// A value, as it is written: with no more digits than its precision has.
    pub(crate) fn text(&self, value: f64) -> String {
        match self {
            Values::Narrow(_) => (value as f32).to_string(),
            Values::Wide(_) => value.to_string(),
        }
    }

    /// Errors of the classes that were answered.
    pub(crate) fn errors(&self, confusion: &ConfusionTable<Vec<u64>>) -> Result<ValueErrors, Error> {
        match self {
            Values::Narrow(values) => confusion.errors(values),
            Values::Wide(values) => confusion.errors(values),
        }
    }
}

/// Collects the scores of samples.
#[derive(Debug)]
pub(crate) struct Scorer<'a> {
    values: &'a Values,
    cross_entropy: CrossEntropy,
    scratch: Vec<f32>,
    work: Vec<f32>,
    loss: Mean,
    metrics: ClassificationMetrics<Vec<u64>>,
}

impl<'a> Scorer<'a> {
    /// No samples; `values` are what the classes stand for.
    pub(crate) fn new(values: &'a Values) -> Result<Self, Error> {
        let classes = values.classes();
        Ok(Scorer {
            values,
            cross_entropy: CrossEntropy::new(classes)?,
            scratch: vec![0.0; classes],
            work: vec![0.0; classes],
            loss: Mean::new(),
            metrics: ClassificationMetrics::in_memory(vec![0; classes * classes], classes, 1)?,
        })
    }

    /// One sample: its logits, class, and loss. Returns its probabilities.
    pub(crate) fn add(&mut self, logits: &[f32], y: Label, loss: f32) -> Result<Probabilities<'_, f32>, Error> {
        let cross_entropy = self.cross_entropy.value_of_slice(logits, y, &mut self.scratch, &mut self.work)?;
        softmax_into(logits, &mut self.work)?;
        let p = Probabilities::new(&self.work)?;
        self.metrics.update(p, y, cross_entropy)?;
        self.loss.update(loss)?;
        Ok(p)
    }

    /// The samples by confidence.
    pub(crate) fn bins(&self) -> &[Bin] {
        self.metrics.calibration.bins()
    }

    /// The scores.
    pub(crate) fn scores(&self) -> Result<Scores, Error> {
        Ok(Scores {
            loss: self.loss.value(),
            argmax: answers(&self.metrics.confusion, self.values)?,
            likelihood: self.metrics.likelihood.value(),
            brier: self.metrics.brier.value(),
            ranked: self.metrics.ranked.value(),
            calibration: self.metrics.calibration.value(),
        })
    }
}

/// Collects the scores of samples under every decoder.
#[derive(Debug)]
pub(crate) struct Decoders<'a> {
    scorer: Scorer<'a>,
    costs: CostTable<f32, Vec<f32>>,
    expectation: ValueErrors,
    median: ConfusionTable<Vec<u64>>,
    minimum_risk: ConfusionTable<Vec<u64>>,
}

impl<'a> Decoders<'a> {
    /// As [`Scorer::new`].
    pub(crate) fn new(values: &'a Values) -> Result<Self, Error> {
        let classes = values.classes();
        let table = || ConfusionTable::in_memory(vec![0; classes * classes], classes);
        Ok(Decoders {
            scorer: Scorer::new(values)?,
            costs: CostTable::in_memory(vec![0.0; classes * classes], classes, |i, j| i.abs_diff(j) as f32)?,
            expectation: ValueErrors::new(),
            median: table()?,
            minimum_risk: table()?,
        })
    }

    /// As [`Scorer::add`].
    pub(crate) fn add(&mut self, logits: &[f32], y: Label, loss: f32) -> Result<(), Error> {
        let values = self.scorer.values;
        let p = self.scorer.add(logits, y, loss)?;
        values.add_expectation(&mut self.expectation, y, p)?;
        self.median.update(y, median(p))?;
        self.minimum_risk.update(y, self.costs.minimum_risk(p)?)
    }

    /// The scores.
    pub(crate) fn test(&self) -> Result<Test, Error> {
        let values = self.scorer.values;
        let confusion = &self.scorer.metrics.confusion;
        Ok(Test {
            scores: self.scorer.scores()?,
            expectation: Answers {
                mae: self.expectation.absolute.value(),
                mse: self.expectation.squared.value(),
                ..Answers::default()
            },
            median: answers(&self.median, values)?,
            minimum_risk: answers(&self.minimum_risk, values)?,
            confusion: confusion.counts().chunks_exact(confusion.classes()).map(<[u64]>::to_vec).collect(),
        })
    }
}

fn answers(confusion: &ConfusionTable<Vec<u64>>, values: &Values) -> Result<Answers, Error> {
    let errors = values.errors(confusion)?;
    Ok(Answers {
        accuracy: confusion.accuracy().value(),
        within_one: confusion.within(1).value(),
        mae: errors.absolute.value(),
        mse: errors.squared.value(),
        kappa: confusion.quadratic_weighted_kappa(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_keep_their_distances() -> Result<(), Error> {
        assert!(matches!(Values::of(&[1.0, 2.0, 90.0]), Values::Narrow(_)));
        assert!(matches!(Values::of(&[0.1, 0.2, 0.9]), Values::Narrow(_)));
        for days in [[100_000_001.0, 100_000_002.0, 100_000_003.0], [1e6 + 0.01, 1e6 + 1.01, 1e6 + 2.01]] {
            let values = Values::of(&days);
            let mut decoders = Decoders::new(&values)?;
            // The last class is answered, and the first is right.
            decoders.add(&[0.0, 0.0, 40.0], Label::new(0, 3)?, 0.5)?;
            let test = decoders.test()?;
            let close = |found: Option<f64>| assert!((found.unwrap_or(0.0) - 2.0).abs() < 1e-6, "{found:?}");
            close(test.scores.argmax.mae);
            close(test.expectation.mae);
            close(test.median.mae);
        }
        Ok(())
    }

    #[test]
    fn every_decoder_answers_for_itself() -> Result<(), Error> {
        // Probabilities .4, .25, .35 of the values 10, 20, 40: argmax 10, median 20, mean 23.
        let logits = [0.4f32, 0.25, 0.35].map(f32::ln);
        let values = Values::of(&[10.0, 20.0, 40.0]);
        let mut decoders = Decoders::new(&values)?;
        decoders.add(&logits, Label::new(1, 3)?, 0.5)?;
        let test = decoders.test()?;
        assert_eq!(
            (test.scores.argmax.accuracy, test.scores.argmax.mae, test.scores.loss),
            (Some(0.0), Some(10.0), Some(0.5))
        );
        assert_eq!((test.median.accuracy, test.median.mae), (Some(1.0), Some(0.0)));
        assert_eq!(test.minimum_risk, test.median);
        assert_eq!(test.expectation.accuracy, None);
        assert!((test.expectation.mae.unwrap_or(0.0) - 3.0).abs() < 1e-5);
        assert!((test.expectation.mse.unwrap_or(0.0) - 9.0).abs() < 1e-4);
        assert!((test.scores.likelihood.unwrap_or(0.0) + 0.25f64.ln()).abs() < 1e-6);
        assert_eq!(test.confusion, [[0, 0, 0], [1, 0, 0], [0, 0, 0]]);
        Ok(())
    }
}
