//! A trained network on images: every score under every decoder, and what it says of each image.

use super::{ImageSet, Images};
use crate::{
    Error,
    engine::Threads,
    files,
    lanes::InstructionSet,
    network::{Kind, Visitor},
    record::Test,
    score::Decoders,
};
use serde::Serialize;
use simloss_core::{
    Error as CoreError, Label,
    decoders::{Probabilities, argmax, expectation},
    layers::Layer,
    loss::{Criterion, Loss, Targets, softmax_into},
    metrics::ConfusionTable,
    train::{Evaluation, Network, eval_step},
};
use std::path::Path;

/// The first figures of an evaluation, as `simloss eval --json` prints them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Images.
    pub images: usize,
    /// Share of images whose most probable class is right.
    pub accuracy: Option<f64>,
    /// Mean absolute error of the value of the most probable class.
    pub mae: Option<f64>,
    /// Mean squared error of the same.
    pub mse: Option<f64>,
    /// Mean absolute error of the expected value.
    pub mae_expectation: Option<f64>,
    /// Mean loss.
    pub loss: Option<f64>,
    /// Share of images whose most probable class is of the right group, where classes are grouped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superclass_accuracy: Option<f64>,
    /// The same among images whose most probable class is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_superclass_accuracy: Option<f64>,
    /// Everything else, under every decoder.
    pub scores: Test,
}

/// What a network says of one image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction<'a> {
    /// The image.
    pub image: u32,
    /// The class it has.
    pub label: Label,
    /// The most probable class.
    pub argmax: Label,
    /// The expected value `sum_k p[k] v[k]`.
    pub expectation: f32,
    /// One number per class.
    pub probabilities: &'a [f32],
}

/// Images that are computed at a time.
const BATCH: usize = 1024;

/// Scores of the images `chosen`; `each` gets the prediction of every one of them, in their order.
///
/// # Errors
/// [`Error::Data`] for images of another size or number of classes than the network's; [`Error::Core`] for parameters
/// or a loss that do not fit it, logits that are not finite, and no images.
pub fn evaluate<L: Loss<f32> + Sync>(
    kind: &Kind,
    parameters: &[f32],
    loss: L,
    set: &ImageSet,
    chosen: &[u32],
    threads: usize,
    each: &mut dyn FnMut(Prediction<'_>),
) -> Result<Summary, Error> {
    let wrong = |problem| Err(Error::Data { data: set.name().to_owned(), problem });
    if set.inputs() != kind.inputs() {
        let [height, width] = set.size();
        let (n, inputs) = (set.inputs(), kind.inputs());
        return wrong(format!("images of 3 x {height} x {width} are {n} numbers, but the network takes {inputs}"));
    }
    if set.classes() != kind.classes() {
        return wrong(format!("there are {} classes, but the network has {}", set.classes(), kind.classes()));
    }
    if chosen.is_empty() {
        return Err(CoreError::Empty.into());
    }
    kind.visit(Job { parameters, loss, set, chosen, threads, each })?
}

struct Job<'a, L> {
    parameters: &'a [f32],
    loss: L,
    set: &'a ImageSet,
    chosen: &'a [u32],
    threads: usize,
    each: &'a mut dyn FnMut(Prediction<'_>),
}

impl<L: Loss<f32> + Sync> Visitor for Job<'_, L> {
    type Output = Result<Summary, Error>;

    fn visit<N: Layer<f32> + Sync>(self, layers: N) -> Result<Summary, Error> {
        let Job { parameters, loss, set, chosen, threads, each } = self;
        let classes = set.classes();
        let network = Network::new(layers, Criterion::new(loss))?;
        let mut engine = Threads::new(&network, threads, InstructionSet::chosen()?)?;
        let values: Vec<f32> = set.class_values().iter().map(|&value| value as f32).collect();
        let mut decoders = Decoders::new(&values)?;
        let mut confusion = ConfusionTable::in_memory(vec![0; classes * classes], classes)?;
        let (mut losses, mut logits) = (vec![0.0; BATCH], vec![0.0; BATCH * classes]);
        let mut probabilities = vec![0.0; classes];
        for chosen in chosen.chunks(BATCH) {
            let features = Images::new(set, chosen, None)?;
            let labels: Vec<Option<Label>> = chosen.iter().map(|&i| set.labels().get(i as usize).copied()).collect();
            let (losses, logits) = (&mut losses[..chosen.len()], &mut logits[..chosen.len() * classes]);
            let targets = Targets::labels(&labels);
            eval_step(
                &mut engine,
                parameters,
                Evaluation { features: &features, targets, losses: &mut *losses, logits: &mut *logits },
            )?;
            let samples = chosen.iter().zip(labels.iter().flatten()).zip(losses).zip(logits.chunks_exact(classes));
            for (((&image, &label), loss), logits) in samples {
                decoders.add(logits, label, *loss)?;
                softmax_into(logits, &mut probabilities)?;
                let argmax = argmax(logits)?;
                confusion.update(label, argmax)?;
                let expectation = expectation(Probabilities::new(&probabilities)?, &values)?;
                each(Prediction { image, label, argmax, expectation, probabilities: &probabilities });
            }
        }
        let groups = set.tree().map(|tree| tree.superclasses(classes));
        let (superclass, failed) = match &groups {
            Some(groups) => {
                (confusion.superclass_accuracy(groups)?.value(), confusion.failed_superclass_accuracy(groups)?.value())
            }
            None => (None, None),
        };
        let scores = decoders.test()?;
        Ok(Summary {
            images: chosen.len(),
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
}

/// Predictions as a table: `path,label,argmax,expectation` and one column of probabilities for each class.
#[derive(Debug)]
pub struct Table<'a> {
    set: &'a ImageSet,
    rows: csv::Writer<Vec<u8>>,
    failed: Option<csv::Error>,
}

impl<'a> Table<'a> {
    /// With a first row of names.
    pub fn new(set: &'a ImageSet) -> Self {
        let mut rows = csv::Writer::from_writer(vec![]);
        let names = set.class_names().iter().map(|name| format!("p({name})"));
        let first = ["path", "label", "argmax", "expectation"].map(str::to_owned);
        let failed = rows.write_record(first.into_iter().chain(names)).err();
        Table { set, rows, failed }
    }

    /// One row more.
    pub fn add(&mut self, prediction: Prediction<'_>) {
        let Prediction { image, label, argmax, expectation, probabilities } = prediction;
        let path = self.set.paths().get(image as usize).map_or("", |path| path.as_str());
        let name = |label: Label| self.set.class_names().get(label.index()).map_or("", |name| name.as_str());
        let first = [path, name(label), name(argmax)].map(str::to_owned);
        let numbers = [expectation].iter().chain(probabilities).map(f32::to_string).collect::<Vec<_>>();
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
    use crate::images::{Tree, set::tests::pattern};
    use simloss_core::loss::CrossEntropy;

    #[test]
    fn every_image_is_predicted_once() -> Result<(), Box<dyn std::error::Error>> {
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
        let summary = evaluate(&kind, &parameters, CrossEntropy::new(3)?, &set, &chosen, 2, &mut |p| {
            assert_eq!((p.argmax.index(), p.label.index()), (1, p.image as usize % 3));
            assert!((p.expectation - 1.0).abs() < 1e-6 && (p.probabilities[1] - 0.5).abs() < 1e-6);
            seen.push(p.image);
            table.add(p);
        })?;
        assert_eq!(seen, chosen);
        assert_eq!((summary.images, summary.accuracy), (37, Some(12.0 / 37.0)));
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
            let loss = CrossEntropy::new(2)?;
            evaluate(&kind, &vec![0.0; parameters], loss, &set, chosen, 1, &mut |_| ())
        };
        let table = |inputs, classes| Kind::Table { inputs, hidden: vec![1], classes };
        let message = |kind, n, chosen: &[u32]| run(kind, n, chosen).err().map(|e| e.to_string()).unwrap_or_default();
        assert_eq!(message(table(6, 2), 11, &[0, 3]), "");
        assert!(message(table(5, 2), 10, &[0]).contains("are 6 numbers, but the network takes 5"));
        assert!(message(table(6, 3), 13, &[0]).contains("2 classes, but the network has 3"));
        assert!(message(table(6, 2), 10, &[0]).contains("parameters"));
        assert!(!message(table(6, 2), 11, &[]).is_empty());
        assert!(!message(table(6, 2), 11, &[4]).is_empty());
        Ok(())
    }
}
