//! A trained network on samples: every score under every decoder, and what it says of each sample.

use crate::{
    Error,
    compute::{
        engine::Threads,
        lanes::InstructionSet,
        loss::AnyLoss,
        network::{Kind, Visitor},
        samples::{AnyFeatures, Samples},
    },
    eval::scores::{Answers, Decoders, Test, Values},
    files,
};
use serde::Serialize;
use simloss_core::{
    Error as CoreError, Label,
    decoders::{Probabilities, argmax},
    layers::Layer,
    loss::{Criterion, Loss, Targets, softmax_into},
    metrics::ConfusionTable,
    train::{Evaluation, Network, eval_step},
};
use std::path::Path;

/// The figures of an evaluation, as `simloss eval --json` prints them after the number of samples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// How many.
    #[serde(skip)]
    pub samples: usize,
    /// Share of samples whose most probable class is right.
    pub accuracy: Option<f64>,
    /// Mean absolute error of the value of the most probable class.
    pub mae: Option<f64>,
    /// Mean squared error of the same.
    pub mse: Option<f64>,
    /// Mean absolute error of the expected value.
    pub mae_expectation: Option<f64>,
    /// Mean loss.
    pub loss: Option<f64>,
    /// Share of samples whose most probable class is of the right group, where classes are grouped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superclass_accuracy: Option<f64>,
    /// The same among samples whose most probable class is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_superclass_accuracy: Option<f64>,
    /// Everything else, under every decoder.
    pub scores: Test,
}

impl Summary {
    /// Leaves out what means nothing for classes without an order: distances, and the decoders that use them.
    pub fn forget_distances(&mut self) {
        (self.mae, self.mse, self.mae_expectation) = (None, None, None);
        let test = &mut self.scores;
        test.scores.ranked = None;
        test.scores.argmax = Answers { accuracy: test.scores.argmax.accuracy, ..Answers::default() };
        (test.expectation, test.median, test.minimum_risk) = Default::default();
    }
}

/// What a network says of one sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction<'a> {
    /// The sample.
    pub sample: u32,
    /// The class it has.
    pub label: Label,
    /// The most probable class.
    pub argmax: Label,
    /// The expected value `sum_k p[k] v[k]`.
    pub expectation: f64,
    /// One number per class.
    pub probabilities: &'a [f32],
    /// The same before the softmax.
    pub logits: &'a [f32],
}

/// Samples that are computed at a time.
pub const BATCH: usize = 1024;

/// Scores of the samples `chosen`; `each` gets the prediction of every one of them, in their order, and ends the
/// evaluation with its error.
///
/// # Errors
/// [`Error::Data`] for samples of another width or number of classes than the network's; [`Error::Core`] for parameters
/// or a loss that do not fit it, logits that are not finite, and no samples; that of `each`.
pub fn evaluate<L: Loss<f32> + Sync>(
    kind: &Kind,
    parameters: &[f32],
    loss: L,
    samples: &dyn Samples,
    chosen: &[u32],
    threads: usize,
    each: &mut dyn FnMut(Prediction<'_>) -> Result<(), Error>,
) -> Result<Summary, Error> {
    let wrong = |problem| Err(Error::Data { data: samples.name().to_owned(), problem });
    let (found, expected) = (samples.inputs(), kind.inputs());
    if found != expected {
        let what = samples.what();
        return wrong(format!("its {what} are {found} numbers each, but the network takes {expected}"));
    }
    let (found, expected) = (samples.class_names().len(), kind.classes());
    if found != expected {
        return wrong(format!("there are {found} classes, but the network has {expected}"));
    }
    if chosen.is_empty() {
        return Err(CoreError::Empty.into());
    }
    let classes = samples.class_names().len();
    let values = Values::of(samples.class_values());
    let mut decoders = Decoders::new(&values)?;
    let mut confusion = ConfusionTable::in_memory(vec![0; classes * classes], classes)?;
    let mut probabilities = vec![0.0; classes];
    let mut drive = |step: &mut Step<'_>| {
        for chosen in chosen.chunks(BATCH) {
            let features = samples.batch(chosen)?;
            let labels: Vec<Option<Label>> =
                chosen.iter().map(|&i| samples.labels().get(i as usize).copied()).collect();
            step(&features, &labels, &mut |i, loss, logits| {
                let (Some(&sample), Some(&Some(label))) = (chosen.get(i), labels.get(i)) else { return Ok(()) };
                decoders.add(logits, label, loss)?;
                softmax_into(logits, &mut probabilities)?;
                let argmax = argmax(logits)?;
                confusion.update(label, argmax)?;
                let expectation = values.expectation(Probabilities::new(&probabilities)?)?;
                let probabilities = &probabilities;
                each(Prediction { sample, label, argmax, expectation, probabilities, logits })
            })?;
        }
        Ok(())
    };
    kind.visit(Pass { parameters, loss, classes, threads, drive: &mut drive })??;
    let (superclass, failed) = match &samples.superclasses() {
        Some(groups) => {
            (confusion.superclass_accuracy(groups)?.value(), confusion.failed_superclass_accuracy(groups)?.value())
        }
        None => (None, None),
    };
    let scores = decoders.test()?;
    Ok(Summary {
        samples: chosen.len(),
        accuracy: scores.scores.argmax.accuracy,
        mae: scores.scores.argmax.mae,
        mse: scores.scores.argmax.mse,
        mae_expectation: scores.expectation.mae,
        loss: scores.scores.loss,
        superclass_accuracy: superclass,
        failed_superclass_accuracy: failed,
        scores,
    })
}

/// Logits of samples that come batch by batch, by `drive`: it calls the step that it gets with each batch, of at most
/// [`BATCH`] samples without labels.
///
/// # Errors
/// [`Error::Core`] for parameters that do not fit the network, and logits that are not finite; those of `drive`.
pub fn logits(
    kind: &Kind,
    parameters: &[f32],
    threads: usize,
    drive: &mut dyn FnMut(&mut Step<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let classes = kind.classes();
    kind.visit(Pass { parameters, loss: AnyLoss::cross_entropy(classes)?, classes, threads, drive })?
}

/// Computes a batch, its labels where there are any, and calls back with the place, the loss and the logits of each sample.
pub type Step<'s> = dyn FnMut(&AnyFeatures<'_>, &[Option<Label>], Each<'_>) -> Result<(), Error> + 's;

/// What [`Step`] calls back.
pub type Each<'e> = &'e mut dyn FnMut(usize, f32, &[f32]) -> Result<(), Error>;

/// The one pass over samples, batch by batch.
struct Pass<'a, L> {
    parameters: &'a [f32],
    loss: L,
    classes: usize,
    threads: usize,
    drive: &'a mut dyn FnMut(&mut Step<'_>) -> Result<(), Error>,
}

impl<L: Loss<f32> + Sync> Visitor for Pass<'_, L> {
    type Output = Result<(), Error>;

    fn visit<N: Layer<f32> + Sync>(self, layers: N) -> Result<(), Error> {
        let Pass { parameters, loss, classes, threads, drive } = self;
        let network = Network::new(layers, Criterion::new(loss))?;
        let mut engine = Threads::new(&network, threads, InstructionSet::chosen()?)?;
        let (mut losses, mut logits) = (vec![0.0; BATCH], vec![0.0; BATCH * classes]);
        drive(&mut |features, labels, each| {
            let n = labels.len().min(BATCH);
            let (losses, logits) = (&mut losses[..n], &mut logits[..n * classes]);
            let targets = Targets::labels(labels);
            eval_step(
                &mut engine,
                parameters,
                Evaluation { features, targets, losses: &mut *losses, logits: &mut *logits },
            )?;
            let all = losses.iter().zip(logits.chunks_exact(classes)).enumerate();
            for (i, (&loss, logits)) in all {
                each(i, loss, logits)?;
            }
            Ok(())
        })
    }
}

/// Predictions as a table: `path,label,argmax,expectation` and one column of probabilities for each class.
pub struct Table<'a> {
    samples: &'a dyn Samples,
    values: Values,
    rows: csv::Writer<Vec<u8>>,
    failed: Option<csv::Error>,
}

impl<'a> Table<'a> {
    /// With a first row of names.
    pub fn new(samples: &'a dyn Samples) -> Self {
        let mut rows = csv::Writer::from_writer(vec![]);
        let names = samples.class_names().iter().map(|name| format!("p({name})"));
        let first = ["path", "label", "argmax", "expectation"].map(str::to_owned);
        let failed = rows.write_record(first.into_iter().chain(names)).err();
        Table { samples, values: Values::of(samples.class_values()), rows, failed }
    }

    /// One row more.
    pub fn add(&mut self, prediction: Prediction<'_>) {
        let Prediction { sample, label, argmax, expectation, probabilities, .. } = prediction;
        let name = |label: Label| self.samples.class_names().get(label.index()).cloned().unwrap_or_default();
        let first = [self.samples.path(sample), name(label), name(argmax)];
        let numbers = [self.values.text(expectation)].into_iter().chain(probabilities.iter().map(f32::to_string));
        let row = self.rows.write_record(first.into_iter().chain(numbers));
        self.failed = self.failed.take().or(row.err());
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn save(self, path: &Path) -> Result<(), Error> {
        let rows = match self.failed {
            Some(error) => Err(std::io::Error::other(error)),
            None => self.rows.into_inner().map_err(|error| std::io::Error::other(error.to_string())),
        };
        files::replace(path, &[&rows.map_err(Error::file("write", path))?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::similarity::AnySimilarity;
    use crate::{
        compute::samples::Scaled,
        data::{
            Dataset,
            images::{ImageSet, Tree, pattern},
        },
    };
    use simloss_core::{loss::SimLoss, similarity::Identity};

    /// Cross entropy, as the type that the program evaluates with.
    fn loss(classes: usize) -> Result<SimLoss<AnySimilarity>, Error> {
        Ok(SimLoss::new(AnySimilarity::None(Identity::new(classes)?)))
    }

    #[test]
    fn every_sample_is_predicted_once() -> Result<(), Box<dyn std::error::Error>> {
        let mut contents = pattern(37, 3, [1, 2]);
        let names = ["c0", "c1", "c2", "a", "root"].map(str::to_owned).to_vec();
        contents.tree = Some(Tree { parents: vec![3, 3, 4, 4, 4], names });
        let set = ImageSet::new(contents)?;
        let kind = Kind::Table { inputs: 6, hidden: vec![4], classes: 3 };
        // All weights 0: the biases alone say that class 1 is the most probable.
        let mut parameters = vec![0.0; 6 * 4 + 4 + 4 * 3 + 3];
        parameters[6 * 4 + 4 + 4 * 3 + 1] = std::f32::consts::LN_2;
        let chosen: Vec<u32> = (0..37).rev().collect();
        let mut seen = vec![];
        let mut table = Table::new(&set);
        let summary = evaluate(&kind, &parameters, loss(3)?, &set, &chosen, 2, &mut |p| {
            assert_eq!((p.argmax.index(), p.label.index()), (1, p.sample as usize % 3));
            assert!((p.expectation - 1.0).abs() < 1e-6 && (p.probabilities[1] - 0.5).abs() < 1e-6);
            seen.push(p.sample);
            table.add(p);
            Ok(())
        })?;
        assert_eq!(seen, chosen);
        assert_eq!((summary.samples, summary.accuracy), (37, Some(12.0 / 37.0)));
        assert_eq!(summary.superclass_accuracy, Some(25.0 / 37.0));
        assert_eq!(summary.failed_superclass_accuracy, Some(13.0 / 25.0));
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("predictions.csv");
        table.save(&path)?;
        let text = std::fs::read_to_string(&path)?;
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), lines[0]), (38, "path,label,argmax,expectation,p(c0),p(c1),p(c2)"));
        assert!(lines[1].starts_with("36.png,c0,c1,1"), "{}", lines[1]);
        let table = Table::new(&set);
        assert!(table.save(&folder.path().join("missing/p.csv")).is_err());
        Ok(())
    }

    #[test]
    fn what_does_not_fit_the_network_is_refused() -> Result<(), Error> {
        let set = ImageSet::new(pattern(4, 2, [1, 2]))?;
        let run = |kind: Kind, parameters: usize, chosen: &[u32]| {
            evaluate(&kind, &vec![0.0; parameters], loss(2)?, &set, chosen, 1, &mut |_| Ok(()))
        };
        let table = |inputs, classes| Kind::Table { inputs, hidden: vec![1], classes };
        let message = |kind, n, chosen: &[u32]| run(kind, n, chosen).err().map(|e| e.to_string()).unwrap_or_default();
        assert_eq!(message(table(6, 2), 11, &[0, 3]), "");
        assert!(message(table(5, 2), 10, &[0]).contains("are 6 numbers each, but the network takes 5"));
        assert!(message(table(6, 3), 13, &[0]).contains("2 classes, but the network has 3"));
        assert!(message(table(6, 2), 10, &[0]).contains("parameters"));
        assert!(!message(table(6, 2), 11, &[]).is_empty());
        assert!(!message(table(6, 2), 11, &[4]).is_empty());
        Ok(())
    }

    #[test]
    fn tables_are_judged_too() -> Result<(), Error> {
        let labels = [0, 1, 1].map(|y| Label::new(y, 2)).into_iter().collect::<Result<Vec<_>, _>>()?;
        let data = Dataset::new("t", vec![1.0, 2.0, 3.0], 1, labels, vec!["a".into(), "b".into()], vec![0.0, 1.0])?;
        let kind = Kind::Table { inputs: 1, hidden: vec![1], classes: 2 };
        // The hidden unit is the feature; class b is the more probable above 2.
        let parameters = [1.0, 0.0, 0.0, 1.0, 2.5, 0.0];
        let (scaled, mut paths) = (Scaled::new(&data, None), vec![]);
        let summary = evaluate(&kind, &parameters, loss(2)?, &scaled, &[0, 1, 2], 1, &mut |p| {
            paths.push((scaled.path(p.sample), p.argmax.index()));
            Ok(())
        })?;
        assert_eq!(paths, [("t#1".to_owned(), 0), ("t#2".to_owned(), 0), ("t#3".to_owned(), 1)]);
        assert_eq!(summary.accuracy, Some(2.0 / 3.0));
        let stopped = evaluate(&kind, &parameters, loss(2)?, &scaled, &[0, 1, 2], 1, &mut |_| {
            Err(Error::Interrupted { folder: None })
        });
        assert!(matches!(stopped, Err(Error::Interrupted { .. })));
        Ok(())
    }
}
