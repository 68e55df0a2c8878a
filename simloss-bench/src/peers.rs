//! The formulas of textbooks, as one would type them: what the core's algorithm is compared with.
//!
//! They get every help that leaves them what they are: logits shifted by the largest one, entries of S correctly rounded
//! from the exact ones, and the exponential and logarithm of the platform.
#![allow(clippy::disallowed_methods)] // the point is to do what others do

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
/// `s` is the row of the true class. Classes with `S = 0` are left out of the second sum.
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
