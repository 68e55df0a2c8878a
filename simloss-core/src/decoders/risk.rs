//! The decision of least expected cost.
//!
//! ```text
//! decision(p) = argmin_c sum_k cost[k, c] p[k]
//! ```
//!
//! `cost[k, c]` is what answering `c` costs when `k` is true: the TRUE class is in the row, as in a similarity. On a
//! network trained with plain cross entropy this is the baseline that a loss which knows the costs has to beat.
//! Source: R. Duda, P. Hart and D. Stork, "Pattern Classification", 2001, section 2.2, the conditional risk; its strength
//! as a baseline: S. Karthik, A. Prabhu, P. Dokania and V. Gandhi, "No Cost Likelihood Manipulation at Test Time for
//! Making Better Mistakes in Deep Networks", ICLR 2021.

use super::{Probabilities, dot};
use crate::{
    Error, Label,
    error::length,
    number::Scalar,
    similarity::{Flat, Similarity, dissimilarity, row_scratch, square},
};
use core::marker::PhantomData;
use nalgebra::SMatrix;

/// Finite costs over the caller's memory, `C * C` numbers, row of the true class first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CostTable<T, B> {
    rows: B,
    classes: usize,
    scalar: PhantomData<T>,
}

/// Costs between `C` classes known to the compiler: `C * C` numbers, no heap.
///
/// ```
/// use simloss_core::{Error, decoders::{CostMatrix, Probabilities}, nalgebra::SMatrix};
/// // Taking a mushroom for edible (class 0) when it is not (class 1) costs 50 times the opposite mistake.
/// let costs = CostMatrix::new(&SMatrix::<f32, 2, 2>::new(0.0, 1.0, 50.0, 0.0))?;
/// assert_eq!(costs.minimum_risk(Probabilities::new(&[0.9, 0.1])?)?.index(), 1);
/// assert_eq!(costs.minimum_risk(Probabilities::new(&[0.99, 0.01])?)?.index(), 0);
/// # Ok::<(), Error>(())
/// ```
pub type CostMatrix<T, const C: usize> = CostTable<T, Flat<T, C, C>>;

impl<T: Scalar, const C: usize> CostMatrix<T, C> {
    /// The costs `cost`, whose row is the TRUE class.
    ///
    /// # Errors
    /// [`Error::NotFinite`] if one is NaN or infinite, [`Error::Classes`] unless `C` is from 2 to 65,535.
    pub fn new(cost: &SMatrix<T, C, C>) -> Result<Self, Error> {
        Self::in_memory(Flat::default(), C, |k, c| cost[(k, c)])
    }
}

impl<T: Scalar, B: AsRef<[T]> + AsMut<[T]>> CostTable<T, B> {
    /// `cost(k, c)` of the true class `k` and the answer `c`, over `rows` of at least `classes * classes` numbers.
    ///
    /// # Errors
    /// As [`CostMatrix::new`], and [`Error::Length`] for `rows` that are too short. Nothing is written then.
    ///
    /// Cost: two calls of `cost` for each pair of classes.
    ///
    /// ```
    /// use simloss_core::decoders::{CostTable, Probabilities, median};
    /// let distance = CostTable::in_memory([0.0f32; 16], 4, |k, c| k.abs_diff(c) as f32)?;
    /// let p = Probabilities::new(&[0.4, 0.2, 0.1, 0.3])?;
    /// assert_eq!(distance.minimum_risk(p)?, median(p));
    /// # Ok::<(), simloss_core::Error>(())
    /// ```
    pub fn in_memory(mut rows: B, classes: usize, cost: impl Fn(usize, usize) -> T) -> Result<Self, Error> {
        let table = square("the rows of costs", rows.as_mut(), classes)?;
        // All of them, before the first is written.
        if let Some(sample) = (0..classes).find(|&k| (0..classes).any(|c| !cost(k, c).is_finite())) {
            return Err(Error::NotFinite { what: "costs", sample });
        }
        for (k, row) in table.chunks_exact_mut(classes.max(1)).enumerate() {
            for (c, x) in row.iter_mut().enumerate() {
                *x = cost(k, c);
            }
        }
        Ok(CostTable { rows, classes, scalar: PhantomData })
    }

    /// `cost[k, c] = 1 - S[k, c]`: the least risk is then the greatest expected similarity. `scratch` holds as many numbers
    /// as [`Similarity::scratch`] says.
    ///
    /// # Errors
    /// [`Error::Length`] if `rows` hold fewer than `C * C` numbers, or `scratch` fewer than that.
    pub fn of_similarity(mut rows: B, similarity: &impl Similarity<T>, scratch: &mut [T]) -> Result<Self, Error> {
        let classes = similarity.classes();
        row_scratch(similarity, scratch)?;
        let table = square("the rows of costs", rows.as_mut(), classes)?;
        for (k, row) in table.chunks_exact_mut(classes.max(1)).enumerate() {
            for (x, &s) in row.iter_mut().zip(similarity.row(Label::new(k, classes)?, scratch)) {
                *x = dissimilarity(s);
            }
        }
        Ok(CostTable { rows, classes, scalar: PhantomData })
    }
}

impl<T: Scalar, B: AsRef<[T]>> CostTable<T, B> {
    /// The number of classes.
    #[inline(always)]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The class `c` of least risk `sum_k cost[k, c] p[k]`, ties to the lowest class.
    ///
    /// Shapes: `p`: C, returns one of C classes.
    ///
    /// Numerics: each risk is a block sum, 3 ulp for costs of one sign; risks closer than that may change places.
    ///
    /// # Errors
    /// [`Error::Length`] unless there are as many probabilities as the costs have classes.
    ///
    /// Cost: C^2 multiplications and 2 C^2 additions.
    pub fn minimum_risk(&self, p: Probabilities<'_, T>) -> Result<Label, Error> {
        length("the probabilities", self.classes, p.classes())?;
        let rows = self.rows.as_ref();
        let risk = |c| dot(p.as_slice(), |k| rows.get(k * self.classes + c).copied());
        let mut best = (0, risk(0));
        for c in 1..self.classes {
            let risk = risk(c);
            if risk < best.1 {
                best = (c, risk);
            }
        }
        Ok(p.label(best.0))
    }
}
