//! A head that learns and predicts: one line each.

#[cfg(feature = "flash")]
use super::flash::{FlashError, Slots};
use super::{
    Accumulator, Round, SlicedStep,
    checkpoint::{self, Header},
    guard::round,
    layers::{HeadLayers, OneLayer},
    objective::Objective,
};
use crate::{
    Error, Label, Random,
    decoders::argmax,
    error::length,
    layers::{Dense, Layer, Shape},
    loss::{Reduction, softmax_into},
    number::Scalar,
    optimizer::Optimizer,
    slices::{copy, split, split_mut},
    train::{Batch, Model, Network, RowMajor, Work, logits_of, train_one},
};
use core::borrow::Borrow;
#[cfg(feature = "flash")]
use embedded_storage::nor_flash::NorFlash;
use nalgebra::{ArrayStorage, SMatrixView, SVector, SVectorView};

use super::layers::Hidden;

/// The last layer of a network (or the last two), which goes on learning on a device: `F` features to `C` classes.
///
/// | type parameter | |
/// |---|---|
/// | `J` | the loss: [`Objective`] lists them |
/// | `O` | the optimizer, with clipping and decay around it: [`optimizer`](crate::optimizer) |
/// | `N` | [`OneLayer`], or [`Hidden<H>`](super::Hidden) for two with a relu between |
/// | `T` | the numbers |
///
/// The caller owns the memory: [`NUMBERS`](Self::NUMBERS) numbers, which hold parameters, moments, what a step works in, and the
/// table of the similarity. The head itself is a reference to it, the optimizer's settings and a count of steps.
///
/// Every method that can fail changes nothing then, but for [`load`](Self::load), whose page says what. The bits are those of
/// [`train_one`], [`Accumulator`], [`SlicedStep`] and [`guarded_round`](super::guarded_round) on the same numbers.
///
/// ```
/// use simloss_core::{Error, device, nalgebra::SVector, optimizer::Sgd, similarity::ClassOrder};
/// // Named once: in a `static`, in a struct, in RTIC's `Shared`.
/// type Head<'m> = device::Head<'m, 2, 3, ClassOrder<f32, 3>, Sgd<f32>>;
/// // In a firmware a `static mut` of `main`, or a static_cell::ConstStaticCell.
/// let mut memory = [0.0; Head::NUMBERS];
/// let mut head = Head::new(&mut memory, 0.5, Sgd::new(0.5)?)?;
///
/// let x = SVector::from([1.0, -1.0]);
/// let first = head.learn(&x, 2)?;
/// for _ in 0..20 {
///     head.learn(&x, 2)?;
/// }
/// assert!(head.loss(&x, 2)? < first / 4.0);
/// assert_eq!(head.predict(&x)?.index(), 2);
/// assert!(head.probabilities(&x)?[2] > 0.8);
///
/// // Bad input is an error, and changes nothing.
/// let before = head.loss(&x, 2)?;
/// let broken = SVector::from([f32::NAN, 0.0]);
/// assert_eq!(head.learn(&broken, 2), Err(Error::NotFinite { what: "the features", sample: 0 }));
/// assert_eq!(head.learn(&x, 3), Err(Error::Label { index: 3, classes: 3 }));
/// assert_eq!(head.loss(&x, 2)?, before);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Head<'m, const F: usize, const C: usize, J: Objective<T, C>, O, N = OneLayer, T: Scalar = f32> {
    memory: &'m mut [T],
    kept: J::Kept,
    optimizer: O,
    steps: u64,
    fingerprint: u64,
    layers: core::marker::PhantomData<N>,
}

/// A head cut into what steps take.
struct Parts<'a, L, C, T: Scalar> {
    network: Network<'a, L, C, T>,
    model: Model<'a, T>,
    work: Work<'a, T>,
    table: &'a [T],
    target: &'a mut [T],
}

impl<'m, const F: usize, const C: usize, J, O, N, T> Head<'m, F, C, J, O, N, T>
where
    J: Objective<T, C>,
    O: Optimizer<T>,
    N: HeadLayers<T, F, C>,
    T: Scalar,
{
    const SHAPE: Shape = N::SHAPE;
    const VALUES: usize = 2 * (Self::SHAPE.tape + C) + J::VALUES;
    const BEFORE_TABLE: usize = Self::BACKUP + Self::VALUES + J::SCALARS + J::TARGET;

    /// Weights and biases: the numbers of factory weights, and of the gradient of [`learn_batch`](Self::learn_batch).
    pub const PARAMETERS: usize = Self::SHAPE.parameters;
    /// Parameters and moments: the numbers of the backup of [`guarded`](Self::guarded).
    pub const BACKUP: usize = Self::PARAMETERS * (1 + O::MOMENTS);
    /// All numbers of its memory.
    pub const NUMBERS: usize = Self::BEFORE_TABLE + J::TABLE;
    /// Bytes of its [checkpoint].
    pub const BYTES: usize = checkpoint::HEADER + 4 * Self::BACKUP;

    /// A head in `memory`, of [`NUMBERS`](Self::NUMBERS) numbers (any other array does not compile). One layer begins at zero,
    /// two at PyTorch's default distribution; [`initialise`](Self::initialise) and
    /// [`reset_to_factory`](Self::reset_to_factory) say otherwise.
    ///
    /// `settings` are those of the [`Objective`]: `r` for a class order.
    ///
    /// # Errors
    /// Those of the similarity or loss: [`Error::ReductionFactor`] unless `r` is in `[0, 1)`, [`Error::Classes`] unless `C` is
    /// from 2 to 65,535; those of [`Optimizer::fits`].
    ///
    /// Cost: the memory is written once, and the table of the similarity computed.
    #[inline]
    pub fn new<const M: usize>(memory: &'m mut [T; M], settings: J::Settings, optimizer: O) -> Result<Self, Error> {
        const { assert!(M == Self::NUMBERS, "the memory of a head is an array of Head::NUMBERS numbers") };
        optimizer.fits(Self::PARAMETERS)?;
        let (state, table) = split_mut(memory, Self::BEFORE_TABLE);
        let kept = J::fill(table, settings)?;
        J::criterion(&kept, table)?;
        N::LAYERS.check()?;
        let (parameters, rest) = split_mut(state, Self::PARAMETERS);
        if O::MOMENTS > 0 {
            split_mut(rest, Self::BACKUP - Self::PARAMETERS).0.fill(T::ZERO);
        }
        N::begin(parameters);
        Ok(Head { memory, kept, optimizer, steps: 0, fingerprint: 0, layers: core::marker::PhantomData })
    }

    /// The same, as the head of a base network with this fingerprint: `FINGERPRINT` of an exported module. Checkpoints and slots
    /// carry it, and those of another base are refused.
    #[must_use]
    #[inline]
    pub fn with_fingerprint(self, fingerprint: u64) -> Self {
        Head { fingerprint, ..self }
    }

    /// The memory, cut.
    #[inline(always)]
    #[allow(clippy::type_complexity)] // two names of the objective's and the layers'
    fn parts(&mut self) -> Result<(Parts<'_, N::Layers, J::Loss<'_>, T>, &J::Kept, O), Error> {
        let found = self.memory.len();
        // Always there; said again so that the compiler knows all lengths.
        let Some(memory) = self.memory.get_mut(..Self::NUMBERS) else {
            return Err(Error::Length { what: "the memory of a head", expected: Self::NUMBERS, found });
        };
        let (parameters, rest) = split_mut(memory, Self::PARAMETERS);
        let (moments, rest) = split_mut(rest, Self::BACKUP - Self::PARAMETERS);
        let (values, rest) = split_mut(rest, Self::VALUES);
        let (scalars, rest) = split_mut(rest, J::SCALARS);
        let (target, table) = split_mut(rest, J::TARGET);
        let table = &*table;
        let network = Network::new(N::LAYERS, J::criterion(&self.kept, table)?)?;
        let model = Model { parameters, moments, steps: &mut self.steps };
        Ok((Parts { network, model, work: Work { scalars, values }, table, target }, &self.kept, self.optimizer))
    }

    /// Learns from one sample; returns its loss before the step, with its weight.
    ///
    /// # Errors
    /// [`Error::Label`] for a class that is not below `C`; [`Error::NotFinite`] for a feature that is NaN or infinite, logits or
    /// a gradient that overflow; [`Error::Spread`] for logits too far apart. Nothing has changed then.
    ///
    /// Cost: that of [`train_one`].
    #[inline]
    pub fn learn(&mut self, x: &SVector<T, F>, class: usize) -> Result<T, Error> {
        let label = [Some(Label::new(class, C)?)];
        let (Parts { network, model, mut work, table, target }, kept, optimizer) = self.parts()?;
        let targets = J::targets(kept, table, &label, target)?;
        let features = &RowMajor::new(x.as_slice(), F)?;
        let batch = Batch { features, targets, reduction: Reduction::Sum, losses: &mut [T::ZERO] };
        train_one(&network, &mut work, &optimizer, model, batch)
    }

    /// As [`learn`](Self::learn), `slices` slices at a time, with a call of `between` after all but the last: to feed a watchdog,
    /// or to let another task run. [`SlicedStep`] says how long a slice is.
    ///
    /// # Errors
    /// As [`learn`](Self::learn).
    #[inline]
    pub fn learn_sliced(
        &mut self,
        x: &SVector<T, F>,
        class: usize,
        slices: usize,
        mut between: impl FnMut(),
    ) -> Result<T, Error> {
        let label = [Some(Label::new(class, C)?)];
        let (Parts { network, model, work, table, target }, kept, optimizer) = self.parts()?;
        let targets = J::targets(kept, table, &label, target)?;
        let features = &RowMajor::new(x.as_slice(), F)?;
        let batch = Batch { features, targets, reduction: Reduction::Sum, losses: &mut [T::ZERO] };
        let mut step = SlicedStep::new(&network, work, optimizer, model, batch)?;
        loop {
            if let Some(loss) = step.run(slices)? {
                return Ok(loss);
            }
            between();
        }
    }

    /// One step by the mean over samples that come one at a time, as [`Replay::draw`](super::Replay::draw) gives them; returns
    /// their mean loss. `gradient` holds [`PARAMETERS`](Self::PARAMETERS) numbers and is overwritten.
    ///
    /// # Errors
    /// As [`learn`](Self::learn); [`Error::Empty`] without a sample; [`Error::Length`] for a gradient of another size. Nothing has
    /// changed then.
    #[inline]
    pub fn learn_batch<X: Borrow<SVector<T, F>>>(
        &mut self,
        gradient: &mut [T],
        samples: impl IntoIterator<Item = (X, usize)>,
    ) -> Result<T, Error> {
        let (Parts { network, model, mut work, table, target }, kept, optimizer) = self.parts()?;
        let mut sum = Accumulator::new(gradient, Reduction::MeanByCount);
        for (x, class) in samples {
            let label = [Some(Label::new(class, C)?)];
            let targets = J::targets(kept, table, &label, target)?;
            let features = &RowMajor::new(x.borrow().as_slice(), F)?;
            sum.add(&network, &mut work, model.parameters, features, &targets)?;
        }
        sum.apply(&optimizer, model)
    }

    /// Trains, and rolls the head back if the held-out loss rose or anything failed: [`guarded_round`](super::guarded_round).
    /// `backup` holds [`BACKUP`](Self::BACKUP) numbers.
    ///
    /// # Errors
    /// [`Error::Length`] for a backup of another size; those of `held_out` and `train`. The head is what it was then.
    ///
    /// ```
    /// use simloss_core::{Error, device, loss::CrossEntropy, nalgebra::SVector, optimizer::Sgd};
    /// type Head<'m> = device::Head<'m, 1, 2, CrossEntropy, Sgd<f32>>;
    /// let (mut memory, mut backup) = ([0.0; Head::NUMBERS], [0.0; Head::BACKUP]);
    /// let mut head = Head::new(&mut memory, (), Sgd::new(1.0)?)?;
    /// let x = SVector::from([1.0]);
    /// let round = head.guarded(&mut backup, |head| head.loss(&x, 0), |head| head.learn(&x, 1).map(drop))?;
    /// assert!(!round.kept && head.steps() == 0); // it learned the opposite
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn guarded<E: From<Error>>(
        &mut self,
        backup: &mut [T],
        held_out: impl FnMut(&mut Self) -> Result<T, E>,
        train: impl FnOnce(&mut Self) -> Result<(), E>,
    ) -> Result<Round<T>, E> {
        round(self, Self::model, backup, held_out, train)
    }

    /// The loss of one sample, with its weight; nothing is learned.
    ///
    /// # Errors
    /// As [`learn`](Self::learn), but for the gradient.
    #[inline]
    pub fn loss(&mut self, x: &SVector<T, F>, class: usize) -> Result<T, Error> {
        let label = [Some(Label::new(class, C)?)];
        let (Parts { network, model, mut work, table, target }, kept, _) = self.parts()?;
        let targets = J::targets(kept, table, &label, target)?;
        let (features, mut losses) = (&RowMajor::new(x.as_slice(), F)?, [T::ZERO]);
        network.losses_of_group((), model.parameters, features, &targets, 0, &mut work, &mut losses, &mut [])?;
        let [loss] = losses;
        Ok(loss)
    }

    /// The logits, where the head works.
    #[inline(always)]
    fn forward(&mut self, x: &SVector<T, F>) -> Result<&[T], Error> {
        let found = self.memory.len();
        let Some(memory) = self.memory.get_mut(..Self::NUMBERS) else {
            return Err(Error::Length { what: "the memory of a head", expected: Self::NUMBERS, found });
        };
        let (parameters, rest) = split_mut(memory, Self::PARAMETERS);
        let (_, rest) = split_mut(rest, Self::BACKUP - Self::PARAMETERS);
        let (values, _) = split_mut(rest, Self::VALUES);
        logits_of(&N::LAYERS, parameters, x.as_slice(), values)
    }

    /// The predicted class: the one of the largest logit, the lowest of several.
    ///
    /// # Errors
    /// [`Error::NotFinite`] for a feature that is NaN or infinite, or logits that overflow; [`Error::Spread`] for logits too far
    /// apart.
    ///
    /// Cost: a forward pass; no exponential.
    #[inline]
    pub fn predict(&mut self, x: &SVector<T, F>) -> Result<Label, Error> {
        argmax(self.forward(x)?)
    }

    /// The logits.
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    #[inline]
    pub fn logits(&mut self, x: &SVector<T, F>) -> Result<SVector<T, C>, Error> {
        let mut logits = zeros::<T, C>();
        copy(self.forward(x)?, logits.as_mut_slice());
        Ok(logits)
    }

    /// The probabilities of the classes: [`softmax_into`] of the logits. A loss takes logits, never these.
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    #[inline]
    pub fn probabilities(&mut self, x: &SVector<T, F>) -> Result<SVector<T, C>, Error> {
        let mut p = zeros::<T, C>();
        softmax_into(self.forward(x)?, p.as_mut_slice())?;
        Ok(p)
    }

    /// Weights and biases in PyTorch's order: weights row by row, then biases, layer by layer.
    #[inline]
    pub fn parameters(&self) -> &[T] {
        split(self.memory, Self::PARAMETERS).0
    }

    /// Steps taken.
    #[inline]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// What changes in training, for the functions of [`train`](crate::train).
    #[inline(always)]
    pub fn model(&mut self) -> Model<'_, T> {
        let (parameters, rest) = split_mut(self.memory, Self::PARAMETERS);
        let (moments, _) = split_mut(rest, Self::BACKUP - Self::PARAMETERS);
        Model { parameters, moments, steps: &mut self.steps }
    }

    /// The optimizer.
    #[inline]
    pub fn optimizer(&self) -> &O {
        &self.optimizer
    }

    /// Another learning rate from the next step on.
    ///
    /// # Errors
    /// [`Error::Setting`] unless it is finite and not negative; the rate is what it was then.
    #[inline]
    pub fn set_rate(&mut self, rate: T) -> Result<(), Error> {
        self.optimizer = self.optimizer.with_rate(rate)?;
        Ok(())
    }

    /// Weights and biases drawn from PyTorch's default distribution; moments and the count of steps at zero.
    #[inline]
    pub fn initialise(&mut self, random: &mut Random) {
        let Model { parameters, moments, steps } = self.model();
        N::LAYERS.initialise(parameters, random);
        moments.fill(T::ZERO);
        *steps = 0;
    }

    /// The weights and biases that the device left the factory with; moments and the count of steps at zero.
    ///
    /// # Errors
    /// [`Error::Length`] unless there are [`PARAMETERS`](Self::PARAMETERS), [`Error::NotFinite`] for one that is NaN or infinite;
    /// the head is what it was then.
    #[inline]
    pub fn reset_to_factory(&mut self, factory: &[T]) -> Result<(), Error> {
        length("the factory weights", Self::PARAMETERS, factory.len())?;
        if factory.iter().any(|w| !w.is_finite()) {
            return Err(Error::NotFinite { what: "the factory weights", sample: 0 });
        }
        let Model { parameters, moments, steps } = self.model();
        copy(factory, parameters);
        moments.fill(T::ZERO);
        *steps = 0;
        Ok(())
    }

    /// The header of its checkpoints: what slots are [opened](super::flash::Slots::open) for.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] for a shape that does not fit 32 bits.
    #[inline]
    pub fn header(&self) -> Result<Header, Error> {
        let header = Header::new(&Self::SHAPE, O::MOMENTS)?;
        Ok(Header { steps: self.steps, fingerprint: self.fingerprint, ..header })
    }
}

impl<const F: usize, const C: usize, J, O, N> Head<'_, F, C, J, O, N, f32>
where
    J: Objective<f32, C>,
    O: Optimizer<f32>,
    N: HeadLayers<f32, F, C>,
{
    /// Writes its [checkpoint], of [`BYTES`](Self::BYTES) bytes, to the front of `to`.
    ///
    /// # Errors
    /// [`Error::Length`] for too few bytes.
    #[inline]
    pub fn encode(&mut self, to: &mut [u8]) -> Result<usize, Error> {
        let header = self.header()?;
        let Model { parameters, moments, .. } = self.model();
        checkpoint::encode(&header, parameters, moments, to)
    }

    /// Takes parameters, moments and the count of steps from a [checkpoint].
    ///
    /// # Errors
    /// [`Error::Checkpoint`] by name for another base, shape, optimizer or version, or bytes that changed. The head is what it was
    /// then.
    #[inline]
    pub fn decode(&mut self, from: &[u8]) -> Result<(), Error> {
        let expected = self.header()?;
        let Model { parameters, moments, steps } = self.model();
        *steps = checkpoint::decode(from, &expected, parameters, moments)?.steps;
        Ok(())
    }

    /// Saves to the older of two slots in flash, so that a power cut leaves one of them whole.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] for slots that were opened for another head; those of [`Slots::save`].
    #[cfg(feature = "flash")]
    #[inline]
    pub fn save<M: NorFlash>(&mut self, slots: &mut Slots<M>) -> Result<Header, FlashError<M::Error>> {
        slots.expects(&self.header()?)?;
        slots.save(&self.model())
    }

    /// Takes parameters, moments and the count of steps from the newest valid slot; `None`, and the head is what it was, where
    /// there is none.
    ///
    /// # Errors
    /// As [`save`](Self::save); those of [`Slots::load`], after which a memory that failed has left a part of what was read.
    #[cfg(feature = "flash")]
    #[inline]
    pub fn load<M: NorFlash>(&mut self, slots: &mut Slots<M>) -> Result<Option<Header>, FlashError<M::Error>> {
        slots.expects(&self.header()?)?;
        slots.load(self.model())
    }
}

impl<const F: usize, const C: usize, J, O, T> Head<'_, F, C, J, O, OneLayer, T>
where
    J: Objective<T, C>,
    O: Optimizer<T>,
    T: Scalar,
{
    /// The weights, without a copy: column `c` holds those of class `c`.
    ///
    /// # Errors
    /// None: the sizes are those of the head.
    #[inline]
    pub fn weights(&self) -> Result<SMatrixView<'_, T, F, C>, Error> {
        Dense::new(F, C).weights(self.parameters())
    }

    /// The biases, without a copy.
    ///
    /// # Errors
    /// None: the sizes are those of the head.
    #[inline]
    pub fn bias(&self) -> Result<SVectorView<'_, T, C>, Error> {
        view(split(self.parameters(), F * C).1)
    }
}

impl<const F: usize, const C: usize, J, O, const H: usize, T> Head<'_, F, C, J, O, Hidden<H>, T>
where
    J: Objective<T, C>,
    O: Optimizer<T>,
    T: Scalar,
{
    /// The weights of the last layer, without a copy: column `c` holds those of class `c`.
    ///
    /// # Errors
    /// None: the sizes are those of the head.
    #[inline]
    pub fn weights(&self) -> Result<SMatrixView<'_, T, H, C>, Error> {
        Dense::new(H, C).weights(split(self.parameters(), (F + 1) * H).1)
    }

    /// The biases of the last layer, without a copy.
    ///
    /// # Errors
    /// None: the sizes are those of the head.
    #[inline]
    pub fn bias(&self) -> Result<SVectorView<'_, T, C>, Error> {
        view(split(self.parameters(), (F + 1) * H + H * C).1)
    }

    /// The weights of the first layer, without a copy: column `h` holds those of hidden unit `h`.
    ///
    /// # Errors
    /// None: the sizes are those of the head.
    #[inline]
    pub fn hidden_weights(&self) -> Result<SMatrixView<'_, T, F, H>, Error> {
        Dense::new(F, H).weights(split(self.parameters(), (F + 1) * H).0)
    }

    /// The biases of the first layer, without a copy.
    ///
    /// # Errors
    /// None: the sizes are those of the head.
    #[inline]
    pub fn hidden_bias(&self) -> Result<SVectorView<'_, T, H>, Error> {
        view(split(split(self.parameters(), (F + 1) * H).0, F * H).1)
    }
}

#[inline(always)]
fn zeros<T: Scalar, const C: usize>() -> SVector<T, C> {
    SVector::from_array_storage(ArrayStorage([[T::ZERO; C]]))
}

/// Numbers as a vector.
#[inline]
fn view<T: Scalar, const C: usize>(numbers: &[T]) -> Result<SVectorView<'_, T, C>, Error> {
    length("the biases of a dense layer", C, numbers.len())?;
    Ok(SVectorView::from_slice(numbers))
}
