//! Proper SimLoss and its gradient, directly from the definitions.
//!
//! ```text
//! p = softmax(z),   q = S p,   S symmetric
//! L = -ln q_y + 1 - sum_c p_c S_yc / q_c
//! dL/dz_k = p_k (1 - S_yk / q_y - S_yk / q_k + sum_c p_c S_yc S_ck / q_c^2)
//! ```
//!
//! Near the true class, `L` is of second order in `1 - p_y`, and its terms cancel: at `p_y = 1 - 2^-100`, it needs 200 bits
//! more than the result has. The oracle doubles the bits until the error is small enough.

use super::{GUARD, GradientEntry, exps, softmax_of, tables, until_known};
use crate::exact::{Exact, Number, number};
use crate::matrix::Matrix;
use crate::real::Real;

/// The loss `L = -ln q_y + 1 - sum_c p_c S_yc / q_c` of the true class `y`.
///
/// Guarantees: an error below 2^-64 of the spacing of `T` at the result, as [`super::loss`].
///
/// Panics if a logit is not finite or beyond 2^40, or if lengths differ.
///
/// ```
/// use simloss_bench::{matrix::Matrix, oracle::{self, proper}};
/// let z = [0.0_f32, 17.0];
/// // Without similar classes, it is cross entropy.
/// let expected = oracle::cross_entropy(&z, 1).nearest::<f32>();
/// assert_eq!(proper::loss(&z, 1, &Matrix::identity(2)).nearest::<f32>(), expected);
/// // Otherwise it is of second order near the true class: x^2 K / 2 with x = exp(-17), K = 2 / S - 1 - S^2.
/// let loss = proper::loss(&z, 1, &Matrix::class_order(0.5_f32, 2)).nearest::<f64>();
/// assert!((loss / ((-34.0_f64).exp() * 0.5 * 2.75) - 1.0).abs() < 1e-6);
/// ```
pub fn loss<T: Real>(z: &[T], y: usize, similarity: &Matrix) -> Exact {
    loss_and_parts(z, y, similarity).0
}

/// [`loss`] and its gradient by each logit.
///
/// For each entry, `p` is the sum of the positive parts `p_k (1 + sum_c p_c S_yc S_ck / q_c^2)`, `q` that of the negative
/// parts `p_k (S_yk / q_y + S_yk / q_k)`; the error is below 2^-160 of both together.
pub fn loss_and_gradient<T: Real>(z: &[T], y: usize, similarity: &Matrix) -> (Exact, Vec<GradientEntry>) {
    let (loss, parts) = loss_and_parts(z, y, similarity);
    (loss, entries(&parts, y, similarity))
}

/// The parts of the loss, at one precision.
struct Parts {
    precision: usize,
    p: Vec<Number>,
    /// `S p`
    q: Vec<Number>,
    /// `S_y.`
    row: Vec<Number>,
}

fn loss_and_parts<T: Real>(z: &[T], y: usize, similarity: &Matrix) -> (Exact, Parts) {
    assert_eq!(z.len(), similarity.classes(), "as many logits as classes");
    until_known::<T, _>(|precision| {
        let (loss, parts) = at(z, y, similarity, precision);
        // q, and each term, carries at most 5 C + 60 roundings; the sum of the terms is at most 1 - ln q_y, because no loss
        // is negative.
        let ln = Exact(parts.q[y].clone()).exponent().unwrap_or(0).unsigned_abs() + 1;
        (loss, GUARD + i64::from(ln.ilog2()) + 1 - precision as i64, parts)
    })
}

/// The loss at one precision.
fn at<T: Real>(z: &[T], y: usize, similarity: &Matrix, precision: usize) -> (Exact, Parts) {
    let p = softmax_of(&exps(z, precision));
    let q = similarity.product(&p, precision);
    let row = similarity.row(y, precision);
    let terms = p.iter().zip(&row).zip(&q).map(|((p, s), q)| p * s / q);
    let shares = terms.fold(number(0.0, precision), |sum, term| sum + term);
    let ln = tables(|tables| tables.ln(&q[y], precision));
    (Exact(number(1.0, precision) - ln - shares), Parts { precision, p, q, row })
}

fn entries(parts: &Parts, y: usize, similarity: &Matrix) -> Vec<GradientEntry> {
    let Parts { precision, p, q, row } = parts;
    let u: Vec<Number> = p.iter().zip(row).zip(q).map(|((p, s), q)| p * s / q / q).collect();
    let sums = similarity.product(&u, *precision);
    let of_class = |k: usize| {
        let added = &p[k] * (number(1.0, *precision) + &sums[k]);
        let taken = &p[k] * (&row[k] / &q[y] + &row[k] / &q[k]);
        GradientEntry { value: Exact(&added - &taken), p: Exact(added), q: Exact(taken) }
    };
    (0..p.len()).map(of_class).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::is;
    use super::*;
    use crate::cases::proper::{PAIRS, hard};
    use crate::oracle::{cross_entropy, gradient, squared_emd};
    use crate::real::power_of_two;
    use crate::row::Row;

    #[test]
    fn two_three_and_five_classes_against_mpmath() {
        let z = [1.5_f32, -2.25, 0.3, 88.0, -104.0];
        let (loss, gradient) = loss_and_gradient(&z, 1, &Matrix::class_order(0.8_f32, 5));
        is(&loss, (0.8062870537526109, -1.8182543400464538e-17), 0);
        is(&gradient[0].value, (-0.8568810928630147, 6.218202441663442e-18), -124);
        is(&gradient[1].value, (-0.7450026625494993, -4.6546304737814053e-17), -129);
        is(&gradient[2].value, (-0.5131091193425319, -4.5374564889680596e-17), -126);
        is(&gradient[4].value, (0.5770197895387685, 5.012410544918004e-17), -280);
        // Of second order relative to its parts: as accurate as those allow.
        let of_rest = Exact::from(0.5042198529516598).scaled(-123);
        assert!((&gradient[3].value - &of_rest).abs() <= gradient[3].magnitude().scaled(-160));

        let close = 1.0 - power_of_two(-20);
        let ring = Matrix::circular(close, 3);
        is(&super::loss(&[0.0, 70.0, -3.0], 1, &ring), (0.534474777094544, 1.6733270946623903e-17), -220);
        // p_y is 1 - 2^-1010, and what is left is its square.
        let half = Matrix::class_order(0.5, 2);
        let miss = &super::loss(&[0.0, 700.0], 1, &half) - &Exact::from(0.8046171390593178).scaled(-2019);
        assert!(miss.abs() <= Exact::from(1.0).scaled(-1074 - 52 - 64));
        is(&super::loss(&[0.0, 300.0], 1, &half), (0.8965196348274449, -4.781702351788003e-17), -865);
    }

    #[test]
    fn more_bits_change_nothing() {
        for case in hard::<f32>(5, PAIRS).filter(|case| case.classes() <= 100) {
            let (z, y, matrix) = (&case.logits, case.y, case.matrix());
            let wide: Vec<f64> = z.iter().map(|&z| z.into()).collect();
            let (loss, gradient) = loss_and_gradient(z, y, &matrix);
            // At least four times as many bits are found to be necessary for an f64 that ends 900 places further down.
            let (better, parts) = at(&wide, y, &matrix, 2048);
            let spacing = f32::SCALAR.spacing_exponent(better.exponent().unwrap_or(-9999));
            let miss = (&loss - &better).abs();
            assert!(miss <= Exact::from(1.0).scaled(spacing - 64), "{}: {miss}", case.name);
            for (k, (got, better)) in gradient.iter().zip(entries(&parts, y, &matrix)).enumerate() {
                let miss = (&got.value - &better.value).abs();
                assert!(miss <= better.magnitude().scaled(-160), "{} at {k}", case.name);
            }
        }
    }

    #[test]
    fn losses_and_gradients_obey_their_laws() {
        let slack = Exact::from(1.0).scaled(-150);
        for case in hard::<f64>(6, PAIRS).filter(|case| case.classes() <= 100) {
            let (z, y, matrix) = (&case.logits, case.y, case.matrix());
            let (loss, gradient) = loss_and_gradient(z, y, &matrix);
            let sum = gradient.iter().fold(Exact::ZERO, |sum, entry| &sum + &entry.value);
            assert!(sum.abs() <= slack, "{}: sum {sum}", case.name);
            let spacing = Exact::from(1.0).scaled(-1074);
            assert!(loss >= -&spacing, "{}: a loss of {loss}", case.name);
            // At most 1 - s - ln s, with s the least similarity in the row.
            let row = matrix.row(y, 192).into_iter().map(Exact);
            let least = row.fold(Exact::from(1.0), |least, s| if s < least { s } else { least });
            if least.exponent() > Some(-1022) {
                let most = &(&Exact::from(1.0) - &least) - &crate::oracle::ln(least.nearest::<f64>());
                assert!(loss <= &most + &most.scaled(-50), "{}: a loss of {loss}, more than {most}", case.name);
            }
        }
    }

    #[test]
    fn without_similarity_it_is_cross_entropy() {
        for case in hard::<f64>(7, PAIRS).filter(|case| case.classes() <= 100) {
            let (z, y, classes) = (&case.logits, case.y, case.classes());
            let (loss, entries) = loss_and_gradient(z, y, &Matrix::identity(classes));
            let expected = cross_entropy(z, y);
            let spacing = f64::SCALAR.spacing_exponent(expected.exponent().unwrap_or(-9999));
            assert!((&loss - &expected).abs() <= Exact::from(1.0).scaled(spacing - 62), "{}", case.name);
            for (got, expected) in entries.iter().zip(gradient(z, &Row::identity(classes, y))) {
                let miss = (&got.value - &expected.value).abs();
                assert!(miss <= got.magnitude().scaled(-160), "{}", case.name);
            }
        }
    }

    #[test]
    fn near_one_it_is_a_multiple_of_squared_emd() {
        let z = [0.5, -1.0, 2.0, 0.0, 1.25, -3.0];
        let rest = power_of_two(-30);
        let order = Matrix::class_order(1.0 - rest, z.len());
        for y in 0..z.len() {
            let (loss, gradient) = loss_and_gradient(&z, y, &order);
            let (expected, slopes) = squared_emd::loss_and_gradient(&z, y);
            let close = |got: &Exact, expected: &Exact| {
                let ratio = (&got.scaled(29) / expected).nearest::<f64>();
                assert!((ratio - 1.0).abs() < 100.0 * rest, "y = {y}: {ratio}");
            };
            close(&loss, &expected);
            gradient.iter().zip(&slopes).for_each(|(got, expected)| close(&got.value, &expected.value));
        }
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_loss() {
        let z = [0.25, -1.5, 0.5, 3.0];
        let groups = Matrix::groups(&[vec![0, 0, 1, 1], vec![0, 0, 0, 0]], &[0.75, 0.25]);
        let step = power_of_two(-30);
        for matrix in [Matrix::class_order(0.3, 4), Matrix::circular(0.9, 4), groups] {
            for (k, entry) in loss_and_gradient(&z, 2, &matrix).1.iter().enumerate() {
                let at = |sign: f64| {
                    let mut z = z;
                    z[k] += sign * step;
                    loss(&z, 2, &matrix)
                };
                let slope = (&at(1.0) - &at(-1.0)).scaled(29);
                let miss = (&slope - &entry.value).abs().nearest::<f64>();
                assert!(miss < power_of_two(-58), "logit {k}: {miss:e}");
            }
        }
    }
}
