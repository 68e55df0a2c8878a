//! An obviously correct copy of the mathematics of `simloss-core`, in numbers of hundreds of bits.
//!
//! ```text
//! p = softmax(z),   p_c = exp(z_c) / sum_j exp(z_j)
//! L = -ln( sum_c S[y,c] p_c )
//! g_k = dL/dz_k = p_k - q_k,   q_k = S[y,k] p_k / sum_c S[y,c] p_c
//! ```
//!
//! The oracle evaluates these formulas directly: no shift by the largest logit, no `1 - S`, no `log1p`, no special case for
//! wrong samples. Precision replaces these measures. Exponents are unlimited, and a loss that is too small for its bits is
//! computed again with twice as many, until the error is below 2^-64 of the spacing of the scalar at the result. The oracle
//! shares no code with the core, so one can check the other.
//!
//! S below the smallest normal number of the scalar is 0, here and in the core. Otherwise the oracle uses the user's input
//! (`r`, similarities and `l`, or entries), not a table of rounded numbers.
//!
//! [`proper`] has proper SimLoss, and [`squared_emd`] the score that it is compared with for ordered classes.
//!
//! Logits may have magnitudes up to 2^40. The functions panic outside their domain: that is an error in the calling test.

pub mod proper;
pub mod squared_emd;

use std::cell::RefCell;
use std::collections::HashMap;

use dashu_float::round::mode::HalfEven;
use dashu_float::{ConstCache, Context};

use crate::exact::{Exact, Number, PRECISION, number};
use crate::real::{Real, power_of_two};
pub use crate::row::Row;

/// Bits of the elementary functions: 75 more than an `f64` has.
const ELEMENTARY: usize = 128;

/// A loss is computed again until its error is below 2^-MARGIN of the scalar's spacing there.
const MARGIN: i64 = 64;

/// The error of a computed `sum S p` in units of its last bit is below 2^GUARD.
///
/// A term carries at most 15 factors in its exponential and C in a power of r, and 2 C terms are
/// added: 4 C + 20 roundings in all, so 2^20 serves a quarter of a million classes.
const GUARD: i64 = 20;

/// One entry of the gradient: `value = p - q`, with the parts by which its error is measured.
#[derive(Clone, Debug)]
pub struct GradientEntry {
    /// `p - q`, the derivative of the loss by this logit.
    pub value: Exact,
    /// The positive part: `p`, the predicted probability of the class. (Other losses document theirs.)
    pub p: Exact,
    /// The negative part: `q = S p / sum S p`.
    pub q: Exact,
}

impl GradientEntry {
    /// `|p| + |q|`, the scale of the entry's error.
    pub fn magnitude(&self) -> Exact {
        &self.p + &self.q
    }
}

/// The sums of the definition at one precision.
struct Sums {
    /// `exp(z_c)`
    exps: Vec<Number>,
    /// `S[y,c] exp(z_c)`
    similar: Vec<Number>,
    /// `sum_c exp(z_c)`
    all: Number,
    /// `sum_c S[y,c] exp(z_c)`
    right: Number,
}

impl Sums {
    fn new<T: Real>(z: &[T], row: &Row, precision: usize) -> Self {
        assert_eq!(z.len(), row.classes(), "as many logits as entries of the row");
        let exps = exps(z, precision);
        let similar: Vec<Number> = row.at(precision).iter().zip(&exps).map(|(s, e)| s * e).collect();
        Self { all: sum(&exps), right: sum(&similar), exps, similar }
    }
}

fn exps<T: Real>(z: &[T], precision: usize) -> Vec<Number> {
    z.iter().map(|&z| exp_of(z.into(), precision)).collect()
}

fn sum(terms: &[Number]) -> Number {
    terms.iter().fold(Number::ZERO, |sum, term| sum + term)
}

/// `exp(z_c) / sum_j exp(z_j)`
fn softmax_of(exps: &[Number]) -> Vec<Number> {
    let all = sum(exps);
    exps.iter().map(|e| e / &all).collect()
}

/// The loss `L = -ln( sum_c S[y,c] softmax(z)_c )`.
///
/// Guarantees: an error below 2^-64 of the spacing of `T` at the result, so a loss that is too small for any scalar may be 0.
/// The row determines the true class; there is no parameter `y`.
///
/// Panics if a logit is not finite or beyond 2^40, if lengths differ, or if all of S is 0.
///
/// Cost: 2 to 5 microseconds per class and 100 for the logarithm; up to four times that if the loss is below 2^-85 (`f32`) or
/// 2^-56 (`f64`) and is computed again.
///
/// ```
/// use simloss_bench::oracle::{Row, loss};
/// // Two classes, correct by 17: log1p(exp(-17)), which 1 - p loses in f32.
/// let loss = loss(&[0.0_f32, 17.0], &Row::identity(2, 1));
/// assert_eq!(loss.nearest::<f32>(), 4.139_937_4e-8);
/// ```
pub fn loss<T: Real>(z: &[T], row: &Row) -> Exact {
    loss_and_sums(z, row).0
}

/// The gradient `g_k = p_k - q_k` of the loss by each logit.
///
/// Guarantees: an error below 2^-160 of `p_k + q_k`. Panics if [`loss`] does.
///
/// ```
/// use simloss_bench::oracle::{Row, gradient};
/// let g = gradient(&[1.0_f32, 1.0], &Row::identity(2, 0));
/// assert_eq!((g[0].value.nearest::<f32>(), g[1].value.nearest::<f32>()), (-0.5, 0.5));
/// ```
pub fn gradient<T: Real>(z: &[T], row: &Row) -> Vec<GradientEntry> {
    entries(&Sums::new(z, row, PRECISION))
}

/// [`loss`] and [`gradient`] for slightly more than the cost of one of them.
pub fn loss_and_gradient<T: Real>(z: &[T], row: &Row) -> (Exact, Vec<GradientEntry>) {
    let (loss, sums) = loss_and_sums(z, row);
    (loss, entries(&sums))
}

/// Cross entropy `-ln softmax(z)_y`.
pub fn cross_entropy<T: Real>(z: &[T], y: usize) -> Exact {
    loss(z, &Row::identity(z.len(), y))
}

/// The probabilities `softmax(z)`.
pub fn softmax<T: Real>(z: &[T]) -> Vec<Exact> {
    gradient(z, &Row::identity(z.len(), 0)).into_iter().map(|entry| entry.p).collect()
}

/// The expectation `sum_c p_c v_c` of the class values `v` (ages, costs) under `softmax(z)`.
///
/// With the costs of a decision as `v`, it is the risk of that decision.
pub fn expectation<T: Real>(z: &[T], values: &[T]) -> Exact {
    assert_eq!(z.len(), values.len(), "as many values as logits");
    let terms = softmax(z).into_iter().zip(values);
    terms.fold(Exact::ZERO, |sum, (p, &v)| &sum + &(&p * &Exact::from(v.into())))
}

/// The minimum-risk decision: `argmin_d sum_c p_c cost[d][c]`, the lowest index of equal ones.
pub fn minimum_risk<T: Real>(z: &[T], costs: &[Vec<T>]) -> usize {
    let risks: Vec<Exact> = costs.iter().map(|costs| expectation(z, costs)).collect();
    (1..risks.len()).fold(0, |best, d| if risks[d] < risks[best] { d } else { best })
}

/// The Brier score `sum_c (p_c - [c = y])^2`.
pub fn brier<T: Real>(z: &[T], y: usize) -> Exact {
    // The gradient of cross entropy is p - [c = y].
    let misses = gradient(z, &Row::identity(z.len(), y)).into_iter().map(|entry| entry.value);
    misses.fold(Exact::ZERO, |sum, miss| &sum + &(&miss * &miss))
}

/// `exp(h + l)` for the exact sum of the two.
pub fn exp(h: impl Into<f64>, l: impl Into<f64>) -> Exact {
    Exact(exp_of(h.into(), PRECISION) * exp_of(l.into(), PRECISION))
}

/// `ln x` for `x > 0`.
pub fn ln(x: impl Into<f64>) -> Exact {
    let x = number(x.into(), ELEMENTARY);
    assert!(x > Number::ZERO, "ln is for numbers above 0");
    widened(tables(|tables| tables.ln(&x, ELEMENTARY)))
}

/// `ln(1 + x)` for `x > -1`.
pub fn log1p(x: impl Into<f64>) -> Exact {
    let x = number(x.into(), ELEMENTARY);
    assert!(x > -Number::ONE, "log1p is for numbers above -1");
    let context = Context::<HalfEven>::new(ELEMENTARY);
    widened(tables(|tables| context.ln_1p(x.repr(), Some(&mut tables.constants)).unwrap().value()))
}

/// `exp(x) - 1`.
pub fn expm1(x: impl Into<f64>) -> Exact {
    let x = number(x.into(), ELEMENTARY);
    let context = Context::<HalfEven>::new(ELEMENTARY);
    widened(tables(|tables| context.exp_m1(x.repr(), Some(&mut tables.constants)).unwrap().value()))
}

/// The square root of `x >= 0`.
pub fn sqrt(x: impl Into<f64>) -> Exact {
    let x = number(x.into(), PRECISION);
    assert!(x >= Number::ZERO, "sqrt is for numbers from 0");
    Exact(x.sqrt())
}

/// `r^n`, with `0^0 = 1`.
pub fn pow(r: impl Into<f64>, n: u32) -> Exact {
    let r = number(r.into(), PRECISION);
    Exact((0..n).fold(number(1.0, PRECISION), |power, _| power * &r))
}

fn widened(x: Number) -> Exact {
    Exact(x.with_precision(PRECISION).value())
}

fn loss_and_sums<T: Real>(z: &[T], row: &Row) -> (Exact, Sums) {
    until_known::<T, _>(|precision| {
        let sums = Sums::new(z, row, precision);
        assert!(sums.right > Number::ZERO, "the similarity row is 0 everywhere");
        let share = &sums.right / &sums.all;
        let loss = Exact(-tables(|tables| tables.ln(&share, precision)));
        (loss, GUARD - precision as i64, sums)
    })
}

/// A loss and its parts. Doubles the bits until the error is below 2^-MARGIN of the spacing of `T` at the result. `at` computes,
/// with the given bits, the loss, the exponent of a power of two that bounds its error, and the parts.
fn until_known<T: Real, P>(at: impl Fn(usize) -> (Exact, i64, P)) -> (Exact, P) {
    let mut precision = PRECISION;
    loop {
        let (loss, error, parts) = at(precision);
        let spacing = T::SCALAR.spacing_exponent(loss.exponent().unwrap_or(i64::MIN / 2));
        if error <= spacing - MARGIN {
            return (loss, parts);
        }
        precision *= 2;
    }
}

fn entries(sums: &Sums) -> Vec<GradientEntry> {
    let (all, right) = (Number::ONE / &sums.all, Number::ONE / &sums.right);
    let parts = sums.exps.iter().zip(&sums.similar);
    parts
        .map(|(e, s)| {
            let (p, q) = (e * &all, s * &right);
            GradientEntry { value: Exact(&p - &q), p: Exact(p), q: Exact(q) }
        })
        .collect()
}

/// Values that each thread computes once: exponentials of digits, and the constants of logarithms.
#[derive(Default)]
struct Tables {
    /// `exp(digit * 16^position)` by (precision, position, digit with its sign).
    exps: HashMap<(usize, i32, i64), Number>,
    constants: ConstCache,
}

impl Tables {
    /// `exp(x)` as the product of `exp(digit * 16^position)` over the hexadecimal digits of x.
    fn exp(&mut self, x: f64, precision: usize) -> Number {
        let (mut significand, mut position) = hexadecimal(x);
        let mut product = number(1.0, precision);
        while significand != 0 {
            let digit = (significand & 15) as i64 * x.signum() as i64;
            if digit != 0 {
                let key = (precision, position, digit);
                product *= &*self.exps.entry(key).or_insert_with(|| {
                    let exponent = number(digit as f64, precision) << (4 * position) as isize;
                    let context = Context::<HalfEven>::new(precision);
                    context.exp(exponent.repr(), Some(&mut self.constants)).unwrap().value()
                });
            }
            significand >>= 4;
            position += 1;
        }
        product
    }

    fn ln(&mut self, x: &Number, precision: usize) -> Number {
        let context = Context::<HalfEven>::new(precision);
        context.ln(x.repr(), Some(&mut self.constants)).unwrap().value()
    }
}

/// `|x| = significand * 16^position`.
fn hexadecimal(x: f64) -> (u64, i32) {
    let bits = x.abs().to_bits();
    let (field, fraction) = ((bits >> 52) as i32, bits & ((1 << 52) - 1));
    let (significand, exponent) = if field == 0 { (fraction, -1074) } else { (fraction | 1 << 52, field - 1075) };
    (significand << exponent.rem_euclid(4), exponent.div_euclid(4))
}

fn exp_of(x: f64, precision: usize) -> Number {
    assert!(x.abs() <= power_of_two(40), "exp is for finite numbers up to 2^40, got {x}");
    tables(|tables| tables.exp(x, precision))
}

fn tables<R>(f: impl FnOnce(&mut Tables) -> R) -> R {
    thread_local! {
        static TABLES: RefCell<Tables> = RefCell::default();
    }
    TABLES.with_borrow_mut(f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::{PAIRS, hard};
    use crate::ulp;

    /// Whether `got` is `(high + low) * 2^n` to 2^-100; the numbers come from mpmath 1.3 with 900
    /// digits.
    pub(super) fn is(got: &Exact, (high, low): (f64, f64), n: i64) {
        let want = (&Exact::from(high) + &Exact::from(low)).scaled(n);
        let miss = (got - &want).abs();
        let allowed = want.abs().scaled(-100);
        assert!(miss <= allowed, "{got} instead of {want}, wrong by {miss}");
    }

    #[test]
    fn elementary_functions_against_mpmath() {
        is(&exp(-150.0, 0.0), (0.7556257998757806, -4.250560368622302e-17), -216);
        is(&exp(-20_000.0, 0.0), (0.5355830545627435, 4.924646786425925e-17), -28_853);
        is(&exp(123_456.75, 0.0), (0.6787674409191209, 1.9512856220219464e-17), 178_111);
        is(&exp(-87.3_f32, 0.0), (0.5186087769192331, -5.111757908231674e-17), -125);
        is(&exp(-1.0, power_of_two(-60)), (0.7357588823428847, -2.4219338242647398e-17), -1);
        is(&ln(0.1_f32), (-0.5756462695232212, 2.651333024465419e-17), 2);
        is(&ln(f64::from_bits(1)), (-0.7269922577357238, -4.318793301678416e-17), 10);
        is(&ln(1.0_f64.next_up()), (0.9999999999999999, 1.643460219210441e-32), -52);
        is(&log1p(1e-7_f32), (0.8388607678599709, -3.035168396195545e-17), -23);
        is(&log1p(-1.0 + power_of_two(-53)), (-0.5740125089012047, -1.0530989047280634e-17), 6);
        is(&log1p(power_of_two(-127)), (1.0, -2.938735877055719e-39), -127);
        is(&log1p(power_of_two(-1000)), (1.0, -4.6663180925160944e-302), -1000);
        is(&expm1(power_of_two(-120)), (0.5, 1.88079096131566e-37), -119);
        is(&expm1(-power_of_two(-200)), (-1.0, 3.111507638930571e-61), -200);
        is(&expm1(-1e-3), (-0.5117440853120043, 4.987919264854965e-17), -9);
        is(&expm1(-150.0), (-1.0, 7.175095973164411e-66), 0);
        is(&sqrt(2.0), (std::f64::consts::SQRT_2, -9.667293313452914e-17), 0);
        is(&pow(0.8_f32, 29), (0.7922819675142848, -4.545014536450089e-18), -9);
    }

    #[test]
    fn the_product_of_digits_is_the_exponential_of_the_library() {
        for case in hard::<f64>(11, 40) {
            for &z in case.logits.iter().take(20) {
                let exact = number(z, PRECISION).exp();
                let got = exp(z, 0.0);
                let miss = (&got - &Exact(exact.clone())).abs();
                assert!(miss <= Exact(exact).scaled(5 - PRECISION as i64), "exp({z:e})");
            }
        }
        assert_eq!(exp(0.0, -0.0), Exact::from(1.0));
        let tiny = power_of_two(-150);
        assert_eq!((&exp(tiny, f64::from_bits(1)) - &Exact::from(1.0)).nearest::<f64>(), tiny);
    }

    #[test]
    fn elementary_functions_at_their_exact_points() {
        let least = f64::from_bits(1);
        assert_eq!((log1p(least).nearest::<f64>(), expm1(-least).nearest::<f64>()), (least, -least));
        assert!(ln(1.0).is_zero() && log1p(0.0).is_zero() && expm1(0.0).is_zero());
        assert_eq!(sqrt(0.25), Exact::from(0.5));
        assert_eq!((pow(0.0, 0), pow(0.0, 1)), (Exact::from(1.0), Exact::ZERO));
    }

    #[test]
    fn two_classes_have_a_closed_form() {
        let loss = |gap: f64| cross_entropy(&[0.0, gap], 1);
        is(&loss(17.0), (0.6945662789687544, -4.3786504977336155e-17), -24);
        is(&loss(104.0), (0.9724633252671481, 2.3019911356159838e-17), -150);
        is(&loss(700.0), (0.5409140879724105, 4.656463194953623e-18), -1009);
        is(&cross_entropy(&[9999.75, -0.5], 1), (0.6103668212890625, 0.0), 14);
        is(&cross_entropy(&[9999.75, -0.5], 0), (0.0, 0.0), 0);
        for gap in [0.0, 1e-7, 0.5, 3.0, 50.0, 88.0, 150.0] {
            let direct = log1p(Exact(exp_of(-gap, PRECISION)).nearest::<f64>());
            let relative = ulp::relative(direct.nearest::<f64>(), &loss(gap));
            assert!(relative < 3e-16, "gap {gap}: {relative:e}");
        }
    }

    #[test]
    fn a_row_of_five_classes_against_mpmath() {
        let z = [1.5_f32, -2.25, 0.3, 88.0, -104.0];
        let (loss, gradient) = loss_and_gradient(&z, &Row::class_order(0.8_f32, 5, 1));
        is(&loss, (0.8925741456521947, -3.6365086800929076e-17), -1);
        is(&gradient[0].value, (-0.5770942476070345, 4.9630470265905087e-17), -126);
        is(&gradient[1].value, (-0.9771808131239502, 4.4055909100261217e-17), -131);
        is(&gradient[2].value, (-0.6952697967165257, -2.8329101298496985e-17), -128);
        is(&gradient[4].value, (0.8014164168199708, -1.2236179185027485e-17), -279);
        // 9.2e-39, the difference of two parts near 1: as accurate as the parts allow.
        let rest = Exact::from(0.7814485971962893).scaled(-126);
        assert!((&gradient[3].value - &rest).abs() <= gradient[3].magnitude().scaled(-160));
        let r = 1.0 - power_of_two(-20);
        let loss = super::loss(&[0.0, 70.0, -3.0], &Row::circular(r, 3, 1));
        is(&loss, (0.5290382241130457, -1.0563497747087603e-17), -120);
    }

    #[test]
    fn decoders_against_mpmath() {
        let z = [0.0, 0.5, 2.0];
        is(&expectation(&z, &[1.0, 2.0, 90.0]), (0.5209324382144214, 4.5603731909073673e-17), 7);
        is(&brier(&z, 1), (0.6251399114624259, 4.8451213120450067e-17), 1);
        let distance = |classes: usize| -> Vec<Vec<f64>> {
            let cost = |d: usize| (0..classes).map(|c| d.abs_diff(c) as f64).collect();
            (0..classes).map(cost).collect()
        };
        // Probabilities 0.3, 0.4, 0.3: the median is in the middle.
        assert_eq!(minimum_risk(&[0.3_f64.ln(), 0.4_f64.ln(), 0.3_f64.ln()], &distance(3)), 1);
        assert_eq!(minimum_risk(&[5.0, 0.0, 1.0], &distance(3)), 0);
        assert_eq!(minimum_risk(&[0.0, 0.0], &distance(2)), 0, "ties go to the lowest index");
    }

    #[test]
    fn more_bits_change_nothing() {
        for case in hard::<f32>(5, PAIRS).filter(|case| case.classes() <= 100) {
            let row = case.row();
            let (loss, _) = loss_and_sums(&case.logits, &row);
            let sums = Sums::new(&case.logits, &row, 8 * PRECISION);
            let share = &sums.right / &sums.all;
            let better = Exact(-tables(|tables| tables.ln(&share, 8 * PRECISION)));
            let spacing = f32::SCALAR.spacing_exponent(better.exponent().unwrap_or(-9999));
            let miss = (&loss - &better).abs();
            assert!(miss <= Exact::from(1.0).scaled(spacing - 64), "{}: {miss}", case.name);
            for (k, (got, better)) in gradient(&case.logits, &row).iter().zip(entries(&sums)).enumerate() {
                let miss = (&got.value - &better.value).abs();
                assert!(miss <= better.magnitude().scaled(-160), "{} at {k}", case.name);
            }
        }
    }

    #[test]
    fn gradients_obey_their_laws() {
        for case in hard::<f64>(6, PAIRS).filter(|case| case.classes() <= 100) {
            let gradient = gradient(&case.logits, &case.row());
            let sum = gradient.iter().fold(Exact::ZERO, |sum, entry| &sum + &entry.value);
            assert!(sum.abs() <= Exact::from(1.0).scaled(-160), "{}: sum {sum}", case.name);
            let size = gradient.iter().fold(Exact::ZERO, |sum, entry| &sum + &entry.value.abs());
            let slack = Exact::from(1.0).scaled(-160);
            assert!(size <= &Exact::from(2.0) + &slack, "{}: size {size}", case.name);
            assert!(gradient[case.y].value <= slack, "{}: gradient descent would lower the true class", case.name);
        }
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_loss() {
        let row = Row::class_order(0.3, 4, 2);
        let z = [0.25, -1.5, 0.5, 3.0];
        let step = power_of_two(-30);
        for (k, entry) in gradient(&z, &row).iter().enumerate() {
            let at = |sign: f64| {
                let mut z = z;
                z[k] += sign * step;
                loss(&z, &row)
            };
            let slope = (&at(1.0) - &at(-1.0)).scaled(29);
            let miss = (&slope - &entry.value).abs().nearest::<f64>();
            assert!(miss < power_of_two(-60), "logit {k}: {miss:e}");
        }
    }

    #[test]
    fn zeros_are_zeros() {
        let z = [3.0_f32, -20.0, 7.5];
        let (loss, gradient) = loss_and_gradient(&z, &Row::entries(&[1.0_f32, 1.0, 1.0]));
        assert!(loss.is_zero());
        assert!(gradient.iter().all(|entry| entry.value.is_zero()));
        // r = 0 is cross entropy, and so is the row of a one.
        let order = super::loss(&z, &Row::class_order(0.0_f32, 3, 1));
        assert_eq!(order, cross_entropy(&z, 1));
        assert_eq!(order, super::loss(&z, &Row::entries(&[0.0_f32, 1.0, 0.0])));
        assert_ne!(order, super::loss(&z, &Row::class_order(1e-30_f32, 3, 1)));
    }

    #[test]
    #[should_panic(expected = "finite")]
    fn a_nan_is_a_wrong_question() {
        let _ = cross_entropy(&[0.0_f32, f32::NAN], 0);
    }

    #[test]
    #[should_panic(expected = "0 everywhere")]
    fn a_row_of_zeros_is_a_wrong_question() {
        let _ = loss(&[0.0_f32, 1.0], &Row::entries(&[0.0_f32, f32::from_bits(1)]));
    }
}
