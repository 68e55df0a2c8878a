//! The textbook formulas, for comparison with the core's algorithm.
//!
//! They get all help that keeps the formulas: logits shifted by the largest one, correctly rounded entries of S, and the
//! platform's exponential and logarithm.
#![allow(clippy::disallowed_methods)] // as other implementations do

use crate::row::Row;
use crate::subject::{Answer, Number};

/// Functions of the platform's library.
pub trait Platform: Number {
    /// `exp x`.
    fn exp(self) -> Self;
    /// `ln x`.
    fn log(self) -> Self;
}

impl Platform for f32 {
    fn exp(self) -> f32 {
        f32::exp(self)
    }
    fn log(self) -> f32 {
        f32::ln(self)
    }
}

impl Platform for f64 {
    fn exp(self) -> f64 {
        f64::exp(self)
    }
    fn log(self) -> f64 {
        f64::ln(self)
    }
}

/// The entries of a row, each correctly rounded.
pub fn entries<T: Platform>(row: &Row) -> Vec<T> {
    row.values().iter().map(|s| s.nearest()).collect()
}

fn largest<T: Platform>(x: &[T]) -> T {
    x.iter().copied().fold(T::ZERO.sub(T::MAX), |most, x| if x > most { x } else { most })
}

fn sum<T: Platform>(terms: impl Iterator<Item = T>) -> T {
    terms.fold(T::ZERO, T::add)
}

/// `lse(x) = m + ln sum exp(x - m)`, and `exp(x - lse(x))`, the softmax that goes with it.
fn log_sum_exp<T: Platform>(x: &[T]) -> (T, Vec<T>) {
    let m = largest(x);
    let lse = m.add(sum(x.iter().map(|&x| x.sub(m).exp())).log());
    (lse, x.iter().map(|&x| x.sub(lse).exp()).collect())
}

/// `L = lse(z) - lse(z + ln S)`, `g = exp(z - lse(z)) - exp(z + ln S - lse(z + ln S))`.
///
/// `s` is the row of the true class. The second sum skips classes with `S = 0`.
pub fn lse<T: Platform>(z: &[T], s: &[T]) -> Answer<T> {
    let similar: Vec<usize> = (0..z.len()).filter(|&k| s[k] > T::ZERO).collect();
    let shifted: Vec<T> = similar.iter().map(|&k| z[k].add(s[k].log())).collect();
    let ((all, mut gradient), (right, q)) = (log_sum_exp(z), log_sum_exp(&shifted));
    for (&k, q) in similar.iter().zip(q) {
        gradient[k] = gradient[k].sub(q);
    }
    Answer { loss: all.sub(right), gradient }
}

/// `L = -ln sum S p`, `g = p - S p / sum S p` with `p = softmax(z)`, one running sum each.
///
/// `s` is the row of the true class.
pub fn naive<T: Platform>(z: &[T], s: &[T]) -> Answer<T> {
    let m = largest(z);
    let e: Vec<T> = z.iter().map(|&z| z.sub(m).exp()).collect();
    let total = sum(e.iter().copied());
    let p: Vec<T> = e.iter().map(|&e| e.div(total)).collect();
    let right = sum(p.iter().zip(s).map(|(&p, &s)| s.mul(p)));
    let gradient = p.iter().zip(s).map(|(&p, &s)| p.sub(s.mul(p).div(right))).collect();
    Answer { loss: T::ZERO.sub(right.log()), gradient }
}

/// `p = softmax(z)` of logits shifted by the largest.
fn softmax<T: Platform>(z: &[T]) -> Vec<T> {
    let m = largest(z);
    let e: Vec<T> = z.iter().map(|&z| z.sub(m).exp()).collect();
    let total = sum(e.iter().copied());
    e.into_iter().map(|e| e.div(total)).collect()
}

/// Proper SimLoss, `L = -ln q_y + 1 - sum_c p_c S_yc / q_c` with `q = S p`, and its gradient, one running sum each.
///
/// `s` is the matrix, row by row.
pub fn proper<T: Platform>(z: &[T], y: usize, s: &[T]) -> Answer<T> {
    let (classes, p) = (z.len(), softmax(z));
    let row = |c: usize| &s[c * classes..][..classes];
    let product = |v: &[T], c: usize| sum(row(c).iter().zip(v).map(|(&s, &v)| s.mul(v)));
    let q: Vec<T> = (0..classes).map(|c| product(&p, c)).collect();
    let shares = sum((0..classes).map(|c| p[c].mul(row(y)[c]).div(q[c])));
    let u: Vec<T> = (0..classes).map(|c| p[c].mul(row(y)[c]).div(q[c]).div(q[c])).collect();
    let of_class = |k: usize| {
        let s = row(y)[k];
        p[k].mul(T::ONE.sub(s.div(q[y])).sub(s.div(q[k])).add(product(&u, k)))
    };
    let loss = T::ZERO.sub(q[y].log()).add(T::ONE).sub(shares);
    Answer { loss, gradient: (0..classes).map(of_class).collect() }
}

/// Squared EMD, `L = sum_t (F_t - [t >= y])^2`, and its gradient, one running sum each.
pub fn squared_emd<T: Platform>(z: &[T], y: usize) -> Answer<T> {
    let p = softmax(z);
    let mut below = T::ZERO;
    let cumulative: Vec<T> = p[..p.len() - 1]
        .iter()
        .map(|&p| {
            below = below.add(p);
            below
        })
        .collect();
    let step = |is: bool| if is { T::ONE } else { T::ZERO };
    let misses: Vec<T> = cumulative.iter().enumerate().map(|(t, f)| f.sub(step(t >= y))).collect();
    let of_class = |k: usize| {
        let terms = misses.iter().zip(&cumulative).enumerate().map(|(t, (h, &f))| h.mul(step(k <= t).sub(f)));
        p[k].add(p[k]).mul(sum(terms))
    };
    Answer { loss: sum(misses.iter().map(|h| h.mul(*h))), gradient: (0..p.len()).map(of_class).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{oracle, ulp};

    #[test]
    fn both_are_right_where_nothing_is_hard() {
        let z = [0.5, -1.25, 2.0, 0.0];
        let row = Row::class_order(0.5, 4, 1);
        let (loss, gradient) = oracle::loss_and_gradient(&z, &row);
        for answer in [lse(&z, &entries(&row)), naive(&z, &entries(&row))] {
            assert!(ulp::distance(answer.loss, &loss) < 10.0);
            for (g, exact) in answer.gradient.iter().zip(&gradient) {
                assert!(ulp::gradient_distance(*g, exact, 0.0) < 10.0);
            }
        }
    }
}
