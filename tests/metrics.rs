//! Metrics and decoders: values computed by hand, edges, golden values, and merging without a trace.

use proptest::{
    prelude::*,
    test_runner::{FileFailurePersistence, RngSeed},
};
use serde_json::Value;
use simloss_core::{
    Error, Label,
    decoders::{CostMatrix, CostTable, Probabilities, argmax, expectation, median},
    metrics::{
        CALIBRATION_BINS, Calibration, ClassificationMetrics, ConfusionMatrix, ConfusionTable, Mean, Share,
        ValueErrors, brier, rank, ranked_probability,
    },
    nalgebra::{SMatrix, SVector},
    number::Scalar,
    similarity::{ClassOrder, DenseTable, Identity, Similarity},
};
use std::error::Error as StdError;

type Outcome = Result<(), Box<dyn StdError>>;

/// Pairs of a true class and an answer, counted.
fn confusion<const C: usize>(pairs: &[(usize, usize)]) -> Result<ConfusionMatrix<C>, Error> {
    let mut confusion = ConfusionMatrix::new()?;
    for &(truth, predicted) in pairs {
        confusion.update(Label::new(truth, C)?, Label::new(predicted, C)?)?;
    }
    Ok(confusion)
}

// Four classes; right: 3 of 8; off by one: 3; off by two: 1; off by three: 1.
const PAIRS: [(usize, usize); 8] = [(0, 0), (0, 1), (0, 3), (1, 1), (1, 2), (2, 2), (3, 1), (3, 2)];

#[test]
fn counts_by_hand() -> Outcome {
    let confusion = confusion::<4>(&PAIRS)?;
    #[rustfmt::skip]
    assert_eq!(confusion.counts(), [
        1, 1, 0, 1,
        0, 1, 1, 0,
        0, 0, 1, 0,
        0, 1, 1, 0,
    ]);
    assert_eq!(confusion.to_matrix()[(3, 1)], 1);
    assert_eq!(confusion.to_matrix()[(1, 3)], 0);
    assert_eq!((confusion.accuracy().hits(), confusion.accuracy().total()), (3, 8));
    let within = [0, 1, 2, 3].map(|k| confusion.within(k).value());
    assert_eq!(within, [0.375, 0.75, 0.875, 1.0].map(Some));

    // Ages 20, 21, 25, 40: errors 0, 1, 20, 0, 4, 0, -19, -15.
    let errors = confusion.errors(&[20.0f32, 21.0, 25.0, 40.0])?;
    assert_eq!(errors.absolute.value(), Some((1.0 + 20.0 + 4.0 + 19.0 + 15.0) / 8.0));
    assert_eq!(errors.squared.value(), Some((1.0 + 400.0 + 16.0 + 361.0 + 225.0) / 8.0));

    // Superclasses {0, 1} and {2, 3}: the failures 0->1 and 3->2 stay inside, 0->3, 1->2 and 3->1 do not.
    let groups = [9, 9, 4, 4];
    assert_eq!(confusion.superclass_accuracy(&groups)?.value(), Some(5.0 / 8.0));
    assert_eq!(confusion.failed_superclass_accuracy(&groups)?.value(), Some(2.0 / 5.0));

    // S = 2^-abs(i - j): 3 of 1, 3 of 1/2, 1 of 1/4, 1 of 1/8.
    let order = ClassOrder::<f32, 4>::new(0.5)?;
    assert_eq!(confusion.similarity(&order, &mut [0.0; 4])?.value(), Some((3.0 + 1.5 + 0.25 + 0.125) / 8.0));

    // Margins 3 2 1 2 and 1 3 3 1. Seen: 3 + 4 + 9 = 16; by chance: (72 + 16 + 8 + 48) / 8.
    assert_eq!(confusion.quadratic_weighted_kappa(), Some((144.0 - 16.0 * 8.0) / 144.0));
    Ok(())
}

#[test]
fn similarity_of_the_answer_has_the_true_class_in_the_row() -> Outcome {
    let s = DenseTable::in_memory([0.0f64; 4], 2, |i, j| [[1.0, 0.25], [0.75, 1.0]][i][j])?;
    assert_eq!(confusion::<2>(&[(0, 1)])?.similarity(&s, &mut [0.0; 2])?.value(), Some(0.25));
    assert_eq!(confusion::<2>(&[(1, 0)])?.similarity(&s, &mut [0.0; 2])?.value(), Some(0.75));
    Ok(())
}

#[test]
fn kappa_of_known_tables() -> Outcome {
    // As good as chance, the opposite of right, and all in one class.
    assert_eq!(confusion::<2>(&[(0, 0), (0, 1), (1, 0), (1, 1)])?.quadratic_weighted_kappa(), Some(0.0));
    assert_eq!(confusion::<2>(&[(0, 1), (1, 0)])?.quadratic_weighted_kappa(), Some(-1.0));
    assert_eq!(confusion::<3>(&[(0, 0), (1, 1), (2, 2)])?.quadratic_weighted_kappa(), Some(1.0));
    assert_eq!(confusion::<3>(&[(1, 1), (1, 1)])?.quadratic_weighted_kappa(), None);
    // One true class, another answer: wrong by as much as chance is.
    assert_eq!(confusion::<3>(&[(0, 2)])?.quadratic_weighted_kappa(), Some(0.0));
    // The largest class indices there may be do not overflow.
    let classes = 3000;
    let mut large = ConfusionTable::in_memory(vec![0; classes * classes], classes)?;
    for _ in 0..5 {
        large.update(Label::new(0, classes)?, Label::new(0, classes)?)?;
        large.update(Label::new(2999, classes)?, Label::new(2999, classes)?)?;
    }
    assert_eq!(large.quadratic_weighted_kappa(), Some(1.0));
    Ok(())
}

#[test]
fn nothing_and_nothing_failed() -> Outcome {
    let empty = ConfusionMatrix::<3>::new()?;
    assert_eq!(empty.accuracy().value(), None);
    assert_eq!(empty.errors(&[1.0f32, 2.0, 3.0])?.absolute.value(), None);
    assert_eq!(empty.superclass_accuracy(&[0, 0, 1])?.value(), None);
    assert_eq!(empty.similarity(&Identity::new(3)?, &mut [0.0f32; 3])?.value(), None);
    assert_eq!(empty.quadratic_weighted_kappa(), None);
    assert_eq!(Share::new().value(), None);
    assert_eq!(Mean::new().value(), None);
    assert_eq!(ValueErrors::new().squared.value(), None);
    assert_eq!(Calibration::<15>::new().value(), None);
    let metrics = ClassificationMetrics::in_memory([0; 9], 3, 2)?;
    assert_eq!((metrics.top.value(), metrics.brier.value()), (None, None));

    let right = confusion::<3>(&[(0, 0), (2, 2), (2, 2)])?;
    assert_eq!(right.superclass_accuracy(&[0, 0, 1])?.value(), Some(1.0));
    assert_eq!(right.failed_superclass_accuracy(&[0, 0, 1])?.value(), None);
    assert_eq!(right.failed_superclass_accuracy(&[0, 0, 1])?.total(), 0);
    Ok(())
}

#[test]
fn scores_by_hand() -> Outcome {
    let p = [0.125f64, 0.5, 0.25, 0.125];
    let p = Probabilities::new(&p)?;
    let y = |index| Label::new(index, 4);
    assert_eq!([rank(p, y(0)?)?, rank(p, y(1)?)?, rank(p, y(2)?)?, rank(p, y(3)?)?], [2, 0, 1, 3]);
    assert_eq!(brier(p, y(1)?)?, 0.015625 + 0.25 + 0.0625 + 0.015625);
    assert_eq!(brier(p, y(3)?)?, 0.015625 + 0.25 + 0.0625 + 0.765625);
    // Distribution function 1/8, 5/8, 7/8 against steps at 0, 2, 3.
    assert_eq!(ranked_probability(p, y(0)?)?, 0.765625 + 0.140625 + 0.015625);
    assert_eq!(ranked_probability(p, y(2)?)?, 0.015625 + 0.390625 + 0.015625);
    assert_eq!(ranked_probability(p, y(3)?)?, 0.015625 + 0.390625 + 0.765625);
    // Certainty, right and as wrong as can be.
    let sure = Probabilities::new(&[0.0f64, 0.0, 0.0, 1.0])?;
    assert_eq!((brier(sure, y(3)?)?, ranked_probability(sure, y(3)?)?), (0.0, 0.0));
    assert_eq!((brier(sure, y(0)?)?, ranked_probability(sure, y(0)?)?), (2.0, 3.0));
    Ok(())
}

#[test]
fn calibration_by_hand() -> Outcome {
    // Four bins. (0.5, 0.75]: 0.75 right, 0.625 right, 0.75 wrong; (0.75, 1]: 1 right; (0.25, 0.5]: 0.5 wrong.
    let mut ece = Calibration::<4>::new();
    for (confidence, right) in [(0.75f32, true), (0.625, true), (1.0, true), (0.5, false), (0.75, false)] {
        ece.update(confidence, right)?;
    }
    assert_eq!(ece.bins().map(|bin| (bin.count(), bin.hits())), [(0, 0), (1, 0), (3, 2), (1, 1)]);
    assert_eq!(ece.bins()[2].accuracy(), Some(2.0 / 3.0));
    assert_eq!(ece.bins()[2].confidence(), Some(2.125 / 3.0));
    assert_eq!(ece.bins()[0].accuracy(), None);
    assert_eq!(ece.value(), Some((0.5 + 0.125 + 0.0) / 5.0));
    Ok(())
}

#[test]
fn ties_go_to_the_lowest_class() -> Outcome {
    assert_eq!(argmax(&[-3.0f32, -1.0, -1.0])?.index(), 1);
    let p = [0.25f32, 0.25, 0.25, 0.25];
    let p = Probabilities::new(&p)?;
    assert_eq!(p.top().0.index(), 0);
    assert_eq!(median(p).index(), 1); // reaches one half exactly
    let distance = CostTable::in_memory([0.0f32; 16], 4, |k, c| k.abs_diff(c) as f32)?;
    assert_eq!(distance.minimum_risk(p)?.index(), 1); // as good as 2
    let nothing = CostTable::in_memory([0.0f32; 16], 4, |_, _| 0.0)?;
    assert_eq!(nothing.minimum_risk(p)?.index(), 0);
    assert_eq!(median(Probabilities::new(&[0.5f32, 0.0, 0.5])?).index(), 0);
    assert_eq!(median(Probabilities::new(&[0.0f32, 0.0, 1.0])?).index(), 2);
    // Half of the total, not of 1.
    assert_eq!(median(Probabilities::new(&[0.25f32, 0.125, 0.0625])?).index(), 0);
    Ok(())
}

#[test]
fn costs_have_the_true_class_in_the_row() -> Outcome {
    // Risks of the answers: 0.75 * 0 + 0.25 * 8 = 2 and 0.75 * 1 + 0 = 0.75; transposed it would be 0.25 and 6.
    let costs = CostMatrix::new(&SMatrix::<f64, 2, 2>::new(0.0, 1.0, 8.0, 0.0))?;
    let p = SVector::<f64, 2>::new(0.75, 0.25);
    assert_eq!(costs.minimum_risk(Probabilities::new(p.as_slice())?)?.index(), 1);
    assert_eq!(argmax(p.as_slice())?.index(), 0);
    // 1 - S: rewards 0.75 + 0.25 S[1, 0] and 0.75 S[0, 1] + 0.25.
    let s = DenseTable::in_memory([0.0f64; 4], 2, |i, j| [[1.0, 0.875], [0.125, 1.0]][i][j])?;
    let costs = CostTable::of_similarity([0.0; 4], &s, &mut [0.0; 2])?;
    assert_eq!(costs.minimum_risk(Probabilities::new(p.as_slice())?)?.index(), 1);
    Ok(())
}

#[test]
fn refused() -> Outcome {
    let not_finite = |what| Error::NotFinite { what, sample: 0 };
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(Probabilities::new(&[0.5, bad]), Err(not_finite("probabilities")));
        assert_eq!(argmax(&[0.5, bad]), Err(not_finite("scores")));
        assert_eq!(Mean::new().update(bad), Err(not_finite("scores")));
        assert_eq!(ValueErrors::new().update(1.0, bad), Err(not_finite("scores")));
        assert_eq!(Calibration::<2>::new().update(bad, true), Err(not_finite("confidences")));
        let costs = CostTable::in_memory([0.0; 4], 2, |k, c| if (k, c) == (1, 0) { bad } else { 0.0 });
        assert_eq!(costs, Err(Error::NotFinite { what: "costs", sample: 1 }));
        let p = Probabilities::new(&[0.5, 0.5])?;
        assert_eq!(expectation(p, &[1.0, bad]), Err(not_finite("class values")));
    }
    assert_eq!(Probabilities::new(&[1.5, -0.5]), Err(Error::Weight { what: "probabilities", index: 1 }));
    assert_eq!(Probabilities::new(&[1.0f32]), Err(Error::Classes { found: 1 }));
    assert_eq!(argmax::<f32>(&[]), Err(Error::Classes { found: 0 }));
    assert_eq!(ConfusionMatrix::<1>::new(), Err(Error::Classes { found: 1 }));
    for k in [0, 3] {
        assert!(matches!(ClassificationMetrics::in_memory([0; 4], 2, k), Err(Error::Setting { .. })));
    }

    let length = |result: Result<(), Error>| matches!(result, Err(Error::Length { .. }));
    let p = Probabilities::new(&[0.5f64, 0.25, 0.25])?;
    let (stranger, own) = (Label::new(0, 2)?, Label::new(0, 3)?);
    assert!(length(p.of(stranger).map(|_| ())));
    assert!(length(rank(p, stranger).map(|_| ())));
    assert!(length(brier(p, stranger).map(|_| ())));
    assert!(length(ranked_probability(p, stranger).map(|_| ())));
    assert!(length(expectation(p, &[1.0, 2.0]).map(|_| ())));
    assert!(length(CostTable::in_memory([0.0; 8], 3, |_, _| 0.0).map(|_| ())));
    assert!(length(CostTable::in_memory([0.0; 4], 2, |_, _| 0.0)?.minimum_risk(p).map(|_| ())));
    let s = ClassOrder::<f64, 3>::new(0.5)?;
    assert!(length(CostTable::of_similarity([0.0; 9], &s, &mut [0.0; 2]).map(|_| ())));
    assert!(length(ConfusionTable::in_memory([0; 8], 3).map(|_| ())));
    let mut confusion = ConfusionMatrix::<3>::new()?;
    assert!(length(confusion.update(stranger, own)));
    assert!(length(confusion.update(own, stranger)));
    assert!(length(confusion.merge(&ConfusionMatrix::<2>::new()?)));
    assert!(length(confusion.errors(&[0.0f32; 2]).map(|_| ())));
    assert!(length(confusion.superclass_accuracy(&[0; 2]).map(|_| ())));
    assert!(length(confusion.failed_superclass_accuracy(&[0; 4]).map(|_| ())));
    assert!(length(confusion.similarity(&s, &mut [0.0; 2]).map(|_| ())));
    assert!(length(confusion.similarity(&Identity::new(2)?, &mut [0.0f32; 3]).map(|_| ())));
    assert_eq!(confusion, ConfusionMatrix::new()?, "a refused sample was counted");

    let mut metrics = ClassificationMetrics::in_memory([0; 9], 3, 2)?;
    let fresh = metrics;
    assert!(length(metrics.update(p, stranger, 0.5).map(|_| ())));
    assert!(length(metrics.update(Probabilities::new(&[0.5, 0.5])?, stranger, 0.5).map(|_| ())));
    assert_eq!(metrics.update(p, own, f64::INFINITY), Err(not_finite("scores")));
    assert!(metrics.update(Probabilities::new(&[1e200, 0.0, 0.0])?, own, 0.5).is_err());
    assert!(length(metrics.merge(&ClassificationMetrics::in_memory([0; 16], 4, 2)?)));
    assert!(matches!(metrics.merge(&ClassificationMetrics::in_memory([0; 9], 3, 1)?), Err(Error::Setting { .. })));
    assert_eq!(metrics, fresh, "a refused sample was counted");
    let mut errors = ValueErrors::new();
    assert!(errors.update(-1e200, 1e200).is_err(), "the square is infinite, the error is not");
    assert_eq!(errors, ValueErrors::new());
    Ok(())
}

/// The numbers of a golden field, in any format.
fn numbers<T: Scalar>(field: &Value) -> Vec<T> {
    let array = field.as_array().expect("an array");
    array.iter().map(|x| T::from_f64(x.as_f64().expect("a number"))).collect()
}

fn indices(field: &Value) -> Vec<usize> {
    let array = field.as_array().expect("an array");
    array.iter().map(|x| x.as_u64().expect("an index") as usize).collect()
}

fn close(what: &str, got: Option<f64>, golden: &Value, tolerance: f64) {
    let near = match (got, golden.as_f64()) {
        (Some(got), Some(golden)) => (got - golden).abs() <= tolerance * golden.abs(),
        (got, golden) => got.is_none() && golden.is_none(),
    };
    assert!(near, "{what}: {got:?} for {golden}");
}

/// Every case of `golden/metrics.json`, computed in `T`, within a relative `tolerance`.
fn golden<T: Scalar>(tolerance: f64) -> Outcome {
    let file: Value = serde_json::from_str(include_str!("golden/metrics.json"))?;
    let cases = file["cases"].as_array().expect("cases");
    assert!(cases.len() >= 4);
    for case in cases {
        let count = |field: &str| case[field].as_u64().expect("a count") as usize;
        let (n, classes) = (count("n"), count("classes"));
        assert_eq!(count("bins"), CALIBRATION_BINS);
        let (p, labels) = (numbers::<T>(&case["probabilities"]), indices(&case["labels"]));
        assert_eq!((p.len(), labels.len()), (n * classes, n));
        let values = numbers::<T>(&case["class_values"]);
        let superclasses: Vec<u16> = indices(&case["superclasses"]).iter().map(|&g| g as u16).collect();
        let table = |field: &str| {
            let numbers = numbers::<T>(&case[field]);
            move |row: usize, column: usize| numbers[row * classes + column]
        };
        let memory = || vec![T::ZERO; classes * classes];
        let similarity = DenseTable::in_memory(memory(), classes, table("similarity"))?;
        let costs = CostTable::in_memory(memory(), classes, table("cost"))?;
        let distances = CostTable::in_memory(memory(), classes, |k, c| T::from_usize(k.abs_diff(c)))?;
        let decoded = |field: &str, sample: usize| indices(&case["decoded"][field])[sample];

        let mut metrics = ClassificationMetrics::in_memory(vec![0; classes * classes], classes, 3)?;
        let mut errors = ValueErrors::new();
        for (i, (p, &y)) in p.chunks(classes).zip(&labels).enumerate() {
            let (p, y) = (Probabilities::new(p)?, Label::new(y, classes)?);
            let best = metrics.update(p, y, T::ZERO.sub(Scalar::ln(p.of(y)?)))?;
            errors.update(values[y.index()], values[best.index()])?;
            let name = format!("{} sample {i}", case["name"]);
            assert_eq!(best.index(), decoded("argmax", i), "{name}");
            assert_eq!(argmax(p.as_slice())?, best, "{name}");
            assert_eq!(median(p).index(), decoded("median", i), "{name}");
            assert_eq!(distances.minimum_risk(p)?.index(), decoded("minimum_risk_distance", i), "{name}");
            assert_eq!(costs.minimum_risk(p)?.index(), decoded("minimum_risk_cost", i), "{name}");
            let value = expectation(p, &values)?.to_f64();
            close(&name, Some(value), &case["decoded"]["expectation"][i], tolerance);
        }

        let confusion = &metrics.confusion;
        assert_eq!(errors, confusion.errors(&values)?, "streamed and derived errors");
        let mut scratch = vec![T::ZERO; classes];
        let found = [
            ("accuracy", confusion.accuracy().value()),
            ("top3", metrics.top.value()),
            ("within1", confusion.within(1).value()),
            ("mae", errors.absolute.value()),
            ("mse", errors.squared.value()),
            ("qwk", confusion.quadratic_weighted_kappa()),
            ("superclass_accuracy", confusion.superclass_accuracy(&superclasses)?.value()),
            ("failed_superclass_accuracy", confusion.failed_superclass_accuracy(&superclasses)?.value()),
            ("mean_similarity", confusion.similarity(&similarity, &mut scratch)?.value()),
            ("nll", metrics.likelihood.value()),
            ("brier", metrics.brier.value()),
            ("ece", metrics.calibration.value()),
            ("rps", metrics.ranked.value()),
        ];
        let expected = case["expected"].as_object().expect("expected values");
        assert_eq!(expected.len(), found.len() + 1, "a golden value is not compared");
        for (what, value) in found {
            close(&format!("{} {what}", case["name"]), value, &expected[what], tolerance);
        }
        let counts: Vec<usize> = confusion.counts().iter().map(|&n| n as usize).collect();
        assert_eq!(counts, indices(&expected["confusion"]), "{}", case["name"]);
    }
    Ok(())
}

#[test]
fn golden_values_in_f64() -> Outcome {
    golden::<f64>(1e-12)
}

#[test]
fn golden_values_in_f32() -> Outcome {
    golden::<f32>(1e-6)
}

/// One sample of random tests.
#[derive(Clone, Debug)]
struct Sample {
    p: Vec<f32>,
    truth: usize,
    cross_entropy: f32,
}

const CLASSES: usize = 5;

fn samples() -> impl Strategy<Value = Vec<Sample>> {
    let sample = (prop::collection::vec(0u16..1000, CLASSES), 0..CLASSES, 0f32..200.0);
    let sample = sample.prop_map(|(weights, truth, cross_entropy)| {
        let total: f32 = weights.iter().map(|&w| f32::from(w)).sum::<f32>().max(1.0);
        Sample { p: weights.iter().map(|&w| f32::from(w) / total).collect(), truth, cross_entropy }
    });
    prop::collection::vec(sample, 1..60)
}

/// Everything that accumulates.
#[derive(Clone, Debug, PartialEq)]
struct All {
    metrics: ClassificationMetrics<Vec<u64>>,
    expected: ValueErrors,
    decided: ValueErrors,
}

const VALUES: [f32; CLASSES] = [1.5, 18.0, 30.1, 64.7, 90.0];

impl All {
    fn new() -> Result<Self, Error> {
        let metrics = ClassificationMetrics::in_memory(vec![0; CLASSES * CLASSES], CLASSES, 2)?;
        Ok(All { metrics, expected: ValueErrors::new(), decided: ValueErrors::new() })
    }

    fn update(&mut self, sample: &Sample) -> Result<(), Error> {
        let p = Probabilities::new(&sample.p)?;
        let decision = self.metrics.update(p, Label::new(sample.truth, CLASSES)?, sample.cross_entropy)?;
        self.expected.update(VALUES[sample.truth], expectation(p, &VALUES)?)?;
        self.decided.update(VALUES[sample.truth], VALUES[decision.index()])
    }

    fn merge(&mut self, other: &Self) -> Result<(), Error> {
        self.metrics.merge(&other.metrics)?;
        self.expected.merge(&other.expected);
        self.decided.merge(&other.decided);
        Ok(())
    }

    fn values(&self) -> [Option<u64>; 9] {
        let (metrics, expected) = (&self.metrics, &self.expected);
        [
            metrics.confusion.accuracy().value(),
            metrics.confusion.quadratic_weighted_kappa(),
            metrics.top.value(),
            metrics.likelihood.value(),
            metrics.brier.value(),
            metrics.ranked.value(),
            metrics.calibration.value(),
            expected.absolute.value(),
            expected.squared.value(),
        ]
        .map(|value| value.map(f64::to_bits))
    }
}

/// The same samples every time; what once failed is kept in a file beside this one and tried first.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 300,
        rng_seed: RngSeed::Fixed(20_200_303),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn merging_in_any_grouping_and_order_gives_the_same_bits(
        samples in samples(),
        groups in prop::collection::vec(0usize..6, 60),
        turn in 0usize..6,
    ) {
        let mut whole = All::new()?;
        let mut parts = (0..6).map(|_| All::new()).collect::<Result<Vec<_>, _>>()?;
        for sample in &samples {
            whole.update(sample)?;
        }
        for (sample, &group) in samples.iter().zip(&groups).rev() {
            parts[group].update(sample)?;
        }
        // A chain in one order, and a tree in another.
        let mut chain = All::new()?;
        parts.rotate_left(turn);
        for part in &parts {
            chain.merge(part)?;
        }
        while let Some(mut last) = parts.pop() {
            match parts.first_mut() {
                Some(first) => {
                    last.merge(first)?;
                    *first = last;
                }
                None => prop_assert_eq!(&last, &whole),
            }
        }
        prop_assert_eq!(&chain, &whole);
        prop_assert_eq!(chain.values(), whole.values());
    }

    #[test]
    fn the_confusion_matrix_knows_what_was_streamed(samples in samples()) {
        let order = ClassOrder::<f32, CLASSES>::new(0.7)?;
        let groups = [3u16, 1, 3, 2, 1];
        let mut all = All::new()?;
        let (mut right, mut within, mut superclass, mut failed) = (Share::new(), Share::new(), Share::new(), Share::new());
        let mut similarity = Mean::new();
        for sample in &samples {
            all.update(sample)?;
            let (y, c) = (Label::new(sample.truth, CLASSES)?, argmax(&sample.p)?);
            let same = groups[y.index()] == groups[c.index()];
            right.update(y == c);
            within.update(y.index().abs_diff(c.index()) <= 2);
            superclass.update(same);
            if y != c {
                failed.update(same);
            }
            similarity.update(order.get(y, c, &mut [0.0; CLASSES])?)?;
        }
        let confusion = &all.metrics.confusion;
        prop_assert_eq!(confusion.accuracy(), right);
        prop_assert_eq!(confusion.within(2), within);
        prop_assert_eq!(confusion.superclass_accuracy(&groups)?, superclass);
        prop_assert_eq!(confusion.failed_superclass_accuracy(&groups)?, failed);
        prop_assert_eq!(confusion.similarity(&order, &mut [0.0; CLASSES])?, similarity);
        prop_assert_eq!(confusion.errors(&VALUES)?, all.decided);
        prop_assert_eq!(confusion.mean(|y, c| VALUES[c] - VALUES[y])?.count(), samples.len() as u64);
    }

    #[test]
    fn kappa_is_that_of_the_definition(counts in prop::collection::vec(0u64..50, 16)) {
        let mut table = ConfusionTable::in_memory(vec![0; 16], 4)?;
        for (at, &n) in counts.iter().enumerate() {
            for _ in 0..n {
                table.update(Label::new(at / 4, 4)?, Label::new(at % 4, 4)?)?;
            }
        }
        let count = |y: usize, c: usize| counts[4 * y + c] as f64;
        let square = |y: usize, c: usize| (y.abs_diff(c) * y.abs_diff(c)) as f64;
        let (mut n, mut seen, mut chance) = (0.0, 0.0, 0.0);
        for (y, c) in (0..4).flat_map(|y| (0..4).map(move |c| (y, c))) {
            let row: f64 = (0..4).map(|c| count(y, c)).sum();
            let column: f64 = (0..4).map(|y| count(y, c)).sum();
            n += count(y, c);
            seen += square(y, c) * count(y, c);
            chance += square(y, c) * row * column;
        }
        match table.quadratic_weighted_kappa() {
            Some(kappa) => prop_assert!((kappa - (1.0 - seen * n / chance)).abs() < 1e-12, "{kappa}"),
            None => prop_assert_eq!(chance, 0.0),
        }
    }

    #[test]
    fn the_median_is_the_least_distance(ticks in prop::collection::vec(0u8..16, CLASSES)) {
        // Multiples of 1/128: every sum is exact, so that ties are ties for both.
        let p: Vec<f32> = ticks.iter().map(|&n| f32::from(n) / 128.0).collect();
        let p = Probabilities::new(&p)?;
        let distance = CostTable::in_memory(vec![0.0f32; 25], CLASSES, |k, c| k.abs_diff(c) as f32)?;
        prop_assert_eq!(distance.minimum_risk(p)?, median(p));
        // Costs of 1 - I ask for the most probable class.
        let wrong = CostTable::of_similarity(vec![0.0f32; 25], &Identity::new(CLASSES)?, &mut [0.0; CLASSES])?;
        prop_assert_eq!(wrong.minimum_risk(p)?, p.top().0);
    }

    #[test]
    fn scores_are_within_their_bounds(weights in prop::collection::vec(0.0f32..1.0, 2..1000), at in 0usize..1000) {
        let (classes, total) = (weights.len(), weights.iter().sum::<f32>().max(1e-3));
        let p: Vec<f32> = weights.iter().map(|w| w * w / total).collect();
        let (y, exact) = (at % classes, p.iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
        let ulps = |got: f32, exact: f64| {
            let rounded = exact as f32;
            (f64::from(got) - exact).abs() / (f64::from(rounded.next_up()) - f64::from(rounded))
        };
        let (p, label) = (Probabilities::new(&p)?, Label::new(y, classes)?);

        let one_hot = |k: usize| f64::from(u8::from(k == y));
        let naive = exact.iter().enumerate().map(|(k, x)| (x - one_hot(k)) * (x - one_hot(k))).sum();
        prop_assert!(ulps(brier(p, label)?, naive) <= 4.0);

        let below = (0..y).map(|k| exact[..=k].iter().sum::<f64>());
        let above = (y..classes - 1).map(|k| exact[k + 1..].iter().sum::<f64>());
        let naive = below.chain(above).map(|x| x * x).sum();
        prop_assert!(ulps(ranked_probability(p, label)?, naive) <= 8.0);

        let values: Vec<f32> = (0..classes).map(|k| 1.0 + k as f32).collect();
        let naive = exact.iter().zip(&values).map(|(&p, &v)| p * f64::from(v)).sum();
        prop_assert!(ulps(expectation(p, &values)?, naive) <= 3.0);
    }
}
