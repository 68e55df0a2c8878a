//! Laws of one sample.

use super::{Format, Kind, Law, One, evaluate, narrow, one, reference, sum};
use proptest::prelude::*;
use simloss_core::{
    Error,
    loss::{CrossEntropy, SimLoss},
    number::Scalar,
    similarity::similarity,
};
use simloss_tests::{AnySimilarity, Evaluated, bits, config, doubles};

fn loss_and_gradient_are_bounded<T: Format>(one: &One) -> Law {
    let s = one.kind.build::<T>(one.classes)?;
    let Evaluated { losses, gradient } = evaluate(&SimLoss::new(&s), &narrow::<T>(&one.logits), one.truth)?;
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
    let Evaluated { losses, gradient } = evaluate(&SimLoss::new(&s), &one.logits, one.truth)?;
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
    let expected = evaluate(&CrossEntropy::new(one.classes)?, &logits, one.truth)?;
    let mut kinds = identities(one.classes);
    if T::from_f32(1e-40) >= T::MIN_POSITIVE {
        kinds.pop();
    }
    for kind in kinds {
        let got = evaluate(&SimLoss::new(&kind.build::<T>(one.classes)?), &logits, one.truth)?;
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
    let (a, b) = (evaluate(&SimLoss::new(&s), &logits, one.truth)?, evaluate(&SimLoss::new(&s), &shifted, one.truth)?);
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
    let a = evaluate(&SimLoss::new(&before), &logits, one.truth)?;
    let b = evaluate(&SimLoss::new(&AnySimilarity::dense(classes, &moved_matrix)?), &moved, truth)?;
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
        Ok(evaluate(&SimLoss::new(&AnySimilarity::dense(classes, s)?), &logits, one.truth)?.losses[0].to_f64())
    };
    let (before, after) = (loss(&matrix)?, loss(&raised)?);
    // Each is within its bound of the exact loss, which does not rise.
    prop_assert!(after <= before + 2.0 * T::loss_bound(before), "{before} rose to {after}");
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn losses_are_nonnegative_and_gradients_sum_to_zero(one in one()) {
        loss_and_gradient_are_bounded::<f32>(&one)?;
        loss_and_gradient_are_bounded::<f64>(&one)?;
    }

    #[test]
    fn losses_and_gradients_keep_their_bounds(one in one()) {
        loss_and_gradient_are_accurate(&one)?;
    }

    #[test]
    fn unrelated_classes_match_cross_entropy_bit_for_bit(one in one()) {
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
