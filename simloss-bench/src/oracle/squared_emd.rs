//! The squared earth mover's distance of ordered classes, which is the ranked probability score, and its gradient.
//!
//! ```text
//! p = softmax(z),   F_t = sum_(c <= t) p_c,   h_t = F_t - [t >= y]
//! L = sum_(t = 0)^(C - 2) h_t^2
//! dL/dz_k = 2 p_k sum_t h_t ([k <= t] - F_t)
//! ```
//!
//! `1 - F_t` is the sum of `p_c` over `c > t`, and computed so; nothing else is rearranged, and nothing cancels.

use super::{GradientEntry, exps, softmax_of};
use crate::exact::{Exact, Number, PRECISION, number};
use crate::real::Real;

/// The loss of the true class `y`.
///
/// Guarantees: a relative error below 2^-160. Panics where a logit is not finite or beyond 2^40, or there is no class `y`.
///
/// ```
/// use simloss_bench::oracle::squared_emd;
/// // Half of the probability is one class too low, half of it one too high.
/// assert_eq!(squared_emd::loss(&[0.0_f32, -1e4, 0.0], 1).nearest::<f32>(), 0.5);
/// ```
pub fn loss<T: Real>(z: &[T], y: usize) -> Exact {
    loss_and_gradient(z, y).0
}

/// [`loss`] and its gradient by each logit.
///
/// Of an entry, `p` is the sum of the positive ones among the terms `2 p_k h_t ([k <= t] - F_t)` over t, `q` that of the
/// negative ones; the error is below 2^-160 of both together.
pub fn loss_and_gradient<T: Real>(z: &[T], y: usize) -> (Exact, Vec<GradientEntry>) {
    let classes = z.len();
    assert!(y < classes, "there is no class {y} of {classes}");
    let p = softmax_of(&exps(z, PRECISION));
    let (below, above) = sums(&p);
    // |h_t|: F_t before y, where h is positive; 1 - F_t from y on, where it is negative.
    let miss = |t: usize| if t < y { &below[t] } else { &above[t] };
    let steps = 0..classes - 1;
    let loss = steps.clone().fold(zero(), |sum, t| sum + miss(t) * miss(t));
    let of_class = |k: usize| {
        let mut parts = [zero(), zero()];
        for t in steps.clone() {
            // |[k <= t] - F_t|: 1 - F_t from k on, where it is positive; F_t before k, where it is negative.
            let (slope, same_sign) = if k <= t { (&above[t], t < y) } else { (&below[t], t >= y) };
            parts[usize::from(!same_sign)] += miss(t) * slope;
        }
        let twice = &p[k] * number(2.0, PRECISION);
        let [added, taken] = parts.map(|part| part * &twice);
        GradientEntry { value: Exact(&added - &taken), p: Exact(added), q: Exact(taken) }
    };
    (Exact(loss), (0..classes).map(of_class).collect())
}

/// `F_t` and `1 - F_t` of all t.
fn sums(p: &[Number]) -> (Vec<Number>, Vec<Number>) {
    let running = |sum: &mut Number, p: &Number| {
        *sum += p;
        Some(sum.clone())
    };
    let below: Vec<Number> = p[..p.len() - 1].iter().scan(zero(), running).collect();
    let mut above: Vec<Number> = p[1..].iter().rev().scan(zero(), running).collect();
    above.reverse();
    (below, above)
}

fn zero() -> Number {
    number(0.0, PRECISION)
}
