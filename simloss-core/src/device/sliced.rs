//! A step that can be called until it is done.

use crate::{
    Error,
    gradient::Looks,
    layers::{Activations, Sliced, Slices},
    loss::Loss,
    number::{Job, Scalar},
    optimizer::{InPlace, Optimizer, clipped},
    train::{Batch, Features, Judge, Load, Model, Network, OVERFLOW, Parts, Work, mean, surely_usable},
};

/// [`train_one`](crate::train::train_one) in slices, for a watchdog that must be fed, or another task that cannot wait: call
/// [`run`](Self::run) until it says that the step is done. The bits are those of `train_one`.
///
/// A slice is four outputs, the gradients of four inputs, or one row of weights moved
/// ([`Sliced`]); the features' check, the loss, and the norm of the gradient are one slice each. The longest are rows:
/// about `4 max(inputs)` multiplications and additions, and the loss, `C` exponentials.
///
/// Parameters move in the last slices only, after everything that can fail: dropped before, a step has changed nothing;
/// an error has changed nothing ever. Dropped among the last slices, some rows have moved and others not: run it to its
/// end. A power cut there is what two slots in flash are for.
///
/// ```
/// use simloss_core::{
///     Label,
///     device::SlicedStep,
///     layers::Dense,
///     loss::{Criterion, CrossEntropy, Reduction, Targets},
///     optimizer::Sgd,
///     train::{Batch, Model, Network, RowMajor, Work},
/// };
/// let network = Network::new(Dense::new(1, 2), Criterion::new(CrossEntropy::new(2)?))?;
/// let (mut w, mut steps, truth) = ([0.0f32; 4], 0, [Some(Label::new(0, 2)?)]);
/// let (features, mut values, mut losses) = (RowMajor::new(&[1.0], 1)?, [0.0; 4], [0.0]);
/// let mut step = SlicedStep::new(
///     &network,
///     Work { scalars: &mut [], values: &mut values },
///     Sgd::new(1.0)?,
///     Model { parameters: &mut w, moments: &mut [], steps: &mut steps },
///     Batch { features: &features, targets: Targets::labels(&truth), reduction: Reduction::Sum, losses: &mut losses },
/// )?;
/// let mut calls = 1;
/// let loss = loop {
///     match step.run(1)? {
///         Some(loss) => break loss,
///         None => calls += 1, // feed the watchdog
///     }
/// };
/// assert_eq!((loss, calls), (core::f32::consts::LN_2, 7));
/// assert_eq!((w, steps), ([0.5, -0.5, 0.5, -0.5], 1));
/// # Ok::<(), simloss_core::Error>(())
/// ```
#[derive(Debug)]
pub struct SlicedStep<'a, 'c, N, L, O, F, T: Scalar> {
    network: &'a Network<'c, N, L, T>,
    work: Work<'a, T>,
    optimizer: O,
    model: Model<'a, T>,
    batch: Batch<'a, F, T>,
    slices: Slices,
    mean: T,
    stage: Stage<T>,
}

/// What the next slice is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage<T> {
    Load,
    Forward(usize),
    Judge,
    Backward(usize),
    Norm,
    /// Each gradient looked at, because the norm does not say that none overflows.
    Look(usize, Result<T, Error>),
    Move(usize, T),
    Done(T),
    Failed(Error),
}

impl<'a, 'c, N: Sliced<T>, L: Loss<T>, O: Optimizer<T>, F: Features<T>, T: Scalar> SlicedStep<'a, 'c, N, L, O, F, T> {
    /// Begins a step; nothing is computed yet. Arguments as in [`train_one`](crate::train::train_one).
    ///
    /// # Errors
    /// Those of [`train_one`](crate::train::train_one) that do not need the features' values.
    pub fn new(
        network: &'a Network<'c, N, L, T>,
        work: Work<'a, T>,
        optimizer: O,
        model: Model<'a, T>,
        batch: Batch<'a, F, T>,
    ) -> Result<Self, Error> {
        crate::error::length("the batch of one", 1, batch.features.samples())?;
        crate::error::length("the optimizer's moments", O::MOMENTS * model.parameters.len(), model.moments.len())?;
        optimizer.fits(model.parameters.len())?;
        let mean = T::ONE.div(network.omega(model.parameters, &batch)?);
        network.check_memory(batch.features.is_in_place(), &batch.targets, &work)?;
        let slices = network.layers().slices(false);
        Ok(SlicedStep { network, work, optimizer, model, batch, slices, mean, stage: Stage::Load })
    }

    /// Computes up to `slices` slices (at least one) and returns the loss once the step is done, `None` before.
    ///
    /// # Errors
    /// As [`train_one`](crate::train::train_one), and then the same at every further call; the model has not changed.
    pub fn run(&mut self, slices: usize) -> Result<Option<T>, Error> {
        for _ in 0..slices.max(1) {
            match self.stage {
                Stage::Done(loss) => return Ok(Some(loss)),
                Stage::Failed(error) => return Err(error),
                stage => self.stage = self.slice(stage).unwrap_or_else(Stage::Failed),
            }
        }
        match self.stage {
            Stage::Done(loss) => Ok(Some(loss)),
            Stage::Failed(error) => Err(error),
            _ => Ok(None),
        }
    }

    /// Computes one slice; returns what comes after it.
    fn slice(&mut self, stage: Stage<T>) -> Result<Stage<T>, Error> {
        let (network, layers) = (self.network, self.network.layers());
        let Batch { features, ref targets, ref mut losses, .. } = self.batch;
        let Model { parameters, moments, steps } = &mut self.model;
        let shape = layers.shape();
        let Parts { x, tape, dtape, y, dy, values } = Parts::of(&shape, features.is_in_place(), self.work.values);
        let [first, present] = [0, 1];
        if stage == Stage::Load {
            Load { features, first, present, x }.run(())?;
            return Ok(Stage::Forward(0));
        }
        let x = features.lanes::<T>((), first, present, x);
        if let Stage::Forward(n) = stage {
            layers.forward_slice(n, parameters, x, tape, y);
            return Ok(if n + 1 < self.slices.forward { Stage::Forward(n + 1) } else { Stage::Judge });
        }
        if stage == Stage::Judge {
            let (criterion, scalars) = (network.criterion(), &mut *self.work.scalars);
            Judge::<_, _, true> { criterion, targets, first, present, y, scalars, values, dy, losses }.run(())?;
            return Ok(if self.slices.backward > 0 { Stage::Backward(0) } else { Stage::Norm });
        }
        let activations = Activations { x, tape, y };
        let reach = self.mean.mul(T::ONE.max(self.optimizer.rate()));
        match stage {
            Stage::Backward(n) => {
                layers.backward_slice(n, parameters, activations, dy, dtape, None);
                Ok(if n + 1 < self.slices.backward { Stage::Backward(n + 1) } else { Stage::Norm })
            }
            Stage::Norm => {
                let square = layers.gradient_square(activations, dy, dtape);
                let scale = clipped(self.optimizer.max_norm(), self.mean, || square);
                Ok(if surely_usable(square, reach) { Stage::Move(0, scale?) } else { Stage::Look(0, scale) })
            }
            Stage::Look(n, scale) => {
                let mut sink = Looks { reach, usable: true };
                layers.parameter_slice(n, activations, dy, dtape, 0, &mut sink);
                match sink.usable {
                    false => Err(OVERFLOW),
                    true if n + 1 < self.slices.parameters => Ok(Stage::Look(n + 1, scale)),
                    true => Ok(Stage::Move(0, scale?)),
                }
            }
            Stage::Move(n, scale) => {
                let step = self.optimizer.begin(steps.saturating_add(1));
                let mut sink = InPlace::<T, O> { step, scale, parameters, moments };
                layers.parameter_slice(n, activations, dy, dtape, 0, &mut sink);
                if n + 1 < self.slices.parameters {
                    return Ok(Stage::Move(n + 1, scale));
                }
                **steps = steps.saturating_add(1);
                Ok(Stage::Done(mean(losses, self.mean)))
            }
            other => Ok(other),
        }
    }
}
