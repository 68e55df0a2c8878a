//! The losses of the runs, over memory of the caller's.

use crate::head::CLASSES;
use simloss_core::{
    Error, Label,
    loss::{CrossEntropy, Loss, ProperSimLoss, SimLoss},
    number::Scalar,
    similarity::{DenseTable, OrderTable, SparseSimilarity},
};

/// How a run judges its logits.
pub trait Judge<T: Scalar> {
    /// Where its table lies.
    type Table;
    /// The table before it is filled.
    const EMPTY: Self::Table;
    /// Numbers that one row needs while it is used.
    const SCRATCH: usize;
    /// Numbers that the loss works in besides.
    const VALUES: usize = 0;

    /// The loss, its table in `table`.
    ///
    /// # Errors
    /// Those of the similarity's constructor.
    fn loss(table: &mut Self::Table) -> Result<impl Loss<T>, Error>;
}

/// Cross entropy, the baseline.
pub struct Cce;

/// `r^abs(i - j)`, `r = 0.8`.
pub struct Order;

/// Proper SimLoss of the same order.
pub struct Proper;

/// Two neighbours on either side: one step away 0.75, two steps 0.25.
pub struct Sparse;

/// Every entry stored: falls by 1/64 a step, and not further than to 1/4.
pub struct Dense;

impl<T: Scalar> Judge<T> for Cce {
    type Table = [T; 0];
    const EMPTY: [T; 0] = [];
    const SCRATCH: usize = 0;

    #[inline(always)]
    fn loss(_: &mut [T; 0]) -> Result<impl Loss<T>, Error> {
        CrossEntropy::new(CLASSES)
    }
}

impl<T: Scalar> Judge<T> for Order {
    type Table = [T; 2 * CLASSES - 1];
    const EMPTY: [T; 2 * CLASSES - 1] = [T::ZERO; 2 * CLASSES - 1];
    const SCRATCH: usize = 0;

    #[inline(always)]
    fn loss(table: &mut [T; 2 * CLASSES - 1]) -> Result<impl Loss<T>, Error> {
        Ok(SimLoss::new(OrderTable::in_memory(&mut table[..], CLASSES, T::from_f32(0.8))?))
    }
}

impl<T: Scalar> Judge<T> for Proper {
    type Table = [T; 2 * CLASSES - 1];
    const EMPTY: [T; 2 * CLASSES - 1] = [T::ZERO; 2 * CLASSES - 1];
    const SCRATCH: usize = 0;
    const VALUES: usize = 4 * CLASSES;

    #[inline(always)]
    fn loss(table: &mut [T; 2 * CLASSES - 1]) -> Result<impl Loss<T>, Error> {
        Ok(ProperSimLoss::new(OrderTable::in_memory(&mut table[..], CLASSES, T::from_f32(0.8))?))
    }
}

impl<T: Scalar> Judge<T> for Sparse {
    type Table = SparseSimilarity<T, CLASSES, 4>;
    const EMPTY: SparseSimilarity<T, CLASSES, 4> = SparseSimilarity::IDENTITY;
    const SCRATCH: usize = CLASSES;

    #[inline(always)]
    fn loss(s: &mut SparseSimilarity<T, CLASSES, 4>) -> Result<impl Loss<T>, Error> {
        for y in 0..CLASSES {
            for (distance, value) in [(1, 0.75), (2, 0.25)] {
                for c in [y.checked_sub(distance), Some(y + distance).filter(|&c| c < CLASSES)].into_iter().flatten() {
                    s.insert(Label::new(y, CLASSES)?, Label::new(c, CLASSES)?, T::from_f32(value))?;
                }
            }
        }
        Ok(SimLoss::new(&*s))
    }
}

impl<T: Scalar> Judge<T> for Dense {
    type Table = [T; CLASSES * CLASSES];
    const EMPTY: [T; CLASSES * CLASSES] = [T::ZERO; CLASSES * CLASSES];
    const SCRATCH: usize = 0;

    #[inline(always)]
    fn loss(table: &mut [T; CLASSES * CLASSES]) -> Result<impl Loss<T>, Error> {
        Ok(SimLoss::new(DenseTable::in_memory(&mut table[..], CLASSES, dense)?))
    }
}

/// The entries of [`Dense`].
#[inline]
pub(crate) fn dense<T: Scalar>(i: usize, j: usize) -> T {
    T::from_usize(64 - i.abs_diff(j).min(48)).mul(T::from_f32(1.0 / 64.0))
}
