//! What proper losses promise: no forecast beats the truth, limits, relations, and extreme logits.

use super::{SEED, verified};
use simloss_bench::{
    bounds::{Bound, Quantity},
    cases::{
        SplitMix64,
        proper::{Case, PAIRS, Similarity, hard},
    },
    error_stats::ErrorStats,
    oracle,
    peers::Platform,
    real::Real,
    subject::{Answer, Proper, proper, simloss, squared_emd},
};
use simloss_core::{loss::softmax_into, similarity::ProperSimilarity};
use simloss_tests::Outcome;

/// Losses of all true classes at the same logits.
fn losses(case: &Case<f64>, logits: &[f64]) -> Result<Vec<f64>, simloss_core::Error> {
    let of = |y| Ok(proper(&Case { y, logits: logits.to_vec(), ..case.clone() })?.loss);
    (0..logits.len()).map(of).collect()
}

fn expected(truth: &[f64], losses: &[f64]) -> f64 {
    truth.iter().zip(losses).map(|(t, loss)| t * loss).sum()
}

/// What a loss is there for: nobody expects less than who forecasts the truth.
#[test]
fn no_forecast_is_better_than_the_truth() -> Outcome {
    let mut random = SplitMix64::new(SEED);
    let (mut forecasts, mut simloss_is_beaten) = (0, 0);
    for case in hard::<f64>(SEED, 2 * PAIRS).filter(|case| case.classes() <= 16) {
        let classes = case.classes();
        let mut drawn = |deviation: f64| (0..classes).map(|_| deviation * random.normal()).collect::<Vec<f64>>();
        let deviation = [0.3, 2.0, 6.0][classes % 3];
        let logits = drawn(deviation);
        let mut truth = vec![0.0; classes];
        softmax_into(&logits, &mut truth)?;
        let least = expected(&truth, &losses(&case, &logits)?);
        let moved = |by: Vec<f64>| logits.iter().zip(by).map(|(z, by)| z + by).collect::<Vec<f64>>();
        let sure = |class: usize| (0..classes).map(|c| if c == class { 40.0 } else { 0.0 }).collect::<Vec<f64>>();
        let mut rivals = vec![vec![0.0; classes], drawn(deviation), case.logits.clone()];
        rivals.extend([0.01, 0.1, 1.0, 10.0].map(|deviation| moved(drawn(deviation))));
        rivals.extend((0..classes).map(sure));
        for rival in rivals {
            let mut forecast = vec![0.0; classes];
            softmax_into(&rival, &mut forecast)?;
            let risk = expected(&truth, &losses(&case, &rival)?);
            let slack = 4.0 * Bound::of(Quantity::ProperLoss, f64::SCALAR).ulp * f64::EPSILON * (risk + least);
            let apart: f64 = truth.iter().zip(&forecast).map(|(t, p)| (t - p).abs()).sum();
            assert!(risk >= least - slack, "{}: {truth:?} expects {least}, {forecast:?} {risk}", case.name);
            assert!(apart < 0.05 || risk > least + slack, "{}: {forecast:?} is as good as {truth:?}", case.name);
            forecasts += 1;
            simloss_is_beaten += usize::from(simloss_prefers(&case, &truth, &logits, &rival)?);
        }
    }
    assert!(forecasts > 1_000, "only {forecasts}");
    // The test can fail: what it asks is not true of SimLoss.
    assert!(simloss_is_beaten > 100, "only {simloss_is_beaten} forecasts are better than the truth for SimLoss");
    Ok(())
}

/// Whether SimLoss itself expects less of `rival` than of the truth, for a class order.
fn simloss_prefers(
    case: &Case<f64>,
    truth: &[f64],
    logits: &[f64],
    rival: &[f64],
) -> Result<bool, simloss_core::Error> {
    use simloss_bench::cases::{Case as Old, Similarity as OfRow};
    let Similarity::Order(r) = case.similarity else { return Ok(false) };
    let losses = |z: &[f64]| -> Result<Vec<f64>, simloss_core::Error> {
        let of = |y| Old { name: String::new(), logits: z.to_vec(), y, similarity: OfRow::Order(r) };
        (0..z.len()).map(|y| Ok(simloss(&of(y))?.loss)).collect()
    };
    Ok(expected(truth, &losses(rival)?) < 0.999 * expected(truth, &losses(logits)?))
}

fn sizes<T: Platform>() -> Outcome {
    for case in hard::<T>(SEED, 4 * PAIRS).filter(|case| case.classes() <= 100) {
        let Answer { loss, gradient } = proper(&case)?;
        let loss: f64 = loss.into();
        assert!(loss >= 0.0 && loss.is_finite() && !loss.is_sign_negative(), "{}: a loss of {loss}", case.name);
        let row = &case.matrix().values::<f64>()[case.y * case.classes()..][..case.classes()];
        let least = row.iter().copied().fold(1.0, f64::min);
        let most = (1.0 - least - least.ln()) * (1.0 + 16.0 * f64::from(f32::EPSILON));
        assert!(least == 0.0 || loss <= most, "{}: a loss of {loss}, where {most} is the most", case.name);
        // The sum of the gradient: each entry may be off by its bound.
        let (exact, scale) = (Bound::of(Quantity::ProperGradient, T::SCALAR), oracle::proper::loss_and_gradient);
        let scales = scale(&case.logits, case.y, &case.matrix()).1;
        let unit = 2.0_f64.powi(1 - T::SCALAR.digits());
        let allowed: f64 =
            scales.iter().map(|entry| exact.ulp * unit * entry.magnitude().nearest::<f64>() + exact.floor).sum();
        let sum: f64 = gradient.iter().map(|&g| g.into()).sum();
        assert!(sum.abs() <= allowed, "{}: the gradient sums to {sum}", case.name);
    }
    Ok(())
}

#[test]
fn losses_have_limits_and_gradients_sum_to_zero() -> Outcome {
    sizes::<f32>()?;
    sizes::<f64>()
}

fn without_similarity<T: Platform>() -> Outcome {
    let (mut of_losses, mut of_gradients) = (ErrorStats::default(), ErrorStats::default());
    for case in hard::<T>(SEED, 3 * PAIRS).filter(|case| case.classes() <= 40) {
        let classes = case.classes();
        let row = oracle::Row::identity(classes, case.y);
        let (loss, gradient) = oracle::loss_and_gradient(&case.logits, &row);
        let alone = T::ZERO;
        let identity = (0..classes * classes).map(|at| if at % (classes + 1) == 0 { T::ONE } else { T::ZERO });
        let groups = Similarity::Groups { groupings: vec![vec![0; classes]], levels: vec![alone] };
        for similarity in
            [Similarity::Identity, Similarity::Order(alone), groups, Similarity::Dense(identity.collect())]
        {
            let name = format!("{similarity:?} instead of the similarity of {}", case.name);
            let got = proper(&Case { similarity, ..case.clone() })?;
            of_losses.value(got.loss, &loss, || name.clone());
            of_gradients.gradient(Quantity::ProperGradient, &got, &gradient, |k| format!("class {k}, {name}"));
        }
    }
    for (quantity, stats) in [(Quantity::ProperLoss, of_losses), (Quantity::ProperGradient, of_gradients)] {
        let holds = Bound::of(quantity, T::SCALAR).holds(stats.max_ulp);
        assert!(holds, "{}: {} ulp: {}", quantity.name(), stats.max_ulp, stats.worst);
    }
    Ok(())
}

#[test]
fn unrelated_classes_give_cross_entropy() -> Outcome {
    without_similarity::<f32>()?;
    without_similarity::<f64>()
}

/// `L* / (2 (1 - r))` tends to the ranked probability score, which is squared EMD, and so does its gradient.
#[test]
fn a_class_order_tends_to_squared_emd() -> Outcome {
    let mut random = SplitMix64::new(SEED);
    for classes in [2, 3, 8, 20] {
        for y in [0, classes / 2, classes - 1] {
            let logits: Vec<f64> = (0..classes).map(|_| 2.0 * random.normal()).collect();
            let case = |similarity| Case { name: String::new(), logits: logits.clone(), y, similarity };
            let limit = squared_emd(&case(Similarity::Identity))?;
            for places in [10, 16, 22, 28] {
                let rest = 2.0_f64.powi(-places);
                let got = proper(&case(Similarity::Order(1.0 - rest)))?;
                // The difference is of first order in 1 - r; distances are up to C.
                let allowed = 2.0 * classes as f64 * rest;
                let near = |got: f64, limit: f64, size: f64| (got / (2.0 * rest) - limit).abs() <= allowed * size;
                assert!(near(got.loss, limit.loss, limit.loss), "1 - r = {rest:e}: {} for {}", got.loss, limit.loss);
                let size = limit.gradient.iter().fold(0.0, |most, g| g.abs().max(most));
                for (got, limit) in got.gradient.iter().zip(&limit.gradient) {
                    assert!(near(*got, *limit, size), "1 - r = {rest:e}: {got} for {limit}");
                }
            }
        }
    }
    Ok(())
}

/// Logits as far apart as the domain allows, similarities that end below the normal numbers: numbers come out all the same.
fn extremes<T: Platform>() -> Outcome {
    let far = T::MAX.mul(T::HALF).mul(T::round(0.99));
    let half = far.mul(T::HALF);
    let minus = |x: T| T::ZERO.sub(x);
    let [huge, one, hundred, thousand] = [far, T::ONE, T::round(110.0), T::round(1e3)];
    let tops: [&[T]; 9] = [
        &[minus(half), half],
        &[half, minus(half)],
        &[minus(half), half, half],
        &[T::ZERO, huge],
        &[T::ZERO, minus(huge), minus(one)],
        &[T::ZERO, minus(hundred), minus(thousand)],
        &[T::ZERO],
        &[minus(thousand), T::ZERO],
        &[T::ZERO, minus(T::MIN_POSITIVE)],
    ];
    let r = |x: f64| T::round(x);
    let near = 1.0 - f64::EPSILON / 2.0;
    let levels = [r(near), r(1e-30), r(1e-300)];
    let grouping = |size: usize, classes: usize| (0..classes).map(|c| c / size).collect::<Vec<_>>();
    let mut seen = 0;
    for classes in [2, 3, 90] {
        let groupings = vec![grouping(2, classes), grouping(4, classes), grouping(classes, classes)];
        let mut all = vec![Similarity::Identity, Similarity::Circular(r(0.01)), Similarity::Circular(r(0.9))];
        all.extend([0.0, 1e-300, 1e-40, 1e-30, 0.1, 0.5, 0.99, near].map(|x| {
            // The last number before 1, in either format.
            let below_one = 1.0 - 2.0_f64.powi(-T::SCALAR.digits());
            Similarity::Order(r(x.min(below_one)))
        }));
        all.push(Similarity::Groups {
            groupings,
            levels: levels.iter().map(|&level| if level < T::ONE { level } else { T::HALF }).collect(),
        });
        for similarity in all {
            for top in &tops {
                for y in [0, 1, classes / 2, classes - 1] {
                    let logits = top.iter().copied().cycle().take(classes).collect();
                    let name = format!("{similarity:?}, y = {y}, {top:?} and so on");
                    let case = Case { name, logits, y, similarity: similarity.clone() };
                    for Answer { loss, gradient } in [proper(&case)?, squared_emd(&case)?] {
                        let loss: f64 = loss.into();
                        assert!(loss >= 0.0 && loss.is_finite(), "{}: a loss of {loss}", case.name);
                        let gradient: Vec<f64> = gradient.iter().map(|&g| g.into()).collect();
                        let most = gradient.iter().fold(0.0, |most, g| g.abs().max(most));
                        let numbers = gradient.iter().all(|g| g.is_finite());
                        assert!(numbers && most <= 4.0 * classes as f64, "{}: {gradient:?}", case.name);
                        let sum: f64 = gradient.iter().sum();
                        let rounding = 64.0 * classes as f64 * 2.0_f64.powi(-T::SCALAR.digits());
                        assert!(sum.abs() <= rounding, "{}: the gradient sums to {sum}", case.name);
                        seen += 1;
                    }
                }
            }
        }
    }
    assert!(seen > 1_000);
    Ok(())
}

#[test]
fn the_largest_logits_give_finite_numbers() -> Outcome {
    extremes::<f32>()?;
    extremes::<f64>()
}

/// The hard cases are of similarities that are proper for what is stored of them, not only as they are meant.
fn cases_are_proper<T: Platform>() -> Outcome {
    let mut checked = 0;
    for case in hard::<T>(SEED, 4 * PAIRS).filter(|case| case.classes() <= 16) {
        let verdict = match Proper::new(&case)? {
            Proper::Identity(s) => verified::<T, _>(s).map(|_| ()),
            Proper::Order(s) => {
                assert!(s.is_strictly_proper(), "{}", case.name);
                verified(s).map(|_| ())
            }
            Proper::Circular(s) => verified(s.0).map(|_| ()),
            Proper::Taxonomy(s) => {
                assert!(s.is_strictly_proper(), "{}", case.name);
                verified(s).map(|_| ())
            }
            Proper::Dense(s) => verified(s.0).map(|_| ()),
        };
        assert_eq!(verdict, Ok(()), "{}", case.name);
        checked += 1;
    }
    assert!(checked > 200, "only {checked}");
    Ok(())
}

#[test]
fn the_hard_cases_are_strictly_proper() -> Outcome {
    cases_are_proper::<f32>()?;
    cases_are_proper::<f64>()
}
