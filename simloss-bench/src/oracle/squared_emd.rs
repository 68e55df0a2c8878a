//! The squared earth mover's distance of ordered classes, which is the ranked probability score, and its gradient.
//!
//! ```text
//! p = softmax(z),   F_t = sum_(c <= t) p_c,   h_t = F_t - [t >= y]
//! L = sum_(t = 0)^(C - 2) h_t^2
//! dL/dz_k = 2 p_k sum_t h_t ([k <= t] - F_t)
//! ```
//!
//! `1 - F_t` is computed as the sum of `p_c` over `c > t`. Every term is then a product of two of `F_t` and `1 - F_t`, and its
//! sign is known: negative for `F_t F_t` (before `k` and `y`) and `(1 - F_t) (1 - F_t)` (from both on),
//! positive for `F_t (1 - F_t)` (between them). Terms of one sign are added, one after the other.

use super::{GradientEntry, exps, softmax_of};
use crate::exact::{Exact, Number, PRECISION, number};
use crate::real::Real;

/// The loss of the true class `y`.
///
/// Guarantees: a relative error below 2^-160. Panics if a logit is not finite or beyond 2^40, or if there is no class `y`.
///
/// ```
/// use simloss_bench::oracle::squared_emd;
/// // Half of the probability is one class too low, half is one class too high.
/// assert_eq!(squared_emd::loss(&[0.0_f32, -1e4, 0.0], 1).nearest::<f32>(), 0.5);
/// ```
pub fn loss<T: Real>(z: &[T], y: usize) -> Exact {
    loss_and_gradient(z, y).0
}

/// [`loss`] and its gradient by each logit.
///
/// For each entry, `p` is the sum of the positive ones among the terms `2 p_k h_t ([k <= t] - F_t)` over t, `q` that of the
/// negative ones; the error is below 2^-160 of both together.
pub fn loss_and_gradient<T: Real>(z: &[T], y: usize) -> (Exact, Vec<GradientEntry>) {
    let classes = z.len();
    assert!(y < classes, "there is no class {y} of {classes}");
    let p = softmax_of(&exps(z, PRECISION));
    // F_t and 1 - F_t, for t from 0 to C - 2.
    let below = running(p[..classes - 1].iter());
    let mut above = running(p[1..].iter().rev());
    above.reverse();

    let squares = |x: &[Number]| x.iter().map(|x| x * x).collect::<Vec<_>>();
    let mixed: Vec<Number> = below.iter().zip(&above).map(|(f, g)| f * g).collect();
    // At k: the sums over t < k of F_t^2, over t >= k of (1 - F_t)^2, and over t between k and y of F_t (1 - F_t).
    let before = from_zero(squares(&below).iter());
    let mut after = from_zero(squares(&above).iter().rev());
    after.reverse();
    let mut between = from_zero(mixed[..y].iter().rev());
    between.reverse();
    between.extend(running(mixed[y..].iter()));

    let of_class = |k: usize| {
        let twice = &p[k] * number(2.0, PRECISION);
        let (added, taken) = (&twice * &between[k], &twice * (&before[k.min(y)] + &after[k.max(y)]));
        GradientEntry { value: Exact(&added - &taken), p: Exact(added), q: Exact(taken) }
    };
    (Exact(&before[y] + &after[y]), (0..classes).map(of_class).collect())
}

/// The sums of the first, of the first two, and so on.
fn running<'a>(terms: impl Iterator<Item = &'a Number>) -> Vec<Number> {
    let sums = terms.scan(number(0.0, PRECISION), |sum, term| {
        *sum += term;
        Some(sum.clone())
    });
    sums.collect()
}

/// [`running`], and before it the sum of none.
fn from_zero<'a>(terms: impl Iterator<Item = &'a Number>) -> Vec<Number> {
    [vec![number(0.0, PRECISION)], running(terms)].concat()
}

#[cfg(test)]
mod tests {
    use super::super::tests::is;
    use super::*;
    use crate::cases::proper::{PAIRS, hard};
    use crate::oracle::softmax;
    use crate::real::power_of_two;

    #[test]
    fn three_and_five_classes_against_mpmath() {
        let (loss, gradient) = loss_and_gradient(&[1.5_f32, -2.25, 0.3, 88.0, -104.0], 1);
        is(&loss, (1.0, -6.371884476164912e-38), 1);
        is(&gradient[0].value, (-0.577094290603909, -4.609288227541802e-17), -122);
        is(&gradient[1].value, (-0.8686052391281024, 5.220288707788036e-17), -128);
        is(&gradient[2].value, (-0.6952698485181653, -4.1914147844859646e-17), -125);
        is(&gradient[3].value, (0.6775749785300563, 3.143452240968871e-17), -122);
        is(&gradient[4].value, (0.6787746797336567, -2.8636067404291815e-17), -399);
        let (loss, gradient) = loss_and_gradient(&[0.0, 50.0, -3.0], 1);
        is(&loss, (0.831661048972318, -5.036384712843504e-17), -144);
        is(&gradient[0].value, (0.8296046646041578, -3.5023872239833494e-17), -143);
        is(&gradient[1].value, (-0.831661048972318, 5.0364015521222185e-17), -143);
        is(&gradient[2].value, (0.5264343982489909, -4.1296093847456106e-17), -151);
    }

    /// The definition without rearrangement; accurate to 2^-150 absolutely.
    #[test]
    fn sums_are_those_of_the_definition() {
        for case in hard::<f64>(8, PAIRS).filter(|case| case.classes() <= 40) {
            let (z, y) = (&case.logits, case.y);
            let (loss, gradient) = loss_and_gradient(z, y);
            let p = softmax(z);
            let (zero, one) = (Exact::ZERO, Exact::from(1.0));
            let sum = |terms: Vec<Exact>| terms.iter().fold(zero.clone(), |sum, term| &sum + term);
            let below: Vec<Exact> = (0..z.len() - 1).map(|t| sum(p[..=t].to_vec())).collect();
            let step = |is: bool| if is { &one } else { &zero };
            let h: Vec<Exact> = below.iter().enumerate().map(|(t, f)| f - step(t >= y)).collect();
            let allowed = one.scaled(-150);
            let literal = sum(h.iter().map(|h| h * h).collect());
            assert!((&loss - &literal).abs() <= allowed, "{}", case.name);
            for (k, entry) in gradient.iter().enumerate() {
                let terms = h.iter().zip(&below).enumerate().map(|(t, (h, f))| h * &(step(k <= t) - f));
                let literal = &p[k].scaled(1) * &sum(terms.collect());
                assert!((&entry.value - &literal).abs() <= allowed, "{} at {k}", case.name);
                assert!(!entry.p.is_negative() && !entry.q.is_negative(), "{} at {k}", case.name);
            }
        }
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_loss() {
        let z = [0.25, -1.5, 0.5, 3.0];
        let step = power_of_two(-30);
        for (k, entry) in loss_and_gradient(&z, 2).1.iter().enumerate() {
            let at = |sign: f64| {
                let mut z = z;
                z[k] += sign * step;
                loss(&z, 2)
            };
            let slope = (&at(1.0) - &at(-1.0)).scaled(29);
            let miss = (&slope - &entry.value).abs().nearest::<f64>();
            assert!(miss < power_of_two(-58), "logit {k}: {miss:e}");
        }
    }
}
