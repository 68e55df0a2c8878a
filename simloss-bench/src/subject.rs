//! The losses under test: those of `simloss-core` on a case, for one sample or in lanes.

use simloss_core::{
    Error, Label,
    loss::{Criterion, CrossEntropy, Loss, ProperSimLoss, PublishedSimLoss, Scratch, SimLoss, SquaredEmd, Targets},
    number::{Scalar, Value},
    similarity::{self, CircularTable, DenseTable, Identity, OrderTable, Products, ProperSimilarity, Taxonomy},
};

use crate::cases::{Case, Similarity, proper};
use crate::real::Real;

/// A scalar of both the core and the oracle.
pub trait Number: Real + Scalar {}

impl<T: Real + Scalar> Number for T {}

/// The result of an implementation on one case.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<T> {
    /// The loss.
    pub loss: T,
    /// Its gradient, one number per logit.
    pub gradient: Vec<T>,
}

impl<T: Real> Answer<T> {
    /// All bits of the result, to compare exactly: -0 is not +0.
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
    /// The errors of the core's constructors; no case of [`crate::cases`] has any.
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

/// The published formula, which the core has for comparison, on a case.
///
/// # Errors
/// As [`Loss::value`].
pub fn published<T: Number>(case: &Case<T>) -> Result<Answer<T>, Error> {
    answer(&PublishedSimLoss::new(Built::new(case)?), &case.logits, case.y)
}

/// A similarity that is proper by construction (see [`crate::cases::proper`]). `Verified` takes `C^4` steps, longer than all
/// measurements; `tests/proper.rs` runs it for the cases that are not large.
#[derive(Clone, Copy, Debug)]
pub struct Claimed<S>(pub S);

impl<T: Number, S: similarity::Similarity<T>> similarity::Similarity<T> for Claimed<S> {
    const CLASSES: Option<usize> = S::CLASSES;
    const LEADS: bool = S::LEADS;

    fn classes(&self) -> usize {
        self.0.classes()
    }

    fn scratch(&self) -> usize {
        self.0.scratch()
    }

    fn row<'a>(&'a self, y: Label, scratch: &'a mut [T]) -> &'a [T] {
        self.0.row(y, scratch)
    }

    fn stored(&self, y: Label, c: Label) -> T {
        self.0.stored(y, c)
    }

    fn product_values(&self) -> usize {
        self.0.product_values()
    }

    #[inline(always)]
    fn products<V: Value<Scalar = T>>(&self, token: V::Token, x: Products<'_, V>) {
        self.0.products(token, x);
    }
}

impl<T: Number, S: similarity::Similarity<T>> ProperSimilarity<T> for Claimed<S> {
    fn is_strictly_proper(&self) -> bool {
        true
    }
}

/// A similarity of the core for which proper SimLoss is proper, chosen at run time, over the heap.
#[derive(Clone, Debug)]
pub enum Proper<T> {
    /// `S = I`.
    Identity(Identity),
    /// Class order.
    Order(OrderTable<T, Vec<T>>),
    /// Circular order.
    Circular(Claimed<CircularTable<T, Vec<T>>>),
    /// Groups within groups.
    Taxonomy(Taxonomy<T, Vec<u16>, Vec<T>>),
    /// A matrix.
    Dense(Claimed<DenseTable<T, Vec<T>>>),
}

/// A task for any proper similarity of the core.
pub trait WithProper<T: Number> {
    /// The result.
    type Output;

    /// Runs the task.
    fn run<S: ProperSimilarity<T>>(self, similarity: &S) -> Self::Output;
}

impl<T: Number> Proper<T> {
    /// The core's similarity of a case.
    ///
    /// # Errors
    /// The errors of the core's constructors; no case of [`crate::cases::proper`] has any.
    pub fn new(case: &proper::Case<T>) -> Result<Self, Error> {
        let classes = case.classes();
        let table = || vec![T::ZERO; 2 * classes - 1];
        Ok(match &case.similarity {
            proper::Similarity::Identity => Proper::Identity(Identity::new(classes)?),
            proper::Similarity::Order(r) => Proper::Order(OrderTable::in_memory(table(), classes, *r)?),
            proper::Similarity::Circular(r) => {
                Proper::Circular(Claimed(CircularTable::in_memory(table(), classes, *r)?))
            }
            proper::Similarity::Groups { groupings, levels } => Proper::Taxonomy(taxonomy(groupings, levels)?),
            proper::Similarity::Dense(entries) => {
                let matrix = vec![T::ZERO; classes * classes];
                let entry = |i, j| entries[i * classes + j];
                Proper::Dense(Claimed(DenseTable::in_memory(matrix, classes, entry)?))
            }
        })
    }

    /// Runs a task with the type of the similarity.
    pub fn with<W: WithProper<T>>(&self, task: W) -> W::Output {
        match self {
            Proper::Identity(s) => task.run(s),
            Proper::Order(s) => task.run(s),
            Proper::Circular(s) => task.run(s),
            Proper::Taxonomy(s) => task.run(s),
            Proper::Dense(s) => task.run(s),
        }
    }
}

/// The tree of groups within groups: an inner node for each group of each height, and a root with the similarity 0.
fn taxonomy<T: Number>(groupings: &[Vec<usize>], levels: &[T]) -> Result<Taxonomy<T, Vec<u16>, Vec<T>>, Error> {
    let classes = groupings.first().map_or(0, Vec::len);
    let groups_at = |height: usize| groupings[height].iter().max().map_or(0, |most| most + 1);
    let mut first = vec![classes];
    (0..groupings.len()).for_each(|height| first.push(first[height] + groups_at(height)));
    let root = first[groupings.len()];
    let mut parents = vec![root; root + 1];
    for c in 0..classes {
        let mut node = c;
        for (height, groups) in groupings.iter().enumerate() {
            parents[node] = first[height] + groups[c];
            node = parents[node];
        }
    }
    let parents = parents.into_iter().map(|node| node as u16).collect();
    let levels = [&[T::ONE], levels, &[T::ZERO]].concat();
    Taxonomy::new(parents, levels, classes)
}

/// Proper SimLoss of the core on a case.
///
/// # Errors
/// As [`Loss::value`].
pub fn proper<T: Number>(case: &proper::Case<T>) -> Result<Answer<T>, Error> {
    struct Task<'a, T>(&'a proper::Case<T>);
    impl<T: Number> WithProper<T> for Task<'_, T> {
        type Output = Result<Answer<T>, Error>;

        fn run<S: ProperSimilarity<T>>(self, similarity: &S) -> Self::Output {
            answer(&ProperSimLoss::new(similarity), &self.0.logits, self.0.y)
        }
    }
    Proper::new(case)?.with(Task(case))
}

/// Squared EMD of the core on the logits of a case.
///
/// # Errors
/// As [`Loss::value`].
pub fn squared_emd<T: Number>(case: &proper::Case<T>) -> Result<Answer<T>, Error> {
    answer(&SquaredEmd::new(case.classes())?, &case.logits, case.y)
}

/// Any loss of the core on one sample.
///
/// # Errors
/// As [`Loss::value`].
pub fn answer<T: Number, L: Loss<T>>(loss: &L, logits: &[T], y: usize) -> Result<Answer<T>, Error> {
    let y = Label::new(y, logits.len())?;
    let Scratch { scalars, values } = loss.scratch::<T>();
    let mut scratch = vec![T::ZERO; scalars + values];
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
