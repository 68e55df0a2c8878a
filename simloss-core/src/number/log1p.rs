//! `ln(1 + x)` of all lanes at once, with the bits of libm's.
//!
//! [`Scalar::log1p`] is libm's, one lane at a time, which in sixteen lanes costs the loss of ten classes a fifth more time
//! (`throughput --only loss`). This is the same algorithm (FreeBSD's `s_log1p.c`) with choices in place of branches: every operation
//! is the same, so every bit is. One lane stays with libm, which is smaller on a microcontroller.
//!
//! With `u = 1 + x`, `c` what that rounding lost over `u`, and `u = 2^n (1 + f)`, `1 + f` within `[sqrt(1/2), sqrt(2)]`:
//!
//! ```text
//! ln(1 + x) = n ln 2 + c + ln(1 + f),     s = f / (2 + f),     ln(1 + f) = f - (f^2 / 2 - s (f^2 / 2 + R(s^2)))
//! ```
//!
//! `R` is a minimax polynomial, its even and odd coefficients summed apart.

use super::{Scalar, Value};

/// The constants of `ln(1 + x)` in lanes for one number format, each of them one of its numbers.
#[derive(Clone, Copy, Debug)]
pub struct Logarithm {
    /// Below this `x` itself is `f`: about `sqrt(2) - 1`.
    pub unreduced: f64,
    /// From this on `1 + f` is halved: about `sqrt(2)`.
    pub halved: f64,
    /// From this `n` on nothing of `c` can reach the result.
    pub exact: f64,
    /// `ln 2`, its leading bits, so few that `n ln2_high` is exact.
    pub ln2_high: f64,
    /// `ln 2 - ln2_high`.
    pub ln2_low: f64,
    /// Coefficients of `s^2, s^6, ..`.
    pub odd: &'static [f64],
    /// Coefficients of `s^4, s^8, ..`.
    pub even: &'static [f64],
}

impl Logarithm {
    pub(super) const F32: Self = Logarithm {
        unreduced: f32::from_bits(0x3ed4_13d0) as f64,
        halved: f32::from_bits(0x3fb5_04f3) as f64,
        exact: 25.0,
        ln2_high: f32::from_bits(0x3f31_7180) as f64,
        ln2_low: f32::from_bits(0x3717_f7d1) as f64,
        odd: &[0xaa_aaaa as f64 / 0x100_0000 as f64, 0x91_e9ee as f64 / 0x200_0000 as f64],
        even: &[0xcc_ce13 as f64 / 0x200_0000 as f64, 0xf8_9e26 as f64 / 0x400_0000 as f64],
    };
    pub(super) const F64: Self = Logarithm {
        unreduced: f64::from_bits(0x3fda_827a_0000_0000),
        halved: f64::from_bits(0x3ff6_a09e_0000_0000),
        exact: 54.0,
        ln2_high: f64::from_bits(0x3fe6_2e42_fee0_0000),
        ln2_low: f64::from_bits(0x3dea_39ef_3579_3c76),
        odd: &[
            f64::from_bits(0x3fe5_5555_5555_5593),
            f64::from_bits(0x3fd2_4924_9422_9359),
            f64::from_bits(0x3fc7_4664_96cb_03de),
            f64::from_bits(0x3fc2_f112_df3e_5244),
        ],
        even: &[
            f64::from_bits(0x3fd9_9999_9997_fa04),
            f64::from_bits(0x3fcc_71c5_1d8e_78af),
            f64::from_bits(0x3fc3_9a09_d078_c69f),
        ],
    };
}

/// `ln(1 + x)` in every lane, with the bits of [`Scalar::log1p`].
///
/// Domain: 0 to a quarter of the largest number; anything may come out otherwise where lanes are more than one.
/// Cost in lanes: two divisions, some forty other operations, no table, no branch.
#[inline(always)]
pub(crate) fn log1p<V: Value>(token: V::Token, x: V) -> V {
    if const { V::WIDTH == 1 } { x.map(token, V::Scalar::log1p) } else { in_lanes(token, x) }
}

/// `ln(1 + x) - x / (1 + x)`, given `share = x / (1 + x)`: about `x^2 / 2` where `x` is small, to full relative accuracy.
///
/// With `s = x / (2 + x)` it is `s (2 s / (1 + s) + 2 s^2 / 3 + 2 s^4 / 5 + ..)`, all terms of one sign; from `x = 1/2` on
/// the difference loses nothing. Domain: as [`log1p`].
#[inline(always)]
pub(crate) fn log1p_beyond_share<V: Value>(t: V::Token, x: V, share: V) -> V {
    let [zero, half, one] = [V::Scalar::ZERO, V::Scalar::HALF, V::Scalar::ONE].map(|x| V::splat(t, x));
    let s = x.div(one.add(one).add(x));
    let square = s.mul(s);
    // s^2 is at most 1/25: for f32 7 terms are enough, for f64 12; the exponential of a format has one less.
    let mut series = zero;
    for n in (1..=V::Scalar::EXPONENTIAL.q.len() + 1).rev() {
        let term = V::Scalar::ONE.div(V::Scalar::from_usize(2 * n + 1));
        series = square.mul(V::splat(t, term).add(series));
    }
    let quotient = s.div(one.add(s)).add(series);
    let near = s.mul(quotient.add(quotient));
    half.select_gt(x, near, log1p(t, x).sub(share))
}

/// Not a closure, as they are not inlined: see [`super::Terms`].
#[inline(always)]
fn splat<V: Value>(token: V::Token, x: f64) -> V {
    V::splat(token, V::Scalar::from_f64(x))
}

#[inline(always)]
fn polynomial<V: Value>(token: V::Token, coefficients: &[f64], w: V) -> V {
    let Some((&last, rest)) = coefficients.split_last() else { return splat(token, 0.0) };
    let mut sum = splat::<V>(token, last);
    for &coefficient in rest.iter().rev() {
        sum = splat::<V>(token, coefficient).add(w.mul(sum));
    }
    sum
}

#[inline(always)]
fn in_lanes<V: Value>(t: V::Token, x: V) -> V {
    let k = V::Scalar::LOGARITHM;
    let (zero, half, one, two): (V, V, V, V) = (splat(t, 0.0), splat(t, 0.5), splat(t, 1.0), splat(t, 2.0));
    let (unreduced, halved): (V, V) = (splat(t, k.unreduced), splat(t, k.halved));

    let u = one.add(x);
    let exponent = u.exponent();
    let m = u.mul(zero.sub(exponent).pow2());
    let n = halved.select_gt(m, exponent, exponent.add(one));
    let f = halved.select_gt(m, m, m.mul(half)).sub(one);
    let lost = two.select_gt(n, x.sub(u.sub(one)), one.sub(u.sub(x))).div(u);
    let c = splat::<V>(t, k.exact).select_gt(n, lost, zero);

    let n = unreduced.select_gt(x, zero, n);
    let f = unreduced.select_gt(x, x, f);
    let c = unreduced.select_gt(x, zero, c);

    let s = f.div(two.add(f));
    let z = s.mul(s);
    let w = z.mul(z);
    let r = z.mul(polynomial(t, k.odd, w)).add(w.mul(polynomial(t, k.even, w)));
    let half_square = half.mul(f).mul(f);
    let small = s.mul(half_square.add(r)).add(n.mul(splat(t, k.ln2_low)).add(c));
    small.sub(half_square).add(f).add(n.mul(splat(t, k.ln2_high)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;

    /// One lane, computed as lanes are, has libm's bits.
    #[test]
    fn the_bits_of_libm() {
        let mut random = Random::new(1);
        for _ in 0..400_000 {
            let bits = random.next_u64();
            let x = f32::from_bits((bits % u64::from((f32::MAX / 4.0).to_bits())) as u32);
            assert_eq!(in_lanes((), x).to_bits(), x.log1p().to_bits(), "{x:?}");
            let x = f64::from_bits(bits % (f64::MAX / 4.0).to_bits());
            assert_eq!(in_lanes((), x).to_bits(), x.log1p().to_bits(), "{x:?}");
            // Where all of it counts: the odds of the first format are one to four.
            let x = f64::from_bits((1000 << 52) + bits % (60 << 52));
            assert_eq!(in_lanes((), x).to_bits(), x.log1p().to_bits(), "{x:?}");
        }
        for x in
            [0.0, f32::MIN_POSITIVE, 0.414_213_54, 0.414_213_6, 1.0, 1.828_427_1, 3.0, 16_777_216.0, f32::MAX / 4.0]
        {
            for x in [x.next_down().abs(), x, x.next_up()] {
                let x = x.min(f32::MAX / 4.0);
                assert_eq!(in_lanes((), x).to_bits(), x.log1p().to_bits(), "{x:?}");
                let x = f64::from(x);
                assert_eq!(in_lanes((), x).to_bits(), x.log1p().to_bits(), "{x:?}");
            }
        }
    }
}
