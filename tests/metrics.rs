//! Metrics and decoders: values computed by hand, edges, refusals and golden values.

use serde_json::Value;
use simloss_core::{
    Error, Label, Random,
    decoders::{CostMatrix, CostTable, Probabilities, argmax, expectation, median},
    metrics::{
        CALIBRATION_BINS, Calibration, ClassificationMetrics, ConfusionMatrix, ConfusionTable, Mean, Share,
        ValueErrors, brier, fit_temperature, rank, ranked_probability, tempered_into,
    },
    nalgebra::{SMatrix, SVector},
    number::Scalar,
    similarity::{ClassOrder, DenseTable, Identity},
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
fn memory_is_cleared_and_may_be_longer() -> Outcome {
    let mut confusion = ConfusionTable::in_memory([7; 5], 2)?;
    confusion.update(Label::new(1, 2)?, Label::new(0, 2)?)?;
    assert_eq!(confusion.counts(), [0, 0, 1, 0]);
    let mut sum = ConfusionTable::in_memory([7; 4], 2)?;
    sum.merge(&confusion)?;
    sum.merge(&confusion)?;
    assert_eq!((sum.accuracy().total(), sum.within(1).hits()), (2, 2));
    assert_eq!((size_of::<Share>(), size_of::<Mean>(), size_of::<ConfusionMatrix<90>>()), (16, 32, 64_800 + 8));
    let mut costs = CostTable::in_memory([9.0f32; 5], 2, |k, c| k.abs_diff(c) as f32)?;
    assert_eq!(costs.minimum_risk(Probabilities::new(&[0.25, 0.75])?)?.index(), 1);
    costs = CostTable::in_memory([9.0f32; 5], 2, |_, c| c as f32)?;
    assert_eq!(costs.minimum_risk(Probabilities::new(&[0.25, 0.75])?)?.index(), 0);
    Ok(())
}

#[test]
fn similarity_of_predictions_uses_the_true_row() -> Outcome {
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
fn empty_metrics_have_no_value() -> Outcome {
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
    assert_eq!(median(Probabilities::new(&[0.125f32, 0.25, 0.0625])?).index(), 1);
    Ok(())
}

#[test]
fn costs_have_the_true_class_in_the_row() -> Outcome {
    // Risks of the decisions: 0.75 * 0 + 0.25 * 8 = 2 and 0.75 * 1 + 0 = 0.75; transposed it would be 0.25 and 6.
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
fn bad_input_is_rejected() -> Outcome {
    let not_finite = |what| Error::NotFinite { what, sample: 0 };
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(Probabilities::new(&[0.5, bad]), Err(not_finite("probabilities")));
        assert_eq!(argmax(&[0.5, bad]), Err(not_finite("scores")));
        assert_eq!(Mean::new().update(bad), Err(not_finite("scores")));
        assert_eq!(ValueErrors::new().update(1.0, bad), Err(not_finite("scores")));
        assert_eq!(Calibration::<2>::new().update(bad, true), Err(not_finite("confidences")));
        let mut memory = [7.0; 4];
        let costs = CostTable::in_memory(&mut memory[..], 2, |k, c| if (k, c) == (1, 0) { bad } else { 0.0 });
        assert_eq!(costs, Err(Error::NotFinite { what: "costs", sample: 1 }));
        assert_eq!(memory, [7.0; 4]);
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
    // Rows that are stored need no scratch, those that are computed need all of it.
    let (stored, computed) = (ClassOrder::<f64, 3>::new(0.5)?, Identity::new(3)?);
    CostTable::of_similarity([0.0; 9], &stored, &mut [])?;
    assert!(length(CostTable::of_similarity([0.0f64; 9], &computed, &mut [0.0; 2]).map(|_| ())));
    assert!(length(ConfusionTable::in_memory([0; 8], 3).map(|_| ())));
    let mut confusion = ConfusionMatrix::<3>::new()?;
    assert!(length(confusion.update(stranger, own)));
    assert!(length(confusion.update(own, stranger)));
    assert!(length(confusion.merge(&ConfusionMatrix::<2>::new()?)));
    assert!(length(confusion.errors(&[0.0f32; 2]).map(|_| ())));
    assert!(length(confusion.superclass_accuracy(&[0; 2]).map(|_| ())));
    assert!(length(confusion.failed_superclass_accuracy(&[0; 4]).map(|_| ())));
    confusion.similarity(&stored, &mut [])?;
    assert!(length(confusion.similarity(&computed, &mut [0.0f64; 2]).map(|_| ())));
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

/// The mean negative log-likelihood at a temperature, in `f64`.
fn likelihood(logits: &[f32], labels: &[Label], temperature: f64) -> f64 {
    let classes = labels[0].classes();
    let each = logits.chunks(classes).zip(labels).map(|(z, y)| {
        let z: Vec<f64> = z.iter().map(|&z| f64::from(z) / temperature).collect();
        z.iter().map(|z| z.exp()).sum::<f64>().ln() - z[y.index()]
    });
    each.sum::<f64>() / labels.len() as f64
}

#[test]
fn the_fitted_temperature_minimizes_the_nll() -> Outcome {
    let mut random = Random::new(5);
    for (classes, sharpness) in [(2usize, 9.0f32), (7, 30.0), (90, 4.0), (10, 0.2)] {
        let n = 300;
        let logits: Vec<f32> = (0..n * classes).map(|_| sharpness * random.unit::<f32>()).collect();
        // Right half of the time, else anything.
        let labels = logits
            .chunks(classes)
            .enumerate()
            .map(|(i, z)| if i % 2 == 0 { argmax(z) } else { Label::new(i % classes, classes) });
        let labels = labels.collect::<Result<Vec<_>, _>>()?;
        let t = f64::from(fit_temperature(&logits, &labels, &mut vec![0.0; 2 * classes])?);
        let at = |t| likelihood(&logits, &labels, t);
        assert!(at(t) <= at(1.0) && at(t) < at(1.01 * t) && at(t) < at(t / 1.01), "{classes}: {t}");
        // Near a minimum a function is flat; its slope is not.
        let slope = (at(t * 1.000_01) - at(t / 1.000_01)) / (at(t * 1.01) - 2.0 * at(t) + at(t / 1.01));
        assert!(slope.abs() < 2e-2, "{classes}: {t}, {slope}");
        let mut scaled = vec![0.0; classes];
        for z in logits.chunks(classes) {
            tempered_into(z, t as f32, &mut scaled)?;
            assert_eq!(argmax(z)?, argmax(&scaled)?);
        }
        // In f64 the same temperature.
        let wide: Vec<f64> = logits.iter().map(|&z| f64::from(z)).collect();
        let other = fit_temperature(&wide, &labels, &mut vec![0.0; 2 * classes])?;
        assert!((other / t - 1.0).abs() < 1e-5, "{classes}: {t} {other}");
    }
    let label = |y| Label::new(y, 2);
    // Nothing is wrong: no temperature is low enough. Nothing is right: none is high enough.
    assert!(fit_temperature(&[1.0f32, 0.0], &[label(0)?], &mut [0.0; 4])? < 0.001);
    assert!(fit_temperature(&[1.0f32, 0.0], &[label(1)?], &mut [0.0; 4])? > 1023.0);
    assert_eq!(fit_temperature::<f32>(&[], &[], &mut [0.0; 4]), Err(Error::Empty));
    for (logits, labels, scratch) in [(&[0.0f32; 3][..], &[label(0)?; 1], 4), (&[0.0; 2], &[label(0)?; 1], 3)] {
        let refused = fit_temperature(logits, labels, &mut vec![0.0; scratch]);
        assert!(matches!(refused, Err(Error::Length { .. })), "{refused:?}");
    }
    // Which sample it is; large numbers are no NaN, whichever temperatures would be tried.
    for (x, expected) in [
        (f32::INFINITY, Error::NotFinite { what: "the logits", sample: 2 }),
        (-3e38, Error::Spread { sample: 2 }),
        (1e36, Error::Spread { sample: 2 }),
    ] {
        let z = [1.0f32, 0.0, 0.0, 1.0, x, 3e38f32.min(-x), 1.0, 0.0];
        let refused = fit_temperature(&z, &[label(0)?; 4], &mut [0.0; 4]);
        assert_eq!(refused, Err(expected), "{x}");
    }
    let nan = fit_temperature(&[f32::NAN, 0.0], &[label(0)?], &mut [0.0; 4]);
    assert!(matches!(nan, Err(Error::NotFinite { .. })), "{nan:?}");
    for t in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let refused = tempered_into(&[1.0], t, &mut [0.0]);
        assert!(matches!(refused, Err(Error::Setting { .. })), "{t}");
    }
    Ok(())
}
