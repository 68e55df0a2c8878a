//! Similarities: every row against its definition in `f64`, what is stored against the exact value, rounded once.

use serde::Deserialize;
use simloss_bench::oracle::Row;
use simloss_core::{
    Error, Label, Random,
    loss::{Loss, SimLoss, soft_label_into},
    nalgebra::{SMatrix, SVector},
    number::Scalar,
    similarity::{
        CircularOrder, ClassOrder, DenseSimilarity, DenseTable, Identity, Similarity, SparseSimilarity, Taxonomy,
        dissimilarity, similarity,
    },
};
use simloss_tests::{AnySimilarity, Outcome, bits, golden_cases, scalars, uniform};

/// A stored entry is the smaller of `S` and `D = 1 - S`, the sign bit telling which, within `ulps` of its exact value.
#[track_caller]
fn stored_well(what: &str, stored: f32, s: f64, d: f64, ulps: f64) {
    if s < f64::from(f32::MIN_POSITIVE) {
        assert_eq!(stored.to_bits(), 0, "{what}: {stored:e} where S = {s:e} means 0");
        return;
    }
    let exact = if stored.is_sign_negative() { d } else { s };
    // At one half within a rounding, either may be the smaller.
    assert!(exact <= 0.5 + 1e-7, "{what}: {stored:e} is the larger of {s} and {d}");
    let spacing = f64::from(f32::from_bits(stored.to_bits() + 1)) - f64::from(stored);
    let error = (f64::from(stored.abs()) - exact).abs() / spacing.abs();
    assert!(error <= ulps, "{what}: {stored:e} is {error} ulp from {exact:e}");
}

/// Correct rounding, but for the error of the exact value in `f64` (2^-29 of an `f32` ulp for each factor of a power).
const CORRECT: f64 = 0.500_01;

/// `r^d` and `1 - r^d`, both without cancellation.
fn power(r: f32, d: usize) -> (f64, f64) {
    let ln = (f64::from(r) - 1.0).ln_1p() * d as f64;
    if d == 0 { (1.0, 0.0) } else { (f64::from(r).powi(d as i32), -ln.exp_m1()) }
}

#[test]
fn exponentials_of_measures_are_correctly_rounded() -> Outcome {
    let mut random = Random::new(12);
    for steepness in [0.01f32, 0.5, 1.0, 2.5, 20.0, 87.0] {
        let measures: Vec<f32> = (0..400).map(|_| 2.0 * random.unit::<f32>() - 1.0).collect();
        let near: Vec<f32> = (0..24).map(|i| 1.0 - f32::EPSILON * (1u32 << i) as f32).chain([-1.0]).collect();
        for s in measures.into_iter().chain(near) {
            let table = DenseTable::exponential_in_memory([0.0f32; 4], 2, |_, _| s, steepness)?;
            let stored = table.row(Label::new(0, 2)?, &mut [])[1];
            let exponent = f64::from(steepness) * (f64::from(s) - 1.0);
            stored_well(&format!("{steepness} {s}"), stored, exponent.exp(), -exponent.exp_m1(), 0.501);
        }
    }
    Ok(())
}

/// `r` of every temper, and some at random.
fn factors() -> Vec<f32> {
    let mut factors = vec![0.0, 1e-38, 1e-30, 1e-7, 0.1, 0.3, 0.5, 0.625, 0.8, 0.9, 0.99, 0.999_9];
    factors.extend([1.0 - 1.0 / 1_048_576.0, 1.0 - f32::EPSILON / 2.0, 1.0 - f32::EPSILON, f32::MIN_POSITIVE, 1e-40]);
    let mut random = Random::new(1);
    factors.extend((0..40).map(|_| random.unit::<f32>()));
    factors
}

#[test]
fn orders_are_powers_correctly_rounded() -> Outcome {
    for classes in [2usize, 3, 8, 90, 257] {
        for r in factors() {
            let (line, ring) = (AnySimilarity::order(classes, r)?, AnySimilarity::circular(classes, r)?);
            for y in [0, 1, classes / 2, classes - 1] {
                let (line, ring) = (line.stored_row(y)?, ring.stored_row(y)?);
                assert_eq!((line.len(), ring.len()), (classes, classes));
                for c in 0..classes {
                    let far = y.abs_diff(c);
                    let near = far.min(classes - far);
                    for (kind, stored, d) in [("order", line[c], far), ("circular", ring[c], near)] {
                        let (s, complement) = power(r, d);
                        stored_well(
                            &format!("{kind} r = {r:e}, C = {classes}, ({y}, {c})"),
                            stored,
                            s,
                            complement,
                            CORRECT,
                        );
                    }
                }
            }
        }
    }
    Ok(())
}

#[test]
fn powers_that_underflow_are_zero() -> Outcome {
    for (r, last) in [(0.1f32, 37), (0.3, 72), (0.5, 126)] {
        let row = AnySimilarity::order(200, r)?.stored_row(0)?;
        assert!(row[last] >= f32::MIN_POSITIVE, "r = {r}: {:e}", row[last]);
        assert!(row[last + 1..].iter().all(|x| x.to_bits() == 0), "r = {r}");
        // In f64 these are normal numbers.
        assert!(AnySimilarity::order(200, f64::from(r))?.stored_row(0)?[last + 1] > 0.0);
    }
    Ok(())
}

/// The tables of the golden file are exact fractions, rounded once to `f64`.
#[test]
fn orders_in_f64_are_those_of_exact_fractions() -> Outcome {
    #[derive(Deserialize)]
    struct Case {
        name: String,
        classes: usize,
        r: Option<f64>,
        similarity_kind: Option<String>,
        similarity: Option<Vec<f64>>,
    }
    let cases: Vec<Case> = golden_cases(include_str!("golden/loss.json"))?;
    let mut compared = 0;
    for case in &cases {
        let (Some(kind), Some(r), Some(table)) = (&case.similarity_kind, case.r, &case.similarity) else { continue };
        let built = match kind.as_str() {
            "order" => AnySimilarity::order(case.classes, r)?,
            _ => AnySimilarity::circular(case.classes, r)?,
        };
        for (y, expected) in table.chunks(case.classes).enumerate() {
            for (stored, &expected) in built.stored_row(y)?.into_iter().zip(expected) {
                let got = similarity(stored);
                if expected <= 0.5 {
                    assert_eq!(got, expected, "{}", case.name);
                } else {
                    // D is stored; 1 - D is rounded again.
                    assert!((got - expected).abs() <= f64::EPSILON / 2.0, "{}: {got} for {expected}", case.name);
                }
                compared += 1;
            }
        }
    }
    assert!(compared > 300, "{compared}");
    Ok(())
}

#[test]
fn a_matrix_is_stored_as_it_is() -> Outcome {
    let mut random = Random::new(2);
    let classes = 9;
    let mut s: Vec<f32> = (0..81).map(|_| random.unit()).collect();
    s.iter_mut().step_by(10).for_each(|x| *x = 1.0);
    s[1..6].copy_from_slice(&[0.0, 1.0, 1.0 - f32::EPSILON / 2.0, 1e-40, f32::MIN_POSITIVE]);
    let dense = AnySimilarity::dense(classes, &s)?;
    for y in 0..classes {
        for (c, stored) in dense.stored_row(y)?.into_iter().enumerate() {
            let exact = f64::from(s[y * classes + c]);
            // Both are exact: 1 - s has no digit that f32 has not, for s above 1/2.
            stored_well(&format!("({y}, {c})"), stored, exact, 1.0 - exact, 0.0);
            assert_eq!(stored.is_sign_negative(), exact > 0.5, "({y}, {c})");
        }
    }
    // 1 is stored as "D = 0", 0 as "S = 0".
    let row = dense.stored_row(0)?;
    assert_eq!(bits(&row[..3]), bits(&[-0.0f32, 0.0, -0.0]));
    assert_eq!(row[3], -f32::EPSILON / 2.0);
    assert_eq!((similarity(row[4]), row[5]), (0.0, f32::MIN_POSITIVE));
    Ok(())
}

#[test]
fn stored_entries_give_both_sides() {
    for s in [0.0f32, 1e-30, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0] {
        let stored = if s > 0.5 { -(1.0 - s) } else { s };
        assert_eq!(dissimilarity(stored), 1.0 - s);
        assert_eq!(similarity(stored), s);
    }
    assert_eq!((similarity(-1e-20f32), dissimilarity(-1e-20f32)), (1.0, 1e-20));
    assert_eq!((similarity(1e-20f32), dissimilarity(1e-20f32)), (1e-20, 1.0));
}

#[test]
fn lower_bounds_stretch_what_is_above_them() -> Outcome {
    let mut random = Random::new(3);
    for l in [0.0f32, 1e-7, 0.1, 0.25, 0.3, 0.7, 0.9, 0.99, 1.0 - f32::EPSILON / 2.0] {
        let mut s: Vec<f32> = uniform(&mut random, 20 * 20, 1.0);
        s[1..7].copy_from_slice(&[1.0, 1.000_000_1, -1.5, l, 0.999_999_9, 3e38]);
        s[21] = 0.2; // the diagonal is not read
        s[42] = f32::NAN;
        let general = DenseTable::lower_bounded_in_memory(vec![0.0f32; 400], 20, |i, j| s[20 * i + j], l)?;
        let general = AnySimilarity::Dense(general);
        for y in 0..20 {
            for (c, stored) in general.stored_row(y)?.into_iter().enumerate() {
                let (s, l) = (f64::from(s[20 * y + c]).min(1.0), f64::from(l));
                let exact = if y == c { 1.0 } else { ((s - l) / (1.0 - l)).max(0.0) };
                let complement = if y == c { 0.0 } else { ((1.0 - s) / (1.0 - l)).min(1.0) };
                stored_well(&format!("l = {l}, ({y}, {c}), s = {s}"), stored, exact, complement, CORRECT);
            }
        }
    }
    Ok(())
}

/// A tree as its definition reads: heights by recursion over children, the common ancestor from two lists of ancestors.
fn by_definition(parents: &[u16], levels: &[f64], y: usize, c: usize) -> f64 {
    fn height(parents: &[u16], classes_only: &[bool], node: usize) -> usize {
        let children = (0..parents.len()).filter(|&k| k != node && usize::from(parents[k]) == node && classes_only[k]);
        children.map(|k| 1 + height(parents, classes_only, k)).max().unwrap_or(0)
    }
    let ancestors = |mut node: usize| {
        let mut list = vec![node];
        while usize::from(parents[node]) != node {
            node = usize::from(parents[node]);
            list.push(node);
        }
        list
    };
    // Inner nodes without a class below them have no height.
    let classes = usize::from(*parents.iter().min().unwrap_or(&0));
    let mut leads_to_a_class = vec![false; parents.len()];
    (0..classes).for_each(|k| ancestors(k).into_iter().for_each(|node| leads_to_a_class[node] = true));
    let others = ancestors(c);
    let common = ancestors(y).into_iter().find(|node| others.contains(node)).unwrap_or(y);
    levels[height(parents, &leads_to_a_class, common)]
}

#[test]
fn taxonomies_give_the_level_of_the_common_ancestor() -> Outcome {
    let mut random = Random::new(4);
    for round in 0..60 {
        let (classes, inner) = (2 + random.below(12), 1 + random.below(8));
        let mut parents: Vec<u16> = (0..classes).map(|_| (classes + random.below(inner)) as u16).collect();
        parents[0] = classes as u16; // the smallest parent tells the number of classes
        parents.extend((0..inner).map(|n| (classes + (n + 1 + random.below(inner - n)).min(inner - 1)) as u16));
        let mut levels: Vec<f32> = (0..inner).map(|_| random.unit()).collect();
        levels.sort_by(|a, b| b.total_cmp(a));
        if round % 3 == 0 {
            levels[0] = 1.0;
        }
        if round % 4 == 0 {
            levels[inner - 1] = 0.0;
        }
        levels.insert(0, 1.0);
        let wide: Vec<f64> = levels.iter().map(|&x| f64::from(x)).collect();
        let tree = Taxonomy::new(parents.clone(), levels, classes)?;
        let tree = AnySimilarity::Taxonomy(tree);
        for y in 0..classes {
            for (c, stored) in tree.stored_row(y)?.into_iter().enumerate() {
                let exact = by_definition(&parents, &wide, y, c);
                stored_well(&format!("{parents:?} ({y}, {c})"), stored, exact, 1.0 - exact, 0.0);
            }
        }
    }
    Ok(())
}

#[test]
fn superclasses_are_a_taxonomy() -> Outcome {
    let groups = [0, 1, 0, 2, 1, 2, 0];
    let s = AnySimilarity::superclass(&groups, 0.75f64, 0.125)?;
    for y in 0..7 {
        for (c, stored) in s.stored_row(y)?.into_iter().enumerate() {
            let expected = if y == c {
                1.0
            } else if groups[y] == groups[c] {
                0.75
            } else {
                0.125
            };
            assert_eq!(similarity(stored), expected, "({y}, {c})");
        }
    }
    Ok(())
}

#[test]
fn sparse_rows_are_the_identity_and_their_entries() -> Outcome {
    let label = |k| Label::new(k, 6);
    let mut entries = vec![(0, 5, 0.25f32), (0, 1, 0.75), (3, 2, 1.0), (3, 0, 0.0), (3, 5, 1e-40), (5, 0, 0.5)];
    let mut expected = SMatrix::<f32, 6, 6>::identity();
    for &(y, c, s) in &entries {
        expected[(y, c)] = if s < f32::MIN_POSITIVE { 0.0 } else { s };
    }
    for round in 0..4 {
        let mut sparse = SparseSimilarity::<f32, 6, 3>::new()?;
        for &(y, c, s) in &entries {
            sparse.insert(label(y)?, label(c)?, s)?;
        }
        sparse.insert(label(round)?, label(round)?, 1.0)?; // the diagonal is there already
        for y in 0..6 {
            for c in 0..6 {
                assert_eq!(sparse.get(label(y)?, label(c)?, &mut [7.0; 6])?, expected[(y, c)], "({y}, {c})");
            }
        }
        Random::new(round as u64).shuffle(&mut entries);
    }
    Ok(())
}

/// All rows of a similarity, as they are stored.
fn rows<T: Scalar>(s: &impl Similarity<T>) -> Result<Vec<T>, Error> {
    let mut all = vec![];
    for y in 0..s.classes() {
        let mut scratch = vec![T::from_f32(9.0); s.scratch()];
        all.extend_from_slice(s.row(Label::new(y, s.classes())?, &mut scratch));
    }
    Ok(all)
}

#[test]
fn copies_have_the_rows_of_what_they_copy() -> Outcome {
    let mut sparse = SparseSimilarity::new()?;
    sparse.insert(Label::new(2, 8)?, Label::new(5, 8)?, 0.7f32)?;
    let cosines: Vec<f32> = uniform(&mut Random::new(5), 64, 1.0);
    let general = DenseTable::lower_bounded_in_memory(vec![0.0; 64], 8, |i, j| cosines[8 * i + j], 0.2)?;
    for from in [
        AnySimilarity::Identity(Identity::new(8)?),
        AnySimilarity::order(8, 0.8)?,
        AnySimilarity::circular(8, 0.3)?,
        AnySimilarity::Dense(general),
        AnySimilarity::superclass(&[0, 0, 1, 1, 1, 2, 2, 0], 0.5, 0.125)?,
        AnySimilarity::Sparse(sparse),
    ] {
        // More memory than needed is welcome.
        let copy = DenseTable::copy_in_memory(vec![5.0f32; 70], &from, &mut [0.0; 9])?;
        assert_eq!(Similarity::<f32>::scratch(&copy), 0);
        assert_eq!(bits(&rows(&copy)?), bits(&rows(&from)?), "{from:?}");
        assert_eq!(bits(&rows(&&from)?), bits(&rows(&from)?), "a reference to {from:?}");
    }
    Ok(())
}

/// What the compiler knows and what is known at run time are the same numbers.
#[test]
fn sizes_in_types_and_at_run_time_give_the_same_rows() -> Outcome {
    for r in [0.0f32, 0.3, 0.8, 0.999] {
        let (line, ring) = (ClassOrder::<f32, 90>::new(r)?, CircularOrder::<f32, 90>::new(r)?);
        assert_eq!(bits(&rows(&line)?), bits(&rows(&AnySimilarity::order(90, r)?)?));
        assert_eq!(bits(&rows(&ring)?), bits(&rows(&AnySimilarity::circular(90, r)?)?));
    }
    let numbers: [f32; 9] = [1.0, 0.25, 0.0, 0.75, 1.0, 0.5, 0.125, 1.0, 1.0];
    let matrix = SMatrix::<f32, 3, 3>::from_row_slice(&numbers);
    let fixed = DenseSimilarity::new(&matrix)?;
    assert_eq!(bits(&rows(&fixed)?), bits(&rows(&AnySimilarity::dense(3, &numbers)?)?));
    // Row 1 of the matrix, not column 1, is for the true class 1.
    assert_eq!(fixed.get(Label::new(1, 3)?, Label::new(2, 3)?, &mut [])?, 0.5);
    assert_eq!(fixed.get(Label::new(2, 3)?, Label::new(1, 3)?, &mut [])?, 1.0);
    let bounded = DenseSimilarity::lower_bounded(&matrix, 0.25)?;
    let same = DenseTable::lower_bounded_in_memory([0.0; 9], 3, |i, j| matrix[(i, j)], 0.25)?;
    assert_eq!(bits(&rows(&bounded)?), bits(&rows(&same)?));
    assert_eq!(similarity(bounded.row(Label::new(0, 3)?, &mut [])[1]), 0.0);
    assert_eq!(ClassOrder::<f32, 90>::CLASSES, Some(90));
    assert_eq!(<AnySimilarity<f32> as Similarity<f32>>::CLASSES, None);
    Ok(())
}

/// Memory of the tables: `2C` numbers for an order, `C^2` for a matrix, and the number of classes.
#[test]
fn orders_take_the_memory_of_their_table() {
    assert_eq!(size_of::<ClassOrder<f32, 90>>(), 2 * 90 * 4 + size_of::<usize>());
    assert_eq!(size_of::<CircularOrder<f32, 90>>(), 2 * 90 * 4 + size_of::<usize>());
    assert_eq!(size_of::<DenseSimilarity<f32, 90>>(), 90 * 90 * 4 + size_of::<usize>());
}

/// The row of the true class reaches the loss: an asymmetric matrix, both ways round.
#[test]
fn the_loss_takes_the_row_of_the_true_class() -> Outcome {
    let s =
        DenseSimilarity::new(&SMatrix::<f64, 3, 3>::from_row_slice(&[1.0, 0.5, 0.0, 0.25, 1.0, 0.0, 1.0, 0.75, 1.0]))?;
    let z = SVector::from([0.0f64, 0.0, 0.0]);
    let rewards: Vec<f64> = scalars(&[0.5, 1.25 / 3.0, 2.75 / 3.0]);
    for (y, reward) in rewards.into_iter().enumerate() {
        let loss = SimLoss::new(&s).value(&z, Label::new(y, 3)?)?;
        assert!((loss + reward.ln()).abs() < 1e-15, "class {y}: {loss}");
    }
    Ok(())
}

#[test]
fn soft_labels_are_rows_divided_by_their_sum() -> Outcome {
    for classes in [2usize, 10, 90, 257] {
        for r in factors() {
            for y in [0, 1, classes / 2, classes - 1] {
                let label = Label::new(y, classes)?;
                let exact: Vec<f64> =
                    Row::class_order(r, classes, y).values().iter().map(|s| s.nearest::<f64>()).collect();
                let sum: f64 = exact.iter().sum();
                let mut found = vec![f32::NAN; classes];
                soft_label_into(&AnySimilarity::order(classes, r)?, label, &mut [], &mut found)?;
                for (c, (&t, s)) in found.iter().zip(&exact).enumerate() {
                    let t_exact = s / sum;
                    // Stored entries: the rounding of `S` or of `1 - S`, then sum and quotient.
                    let error = (f64::from(t) - t_exact).abs() / (t_exact * f64::from(f32::EPSILON) / 2.0);
                    assert!(t_exact < 2e-38 || error <= 6.0, "r = {r}, C = {classes}, ({y}, {c}): {error} u");
                }
                assert!(found.iter().all(|&t| t <= found[y]), "r = {r}");
            }
        }
    }
    // Soft ordinal labels: softmax(-abs(y - c) / tau).
    let tau = 2.0f64;
    let mut found = [0.0f32; 6];
    soft_label_into(&ClassOrder::<f32, 6>::new((-1.0 / tau).exp() as f32)?, Label::new(4, 6)?, &mut [], &mut found)?;
    let weights: Vec<f64> = (0..6).map(|c: i32| (-f64::from((4 - c).abs()) / tau).exp()).collect();
    let sum: f64 = weights.iter().sum();
    assert!(found.iter().zip(&weights).all(|(&t, w)| (f64::from(t) - w / sum).abs() < 1e-7), "{found:?}");

    // Rows that are computed need scratch; what does not fit is refused and changes nothing.
    let tree = AnySimilarity::superclass(&[0, 0, 1], 0.5f32, 0.0)?;
    let mut targets = [9.0f32; 3];
    soft_label_into(&tree, Label::new(0, 3)?, &mut [0.0; 3], &mut targets)?;
    assert_eq!(targets, [2.0 / 3.0, 1.0 / 3.0, 0.0]);
    let length = |what, expected, found| Err(Error::Length { what, expected, found });
    let of = |y, classes, scratch: &mut [f32], targets: &mut [f32]| {
        soft_label_into(&tree, Label::new(y, classes)?, scratch, targets)
    };
    assert_eq!(of(0, 3, &mut [0.0; 2], &mut targets), length("the scratch of a similarity row", 3, 2));
    assert_eq!(of(0, 3, &mut [0.0; 3], &mut targets[..2]), length("the soft label", 3, 2));
    assert!(of(0, 4, &mut [0.0; 3], &mut targets).is_err());
    assert_eq!(targets, [2.0 / 3.0, 1.0 / 3.0, 0.0]);
    Ok(())
}
