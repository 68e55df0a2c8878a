//! The edges, by name: cases that no property test may leave to chance.

use super::{Format, evaluate, reference};
use simloss_bench::{
    bounds::{Bound, Quantity},
    real::Real,
};
use simloss_core::{
    Error, Label, Random,
    layers::{Conv2d, Layer},
    loss::{Criterion, CrossEntropy, Loss, PublishedSimLoss, SimLoss, Targets},
};
use simloss_tests::{
    AnySimilarity, Evaluated, Outcome, bits, each_in, labels,
    lanes::{Array, Token},
    passes, scalars, uniform,
};

/// The cases of the design by name, where a careless formula fails: no proptest, so that none is left to chance.
#[test]
fn extreme_logits_have_known_losses() -> Outcome {
    let (order, relatives) = (AnySimilarity::order(3, 0.5f32)?, AnySimilarity::superclass(&[0, 1, 1], 0.5f32, 0.0)?);
    let cross_entropy = CrossEntropy::new(3)?;
    let loss = |z: [f32; 3], y| -> Result<(f32, Vec<f32>), Error> {
        let Evaluated { losses, gradient } = evaluate(&cross_entropy, &z, y)?;
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
        let Evaluated { losses, gradient } = evaluate(&SimLoss::new(&relatives), &z, 2)?;
        let error = (f64::from(losses[0]) - (f64::from(gap) - 1.5f64.ln())).abs();
        assert!(error <= 5.0 * f32::ulp(f64::from(gap)), "{losses:?}");
        let expected = [1.0, -1.0 / 3.0, -2.0 / 3.0];
        assert!(gradient.iter().zip(expected).all(|(g, e)| (g - e).abs() <= 4.0 * f32::EPSILON), "{gradient:?}");
        // In an order the sure class is similar: it costs ln(1 / 0.25), and there is nothing to gain.
        let Evaluated { losses, gradient } = evaluate(&SimLoss::new(&order), &z, 2)?;
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
fn zero_times_infinity_is_not_skipped() {
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
fn a_correct_sample_keeps_the_digits_of_its_loss() -> Outcome {
    for (gap, bound) in [(17.0, 5.0), (40.0, 5.0), (70.0, 5.0), (80.0, 5.0), (87.0, 5.0), (100.0, 1.0), (103.0, 1.0)] {
        for similarity in
            [AnySimilarity::order(4, 0.0f32)?, AnySimilarity::order(4, 0.8)?, AnySimilarity::circular(4, 0.3)?]
        {
            let z = [gap + 0.3f32, 0.0, 0.25, -1.75];
            let Evaluated { losses, gradient } = evaluate(&SimLoss::new(&similarity), &z, 0)?;
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
    let Evaluated { losses, .. } = evaluate(&CrossEntropy::new(2)?, &[700.0f64, 0.0], 0)?;
    assert!((losses[0] / (-700f64).exp() - 1.0).abs() < 1e-15);
    Ok(())
}

/// Where the gap is large, all digits of the loss are those of the gap: rounded once, so the gap is known exactly.
#[test]
fn a_large_loss_is_correctly_rounded() -> Outcome {
    let mut random = Random::new(3);
    for similarity in [AnySimilarity::superclass(&[0, 0, 1, 1], 0.3f32, 0.0)?, AnySimilarity::order(4, 0.0)?] {
        for _ in 0..200 {
            let mut z: Vec<f32> = uniform(&mut random, 4, 3.0);
            z[0] -= 4000.0 * random.unit::<f32>();
            z[1] = z[0] - 1.0;
            z[2] += 1000.0 + 4000.0 * random.unit::<f32>();
            let Evaluated { losses, .. } = evaluate(&SimLoss::new(&similarity), &z, 0)?;
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
                let Evaluated { losses, gradient } = evaluate(&SimLoss::new(&similarity), &z, y)?;
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
fn subnormal_similarities_are_zero() -> Outcome {
    let matrix = |s: f32| AnySimilarity::dense(2, &[1.0, s, 0.0, 1.0]);
    let z = [-300.0f32, 0.0];
    for (s, expected) in
        [(0.0, 300.0), (1e-40, 300.0), (f32::from_bits(0x007f_ffff), 300.0), (f32::MIN_POSITIVE, 87.336_54)]
    {
        let Evaluated { losses, gradient } = evaluate(&SimLoss::new(&matrix(s)?), &z, 0)?;
        assert!((losses[0] - expected).abs() <= 5.0 * f32::EPSILON * 64.0, "S = {s:e}: {losses:?}");
        // Nothing similar: all of the gradient. Something similar: it has all the probability, and nothing to gain.
        let expected = if expected == 300.0 { [-1.0, 1.0] } else { [0.0, 0.0] };
        assert!(gradient.iter().zip(expected).all(|(g, e)| (g - e).abs() <= 1e-6), "S = {s:e}: {gradient:?}");
    }
    Ok(())
}

#[test]
fn equally_similar_classes_have_no_loss() -> Outcome {
    let ones = AnySimilarity::dense(5, &[1.0f32; 25])?;
    for z in [[0.0f32; 5], [1e4, -1e4, 0.0, 3.0, 3.0], [-80.0, 80.0, 1.0, 2.0, 3.0]] {
        for y in 0..5 {
            let Evaluated { losses, gradient } = evaluate(&SimLoss::new(&ones), &z, y)?;
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
    let Evaluated { losses, gradient } = evaluate(&SimLoss::new(&s), &z, 0)?;
    assert!((losses[0] + 0.75f64.ln()).abs() < 1e-15, "{losses:?}");
    assert!((gradient[0] + 1.0 / 6.0).abs() < 1e-15, "{gradient:?}");
    let Evaluated { losses, gradient } = evaluate(&SimLoss::new(&s), &z, 1)?;
    assert!((losses[0] - 2f64.ln()).abs() < 1e-15 && gradient == scalars::<f64>(&[0.5, -0.5]));
    Ok(())
}

/// A class that one sample gives no weight to and another does is skipped in the first alone, and in lanes computed:
/// the sums must not tell. One in a hundred would, if +0 were added to a compensated sum: that can move its last bit.
#[test]
fn zero_targets_add_nothing_in_lanes() -> Outcome {
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
fn ignored_samples_give_positive_zero_in_lanes() -> Outcome {
    let truth = labels(&[Some(1), None, Some(0)], 3)?;
    let logits = [1.0f32, 2.0, 3.0, 60.0, 1.0, 0.5, 0.0, 0.0, 0.0];
    let order = AnySimilarity::order(3, 0.5f32)?;
    fn check(loss: impl Loss<f32>, logits: &[f32], truth: &[Option<Label>]) -> Outcome {
        let (criterion, targets) = (Criterion::new(loss), Targets::labels(truth));
        let Evaluated { losses, gradient } = each_in::<Array<f32, 4>, _>(Token::new(), &criterion, logits, &targets)?;
        assert_eq!((bits(&losses[1..2]), bits(&gradient[3..6])), (vec![0], vec![0; 3]));
        assert!(losses[0] > 0.0 && losses[2] > 0.0);
        Ok(())
    }
    check(CrossEntropy::new(3)?, &logits, &truth)?;
    check(SimLoss::new(&order), &logits, &truth)?;
    // Its loss of a sample that is surely right is below 0.
    check(PublishedSimLoss::new(&order), &logits, &truth)
}
