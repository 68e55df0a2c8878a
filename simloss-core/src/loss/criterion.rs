//! A loss over a batch: weights, soft targets, and the mean.
//!
//! With `l_i(y)` the loss of sample `i` for the true class `y`, sample weight `s`, class weight `w`, target `t`:
//!
//! ```text
//! L_i    = s_i sum_y w_y t'_iy l_i(y),      dL_i/dz = s_i sum_y w_y t'_iy (p - q^(y))
//! t'     = (1 - eps) t + eps / C            (label smoothing; t is one-hot for a label)
//! ```
//!
//! | reduction | result |
//! |---|---|
//! | none ([`Criterion::each`]) | `L_i`, 0 where ignored |
//! | [`Reduction::Sum`] | `sum_i L_i` |
//! | [`Reduction::MeanByWeight`] | `sum_i L_i / sum_i s_i sum_y w_y t_iy` (`t` before smoothing; PyTorch's for labels) |
//! | [`Reduction::MeanByCount`] | `sum_i L_i /` samples not ignored (PyTorch's for soft targets) |
//!
//! This is the mean of losses over the classes that may be true, NOT `-ln sum_c (sum_y t_y S[y, c]) p_c`: at `S = I`
//! that would not be cross entropy.

use super::{Lanes, Loss, Scratch, kernel};
use crate::{
    Error, Label,
    error::length,
    number::{BlockSum, GROUP, SampleSum, Scalar, Value, transpose_back, transpose_rows},
    slices::{copy, split, split_mut},
};

/// A loss with its weights.
///
/// ```
/// use simloss_core::{Label, loss::{Criterion, CrossEntropy, Reduction, Targets}};
/// let criterion = Criterion::new(CrossEntropy::new(2)?);
/// let labels = [Some(Label::new(0, 2)?), None];
/// let (logits, mut gradient) = ([0.0f32; 4], [9.0f32; 4]);
/// let mut memory = [0.0f32; 16];
/// let mean = criterion.reduce(
///     Reduction::MeanByWeight, &logits, &Targets::labels(&labels), &mut [], &mut memory, Some(&mut gradient))?;
/// assert_eq!(mean, core::f32::consts::LN_2);
/// assert_eq!(gradient, [-0.5, 0.5, 0.0, 0.0]);
/// # Ok::<(), simloss_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Criterion<'a, L, T> {
    loss: L,
    class_weights: Option<&'a [T]>,
    label_smoothing: T,
}

/// How the losses of a batch become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Reduction {
    /// Divided by the weights of what is not ignored.
    #[default]
    MeanByWeight,
    /// Divided by the number of samples not ignored.
    MeanByCount,
    /// Not divided.
    Sum,
}

impl Reduction {
    /// `Omega` of its sum over samples, where it can be divided by.
    pub(crate) fn divisor<T: Scalar>(self, omega: T) -> Result<T, Error> {
        match self {
            Reduction::Sum => Ok(T::ONE),
            _ if omega >= T::MIN_POSITIVE && omega <= T::MAX => Ok(omega),
            _ if omega == T::ZERO => Err(Error::Empty),
            _ => Err(Error::Setting { what: "the sum of the weights, a normal number" }),
        }
    }
}

/// What is true of each sample of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Truth<'a, T> {
    /// Its class; `None` is ignored.
    Labels(&'a [Option<Label>]),
    /// A weight for each class, row by row; usually a distribution.
    Soft(&'a [T]),
}

/// The truth of a batch, and how much each sample counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Targets<'a, T> {
    /// What is true.
    pub truth: Truth<'a, T>,
    /// `s`, one number a sample; 1 where absent.
    pub sample_weights: Option<&'a [T]>,
}

impl<'a, T> Targets<'a, T> {
    /// Labels, all of equal weight.
    pub const fn labels(labels: &'a [Option<Label>]) -> Self {
        Targets { truth: Truth::Labels(labels), sample_weights: None }
    }

    /// Soft targets, all of equal weight.
    pub const fn soft(targets: &'a [T]) -> Self {
        Targets { truth: Truth::Soft(targets), sample_weights: None }
    }
}

impl<T: Scalar> Targets<'_, T> {
    fn label(&self, i: usize) -> Option<Label> {
        match self.truth {
            Truth::Labels(labels) => labels.get(i).copied().flatten(),
            Truth::Soft(_) => None,
        }
    }

    fn is_ignored(&self, i: usize) -> bool {
        matches!(self.truth, Truth::Labels(_)) && self.label(i).is_none()
    }

    fn sample_weight(&self, i: usize) -> T {
        self.sample_weights.and_then(|s| s.get(i)).copied().unwrap_or(T::ONE)
    }

    /// `t_iy`, before smoothing; 0 where ignored.
    fn target(&self, i: usize, y: usize, classes: usize) -> T {
        match self.truth {
            Truth::Labels(_) if self.label(i).is_some_and(|label| label.index() == y) => T::ONE,
            Truth::Labels(_) => T::ZERO,
            Truth::Soft(t) => t.get(i * classes + y).copied().unwrap_or(T::ZERO),
        }
    }
}

impl<L, T: Scalar> Criterion<'static, L, T> {
    /// The loss alone: all weights 1, no smoothing.
    pub const fn new(loss: L) -> Self {
        Criterion { loss, class_weights: None, label_smoothing: T::ZERO }
    }
}

impl<'a, L: Loss<T>, T: Scalar> Criterion<'a, L, T> {
    /// The same with a weight for each true class.
    ///
    /// # Errors
    /// [`Error::Length`] unless there is one for each class, [`Error::Weight`] for one that is negative or not finite.
    pub fn with_class_weights<'b>(self, weights: &'b [T]) -> Result<Criterion<'b, L, T>, Error> {
        length("the class weights", self.loss.classes(), weights.len())?;
        weigh("the class weights", weights)?;
        let Criterion { loss, label_smoothing, .. } = self;
        Ok(Criterion { loss, class_weights: Some(weights), label_smoothing })
    }

    /// The same with label smoothing `eps`: targets become `(1 - eps) t + eps / C`.
    ///
    /// # Errors
    /// [`Error::Setting`] unless it is in `[0, 1]`.
    pub fn with_label_smoothing(self, eps: T) -> Result<Self, Error> {
        if eps >= T::ZERO && eps <= T::ONE {
            Ok(Criterion { label_smoothing: eps, ..self })
        } else {
            Err(Error::Setting { what: "label smoothing, in [0, 1]" })
        }
    }

    /// The loss without its weights.
    pub const fn loss(&self) -> &L {
        &self.loss
    }

    /// Memory that [`each_in`](Self::each_in) and [`reduce_in`](Self::reduce_in) need with these targets.
    pub fn scratch<V: Value<Scalar = T>>(&self, targets: &Targets<'_, T>) -> Scratch {
        let classes = self.loss.classes();
        let inner = self.group_scratch::<V>(self.is_soft(targets));
        let transposed = if const { V::WIDTH == 1 } { 0 } else { classes };
        Scratch { scalars: inner.scalars, values: inner.values + classes + transposed }
    }

    pub(crate) fn group_scratch<V: Value<Scalar = T>>(&self, soft: bool) -> Scratch {
        let inner = self.loss.scratch::<V>();
        let mixed = if soft { 2 * self.loss.classes() } else { 0 };
        Scratch { scalars: inner.scalars, values: inner.values + mixed }
    }

    pub(crate) fn is_soft(&self, targets: &Targets<'_, T>) -> bool {
        matches!(targets.truth, Truth::Soft(_)) || self.smooths()
    }

    pub(crate) fn smooths(&self) -> bool {
        self.label_smoothing > T::ZERO
    }

    fn class_weight(&self, y: usize) -> T {
        self.class_weights.and_then(|w| w.get(y)).copied().unwrap_or(T::ONE)
    }

    /// Everything that can be wrong with the targets of `samples` samples.
    ///
    /// # Errors
    /// [`Error::Length`] for another number of labels, targets or weights, or a label of other classes;
    /// [`Error::Weight`] for a target or weight that is negative or not finite.
    pub fn check(&self, targets: &Targets<'_, T>, samples: usize) -> Result<(), Error> {
        let classes = self.loss.classes();
        match targets.truth {
            Truth::Labels(labels) => {
                length("the labels", samples, labels.len())?;
                for label in labels.iter().flatten() {
                    label.of(classes)?;
                }
            }
            Truth::Soft(t) => {
                length("the soft targets", samples * classes, t.len())?;
                weigh("the soft targets", t)?;
            }
        }
        if let Some(weights) = targets.sample_weights {
            length("the sample weights", samples, weights.len())?;
            weigh("the sample weights", weights)?;
        }
        Ok(())
    }

    /// `Omega`, by which the reduction divides, of checked targets of `samples` samples; 1 for a sum.
    ///
    /// # Errors
    /// [`Error::Empty`] where it is 0, [`Error::Setting`] where it overflows or is too small to divide by.
    pub fn omega(&self, reduction: Reduction, targets: &Targets<'_, T>, samples: usize) -> Result<T, Error> {
        let weighted = self.class_weights.is_some() || targets.sample_weights.is_some();
        if !weighted && matches!(targets.truth, Truth::Labels(_)) {
            // All weights are 1.
            return reduction.divisor(T::from_usize((0..samples).filter(|&i| !targets.is_ignored(i)).count()));
        }
        let mut omega = BlockSum::new(());
        for i in 0..samples {
            self.add_to_omega(reduction, targets, i, &mut omega);
        }
        reduction.divisor(omega.total())
    }

    /// Adds what sample `i` adds to `Omega`, if it is not ignored.
    pub(crate) fn add_to_omega(
        &self,
        reduction: Reduction,
        targets: &Targets<'_, T>,
        i: usize,
        omega: &mut BlockSum<T>,
    ) {
        if targets.is_ignored(i) {
            return;
        }
        let classes = self.loss.classes();
        omega.add_one(match (reduction, targets.label(i)) {
            (Reduction::MeanByWeight, Some(y)) => targets.sample_weight(i).mul(self.class_weight(y.index())),
            (Reduction::MeanByWeight, None) => {
                let mut own = BlockSum::new(());
                for y in 0..classes {
                    own.add_one(self.class_weight(y).mul(targets.target(i, y, classes)));
                }
                targets.sample_weight(i).mul(own.total())
            }
            (Reduction::MeanByCount | Reduction::Sum, _) => T::ONE,
        });
    }

    /// Losses (and gradients) of a batch, not reduced: `losses[i] = L_i`, row `i` of `gradient` is `dL_i/dz_i`.
    ///
    /// `logits` and `gradient` are row-major, one row a sample; `scalars` and `values` hold [`scratch`](Self::scratch).
    ///
    /// # Errors
    /// As [`check`](Self::check); [`Error::NotFinite`] or [`Error::Spread`] for logits outside the loss's domain, ignored
    /// samples included. On an error nothing is written.
    ///
    /// Cost: that of the loss for each sample; with soft targets or smoothing, its sums for each class of each sample.
    pub fn each(
        &self,
        logits: &[T],
        targets: &Targets<'_, T>,
        scalars: &mut [T],
        values: &mut [T],
        losses: &mut [T],
        gradient: Option<&mut [T]>,
    ) -> Result<(), Error> {
        self.each_in((), logits, targets, scalars, values, losses, gradient)
    }

    /// As [`each`](Self::each), several samples at a time, one per lane. The bits are the same.
    ///
    /// # Errors
    /// As [`each`](Self::each).
    #[allow(clippy::too_many_arguments)] // each is one array of the caller's
    #[inline(always)]
    pub fn each_in<V: Value<Scalar = T>>(
        &self,
        t: V::Token,
        logits: &[T],
        targets: &Targets<'_, T>,
        scalars: &mut [T],
        values: &mut [V],
        losses: &mut [T],
        gradient: Option<&mut [T]>,
    ) -> Result<(), Error> {
        let samples = self.samples(logits)?;
        length("the losses", samples, losses.len())?;
        self.check(targets, samples)?;
        self.run(t, logits, targets, None, scalars, values, gradient, |first, found| {
            let (_, losses) = split_mut(losses, first);
            copy(found, losses);
        })
    }

    /// The reduced loss of a batch, and its gradient: row `i` of `gradient` is `(1 / Omega) dL_i/dz_i`.
    ///
    /// Arrays as in [`each`](Self::each).
    ///
    /// # Errors
    /// As [`each`](Self::each), and [`Error::Empty`] where a mean has nothing to average.
    pub fn reduce(
        &self,
        reduction: Reduction,
        logits: &[T],
        targets: &Targets<'_, T>,
        scalars: &mut [T],
        values: &mut [T],
        gradient: Option<&mut [T]>,
    ) -> Result<T, Error> {
        self.reduce_in((), reduction, logits, targets, scalars, values, gradient)
    }

    /// As [`reduce`](Self::reduce), several samples at a time, one per lane. The bits are the same.
    ///
    /// # Errors
    /// As [`reduce`](Self::reduce).
    #[allow(clippy::too_many_arguments)] // each is one array of the caller's
    #[inline(always)]
    pub fn reduce_in<V: Value<Scalar = T>>(
        &self,
        t: V::Token,
        reduction: Reduction,
        logits: &[T],
        targets: &Targets<'_, T>,
        scalars: &mut [T],
        values: &mut [V],
        gradient: Option<&mut [T]>,
    ) -> Result<T, Error> {
        let samples = self.samples(logits)?;
        self.check(targets, samples)?;
        let scale = T::ONE.div(self.omega(reduction, targets, samples)?);
        let mut sum = SampleSum::new();
        self.run(t, logits, targets, Some(scale), scalars, values, gradient, |_, losses| sum.add(losses))?;
        Ok(sum.total().mul(scale))
    }

    /// How many samples logits are.
    fn samples(&self, logits: &[T]) -> Result<usize, Error> {
        let classes = self.loss.classes();
        let samples = logits.len() / classes.max(1);
        length("the logits", samples * classes, logits.len())?;
        Ok(samples)
    }

    /// The batch, group by group, with checked targets; `found` gets the index of a sample, and the losses from it on.
    #[allow(clippy::too_many_arguments)]
    #[inline(always)]
    fn run<V: Value<Scalar = T>>(
        &self,
        t: V::Token,
        logits: &[T],
        targets: &Targets<'_, T>,
        scale: Option<T>,
        scalars: &mut [T],
        values: &mut [V],
        gradient: Option<&mut [T]>,
        mut found: impl FnMut(usize, &[T]),
    ) -> Result<(), Error> {
        let classes = self.loss.classes();
        if let Some(gradient) = &gradient {
            length("the gradient", logits.len(), gradient.len())?;
        }
        let needed = self.scratch::<V>(targets);
        if scalars.len() < needed.scalars || values.len() < needed.values {
            let (expected, found) = if scalars.len() < needed.scalars {
                (needed.scalars, scalars.len())
            } else {
                (needed.values, values.len())
            };
            return Err(Error::Length { what: "the scratch of a criterion", expected, found });
        }
        if !kernel::surely_in_domain::<V>(t, logits) {
            for (i, row) in logits.chunks_exact(classes.max(1)).enumerate() {
                kernel::largest((), row, i)?;
            }
        }

        let (e, rest) = split_mut(values, classes);
        let (transposed, rest) = split_mut(rest, if const { V::WIDTH == 1 } { 0 } else { classes });
        let mut lanes = [T::ZERO; GROUP];
        let size = (V::WIDTH * classes).max(1);
        let mut gradients = gradient.map(|gradient| gradient.chunks_mut(size));
        for (chunk, rows) in logits.chunks(size).enumerate() {
            let first = chunk * V::WIDTH;
            let present = rows.len() / classes.max(1);
            let z: &[V] = match V::from_scalars(rows) {
                Some(z) => z,
                None => {
                    transpose_rows(t, rows, classes, transposed);
                    transposed
                }
            };
            let most = kernel::largest_known(t, z);
            kernel::exponentials(t, z, most, e);
            let group = Group { logits: z, most, targets, first, present };
            let loss = match gradients.as_mut().and_then(Iterator::next) {
                None => self.group::<V, false>(t, group, scalars, rest, e),
                Some(gradient) => {
                    let loss = self.group::<V, true>(t, group, scalars, rest, e);
                    if let Some(scale) = scale {
                        let scale = V::splat(t, scale);
                        e.iter_mut().for_each(|x| *x = x.mul(scale));
                    }
                    transpose_back(t, e, classes, gradient);
                    loss
                }
            };
            loss.store(&mut lanes);
            found(first, split(&lanes, present).0);
        }
        Ok(())
    }

    /// Losses of samples in lanes, given their exponentials in `e`; with `GRADIENT`, `e` becomes the gradient.
    #[inline(always)]
    pub(crate) fn group<V: Value<Scalar = T>, const GRADIENT: bool>(
        &self,
        t: V::Token,
        group: Group<'_, '_, V>,
        scratch: &mut [T],
        values: &mut [V],
        e: &mut [V],
    ) -> V {
        let Group { logits, most, targets, first, present } = group;
        let zero = V::splat(t, T::ZERO);
        let classes = self.loss.classes();

        if !self.is_soft(targets) {
            let Some(any) = (first..first + present).find_map(|i| targets.label(i)) else {
                e.fill(zero);
                return zero;
            };
            let mut labels = [any; GROUP];
            for (l, label) in labels.iter_mut().enumerate().take(present) {
                *label = targets.label(first + l).unwrap_or(any);
            }
            let (labels, _) = split(&labels, present);
            let lanes = Lanes { logits, most, labels, scratch, rows: values, e };
            let loss =
                if GRADIENT { self.loss.gradient_in_lanes(t, lanes) } else { self.loss.value_in_lanes(t, lanes) };
            let weighted = self.class_weights.is_some() || targets.sample_weights.is_some();
            if !weighted && !self.any_ignored(&group) {
                return loss;
            }
            // The weight of an ignored sample is 0, so its finite loss and gradient vanish.
            let of_sample: V = in_lanes(t, first, present, |i| targets.sample_weight(i));
            let of_class: V =
                in_lanes(t, first, present, |i| targets.label(i).map_or(T::ZERO, |y| self.class_weight(y.index())));
            if GRADIENT {
                e.iter_mut().for_each(|g| *g = of_class.select_gt(zero, g.mul(of_class).mul(of_sample), zero));
            }
            return of_class.select_gt(zero, loss.mul(of_class).mul(of_sample), zero);
        }

        let of_sample: V = in_lanes(t, first, present, |i| targets.sample_weight(i));
        let (kept, values) = split_mut(values, classes);
        let (work, values) = split_mut(values, classes);
        copy(e, kept);
        e.fill(zero);
        let mut total = BlockSum::new(t);
        let keep = T::ONE.sub(self.label_smoothing);
        let spread = self.label_smoothing.div(T::from_usize(classes));
        for y in 0..classes {
            let Ok(label) = Label::new(y, classes) else { continue };
            let weight: V = in_lanes(t, first, present, |i| {
                if targets.is_ignored(i) {
                    return T::ZERO;
                }
                let target = targets.target(i, y, classes);
                let target = if self.label_smoothing > T::ZERO { keep.mul(target).add(spread) } else { target };
                self.class_weight(y).mul(target)
            });
            if (0..present).all(|l| weight.lane(l) == T::ZERO) {
                continue;
            }
            copy(kept, work);
            let labels = [label; GROUP];
            let (labels, _) = split(&labels, present);
            let lanes = Lanes { logits, most, labels, scratch, rows: values, e: work };
            if GRADIENT {
                total.add_where(zero, weight, self.loss.gradient_in_lanes(t, lanes).mul(weight));
                for (e, &g) in e.iter_mut().zip(work.iter()) {
                    *e = weight.select_gt(zero, e.add(g.mul(weight)), *e);
                }
            } else {
                total.add_where(zero, weight, self.loss.value_in_lanes(t, lanes).mul(weight));
            }
        }
        if GRADIENT && targets.sample_weights.is_some() {
            e.iter_mut().for_each(|g| *g = g.mul(of_sample));
        }
        total.total().mul(of_sample)
    }

    fn any_ignored<V: Value<Scalar = T>>(&self, group: &Group<'_, '_, V>) -> bool {
        (group.first..group.first + group.present).any(|i| group.targets.is_ignored(i))
    }
}

/// Samples in lanes, with their place in the batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group<'a, 'b, V: Value> {
    /// Checked logits, one value per class.
    pub logits: &'a [V],
    /// The largest of each lane.
    pub most: V,
    /// Checked targets of the whole batch.
    pub targets: &'a Targets<'b, V::Scalar>,
    /// The batch's index of lane 0.
    pub first: usize,
    /// Lanes that hold a sample.
    pub present: usize,
}

/// One number for each of `present` samples from `first` on, 0 in the other lanes.
#[inline(always)]
fn in_lanes<V: Value>(t: V::Token, first: usize, present: usize, of: impl Fn(usize) -> V::Scalar) -> V {
    let mut lanes = [V::Scalar::ZERO; GROUP];
    for (l, lane) in lanes.iter_mut().enumerate().take(present) {
        *lane = of(first + l);
    }
    V::load(t, &lanes)
}

fn weigh<T: Scalar>(what: &'static str, weights: &[T]) -> Result<(), Error> {
    match weights.iter().position(|&w| !(w >= T::ZERO && w <= T::MAX)) {
        Some(index) => Err(Error::Weight { what, index }),
        None => Ok(()),
    }
}
