//! One step: a batch in, new parameters out, or an error and nothing changed.

use super::{Features, GROUP, Network, Work, network::OVERFLOW};
use crate::{
    Error,
    gradient::{GroupGradient, commit, is_usable},
    layers::Layer,
    loss::{Loss, Reduction, Targets},
    number::{SampleSum, Scalar, Value, sum_of_squares},
    optimizer::{InPlace, Optimizer, apply, clipped},
};

/// What changes in training; the caller's memory.
#[derive(Debug)]
pub struct Model<'a, T> {
    /// One number per parameter of the network.
    pub parameters: &'a mut [T],
    /// [`Optimizer::MOMENTS`] numbers per parameter, zero before the first step.
    pub moments: &'a mut [T],
    /// Steps taken.
    pub steps: &'a mut u64,
}

impl<T> Model<'_, T> {
    /// The same for a call that takes it by value, after which this can be used again.
    ///
    /// ```
    /// use simloss_core::train::Model;
    /// fn step(model: Model<'_, f32>) {
    ///     *model.steps += 1;
    /// }
    /// let mut model = Model { parameters: &mut [0.0], moments: &mut [], steps: &mut 0 };
    /// step(model.reborrow());
    /// step(model.reborrow());
    /// assert_eq!(*model.steps, 2);
    /// ```
    #[inline(always)]
    pub const fn reborrow(&mut self) -> Model<'_, T> {
        Model { parameters: &mut *self.parameters, moments: &mut *self.moments, steps: &mut *self.steps }
    }
}

/// Samples, and what is true of them.
#[derive(Debug)]
pub struct Batch<'a, F, T> {
    /// The features.
    pub features: &'a F,
    /// The targets.
    pub targets: Targets<'a, T>,
    /// How losses become one.
    pub reduction: Reduction,
    /// Out: the loss of each sample, with its weights, not divided.
    pub losses: &'a mut [T],
}

/// Where [`eval_step`] puts what it finds.
#[derive(Debug)]
pub struct Evaluation<'a, F, T> {
    /// The features.
    pub features: &'a F,
    /// The targets.
    pub targets: Targets<'a, T>,
    /// Out: the loss of each sample, with its weights, not divided.
    pub losses: &'a mut [T],
    /// Out: the logits, row by row, one row a sample; or empty, if they are not wanted.
    pub logits: &'a mut [T],
}

/// Computes the groups of a batch.
///
/// An implementation decides where a group is computed and with how many lanes. It must take every group of
/// [`GROUP`] samples whole, with [`Network::gradient_of_group`], and [`commit`] groups in order.
pub trait Engine<T: Scalar> {
    /// The criterion's and layers' checks of a batch, and `Omega`.
    ///
    /// # Errors
    /// Those of [`Network::gradient_of_group`] that do not need the features' values, and [`Error::Empty`].
    fn check<F: Features<T>>(&self, parameters: &[T], batch: &Batch<'_, F, T>) -> Result<T, Error>;

    /// Adds the gradients of all samples to `total`, which is zero, and fills `losses`.
    ///
    /// # Errors
    /// As [`Network::gradient_of_group`].
    fn gradient<F: Features<T> + Sync>(
        &mut self,
        parameters: &[T],
        features: &F,
        targets: &Targets<'_, T>,
        losses: &mut [T],
        total: &mut [T],
    ) -> Result<(), Error>;

    /// Losses and logits of all samples.
    ///
    /// # Errors
    /// As [`Network::losses_of_group`].
    fn losses<F: Features<T> + Sync>(
        &mut self,
        parameters: &[T],
        evaluation: Evaluation<'_, F, T>,
    ) -> Result<(), Error>;

    /// [`apply`], with the engine's lanes.
    ///
    /// # Errors
    /// As [`apply`].
    fn apply<O: Optimizer<T>>(
        &mut self,
        step: &O::Step,
        scale: T,
        gradient: &[T],
        parameters: &mut [T],
        moments: &mut [T],
    ) -> Result<(), Error> {
        apply::<T, O>((), step, scale, gradient, parameters, moments)
    }
}

/// One group after another, in the lanes of `V`.
#[derive(Debug)]
pub struct Serial<'a, 'c, N, L, V: Value> {
    /// The lanes' token.
    pub token: V::Token,
    /// What is trained.
    pub network: &'a Network<'c, N, L, V::Scalar>,
    /// [`Network::scratch`].
    pub work: Work<'a, V>,
    /// One number per parameter: the gradient of a group. Not used for evaluation, nor by [`train_one`]; for batches of
    /// up to [`GROUP`] samples it may be empty.
    pub group: &'a mut [V::Scalar],
}

impl<N: Layer<V::Scalar>, L: Loss<V::Scalar>, V: Value> Engine<V::Scalar> for Serial<'_, '_, N, L, V> {
    fn check<F: Features<V::Scalar>>(
        &self,
        parameters: &[V::Scalar],
        batch: &Batch<'_, F, V::Scalar>,
    ) -> Result<V::Scalar, Error> {
        self.network.omega(parameters, batch)
    }

    fn gradient<F: Features<V::Scalar> + Sync>(
        &mut self,
        parameters: &[V::Scalar],
        features: &F,
        targets: &Targets<'_, V::Scalar>,
        losses: &mut [V::Scalar],
        total: &mut [V::Scalar],
    ) -> Result<(), Error> {
        let one_group = losses.len() <= GROUP;
        if !one_group {
            crate::error::length("the gradient of a group", total.len(), self.group.len())?;
            self.group.fill(V::Scalar::ZERO);
        }
        for (group, losses) in losses.chunks_mut(GROUP).enumerate() {
            // A single group is its own total: +0 + x is x for every sum that began with +0.
            let mut sink = GroupGradient(if one_group { &mut *total } else { &mut *self.group });
            let work = &mut self.work;
            self.network
                .gradient_of_group(self.token, parameters, features, targets, group, work, losses, &mut sink)?;
            if !one_group {
                commit::<V>(self.token, self.group, total);
            }
        }
        Ok(())
    }

    fn losses<F: Features<V::Scalar> + Sync>(
        &mut self,
        parameters: &[V::Scalar],
        evaluation: Evaluation<'_, F, V::Scalar>,
    ) -> Result<(), Error> {
        self.network.check_evaluation(parameters, &evaluation)?;
        let Evaluation { features, targets, losses, logits } = evaluation;
        let mut rows = logits.chunks_mut((GROUP * self.network.layers().shape().outputs).max(1));
        for (group, losses) in losses.chunks_mut(GROUP).enumerate() {
            let rows = rows.next().unwrap_or_default();
            let work = &mut self.work;
            self.network.losses_of_group(self.token, parameters, features, &targets, group, work, losses, rows)?;
        }
        Ok(())
    }
}

impl<N: Layer<T>, L: Loss<T>, T: Scalar> Network<'_, N, L, T> {
    /// Everything that can be wrong with a batch before its features are read, and `Omega`.
    ///
    /// # Errors
    /// [`Error::Length`], [`Error::Weight`], [`Error::Empty`].
    pub fn omega<F: Features<T>>(&self, parameters: &[T], batch: &Batch<'_, F, T>) -> Result<T, Error> {
        self.check(batch.features, &batch.targets, parameters, batch.losses)?;
        self.criterion().omega(batch.reduction, &batch.targets, batch.features.samples())
    }

    /// Everything that can be wrong with an evaluation before its features are read.
    ///
    /// # Errors
    /// [`Error::Length`], [`Error::Weight`].
    pub fn check_evaluation<F: Features<T>>(
        &self,
        parameters: &[T],
        evaluation: &Evaluation<'_, F, T>,
    ) -> Result<(), Error> {
        let Evaluation { features, targets, losses, logits } = evaluation;
        self.check(*features, targets, parameters, losses)?;
        let all = losses.len() * self.layers().shape().outputs;
        if logits.is_empty() { Ok(()) } else { crate::error::length("the logits", all, logits.len()) }
    }
}

/// One step of training: the gradient of the reduced loss of a batch, and one move of the parameters.
///
/// `gradient` holds one number per parameter and is overwritten. Returns the reduced loss, before the move.
///
/// # Errors
/// Those of [`Network::omega`] for shapes, labels and weights; [`Error::NotFinite`] and [`Error::Spread`] for features
/// and logits; [`Error::NotFinite`] where the gradient [overflowed](crate::optimizer). Parameters, moments and the count of steps keep their
/// values then.
///
/// Cost: forward, loss, and twice forward for the gradients; one pass over parameters and moments.
pub fn train_step<T: Scalar, O: Optimizer<T>, F: Features<T> + Sync, E: Engine<T>>(
    engine: &mut E,
    optimizer: &O,
    model: Model<'_, T>,
    gradient: &mut [T],
    batch: Batch<'_, F, T>,
) -> Result<T, Error> {
    let n = model.parameters.len();
    crate::error::length("the gradient", n, gradient.len())?;
    crate::error::length("the optimizer's moments", O::MOMENTS * n, model.moments.len())?;
    optimizer.fits(n)?;
    let scale = T::ONE.div(engine.check(model.parameters, &batch)?);
    let Batch { features, targets, losses, .. } = batch;
    gradient.fill(T::ZERO);
    engine.gradient(model.parameters, features, &targets, losses, gradient)?;
    let loss = mean(losses, scale);
    let scale = checked_scale(optimizer, scale, gradient)?;
    let step = optimizer.begin(model.steps.saturating_add(1));
    engine.apply::<O>(&step, scale, gradient, model.parameters, model.moments)?;
    *model.steps = model.steps.saturating_add(1);
    Ok(loss)
}

/// `scale`, or less where the optimizer clips, once all gradients are known not to overflow.
pub(crate) fn checked_scale<T: Scalar, O: Optimizer<T>>(optimizer: &O, scale: T, gradient: &[T]) -> Result<T, Error> {
    let reach = scale.mul(T::ONE.max(optimizer.rate()));
    if gradient.iter().any(|g| !is_usable(g.mul(reach))) {
        return Err(OVERFLOW);
    }
    clipped(optimizer.max_norm(), scale, || sum_of_squares((), gradient))
}

/// [`train_step`] for a single sample, without memory for gradients: each parameter moves as soon as its gradient is
/// known. The bits are those of [`train_step`] on the same sample.
///
/// # Errors
/// As [`train_step`]; [`Error::Length`] for more than one sample.
///
/// Cost: as [`train_step`]. Whether a gradient overflows is seen from the norms of activations; only where those leave
/// it open is each gradient computed once more beforehand.
#[inline(always)]
pub fn train_one<T: Scalar, O: Optimizer<T>, N: Layer<T>, L: Loss<T>, F: Features<T>>(
    network: &Network<'_, N, L, T>,
    work: &mut Work<'_, T>,
    optimizer: &O,
    model: Model<'_, T>,
    batch: Batch<'_, F, T>,
) -> Result<T, Error> {
    crate::error::length("the batch of one", 1, batch.features.samples())?;
    crate::error::length("the optimizer's moments", O::MOMENTS * model.parameters.len(), model.moments.len())?;
    optimizer.fits(model.parameters.len())?;
    let scale = T::ONE.div(network.omega(model.parameters, &batch)?);
    let Batch { features, targets, losses, .. } = batch;
    let step = optimizer.begin(model.steps.saturating_add(1));
    let Model { parameters, moments, steps } = model;
    let sink = InPlace::<T, O> { step, scale, parameters, moments };
    network.in_place(features, &targets, work, losses, optimizer, sink)?;
    *steps = steps.saturating_add(1);
    Ok(losses.first().map_or(T::ZERO, |loss| loss.mul(scale)))
}

/// Losses and logits of a batch; no parameter changes.
///
/// # Errors
/// [`Error::Length`], [`Error::Weight`], [`Error::NotFinite`], [`Error::Spread`], as [`train_step`].
pub fn eval_step<T: Scalar, F: Features<T> + Sync, E: Engine<T>>(
    engine: &mut E,
    parameters: &[T],
    evaluation: Evaluation<'_, F, T>,
) -> Result<(), Error> {
    engine.losses(parameters, evaluation)
}

/// The reduced loss of a batch, as [`train_step`] returns it; no parameter changes.
///
/// # Errors
/// As [`train_step`], but for the gradient.
pub fn mean_loss<T: Scalar, F: Features<T> + Sync, E: Engine<T>>(
    engine: &mut E,
    parameters: &[T],
    batch: Batch<'_, F, T>,
) -> Result<T, Error> {
    let scale = T::ONE.div(engine.check(parameters, &batch)?);
    let Batch { features, targets, losses, .. } = batch;
    engine.losses(parameters, Evaluation { features, targets, losses: &mut *losses, logits: &mut [] })?;
    Ok(mean(losses, scale))
}

pub(crate) fn mean<T: Scalar>(losses: &[T], scale: T) -> T {
    let mut sum = SampleSum::new();
    losses.chunks(GROUP).for_each(|losses| sum.add(losses));
    sum.total().mul(scale)
}
