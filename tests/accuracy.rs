//! Every loss with every similarity is within its bounds, in both formats, on inputs at which floats fail.
//!
//! A smaller edition of `stability`, so that a lost bit fails the ordinary tests. The oracle is given what the user gave (r,
//! levels, entries), not what the core stores.

use simloss_bench::{
    bounds::{Bound, Implementation, Quantity, check},
    cases::{PAIRS, SplitMix64, case, hard},
    error_stats::ErrorStats,
    exact::Exact,
    instructions::compare_lanes,
    measure::{elementary, losses},
    oracle::{self, GradientEntry, Row},
    peers::Platform,
    subject::{answer, cross_entropy, simloss},
    ulp,
};
use simloss_core::{
    Label,
    loss::{SimLoss, softmax_into},
    number::block_sum_of,
    similarity::{DenseTable, OrderTable, Similarity, SparseSimilarity, Taxonomy, dissimilarity, similarity},
};
use simloss_tests::Outcome;

const SEED: u64 = 11;

/// Loss and gradient of ours, of all shapes of logits with all kinds of rows, three times.
fn ours<T: Platform + Send>() {
    for row in losses::<T>(&[Implementation::Simloss, Implementation::Cce], SEED, 3 * PAIRS) {
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

#[test]
fn elementary_functions_are_within_their_bounds() {
    for row in elementary::<f32>(SEED, 1_000).into_iter().chain(elementary::<f64>(SEED, 1_000)) {
        let verdict = check(row.implementation, row.quantity, row.scalar, row.stats.max_ulp);
        assert!(verdict.is_fine(), "{}: {} ulp: {}", row.quantity.name(), row.stats.max_ulp, row.stats.worst);
    }
}

fn probabilities<T: Platform>() -> Outcome {
    let mut stats = ErrorStats::default();
    for case in hard::<T>(SEED, 3 * PAIRS) {
        let mut found = vec![T::ZERO; case.classes()];
        softmax_into(&case.logits, &mut found)?;
        for (k, (p, exact)) in found.into_iter().zip(oracle::softmax(&case.logits)).enumerate() {
            stats.value(p, &exact, || format!("class {k} of {}", case.name));
        }
    }
    let ulp = stats.max_ulp;
    assert!(Bound::of(Quantity::Softmax, T::SCALAR).holds(ulp), "{ulp} ulp: {}", stats.worst);
    assert!(ulp > 1.0, "a worst of {ulp} ulp: the cases have become soft");
    Ok(())
}

#[test]
fn probabilities_are_within_their_bounds() -> Outcome {
    probabilities::<f32>()?;
    probabilities::<f64>()
}

#[test]
fn lanes_match_single_samples() -> Outcome {
    compare_lanes(SEED, PAIRS)?;
    Ok(())
}

/// A similarity that the cases do not have, on logits of all their shapes.
fn with<T: Platform, S: Similarity<T>>(s: &S, row: impl Fn(usize) -> Row) -> Outcome {
    let classes = s.classes();
    let loss = SimLoss::new(s);
    let (mut losses, mut gradients) = (ErrorStats::default(), ErrorStats::default());
    for index in 0..2 * PAIRS {
        let mut logits = case::<T>(SEED, index).logits;
        logits.truncate(classes);
        if logits.len() < classes {
            continue;
        }
        let y = index % classes;
        let (exact, exact_gradient) = oracle::loss_and_gradient(&logits, &row(y));
        let got = answer(&loss, &logits, y)?;
        losses.value(got.loss, &exact, || format!("case {index}"));
        gradients.gradient(Quantity::Gradient, &got, &exact_gradient, |k| format!("class {k} of case {index}"));
    }
    assert!(losses.inputs > 100, "only {} cases", losses.inputs);
    for (quantity, stats) in [(Quantity::Loss, losses), (Quantity::Gradient, gradients)] {
        let holds = Bound::of(quantity, T::SCALAR).holds(stats.max_ulp);
        assert!(holds, "{}: {} ulp: {}", quantity.name(), stats.max_ulp, stats.worst);
    }
    Ok(())
}

fn sparse_and_taxonomy<T: Platform>() -> Outcome {
    const CLASSES: usize = 9;
    let mut random = SplitMix64::new(SEED);
    let mut entries = vec![vec![0.0; CLASSES]; CLASSES];
    let mut sparse = SparseSimilarity::<T, CLASSES, 3>::new()?;
    for (y, row) in entries.iter_mut().enumerate() {
        row[y] = 1.0;
        for d in 1..=3 {
            let s = if random.below(2) == 0 { random.unit() } else { 1.0 - random.magnitude(-24, -1) };
            let (c, s) = ((y + 2 * d) % CLASSES, T::round(s));
            sparse.insert(Label::new(y, CLASSES)?, Label::new(c, CLASSES)?, s)?;
            row[c] = s.into();
        }
    }
    let row = |row: &[f64]| Row::entries(&row.iter().map(|&s| T::round(s)).collect::<Vec<T>>());
    with::<T, _>(&sparse, |y| row(&entries[y]))?;

    // Three orders of three classes under one root; a level near 1, one far from it.
    let (near, far) = (1.0 - 1.0 / 1_048_576.0, 1e-3);
    let parents = (0..CLASSES).map(|c| (CLASSES + c / 3) as u16).chain([12; 4]);
    let levels = [1.0, near, far].map(T::round);
    let taxonomy = Taxonomy::new(parents.collect::<Vec<_>>(), levels, CLASSES)?;
    let level = |y: usize, c: usize| {
        if c == y {
            1.0
        } else if c / 3 == y / 3 {
            near
        } else {
            far
        }
    };
    with::<T, _>(&taxonomy, |y| row(&(0..CLASSES).map(|c| level(y, c)).collect::<Vec<_>>()))
}

#[test]
fn sparse_rows_and_taxonomies_are_within_the_bounds() -> Outcome {
    sparse_and_taxonomy::<f32>()?;
    sparse_and_taxonomy::<f64>()
}

/// Where `S` is 0 or 1 an entry of the gradient is a product, and is right to the last bits beside itself, not only beside
/// `p + q`: the gradient of a sample that is right by 40 does not vanish.
fn products<T: Platform>() -> Outcome {
    let bound = Bound::of(Quantity::Gradient, T::SCALAR);
    let (mut stats, mut checked) = (ErrorStats::default(), 0);
    for case in hard::<T>(SEED, 3 * PAIRS) {
        let identity = Row::identity(case.classes(), case.y);
        for (got, row) in [(simloss(&case)?, case.row()), (cross_entropy(&case)?, identity)] {
            let gradient = oracle::gradient(&case.logits, &row);
            for (k, (exact, s)) in gradient.into_iter().zip(row.values()).enumerate() {
                // Where p and q are near each other the oracle knows their difference to 2^-160.
                let is_known = exact.value.exponent() > Some(-100);
                if is_known && (s.is_zero() || s == Exact::from(1.0)) {
                    let alone = GradientEntry { p: exact.value.abs(), q: Exact::ZERO, value: exact.value };
                    let distance = ulp::gradient_distance(got.gradient[k], &alone, bound.floor);
                    stats.note(distance, 0.0, || format!("class {k} of {}", case.name));
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 1_000, "only {checked} entries");
    assert!(bound.holds(stats.max_ulp), "{} ulp: {}", stats.max_ulp, stats.worst);
    Ok(())
}

#[test]
fn entries_without_cancellation_are_accurate() -> Outcome {
    products::<f32>()?;
    products::<f64>()
}

/// `(x0 + x1) + (x2 + x3)`, and nothing else that is as accurate: what makes bits the same everywhere.
#[test]
fn the_order_of_a_sum_is_part_of_its_definition() {
    let (t, e) = (f32::EPSILON / 2.0, f32::EPSILON);
    assert_eq!(block_sum_of((), &[1.0, t, t, t]), 1.0 + e);
    assert_eq!(block_sum_of((), &[t, t, 1.0, t]), 1.0 + e);
    assert_eq!(block_sum_of((), &[t, 1.0, t, 0.0]), 1.0);
    // The next block comes after the one before, with what that one lost.
    assert_eq!(block_sum_of((), &[1.0, 0.0, 0.0, 0.0, t, 0.0, 0.0, 0.0, t]), 1.0 + e);
}

/// `S` and `1 - S` as the loss uses them: the smaller one rounded once, the larger one its rounded complement.
fn rounded_once<T: Platform>(stored: &[T], exact: &[Exact], what: &str) {
    for (c, (&x, s)) in stored.iter().zip(exact).enumerate() {
        let rest = &Exact::from(1.0) - s;
        for (got, exact) in [(similarity(x), s), (dissimilarity(x), &rest)] {
            let distance = ulp::distance(got, exact);
            assert!(distance <= 0.76, "{what}, class {c}: {distance} ulp");
        }
    }
}

fn stored<T: Platform>() -> Outcome {
    const CLASSES: usize = 120;
    let first = Label::new(0, CLASSES)?;
    let mut random = SplitMix64::new(SEED);
    for l in [0.0, 0.1, 0.5, 0.9, 0.99] {
        let l = T::round(l);
        let mut measure = |c| match c % 2 {
            _ if c == 0 => 1.0,
            0 => random.between(l.into(), 1.0),
            _ => 1.0 - random.magnitude(-T::SCALAR.digits(), -4),
        };
        let measures: Vec<T> = (0..CLASSES).map(|c| T::round(measure(c))).collect();
        let of = |y: usize, c: usize| if y == 0 { measures[c] } else { T::ZERO };
        let table = DenseTable::lower_bounded_in_memory(vec![T::ZERO; CLASSES * CLASSES], CLASSES, of, l)?;
        rounded_once(table.row(first, &mut []), &Row::general(&measures, l).values(), &format!("l = {l:?}"));
    }
    for r in [0.1, 0.3, 0.8, 0.99, 1.0 - 1.0 / 1_048_576.0] {
        let r = T::round(r);
        let order = OrderTable::in_memory(vec![T::ZERO; 2 * CLASSES - 1], CLASSES, r)?;
        let exact = Row::class_order(r, CLASSES, 0).values();
        rounded_once(order.row(first, &mut []), &exact, &format!("r = {r:?}"));
    }
    Ok(())
}

#[test]
fn similarities_and_complements_are_rounded_once() -> Outcome {
    stored::<f32>()?;
    stored::<f64>()
}
