//! Proper SimLoss and squared EMD: right to the last digits, and what they promise.
//!
//! The inputs are the hard cases of `simloss-bench`; the oracle there is given what the user gave, not what the core stores.

mod promises;

use serde::Deserialize;
use simloss_bench::{
    bounds::{Bound, Quantity, check},
    cases::proper::{Case, PAIRS, Similarity, hard},
    error_stats::ErrorStats,
    exact::Exact,
    matrix::Matrix,
    measure,
    oracle::{self, GradientEntry},
    peers::Platform,
    real::Real,
    subject::{Answer, Number, answer, proper, squared_emd},
    ulp,
};
use simloss_core::{
    Label,
    loss::ProperSimLoss,
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
