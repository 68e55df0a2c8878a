//! Measures the errors of all implementations: losses on hard cases, elementary functions on samples and edge cases.

use std::fmt::Display;
use std::thread;

use simloss_core::{Error, number::scaled_exp};

use crate::bounds::{Implementation, Quantity};
use crate::cases::{self, Case, SplitMix64, decimal_and_bits};
use crate::error_stats::ErrorStats;
use crate::exact::Exact;
use crate::oracle::{self, GradientEntry, Row};
use crate::peers::{self, Platform};
use crate::real::{Scalar, power_of_two};
use crate::subject::{self, Answer};

/// The seed of all inputs that are recorded.
pub const SEED: u64 = 2020;

/// Hard cases of the losses, for each scalar, that are recorded.
pub const CASES: usize = 6_000;

/// The errors of one implementation for one quantity.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The quantity.
    pub quantity: Quantity,
    /// The implementation.
    pub implementation: Implementation,
    /// The scalar.
    pub scalar: Scalar,
    /// The errors.
    pub stats: ErrorStats,
}

/// The implementations of this crate and the core, all of which [`losses`] can measure.
pub const HERE: [Implementation; 5] = [
    Implementation::Simloss,
    Implementation::Cce,
    Implementation::Published,
    Implementation::Lse,
    Implementation::Naive,
];

/// An implementation to measure: its result on a case, or the reason why there is none.
pub type Evaluator<T> = fn(&Case<T>) -> Result<Answer<T>, String>;

/// Loss and gradient of the implementations, some of [`HERE`], on the first `cases` hard cases of a seed.
pub fn losses<T: Platform + Send>(implementations: &[Implementation], seed: u64, cases: usize) -> Vec<Measured> {
    let evaluator = |implementation| -> Option<Evaluator<T>> {
        match implementation {
            Implementation::Simloss => Some(|case| told(subject::simloss(case))),
            Implementation::Cce => Some(|case| told(subject::cross_entropy(case))),
            Implementation::Published => Some(|case| told(subject::published(case))),
            Implementation::Lse => Some(|case| Ok(peers::lse(&case.logits, &peers::entries(&case.row())))),
            Implementation::Naive => Some(|case| Ok(peers::naive(&case.logits, &peers::entries(&case.row())))),
            Implementation::Candle | Implementation::Burn => None,
        }
    };
    let all: Vec<_> = implementations.iter().filter_map(|&who| Some((who, evaluator(who)?))).collect();
    evaluate(&all, seed, cases)
}

fn told<T>(answer: Result<T, Error>) -> Result<T, String> {
    answer.map_err(|error| error.to_string())
}

/// Loss and gradient of any implementations on the first `cases` hard cases of a seed, in as many threads as there are
/// cores. Implementations of cross entropy are compared with exact cross entropy.
pub fn evaluate<T: Platform + Send>(
    implementations: &[(Implementation, Evaluator<T>)],
    seed: u64,
    cases: usize,
) -> Vec<Measured> {
    use Implementation::{Burn, Candle, Cce};
    let is_cross_entropy = |implementation| matches!(implementation, Cce | Candle | Burn);
    let wanted = |cross_entropy| implementations.iter().any(|&(i, _)| is_cross_entropy(i) == cross_entropy);
    let tallies = in_threads(
        cases,
        vec![(ErrorStats::default(), ErrorStats::default()); implementations.len()],
        |tallies, index| {
            let case = cases::case::<T>(seed, index);
            let exact = |row: Row| oracle::loss_and_gradient(&case.logits, &row);
            let simloss = wanted(false).then(|| exact(case.row()));
            let cross_entropy = wanted(true).then(|| exact(Row::identity(case.classes(), case.y)));
            for ((loss, gradient), (implementation, answer)) in tallies.iter_mut().zip(implementations) {
                let exact = if is_cross_entropy(*implementation) { &cross_entropy } else { &simloss };
                if let Some(exact) = exact {
                    let input = || told_input(&case, &case.name, case.classes());
                    evaluate_one(answer(&case), exact, loss, (Quantity::Gradient, gradient), input);
                }
            }
        },
    );
    let rows = implementations.iter().zip(tallies).flat_map(|(&(implementation, _), (loss, gradient))| {
        [(Quantity::Loss, loss), (Quantity::Gradient, gradient)].map(|(quantity, stats)| Measured {
            quantity,
            implementation,
            scalar: T::SCALAR,
            stats,
        })
    });
    rows.collect()
}

/// Compares the result on one input with the exact loss and gradient.
fn evaluate_one<T: Platform>(
    answer: Result<Answer<T>, String>,
    exact: &(Exact, Vec<GradientEntry>),
    loss: &mut ErrorStats,
    (quantity, gradient): (Quantity, &mut ErrorStats),
    input: impl Fn() -> String,
) {
    match answer {
        Ok(answer) => {
            loss.value(answer.loss, &exact.0, &input);
            gradient.gradient(quantity, &answer, &exact.1, |k| format!("class {k} of {}", input()));
        }
        Err(error) => {
            for stats in [loss, gradient] {
                stats.inputs += 1;
                stats.note(f64::INFINITY, f64::INFINITY, || format!("{error}: {}", input()));
            }
        }
    }
}

/// A short description of a case, without its hundreds of numbers; `stability --show` prints them.
fn told_input(case: &impl Display, name: &str, classes: usize) -> String {
    if classes <= 5 { case.to_string() } else { name.to_owned() }
}

/// Proper SimLoss and squared EMD, by the core and by the plain definitions, on the first `cases` hard cases of a seed.
pub fn proper<T: Platform + Send>(seed: u64, cases: usize) -> Vec<Measured> {
    let rows = [
        (Quantity::ProperLoss, Quantity::ProperGradient, Implementation::Simloss),
        (Quantity::ProperLoss, Quantity::ProperGradient, Implementation::Naive),
        (Quantity::SquaredEmd, Quantity::SquaredEmdGradient, Implementation::Simloss),
        (Quantity::SquaredEmd, Quantity::SquaredEmdGradient, Implementation::Naive),
    ];
    let empty = vec![(ErrorStats::default(), ErrorStats::default()); rows.len()];
    let tallies = in_threads(cases, empty, |tallies, index| {
        let case = cases::proper::case::<T>(seed, index);
        let (z, y, matrix) = (&case.logits, case.y, case.matrix());
        let proper = oracle::proper::loss_and_gradient(z, y, &matrix);
        let squared_emd = oracle::squared_emd::loss_and_gradient(z, y);
        let answers = [
            (&proper, told(subject::proper(&case))),
            (&proper, Ok(peers::proper(z, y, &matrix.values()))),
            (&squared_emd, told(subject::squared_emd(&case))),
            (&squared_emd, Ok(peers::squared_emd(z, y))),
        ];
        for (((exact, answer), (_, quantity, _)), (loss, gradient)) in answers.into_iter().zip(rows).zip(tallies) {
            let input = || told_input(&case, &case.name, case.classes());
            evaluate_one(answer, exact, loss, (quantity, gradient), input);
        }
    });
    let measured =
        rows.into_iter().zip(tallies).flat_map(|((of_loss, of_gradient, implementation), (loss, gradient))| {
            [(of_loss, loss), (of_gradient, gradient)].map(|(quantity, stats)| Measured {
                quantity,
                implementation,
                scalar: T::SCALAR,
                stats,
            })
        });
    measured.collect()
}

/// `work` on a state for each of `0..count`, in as many threads as there are cores; the states merged.
fn in_threads<S: Merge + Clone + Send + Sync>(count: usize, empty: S, work: impl Fn(&mut S, usize) + Sync) -> S {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let (empty, work) = (&empty, &work);
        let start = |first| {
            scope.spawn(move || {
                let mut state = empty.clone();
                (first..count).step_by(threads).for_each(|index| work(&mut state, index));
                state
            })
        };
        let running: Vec<_> = (0..threads).map(start).collect();
        running.into_iter().fold(empty.clone(), |mut all, thread| {
            all.merge(&thread.join().expect("a measurement panicked"));
            all
        })
    })
}

trait Merge {
    fn merge(&mut self, other: &Self);
}

impl Merge for ErrorStats {
    fn merge(&mut self, other: &Self) {
        ErrorStats::merge(self, other);
    }
}

impl<A: Merge, B: Merge> Merge for (A, B) {
    fn merge(&mut self, other: &Self) {
        self.0.merge(&other.0);
        self.1.merge(&other.1);
    }
}

impl<A: Merge> Merge for Vec<A> {
    fn merge(&mut self, other: &Self) {
        self.iter_mut().zip(other).for_each(|(a, b)| a.merge(b));
    }
}

/// The elementary functions of the core: `count` samples each, and edge cases.
pub fn elementary<T: Platform + Send>(seed: u64, count: usize) -> Vec<Measured> {
    let mut rows = vec![];
    let mut measure = |quantity, samples: &[T], got: fn(T) -> T, exact: fn(f64) -> Exact| {
        let stats = in_threads(samples.len(), ErrorStats::default(), |stats, index| {
            let x = samples[index];
            stats.value(got(x), &exact(x.into()), || decimal_and_bits(&[x]));
        });
        rows.push(Measured { quantity, implementation: Implementation::Simloss, scalar: T::SCALAR, stats });
    };
    let domain = |low: T, high: T| move |x: &T| *x >= low && *x <= high;
    let numbers = samples::<T>(seed, count);
    let positive: Vec<T> = numbers.iter().map(|x| x.abs()).filter(|&x| x > T::ZERO).collect();
    let above_minus_one: Vec<T> = numbers.iter().copied().filter(|&x| x.into() > -1.0).collect();
    let (low, high) = if T::SCALAR == Scalar::F32 { (-104.0, 88.7) } else { (-745.0, 709.0) };
    let for_expm1: Vec<T> = numbers.iter().copied().filter(domain(T::round(low), T::round(high))).collect();
    measure(Quantity::Ln, &positive, T::ln, oracle::ln);
    measure(Quantity::Log1p, &above_minus_one, T::log1p, oracle::log1p);
    measure(Quantity::Expm1, &for_expm1, T::expm1, oracle::expm1);
    measure(Quantity::Sqrt, &positive, T::square_root, oracle::sqrt);

    let inputs = exponents::<T>(seed, count);
    let stats = in_threads(inputs.len(), ErrorStats::default(), |stats, index| {
        let (h, l) = inputs[index];
        let scale = T::EXPONENTIAL.scale.into() as i64;
        let exact = oracle::exp(h, l).scaled(scale);
        stats.value(scaled_exp((), h, l), &exact, || {
            format!("h = {}, l = {}", decimal_and_bits(&[h]), decimal_and_bits(&[l]))
        });
    });
    rows.insert(
        0,
        Measured { quantity: Quantity::Exp, implementation: Implementation::Simloss, scalar: T::SCALAR, stats },
    );
    rows
}

/// Numbers of either sign: of any magnitude, near 1, near 0, and at the limits of the format.
fn samples<T: Platform>(seed: u64, count: usize) -> Vec<T> {
    let scalar = T::SCALAR;
    let mut random = SplitMix64::new(seed);
    let edges = [
        power_of_two(scalar.least_exponent()),
        power_of_two(scalar.normal_exponent()),
        1.0 - power_of_two(-scalar.digits()),
        1.0,
        1.0 + power_of_two(1 - scalar.digits()),
        std::f64::consts::E,
        T::MAX.into(),
    ];
    let mut numbers: Vec<f64> = edges.iter().flat_map(|&x| [x, -x]).collect();
    numbers.extend((0..count).map(|index| {
        let magnitude = match index % 4 {
            0 => random.magnitude(scalar.least_exponent(), scalar.largest_exponent()),
            1 => 1.0 + random.magnitude(-scalar.digits(), 0) * random.pick(&[-0.5, 1.0]),
            2 => random.magnitude(-scalar.digits() - 2, 8),
            _ => random.between(0.0, 100.0),
        };
        magnitude * random.pick(&[-1.0, 1.0])
    }));
    numbers.into_iter().map(T::round).filter(|x| x.is_finite()).collect()
}

/// Arguments of the exponential: the limits of its domain, the largest reduced arguments, and samples of all magnitudes, with
/// and without a low part of up to half an ulp.
pub fn exponents<T: Platform>(seed: u64, count: usize) -> Vec<(T, T)> {
    let cutoff: f64 = T::EXPONENTIAL.cutoff.into();
    let mut random = SplitMix64::new(seed);
    let edges =
        [0.0, -power_of_two(T::SCALAR.least_exponent()), cutoff, -0.5, -1.0, -17.0, -88.0, -104.0, -124.410_515];
    let mut inputs: Vec<(T, T)> = edges.iter().map(|&h| (T::round(h), T::ZERO)).collect();
    for index in 0..count {
        let h = T::round(match index % 4 {
            0 => random.between(cutoff, 0.0),
            1 => -random.magnitude(-T::SCALAR.digits() - 2, 7),
            2 => random.between(-3.0, 0.0),
            // Half-way between multiples of ln 2.
            _ => (random.below((-cutoff / 0.7) as usize) as f64 + 0.5) * -std::f64::consts::LN_2,
        });
        let exponent = Exact::from(h.into()).exponent().unwrap_or(i64::MIN / 2);
        let half_ulp = power_of_two((T::SCALAR.spacing_exponent(exponent) - 1).max(-1074) as i32);
        let l = if random.below(3) == 0 { 0.0 } else { random.between(-half_ulp, half_ulp) };
        inputs.push((h, T::round(l)));
    }
    inputs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_and_theirs_on_few_cases() {
        let rows = losses::<f32>(&HERE, 3, 40);
        assert_eq!(rows.len(), 10);
        for row in rows {
            assert_eq!(row.stats.inputs, 40);
            assert!(!row.stats.worst.is_empty() && row.stats.max_ulp > 0.0);
        }
        let rows = elementary::<f64>(3, 40);
        assert_eq!(rows.len(), 5);
        assert!(rows.iter().all(|row| row.stats.inputs > 20), "{rows:?}");
    }

    #[test]
    fn proper_losses_on_few_cases() {
        let rows = proper::<f32>(3, 40);
        let ours = |row: &&Measured| row.implementation == Implementation::Simloss;
        assert_eq!((rows.len(), rows.iter().filter(ours).count()), (8, 4));
        for row in rows {
            assert_eq!(row.stats.inputs, 40);
            assert!(!row.stats.worst.is_empty() && row.stats.max_ulp > 0.0);
        }
    }

    #[test]
    fn a_refusal_is_an_infinite_error() {
        let refuses: Evaluator<f64> = |_| Err("no".into());
        let rows = evaluate(&[(Implementation::Candle, refuses)], 1, 3);
        assert!(rows.iter().all(|row| row.stats.max_ulp == f64::INFINITY && row.stats.inputs == 3));
        assert!(rows[0].stats.worst.starts_with("no: "));
    }
}
