//! One run: from first parameters to a tested network, epoch by epoch, so that it can be interrupted and continued.
//!
//! ```text
//! for each epoch: shuffle -> batches -> train_step ... -> validate -> keep the best -> write
//! at the end:     the best parameters -> test, with every decoder -> write
//! ```
//!
//! # Files of an output folder
//! | file | contents | written |
//! |---|---|---|
//! | `record.json` | the [`Record`] | after every epoch, and at the end |
//! | `state.safetensors` | all that is needed to go on: parameters, moments, the best parameters | after every epoch |
//! | `model.safetensors` | the best parameters, with what is needed to use them | when they change |
//! | `lock` | nothing; locked as long as a process may write the others | at the beginning |
//!
//! Each is replaced whole. They are written in this order: the model, the record, the state. So the state is never ahead
//! of the others, and a run killed at any time is continued from its state: what the record says of later epochs is cut
//! off and computed again, to the same bits. Waiting for the disk takes longer than an epoch on a small table, so that is
//! done once a second and at the end: a power cut may cost the last second, a kill at most the epoch.
//!
//! # What --resume does
//! | the folder holds | without | with |
//! |---|---|---|
//! | no record | starts | starts |
//! | an unfinished run | refuses | continues, if version, settings, data, split and loss are the same |
//! | a finished run | refuses | the same returns its record; more epochs continue it |
//! | a finished run without its model | refuses | writes the model again, from the state |

use crate::{
    Error, VERSION,
    compute::{
        engine::Threads,
        lanes::InstructionSet,
        network::{Kind, Visitor},
        samples::{Samples, Scaled},
        task::Data,
    },
    data::{Split, Standardiser, images::Augmentation, stream},
    eval::scores::{Decoders, Scorer, Values},
    model::{Model, State},
    run::{
        folder::Folder,
        record::{DataDescription, Ended, Epoch, Outcome, Record, Selection, Settings},
    },
    similarity::{
        AnySimilarity,
        spec::{LossDescription, Truth},
    },
};
use simloss_core::{
    Label, Random,
    layers::Layer,
    loss::{Criterion, Loss, Reduction, Targets, soft_label_into},
    metrics::Mean,
    optimizer::{Adam, Optimizer},
    similarity::Similarity as _,
    train::{Batch, Engine, Evaluation, Model as Training, Network, eval_step, train_step},
};
use std::path::PathBuf;

/// Where a run writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutDir {
    /// The folder; made if it does not exist.
    pub dir: PathBuf,
    /// Whether to go on with a run that is there.
    pub resume: bool,
}

/// Looks on while a run goes. Every method may be left out.
pub trait Watch {
    /// Epoch `epoch` of at most `epochs` begins, with `batches` batches. Counted from 1.
    fn epoch_started(&mut self, epoch: usize, epochs: usize, batches: usize) {
        let _ = (epoch, epochs, batches);
    }

    /// Batch `batch` (counted from 1) of `samples` samples was trained with; `loss` is their mean loss before the step.
    fn batch_done(&mut self, batch: usize, samples: usize, loss: f32) {
        let _ = (batch, samples, loss);
    }

    /// An epoch was trained and validated; `best` if its parameters are the best so far.
    fn epoch_done(&mut self, epoch: &Epoch, best: bool) {
        let _ = (epoch, best);
    }

    /// Whether to stop: asked after every batch, of training and of evaluation.
    fn should_stop(&mut self) -> bool {
        false
    }
}

/// Nobody looks on.
impl Watch for () {}

/// What is trained for.
#[derive(Clone, Copy, Debug)]
pub struct Objective<'a, L> {
    /// The loss of a sample and a class that is taken for its own.
    pub loss: L,
    /// What records say of it; it also says what is taken for the truth.
    pub description: &'a LossDescription,
    /// What soft labels are made from, where these are the truth.
    pub similarity: Option<&'a AnySimilarity>,
    /// The superclass of each class, where the similarity is made of them: what a model keeps, to be trained on with the
    /// same loss.
    pub groups: Option<&'a [u16]>,
}

impl<'a, L: Loss<f32>> Objective<'a, L> {
    /// A loss, with the truth that the description says; not for soft labels.
    pub fn new(loss: L, description: &'a LossDescription) -> Self {
        Objective { loss, description, similarity: None, groups: None }
    }

    fn criterion(self) -> Result<Criterion<'static, L, f32>, Error> {
        let criterion = Criterion::new(self.loss);
        match self.description.truth {
            Truth::Smoothed(share) => Ok(criterion.with_label_smoothing(share as f32)?),
            Truth::Class | Truth::Soft => Ok(criterion),
        }
    }

    /// The soft label of each class, row by row.
    fn soft_labels(&self) -> Result<Option<Vec<f32>>, Error> {
        let (Truth::Soft, Some(similarity)) = (self.description.truth, self.similarity) else { return Ok(None) };
        let classes = similarity.classes();
        let (mut rows, mut scratch) = (vec![0.0; classes * classes], vec![0.0; similarity.scratch()]);
        for (y, row) in rows.chunks_exact_mut(classes).enumerate() {
            soft_label_into(similarity, Label::new(y, classes)?, &mut scratch, row)?;
        }
        Ok(Some(rows))
    }
}

/// Trains a network, chooses the best epoch and tests it.
///
/// Features of tables are standardised on the training part, bytes of images divided by 255. The optimizer is Adam, the
/// reduction the mean over the samples.
///
/// # Errors
/// [`Error::Setting`] for settings outside their domain, [`Error::Data`] for an empty part of the split and for images
/// that do not fit the network, [`Error::Exists`] and [`Error::OtherRun`] for what is in the
/// output folder, [`Error::Busy`] where another process is at it, [`Error::Interrupted`], [`Error::Step`] where numbers leave their domain, [`Error::File`] and
/// [`Error::Format`] for files, [`Error::Core`] for a loss of another number of classes.
///
/// # Example
/// ```
/// use simloss_core::{Label, loss::CrossEntropy};
/// use simloss_train::{data::{Dataset, Split}, run::{record::{Selection, Settings}, train::{Objective, run}}, similarity::spec::LossDescription};
/// let labels = (0..60).map(|i| Label::new(i / 20, 3)).collect::<Result<Vec<_>, _>>()?;
/// let features = (0..60).map(|i| (i / 20 * 10 + i % 20 / 4) as f32).collect();
/// let names = ["low", "middle", "high"].map(str::to_owned).to_vec();
/// let data = Dataset::new("steps", features, 1, labels, names, vec![0.0, 1.0, 2.0])?;
/// let split = Split::stratified(&data, 7)?;
/// let settings = Settings {
///     epochs: 30, batch: 8, rate: 0.05, patience: None, seed: 7, hidden: vec![8], augmentation: None,
///     selection: Selection::Accuracy, threads: 1,
/// };
/// let plain = LossDescription::cross_entropy();
/// let record = run(&settings, Objective::new(CrossEntropy::new(3)?, &plain), &data, &split, None, &mut ())?;
/// let result = record.result.ok_or("not finished")?;
/// assert_eq!(result.test.scores.argmax.accuracy, Some(1.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn run<'a, L: Loss<f32> + Sync>(
    settings: &Settings,
    objective: Objective<'_, L>,
    data: impl Into<Data<'a>>,
    split: &Split,
    out: Option<&OutDir>,
    watch: &mut dyn Watch,
) -> Result<Record, Error> {
    settings.check()?;
    let data = data.into();
    let wrong = |problem| Err(Error::Data { data: data.name().to_owned(), problem });
    let parts = [("train", &split.train), ("validation", &split.validation), ("test", &split.test)];
    if let Some((part, _)) = parts.iter().find(|(_, part)| part.is_empty()) {
        return wrong(format!("the {part} part of its split is empty"));
    }
    let set = InstructionSet::chosen()?;
    let run = |kind: &Kind, samples: &dyn Samples, standardiser| {
        let description = DataDescription::of(data, split);
        let (out, watch) = (out, watch);
        let run = Run { settings, objective, description, samples, standardiser, split, out, watch, set, kind };
        kind.visit(run)?
    };
    match data {
        Data::Table(table) => {
            let (inputs, classes) = (table.width(), table.classes());
            let standardiser = Standardiser::fit(table.features(), inputs, &split.train);
            let scaled = Scaled::new(table, Some(&standardiser));
            run(&Kind::Table { inputs, hidden: settings.hidden.clone(), classes }, &scaled, Some(standardiser))
        }
        Data::Images(images, kind) => {
            let found = [images.inputs(), images.classes()];
            if found != [kind.inputs(), kind.classes()] {
                let [inputs, classes] = found;
                let (takes, has) = (kind.inputs(), kind.classes());
                return wrong(format!(
                    "images of {inputs} numbers in {classes} classes do not fit a network for {takes} numbers and {has} \
                     classes"
                ));
            }
            run(kind, images, None)
        }
    }
}

/// Everything a run is given, on its way to the layers.
struct Run<'a, L> {
    settings: &'a Settings,
    objective: Objective<'a, L>,
    description: DataDescription,
    samples: &'a dyn Samples,
    standardiser: Option<Standardiser>,
    split: &'a Split,
    out: Option<&'a OutDir>,
    watch: &'a mut dyn Watch,
    set: InstructionSet,
    kind: &'a Kind,
}

impl<L: Loss<f32> + Sync> Visitor for Run<'_, L> {
    type Output = Result<Record, Error>;

    fn visit<N: Layer<f32> + Sync>(self, layers: N) -> Result<Record, Error> {
        let Run { settings, objective, description, samples, standardiser, split, out, watch, set, kind } = self;
        let (loss_description, soft_labels) = (objective.description, objective.soft_labels()?);
        let groups = objective.groups.filter(|_| loss_description.similarity == "superclass").unwrap_or_default();
        let network = Network::new(layers, objective.criterion()?)?;
        let mut engine = Threads::new(&network, settings.threads, set)?;
        let adam = Adam::new(settings.rate)?;
        let values = Values::of(samples.class_values());
        let interrupted = || Error::Interrupted { folder: out.map(|out| out.dir.clone()) };

        let mut record = Record {
            version: VERSION.to_owned(),
            settings: settings.clone(),
            loss: loss_description.clone(),
            data: description,
            network: kind.clone(),
            parameters: network.parameters(),
            epochs: vec![],
            result: None,
        };
        let mut parameters = vec![0.0; network.parameters()];
        let mut random = Random::new(settings.seed).key(stream::INITIALISE);
        layers.initialise(&mut parameters, &mut random);
        let mut state = State::new(record.fingerprint(), parameters, <Adam<f32> as Optimizer<f32>>::MOMENTS);

        let mut folder = out.map(|out| Folder::of(&out.dir)).transpose()?;
        if let (Some(out), Some(folder)) = (out, &folder)
            && let Some(finished) = folder.open(out.resume, &mut record, &mut state)?
        {
            return Ok(finished);
        }
        let model = |parameters: &[f32]| Model {
            version: VERSION.to_owned(),
            network: kind.clone(),
            class_names: samples.class_names().to_vec(),
            class_values: samples.class_values().to_vec(),
            ordered: samples.is_ordered(),
            features: samples.feature_names().to_vec(),
            columns: samples.columns().to_vec(),
            standardiser: standardiser.clone(),
            loss: loss_description.clone(),
            groups: groups.to_vec(),
            parameters: parameters.to_vec(),
        };

        let mut gradient = vec![0.0; network.parameters()];
        let mut memory = Memory { soft_labels, ..Memory::default() };
        while state.epoch < settings.epochs && !out_of_patience(settings, &state) {
            let epoch = state.epoch + 1;
            let mut order = split.train.clone();
            Random::new(settings.seed).key(stream::SHUFFLE).key(epoch as u64).shuffle(&mut order);
            let batches = order.len().div_ceil(settings.batch);
            watch.epoch_started(epoch, settings.epochs, batches);
            let augmentation = settings.augmentation.map(|padding| {
                let (seed, epoch) = (settings.seed, epoch as u64);
                Augmentation { seed, epoch, padding }
            });
            let mut train_loss = Mean::new();
            for (batch, chosen) in (1..).zip(order.chunks(settings.batch)) {
                let features = match augmentation {
                    Some(augmentation) => samples.augmented(chosen, augmentation)?,
                    None => samples.batch(chosen)?,
                };
                let (targets, losses) = memory.batch(samples, chosen);
                let mean = train_step(
                    &mut engine,
                    &adam,
                    Training {
                        parameters: &mut state.parameters,
                        moments: &mut state.moments,
                        steps: &mut state.steps,
                    },
                    &mut gradient,
                    Batch { features: &features, targets, reduction: Reduction::MeanByCount, losses: &mut *losses },
                )
                .map_err(|source| Error::Step { epoch, batch, source })?;
                losses.iter().try_for_each(|&loss| train_loss.update(loss))?;
                watch.batch_done(batch, chosen.len(), mean);
                if watch.should_stop() {
                    return Err(interrupted());
                }
            }

            let mut scorer = Scorer::new(&values)?;
            let whole = memory
                .evaluate(&mut engine, &state.parameters, samples, &split.validation, watch, |logits, y, loss| {
                    Ok(scorer.add(logits, y, loss).map(|_| ())?)
                })
                .map_err(|error| match error {
                    Error::Core(source) => Error::Step { epoch, batch: batches, source },
                    other => other,
                })?;
            if !whole {
                return Err(interrupted());
            }
            let done = Epoch { epoch, train_loss: train_loss.value(), validation: scorer.scores()? };
            let best = match state.best_epoch.checked_sub(1).and_then(|best| record.epochs.get(best)) {
                Some(best) => is_better(settings.selection, &done, best),
                None => true,
            };
            state.epoch = epoch;
            if best {
                state.best_epoch = epoch;
                state.best.copy_from_slice(&state.parameters);
            }
            record.epochs.push(done);
            if let Some(folder) = &mut folder {
                let safe = folder.safety();
                if best {
                    model(&state.best).save_safe(safe, &folder.model())?;
                }
                record.save_safe(safe, &folder.record())?;
                state.save(safe, &folder.state())?;
            }
            if let Some(done) = record.epochs.last() {
                watch.epoch_done(done, best);
            }
        }

        let mut decoders = Decoders::new(&values)?;
        let whole = memory.evaluate(&mut engine, &state.best, samples, &split.test, watch, |logits, y, loss| {
            Ok(decoders.add(logits, y, loss)?)
        })?;
        if !whole {
            return Err(interrupted());
        }
        record.result = Some(Outcome {
            best_epoch: state.best_epoch,
            ended: if state.epoch < settings.epochs { Ended::Patience } else { Ended::Epochs },
            test: decoders.test()?,
        });
        if let Some(folder) = &folder {
            model(&state.best).save(&folder.model())?;
            record.save(&folder.record())?;
        }
        Ok(record)
    }
}

fn out_of_patience(settings: &Settings, state: &State) -> bool {
    settings.patience.is_some_and(|patience| state.epoch >= state.best_epoch.saturating_add(patience))
}

/// Whether `new` is better than the best so far; as good is not.
fn is_better(selection: Selection, new: &Epoch, best: &Epoch) -> bool {
    let value = |epoch: &Epoch| match selection {
        Selection::Mae => epoch.validation.argmax.mae,
        // Of two accuracies the greater is better, of everything else the lesser.
        Selection::Accuracy => epoch.validation.argmax.accuracy.map(|accuracy| -accuracy),
        Selection::Loss => epoch.validation.loss,
    };
    matches!((value(new), value(best)), (Some(new), Some(best)) if new < best)
}

/// Samples that are evaluated at a time.
const EVALUATED: usize = 1024;

/// What batches are gathered in; reused from batch to batch.
#[derive(Default)]
struct Memory {
    /// The soft label of each class, row by row, where that is taken for the truth.
    soft_labels: Option<Vec<f32>>,
    soft: Vec<f32>,
    labels: Vec<Option<Label>>,
    losses: Vec<f32>,
    logits: Vec<f32>,
}

impl Memory {
    /// What is taken for true of the samples `chosen`, and room for their losses.
    fn batch(&mut self, samples: &dyn Samples, chosen: &[u32]) -> (Targets<'_, f32>, &mut [f32]) {
        self.labels.clear();
        self.labels.extend(chosen.iter().map(|&i| samples.labels().get(i as usize).copied()));
        self.losses.resize(chosen.len(), 0.0);
        let targets = match &self.soft_labels {
            None => Targets::labels(&self.labels),
            Some(rows) => {
                let classes = samples.class_names().len();
                self.soft.clear();
                for y in self.labels.iter().flatten() {
                    self.soft.extend(rows.iter().skip(y.index() * classes).take(classes));
                }
                Targets::soft(&self.soft)
            }
        };
        (targets, &mut self.losses)
    }

    /// Logits, class and loss of each of the samples `chosen`, to `each`. Returns false if it was stopped.
    fn evaluate<E: Engine<f32>>(
        &mut self,
        engine: &mut E,
        parameters: &[f32],
        samples: &dyn Samples,
        chosen: &[u32],
        watch: &mut dyn Watch,
        mut each: impl FnMut(&[f32], Label, f32) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        let classes = samples.class_names().len();
        for chosen in chosen.chunks(EVALUATED) {
            let features = samples.batch(chosen)?;
            let mut logits = std::mem::take(&mut self.logits);
            logits.resize(chosen.len() * classes, 0.0);
            let (targets, losses) = self.batch(samples, chosen);
            eval_step(engine, parameters, Evaluation { features: &features, targets, losses, logits: &mut logits })?;
            let known = self.labels.iter().flatten().zip(&self.losses);
            for (logits, (y, &loss)) in logits.chunks_exact(classes).zip(known) {
                each(logits, *y, loss)?;
            }
            self.logits = logits;
            if watch.should_stop() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
