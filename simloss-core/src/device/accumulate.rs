//! The mean over samples that come one at a time.

use crate::{
    Error,
    layers::Layer,
    loss::{Loss, Reduction, Targets},
    number::{BlockSum, SampleSum, Scalar},
    optimizer::{Optimizer, apply},
    train::{Features, Model, Network, Work, checked_scale},
};

/// Sums the gradients of samples as they come, and moves the parameters once, by their mean: the learning rate means the
/// same however many samples there were.
///
/// ```text
/// g = (1 / Omega) sum_i g_i,    Omega as in Reduction
/// ```
///
/// For up to [`GROUP`](crate::train::GROUP) samples the bits are those of [`train_step`](crate::train::train_step) on the
/// same batch. Beyond, that sums groups of 16 in a second buffer, which this does not have.
///
/// Memory: one number per parameter, the caller's, and a few words here.
///
/// ```
/// use simloss_core::{
///     Label,
///     device::Accumulator,
///     layers::Dense,
///     loss::{Criterion, CrossEntropy, Reduction, Targets},
///     optimizer::Sgd,
///     train::{Model, Network, RowMajor, Work},
/// };
/// let network = Network::new(Dense::new(1, 2), Criterion::new(CrossEntropy::new(2)?))?;
/// let (mut w, mut gradient, mut steps) = ([0.0f32; 4], [0.0; 4], 0);
/// let mut work = Work { scalars: &mut [], values: &mut [0.0; 4] };
/// let mut sum = Accumulator::new(&mut gradient, Reduction::MeanByWeight);
/// for (x, class) in [([1.0], 0), ([3.0], 1)] {
///     let (features, truth) = (RowMajor::new(&x, 1)?, [Some(Label::new(class, 2)?)]);
///     sum.add(&network, &mut work, &w, &features, &Targets::labels(&truth))?;
/// }
/// let model = Model { parameters: &mut w, moments: &mut [], steps: &mut steps };
/// let loss = sum.apply(&Sgd::new(1.0)?, model)?;
/// assert_eq!((loss, steps), (core::f32::consts::LN_2, 1));
/// assert_eq!(w, [-0.5, 0.5, 0.0, 0.0]); // the mean of 0.5 and -1.5, not their sum
/// # Ok::<(), simloss_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Accumulator<'a, T> {
    gradient: &'a mut [T],
    reduction: Reduction,
    omega: BlockSum<T>,
    losses: SampleSum<T>,
    samples: usize,
}

impl<'a, T: Scalar> Accumulator<'a, T> {
    /// Begins with no sample; `gradient` holds one number per parameter and is overwritten.
    pub fn new(gradient: &'a mut [T], reduction: Reduction) -> Self {
        let (omega, losses) = (BlockSum::new(()), SampleSum::new());
        let mut new = Accumulator { gradient, reduction, omega, losses, samples: 0 };
        new.clear();
        new
    }

    /// Samples added since the last step, ignored ones included.
    pub const fn samples(&self) -> usize {
        self.samples
    }

    /// Forgets the samples added since the last step.
    pub fn clear(&mut self) {
        self.gradient.fill(T::ZERO);
        (self.omega, self.losses, self.samples) = (BlockSum::new(()), SampleSum::new(), 0);
    }

    /// Adds a batch of one; returns its loss, with its weights. The parameters must be those of the other samples.
    ///
    /// # Errors
    /// As [`train_one`](crate::train::train_one), but for [`Error::Empty`]: an ignored sample adds nothing. A refused sample has
    /// added nothing.
    pub fn add<N: Layer<T>, L: Loss<T>, F: Features<T>>(
        &mut self,
        network: &Network<'_, N, L, T>,
        work: &mut Work<'_, T>,
        parameters: &[T],
        features: &F,
        targets: &Targets<'_, T>,
    ) -> Result<T, Error> {
        crate::error::length("the batch of one", 1, features.samples())?;
        crate::error::length("the gradient", parameters.len(), self.gradient.len())?;
        let mut losses = [T::ZERO];
        network.check(features, targets, parameters, &losses)?;
        network.accumulate(parameters, features, targets, work, &mut losses, self.gradient)?;
        network.criterion().add_to_omega(self.reduction, targets, 0, &mut self.omega);
        let [loss] = losses;
        self.losses.add(&losses);
        self.samples = self.samples.saturating_add(1);
        Ok(loss)
    }

    /// One step by the mean; returns the reduced loss, and begins again without a sample.
    ///
    /// # Errors
    /// [`Error::Empty`] without a sample that counts; [`Error::Length`], [`Error::NotFinite`] as
    /// [`train_step`](crate::train::train_step). The model and what was added keep their values then.
    pub fn apply<O: Optimizer<T>>(&mut self, optimizer: &O, model: Model<'_, T>) -> Result<T, Error> {
        let Model { parameters, moments, steps } = model;
        optimizer.fits(parameters.len())?;
        let mean = T::ONE.div(self.reduction.divisor(self.omega.total())?);
        crate::error::length("the gradient", parameters.len(), self.gradient.len())?;
        let scale = checked_scale(optimizer, mean, self.gradient)?;
        let step = optimizer.begin(steps.saturating_add(1));
        apply::<T, O>((), &step, scale, self.gradient, parameters, moments)?;
        *steps = steps.saturating_add(1);
        let loss = self.losses.total().mul(mean);
        self.clear();
        Ok(loss)
    }
}
