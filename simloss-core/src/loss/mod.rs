//! The loss of a sample and its gradient with respect to the logits.
//!
//! | symbol of the paper | here |
//! |---|---|
//! | `z`, the network's last outputs | `logits` (never probabilities) |
//! | `y` | a [`Label`] |
//! | `S` | a [`Similarity`](crate::similarity::Similarity) |
//! | `p = softmax(z)` | what `logits` mean; [`softmax`] |
//! | `q_k = S[y, k] p_k / sum_c S[y, c] p_c` | the share of the reward that class `k` earns |
//! | `L = -ln sum_c S[y, c] p_c`, `dL/dz = p - q` | [`Loss::value`], [`Loss::value_and_gradient`] |
//!
//! # The family
//! | loss | formula, `q = S p` | proper? | its best prediction, classes being true with `t` |
//! |---|---|---|---|
//! | [`CrossEntropy`] | `-ln p_y` | yes | `t` |
//! | [`SimLoss`] (Kobs et al. 2020) | `-ln q_y` | no | often one class: the one that `t` likes best, counting similar classes |
//! | SORD ([`soft_label_into`]; Diaz and Marathe 2019) | `-sum_c (S_yc / sum_k S_yk) ln p_c` | no, but for the soft label | `t` blurred by the rows of `S` |
//! | [`ProperSimLoss`] (Gallego-Posada et al. 2020) | `-ln q_y + 1 - sum_c p_c S_yc / q_c` | yes, for a [`ProperSimilarity`](crate::similarity::ProperSimilarity) | `t` |
//! | [`SquaredEmd`] (Hou et al. 2016) | `sum_t (F_t - [t >= y])^2` | yes | `t` |
//!
//! [`PublishedSimLoss`] is the formula of the published code, epsilon and all, for comparison only. Each is a [`Loss`]; a
//! [`Criterion`] adds weights, soft targets (such as those of [`soft_label_into`]) and the mean over a batch.

mod criterion;
mod cross_entropy;
pub(crate) mod kernel;
mod proper;
mod proper_kernel;
mod published;
mod simloss;
mod soft;
mod squared_emd;

use crate::{
    Error, Label,
    decoders::ProbabilityVector,
    error::length,
    number::{Scalar, Value},
    slices::split_mut,
};
pub(crate) use criterion::Group;
pub use criterion::{Criterion, Reduction, Targets, Truth};
pub use cross_entropy::CrossEntropy;
use nalgebra::SVector;
pub use proper::ProperSimLoss;
pub use published::PublishedSimLoss;
pub use simloss::SimLoss;
pub use soft::soft_label_into;
pub use squared_emd::SquaredEmd;

/// Memory that a loss works in, beyond its inputs and outputs; from [`Criterion::scratch`] or [`Loss::scratch`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Scratch {
    /// Numbers.
    pub scalars: usize,
    /// Values: one number per lane.
    pub values: usize,
}

/// A loss of one sample from its logits and its true class.
///
/// Domain of all methods: finite logits, no two of a sample further apart than half of the largest number; any number
/// of classes from 2. Results are finite, and not negative, except that [`PublishedSimLoss`] takes its epsilon off in
/// `f64`. On an error nothing is written.
///
/// Where to add one: a file beside this one, and the two `*_in_lanes` methods.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no loss over `{T}`",
    note = "a similarity becomes a loss with SimLoss::new; `T` is the type of the logits"
)]
pub trait Loss<T: Scalar> {
    /// The number of classes, where the type fixes it.
    const CLASSES: Option<usize> = None;

    /// The number of classes.
    fn classes(&self) -> usize;

    /// What the `*_in_lanes` methods need.
    fn scratch<V: Value<Scalar = T>>(&self) -> Scratch;

    /// Loss of one sample per lane, given `e = 2^K exp(z - most)`, which is spoilt.
    ///
    /// The door for code that already holds checked logits in lanes (the training step). `labels` are those of the
    /// lanes, at least one; lanes beyond them hold anything finite and come back as anything.
    fn value_in_lanes<V: Value<Scalar = T>>(&self, token: V::Token, lanes: Lanes<'_, V>) -> V;

    /// As [`value_in_lanes`](Self::value_in_lanes); `e` becomes the gradient.
    fn gradient_in_lanes<V: Value<Scalar = T>>(&self, token: V::Token, lanes: Lanes<'_, V>) -> V;

    /// The loss.
    ///
    /// # Errors
    /// [`Error::NotFinite`] or [`Error::Spread`] for logits outside the domain, [`Error::Length`] for a label or logits
    /// of another number of classes.
    ///
    /// Cost: `C` exponentials, one division, one `log1p`; `2C` numbers of stack.
    fn value<const C: usize>(&self, logits: &SVector<T, C>, y: Label) -> Result<T, Error>
    where
        Self: Sized,
    {
        fits::<T, Self, C>();
        self.value_of_slice(logits.as_slice(), y, &mut [T::ZERO; C], &mut [T::ZERO; C])
    }

    /// The loss and its gradient with respect to the logits.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    ///
    /// Cost: as [`value`](Self::value), and 3 multiplications per class.
    fn value_and_gradient<const C: usize>(&self, logits: &SVector<T, C>, y: Label) -> Result<(T, SVector<T, C>), Error>
    where
        Self: Sized,
        T: nalgebra::Scalar,
    {
        let mut gradient = SVector::from_array_storage(nalgebra::ArrayStorage([[T::ZERO; C]]));
        let value = self.value_and_gradient_into(logits, y, &mut gradient)?;
        Ok((value, gradient))
    }

    /// As [`value_and_gradient`](Self::value_and_gradient), filling `gradient`.
    ///
    /// # Errors
    /// As [`value`](Self::value); `gradient` keeps its old content then.
    fn value_and_gradient_into<const C: usize>(
        &self,
        logits: &SVector<T, C>,
        y: Label,
        gradient: &mut SVector<T, C>,
    ) -> Result<T, Error>
    where
        Self: Sized,
    {
        fits::<T, Self, C>();
        self.gradient_of_slice(logits.as_slice(), y, &mut [T::ZERO; C], gradient.as_mut_slice())
    }

    /// The loss for a number of classes known at run time. `work` holds `C` numbers, `scratch` as many as
    /// [`scratch::<T>()`](Self::scratch) says of scalars and values together: at most `C` for losses of one row of `S`.
    ///
    /// # Errors
    /// As [`value`](Self::value), and [`Error::Length`] for memory that is too short.
    fn value_of_slice(&self, logits: &[T], y: Label, scratch: &mut [T], work: &mut [T]) -> Result<T, Error>
    where
        Self: Sized,
    {
        let (most, e) = check(self, logits, y, scratch, ("the work of a loss", work))?;
        kernel::exponentials((), logits, most, e);
        let (scratch, rows) = split_mut(scratch, self.scratch::<T>().scalars);
        Ok(self.value_in_lanes((), Lanes { logits, most, labels: &[y], scratch, rows, e }))
    }

    /// The loss, and its gradient in `gradient`, for a number of classes known at run time. `scratch` as in
    /// [`value_of_slice`](Self::value_of_slice).
    ///
    /// # Errors
    /// As [`value_of_slice`](Self::value_of_slice); `gradient` keeps its old content then.
    fn gradient_of_slice(&self, logits: &[T], y: Label, scratch: &mut [T], gradient: &mut [T]) -> Result<T, Error>
    where
        Self: Sized,
    {
        let (most, e) = check(self, logits, y, scratch, ("the gradient", gradient))?;
        kernel::exponentials((), logits, most, e);
        let (scratch, rows) = split_mut(scratch, self.scratch::<T>().scalars);
        Ok(self.gradient_in_lanes((), Lanes { logits, most, labels: &[y], scratch, rows, e }))
    }
}

impl<T: Scalar, L: Loss<T>> Loss<T> for &L {
    const CLASSES: Option<usize> = L::CLASSES;

    fn classes(&self) -> usize {
        (**self).classes()
    }

    fn scratch<V: Value<Scalar = T>>(&self) -> Scratch {
        (**self).scratch::<V>()
    }

    #[inline(always)]
    fn value_in_lanes<V: Value<Scalar = T>>(&self, t: V::Token, lanes: Lanes<'_, V>) -> V {
        (**self).value_in_lanes(t, lanes)
    }

    #[inline(always)]
    fn gradient_in_lanes<V: Value<Scalar = T>>(&self, t: V::Token, lanes: Lanes<'_, V>) -> V {
        (**self).gradient_in_lanes(t, lanes)
    }
}

/// One sample per lane on its way through a loss.
#[derive(Debug)]
pub struct Lanes<'a, V: Value> {
    /// `z`, one value per class.
    pub logits: &'a [V],
    /// The largest logit of each lane.
    pub most: V,
    /// The true classes of the lanes that are present, at least one.
    pub labels: &'a [Label],
    /// [`Scratch::scalars`] numbers.
    pub scratch: &'a mut [V::Scalar],
    /// [`Scratch::values`] values.
    pub rows: &'a mut [V],
    /// In: `2^K exp(z - most)`, one value per class. Out: the gradient, or spoilt.
    pub e: &'a mut [V],
}

/// Probabilities of the logits: `p_k = exp(z_k) / sum_c exp(z_c)`.
///
/// What comes out is another type than logits, because a loss takes logits: it would not notice that it got probabilities,
/// which are finite numbers too. Slices ([`softmax_into`], [`Loss::value_of_slice`], the rows of a training step) have no
/// such type, and no check can tell.
///
/// # Errors
/// [`Error::NotFinite`] or [`Error::Spread`] for logits outside the domain, [`Error::Classes`] for none.
///
/// Each probability is within 4 ulp; those below `2^-150`, about `exp(-104)`, are 0 in `f32`. Cost: `C` exponentials.
///
/// ```
/// use simloss_core::{loss::softmax, nalgebra::SVector};
/// let p = softmax(&SVector::from([1.0f32, 1.0, 1.0, 1.0]))?;
/// assert_eq!(p[2], 0.25);
/// let p = softmax(&SVector::from([0.0f32, -103.0, -104.0]))?;
/// assert!(p[1] > 0.0 && p[2] == 0.0);
/// # Ok::<(), simloss_core::Error>(())
/// ```
pub fn softmax<T: Scalar, const C: usize>(logits: &SVector<T, C>) -> Result<ProbabilityVector<T, C>, Error> {
    let mut p = [T::ZERO; C];
    softmax_into(logits.as_slice(), &mut p)?;
    Ok(ProbabilityVector(p))
}

/// As [`softmax`], for a number of classes known at run time.
///
/// # Errors
/// As [`softmax`], and [`Error::Length`]; `probabilities` keep their old content then.
pub fn softmax_into<T: Scalar>(logits: &[T], probabilities: &mut [T]) -> Result<(), Error> {
    length("the probabilities", logits.len(), probabilities.len())?;
    let most = kernel::largest((), logits, 0)?;
    kernel::exponentials((), logits, most, probabilities);
    kernel::normalise((), probabilities);
    Ok(())
}

/// Refuses to compile where the type of the loss fixes another number of classes than the logits have.
#[inline(always)]
fn fits<T: Scalar, L: Loss<T>, const C: usize>() {
    const {
        assert!(
            match L::CLASSES {
                Some(classes) => classes == C,
                None => true,
            },
            "the logits and the similarity have different numbers of classes"
        );
    }
}

fn check<'a, T: Scalar, L: Loss<T>>(
    loss: &L,
    logits: &[T],
    y: Label,
    scratch: &[T],
    (what, work): (&'static str, &'a mut [T]),
) -> Result<(T, &'a mut [T]), Error> {
    let classes = loss.classes();
    y.of(classes)?;
    length("the logits", classes, logits.len())?;
    length(what, classes, work.len())?;
    let Scratch { scalars, values } = loss.scratch::<T>();
    let needed = scalars + values;
    if scratch.len() < needed {
        return Err(Error::Length { what: "the scratch of a loss", expected: needed, found: scratch.len() });
    }
    Ok((kernel::largest((), logits, 0)?, work))
}
