//! Categorical cross entropy: `L = -ln softmax(z)_y`.

use super::{Lanes, Loss, Scratch, kernel};
use crate::{
    Error,
    number::{Scalar, Value},
    similarity::check_classes,
};

/// Categorical cross entropy, by the algorithm of [`SimLoss`](super::SimLoss) and with the bits that SimLoss has at
/// `S = I`, for one sum less.
///
/// ```text
/// L = -ln p_y,     dL/dz = p - onehot(y)
/// ```
///
/// ```
/// use simloss_core::{Label, loss::{CrossEntropy, Loss}, nalgebra::SVector};
/// let loss = CrossEntropy::new(2)?;
/// // Right by 17: the loss is 4.1e-8, not 0.
/// let (value, gradient) = loss.value_and_gradient(&SVector::from([17.0f32, 0.0]), Label::new(0, 2)?)?;
/// assert!((value / 4.139_937_6e-8 - 1.0).abs() < 1e-6);
/// assert!((gradient[1] / value - 1.0).abs() < 1e-6);
/// # Ok::<(), simloss_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrossEntropy {
    classes: usize,
}

impl CrossEntropy {
    /// # Errors
    /// [`Error::Classes`] unless `classes` is from 2 to 65,535.
    pub fn new(classes: usize) -> Result<Self, Error> {
        Ok(CrossEntropy { classes: check_classes(classes)? })
    }
}

impl<T: Scalar> Loss<T> for CrossEntropy {
    fn classes(&self) -> usize {
        self.classes
    }

    fn scratch<V: Value<Scalar = T>>(&self) -> Scratch {
        Scratch::default()
    }

    #[inline(always)]
    fn value_in_lanes<V: Value<Scalar = T>>(&self, t: V::Token, x: Lanes<'_, V>) -> V {
        kernel::cross_entropy::<V, false>(t, x.logits, x.most, x.labels, x.e)
    }

    #[inline(always)]
    fn gradient_in_lanes<V: Value<Scalar = T>>(&self, t: V::Token, x: Lanes<'_, V>) -> V {
        kernel::cross_entropy::<V, true>(t, x.logits, x.most, x.labels, x.e)
    }
}
