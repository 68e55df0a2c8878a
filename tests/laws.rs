//! Laws of the loss, of the means over a batch and of lanes: what holds for all inputs, whatever the values are.
//!
//! The laws of the loss are a gradient that sums to nothing, no negative loss, cross entropy's bits at `S = I`, and so
//! on. Each is held against every kind of similarity, over logits that include ties, gaps from 1e-7 to 1e4 and samples
//! that are right or wrong by 100; each in `f32` and `f64`.

use proptest::{prelude::*, sample::select};
use simloss_bench::{
    bounds::{Bound, Quantity},
    real::Real,
    subject::Number,
};
use simloss_core::{
    Error, Label, Random,
    layers::{Conv2d, Dense, Layer, MaxPool},
    loss::{Criterion, CrossEntropy, Loss, PublishedSimLoss, Reduction, SimLoss, Targets, Truth},
    number::{BlockSum, Scalar, Value},
    similarity::{DenseTable, Identity, SparseSimilarity, Taxonomy, similarity},
};
use simloss_tests::{
    AnySimilarity, Judged, Outcome, bits, config, doubles, each_in, labels,
    lanes::{Array, Token},
    passes, reduce_in,
    reference::{self, Sample},
    scalars, uniform,
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
fn judge<T: Scalar>(loss: &impl Loss<T>, logits: &[T], y: usize) -> Result<Judged<T>, Error> {
    let label = Label::new(y, logits.len())?;
    let (mut scratch, mut gradient) = (vec![T::ZERO; logits.len()], vec![T::ZERO; logits.len()]);
    let value = loss.gradient_of_slice(logits, label, &mut scratch, &mut gradient)?;
    let alone = loss.value_of_slice(logits, label, &mut scratch, &mut vec![T::ZERO; logits.len()])?;
    assert_eq!(value.to_f64().to_bits(), alone.to_f64().to_bits(), "the value depends on whether a gradient is wanted");
    Ok(Judged { losses: vec![value], gradient })
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

// -------------------------------------------------------------------------------------------------- laws of one sample

fn loss_and_gradient_are_bounded<T: Format>(one: &One) -> Law {
    let s = one.kind.build::<T>(one.classes)?;
    let Judged { losses, gradient } = judge(&SimLoss::new(&s), &narrow::<T>(&one.logits), one.truth)?;
    let (loss, gradient) = (losses[0].to_f64(), doubles(&gradient));
    prop_assert!(loss >= 0.0 && loss.is_finite() && !loss.is_sign_negative(), "a loss of {loss}");
    let total = sum(&gradient);
    prop_assert!(total.abs() <= 16.0 * T::UNIT, "the gradient sums to {:.1} u", total / T::UNIT);
    let norm: f64 = gradient.iter().map(|g| g.abs()).sum();
    prop_assert!(norm <= 2.0 + 1.0 / 1_048_576.0, "a gradient of length {norm}");
    Ok(())
}

fn loss_and_gradient_are_accurate(one: &One) -> Law {
    let s = one.kind.build::<f32>(one.classes)?;
    let Judged { losses, gradient } = judge(&SimLoss::new(&s), &one.logits, one.truth)?;
    let exact = reference(&s, &one.logits, one.truth)?;
    let error = (f64::from(losses[0]) - exact.loss).abs();
    prop_assert!(error <= f32::loss_bound(exact.loss), "{} for {}", losses[0], exact.loss);
    for (k, &g) in gradient.iter().enumerate() {
        let error = (f64::from(g) - exact.gradient(k)).abs();
        let bound = f32::gradient_bound(exact.magnitude(k));
        prop_assert!(error <= bound, "class {k}: {g} for {} of {}", exact.gradient(k), exact.magnitude(k));
    }
    Ok(())
}

/// Every way to say that classes do not relate.
fn identities(classes: usize) -> Vec<Kind> {
    let identity: Vec<f32> = (0..classes * classes).map(|at| if at % (classes + 1) == 0 { 1.0 } else { 0.0 }).collect();
    let nearly = identity.iter().map(|&x| if x == 1.0 { x } else { 1e-40 }).collect();
    let below = identity.iter().map(|&x| if x == 1.0 { x } else { 0.75 }).collect();
    let root = classes as u16;
    let mut kinds = vec![
        Kind::Identity,
        Kind::Order(0.0),
        Kind::Circular(0.0),
        Kind::Dense(identity),
        Kind::General(below, 0.75),
        Kind::Tree(vec![root; classes + 1], vec![1.0, 0.0]),
    ];
    if classes == 8 {
        kinds.push(Kind::Sparse(vec![]));
    }
    // Subnormal similarities mean 0; in f64 these are normal numbers.
    kinds.push(Kind::Dense(nearly));
    kinds
}

fn identity_has_the_bits_of_cross_entropy<T: Format>(one: &One) -> Law {
    let logits: Vec<T> = narrow(&one.logits);
    let expected = judge(&CrossEntropy::new(one.classes)?, &logits, one.truth)?;
    let mut kinds = identities(one.classes);
    if T::from_f32(1e-40) >= T::MIN_POSITIVE {
        kinds.pop();
    }
    for kind in kinds {
        let got = judge(&SimLoss::new(&kind.build::<T>(one.classes)?), &logits, one.truth)?;
        prop_assert_eq!(bits(&got.losses), bits(&expected.losses), "the loss of {:?}", kind);
        prop_assert_eq!(bits(&got.gradient), bits(&expected.gradient), "the gradient of {:?}", kind);
    }
    Ok(())
}

/// Logits and a shift on one grid, so that no sum is rounded.
fn on_a_grid() -> impl Strategy<Value = (One, Vec<i32>, i32, i32)> {
    one().prop_flat_map(|one| {
        let wide = prop::collection::vec(-(1i32 << 20)..1 << 20, one.classes);
        let close = prop::collection::vec(-300i32..300, one.classes);
        let tied = prop::collection::vec(-2i32..2, one.classes);
        (Just(one), prop_oneof![wide, close, tied], -(1i32 << 22)..1 << 22, -4i32..12)
    })
}

fn a_shift_changes_no_bit<T: Format>(one: &One, steps: &[i32], shift: i32, grid: i32) -> Law {
    let s = one.kind.build::<T>(one.classes)?;
    let on_grid = |n: i32| T::from_f64(f64::from(n) * 2f64.powi(-grid));
    let logits: Vec<T> = steps.iter().map(|&n| on_grid(n)).collect();
    let shifted: Vec<T> = steps.iter().map(|&n| on_grid(n + shift)).collect();
    for (z, &n) in shifted.iter().zip(steps) {
        prop_assert_eq!(z.to_f64(), f64::from(n + shift) * 2f64.powi(-grid), "not exact");
    }
    let (a, b) = (judge(&SimLoss::new(&s), &logits, one.truth)?, judge(&SimLoss::new(&s), &shifted, one.truth)?);
    prop_assert_eq!((bits(&a.losses), bits(&a.gradient)), (bits(&b.losses), bits(&b.gradient)));
    Ok(())
}

/// The matrix of a similarity, row by row.
fn entries<T: Scalar>(s: &AnySimilarity<T>, classes: usize) -> Result<Vec<T>, Error> {
    let rows: Result<Vec<_>, Error> = (0..classes).map(|y| s.stored_row(y)).collect();
    Ok(rows?.concat().into_iter().map(similarity).collect())
}

fn permuted_classes_permute_the_gradient<T: Format>(one: &One, keys: &[u32]) -> Law {
    let classes = one.classes;
    let matrix = entries(&one.kind.build::<T>(classes)?, classes)?;
    let mut order: Vec<usize> = (0..classes).collect();
    order.sort_by_key(|&k| (keys[k % keys.len()].wrapping_mul(k as u32 + 1), k));
    let logits: Vec<T> = narrow(&one.logits);
    // New class k is old class order[k].
    let moved: Vec<T> = order.iter().map(|&k| logits[k]).collect();
    let moved_matrix: Vec<T> =
        order.iter().flat_map(|&i| order.iter().map(move |&j| i * classes + j)).map(|at| matrix[at]).collect();
    let truth = order.iter().position(|&k| k == one.truth).unwrap_or(0);
    let before = AnySimilarity::dense(classes, &matrix)?;
    let a = judge(&SimLoss::new(&before), &logits, one.truth)?;
    let b = judge(&SimLoss::new(&AnySimilarity::dense(classes, &moved_matrix)?), &moved, truth)?;
    // Both are within their bounds of the same number.
    let exact = reference(&before, &logits, one.truth)?;
    let difference = (a.losses[0].to_f64() - b.losses[0].to_f64()).abs();
    prop_assert!(difference <= 2.0 * T::loss_bound(exact.loss), "losses {:?} and {:?}", a.losses, b.losses);
    for (k, &old) in order.iter().enumerate() {
        let difference = (a.gradient[old].to_f64() - b.gradient[k].to_f64()).abs();
        let bound = 2.0 * T::gradient_bound(exact.magnitude(old));
        prop_assert!(difference <= bound, "class {old}: {:?} and {:?}", a.gradient[old], b.gradient[k]);
    }
    Ok(())
}

fn more_similarity_is_no_more_loss<T: Format>(one: &One, class: usize, part: f32) -> Law {
    let (classes, at) = (one.classes, one.truth * one.classes + class % one.classes);
    let matrix = entries(&one.kind.build::<T>(classes)?, classes)?;
    let mut raised = matrix.clone();
    raised[at] = matrix[at].add(T::from_f32(part).mul(T::ONE.sub(matrix[at])));
    let logits: Vec<T> = narrow(&one.logits);
    let loss = |s: &[T]| -> Result<f64, Error> {
        Ok(judge(&SimLoss::new(&AnySimilarity::dense(classes, s)?), &logits, one.truth)?.losses[0].to_f64())
    };
    let (before, after) = (loss(&matrix)?, loss(&raised)?);
    // Each is within its bound of the exact loss, which does not rise.
    prop_assert!(after <= before + 2.0 * T::loss_bound(before), "{before} rose to {after}");
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn losses_are_not_negative_and_gradients_sum_to_nothing(one in one()) {
        loss_and_gradient_are_bounded::<f32>(&one)?;
        loss_and_gradient_are_bounded::<f64>(&one)?;
    }

    #[test]
    fn losses_and_gradients_are_within_their_bounds(one in one()) {
        loss_and_gradient_are_accurate(&one)?;
    }

    #[test]
    fn unrelated_classes_give_the_bits_of_cross_entropy(one in one()) {
        identity_has_the_bits_of_cross_entropy::<f32>(&one)?;
        identity_has_the_bits_of_cross_entropy::<f64>(&one)?;
    }

    #[test]
    fn shifted_logits_give_the_same_bits((one, steps, shift, grid) in on_a_grid()) {
        a_shift_changes_no_bit::<f32>(&one, &steps, shift, grid)?;
        a_shift_changes_no_bit::<f64>(&one, &steps, shift, grid)?;
    }

    #[test]
    fn permuted_classes_give_the_permuted_gradient(one in one(), keys in prop::collection::vec(any::<u32>(), 7)) {
        permuted_classes_permute_the_gradient::<f32>(&one, &keys)?;
        permuted_classes_permute_the_gradient::<f64>(&one, &keys)?;
    }

    #[test]
    fn raising_a_similarity_never_raises_the_loss(one in one(), class in 0usize..130, part in 0f32..=1.0) {
        more_similarity_is_no_more_loss::<f32>(&one, class, part)?;
        more_similarity_is_no_more_loss::<f64>(&one, class, part)?;
    }
}

// ----------------------------------------------------------------------------------------------------- laws of batches

/// A batch with all that may weigh on it.
#[derive(Clone, Debug)]
struct Batch {
    classes: usize,
    kind: Kind,
    logits: Vec<f32>,
    truth: Vec<Option<usize>>,
    soft: Option<Vec<f32>>,
    class_weights: Option<Vec<f32>>,
    sample_weights: Option<Vec<f32>>,
    smoothing: f32,
}

fn batch() -> impl Strategy<Value = Batch> {
    (prop_oneof![4 => 2usize..9, 1 => 9usize..24], 1usize..20).prop_flat_map(|(classes, n)| {
        let weight = || prop_oneof![1 => Just(0.0f32), 3 => Just(1.0f32), 4 => 0.001f32..8.0];
        let weights = |count: usize| prop::option::of(prop::collection::vec(weight(), count));
        let target = prop_oneof![1 => Just(0.0f32), 2 => 0f32..1.0];
        let label = prop_oneof![1 => Just(None), 4 => (0..classes).prop_map(Some)];
        let logits = prop::collection::vec(sample(classes), n);
        (
            (kind(classes), logits, prop::collection::vec(label, n)),
            prop::option::weighted(0.4, prop::collection::vec(target, n * classes)),
            (weights(classes), weights(n)),
            prop_oneof![4 => Just(0.0f32), 2 => Just(0.1f32), 1 => 0f32..1.0, 1 => Just(1.0f32)],
        )
            .prop_map(move |((kind, logits, truth), soft, (class_weights, sample_weights), smoothing)| {
                let logits = logits.concat();
                Batch { classes, kind, logits, truth, soft, class_weights, sample_weights, smoothing }
            })
    })
}

/// A batch in one format.
struct Built<T> {
    similarity: AnySimilarity<T>,
    logits: Vec<T>,
    labels: Vec<Option<Label>>,
    soft: Option<Vec<T>>,
    class_weights: Option<Vec<T>>,
    sample_weights: Option<Vec<T>>,
    smoothing: T,
}

impl Batch {
    fn build<T: Scalar>(&self) -> Result<Built<T>, Error> {
        Ok(Built {
            similarity: self.kind.build(self.classes)?,
            logits: narrow(&self.logits),
            labels: labels(&self.truth, self.classes)?,
            soft: self.soft.as_deref().map(narrow),
            class_weights: self.class_weights.as_deref().map(narrow),
            sample_weights: self.sample_weights.as_deref().map(narrow),
            smoothing: T::from_f32(self.smoothing),
        })
    }

    fn is_ignored(&self, i: usize) -> bool {
        self.soft.is_none() && self.truth[i].is_none()
    }

    /// Sample `i` alone.
    fn alone(&self, i: usize) -> Batch {
        let row = |numbers: &Vec<f32>| numbers[i * self.classes..][..self.classes].to_vec();
        Batch {
            logits: row(&self.logits),
            truth: vec![self.truth[i]],
            soft: self.soft.as_ref().map(row),
            sample_weights: self.sample_weights.as_ref().map(|weights| vec![weights[i]]),
            ..self.clone()
        }
    }

    /// `s_i sum_y w_y t_iy` with the smoothed target, or with `eps = 0`, in `f64`.
    fn weight(&self, i: usize, eps: f64) -> f64 {
        let given = |weights: &Option<Vec<f32>>, k: usize| weights.as_ref().map_or(1.0, |w| f64::from(w[k]));
        if self.is_ignored(i) {
            return 0.0;
        }
        let target = |y: usize| match &self.soft {
            Some(soft) => f64::from(soft[i * self.classes + y]),
            None => f64::from(u8::from(self.truth[i] == Some(y))),
        };
        let smoothed = |y: usize| (1.0 - eps) * target(y) + eps / self.classes as f64;
        let of_classes: f64 = (0..self.classes).map(|y| given(&self.class_weights, y) * smoothed(y)).sum();
        given(&self.sample_weights, i) * of_classes
    }
}

impl<T: Scalar> Built<T> {
    fn criterion(&self) -> Result<Criterion<'_, SimLoss<&AnySimilarity<T>>, T>, Error> {
        self.criterion_of(SimLoss::new(&self.similarity))
    }

    fn criterion_of<L: Loss<T>>(&self, loss: L) -> Result<Criterion<'_, L, T>, Error> {
        let criterion = Criterion::new(loss).with_label_smoothing(self.smoothing)?;
        Ok(match &self.class_weights {
            Some(weights) => criterion.with_class_weights(weights)?,
            None => criterion,
        })
    }

    fn targets(&self) -> Targets<'_, T> {
        let truth = self.soft.as_deref().map_or(Truth::Labels(&self.labels), Truth::Soft);
        Targets { truth, sample_weights: self.sample_weights.as_deref() }
    }

    fn each(&self) -> Result<Judged<T>, Error> {
        each_in::<T, _>((), &self.criterion()?, &self.logits, &self.targets())
    }

    fn reduce(&self, reduction: Reduction) -> Result<Judged<T>, Error> {
        reduce_in::<T, _>((), &self.criterion()?, reduction, &self.logits, &self.targets())
    }
}

fn samples_do_not_see_each_other<T: Format>(batch: &Batch) -> Law {
    let together = batch.build::<T>()?.each()?;
    for i in 0..batch.truth.len() {
        let alone = batch.alone(i).build::<T>()?.each()?;
        prop_assert_eq!(bits(&alone.losses), bits(&together.losses[i..=i]), "loss of sample {}", i);
        let row = &together.gradient[i * batch.classes..][..batch.classes];
        prop_assert_eq!(bits(&alone.gradient), bits(row), "gradient of sample {}", i);
    }
    Ok(())
}

fn weighted_losses_keep_their_bounds<T: Format>(batch: &Batch) -> Law {
    let Judged { losses, gradient } = batch.build::<T>()?.each()?;
    let many = batch.soft.is_some() || batch.smoothing > 0.0;
    for (i, (loss, row)) in losses.iter().zip(gradient.chunks(batch.classes)).enumerate() {
        let (loss, row, weight) = (loss.to_f64(), doubles(row), batch.weight(i, f64::from(batch.smoothing)));
        prop_assert!(loss >= 0.0 && loss.is_finite(), "a loss of {}", loss);
        // 16 u from the loss, 2 u of the norm for each weight, and with soft targets a rounding for each class added.
        let roundings = if many { 16.0 + 2.0 * (3.0 + batch.classes as f64) } else { 16.0 + 4.0 };
        let total = sum(&row);
        prop_assert!(total.abs() <= roundings * T::UNIT * weight, "sample {}: gradient sums to {}", i, total);
        let norm: f64 = row.iter().map(|g| g.abs()).sum();
        let slack = 1.0 + if many { 1e-5 } else { 4.0 * f32::UNIT };
        prop_assert!(norm <= (2.0 + 1.0 / 1_048_576.0) * weight * slack, "sample {}: gradient of length {}", i, norm);
        if batch.is_ignored(i) {
            prop_assert!(loss.to_bits() == 0 && row.iter().all(|g| g.to_bits() == 0), "sample {} is ignored", i);
        }
    }
    Ok(())
}

fn reductions_are_sums_and_quotients<T: Format>(batch: &Batch) -> Law {
    let built = batch.build::<T>()?;
    let each = built.each()?;
    // Groups of 16, each a tree of pairs, added with compensation.
    let mut total = BlockSum::new(());
    for group in each.losses.chunks(16) {
        let mut tree: Vec<T> = group.to_vec();
        tree.resize(16, T::ZERO);
        while tree.len() > 1 {
            tree = tree.chunks(2).map(|pair| pair[0].add(pair[1])).collect();
        }
        total.add_one(tree[0]);
    }
    let total = total.total();
    let n = batch.truth.len();
    let kept = (0..n).filter(|&i| !batch.is_ignored(i)).count();
    let by_weight: f64 = (0..n).map(|i| batch.weight(i, 0.0)).sum();
    for (reduction, divisor) in
        [(Reduction::Sum, 1.0), (Reduction::MeanByCount, kept as f64), (Reduction::MeanByWeight, by_weight)]
    {
        let omega = built.criterion()?.omega(reduction, &built.targets(), n);
        if divisor == 0.0 {
            prop_assert_eq!(omega, Err(Error::Empty));
            prop_assert_eq!(built.reduce(reduction), Err(Error::Empty));
            continue;
        }
        let omega = omega?;
        prop_assert!((omega.to_f64() - divisor).abs() <= 16.0 * T::UNIT * divisor, "{:?} is not {}", omega, divisor);
        let scale = T::ONE.div(omega);
        let scaled: Vec<T> = each.gradient.iter().map(|g| g.mul(scale)).collect();
        let reduced = built.reduce(reduction)?;
        prop_assert_eq!(bits(&reduced.losses), bits(&[total.mul(scale)]), "{:?}", reduction);
        prop_assert_eq!(bits(&reduced.gradient), bits(&scaled), "gradient of {:?}", reduction);
    }
    Ok(())
}

/// Nothing to average: the loss and every output as it was.
fn nothing_to_average<T: Format>(batch: &Batch, by_weight: bool) -> Law {
    let mut batch = Batch { soft: None, ..batch.clone() };
    let n = batch.truth.len();
    if by_weight {
        batch.sample_weights = Some(vec![0.0; n]);
    } else {
        batch.truth = vec![None; n];
    }
    let built = batch.build::<T>()?;
    let (criterion, targets) = (built.criterion()?, built.targets());
    let needed = criterion.scratch::<T>(&targets);
    let nine = T::from_f32(9.0);
    let (mut scalars, mut values) = (vec![nine; needed.scalars], vec![nine; needed.values]);
    let mut gradient = vec![nine; built.logits.len()];
    let (logits, out) = (&built.logits, Some(&mut gradient[..]));
    let got = criterion.reduce(Reduction::MeanByWeight, logits, &targets, &mut scalars, &mut values, out);
    prop_assert_eq!(got, Err(Error::Empty));
    prop_assert!(gradient.iter().all(|&g| g == nine), "the gradient was written to");
    Ok(())
}

/// Weights of a power of two scale losses exactly and leave the mean by weight as it is.
fn equal_weights_do_not_count<T: Format>(batch: &Batch, power: i32) -> Law {
    let plain = Batch { class_weights: None, sample_weights: None, ..batch.clone() };
    let weight = 2f32.powi(power);
    let heavy = Batch { class_weights: Some(vec![weight; batch.classes]), ..plain.clone() };
    let heavier = Batch { sample_weights: Some(vec![weight; batch.truth.len()]), ..plain.clone() };
    let expected = plain.build::<T>()?.reduce(Reduction::MeanByWeight);
    let sum = plain.build::<T>()?.reduce(Reduction::Sum)?;
    for weighted in [heavy, heavier] {
        let built = weighted.build::<T>()?;
        match (&expected, built.reduce(Reduction::MeanByWeight)) {
            (Ok(expected), Ok(got)) => prop_assert!(agree(expected, &got), "{:?} is not {:?}", got, expected),
            (expected, got) => prop_assert_eq!(expected, &got),
        }
        let got = built.reduce(Reduction::Sum)?;
        let weight = T::from_f32(weight);
        let times = |numbers: &[T]| numbers.iter().map(|x| x.mul(weight)).collect::<Vec<T>>();
        let expected = Judged { losses: times(&sum.losses), gradient: times(&sum.gradient) };
        prop_assert!(agree(&expected, &got), "{:?} is not {:?}", got, expected);
    }
    Ok(())
}

/// Equal, but for numbers so small that a power of two costs them digits.
fn agree<T: Format>(a: &Judged<T>, b: &Judged<T>) -> bool {
    let tiny = T::MIN_POSITIVE.to_f64() * 65_536.0;
    let near = |(a, b): (&T, &T)| a == b || (a.to_f64().abs() < tiny && b.to_f64().abs() < tiny);
    a.losses.iter().zip(&b.losses).all(near) && a.gradient.iter().zip(&b.gradient).all(near)
}

/// A label is a one-hot target, and full smoothing the uniform target.
fn targets_say_the_same_in_two_ways<T: Format>(batch: &Batch) -> Law {
    let (n, classes) = (batch.truth.len(), batch.classes);
    let truth: Vec<Option<usize>> = batch.truth.iter().map(|y| Some(y.unwrap_or(0))).collect();
    let one_hot: Vec<f32> =
        truth.iter().flat_map(|&y| (0..classes).map(move |k| f32::from(u8::from(y == Some(k))))).collect();
    let hard = Batch { truth, soft: None, smoothing: 0.0, ..batch.clone() };
    let soft = Batch { soft: Some(one_hot), ..hard.clone() };
    for reduction in [Reduction::MeanByWeight, Reduction::MeanByCount, Reduction::Sum] {
        let (a, b) = (hard.build::<T>()?.reduce(reduction), soft.build::<T>()?.reduce(reduction));
        // Equal numbers, not equal bits: a sum that began with +0 has no -0.
        prop_assert_eq!(a, b, "{:?}", reduction);
    }
    let smooth = Batch { smoothing: 1.0, ..hard.clone() }.build::<T>()?;
    let uniform = vec![T::ONE.div(T::from_usize(classes)); n * classes];
    let uniform = Built { soft: Some(uniform), smoothing: T::ZERO, ..hard.build::<T>()? };
    let (a, b) = (smooth.each()?, uniform.each()?);
    prop_assert_eq!((bits(&a.losses), bits(&a.gradient)), (bits(&b.losses), bits(&b.gradient)));
    Ok(())
}

/// One sample per lane: the bits of one sample at a time, with groups that the batch does not fill.
fn lanes_have_the_bits_of_scalars<V: Value<Scalar: Format>>(t: V::Token, batch: &Batch) -> Law {
    let built = batch.build::<V::Scalar>()?;
    let same = |what: &str, a: Judged<V::Scalar>, b: Judged<V::Scalar>| -> Law {
        prop_assert_eq!(bits(&a.losses), bits(&b.losses), "losses of {} in {} lanes", what, V::WIDTH);
        prop_assert_eq!(bits(&a.gradient), bits(&b.gradient), "gradient of {} in {} lanes", what, V::WIDTH);
        Ok(())
    };
    let (targets, logits) = (built.targets(), &built.logits);
    let simloss = built.criterion()?;
    same("simloss", each_in::<V, _>(t, &simloss, logits, &targets)?, built.each()?)?;
    let one_by_one = built.reduce(Reduction::Sum)?;
    same("a sum", reduce_in::<V, _>(t, &simloss, Reduction::Sum, logits, &targets)?, one_by_one)?;
    let cross_entropy = built.criterion_of(CrossEntropy::new(batch.classes)?)?;
    let expected = each_in::<V::Scalar, _>((), &cross_entropy, logits, &targets)?;
    same("cross entropy", each_in::<V, _>(t, &cross_entropy, logits, &targets)?, expected)?;
    let published = built.criterion_of(PublishedSimLoss::new(&built.similarity))?;
    let expected = each_in::<V::Scalar, _>((), &published, logits, &targets)?;
    same("the published form", each_in::<V, _>(t, &published, logits, &targets)?, expected)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_sample_has_the_same_bits_in_any_batch(batch in batch()) {
        samples_do_not_see_each_other::<f32>(&batch)?;
        samples_do_not_see_each_other::<f64>(&batch)?;
    }

    #[test]
    fn weights_scale_the_bounds_and_ignored_samples_vanish(batch in batch()) {
        weighted_losses_keep_their_bounds::<f32>(&batch)?;
        weighted_losses_keep_their_bounds::<f64>(&batch)?;
    }

    #[test]
    fn means_are_sums_divided_once(batch in batch()) {
        reductions_are_sums_and_quotients::<f32>(&batch)?;
        reductions_are_sums_and_quotients::<f64>(&batch)?;
    }

    #[test]
    fn a_mean_over_nothing_writes_nothing(batch in batch(), by_weight: bool) {
        nothing_to_average::<f32>(&batch, by_weight)?;
        nothing_to_average::<f64>(&batch, by_weight)?;
    }

    #[test]
    fn equal_weights_leave_the_mean(batch in batch(), power in -3i32..6) {
        equal_weights_do_not_count::<f32>(&batch, power)?;
        equal_weights_do_not_count::<f64>(&batch, power)?;
    }

    #[test]
    fn labels_are_one_hot_targets(batch in batch()) {
        targets_say_the_same_in_two_ways::<f32>(&batch)?;
        targets_say_the_same_in_two_ways::<f64>(&batch)?;
    }

    #[test]
    fn losses_in_lanes_have_the_same_bits(batch in batch()) {
        let t = Token::new();
        lanes_have_the_bits_of_scalars::<Array<f32, 2>>(t, &batch)?;
        lanes_have_the_bits_of_scalars::<Array<f32, 4>>(t, &batch)?;
        lanes_have_the_bits_of_scalars::<Array<f32, 16>>(t, &batch)?;
        lanes_have_the_bits_of_scalars::<Array<f64, 8>>(t, &batch)?;
    }
}

// ------------------------------------------------------------------------------------------------------ laws of layers

fn layer_in_lanes<N: Layer<f32>>(layer: N, seed: u64, samples: usize) -> Law {
    gradients_in_lanes(layer, seed, samples, 1)?;
    // As behind a relu and a pool: most of them 0.
    gradients_in_lanes(layer, seed, samples, 6)
}

/// With one of so many gradients of the outputs drawn, the others 0.
fn gradients_in_lanes<N: Layer<f32>>(layer: N, seed: u64, samples: usize, one_of: usize) -> Law {
    let mut random = Random::new(seed);
    let shape = layer.shape();
    // Coarse numbers: ties for the pool, zeroes for the relu.
    let mut draw = |n: usize| -> Vec<f32> { (0..n).map(|_| (random.below(9) as f32 - 4.0) * 0.3).collect() };
    let (parameters, x, dy) = (draw(shape.parameters), draw(samples * shape.inputs), draw(samples * shape.outputs));
    let dy: Vec<f32> = dy.into_iter().map(|g| if random.below(one_of) == 0 { g } else { 0.0 }).collect();
    let one = passes::<f32, N>((), layer, &parameters, &x, &dy);
    let same = |many: simloss_tests::Passes<f32>, lanes: usize| -> Law {
        prop_assert_eq!(bits(&one.y), bits(&many.y), "outputs in {} lanes", lanes);
        prop_assert_eq!(bits(&one.dx), bits(&many.dx), "input gradients in {} lanes", lanes);
        prop_assert_eq!(bits(&one.dparameters), bits(&many.dparameters), "parameter gradients in {} lanes", lanes);
        prop_assert!(one.y.iter().chain(&one.dx).all(|x| x.is_finite()), "not all is written");
        Ok(())
    };
    same(passes::<Array<f32, 2>, N>(Token::new(), layer, &parameters, &x, &dy), 2)?;
    same(passes::<Array<f32, 16>, N>(Token::new(), layer, &parameters, &x, &dy), 16)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn layers_in_lanes_have_the_same_bits(
        seed: u64,
        samples in 1usize..18,
        [inputs, hidden, outputs] in [1usize..14, 1usize..10, 1usize..7],
        [channels, kernel, spare, wide, filters] in [1usize..6, 1usize..10, 0usize..4, 0usize..9, 1usize..5],
    ) {
        layer_in_lanes(Dense::new(inputs, outputs), seed, samples)?;
        let dense = Layer::<f32>::relu(Dense::new(inputs, hidden));
        layer_in_lanes(Layer::<f32>::then(dense, Dense::new(hidden, outputs)), seed, samples)?;
        let (height, width) = (kernel + spare, kernel + wide);
        let conv = Conv2d { channels, height, width, outputs: filters, kernel };
        layer_in_lanes(conv, seed, samples)?;
        layer_in_lanes(MaxPool::new(channels, height + 1, width + 1), seed, samples)?;
        // As many rows and columns again as the kernel takes, so that the pool gets 2 x 2 at least.
        let conv = Conv2d { height: height + 1, width: width + 1, ..conv };
        let pool = MaxPool::new(filters, spare + 2, wide + 2);
        let flat = Layer::<f32>::shape(&pool).outputs;
        let net = Layer::<f32>::then(Layer::<f32>::relu(conv), pool);
        layer_in_lanes(Layer::<f32>::then(net, Dense::new(flat, outputs)), seed, samples)?;
    }
}

// ----------------------------------------------------------------------------------------------------------- the edges

/// The cases of the design by name, where a careless formula fails: no proptest, so that none is left to chance.
#[test]
fn extreme_logits_have_known_losses() -> Outcome {
    let (order, relatives) = (AnySimilarity::order(3, 0.5f32)?, AnySimilarity::superclass(&[0, 1, 1], 0.5f32, 0.0)?);
    let cross_entropy = CrossEntropy::new(3)?;
    let loss = |z: [f32; 3], y| -> Result<(f32, Vec<f32>), Error> {
        let Judged { losses, gradient } = judge(&cross_entropy, &z, y)?;
        Ok((losses[0], gradient))
    };
    // Wrong by 100, by 1e4 and by 2e4: the whole gradient.
    for gap in [100.0, 1e4, 2e4] {
        let z = [gap / 2.0, -gap / 2.0, -gap / 2.0];
        let (value, wrong) = loss(z, 1)?;
        // The third class ties with the true one.
        assert_eq!((value, wrong[0], wrong[1]), (gap, 1.0, -1.0));
        assert!(wrong[2] >= 0.0 && wrong[2] < 1e-40, "{wrong:?}");
        // A relative as far away as the true class, worth half of it: 1.5 exp(-gap), shared as 1 to 2.
        let Judged { losses, gradient } = judge(&SimLoss::new(&relatives), &z, 2)?;
        let error = (f64::from(losses[0]) - (f64::from(gap) - 1.5f64.ln())).abs();
        assert!(error <= 5.0 * f32::ulp(f64::from(gap)), "{losses:?}");
        let expected = [1.0, -1.0 / 3.0, -2.0 / 3.0];
        assert!(gradient.iter().zip(expected).all(|(g, e)| (g - e).abs() <= 4.0 * f32::EPSILON), "{gradient:?}");
        // In an order the sure class is similar: it costs ln(1 / 0.25), and there is nothing to gain.
        let Judged { losses, gradient } = judge(&SimLoss::new(&order), &z, 2)?;
        assert!((losses[0] - 4f32.ln()).abs() <= 4.0 * f32::EPSILON, "{losses:?}");
        assert!(gradient.iter().all(|g| g.abs() <= 1e-24), "{gradient:?}");
    }
    // All equal, at any height.
    for height in [0.0, -1e4, 1e4, 3e38] {
        let (value, gradient) = loss([height; 3], 0)?;
        assert!((f64::from(value) - 3f64.ln()).abs() <= f64::from(f32::EPSILON), "{value}");
        assert!(gradient.iter().zip([-2.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0]).all(|(g, e)| (g - e).abs() < 1e-7f32));
    }
    Ok(())
}

/// A gradient of 0 does not hide that what it multiplies is not finite, in any lanes.
#[test]
fn nothing_times_infinity_is_not_left_out() {
    let conv = Conv2d { channels: 3, height: 4, width: 4, outputs: 2, kernel: 2 };
    let shape = Layer::<f32>::shape(&conv);
    // Two samples, so that no lane is without one.
    let (finite, mut dy) = (vec![1.0f32; 2 * 48], vec![0.0f32; 2 * shape.outputs]);
    dy[4] = 1.0;
    let seen = |x: &[f32]| x.iter().map(|x| if x.is_nan() { None } else { Some(x.to_bits()) }).collect::<Vec<_>>();
    for (bad, place) in [(f32::INFINITY, 0), (f32::NAN, 47)] {
        for of_parameters in [false, true] {
            let (mut parameters, mut x) = (vec![1.0f32; shape.parameters], finite.clone());
            (if of_parameters { &mut parameters } else { &mut x })[place.min(shape.parameters - 3)] = bad;
            let one = passes::<f32, _>((), conv, &parameters, &x, &dy);
            let two = passes::<Array<f32, 2>, _>(Token::new(), conv, &parameters, &x, &dy);
            assert!(one.dx.iter().chain(&one.dparameters).any(|g| g.is_nan()));
            assert_eq!(seen(&one.dx), seen(&two.dx));
            assert_eq!(seen(&one.dparameters), seen(&two.dparameters));
        }
    }
}

#[test]
fn a_right_sample_keeps_the_digits_of_its_loss() -> Outcome {
    for (gap, bound) in [(17.0, 5.0), (40.0, 5.0), (70.0, 5.0), (80.0, 5.0), (87.0, 5.0), (100.0, 1.0), (103.0, 1.0)] {
        for similarity in
            [AnySimilarity::order(4, 0.0f32)?, AnySimilarity::order(4, 0.8)?, AnySimilarity::circular(4, 0.3)?]
        {
            let z = [gap + 0.3f32, 0.0, 0.25, -1.75];
            let Judged { losses, gradient } = judge(&SimLoss::new(&similarity), &z, 0)?;
            let exact = reference(&similarity, &z, 0)?;
            let error = (f64::from(losses[0]) - exact.loss).abs() / f32::ulp(exact.loss);
            assert!(exact.loss > 0.0 && error <= bound, "gap {gap}: {error} ulp, {losses:?} for {}", exact.loss);
            // The gradient keeps its digits too, as far down as its bound asks.
            for (k, &g) in gradient.iter().enumerate() {
                let error = (f64::from(g) - exact.gradient(k)).abs();
                let bound = 8.0 * f32::ulp(exact.terms(k)) + Bound::of(Quantity::Gradient, f32::SCALAR).floor;
                assert!(error <= bound, "gap {gap}, class {k}: {g:e} for {:e}", exact.gradient(k));
            }
        }
    }
    // f64 reaches ten times further.
    let Judged { losses, .. } = judge(&CrossEntropy::new(2)?, &[700.0f64, 0.0], 0)?;
    assert!((losses[0] / (-700f64).exp() - 1.0).abs() < 1e-15);
    Ok(())
}

/// Where the gap is large, all digits of the loss are those of the gap: rounded once, so the gap is known exactly.
#[test]
fn a_very_wrong_sample_has_a_correctly_rounded_loss() -> Outcome {
    let mut random = Random::new(3);
    for similarity in [AnySimilarity::superclass(&[0, 0, 1, 1], 0.3f32, 0.0)?, AnySimilarity::order(4, 0.0)?] {
        for _ in 0..200 {
            let mut z: Vec<f32> = uniform(&mut random, 4, 3.0);
            z[0] -= 4000.0 * random.unit::<f32>();
            z[1] = z[0] - 1.0;
            z[2] += 1000.0 + 4000.0 * random.unit::<f32>();
            let Judged { losses, .. } = judge(&SimLoss::new(&similarity), &z, 0)?;
            let exact = reference(&similarity, &z, 0)?.loss;
            let error = (f64::from(losses[0]) - exact).abs() / f32::ulp(exact);
            assert!(error <= 0.55, "{z:?}: {error} ulp");
        }
    }
    Ok(())
}

/// Sums of a thousand terms: without compensation they lose more than the bound.
#[test]
fn a_thousand_classes_are_summed_within_the_bounds() -> Outcome {
    let (mut random, classes) = (Random::new(2), 1000);
    for similarity in [
        AnySimilarity::order(classes, 0.999f32)?,
        AnySimilarity::order(classes, 0.8)?,
        AnySimilarity::circular(classes, 0.99)?,
        AnySimilarity::order(classes, 0.0)?,
    ] {
        for spread in [0.0, 0.01, 1.0, 6.0] {
            for _ in 0..5 {
                let z: Vec<f32> = uniform(&mut random, classes, spread);
                let y = random.below(classes);
                let Judged { losses, gradient } = judge(&SimLoss::new(&similarity), &z, y)?;
                let exact = reference(&similarity, &z, y)?;
                let error = (f64::from(losses[0]) - exact.loss).abs();
                assert!(error <= f32::loss_bound(exact.loss), "spread {spread}: {} for {}", losses[0], exact.loss);
                for (k, &g) in gradient.iter().enumerate() {
                    let error = (f64::from(g) - exact.gradient(k)).abs();
                    assert!(error <= f32::gradient_bound(exact.magnitude(k)), "spread {spread}, class {k}");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn similarities_below_the_smallest_normal_number_mean_none() -> Outcome {
    let matrix = |s: f32| AnySimilarity::dense(2, &[1.0, s, 0.0, 1.0]);
    let z = [-300.0f32, 0.0];
    for (s, expected) in
        [(0.0, 300.0), (1e-40, 300.0), (f32::from_bits(0x007f_ffff), 300.0), (f32::MIN_POSITIVE, 87.336_54)]
    {
        let Judged { losses, gradient } = judge(&SimLoss::new(&matrix(s)?), &z, 0)?;
        assert!((losses[0] - expected).abs() <= 5.0 * f32::EPSILON * 64.0, "S = {s:e}: {losses:?}");
        // Nothing similar: all of the gradient. Something similar: it has all the probability, and nothing to gain.
        let expected = if expected == 300.0 { [-1.0, 1.0] } else { [0.0, 0.0] };
        assert!(gradient.iter().zip(expected).all(|(g, e)| (g - e).abs() <= 1e-6), "S = {s:e}: {gradient:?}");
    }
    Ok(())
}

#[test]
fn where_every_class_is_as_good_nothing_is_lost() -> Outcome {
    let ones = AnySimilarity::dense(5, &[1.0f32; 25])?;
    for z in [[0.0f32; 5], [1e4, -1e4, 0.0, 3.0, 3.0], [-80.0, 80.0, 1.0, 2.0, 3.0]] {
        for y in 0..5 {
            let Judged { losses, gradient } = judge(&SimLoss::new(&ones), &z, y)?;
            assert_eq!((losses, gradient), (vec![0.0], vec![0.0; 5]));
        }
    }
    Ok(())
}

/// The row is the true class: an asymmetric matrix tells a row from a column.
#[test]
fn the_true_class_is_in_the_row() -> Outcome {
    let s = AnySimilarity::dense(2, &[1.0f64, 0.5, 0.0, 1.0])?;
    let z = [0.0, 0.0];
    let Judged { losses, gradient } = judge(&SimLoss::new(&s), &z, 0)?;
    assert!((losses[0] + 0.75f64.ln()).abs() < 1e-15, "{losses:?}");
    assert!((gradient[0] + 1.0 / 6.0).abs() < 1e-15, "{gradient:?}");
    let Judged { losses, gradient } = judge(&SimLoss::new(&s), &z, 1)?;
    assert!((losses[0] - 2f64.ln()).abs() < 1e-15 && gradient == scalars::<f64>(&[0.5, -0.5]));
    Ok(())
}

/// A class that one sample gives no weight to and another does is skipped in the first alone, and in lanes computed:
/// the sums must not tell. One in a hundred would, if +0 were added to a compensated sum: that can move its last bit.
#[test]
fn targets_of_nothing_add_nothing_in_lanes() -> Outcome {
    let mut random = Random::new(1);
    let (n, classes) = (4000, 4);
    let logits: Vec<f32> = uniform(&mut random, n * classes, 4.0);
    let soft: Vec<f32> = (0..n * classes).map(|_| if random.below(2) == 0 { 0.0 } else { random.unit() }).collect();
    let order = AnySimilarity::order(classes, 0.5f32)?;
    let (criterion, targets) = (Criterion::new(SimLoss::new(&order)), Targets::soft(&soft));
    let alone = each_in::<f32, _>((), &criterion, &logits, &targets)?;
    let lanes = each_in::<Array<f32, 4>, _>(Token::new(), &criterion, &logits, &targets)?;
    assert_eq!(bits(&alone.losses), bits(&lanes.losses));
    assert_eq!(bits(&alone.gradient), bits(&lanes.gradient));
    Ok(())
}

/// What is ignored is +0 in any lane, not what 0 times a negative number gives.
#[test]
fn ignored_samples_are_plus_zero_in_lanes() -> Outcome {
    let truth = labels(&[Some(1), None, Some(0)], 3)?;
    let logits = [1.0f32, 2.0, 3.0, 60.0, 1.0, 0.5, 0.0, 0.0, 0.0];
    let order = AnySimilarity::order(3, 0.5f32)?;
    fn check(loss: impl Loss<f32>, logits: &[f32], truth: &[Option<Label>]) -> Outcome {
        let (criterion, targets) = (Criterion::new(loss), Targets::labels(truth));
        let Judged { losses, gradient } = each_in::<Array<f32, 4>, _>(Token::new(), &criterion, logits, &targets)?;
        assert_eq!((bits(&losses[1..2]), bits(&gradient[3..6])), (vec![0], vec![0; 3]));
        assert!(losses[0] > 0.0 && losses[2] > 0.0);
        Ok(())
    }
    check(CrossEntropy::new(3)?, &logits, &truth)?;
    check(SimLoss::new(&order), &logits, &truth)?;
    // Its loss of a sample that is surely right is below 0.
    check(PublishedSimLoss::new(&order), &logits, &truth)
}
