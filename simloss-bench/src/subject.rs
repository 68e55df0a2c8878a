//! What is judged: the losses of `simloss-core` on a case, for one sample or in lanes.

use simloss_core::{
    Error, Label,
    loss::{Criterion, CrossEntropy, Loss, PublishedSimLoss, SimLoss, Targets},
    number::{Scalar, Value},
    similarity::{self, CircularTable, DenseTable, Identity, OrderTable},
};

use crate::cases::{Case, Similarity};
use crate::real::Real;

/// A number that both the core and the oracle know.
pub trait Number: Real + Scalar {}

impl<T: Real + Scalar> Number for T {}

/// What an implementation says of one case.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<T> {
    /// The loss.
    pub loss: T,
    /// Its gradient, one number per logit.
    pub gradient: Vec<T>,
}

impl<T: Real> Answer<T> {
    /// All bits of the answer: the way to ask for identity, where -0 is not +0.
    pub fn bits(&self) -> Vec<u64> {
        self.gradient.iter().chain([&self.loss]).map(|x| x.bits()).collect()
    }
}

/// A similarity of the core, chosen at run time, over the heap.
#[derive(Clone, Debug)]
pub enum Built<T> {
    /// `S = I`.
    Identity(Identity),
    /// Class order.
    Order(OrderTable<T, Vec<T>>),
    /// Circular order.
    Circular(CircularTable<T, Vec<T>>),
    /// A matrix.
    Dense(DenseTable<T, Vec<T>>),
}

impl<T: Number> Built<T> {
    /// The core's similarity of a case. A single row becomes that row of a matrix, which is the identity elsewhere.
    ///
    /// # Errors
    /// Those of the core's constructors; no case of [`crate::cases`] has any.
    pub fn new(case: &Case<T>) -> Result<Self, Error> {
        let classes = case.classes();
        let table = || vec![T::ZERO; 2 * classes - 1];
        let matrix = || vec![T::ZERO; classes * classes];
        Ok(match &case.similarity {
            Similarity::Identity => Built::Identity(Identity::new(classes)?),
            Similarity::Order(r) => Built::Order(OrderTable::in_memory(table(), classes, *r)?),
            Similarity::Circular(r) => Built::Circular(CircularTable::in_memory(table(), classes, *r)?),
            Similarity::Entries(row) => {
                let entry = |i, j| match (i == case.y, i == j) {
                    (true, _) => row[j],
                    (false, true) => T::ONE,
                    (false, false) => T::ZERO,
                };
                Built::Dense(DenseTable::in_memory(matrix(), classes, entry)?)
            }
            Similarity::General(measures, lower_bound) => {
                let measure = |i, j| if i == case.y { measures[j] } else { T::ZERO };
                Built::Dense(DenseTable::lower_bounded_in_memory(matrix(), classes, measure, *lower_bound)?)
            }
        })
    }
}

impl<T: Number> similarity::Similarity<T> for Built<T> {
    fn classes(&self) -> usize {
        match self {
            Built::Identity(s) => similarity::Similarity::<T>::classes(s),
            Built::Order(s) => s.classes(),
            Built::Circular(s) => s.classes(),
            Built::Dense(s) => s.classes(),
        }
    }

    fn scratch(&self) -> usize {
        match self {
            Built::Identity(s) => similarity::Similarity::<T>::scratch(s),
            Built::Order(s) => s.scratch(),
            Built::Circular(s) => s.scratch(),
            Built::Dense(s) => s.scratch(),
        }
    }

    fn row<'a>(&'a self, y: Label, scratch: &'a mut [T]) -> &'a [T] {
        match self {
            Built::Identity(s) => s.row(y, scratch),
            Built::Order(s) => s.row(y, scratch),
            Built::Circular(s) => s.row(y, scratch),
            Built::Dense(s) => s.row(y, scratch),
        }
    }

    fn stored(&self, y: Label, c: Label) -> T {
        match self {
            Built::Identity(s) => s.stored(y, c),
            Built::Order(s) => s.stored(y, c),
            Built::Circular(s) => s.stored(y, c),
            Built::Dense(s) => s.stored(y, c),
        }
    }
}

/// SimLoss of the core on a case.
///
/// # Errors
/// As [`Loss::value`].
pub fn simloss<T: Number>(case: &Case<T>) -> Result<Answer<T>, Error> {
    answer(&SimLoss::new(Built::new(case)?), &case.logits, case.y)
}

/// Cross entropy of the core on the logits of a case.
///
/// # Errors
/// As [`Loss::value`].
pub fn cross_entropy<T: Number>(case: &Case<T>) -> Result<Answer<T>, Error> {
    answer(&CrossEntropy::new(case.classes())?, &case.logits, case.y)
}

/// The published formula, as the core has it for comparison, on a case.
///
/// # Errors
/// As [`Loss::value`].
pub fn published<T: Number>(case: &Case<T>) -> Result<Answer<T>, Error> {
    answer(&PublishedSimLoss::new(Built::new(case)?), &case.logits, case.y)
}

/// Any loss of the core on one sample.
///
/// # Errors
/// As [`Loss::value`].
pub fn answer<T: Number, L: Loss<T>>(loss: &L, logits: &[T], y: usize) -> Result<Answer<T>, Error> {
    let y = Label::new(y, logits.len())?;
    let mut scratch = vec![T::ZERO; loss.scratch::<T>().scalars];
    let mut gradient = vec![T::ZERO; logits.len()];
    let value = loss.gradient_of_slice(logits, y, &mut scratch, &mut gradient)?;
    Ok(Answer { loss: value, gradient })
}

/// Any loss of the core on several samples at a time, one per lane; `logits` row by row.
///
/// # Errors
/// As [`Criterion::each`].
#[inline(always)]
pub fn answers_in<V: Value<Scalar: Number>, L: Loss<V::Scalar>>(
    token: V::Token,
    loss: L,
    logits: &[V::Scalar],
    labels: &[Option<Label>],
) -> Result<Vec<Answer<V::Scalar>>, Error> {
    let zero = V::Scalar::ZERO;
    let (classes, criterion) = (loss.classes(), Criterion::new(loss));
    let targets = Targets::labels(labels);
    let needed = criterion.scratch::<V>(&targets);
    let (mut scalars, mut values) = (vec![zero; needed.scalars], vec![V::splat(token, zero); needed.values]);
    let (mut losses, mut gradient) = (vec![zero; labels.len()], vec![zero; logits.len()]);
    criterion.each_in(token, logits, &targets, &mut scalars, &mut values, &mut losses, Some(&mut gradient))?;
    let rows = gradient.chunks_exact(classes).zip(losses);
    Ok(rows.map(|(gradient, loss)| Answer { loss, gradient: gradient.to_vec() }).collect())
}
