//! Proper SimLoss and its gradient, straight from the definitions.
//!
//! ```text
//! p = softmax(z),   q = S p,   S symmetric
//! L = -ln q_y + 1 - sum_c p_c S_yc / q_c
//! dL/dz_k = p_k (1 - S_yk / q_y - S_yk / q_k + sum_c p_c S_yc S_ck / q_c^2)
//! ```
//!
//! Near the truth `L` is of second order in `1 - p_y`, and all of it cancels: at `p_y = 1 - 2^-100` it takes 200 bits more
//! than the result has. They are found by computing with twice as many bits until the error is small enough.

use super::{GUARD, GradientEntry, exps, softmax_of, tables, until_known};
use crate::exact::{Exact, Number, number};
use crate::matrix::Matrix;
use crate::real::Real;

/// The loss `L = -ln q_y + 1 - sum_c p_c S_yc / q_c` of the true class `y`.
///
/// Guarantees: an error below 2^-64 of the spacing of `T` at the result, as [`super::loss`].
///
/// Panics where a logit is not finite or beyond 2^40, or lengths differ.
///
/// ```
/// use simloss_bench::{matrix::Matrix, oracle::{self, proper}};
/// let z = [0.0_f32, 17.0];
/// // With nothing alike it is cross entropy.
/// assert_eq!(proper::loss(&z, 1, &Matrix::identity(2)).nearest::<f32>(), oracle::cross_entropy(&z, 1).nearest());
/// // Near the truth it is of second order otherwise: x^2 K / 2 with x = exp(-17), K = 2 / S - 1 - S^2.
/// let loss = proper::loss(&z, 1, &Matrix::class_order(0.5_f32, 2)).nearest::<f64>();
/// assert!((loss / ((-34.0_f64).exp() * 0.5 * 2.75) - 1.0).abs() < 1e-6);
/// ```
pub fn loss<T: Real>(z: &[T], y: usize, similarity: &Matrix) -> Exact {
    loss_and_parts(z, y, similarity).0
}

/// [`loss`] and its gradient by each logit.
///
/// Of an entry, `p` is the sum of the positive parts `p_k (1 + sum_c p_c S_yc S_ck / q_c^2)`, `q` that of the negative
/// ones `p_k (S_yk / q_y + S_yk / q_k)`; the error is below 2^-160 of both together.
pub fn loss_and_gradient<T: Real>(z: &[T], y: usize, similarity: &Matrix) -> (Exact, Vec<GradientEntry>) {
    let (loss, parts) = loss_and_parts(z, y, similarity);
    (loss, entries(&parts, y, similarity))
}

/// What the loss is made of, at one precision.
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
        let p = softmax_of(&exps(z, precision));
        let q = similarity.product(&p, precision);
        let row = similarity.row(y, precision);
        let terms = p.iter().zip(&row).zip(&q).map(|((p, s), q)| p * s / q);
        let shares = terms.fold(number(0.0, precision), |sum, term| sum + term);
        let ln = tables(|tables| tables.ln(&q[y], precision));
        // q, and each term, carries at most 5 C + 60 roundings; the terms' sum is at most 1 - ln q_y, because no loss is
        // negative.
        let size = Exact(ln.clone()).exponent().unwrap_or(0).max(0) + 1;
        let loss = Exact(number(1.0, precision) - ln - shares);
        (loss, GUARD + size - precision as i64, Parts { precision, p, q, row })
    })
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
