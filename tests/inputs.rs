//! Bad input: the error that each gets, what its message says, and outputs that keep their old content.
//!
//! Errors of metrics and decoders are in `metrics.rs`; that a refused training step leaves the model alone is in
//! `training.rs`.

use simloss_core::{
    Error, Label,
    decoders::CostTable,
    device::checkpoint::{Header, decode, encode},
    gradient::GroupGradient,
    layers::{Activations, Conv2d, Dense, Layer, Place, Shape},
    loss::{Criterion, CrossEntropy, Loss, Reduction, SimLoss, Targets, Truth, softmax, softmax_into},
    metrics::{ClassificationMetrics, ConfusionTable, tempered_into},
    nalgebra::{SMatrix, SVector},
    number::Value,
    optimizer::{Adam, DecoupledDecay, FactoryDecay, L2, Momentum, Optimizer, Sgd, apply},
    similarity::{
        CircularOrder, CircularTable, ClassOrder, DenseSimilarity, DenseTable, Identity, OrderTable, Similarity,
        SparseSimilarity, Taxonomy,
    },
    standardise_into,
    train::{Batch, Evaluation, Features, Model, Network, RowMajor, Serial, Work, eval_step, train_one, train_step},
};
use simloss_tests::{
    Outcome, labels,
    lanes::{Array, Token},
};
use std::fmt::Debug;

/// The error and its whole message.
#[track_caller]
fn refused<R: Debug>(got: Result<R, Error>, expected: Error, message: &str) {
    match got {
        Err(error) => assert_eq!((error, error.to_string().as_str()), (expected, message)),
        Ok(accepted) => panic!("accepted as {accepted:?}, in place of: {message}"),
    }
}

/// As [`refused`], for a slice or table of the wrong length.
#[track_caller]
fn wrong_length<R: Debug>(got: Result<R, Error>, what: &'static str, expected: usize, found: usize) {
    let message = format!("{what}: {expected} needed, {found} given");
    refused(got, Error::Length { what, expected, found }, &message);
}

/// As [`refused`], for a setting.
#[track_caller]
fn wrong_setting<R: Debug>(got: Result<R, Error>, what: &'static str) {
    refused(got, Error::Setting { what }, &format!("setting out of its domain: {what}"));
}

const NOT_NUMBERS: [f32; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];

#[test]
fn labels_are_below_the_number_of_classes() -> Outcome {
    refused(Label::new(10, 10), Error::Label { index: 10, classes: 10 }, "label 10 is not below the 10 classes");
    refused(
        Label::new(usize::MAX, 2),
        Error::Label { index: usize::MAX, classes: 2 },
        &format!("label {} is not below the 2 classes", usize::MAX),
    );
    for classes in [0, 1, 65_536, usize::MAX] {
        let message = format!("there must be from 2 to 65535 classes, not {classes}");
        refused(Label::new(0, classes), Error::Classes { found: classes }, &message);
    }
    assert_eq!(Label::new(65_534, 65_535)?.index(), 65_534);
    wrong_length(Label::new(1, 3)?.of(4), "the classes of a label", 4, 3);
    Ok(())
}

#[test]
fn class_orders_refuse_what_is_no_reduction_factor() {
    const MESSAGE: &str = "the reduction factor r must be at least 0 and below 1";
    for r in [-0.1f32, -f32::MIN_POSITIVE, 1.0, 1.5].into_iter().chain(NOT_NUMBERS) {
        refused(ClassOrder::<f32, 4>::new(r), Error::ReductionFactor, MESSAGE);
        refused(CircularOrder::<f32, 4>::new(r), Error::ReductionFactor, MESSAGE);
        let mut table = [9.0f32; 7];
        refused(OrderTable::in_memory(&mut table, 4, r).map(|_| ()), Error::ReductionFactor, MESSAGE);
        refused(CircularTable::in_memory(&mut table, 4, r).map(|_| ()), Error::ReductionFactor, MESSAGE);
        assert_eq!(table, [9.0; 7]);
    }
    let mut table = [9.0f32; 6];
    wrong_length(OrderTable::in_memory(&mut table, 4, 0.5).map(|_| ()), "the table of a class order", 7, 6);
    wrong_length(CircularTable::in_memory(&mut table, 4, 0.5).map(|_| ()), "the table of a class order", 7, 6);
    let classes = "there must be from 2 to 65535 classes, not 1";
    refused(OrderTable::in_memory(&mut table, 1, 0.5).map(|_| ()), Error::Classes { found: 1 }, classes);
    refused(ClassOrder::<f32, 1>::new(0.5), Error::Classes { found: 1 }, classes);
    refused(CircularOrder::<f32, 1>::new(0.5), Error::Classes { found: 1 }, classes);
    assert_eq!(table, [9.0; 6]);
}

#[test]
fn matrices_name_their_bad_entry() {
    let good = SMatrix::<f32, 3, 3>::new(1.0, 0.5, 0.0, 0.25, 1.0, 1.0, 0.0, 0.0, 1.0);
    for bad in [-0.25f32, 1.000_000_1, 2.0].into_iter().chain(NOT_NUMBERS) {
        let mut s = good;
        s[(1, 2)] = bad;
        let expected = Error::Entry { row: 1, column: 2 };
        refused(
            DenseSimilarity::new(&s),
            expected,
            "similarity entry (1, 2) is not a finite number in [0, 1], or just finite where a lower bound is taken off",
        );
        let mut s = good;
        s[(2, 2)] = bad;
        let message = "the similarity of class 2 with itself must be 1";
        refused(DenseSimilarity::new(&s), Error::Diagonal { class: 2 }, message);
    }
    for bad in NOT_NUMBERS {
        let mut s = good;
        s[(0, 1)] = bad;
        let expected = Error::Entry { row: 0, column: 1 };
        refused(
            DenseSimilarity::lower_bounded(&s, 0.5),
            expected,
            "similarity entry (0, 1) is not a finite number in [0, 1], or just finite where a lower bound is taken off",
        );
    }
    for l in [-0.1f32, 1.0, 2.0].into_iter().chain(NOT_NUMBERS) {
        let message = "the lower bound l must be at least 0 and below 1";
        refused(DenseSimilarity::lower_bounded(&good, l), Error::LowerBound, message);
    }
    let of = |rows: &mut [f32], classes| DenseTable::in_memory(rows, classes, |_, _| 1.0).map(|_| ());
    wrong_length(of(&mut [0.0; 8], 3), "the rows of a similarity", 9, 8);
    refused(of(&mut [0.0; 1], 1), Error::Classes { found: 1 }, "there must be from 2 to 65535 classes, not 1");
    let bounded = DenseTable::lower_bounded_in_memory(&mut [0.0f32; 8][..], 3, |_, _| 1.0, 0.5).map(|_| ());
    wrong_length(bounded, "the rows of a similarity", 9, 8);
    // The last entry is the bad one, and none is written.
    let mut rows = [9.0f32; 9];
    let s = |i, j| if (i, j) == (2, 1) { f32::NAN } else { 1.0 };
    let (expected, message) = (
        Error::Entry { row: 2, column: 1 },
        "similarity entry (2, 1) is not a finite number in [0, 1], or just finite where a lower bound is taken off",
    );
    refused(DenseTable::in_memory(&mut rows[..], 3, s).map(|_| ()), expected, message);
    refused(DenseTable::lower_bounded_in_memory(&mut rows[..], 3, s, 0.5).map(|_| ()), expected, message);
    assert_eq!(rows, [9.0; 9]);
}

#[test]
fn copies_and_rows_need_their_memory() -> Outcome {
    let identity = Identity::new(3)?;
    let mut rows = [9.0f32; 9];
    let copy = DenseTable::copy_in_memory(&mut rows[..], &identity, &mut [0.0; 2]).map(|_| ());
    wrong_length(copy, "the scratch of a similarity row", 3, 2);
    let copy = DenseTable::copy_in_memory(&mut rows[..8], &identity, &mut [0.0; 3]).map(|_| ());
    wrong_length(copy, "the rows of a similarity", 9, 8);
    assert_eq!(rows, [9.0; 9]);
    let (a, b, other) = (Label::new(0, 3)?, Label::new(2, 3)?, Label::new(0, 4)?);
    for c in [a, b] {
        wrong_length(Similarity::<f32>::get(&identity, a, c, &mut [0.0; 2]), "the scratch of a similarity row", 3, 2);
    }
    wrong_length(Similarity::<f32>::get(&identity, other, b, &mut [0.0; 3]), "the classes of a label", 3, 4);
    wrong_length(Similarity::<f32>::get(&identity, a, other, &mut [0.0; 3]), "the classes of a label", 3, 4);
    refused(Identity::new(1), Error::Classes { found: 1 }, "there must be from 2 to 65535 classes, not 1");
    Ok(())
}

#[test]
fn sparse_rows_refuse_what_they_cannot_hold() -> Outcome {
    let label = |k| Label::new(k, 4);
    let mut s = SparseSimilarity::<f32, 4, 2>::new()?;
    s.insert(label(1)?, label(2)?, 0.5)?;
    let before = s.clone();
    for bad in [-0.5f32, 1.5].into_iter().chain(NOT_NUMBERS) {
        let expected = Error::Entry { row: 1, column: 3 };
        refused(
            s.insert(label(1)?, label(3)?, bad),
            expected,
            "similarity entry (1, 3) is not a finite number in [0, 1], or just finite where a lower bound is taken off",
        );
    }
    let expected = Error::Duplicate { row: 1, column: 2 };
    refused(s.insert(label(1)?, label(2)?, 0.75), expected, "similarity entry (1, 2) is given twice");
    let message = "the similarity of class 3 with itself must be 1";
    refused(s.insert(label(3)?, label(3)?, 0.5), Error::Diagonal { class: 3 }, message);
    wrong_length(s.insert(Label::new(1, 5)?, label(2)?, 0.5), "the classes of a label", 4, 5);
    wrong_length(s.insert(label(1)?, Label::new(1, 3)?, 0.5), "the classes of a label", 4, 3);
    assert_eq!(s, before);
    s.insert(label(1)?, label(0)?, 0.5)?;
    let expected = Error::Capacity { what: "rows of a sparse similarity", capacity: 2 };
    let message = "rows of a sparse similarity hold at most 2; raise the capacity";
    refused(s.insert(label(1)?, label(3)?, 0.5), expected, message);
    let one_class = SparseSimilarity::<f32, 1, 1>::new();
    refused(one_class, Error::Classes { found: 1 }, "there must be from 2 to 65535 classes, not 1");
    Ok(())
}

#[test]
fn taxonomies_are_one_tree_with_falling_levels() {
    let new = |parents: &'static [u16], levels: &'static [f32]| Taxonomy::new(parents, levels, 3);
    let one_root = |node| format!("the parents of taxonomy node {node} do not end in the one root");
    // Parents: a cycle, a second root, beyond the table, a class.
    for (parents, node) in [
        (&[3u16, 3, 4, 5, 3, 4][..], 0),
        (&[3, 3, 4, 3, 4], 2),
        (&[3, 9, 3, 3], 1),
        (&[3, 3, 0, 3], 2),
        (&[3, 3, 2, 3], 2),
        (&[3, 3, 3, 3, 5, 4], 4),
    ] {
        refused(new(parents, &[1.0, 0.5, 0.25, 0.0]), Error::Parent { node }, &one_root(node));
    }
    let tree = &[3u16, 3, 4, 5, 5, 5];
    let level =
        |height| format!("taxonomy level {height} must be in [0, 1], at most the level below it, and 1 at height 0");
    for (levels, height) in [
        (&[0.5f32, 0.5, 0.5][..], 0),
        (&[1.0, 0.5, 0.75], 2),
        (&[1.0, f32::NAN, 0.0], 1),
        (&[1.0, 0.5, -0.5], 2),
        (&[1.0, 1.5, 0.5], 1),
        (&[f32::NAN, 0.5, 0.5], 0),
    ] {
        refused(new(tree, levels), Error::Level { height }, &level(height));
    }
    wrong_length(new(tree, &[1.0, 0.5]), "the levels of a taxonomy", 3, 2);
    wrong_length(new(tree, &[]), "the levels of a taxonomy", 3, 0);
    wrong_length(new(&[3, 3, 3], &[1.0, 0.5]), "the parents of a taxonomy", 4, 3);
    let one_class = Taxonomy::new([1u16, 1], [1.0f32, 0.0], 1);
    refused(one_class, Error::Classes { found: 1 }, "there must be from 2 to 65535 classes, not 1");
}

/// Logits that no loss accepts, with the message each gets.
fn bad_logits() -> Vec<([f32; 3], Error, &'static str)> {
    let not_finite = Error::NotFinite { what: "the logits", sample: 0 };
    let message = "the logits of sample 0 hold NaN or infinity";
    let mut cases: Vec<_> = NOT_NUMBERS.iter().map(|&bad| ([0.5, bad, 1.0], not_finite, message)).collect();
    cases.push(([f32::NAN, 0.0, 0.0], not_finite, message));
    cases.push(([f32::INFINITY, 0.0, f32::NEG_INFINITY], not_finite, message));
    let message = "the logits of sample 0 are further apart than half of the largest number";
    for far in [[f32::MAX, 0.0, 0.0], [1.0e38, -1.0e38, 0.0], [0.0, -1.8e38, 0.0]] {
        cases.push((far, Error::Spread { sample: 0 }, message));
    }
    cases
}

fn refusals_of_a_loss(loss: &(impl Loss<f32> + Debug)) -> Outcome {
    let y = Label::new(1, 3)?;
    for (z, expected, message) in bad_logits() {
        let vector = SVector::from(z);
        let mut gradient = SVector::from([7.0f32; 3]);
        refused(loss.value(&vector, y), expected, message);
        refused(loss.value_and_gradient(&vector, y), expected, message);
        refused(loss.value_and_gradient_into(&vector, y, &mut gradient), expected, message);
        assert_eq!(gradient, SVector::from([7.0; 3]));
        let mut slice = [7.0f32; 3];
        refused(loss.gradient_of_slice(&z, y, &mut [0.0; 3], &mut slice), expected, message);
        assert_eq!(slice, [7.0; 3]);
    }
    let (z, mut gradient) = ([0.0f32, 1.0, 2.0], [7.0f32; 3]);
    let other = Label::new(1, 4)?;
    wrong_length(loss.gradient_of_slice(&z, other, &mut [0.0; 3], &mut gradient), "the classes of a label", 3, 4);
    wrong_length(loss.gradient_of_slice(&z[..2], y, &mut [0.0; 3], &mut gradient), "the logits", 3, 2);
    wrong_length(loss.gradient_of_slice(&z, y, &mut [0.0; 3], &mut gradient[..2]), "the gradient", 3, 2);
    wrong_length(loss.value(&SVector::from([0.0f32; 3]), other), "the classes of a label", 3, 4);
    assert_eq!(gradient, [7.0; 3]);
    // As far apart as the domain goes, and close together at its ends.
    for z in [[f32::MAX / 2.0, 0.0, 0.0], [-f32::MAX / 4.0, f32::MAX / 4.0, 0.0], [f32::MAX; 3], [-f32::MAX; 3]] {
        assert!(loss.value(&SVector::from(z), y)?.is_finite());
    }
    Ok(())
}

#[test]
fn losses_refuse_logits_outside_their_domain() -> Outcome {
    refusals_of_a_loss(&CrossEntropy::new(3)?)?;
    refusals_of_a_loss(&SimLoss::new(ClassOrder::<f32, 3>::new(0.5)?))?;
    let sparse = SimLoss::new(SparseSimilarity::<f32, 3, 1>::new()?);
    refusals_of_a_loss(&sparse)?;
    let (z, y) = ([0.0f32; 3], Label::new(0, 3)?);
    wrong_length(sparse.value_of_slice(&z, y, &mut [0.0; 2], &mut [0.0; 3]), "the scratch of a loss", 3, 2);
    wrong_length(sparse.value_of_slice(&z, y, &mut [0.0; 3], &mut [0.0; 2]), "the work of a loss", 3, 2);
    refused(CrossEntropy::new(1), Error::Classes { found: 1 }, "there must be from 2 to 65535 classes, not 1");
    Ok(())
}

#[test]
fn softmax_refuses_the_same_logits() {
    for (z, expected, message) in bad_logits() {
        let mut p = [7.0f32; 3];
        refused(softmax(&SVector::from(z)), expected, message);
        refused(softmax_into(&z, &mut p), expected, message);
        assert_eq!(p, [7.0; 3]);
    }
    let mut p = [7.0f32; 2];
    wrong_length(softmax_into(&[0.0; 3], &mut p), "the probabilities", 3, 2);
    assert_eq!(p, [7.0; 2]);
    let nothing = softmax_into(&[0.0f32; 0], &mut []);
    refused(nothing, Error::Classes { found: 0 }, "there must be from 2 to 65535 classes, not 0");
}

#[test]
fn criteria_refuse_weights_and_smoothing() -> Outcome {
    let criterion = Criterion::new(CrossEntropy::new(3)?);
    wrong_length(criterion.with_class_weights(&[1.0f32; 2]), "the class weights", 3, 2);
    for bad in [-1.0f32, -f32::MIN_POSITIVE].into_iter().chain(NOT_NUMBERS) {
        let expected = Error::Weight { what: "the class weights", index: 2 };
        let message = "the class weights must be finite and not negative, which number 2 is not";
        refused(criterion.with_class_weights(&[1.0, 0.0, bad]), expected, message);
        wrong_setting(criterion.with_label_smoothing(bad), "label smoothing, in [0, 1]");
    }
    wrong_setting(criterion.with_label_smoothing(1.000_000_1f32), "label smoothing, in [0, 1]");
    Ok(())
}

/// A call of a criterion with everything in order but what a test changes.
struct Call<'a> {
    logits: Vec<f32>,
    truth: Truth<'a, f32>,
    sample_weights: Option<&'a [f32]>,
    losses: usize,
    gradient: usize,
    missing_scalars: usize,
    missing_values: usize,
}

impl<'a> Call<'a> {
    fn new(truth: Truth<'a, f32>) -> Self {
        Call {
            logits: vec![0.5; 15],
            truth,
            sample_weights: None,
            losses: 5,
            gradient: 15,
            missing_scalars: 0,
            missing_values: 0,
        }
    }

    /// `each_in` in the lanes of `V`, whose outputs are seen to keep their content where it refuses.
    fn each<V: Value<Scalar = f32>>(&self, t: V::Token) -> Result<(), Error> {
        let targets = Targets { truth: self.truth, sample_weights: self.sample_weights };
        let criterion = Criterion::new(SimLoss::new(SparseSimilarity::<f32, 3, 1>::new()?));
        let needed = criterion.scratch::<V>(&targets);
        let mut scalars = vec![0.0; needed.scalars - self.missing_scalars];
        let mut values = vec![V::splat(t, 0.0); needed.values - self.missing_values];
        let (mut losses, mut gradient) = (vec![7.0; self.losses], vec![7.0; self.gradient]);
        let out = Some(&mut gradient[..]);
        let result = criterion.each_in(t, &self.logits, &targets, &mut scalars, &mut values, &mut losses, out);
        if result.is_err() {
            assert!(losses.iter().chain(&gradient).all(|&x| x == 7.0), "an output was written to");
            if self.losses == 5 {
                let (logits, out) = (&self.logits, Some(&mut gradient[..]));
                let sum = criterion.reduce_in(t, Reduction::Sum, logits, &targets, &mut scalars, &mut values, out);
                assert_eq!(sum.err(), result.err());
                assert!(gradient.iter().all(|&x| x == 7.0), "the gradient was written to");
            }
        }
        result
    }

    #[track_caller]
    fn refused(&self, expected: Error, message: &str) {
        refused(self.each::<f32>(()), expected, message);
        refused(self.each::<Array<f32, 4>>(Token::new()), expected, message);
    }

    #[track_caller]
    fn wrong_length(&self, what: &'static str, expected: usize, found: usize) {
        let message = format!("{what}: {expected} needed, {found} given");
        self.refused(Error::Length { what, expected, found }, &message);
    }
}

#[test]
fn criteria_refuse_a_bad_batch_before_they_write() -> Outcome {
    let truth = labels(&[Some(0), Some(2), None, Some(1), Some(1)], 3)?;
    let hard = || Call::new(Truth::Labels(&truth));
    let soft_targets = [0.25f32; 15];
    let soft = || Call::new(Truth::Soft(&soft_targets));
    hard().each::<f32>(())?;
    soft().each::<Array<f32, 4>>(Token::new())?;

    // In any sample, also an ignored one: the last, the only one of its lanes, too.
    for sample in [0, 2, 3, 4] {
        for bad in NOT_NUMBERS {
            let mut call = hard();
            call.logits[3 * sample + 1] = bad;
            let message = format!("the logits of sample {sample} hold NaN or infinity");
            call.refused(Error::NotFinite { what: "the logits", sample }, &message);
        }
        let mut call = soft();
        call.logits[3 * sample] = -3e38;
        let message = format!("the logits of sample {sample} are further apart than half of the largest number");
        call.refused(Error::Spread { sample }, &message);
    }

    Call { logits: vec![0.0; 14], losses: 4, gradient: 14, ..hard() }.wrong_length("the logits", 12, 14);
    Call { losses: 4, ..hard() }.wrong_length("the losses", 5, 4);
    Call { gradient: 12, ..hard() }.wrong_length("the gradient", 15, 12);
    Call::new(Truth::Labels(&truth[..4])).wrong_length("the labels", 5, 4);
    Call::new(Truth::Soft(&soft_targets[..14])).wrong_length("the soft targets", 15, 14);
    let others = labels(&[Some(0), Some(2), None, Some(1), Some(1)], 4)?;
    Call::new(Truth::Labels(&others)).wrong_length("the classes of a label", 3, 4);

    Call { sample_weights: Some(&[1.0; 4]), ..hard() }.wrong_length("the sample weights", 5, 4);
    for bad in [-1.0f32].into_iter().chain(NOT_NUMBERS) {
        let expected = Error::Weight { what: "the sample weights", index: 3 };
        let message = "the sample weights must be finite and not negative, which number 3 is not";
        Call { sample_weights: Some(&[1.0, 0.0, 2.0, bad, 1.0]), ..hard() }.refused(expected, message);
        let mut targets = soft_targets;
        targets[13] = bad;
        let expected = Error::Weight { what: "the soft targets", index: 13 };
        let message = "the soft targets must be finite and not negative, which number 13 is not";
        Call::new(Truth::Soft(&targets)).refused(expected, message);
    }

    let short = Call { missing_values: 1, ..hard() };
    wrong_length(short.each::<f32>(()), "the scratch of a criterion", 3, 2);
    let short = Call { missing_scalars: 1, ..hard() };
    wrong_length(short.each::<f32>(()), "the scratch of a criterion", 3, 2);
    Ok(())
}

#[test]
fn means_refuse_weights_that_cannot_be_divided_by() -> Outcome {
    let criterion = Criterion::new(CrossEntropy::new(2)?);
    let truth = labels(&[Some(0), None, Some(1)], 2)?;
    let mean = |reduction, weights: &[f32]| {
        let mut gradient = [7.0f32; 6];
        let targets = Targets { truth: Truth::Labels(&truth), sample_weights: Some(weights) };
        let got = criterion.reduce(reduction, &[0.5; 6], &targets, &mut [], &mut [0.0; 2], Some(&mut gradient));
        assert!(got.is_ok() || gradient == [7.0; 6], "the gradient was written to");
        got
    };
    const EMPTY: &str = "nothing to average: every sample is ignored or has weight 0";
    refused(mean(Reduction::MeanByWeight, &[0.0, 1.0, 0.0]), Error::Empty, EMPTY);
    // The sum overflows, or is too small to divide by.
    for weights in [[3e38, 0.0, 3e38], [1e-39, 0.0, 1e-39], [0.0, 0.0, f32::from_bits(1)]] {
        wrong_setting(mean(Reduction::MeanByWeight, &weights), "the sum of the weights, a normal number");
    }
    assert_eq!(mean(Reduction::MeanByWeight, &[1e-30, 0.0, 0.0])?, core::f32::consts::LN_2);
    // By count, and for a sum, weights do not divide.
    assert_eq!(mean(Reduction::MeanByCount, &[0.0; 3])?, 0.0);
    assert_eq!(mean(Reduction::Sum, &[0.0; 3])?, 0.0);
    let ignored = labels(&[None, None], 2)?;
    for reduction in [Reduction::MeanByWeight, Reduction::MeanByCount] {
        let targets = Targets::labels(&ignored);
        let got = criterion.reduce(reduction, &[0.5; 4], &targets, &mut [], &mut [0.0; 2], None);
        refused(got, Error::Empty, EMPTY);
        let got = criterion.reduce(reduction, &[], &Targets::labels(&[]), &mut [], &mut [0.0; 2], None);
        refused(got, Error::Empty, EMPTY);
    }
    Ok(())
}

#[test]
fn optimizers_refuse_settings_outside_their_domain() -> Outcome {
    const RATE: &str = "learning rate, finite and at least 0";
    const DECAY: &str = "weight decay, finite and at least 0";
    let adam = Adam::new(0.1f32)?;
    for bad in [-0.1f32].into_iter().chain(NOT_NUMBERS) {
        wrong_setting(Sgd::new(bad), RATE);
        wrong_setting(Momentum::new(bad, 0.5), RATE);
        wrong_setting(Adam::new(bad), RATE);
        wrong_setting(Sgd::new(0.1f32)?.with_rate(bad), RATE);
        wrong_setting(Momentum::new(0.1f32, 0.5)?.with_rate(bad), RATE);
        wrong_setting(adam.with_rate(bad), RATE);
        wrong_setting(L2::new(adam, 0.1f32)?.with_rate(bad), RATE);
        wrong_setting(DecoupledDecay::new(adam, 0.1f32)?.with_rate(bad), RATE);
        wrong_setting(L2::new(adam, bad), DECAY);
        wrong_setting(DecoupledDecay::new(adam, bad), DECAY);
        wrong_setting(Adam::with_settings(0.1, 0.1, 0.1, bad), "epsilon, finite and above 0");
        wrong_setting(FactoryDecay::new(adam, bad, &[]), DECAY);
    }
    wrong_setting(Adam::with_settings(0.1, 0.1, 0.1, 0.0), "epsilon, finite and above 0");
    for bad in [-0.1f32, 1.0, f32::NAN] {
        wrong_setting(Momentum::new(0.1, bad), "momentum, in [0, 1)");
    }
    for bad in [-0.1f32, 0.0, 1.1, f32::NAN] {
        wrong_setting(Adam::with_settings(0.1, bad, 0.1, 0.1), "1 - beta, in (0, 1]");
        wrong_setting(Adam::with_settings(0.1, 0.1, bad, 0.1), "1 - beta, in (0, 1]");
    }
    let (mut w, mut moments) = ([1.0f32; 3], [2.0f32; 6]);
    let step = adam.begin(1);
    let got = apply::<f32, Adam<f32>>((), &step, 1.0, &[1.0; 2], &mut w, &mut moments);
    wrong_length(got, "the gradient", 3, 2);
    let got = apply::<f32, Adam<f32>>((), &step, 1.0, &[1.0; 3], &mut w, &mut moments[..3]);
    wrong_length(got, "the optimizer's moments", 6, 3);
    assert_eq!((w, moments), ([1.0; 3], [2.0; 6]));
    Ok(())
}

#[test]
fn networks_refuse_what_does_not_fit() -> Outcome {
    let dense = Dense::new(2, 3);
    let criterion = Criterion::<_, f32>::new(CrossEntropy::new(4)?);
    wrong_length(Network::new(dense, criterion), "the outputs of the last layer", 4, 3);

    fn made<N: Layer<f32>>(layers: N) -> Result<(), Error> {
        let classes = layers.shape().outputs.max(2);
        Network::new(layers, Criterion::new(CrossEntropy::new(classes)?)).map(|_| ())
    }
    let then = |first: Dense, second: Dense| Layer::<f32>::then(first, second);
    let behind = "the inputs of a layer behind another";
    wrong_length(made(then(Dense::new(4, 8), Dense::new(10, 3))), behind, 8, 10);
    wrong_length(made(Layer::<f32>::then(then(Dense::new(4, 8), Dense::new(10, 3)), dense)), behind, 8, 10);
    wrong_length(
        made(Layer::<f32>::then(dense, Layer::<f32>::relu(then(Dense::new(3, 8), Dense::new(9, 3))))),
        behind,
        8,
        9,
    );
    made(then(Dense::new(4, 8), Dense::new(8, 3)))?;
    let good = Conv2d { channels: 1, height: 3, width: 5, outputs: 2, kernel: 3 };
    made(good)?;
    for bad in [
        Conv2d { channels: 0, ..good },
        Conv2d { outputs: 0, ..good },
        Conv2d { kernel: 0, ..good },
        Conv2d { kernel: 4, ..good },
        Conv2d { width: 2, ..good },
    ] {
        let what = "a convolution of channels and outputs, with a kernel from 1 to its image's sides";
        wrong_setting(made(bad), what);
        wrong_setting(made(Layer::<f32>::then(Layer::<f32>::relu(bad), dense)), what);
        wrong_setting(made(Layer::<f32>::then(dense, bad)), what);
    }
    let parameters = [0.0f32; 8];
    wrong_length(dense.weights::<f32, 2, 3>(&parameters), "the parameters of a dense layer", 9, 8);
    wrong_length(dense.biases::<f32, 2, 3>(&parameters), "the parameters of a dense layer", 9, 8);
    wrong_length(RowMajor::new(&[0.0f32; 7], 3), "the features", 6, 7);
    wrong_length(dense.weights::<f32, 3, 2>(&[0.0f32; 9]), "the inputs of a dense layer", 2, 3);
    wrong_length(dense.biases::<f32, 2, 4>(&[0.0f32; 9]), "the outputs of a dense layer", 3, 4);
    for rows in [&[0.0f32; 7][..], &[]] {
        wrong_length(RowMajor::new(rows, 0), "the features of a sample", 1, 0);
    }
    assert_eq!(Features::<f32>::samples(&RowMajor::new(&[0.0f32; 6], 3)?), 2);
    Ok(())
}

/// Memory of a training step in which a test changes one thing.
struct Memory {
    width: usize,
    features: Vec<f32>,
    parameters: Vec<f32>,
    moments: Vec<f32>,
    gradient: Vec<f32>,
    group: Vec<f32>,
    losses: Vec<f32>,
    logits: Vec<f32>,
    missing: usize,
}

impl Memory {
    /// For `samples` samples of 2 features, a dense layer to 3 classes, and momentum.
    fn new(samples: usize) -> Self {
        Memory {
            width: 2,
            features: vec![0.5; 2 * samples],
            parameters: vec![0.25; 9],
            moments: vec![0.0; 9],
            gradient: vec![0.0; 9],
            group: vec![0.0; 9],
            losses: vec![0.0; samples],
            logits: vec![],
            missing: 0,
        }
    }

    fn run(
        &mut self,
        step: impl FnOnce(&mut Serial<'_, '_, Dense, CrossEntropy, f32>, &mut Memory) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let network = Network::new(Dense::new(2, 3), Criterion::new(CrossEntropy::new(3)?))?;
        let needed = network.scratch::<f32>(false, true);
        let mut scalars = vec![0.0; needed.scalars];
        let mut values = vec![0.0; needed.values - self.missing];
        let mut group = std::mem::take(&mut self.group);
        let work = Work { scalars: &mut scalars, values: &mut values };
        step(&mut Serial { token: (), network: &network, work, group: &mut group }, self)
    }

    fn train(mut self, truth: &[Option<Label>]) -> Result<(), Error> {
        self.run(|engine, memory| {
            let Memory { width, features, parameters, moments, gradient, losses, .. } = memory;
            let batch = Batch {
                features: &RowMajor::new(features, *width)?,
                targets: Targets::labels(truth),
                reduction: Reduction::MeanByWeight,
                losses,
            };
            let model = Model { parameters, moments, steps: &mut 0 };
            train_step(engine, &Momentum::new(0.1, 0.5)?, model, gradient, batch).map(|_| ())
        })
    }

    fn train_one(mut self, truth: &[Option<Label>]) -> Result<(), Error> {
        self.run(|engine, memory| {
            let Memory { width, features, parameters, moments, losses, .. } = memory;
            let batch = Batch {
                features: &RowMajor::new(features, *width)?,
                targets: Targets::labels(truth),
                reduction: Reduction::MeanByWeight,
                losses,
            };
            let model = Model { parameters, moments, steps: &mut 0 };
            train_one(engine.network, &mut engine.work, &Momentum::new(0.1, 0.5)?, model, batch).map(|_| ())
        })
    }

    fn evaluate(mut self, truth: &[Option<Label>]) -> Result<(), Error> {
        self.run(|engine, memory| {
            let Memory { width, features, parameters, losses, logits, .. } = memory;
            let features = &RowMajor::new(features, *width)?;
            let evaluation = Evaluation { features, targets: Targets::labels(truth), losses, logits };
            eval_step(engine, parameters, evaluation)
        })
    }
}

#[test]
fn steps_refuse_memory_that_does_not_fit() -> Outcome {
    let one = labels(&[Some(0)], 3)?;
    let many = labels(&[Some(1); 17], 3)?;
    Memory::new(1).train(&one)?;
    Memory::new(1).train_one(&one)?;
    Memory::new(17).train(&many)?;
    Memory::new(17).evaluate(&many)?;

    let each = |change: fn(&mut Memory), what: &'static str, expected: usize, found: usize| {
        for run in [Memory::train, Memory::train_one, Memory::evaluate] {
            let mut memory = Memory::new(1);
            change(&mut memory);
            wrong_length(run(memory, &one), what, expected, found);
        }
    };
    each(|m| (m.width, m.features) = (3, vec![0.0; 3]), "the features of a sample", 2, 3);
    each(|m| m.losses = vec![0.0; 2], "the losses", 1, 2);
    each(|m| m.missing = 1, "the values of a group's memory", 6, 5);
    // Values to spare are no scalars.
    let network = Network::new(Dense::new(2, 3), Criterion::new(SimLoss::new(Identity::new(3)?)))?;
    let evaluation = Evaluation {
        features: &RowMajor::new(&[0.5f32; 2], 2)?,
        targets: Targets::labels(&one),
        losses: &mut [0.0],
        logits: &mut [],
    };
    let work = Work::<f32> { scalars: &mut [0.0; 2], values: &mut [0.0; 60] };
    let mut engine = Serial { token: (), network: &network, work, group: &mut [] };
    wrong_length(eval_step(&mut engine, &[0.25; 9], evaluation), "the scalars of a group's memory", 3, 2);
    for run in [Memory::train, Memory::train_one, Memory::evaluate] {
        wrong_length(run(Memory::new(1), &many), "the labels", 1, 17);
        wrong_length(run(Memory::new(1), &labels(&[Some(0)], 4)?), "the classes of a label", 3, 4);
    }
    let short = || Memory { parameters: vec![0.0; 8], gradient: vec![0.0; 8], moments: vec![0.0; 8], ..Memory::new(1) };
    for run in [Memory::train, Memory::train_one, Memory::evaluate] {
        wrong_length(run(short(), &one), "the parameters", 9, 8);
    }
    let short = || Memory { moments: vec![0.0; 8], ..Memory::new(1) };
    wrong_length(short().train(&one), "the optimizer's moments", 9, 8);
    wrong_length(short().train_one(&one), "the optimizer's moments", 9, 8);
    wrong_length(Memory { gradient: vec![0.0; 8], ..Memory::new(1) }.train(&one), "the gradient", 9, 8);
    for n in [1, 50, 52] {
        wrong_length(Memory { logits: vec![0.0; n], ..Memory::new(17) }.evaluate(&many), "the logits", 51, n);
    }
    // One group is its own sum; a second needs the memory.
    Memory { group: vec![], ..Memory::new(16) }.train(&many[..16])?;
    wrong_length(Memory { group: vec![], ..Memory::new(17) }.train(&many), "the gradient of a group", 9, 0);
    wrong_length(Memory::new(17).train_one(&many), "the batch of one", 1, 17);
    Ok(())
}

#[test]
fn steps_name_the_sample_whose_numbers_are_bad() -> Outcome {
    let truth = labels(&[Some(1); 19], 3)?;
    for run in [Memory::train, Memory::evaluate] {
        for bad in NOT_NUMBERS {
            let mut memory = Memory::new(19);
            memory.features[2 * 17 + 1] = bad;
            let expected = Error::NotFinite { what: "the features", sample: 17 };
            refused(run(memory, &truth), expected, "the features of sample 17 hold NaN or infinity");
        }
        // 3e38 x 4 overflows.
        let mut memory = Memory::new(19);
        memory.parameters[2] = 3e38;
        memory.features[2 * 18] = 4.0;
        let expected = Error::NotFinite { what: "the logits", sample: 18 };
        refused(run(memory, &truth), expected, "the logits of sample 18 hold NaN or infinity");
        let mut memory = Memory::new(19);
        memory.parameters[2] = 3e38;
        memory.features.fill(0.0);
        memory.features[2 * 18] = 1.0;
        let message = "the logits of sample 18 are further apart than half of the largest number";
        refused(run(memory, &truth), Error::Spread { sample: 18 }, message);
    }
    let ignored = labels(&[None; 19], 3)?;
    let message = "nothing to average: every sample is ignored or has weight 0";
    refused(Memory::new(19).train(&ignored), Error::Empty, message);
    refused(Memory::new(1).train_one(&ignored[..1]), Error::Empty, message);
    Memory::new(19).evaluate(&ignored)?;
    Ok(())
}

/// Dense layers of no inputs or outputs count as one; convolutions of no rows or kernel compute nothing. None panics, also
/// without the network that would refuse it.
#[test]
fn layers_without_extent_do_not_panic() {
    fn every_pass<V: Value<Scalar = f32>>(t: V::Token, conv: Conv2d) {
        let shape = Layer::<f32>::shape(&conv);
        let (parameters, one) = (vec![1.0f32; shape.parameters], V::splat(t, 1.0));
        let (x, mut y) = (vec![one; shape.inputs], vec![one; shape.outputs]);
        let (mut dx, mut dy, mut gradient) = (x.clone(), y.clone(), parameters.clone());
        let mut scratch = vec![0.0; Layer::<f32>::gradient_scratch::<V>(&conv)];
        conv.forward(t, &parameters, &x, &mut [], &mut y);
        let activations = Activations { x: &x, tape: &[], y: &y };
        conv.backward(t, &parameters, activations, &mut dy, &mut [], Some(&mut dx), &mut scratch);
        let place = Place { first_parameter: 0, present: 1, scratch: &mut scratch };
        conv.parameter_gradient(t, activations, &dy, &[], place, &mut GroupGradient(&mut gradient));
    }
    assert_eq!(Layer::<f32>::shape(&Dense::new(0, 0)), Layer::<f32>::shape(&Dense::new(1, 1)));
    for (height, width, kernel) in [(2, 2, 0), (0, 0, 1), (1, 3, 2), (0, 2, 0), (3, 1, 3)] {
        let conv = Conv2d { channels: 5, height, width, outputs: 3, kernel };
        every_pass::<f32>((), conv);
        every_pass::<Array<f32, 16>>(Token::new(), conv);
    }
}

#[test]
fn checkpoints_refuse_what_is_not_theirs() -> Outcome {
    let shape = Layer::<f32>::shape(&Dense::new(1, 2));
    let header = Header::new(&shape, 1)?;
    let (mut parameters, mut moments) = ([7.0f32; 4], [7.0f32; 4]);
    let mut bytes = [0u8; 96];
    assert_eq!(encode(&header, &[1.0; 4], &[2.0; 4], &mut bytes)?, 96);
    let mut wrong = |bytes: &[u8], expected: &Header, what: &'static str| {
        let error = Error::Checkpoint { what };
        let got = decode(bytes, expected, &mut parameters, &mut moments);
        refused(got, error, &format!("the checkpoint does not fit: {what}"));
        assert_eq!((parameters, moments), ([7.0; 4], [7.0; 4]));
    };
    let changed = |at: usize| {
        let mut bytes = bytes;
        bytes[at] ^= 4;
        bytes
    };
    wrong(&bytes[..31], &header, "it is shorter than a header");
    wrong(&bytes[..95], &header, "it is shorter than its header says");
    wrong(&changed(0), &header, "it does not begin with SIML");
    wrong(&changed(4), &header, "it has another version");
    wrong(&changed(90), &header, "its checksum does not match its bytes");
    wrong(&bytes, &Header { inputs: 2, ..header }, "it has another shape");
    wrong(&changed(6), &header, "it has another number of moments");
    wrong_length(decode(&bytes, &header, &mut [0.0; 3], &mut [0.0; 4]), "the parameters of a checkpoint", 4, 3);
    wrong_length(decode(&bytes, &header, &mut [0.0; 4], &mut [0.0; 5]), "the moments of a checkpoint", 4, 5);
    wrong_length(encode(&header, &[1.0; 4], &[2.0; 4], &mut bytes[..95]), "the bytes of a checkpoint", 96, 95);
    let error = Error::Checkpoint { what: "too many moments" };
    refused(Header::new(&shape, 65_536), error, "the checkpoint does not fit: too many moments");
    let error = Error::Checkpoint { what: "the shape is too large" };
    let large = Shape { parameters: 1 << 32, ..shape };
    refused(Header::new(&large, 1), error, "the checkpoint does not fit: the shape is too large");
    Ok(())
}

#[test]
fn tables_and_tools_need_their_memory() -> Outcome {
    wrong_length(CostTable::in_memory([0.0f32; 3], 2, |_, _| 0.0), "the rows of costs", 4, 3);
    wrong_length(ConfusionTable::in_memory([0; 3], 2), "the counts of a confusion matrix", 4, 3);
    let metrics = |k| ClassificationMetrics::in_memory([0; 9], 3, k);
    wrong_setting(metrics(0), "k of top-k is from 1 to the number of classes");
    wrong_setting(metrics(4), "k of top-k is from 1 to the number of classes");
    wrong_setting(metrics(1)?.merge(&metrics(2)?), "k of top-k is the same in metrics that are merged");
    let mut scaled = [7.0f32; 2];
    wrong_length(tempered_into(&[1.0; 3], 1.0, &mut scaled), "the scaled logits", 3, 2);
    for temperature in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        wrong_setting(tempered_into(&[1.0; 2], temperature, &mut scaled), "a temperature, positive and finite");
    }
    wrong_length(standardise_into(&[1.0; 2], &[0.0], &[1.0; 2], &mut scaled), "the means of the features", 2, 1);
    wrong_length(standardise_into(&[1.0; 2], &[0.0; 2], &[1.0], &mut scaled), "the deviations of the features", 2, 1);
    wrong_length(standardise_into(&[1.0], &[0.0], &[1.0], &mut scaled), "the standardised features", 1, 2);
    for bad in [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY] {
        let got = standardise_into(&[1.0; 2], &[0.0; 2], &[1.0, bad], &mut scaled);
        wrong_setting(got, "deviations of the features, finite and at least 1.2e-38");
    }
    assert_eq!(scaled, [7.0; 2]);
    Ok(())
}

/// Every error has a message of its own that says what to do.
#[test]
fn messages_are_sentences_without_punctuation() {
    let errors = [
        Error::ReductionFactor,
        Error::LowerBound,
        Error::Diagonal { class: 1 },
        Error::Entry { row: 1, column: 2 },
        Error::Asymmetric { row: 1, column: 2 },
        Error::Inseparable { row: 1, column: 2 },
        Error::NotProper { class: 3 },
        Error::Undecided { class: 3 },
        Error::Duplicate { row: 1, column: 2 },
        Error::Capacity { what: "rows", capacity: 3 },
        Error::Parent { node: 4 },
        Error::Level { height: 5 },
        Error::Length { what: "the rows", expected: 6, found: 7 },
        Error::Label { index: 8, classes: 8 },
        Error::Classes { found: 1 },
        Error::NotFinite { what: "the logits", sample: 9 },
        Error::Spread { sample: 10 },
        Error::Weight { what: "the targets", index: 11 },
        Error::Setting { what: "a rate" },
        Error::Empty,
        Error::Checkpoint { what: "its version" },
    ];
    let messages: Vec<String> = errors.iter().map(|error| error.to_string()).collect();
    for (k, message) in messages.iter().enumerate() {
        assert!(message.len() > 20 && !message.ends_with('.'), "{message}");
        assert_eq!(messages.iter().position(|other| other == message), Some(k), "two errors say: {message}");
    }
    assert_eq!(messages[20], "the checkpoint does not fit: its version");
}
