//! Shared helpers of the tests in this folder: golden values, lanes, any similarity at run time, a reference in `f64`.
#![allow(clippy::disallowed_methods)] // tests compare with the platform's functions

pub mod documents;
pub mod lanes;
pub mod reference;

use proptest::test_runner::{Config, FileFailurePersistence, RngSeed};
use serde::{Deserialize, de::DeserializeOwned};
use simloss_core::{
    Error, Label, Random,
    gradient::GroupGradient,
    layers::{Activations, Layer, Place},
    loss::{Criterion, Loss, Reduction, Targets},
    number::{Scalar, Value},
    optimizer::Optimizer,
    similarity::{CircularTable, DenseTable, Identity, OrderTable, Similarity, SparseSimilarity, Taxonomy},
    train::Model,
};

/// What a test returns: `?` in place of `unwrap`.
pub type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The settings of all property tests: the same inputs every time; what once failed is kept in a file beside the test's and
/// tried first.
pub fn config() -> Config {
    Config {
        rng_seed: RngSeed::Fixed(20_200_303),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..Config::default()
    }
}

/// The cases of a file of golden values.
///
/// # Errors
/// What serde says of a file that is not of the expected form.
pub fn golden_cases<C: DeserializeOwned>(text: &str) -> Result<Vec<C>, serde_json::Error> {
    #[derive(Deserialize)]
    struct File<C> {
        cases: Vec<C>,
    }
    Ok(serde_json::from_str::<File<C>>(text)?.cases)
}

/// Golden numbers in the format under test.
pub fn scalars<T: Scalar>(numbers: &[f64]) -> Vec<T> {
    numbers.iter().map(|&x| T::from_f64(x)).collect()
}

/// Numbers of any format as `f64`, exactly.
pub fn doubles<T: Scalar>(numbers: &[T]) -> Vec<f64> {
    numbers.iter().map(|x| x.to_f64()).collect()
}

/// Bits of numbers: the way to compare for identity, where -0 is not +0. `f64` holds every `f32` in its own bits.
pub fn bits<T: Scalar>(numbers: &[T]) -> Vec<u64> {
    numbers.iter().map(|x| x.to_f64().to_bits()).collect()
}

/// `n` numbers, uniform in `[-bound, bound)`.
pub fn uniform<T: Scalar>(random: &mut Random, n: usize, bound: f32) -> Vec<T> {
    (0..n).map(|_| T::from_f32(bound * (2.0 * random.unit::<f32>() - 1.0))).collect()
}

/// Labels of `classes` classes; `None` is ignored.
///
/// # Errors
/// As [`Label::new`].
pub fn labels(indices: &[Option<usize>], classes: usize) -> Result<Vec<Option<Label>>, Error> {
    indices.iter().map(|y| y.map(|y| Label::new(y, classes)).transpose()).collect()
}

/// What changes in training.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// One number per parameter.
    pub parameters: Vec<f32>,
    /// The optimizer's.
    pub moments: Vec<f32>,
    /// Steps taken.
    pub steps: u64,
}

impl State {
    /// Initial weights of `layers`, and moments for `O`.
    pub fn new<N: Layer<f32>, O: Optimizer<f32>>(layers: &N, seed: u64) -> Self {
        let mut parameters = vec![0.0; layers.shape().parameters];
        layers.initialise(&mut parameters, &mut Random::new(seed));
        State { moments: vec![0.0; O::MOMENTS * parameters.len()], parameters, steps: 0 }
    }

    /// As a step takes it.
    pub fn model(&mut self) -> Model<'_, f32> {
        Model { parameters: &mut self.parameters, moments: &mut self.moments, steps: &mut self.steps }
    }

    /// Bits of everything.
    pub fn bits(&self) -> (Vec<u64>, Vec<u64>, u64) {
        (bits(&self.parameters), bits(&self.moments), self.steps)
    }
}

/// Any similarity, chosen at run time.
#[derive(Clone, Debug, PartialEq)]
pub enum AnySimilarity<T> {
    /// `S = I`.
    Identity(Identity),
    /// Class order.
    Order(OrderTable<T, Vec<T>>),
    /// Circular order.
    Circular(CircularTable<T, Vec<T>>),
    /// Any matrix, or general similarity.
    Dense(DenseTable<T, Vec<T>>),
    /// A tree of classes.
    Taxonomy(Taxonomy<T, Vec<u16>, Vec<T>>),
    /// Few entries; 8 classes, at most 3 entries a row.
    Sparse(SparseSimilarity<T, 8, 3>),
}

macro_rules! each_similarity {
    ($self:ident, $s:ident => $result:expr) => {
        match $self {
            AnySimilarity::Identity($s) => $result,
            AnySimilarity::Order($s) => $result,
            AnySimilarity::Circular($s) => $result,
            AnySimilarity::Dense($s) => $result,
            AnySimilarity::Taxonomy($s) => $result,
            AnySimilarity::Sparse($s) => $result,
        }
    };
}

impl<T: Scalar> Similarity<T> for AnySimilarity<T> {
    fn classes(&self) -> usize {
        each_similarity!(self, s => Similarity::<T>::classes(s))
    }

    fn scratch(&self) -> usize {
        each_similarity!(self, s => Similarity::<T>::scratch(s))
    }

    fn row<'a>(&'a self, y: Label, scratch: &'a mut [T]) -> &'a [T] {
        each_similarity!(self, s => s.row(y, scratch))
    }

    fn stored(&self, y: Label, c: Label) -> T {
        each_similarity!(self, s => s.stored(y, c))
    }
}

impl<T: Scalar> AnySimilarity<T> {
    /// `r^abs(i - j)`.
    ///
    /// # Errors
    /// As [`OrderTable::in_memory`].
    pub fn order(classes: usize, r: T) -> Result<Self, Error> {
        Ok(AnySimilarity::Order(OrderTable::in_memory(vec![T::ZERO; 2 * classes - 1], classes, r)?))
    }

    /// `r^min(abs(i - j), C - abs(i - j))`.
    ///
    /// # Errors
    /// As [`CircularTable::in_memory`].
    pub fn circular(classes: usize, r: T) -> Result<Self, Error> {
        Ok(AnySimilarity::Circular(CircularTable::in_memory(vec![T::ZERO; 2 * classes - 1], classes, r)?))
    }

    /// The matrix whose entries are given row by row.
    ///
    /// # Errors
    /// As [`DenseTable::in_memory`].
    pub fn dense(classes: usize, s: &[T]) -> Result<Self, Error> {
        let rows = vec![T::ZERO; classes * classes];
        Ok(AnySimilarity::Dense(DenseTable::in_memory(rows, classes, |i, j| s[i * classes + j])?))
    }

    /// Superclasses: `groups[c]` is the superclass of class `c`.
    ///
    /// # Errors
    /// As [`Taxonomy::new`].
    pub fn superclass(groups: &[usize], within: T, across: T) -> Result<Self, Error> {
        let classes = groups.len();
        let root = (classes + groups.iter().max().map_or(0, |most| most + 1)) as u16;
        let mut parents: Vec<u16> = groups.iter().map(|&group| (classes + group) as u16).collect();
        parents.resize(usize::from(root) + 1, root);
        Ok(AnySimilarity::Taxonomy(Taxonomy::new(parents, vec![T::ONE, within, across], classes)?))
    }

    /// The stored row of class `y`.
    ///
    /// # Errors
    /// As [`Label::new`].
    pub fn stored_row(&self, y: usize) -> Result<Vec<T>, Error> {
        let mut scratch = vec![T::ZERO; self.scratch()];
        Ok(self.row(Label::new(y, self.classes())?, &mut scratch).to_vec())
    }
}

/// Losses of a batch and their gradient.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated<T> {
    /// One loss for each sample, or the reduced one.
    pub losses: Vec<T>,
    /// One row for each sample.
    pub gradient: Vec<T>,
}

/// [`Criterion::each_in`] in the lanes of `V`, with as much memory as it asks for.
///
/// Without a gradient it must say the same; so must [`reduce_in`].
///
/// # Errors
/// As [`Criterion::each_in`].
pub fn each_in<V: Value, L: Loss<V::Scalar>>(
    token: V::Token,
    criterion: &Criterion<'_, L, V::Scalar>,
    logits: &[V::Scalar],
    targets: &Targets<'_, V::Scalar>,
) -> Result<Evaluated<V::Scalar>, Error> {
    let zero = V::Scalar::ZERO;
    let needed = criterion.scratch::<V>(targets);
    let (mut scalars, mut values) = (vec![zero; needed.scalars], vec![V::splat(token, zero); needed.values]);
    let mut losses = vec![zero; logits.len() / criterion.loss().classes()];
    let mut gradient = vec![zero; logits.len()];
    let mut alone = losses.clone();
    let without = criterion.each_in(token, logits, targets, &mut scalars, &mut values, &mut alone, None);
    let with = criterion.each_in(token, logits, targets, &mut scalars, &mut values, &mut losses, Some(&mut gradient));
    assert_eq!((without, bits(&alone)), (with, bits(&losses)), "without a gradient");
    with.map(|()| Evaluated { losses, gradient })
}

/// [`Criterion::reduce_in`] in the lanes of `V`, with as much memory as it asks for.
///
/// # Errors
/// As [`Criterion::reduce_in`].
pub fn reduce_in<V: Value, L: Loss<V::Scalar>>(
    token: V::Token,
    criterion: &Criterion<'_, L, V::Scalar>,
    reduction: Reduction,
    logits: &[V::Scalar],
    targets: &Targets<'_, V::Scalar>,
) -> Result<Evaluated<V::Scalar>, Error> {
    let zero = V::Scalar::ZERO;
    let needed = criterion.scratch::<V>(targets);
    let (mut scalars, mut values) = (vec![zero; needed.scalars], vec![V::splat(token, zero); needed.values]);
    let mut gradient = vec![zero; logits.len()];
    let without = criterion.reduce_in(token, reduction, logits, targets, &mut scalars, &mut values, None);
    let gradient_out = Some(&mut gradient[..]);
    let with = criterion.reduce_in(token, reduction, logits, targets, &mut scalars, &mut values, gradient_out);
    assert_eq!(without.map(|loss| bits(&[loss])), with.map(|loss| bits(&[loss])), "without a gradient");
    with.map(|loss| Evaluated { losses: vec![loss], gradient })
}

/// What the passes of a layer give for the rows of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Passes<T> {
    /// Outputs, row by row.
    pub y: Vec<T>,
    /// Gradients with respect to the inputs, row by row.
    pub dx: Vec<T>,
    /// Gradients with respect to the parameters, summed over the rows as one group.
    pub dparameters: Vec<T>,
}

/// Forward, backward and parameter gradients of the rows of `x`, as many at a time as `V` has lanes.
///
/// What a layer must fill is NaN before, so that what it leaves out is seen; lanes without a row hold 1.5, so that what
/// they add is seen.
pub fn passes<V: Value, N: Layer<V::Scalar>>(
    t: V::Token,
    layer: N,
    parameters: &[V::Scalar],
    x: &[V::Scalar],
    dy: &[V::Scalar],
) -> Passes<V::Scalar> {
    let (zero, nan) = (V::Scalar::ZERO, V::Scalar::from_f64(f64::NAN));
    let shape = layer.shape();
    assert_eq!(shape.parameters, parameters.len());
    assert_eq!(x.len() / shape.inputs, dy.len() / shape.outputs);
    let to_lanes = |rows: &[V::Scalar], width: usize| -> Vec<V> {
        let absent = V::Scalar::from_f64(1.5);
        let lanes = |k| {
            let mut lanes: Vec<_> = rows.chunks(width).map(|row| row[k]).collect();
            lanes.resize(V::WIDTH, absent);
            lanes
        };
        (0..width).map(|k| V::load(t, &lanes(k))).collect()
    };
    let to_rows = |values: &[V], present: usize| -> Vec<V::Scalar> {
        (0..present).flat_map(|l| values.iter().map(move |v| v.lane(l))).collect()
    };
    let memory = |n: usize| vec![V::splat(t, nan); n];
    let mut found = Passes { y: vec![], dx: vec![], dparameters: vec![zero; shape.parameters] };
    let mut scratch = vec![nan; layer.gradient_scratch::<V>()];
    for (x, dy) in x.chunks(V::WIDTH * shape.inputs).zip(dy.chunks(V::WIDTH * shape.outputs)) {
        let present = x.len() / shape.inputs;
        let (x, mut dy) = (to_lanes(x, shape.inputs), to_lanes(dy, shape.outputs));
        let (mut y, mut tape) = (memory(shape.outputs), memory(shape.tape));
        let (mut dx, mut dtape) = (memory(shape.inputs), memory(shape.tape));
        layer.forward(t, parameters, &x, &mut tape, &mut y);
        let activations = Activations { x: &x, tape: &tape, y: &y };
        layer.backward(t, parameters, activations, &mut dy, &mut dtape, Some(&mut dx), &mut scratch);
        let place = Place { first_parameter: 0, present, scratch: &mut scratch };
        let mut sink = GroupGradient(&mut found.dparameters);
        layer.parameter_gradient(t, activations, &dy, &dtape, place, &mut sink);
        found.y.extend(to_rows(&y, present));
        found.dx.extend(to_rows(&dx, present));
    }
    found
}

/// The examples of the README compile and hold.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
