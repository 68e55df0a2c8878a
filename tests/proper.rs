//! Proper SimLoss and squared EMD: right to the last digits, and what they promise.
//!
//! The inputs are the hard cases of `simloss-bench`; the oracle there is given what the user gave, not what the core stores.

use serde::Deserialize;
use simloss_bench::{
    bounds::{Bound, Quantity, check},
    cases::{
        SplitMix64,
        proper::{Case, PAIRS, Similarity, hard},
    },
    error_stats::ErrorStats,
    exact::Exact,
    matrix::Matrix,
    measure,
    oracle::{self, GradientEntry},
    peers::Platform,
    real::Real,
    subject::{Answer, Number, Proper, answer, proper, simloss, squared_emd},
    ulp,
};
use simloss_core::{
    Label,
    loss::{ProperSimLoss, softmax_into},
    similarity::{
        CircularTable, DenseTable, OrderTable, ProperSimilarity, SparseSimilarity, Taxonomy, Verified,
        verification_scratch,
    },
};
use simloss_tests::Outcome;

const SEED: u64 = 13;

/// The check that any similarity but a few needs.
fn verified<T: Number, S: simloss_core::similarity::Similarity<T>>(
    similarity: S,
) -> Result<Verified<S, T>, simloss_core::Error> {
    let mut scratch = vec![0.0; verification_scratch(similarity.classes())];
    Verified::new(similarity, &mut scratch)
}

fn dense<T: Number>(classes: usize, entries: &[T]) -> Result<DenseTable<T, Vec<T>>, simloss_core::Error> {
    DenseTable::in_memory(vec![T::ZERO; classes * classes], classes, |i, j| entries[i * classes + j])
}

// ------------------------------------------------------------------------------------------------- against exact values

/// Loss and gradient of everything of ours, of all shapes of logits with all kinds of similarities, twice.
fn ours<T: Platform + Send>() {
    for row in measure::proper::<T>(SEED, 2 * PAIRS) {
        let verdict = check(row.implementation, row.quantity, row.scalar, row.stats.max_ulp);
        let (name, stats) = (row.implementation.name(), &row.stats);
        let (quantity, ulp) = (row.quantity.name(), stats.max_ulp);
        assert!(verdict.is_fine(), "{quantity} of {name}: {ulp} ulp: {}", stats.worst);
        assert!(ulp > 1.0, "{quantity} of {name}: a worst of {ulp} ulp: the cases have become soft");
    }
}

#[test]
fn losses_and_gradients_keep_their_bounds_in_f32() {
    ours::<f32>();
}

#[test]
fn losses_and_gradients_keep_their_bounds_in_f64() {
    ours::<f64>();
}

/// A case of `golden/proper.json`; numbers of 20 digits are texts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    similarity: String,
    classes: usize,
    label: usize,
    logits: Vec<f32>,
    loss: String,
    gradient: Vec<String>,
    gradient_scale: Vec<String>,
    r: Option<f32>,
    group: Option<usize>,
    matrix: Option<Vec<Vec<f32>>>,
}

impl Golden {
    fn all() -> Result<Vec<Golden>, serde_json::Error> {
        serde_json::from_str(include_str!("golden/proper.json"))
    }

    /// As a hard case, in either format: all its numbers are of `f32`.
    fn case<T: Number>(&self) -> Case<T> {
        let wide = |x: f32| T::from_f32(x);
        let r = wide(self.r.unwrap_or(f32::NAN));
        let groups = |size: usize| (0..self.classes).map(|c| c / size).collect();
        let similarity = match (self.similarity.as_str(), self.group, &self.matrix) {
            ("order", None, None) => Similarity::Order(r),
            ("circular", None, None) => Similarity::Circular(r),
            ("superclass", Some(size), None) => Similarity::Groups { groupings: vec![groups(size)], levels: vec![r] },
            ("dense", None, Some(matrix)) => Similarity::Dense(matrix.concat().into_iter().map(wide).collect()),
            (other, ..) => panic!("a similarity of the kind {other}"),
        };
        let logits = self.logits.iter().map(|&z| wide(z)).collect();
        Case { name: format!("{}, C = {}", self.similarity, self.classes), logits, y: self.label, similarity }
    }

    /// Loss and gradient, to the digits of `f64`.
    fn exact(&self) -> Result<(f64, Vec<f64>, Vec<f64>), std::num::ParseFloatError> {
        let numbers = |texts: &[String]| texts.iter().map(|text| text.parse()).collect::<Result<Vec<f64>, _>>();
        Ok((self.loss.parse()?, numbers(&self.gradient)?, numbers(&self.gradient_scale)?))
    }
}

/// Whether two numbers are the same to 1e-15; below the normal numbers a text has fewer digits as an `f64`.
fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-15 * b.abs() + f64::MIN_POSITIVE
}

#[test]
fn the_oracle_has_the_digits_of_the_golden_values() -> Outcome {
    let all = Golden::all()?;
    assert_eq!(all.len(), 20);
    for golden in all {
        let case = golden.case::<f64>();
        let (loss, gradient, scale) = golden.exact()?;
        let (found, entries) = oracle::proper::loss_and_gradient(&case.logits, case.y, &case.matrix());
        assert!(same(found.nearest(), loss), "{}: {found} for {loss}", case.name);
        for (k, entry) in entries.iter().enumerate() {
            // An entry that is far smaller than its parts is known to 2^-160 of those.
            let miss = (&entry.value - &Exact::from(gradient[k])).abs();
            let is_same = same(entry.value.nearest(), gradient[k]) || miss <= entry.magnitude().scaled(-160);
            assert!(is_same, "{}, class {k}: {}", case.name, entry.value);
            assert!(same(entry.magnitude().nearest(), scale[k]), "{}, class {k}: {}", case.name, entry.magnitude());
        }
    }
    Ok(())
}

/// The distance of an answer from golden values, within the bounds: half an ulp more is what reading the texts costs.
#[track_caller]
fn close<T: Number>(golden: &Golden, got: &Answer<T>, how: &str) -> Outcome {
    let (loss, gradient, scale) = golden.exact()?;
    let what = format!("{how}, {}, C = {}, in {}", golden.similarity, golden.classes, T::SCALAR.name());
    let bound = |quantity| Bound::of(quantity, T::SCALAR);
    let distance = ulp::distance(got.loss, &Exact::from(loss));
    assert!(bound(Quantity::ProperLoss).holds(distance - 0.5), "{what}: a loss off by {distance} ulp");
    for k in 0..golden.classes {
        let (value, scale) = (Exact::from(gradient[k]), Exact::from(scale[k]));
        let half = |x: &Exact| (&scale + x).scaled(-1);
        let exact = GradientEntry { p: half(&value), q: half(&-&value), value };
        let bound = bound(Quantity::ProperGradient);
        let distance = ulp::gradient_distance(got.gradient[k], &exact, bound.floor);
        assert!(bound.holds(distance - 0.5), "{what}, class {k}: a gradient off by {distance} ulp");
    }
    Ok(())
}

/// By the constructors that users have, each similarity in all forms that it has.
fn golden_values<T: Number>() -> Outcome {
    for golden in Golden::all()? {
        let case = golden.case::<T>();
        let (z, y, classes) = (&case.logits, case.y, golden.classes);
        let table = || vec![T::ZERO; 2 * classes - 1];
        match &case.similarity {
            Similarity::Order(r) => {
                let order = OrderTable::in_memory(table(), classes, *r)?;
                close(&golden, &answer(&ProperSimLoss::new(&order), z, y)?, "class order")?;
                close(&golden, &answer(&ProperSimLoss::new(verified(order)?), z, y)?, "verified class order")?;
            }
            Similarity::Circular(r) => {
                let circular = verified(CircularTable::in_memory(table(), classes, *r)?)?;
                close(&golden, &answer(&ProperSimLoss::new(circular), z, y)?, "circular order")?;
            }
            Similarity::Dense(entries) => {
                let matrix = verified(dense(classes, entries)?)?;
                close(&golden, &answer(&ProperSimLoss::new(matrix), z, y)?, "matrix")?;
            }
            _ => close(&golden, &proper(&case)?, "taxonomy")?,
        }
        // Copied into a matrix, entry by entry, where a matrix of rounded powers is the same to the bounds.
        if golden.r.is_none_or(|r| r < 0.95) {
            let copy = verified(dense(classes, &case.matrix().values::<T>())?)?;
            close(&golden, &answer(&ProperSimLoss::new(copy), z, y)?, "copy")?;
        }
    }
    Ok(())
}

#[test]
fn every_similarity_reaches_the_golden_values() -> Outcome {
    golden_values::<f32>()?;
    golden_values::<f64>()
}

/// A similarity that the cases do not have, on logits of all their shapes.
fn with<T: Platform>(s: &impl ProperSimilarity<T>, matrix: &Matrix) -> Outcome {
    let (classes, loss) = (matrix.classes(), ProperSimLoss::new(s));
    let (mut losses, mut gradients) = (ErrorStats::default(), ErrorStats::default());
    for (index, case) in hard::<T>(SEED, 4 * PAIRS).enumerate().filter(|(_, case)| case.classes() >= classes) {
        let (z, y) = (&case.logits[..classes], index % classes);
        let (exact, exact_gradient) = oracle::proper::loss_and_gradient(z, y, matrix);
        let got = answer(&loss, z, y)?;
        losses.value(got.loss, &exact, || format!("case {index}"));
        gradients.gradient(Quantity::ProperGradient, &got, &exact_gradient, |k| format!("class {k} of case {index}"));
    }
    assert!(losses.inputs > 100, "only {} cases", losses.inputs);
    for (quantity, stats) in [(Quantity::ProperLoss, losses), (Quantity::ProperGradient, gradients)] {
        let holds = Bound::of(quantity, T::SCALAR).holds(stats.max_ulp);
        assert!(holds, "{}: {} ulp: {}", quantity.name(), stats.max_ulp, stats.worst);
    }
    Ok(())
}

fn trees_and_sparse_rows<T: Platform>() -> Outcome {
    // 9: three classes; 10: two; 11: node 10 and a class; 12: the root, with three more classes.
    let parents = vec![9u16, 9, 9, 10, 10, 11, 12, 12, 12, 12, 11, 12, 12];
    let groupings = [vec![0, 0, 0, 1, 1, 2, 3, 4, 5], vec![0, 0, 0, 1, 1, 1, 2, 3, 4], vec![0; 9]];
    let near = 1.0 - 1.0 / 1_048_576.0;
    for levels in [[0.75, 0.5, 0.25], [near, 0.5, 0.0], [near, near, 1e-3], [0.5, 1e-6, 1e-6]] {
        let levels = levels.map(T::round);
        let tree = Taxonomy::new(parents.clone(), [&[T::ONE], &levels[..]].concat(), 9)?;
        with(&tree, &Matrix::groups(&groupings, &levels))?;
    }
    let mut sparse = SparseSimilarity::<T, 9, 3>::new()?;
    let s = T::round(0.625);
    for (i, j) in [(0, 1), (4, 7), (4, 8), (7, 8)] {
        for (i, j) in [(i, j), (j, i)] {
            sparse.insert(Label::new(i, 9)?, Label::new(j, 9)?, s)?;
        }
    }
    with(&verified(sparse)?, &Matrix::groups(&[vec![0, 0, 1, 2, 3, 4, 5, 3, 3]], &[s]))
}

#[test]
fn unequal_trees_and_sparse_rows_keep_the_bounds() -> Outcome {
    trees_and_sparse_rows::<f32>()?;
    trees_and_sparse_rows::<f64>()
}

/// The slope of the oracle's loss, by a step to both sides: the gradient is that of the loss, whatever formula it is from.
#[test]
fn gradients_are_slopes_of_the_loss() -> Outcome {
    const STEP: f64 = 1.0 / (1u64 << 30) as f64;
    let mut checked = 0;
    for case in hard::<f32>(SEED, 2 * PAIRS).filter(|case| case.classes() <= 10) {
        let (y, matrix) = (case.y, case.matrix());
        let emd = |z: &[f64]| oracle::squared_emd::loss(z, y);
        let exact = oracle::squared_emd::loss_and_gradient(&case.logits, y).1;
        let of_proper = |z: &[f64]| oracle::proper::loss(z, y, &matrix);
        let exact_proper = oracle::proper::loss_and_gradient(&case.logits, y, &matrix).1;
        type Evaluated<'a> = (Answer<f32>, Vec<GradientEntry>, &'a dyn Fn(&[f64]) -> Exact, Quantity);
        let losses: [Evaluated<'_>; 2] = [
            (squared_emd(&case)?, exact, &emd, Quantity::SquaredEmdGradient),
            (proper(&case)?, exact_proper, &of_proper, Quantity::ProperGradient),
        ];
        for (answer, exact, loss, quantity) in losses {
            for (k, entry) in exact.iter().enumerate() {
                let scale: f64 = entry.magnitude().nearest();
                if scale < 1e-9 {
                    continue; // beside a large loss its change has too few digits
                }
                let at = |step: f64| {
                    let mut z: Vec<f64> = case.logits.iter().map(|&z| z.into()).collect();
                    z[k] += step;
                    loss(&z)
                };
                let slope: f64 = (&at(STEP) - &at(-STEP)).scaled(29).nearest();
                let bound = Bound::of(quantity, f32::SCALAR);
                let allowed = (2.0 * bound.ulp * f64::from(f32::EPSILON) * scale) + bound.floor;
                let miss = (f64::from(answer.gradient[k]) - slope).abs();
                assert!(miss <= allowed, "{} of {} at {k}: {slope}", quantity.name(), case.name);
                checked += 1;
            }
        }
    }
    assert!(checked > 500, "only {checked} slopes");
    Ok(())
}

// ------------------------------------------------------------------------------------------------------------ promises

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
