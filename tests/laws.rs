//! Laws of the loss, of the means over a batch and of lanes: what holds for all inputs, whatever the values are.
//!
//! The laws of the loss are a gradient that sums to nothing, no negative loss, cross entropy's bits at `S = I`, and so
//! on. Each is held against every kind of similarity, over logits that include ties, gaps from 1e-7 to 1e4 and samples
//! that are right or wrong by 100; each in `f32` and `f64`.

mod batch;
mod edges;
mod layers;
mod sample;

use proptest::{prelude::*, sample::select};
use simloss_bench::{
    bounds::{Bound, Quantity},
    subject::Number,
};
use simloss_core::{
    Error, Label,
    loss::Loss,
    number::{Scalar, Value},
    similarity::{DenseTable, Identity, SparseSimilarity, Taxonomy},
};
use simloss_tests::{
    AnySimilarity, Evaluated, doubles,
    reference::{self, Sample},
};

type Law = Result<(), TestCaseError>;

/// What bounds are stated in.
trait Format: Number {
    /// Half of the spacing of numbers from 1 to 2.
    const UNIT: f64;
    /// The spacing of numbers near 0.
    const TINY: f64;
    /// The spacing of numbers at `x`.
    fn ulp(x: f64) -> f64 {
        // The largest power of two that is not above x is x without its fraction bits.
        let power = f64::from_bits(x.abs().to_bits() & (0x7ff << 52));
        (2.0 * Self::UNIT * power).max(Self::TINY)
    }

    /// How far the loss of a sample may be from the exact one.
    fn loss_bound(exact: f64) -> f64 {
        Bound::of(Quantity::Loss, Self::SCALAR).ulp * Self::ulp(exact)
    }

    /// How far an entry of its gradient may be, where `p + q` is the magnitude.
    fn gradient_bound(magnitude: f64) -> f64 {
        let bound = Bound::of(Quantity::Gradient, Self::SCALAR);
        bound.ulp * Self::ulp(magnitude) + bound.floor
    }
}

impl Format for f32 {
    const UNIT: f64 = 1.0 / 16_777_216.0;
    const TINY: f64 = f32::from_bits(1) as f64;
}

impl Format for f64 {
    const UNIT: f64 = 1.0 / 9_007_199_254_740_992.0;
    const TINY: f64 = f64::from_bits(1);
}

// ---------------------------------------------------------------------------------------------------------- the inputs

/// How classes relate, as it is drawn and printed.
#[derive(Clone, Debug)]
enum Kind {
    Identity,
    Order(f32),
    Circular(f32),
    Dense(Vec<f32>),
    General(Vec<f32>, f32),
    Tree(Vec<u16>, Vec<f32>),
    Sparse(Vec<(usize, usize, f32)>),
}

impl Kind {
    fn build<T: Scalar>(&self, classes: usize) -> Result<AnySimilarity<T>, Error> {
        Ok(match self {
            Kind::Identity => AnySimilarity::Identity(Identity::new(classes)?),
            Kind::Order(r) => AnySimilarity::order(classes, T::from_f32(*r))?,
            Kind::Circular(r) => AnySimilarity::circular(classes, T::from_f32(*r))?,
            Kind::Dense(s) => AnySimilarity::dense(classes, &narrow(s))?,
            Kind::General(s, l) => {
                let s: Vec<T> = narrow(s);
                let (rows, l) = (vec![T::ZERO; classes * classes], T::from_f32(*l));
                AnySimilarity::Dense(DenseTable::lower_bounded_in_memory(rows, classes, |i, j| s[i * classes + j], l)?)
            }
            Kind::Tree(parents, levels) => {
                AnySimilarity::Taxonomy(Taxonomy::new(parents.clone(), narrow(levels), classes)?)
            }
            Kind::Sparse(entries) => {
                let mut sparse = SparseSimilarity::new()?;
                for &(y, c, s) in entries {
                    // Drawn twice, on the diagonal, or a fourth in its row: left out.
                    let _ = sparse.insert(Label::new(y, classes)?, Label::new(c, classes)?, T::from_f32(s));
                }
                AnySimilarity::Sparse(sparse)
            }
        })
    }
}

fn narrow<T: Scalar>(numbers: &[f32]) -> Vec<T> {
    numbers.iter().map(|&x| T::from_f32(x)).collect()
}

const JUST_BELOW_ONE: f32 = 1.0 - f32::EPSILON / 2.0;

fn similarity_entry() -> impl Strategy<Value = f32> {
    let odd = select(vec![0.0, 1.0, JUST_BELOW_ONE, 1e-40, f32::MIN_POSITIVE, 0.5, 1e-20]);
    prop_oneof![2 => odd, 1 => Just(0.0f32), 3 => 0f32..=1.0]
}

fn reduction_factor() -> impl Strategy<Value = f32> {
    let odd = select(vec![0.0, 0.1, 0.3, 0.8, 0.99, 1.0 - 1.0 / 1_048_576.0, 1e-30, JUST_BELOW_ONE]);
    prop_oneof![odd, 0f32..1.0]
}

fn matrix(classes: usize, entry: impl Strategy<Value = f32>) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(entry, classes * classes).prop_map(move |mut s| {
        s.iter_mut().step_by(classes + 1).for_each(|x| *x = 1.0);
        s
    })
}

fn tree(classes: usize) -> impl Strategy<Value = Kind> {
    (1usize..6).prop_flat_map(move |inner| {
        let below = prop::collection::vec(0..inner, classes);
        let above = prop::collection::vec(0usize..100, inner);
        let levels = prop::collection::vec(similarity_entry(), inner);
        (below, above, levels).prop_map(move |(below, above, mut levels)| {
            let mut parents: Vec<u16> = below.iter().map(|node| (classes + node) as u16).collect();
            // Each inner node hangs from a later one; the last is the root.
            parents.extend((0..inner).map(|n| (classes + (n + 1 + above[n] % (inner - n)).min(inner - 1)) as u16));
            levels.sort_by(|a, b| b.total_cmp(a));
            levels.insert(0, 1.0);
            Kind::Tree(parents, levels)
        })
    })
}

/// Every kind of similarity; sparse rows have 8 classes.
fn kind(classes: usize) -> BoxedStrategy<Kind> {
    let kinds = prop_oneof![
        1 => Just(Kind::Identity),
        3 => reduction_factor().prop_map(Kind::Order),
        2 => reduction_factor().prop_map(Kind::Circular),
        3 => matrix(classes, similarity_entry()).prop_map(Kind::Dense),
        2 => (matrix(classes, -1.1f32..1.1), reduction_factor()).prop_map(|(s, l)| Kind::General(s, l)),
        2 => tree(classes),
    ];
    if classes != 8 {
        return kinds.boxed();
    }
    let entries = prop::collection::vec((0usize..8, 0usize..8, similarity_entry()), 0..20);
    prop_oneof![1 => kinds, 1 => entries.prop_map(Kind::Sparse)].boxed()
}

fn class_count() -> impl Strategy<Value = usize> {
    prop_oneof![3 => Just(2usize), 4 => Just(8), 8 => 2usize..12, 3 => 12usize..48, 1 => 96usize..130]
}

/// Logits of one sample.
fn sample(classes: usize) -> impl Strategy<Value = Vec<f32>> {
    let row = |x: BoxedStrategy<f32>| prop::collection::vec(x, classes);
    let gaps = vec![0.0, 1e-7, -1e-7, 17.0, -17.0, 88.0, -88.0, 104.0, -104.0, 1e4, -1e4, 3.25];
    let leads = vec![17.0, 40.0, 70.0, 75.0, 80.0, 100.0, 149.5, 151.0, 1000.0, -40.0, -100.0];
    let ahead = (row((-3f32..3.0).boxed()), 0..classes, select(leads)).prop_map(|(mut z, k, lead)| {
        z[k] += lead;
        z
    });
    prop_oneof![
        3 => row((-6f32..6.0).boxed()),
        1 => row(select(vec![-1.0, 0.0, 2.5]).boxed()),
        2 => row(select(gaps).boxed()),
        1 => row((-1e4f32..1e4).boxed()),
        4 => ahead,
    ]
}

/// One sample with its true class.
#[derive(Clone, Debug)]
struct One {
    classes: usize,
    kind: Kind,
    logits: Vec<f32>,
    truth: usize,
}

fn one() -> impl Strategy<Value = One> {
    class_count().prop_flat_map(|classes| {
        (kind(classes), sample(classes), 0..classes).prop_map(move |(kind, logits, truth)| One {
            classes,
            kind,
            logits,
            truth,
        })
    })
}

/// A loss and its gradient of one sample.
fn evaluate<T: Scalar>(loss: &impl Loss<T>, logits: &[T], y: usize) -> Result<Evaluated<T>, Error> {
    let label = Label::new(y, logits.len())?;
    let (mut scratch, mut gradient) = (vec![T::ZERO; logits.len()], vec![T::ZERO; logits.len()]);
    let value = loss.gradient_of_slice(logits, label, &mut scratch, &mut gradient)?;
    let alone = loss.value_of_slice(logits, label, &mut scratch, &mut vec![T::ZERO; logits.len()])?;
    assert_eq!(value.to_f64().to_bits(), alone.to_f64().to_bits(), "the value depends on whether a gradient is wanted");
    Ok(Evaluated { losses: vec![value], gradient })
}

fn reference<T: Scalar>(s: &AnySimilarity<T>, logits: &[T], y: usize) -> Result<Sample, Error> {
    Ok(reference::simloss(&doubles(logits), &doubles(&s.stored_row(y)?)))
}

/// The sum of numbers, to twice the digits of `f64`.
fn sum(numbers: &[f64]) -> f64 {
    let (mut sum, mut rest) = (0.0f64, 0.0);
    for &x in numbers {
        let (s, e) = sum.two_sum(x);
        (sum, rest) = (s, rest + e);
    }
    sum + rest
}
