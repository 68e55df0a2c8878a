//! Layers with a criterion: one group of samples from features to logits, losses and gradients.

use crate::{
    Error,
    gradient::{GradientSink, GroupGradient, Looks},
    layers::{Activations, Layer, Place, Shape},
    loss::{Criterion, Group, Loss, Scratch, Targets, kernel},
    number::{GROUP, Job, Scalar, Value, poison, transpose_back, transpose_rows},
    optimizer::{InPlace, Optimizer, clipped},
    slices::{copy, split_mut},
};

/// What is trained: layers, and the criterion that judges their logits. Parameters are the caller's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network<'c, N, L, T> {
    layers: N,
    criterion: Criterion<'c, L, T>,
}

/// The features of a batch, however they are held.
pub trait Features<T: Scalar> {
    /// Samples in the batch.
    fn samples(&self) -> usize;

    /// Numbers per sample.
    fn width(&self) -> usize;

    /// Samples `first..first + present`, one per lane, one value per feature: in `buffer`, or from where they are held.
    ///
    /// `buffer` holds [`width`](Self::width) values (none where one lane is one scalar and
    /// [`is_in_place`](Self::is_in_place)). Lanes beyond `present` repeat some sample of the batch: what is not a
    /// sample must not be able to fail a check.
    fn lanes<'x, V: Value<Scalar = T>>(
        &'x self,
        token: V::Token,
        first: usize,
        present: usize,
        buffer: &'x mut [V],
    ) -> &'x [V];

    /// Whether a single lane is read without a copy.
    fn is_in_place(&self) -> bool {
        false
    }
}

/// Features in rows, one row a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowMajor<'a, T> {
    rows: &'a [T],
    width: usize,
}

impl<'a, T> RowMajor<'a, T> {
    /// # Errors
    /// [`Error::Length`] unless `rows` is a whole number of rows of `width` numbers, at least one.
    pub fn new(rows: &'a [T], width: usize) -> Result<Self, Error> {
        match rows.len().checked_rem(width) {
            Some(0) => Ok(RowMajor { rows, width }),
            Some(rest) => Err(Error::Length { what: "the features", expected: rows.len() - rest, found: rows.len() }),
            None => Err(Error::Length { what: "the features of a sample", expected: 1, found: 0 }),
        }
    }
}

impl<T: Scalar> Features<T> for RowMajor<'_, T> {
    fn samples(&self) -> usize {
        self.rows.len() / self.width.max(1)
    }

    fn width(&self) -> usize {
        self.width
    }

    #[inline(always)]
    fn lanes<'x, V: Value<Scalar = T>>(
        &'x self,
        t: V::Token,
        first: usize,
        present: usize,
        buffer: &'x mut [V],
    ) -> &'x [V] {
        let rows = self.rows.get(first * self.width..(first + present) * self.width).unwrap_or(&[]);
        match V::from_scalars(rows) {
            Some(values) => values,
            None => {
                transpose_rows(t, rows, self.width, buffer);
                buffer
            }
        }
    }

    fn is_in_place(&self) -> bool {
        true
    }
}

/// Memory for one group at a time.
#[derive(Debug)]
pub struct Work<'a, V: Value> {
    /// [`Network::scratch`] scalars.
    pub scalars: &'a mut [V::Scalar],
    /// [`Network::scratch`] values.
    pub values: &'a mut [V],
}

impl<'c, N: Layer<T>, L: Loss<T>, T: Scalar> Network<'c, N, L, T> {
    /// Layers and a criterion. Shapes that do not fit are found here and not by the compiler: they are values, so that one
    /// program serves any network.
    ///
    /// # Errors
    /// [`Error::Length`] unless each layer takes as many numbers as the one before it gives, and the last gives one for
    /// each class of the criterion's loss; [`Error::Setting`] for a [layer](Layer::check) that computes nothing.
    pub fn new(layers: N, criterion: Criterion<'c, L, T>) -> Result<Self, Error> {
        layers.check()?;
        crate::error::length("the outputs of the last layer", criterion.loss().classes(), layers.shape().outputs)?;
        Ok(Network { layers, criterion })
    }

    /// The layers.
    pub const fn layers(&self) -> &N {
        &self.layers
    }

    /// The criterion.
    pub const fn criterion(&self) -> &Criterion<'c, L, T> {
        &self.criterion
    }

    /// Numbers in the parameters.
    pub fn parameters(&self) -> usize {
        self.layers.shape().parameters
    }

    /// Memory that one group needs, for any features and for soft targets or not.
    pub fn scratch<V: Value<Scalar = T>>(&self, soft: bool, in_place: bool) -> Scratch {
        let shape = self.layers.shape();
        let loss = self.criterion.group_scratch::<V>(soft || self.criterion.smooths());
        let x = if V::WIDTH == 1 && in_place { 0 } else { shape.inputs };
        Scratch {
            scalars: loss.scalars.max(self.layers.gradient_scratch::<V>()),
            values: x + 2 * (shape.tape + shape.outputs) + loss.values,
        }
    }

    /// Everything that can be wrong with a batch before its features are read.
    pub(crate) fn check<F: Features<T>>(
        &self,
        features: &F,
        targets: &Targets<'_, T>,
        parameters: &[T],
        losses: &[T],
    ) -> Result<(), Error> {
        let shape = self.layers.shape();
        crate::error::length("the features of a sample", shape.inputs, features.width())?;
        crate::error::length("the parameters", shape.parameters, parameters.len())?;
        crate::error::length("the losses", features.samples(), losses.len())?;
        self.criterion.check(targets, features.samples())
    }

    /// Adds the parameter gradients of group `group` (samples `16 group..16 group + 16`, or as many as there are) to
    /// `sink`, and writes their losses to `losses`, which holds one number for each sample of the group.
    ///
    /// The targets must have passed [`Criterion::check`]. Nothing reaches `sink` unless all features and logits of the
    /// lanes at hand are in their domain.
    ///
    /// # Errors
    /// [`Error::NotFinite`] and [`Error::Spread`] for features and logits, [`Error::Length`] for memory too short.
    #[inline]
    #[allow(clippy::too_many_arguments)]
    pub fn gradient_of_group<V: Value<Scalar = T>, F: Features<T>, G: GradientSink<T>>(
        &self,
        t: V::Token,
        parameters: &[T],
        features: &F,
        targets: &Targets<'_, T>,
        group: usize,
        work: &mut Work<'_, V>,
        losses: &mut [T],
        sink: &mut G,
    ) -> Result<(), Error> {
        self.lanes_of_group::<V, F, true>(t, parameters, features, targets, group, work, losses, |pass, scalars| {
            V::call(t, Deliver { layers: &self.layers, pass, scratch: scalars, sink });
        })
    }

    /// [`gradient_of_group`](Self::gradient_of_group) of a batch of one, where the sink holds the parameters. A
    /// gradient that overflows is found, and a long one shortened, before anything moves.
    #[inline]
    pub(crate) fn in_place<F: Features<T>, O: Optimizer<T>>(
        &self,
        features: &F,
        targets: &Targets<'_, T>,
        work: &mut Work<'_, T>,
        losses: &mut [T],
        optimizer: &O,
        mut sink: InPlace<'_, T, O>,
    ) -> Result<(), Error> {
        let pass = self.pass::<T, F, true>((), sink.parameters, features, targets, [0, 1], work, losses)?;
        let (pass, scratch) = pass;
        let reach = sink.scale.mul(T::ONE.max(optimizer.rate()));
        let square = self.usable_square(pass.activations, pass.dy, pass.dtape, scratch, reach)?;
        sink.scale = clipped(optimizer.max_norm(), sink.scale, || square)?;
        if O::MOMENTS == 0 {
            self.deliver(pass, scratch, &mut sink);
        } else {
            self.deliver_alone(pass, scratch, &mut sink);
        }
        Ok(())
    }

    /// The parameter gradients of one sample.
    #[inline]
    fn deliver<G: GradientSink<T>>(&self, pass: Pass<'_, T>, scratch: &mut [T], sink: &mut G) {
        T::call((), Deliver { layers: &self.layers, pass, scratch, sink });
    }

    /// The same out of line, where the optimizer has moments: what moves them needs the registers for itself, and that is
    /// worth more than the layers' sizes, which are not constants here.
    #[inline(never)]
    fn deliver_alone<G: GradientSink<T>>(&self, pass: Pass<'_, T>, scratch: &mut [T], sink: &mut G) {
        self.deliver(pass, scratch, sink);
    }

    /// Adds the gradient of a batch of one to `gradient`, which keeps its values where it overflows.
    pub(crate) fn accumulate<F: Features<T>>(
        &self,
        parameters: &[T],
        features: &F,
        targets: &Targets<'_, T>,
        work: &mut Work<'_, T>,
        losses: &mut [T],
        gradient: &mut [T],
    ) -> Result<(), Error> {
        let (pass, scratch) = self.pass::<T, F, true>((), parameters, features, targets, [0, 1], work, losses)?;
        self.usable_square(pass.activations, pass.dy, pass.dtape, scratch, T::ONE)?;
        self.deliver(pass, scratch, &mut GroupGradient(gradient));
        Ok(())
    }

    /// The squared norm of the gradient of one sample, which does not overflow. Nearly always the norm itself says so;
    /// else each gradient is looked at. Out of line: called once a step, it leaves the registers to what is called often.
    #[inline(never)]
    fn usable_square(
        &self,
        activations: Activations<'_, T>,
        dy: &[T],
        dtape: &[T],
        scratch: &mut [T],
        reach: T,
    ) -> Result<T, Error> {
        let square = self.layers.gradient_square(activations, dy, dtape);
        let mut sink = Looks { reach, usable: surely_usable(square, reach) };
        if !sink.usable {
            sink.usable = true;
            let place = Place { first_parameter: 0, present: 1, scratch };
            self.layers.parameter_gradient((), activations, dy, dtape, place, &mut sink);
        }
        if sink.usable { Ok(square) } else { Err(OVERFLOW) }
    }

    /// Losses of group `group`, and its logits, row by row, where wanted.
    ///
    /// # Errors
    /// As [`gradient_of_group`](Self::gradient_of_group).
    #[inline]
    #[allow(clippy::too_many_arguments)]
    pub fn losses_of_group<V: Value<Scalar = T>, F: Features<T>>(
        &self,
        t: V::Token,
        parameters: &[T],
        features: &F,
        targets: &Targets<'_, T>,
        group: usize,
        work: &mut Work<'_, V>,
        losses: &mut [T],
        logits: &mut [T],
    ) -> Result<(), Error> {
        let classes = self.layers.shape().outputs;
        let mut rows = logits.chunks_mut((V::WIDTH * classes).max(1));
        self.lanes_of_group::<V, F, false>(t, parameters, features, targets, group, work, losses, |pass, _| {
            V::call(t, Rows { y: pass.activations.y, classes, rows: rows.next().unwrap_or_default() });
        })
    }

    /// [`pass`](Self::pass) of each set of lanes of a group; `then` gets what came of it.
    #[inline]
    #[allow(clippy::too_many_arguments)]
    fn lanes_of_group<V: Value<Scalar = T>, F: Features<T>, const GRADIENT: bool>(
        &self,
        t: V::Token,
        parameters: &[T],
        features: &F,
        targets: &Targets<'_, T>,
        group: usize,
        work: &mut Work<'_, V>,
        losses: &mut [T],
        mut then: impl FnMut(Pass<'_, V>, &mut [T]),
    ) -> Result<(), Error> {
        let mut first = group * GROUP;
        for losses in losses.chunks_mut(V::WIDTH) {
            let at = [first, losses.len()];
            let (pass, scalars) = self.pass::<V, F, GRADIENT>(t, parameters, features, targets, at, work, losses)?;
            then(pass, scalars);
            first += V::WIDTH;
        }
        Ok(())
    }

    /// Whether `work` holds what one set of lanes needs.
    pub(crate) fn check_memory<V: Value<Scalar = T>>(
        &self,
        in_place: bool,
        targets: &Targets<'_, T>,
        work: &Work<'_, V>,
    ) -> Result<(), Error> {
        let needed = self.scratch::<V>(self.criterion.is_soft(targets), in_place);
        if work.values.len() < needed.values {
            let (expected, found) = (needed.values, work.values.len());
            return Err(Error::Length { what: "the values of a group's memory", expected, found });
        }
        if work.scalars.len() < needed.scalars {
            let (expected, found) = (needed.scalars, work.scalars.len());
            return Err(Error::Length { what: "the scalars of a group's memory", expected, found });
        }
        Ok(())
    }

    /// Forward and loss of `present` samples from `first` on, one per lane, and with `GRADIENT` all gradients with
    /// respect to activations.
    #[inline]
    #[allow(clippy::too_many_arguments)]
    fn pass<'w, V: Value<Scalar = T>, F: Features<T>, const GRADIENT: bool>(
        &self,
        t: V::Token,
        parameters: &[T],
        features: &'w F,
        targets: &Targets<'_, T>,
        [first, present]: [usize; 2],
        work: &'w mut Work<'_, V>,
        losses: &mut [T],
    ) -> Result<(Pass<'w, V>, &'w mut [T]), Error> {
        let in_place = features.is_in_place();
        self.check_memory(in_place, targets, work)?;
        let scalars = &mut *work.scalars;
        let Parts { x, tape, dtape, y, dy, values } = Parts::of(&self.layers.shape(), in_place, work.values);
        let x = V::call(t, Load { features, first, present, x })?;
        V::call(t, Forward { layers: &self.layers, parameters, x, tape, y });
        let criterion = &self.criterion;
        V::call(t, Judge::<_, _, GRADIENT> { criterion, targets, first, present, y, scalars, values, dy, losses })?;
        let activations = Activations { x, tape, y };
        if GRADIENT {
            V::call(t, Backward { layers: &self.layers, parameters, activations, dy, dtape, scratch: scalars });
        }
        Ok((Pass { activations, dy, dtape, present }, scalars))
    }
}

/// What the values of [`Work`] are used for.
pub(crate) struct Parts<'a, V> {
    pub(crate) x: &'a mut [V],
    pub(crate) tape: &'a mut [V],
    pub(crate) dtape: &'a mut [V],
    pub(crate) y: &'a mut [V],
    pub(crate) dy: &'a mut [V],
    /// The criterion's.
    pub(crate) values: &'a mut [V],
}

impl<'a, V: Value> Parts<'a, V> {
    #[inline(always)]
    pub(crate) fn of(shape: &Shape, in_place: bool, values: &'a mut [V]) -> Self {
        let (x, rest) = split_mut(values, if V::WIDTH == 1 && in_place { 0 } else { shape.inputs });
        let (tape, rest) = split_mut(rest, shape.tape);
        let (dtape, rest) = split_mut(rest, shape.tape);
        let (y, rest) = split_mut(rest, shape.outputs);
        let (dy, values) = split_mut(rest, shape.outputs);
        Parts { x, tape, dtape, y, dy, values }
    }
}

/// The logits of one sample, known to be in the domain, in the place that [`Parts`] has for them.
#[inline(always)]
pub(crate) fn logits_of<'w, T: Scalar, N: Layer<T>>(
    layers: &N,
    parameters: &[T],
    x: &[T],
    values: &'w mut [T],
) -> Result<&'w [T], Error> {
    let Parts { tape, y, .. } = Parts::of(&layers.shape(), true, values);
    finite((), x, 0)?;
    layers.forward((), parameters, x, tape, y);
    kernel::largest((), y, 0)?;
    Ok(y)
}

/// Logits in lanes to rows.
struct Rows<'a, V: Value> {
    y: &'a [V],
    classes: usize,
    rows: &'a mut [V::Scalar],
}

impl<V: Value> Job<V> for Rows<'_, V> {
    type Output = ();

    #[inline(always)]
    fn run(self, t: V::Token) {
        transpose_back(t, self.y, self.classes, self.rows);
    }
}

/// Features to lanes, checked.
pub(crate) struct Load<'a, F, V> {
    pub(crate) features: &'a F,
    pub(crate) first: usize,
    pub(crate) present: usize,
    pub(crate) x: &'a mut [V],
}

impl<'a, V: Value, F: Features<V::Scalar>> Job<V> for Load<'a, F, V> {
    type Output = Result<&'a [V], Error>;

    #[inline(always)]
    fn run(self, t: V::Token) -> Self::Output {
        let x = self.features.lanes(t, self.first, self.present, self.x);
        finite(t, x, self.first)?;
        Ok(x)
    }
}

/// Features to logits.
struct Forward<'a, N, V: Value> {
    layers: &'a N,
    parameters: &'a [V::Scalar],
    x: &'a [V],
    tape: &'a mut [V],
    y: &'a mut [V],
}

impl<V: Value, N: Layer<V::Scalar>> Job<V> for Forward<'_, N, V> {
    type Output = ();

    #[inline(always)]
    fn run(self, t: V::Token) {
        self.layers.forward(t, self.parameters, self.x, self.tape, self.y);
    }
}

/// Logits to losses and, with `GRADIENT`, their gradient.
pub(crate) struct Judge<'a, 'c, L, V: Value, const GRADIENT: bool> {
    pub(crate) criterion: &'a Criterion<'c, L, V::Scalar>,
    pub(crate) targets: &'a Targets<'a, V::Scalar>,
    pub(crate) first: usize,
    pub(crate) present: usize,
    pub(crate) y: &'a [V],
    pub(crate) scalars: &'a mut [V::Scalar],
    pub(crate) values: &'a mut [V],
    pub(crate) dy: &'a mut [V],
    pub(crate) losses: &'a mut [V::Scalar],
}

impl<V: Value, L: Loss<V::Scalar>, const GRADIENT: bool> Job<V> for Judge<'_, '_, L, V, GRADIENT> {
    type Output = Result<(), Error>;

    #[inline(always)]
    fn run(self, t: V::Token) -> Self::Output {
        let Judge { criterion, targets, first, present, y, scalars, values, dy, losses } = self;
        let most = kernel::largest(t, y, first)?;
        kernel::exponentials(t, y, most, dy);
        let samples = Group { logits: y, most, targets, first, present };
        let loss = criterion.group::<V, GRADIENT>(t, samples, scalars, values, dy);
        let mut lanes = [V::Scalar::ZERO; GROUP];
        loss.store(&mut lanes);
        copy(&lanes, losses);
        Ok(())
    }
}

/// Gradients with respect to activations.
struct Backward<'a, N, V: Value> {
    layers: &'a N,
    parameters: &'a [V::Scalar],
    activations: Activations<'a, V>,
    dy: &'a mut [V],
    dtape: &'a mut [V],
    scratch: &'a mut [V::Scalar],
}

impl<V: Value, N: Layer<V::Scalar>> Job<V> for Backward<'_, N, V> {
    type Output = ();

    #[inline(always)]
    fn run(self, t: V::Token) {
        self.layers.backward(t, self.parameters, self.activations, self.dy, self.dtape, None, self.scratch);
    }
}

/// Gradients with respect to parameters.
struct Deliver<'a, N, G, V: Value> {
    layers: &'a N,
    pass: Pass<'a, V>,
    scratch: &'a mut [V::Scalar],
    sink: &'a mut G,
}

impl<V: Value, N: Layer<V::Scalar>, G: GradientSink<V::Scalar>> Job<V> for Deliver<'_, N, G, V> {
    type Output = ();

    #[inline(always)]
    fn run(self, t: V::Token) {
        let Pass { activations, dy, dtape, present } = self.pass;
        let place = Place { first_parameter: 0, present, scratch: self.scratch };
        self.layers.parameter_gradient(t, activations, dy, dtape, place, self.sink);
    }
}

/// One set of lanes after forward and loss.
struct Pass<'a, V> {
    activations: Activations<'a, V>,
    dy: &'a mut [V],
    dtape: &'a mut [V],
    present: usize,
}

/// Whether no gradient among those of this sum of squares, or bound of it, can overflow. The margin covers rounding.
#[inline(always)]
pub(crate) fn surely_usable<T: Scalar>(square: T, reach: T) -> bool {
    let square = square.mul(reach.mul(reach));
    square.mul(T::from_f32(4.0)).is_finite()
}

/// What a step says to a gradient that overflows.
pub(crate) const OVERFLOW: Error = Error::NotFinite { what: "the gradients", sample: 0 };

/// Refuses NaN and infinity among features, before a comparison or a multiplication by 0 can hide them.
#[inline(always)]
fn finite<V: Value>(t: V::Token, x: &[V], first: usize) -> Result<(), Error> {
    let poison = poison(t, x.iter().copied());
    for l in 0..V::WIDTH {
        if poison.lane(l) != V::Scalar::ZERO {
            return Err(Error::NotFinite { what: "the features", sample: first + l });
        }
    }
    Ok(())
}
