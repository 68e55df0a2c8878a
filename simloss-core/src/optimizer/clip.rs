//! Shorter gradients: clipping by their norm, around any optimizer.

use super::{Optimizer, forward_to_inner};
use crate::{
    Error,
    number::{Scalar, Value},
};

/// Gradient clipping: a gradient of a norm above `max` is multiplied by `max / norm` (PyTorch's `clip_grad_norm_`,
/// without its epsilon). The norm is that of all parameters together, of the mean over the batch, before weight decay.
///
/// ```text
/// g <- g min(1, max / |g|)
/// ```
///
/// [`train_step`](crate::train::train_step) and [`Accumulator`](crate::device::Accumulator) sum the squares of the
/// gradient they hold. [`train_one`](crate::train::train_one) holds none: it multiplies norms layer by layer
/// ([`Layer::gradient_square`](crate::layers::Layer::gradient_square)). Both have the same value but round differently,
/// so the bits of a clipped step differ in the last places; those of a step that needs no clipping are the same. For a
/// convolution the product is an upper bound of its norm, so `train_one` may shorten more than asked, never less.
///
/// Cost: nothing for `train_one` (it needs the norms anyway, to notice overflow), a pass over the gradient otherwise.
///
/// # Errors of a step
/// [`Error::NotFinite`] for a gradient whose norm, or product of norms, overflows; nothing has changed then.
///
/// ```
/// use simloss_core::{
///     Label,
///     layers::Dense,
///     loss::{Criterion, CrossEntropy, Reduction, Targets},
///     optimizer::{Clip, Sgd},
///     train::{Batch, Model, Network, RowMajor, Work, train_one},
/// };
/// let network = Network::new(Dense::new(1, 2), Criterion::new(CrossEntropy::new(2)?))?;
/// let (mut w, truth) = ([0.0f32; 4], [Some(Label::new(0, 2)?)]);
/// let features = &RowMajor::new(&[1000.0], 1)?; // something came loose
/// train_one(
///     &network,
///     &mut Work { scalars: &mut [], values: &mut [0.0; 4] },
///     &Clip::new(Sgd::new(1.0)?, 0.1)?,
///     Model { parameters: &mut w, moments: &mut [], steps: &mut 0 },
///     Batch { features, targets: Targets::labels(&truth), reduction: Reduction::Sum, losses: &mut [0.0] },
/// )?;
/// let moved = w.iter().map(|w| w * w).sum::<f32>();
/// assert!((moved - 0.1 * 0.1).abs() < 1e-8); // without clipping: 500,000
/// # Ok::<(), simloss_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clip<O, T> {
    optimizer: O,
    max: T,
}

impl<O, T: Scalar> Clip<O, T> {
    /// # Errors
    /// [`Error::Setting`] unless `max` is finite and above 0.
    pub fn new(optimizer: O, max: T) -> Result<Self, Error> {
        if max > T::ZERO && max <= T::MAX {
            Ok(Clip { optimizer, max })
        } else {
            Err(Error::Setting { what: "largest norm of a gradient, finite and above 0" })
        }
    }
}

impl<T: Scalar, O: Optimizer<T>> Optimizer<T> for Clip<O, T> {
    const MOMENTS: usize = O::MOMENTS;
    type Step = O::Step;

    forward_to_inner!();

    #[inline(always)]
    fn begin(&self, number: u64) -> O::Step {
        self.optimizer.begin(number)
    }

    #[inline(always)]
    fn pull(step: &O::Step, first: usize, parameters: &mut [T]) {
        O::pull(step, first, parameters);
    }

    #[inline(always)]
    fn update<V: Value<Scalar = T>>(t: V::Token, step: &O::Step, w: V, g: V, moments: &mut [V; 2]) -> V {
        O::update(t, step, w, g, moments)
    }

    #[inline(always)]
    fn max_norm(&self) -> Option<T> {
        Some(match self.optimizer.max_norm() {
            Some(inner) if self.max > inner => inner,
            _ => self.max,
        })
    }
}
