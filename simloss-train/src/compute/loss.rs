//! Every loss that the program trains with, as one type: networks are compiled once for all of them.

use crate::similarity::{
    AnySimilarity,
    proper::{AnyProper, Checked},
};
use simloss_core::{
    Error,
    loss::{CrossEntropy, Lanes, Loss, ProperSimLoss, Scratch, SimLoss, SquaredEmd},
    number::Value,
    similarity::OrderTable,
};

/// A loss, chosen at run time. Its bits are those of the core's.
///
/// ```
/// use simloss_core::{Label, loss::{Loss, SquaredEmd}};
/// use simloss_train::compute::loss::AnyLoss;
/// let (any, emd) = (AnyLoss::squared_emd(3)?, SquaredEmd::new(3)?);
/// let (logits, y) = ([0.5f32, -1.0, 2.0], Label::new(1, 3)?);
/// let value = |loss: &dyn Fn(&mut [f32], &mut [f32]) -> Result<f32, _>| loss(&mut [0.0; 24], &mut [0.0; 3]);
/// assert_eq!(
///     value(&|scratch, work| any.value_of_slice(&logits, y, scratch, work))?,
///     value(&|scratch, work| emd.value_of_slice(&logits, y, scratch, work))?,
/// );
/// # Ok::<(), simloss_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub enum AnyLoss {
    /// Cross entropy.
    CrossEntropy(CrossEntropy),
    /// SimLoss.
    SimLoss(SimLoss<AnySimilarity>),
    /// Proper SimLoss of a class order, whose products take no more steps than there are classes.
    ProperOrder(ProperSimLoss<OrderTable<f32, Vec<f32>>>),
    /// Proper SimLoss of any other similarity.
    Proper(ProperSimLoss<Checked>),
    /// Squared earth mover's distance.
    Emd(SquaredEmd),
}

impl AnyLoss {
    /// Cross entropy of so many classes.
    ///
    /// # Errors
    /// [`Error::Classes`].
    pub fn cross_entropy(classes: usize) -> Result<Self, Error> {
        Ok(AnyLoss::CrossEntropy(CrossEntropy::new(classes)?))
    }

    /// SimLoss of a similarity.
    pub const fn simloss(similarity: AnySimilarity) -> Self {
        AnyLoss::SimLoss(SimLoss::new(similarity))
    }

    /// Proper SimLoss of a similarity that has one.
    ///
    /// # Errors
    /// [`Error::Classes`], which a valid similarity does not give.
    pub fn proper(similarity: AnyProper) -> Result<Self, Error> {
        Ok(match similarity {
            // To the bits.
            AnyProper::None(s) => AnyLoss::cross_entropy(simloss_core::similarity::Similarity::<f32>::classes(&s))?,
            AnyProper::Order(s) => AnyLoss::ProperOrder(ProperSimLoss::new(s)),
            AnyProper::Checked(s) => AnyLoss::Proper(ProperSimLoss::new(s)),
        })
    }

    /// Squared earth mover's distance between so many classes.
    ///
    /// # Errors
    /// [`Error::Classes`].
    pub fn squared_emd(classes: usize) -> Result<Self, Error> {
        Ok(AnyLoss::Emd(SquaredEmd::new(classes)?))
    }
}

macro_rules! each {
    ($self:ident, $loss:ident => $result:expr) => {
        match $self {
            AnyLoss::CrossEntropy($loss) => $result,
            AnyLoss::SimLoss($loss) => $result,
            AnyLoss::ProperOrder($loss) => $result,
            AnyLoss::Proper($loss) => $result,
            AnyLoss::Emd($loss) => $result,
        }
    };
}

impl Loss<f32> for AnyLoss {
    fn classes(&self) -> usize {
        each!(self, loss => Loss::<f32>::classes(loss))
    }

    fn scratch<V: Value<Scalar = f32>>(&self) -> Scratch {
        each!(self, loss => Loss::<f32>::scratch::<V>(loss))
    }

    #[inline(always)]
    fn value_in_lanes<V: Value<Scalar = f32>>(&self, token: V::Token, lanes: Lanes<'_, V>) -> V {
        each!(self, loss => loss.value_in_lanes(token, lanes))
    }

    #[inline(always)]
    fn gradient_in_lanes<V: Value<Scalar = f32>>(&self, token: V::Token, lanes: Lanes<'_, V>) -> V {
        each!(self, loss => loss.gradient_in_lanes(token, lanes))
    }
}
