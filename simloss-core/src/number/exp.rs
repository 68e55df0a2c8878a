//! `2^K exp(h + l)`: the exponential of the loss, in the working precision, without fused operations.
//!
//! With `n = round(h log2 e)`, `r + c = h - n ln 2 + l` (`r` rounded, `c` what the rounding lost),
//!
//! ```text
//! exp(h + l) = 2^n exp(r + c),      exp(r + c) = 1 + r + (r^2 q(r) + c) + O(r c)
//! ```
//!
//! `q` is a minimax polynomial on `|r| <= ln 2 / 2` (relative error of the whole: 2^-34.2 for `f32`, 2^-64 for `f64`),
//! and `1 + r` is summed without loss, so that the last addition is the only rounding that counts. The factor `2^K`
//! keeps every result that matters a normal number: below [`Exponential::cutoff`] the result is 0, because such a term
//! cannot reach the last bit of any finite loss in this format.
//!
//! Bound: 0.75 ulp (`simloss-bench/src/bounds.rs`, held on every `f32` in `[-150, 0]` with `l = 0`); measured worst cases
//! are in `docs/numerics.md`.

use super::{Scalar, Value};

/// The constants of [`scaled_exp`] for one number format.
#[derive(Clone, Copy, Debug)]
pub struct Exponential<T: 'static> {
    /// `log2 e`.
    pub log2_e: T,
    /// `1.5 * 2^p`: adding and subtracting it rounds to an integer.
    pub round: T,
    /// `ln 2`, its leading bits, so few that `n ln2_high` is exact.
    pub ln2_high: T,
    /// `ln 2 - ln2_high`.
    pub ln2_low: T,
    /// Coefficients of `q`, constant first.
    pub q: &'static [T],
    /// `K`.
    pub scale: T,
    /// Results for `h` below this are 0.
    pub cutoff: T,
    /// `2^K`: the result at `h + l = 0`.
    pub unit: T,
    /// Sums of `S e` below this send the loss to its second form: no probability near the true class.
    pub far: T,
}

impl Exponential<f32> {
    pub(super) const CONSTANTS: Self = Exponential {
        log2_e: core::f32::consts::LOG2_E,
        round: 12_582_912.0,
        ln2_high: 0.693_145_75,
        ln2_low: 1.428_606_8e-6,
        q: &[0.5, 0.166_666_66, 0.041_666_295, 0.008_333_497, 0.001_394_465_9, 0.000_197_903_41],
        scale: 100.0,
        cutoff: -150.0,
        unit: f32::from_bits((127 + 100) << 23),
        far: f32::from_bits((127 + 23) << 23),
    };
}

impl Exponential<f64> {
    // exp(-1100) = 2^-1587 stays normal under 2^600; the smallest finite loss, 2^-1074, is exp(-744.4).
    pub(super) const CONSTANTS: Self = Exponential {
        log2_e: core::f64::consts::LOG2_E,
        round: 6_755_399_441_055_744.0,
        ln2_high: f64::from_bits(0x3fe6_2e42_fee0_0000),
        ln2_low: 1.908_214_929_270_587_7e-10,
        q: &[
            0.5,
            0.166_666_666_666_666_82,
            0.041_666_666_666_666_095,
            0.008_333_333_333_317_034,
            0.001_388_888_888_911_563,
            0.000_198_412_698_963_836_97,
            2.480_158_692_662_908e-5,
            2.755_723_486_202_411_7e-6,
            2.755_758_185_210_88e-7,
            2.511_203_680_734_203_4e-8,
            2.082_662_578_816_095e-9,
        ],
        scale: 600.0,
        cutoff: -1100.0,
        unit: f64::from_bits((1023 + 600) << 52),
        far: f64::from_bits((1023 + 100) << 52),
    };
}

/// `2^K exp(h + l)` for `h <= 0` and `|l| <= ulp(h)`; 0 where `h` is below the format's cutoff.
///
/// Domain: `h` finite and not positive; anything may come out otherwise (the loss checks its logits first).
/// Cost: 12 multiplications and 19 additions in `f32`, no table, no branch.
#[inline(always)]
pub fn scaled_exp<V: Value>(token: V::Token, h: V, l: V) -> V {
    let k = V::Scalar::EXPONENTIAL;
    let splat = |x| V::splat(token, x);
    let one = splat(V::Scalar::ONE);
    let round = splat(k.round);

    let n = h.mul(splat(k.log2_e)).add(round).sub(round);
    let exact = h.sub(n.mul(splat(k.ln2_high)));
    let small = l.sub(n.mul(splat(k.ln2_low)));
    let r = exact.add(small);
    let c = small.sub(r.sub(exact));

    let (last, rest) = match k.q.split_last() {
        Some((last, rest)) => (*last, rest),
        None => (V::Scalar::HALF, k.q),
    };
    let mut q = splat(last);
    for &coefficient in rest.iter().rev() {
        q = q.mul(r).add(splat(coefficient));
    }
    let head = one.add(r);
    let lost = r.sub(head.sub(one));
    let e = head.add(r.mul(r).mul(q).add(c.add(lost)));

    let e = e.mul(n.add(splat(k.scale)).pow2());
    splat(k.cutoff).select_gt(h, splat(V::Scalar::ZERO), e)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_the_exponential_of_the_platform() {
        for i in 0..150_000 {
            let h = -(i as f32) * 1e-3;
            let exact = f64::from(h).exp();
            let got = f64::from(scaled_exp((), h, 0.0f32)) / 2f64.powi(100);
            assert!((got / exact - 1.0).abs() < 1.0 / f64::from(1 << 23), "{h}: {got} for {exact}");
        }
        assert_eq!(scaled_exp((), 0.0f32, 0.0), 2f32.powi(100));
        assert_eq!(scaled_exp((), -151.0f32, 0.0), 0.0);
        for i in 0..70_000 {
            let h = -f64::from(i) * 1e-2;
            let got = scaled_exp((), h, 0.0f64) / 2f64.powi(600);
            assert!((got / h.exp() - 1.0).abs() < 4e-16, "{h}");
        }
    }

    #[test]
    fn the_low_part_counts() {
        // h = -140 has an ulp of 2^-16: a low part of half of it changes the result by 128 ulp.
        let (h, l) = (-140.0f32, -7.0e-6f32);
        let exact = (f64::from(h) + f64::from(l)).exp();
        let got = f64::from(scaled_exp((), h, l)) / 2f64.powi(100);
        assert!((got / exact - 1.0).abs() < 1.0 / f64::from(1 << 23));
    }
}
