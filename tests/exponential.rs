//! The exponential of the core against the oracle: sampled in both formats; with `--ignored`, on every f32 in its domain.

use simloss_bench::{
    bounds::{Bound, Quantity},
    measure::exponents,
    oracle,
    peers::Platform,
    real::{Scalar, power_of_two},
    ulp,
};
use simloss_core::number::scaled_exp;

const SEED: u64 = 7;

/// The distance of `2^K exp(h + l)` from the exact one.
fn distance<T: Platform>(h: T, l: T) -> f64 {
    let scale = T::EXPONENTIAL.scale.into() as i64;
    ulp::distance(scaled_exp((), h, l), &oracle::exp(h, l).scaled(scale))
}

fn sampled<T: Platform>(count: usize) {
    let bound = Bound::of(Quantity::Exp, T::SCALAR);
    let mut worst = (0.0, T::ZERO, T::ZERO);
    for (h, l) in exponents::<T>(SEED, count) {
        let distance = distance(h, l);
        if distance > worst.0 {
            worst = (distance, h, l);
        }
    }
    let (distance, h, l) = worst;
    println!("{}: {distance:.3} ulp at h = {h:?} ({:#x}), l = {l:?} ({:#x})", T::SCALAR.name(), h.bits(), l.bits());
    assert!(bound.holds(distance), "{distance} ulp at h = {h:?}, l = {l:?}; the bound is {}", bound.ulp);
    assert!(distance > 0.5, "a worst of {distance} ulp is too good: the inputs have become soft");
}

#[test]
fn samples_and_edges_are_within_the_bound() {
    sampled::<f32>(20_000);
    sampled::<f64>(20_000);
}

#[test]
fn exact_results_are_exact() {
    assert_eq!(scaled_exp((), 0.0f32, 0.0), power_of_two(100) as f32);
    assert_eq!(scaled_exp((), -0.0f32, 0.0), power_of_two(100) as f32);
    assert_eq!(scaled_exp((), 0.0f64, 0.0), power_of_two(600));
    // Below the domain there is nothing, at its edge still something.
    assert_eq!(scaled_exp((), (-150.0f32).next_down(), 0.0), 0.0);
    assert_eq!(scaled_exp((), -1100.0f64.next_up(), 0.0), 0.0);
    assert!(scaled_exp((), -150.0f32, 0.0) > f32::MIN_POSITIVE);
    assert!(scaled_exp((), -1100.0f64, 0.0) > f64::MIN_POSITIVE);
    assert_eq!(scaled_exp((), -f32::MAX, 0.0), 0.0);
    assert_eq!(scaled_exp((), -f64::MAX, 0.0), 0.0);
}

#[test]
fn the_exponential_is_monotone() {
    // Not promised by a bound of 1 ulp, but by how it is computed, as far as this looks.
    let mut before = 0.0;
    for i in (0..=150_000).rev() {
        let now = scaled_exp((), -(i as f32) * 1e-3, 0.0);
        assert!(now >= before, "at {}", -(i as f32) * 1e-3);
        before = now;
    }
}

/// Every f32 from -150 to -0: a billion, 16 s on two cores. A twin in `f64` checks them, and calls the oracle where
/// its own error (below 2^-50, a few 10^-9 ulp) could matter: near the worst found so far.
#[test]
#[ignore = "some 16 s, when it is compiled: ./tests/run.sh deep-exp"]
fn every_f32_is_within_the_bound() {
    let last = (-150.0f32).to_bits();
    let first = (-0.0f32).to_bits();
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u32;
    let worst = std::thread::scope(|scope| {
        let part = |thread| {
            scope.spawn(move || {
                // Half an ulp is what the nearest f32 has: below it the oracle is not asked, as for the 800 million
                // arguments whose exponential is 1.
                let mut worst = (0.5f64, 0.0f32);
                for bits in (first + thread..=last).step_by(threads as usize) {
                    let h = f32::from_bits(bits);
                    let got = f64::from(scaled_exp((), h, 0.0f32)) * power_of_two(-100);
                    let twin = exp_in_f64(f64::from(h));
                    // The spacing of f32 at the exact result, which 2^100 keeps away from subnormal numbers.
                    let exponent = (twin.to_bits() >> 52) as i32 - 1023;
                    let near = (got - twin).abs() * power_of_two(23 - exponent);
                    if near > worst.0 - 1e-6 {
                        let exact = distance(h, 0.0);
                        assert!((exact - near).abs() < 1e-6, "the twin is wrong at {h}: {near} for {exact}");
                        if exact > worst.0 {
                            worst = (exact, h);
                        }
                    }
                }
                worst
            })
        };
        let running: Vec<_> = (0..threads).map(part).collect();
        let found = running.into_iter().map(|thread| thread.join().unwrap_or((f64::INFINITY, f32::NAN)));
        found.fold((0.0, 0.0), |worst, found| if found.0 > worst.0 { found } else { worst })
    });
    let (distance, h) = worst;
    println!("every f32 in [-150, 0]: worst {distance:.6} ulp at {h:?} ({:#x})", h.to_bits());
    let bound = Bound::of(Quantity::Exp, Scalar::F32);
    assert!(bound.holds(distance), "{distance} ulp at {h:?}; the bound is {}", bound.ulp);
    assert!(distance > 0.5, "a worst of {distance} ulp is too small: nothing was checked");
}

/// The exponential of the platform: within an ulp of `f64`, which is 2^-29 of one of `f32`.
fn exp_in_f64(x: f64) -> f64 {
    x.exp()
}
