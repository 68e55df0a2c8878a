//! The one numeric interface of the core: IEEE arithmetic on one number per lane.
//!
//! The same generic code serves a single sample on a microcontroller (`f32`, `f64`: one lane) and a group of samples
//! on a desktop (SIMD registers, implemented outside this crate; lane `l` is sample `l`). Bits agree because every
//! operation here is either correctly rounded by IEEE 754 or moves bits: there is no fused multiply-add, no horizontal
//! reduction, no hardware maximum (targets disagree about NaN and signed zero), and nothing transcendental.

use super::Scalar;

/// Samples whose gradients are summed, in index order, before groups are summed in group order.
///
/// A fixed number (not the width of a register) so that the order of summation, hence every bit, is the same on every
/// machine. [`Value::WIDTH`] divides it.
pub const GROUP: usize = 16;

/// Code that works in any lanes; [`Value::call`] runs it. [`run`](Self::run) must be `inline(always)`, or SIMD lanes are
/// slow.
pub trait Job<V: Value> {
    /// What comes of it.
    type Output;

    /// Runs it.
    fn run(self, token: V::Token) -> Self::Output;
}

/// One number per lane.
///
/// Implementors promise: `add`, `sub`, `mul`, `div` and `sqrt` are correctly rounded in every lane, never fused, with
/// subnormal numbers kept; lanes never mix.
pub trait Value: Copy {
    /// The number in one lane.
    type Scalar: Scalar;
    /// Proof that the instructions of the lanes may be used: `()` for scalars, the SIMD token for registers.
    type Token: Copy;
    /// Lanes; divides [`GROUP`].
    const WIDTH: usize;

    /// `x` in every lane.
    fn splat(token: Self::Token, x: Self::Scalar) -> Self;
    /// The first [`WIDTH`](Self::WIDTH) numbers of `from`, one per lane; lanes beyond its end are +0.
    fn load(token: Self::Token, from: &[Self::Scalar]) -> Self;
    /// Writes the lanes to the front of `to`, as many as fit, and nothing else.
    fn store(self, to: &mut [Self::Scalar]);
    /// `self + o`.
    fn add(self, o: Self) -> Self;
    /// `self - o`.
    fn sub(self, o: Self) -> Self;
    /// `self * o`.
    fn mul(self, o: Self) -> Self;
    /// `self / o`.
    fn div(self, o: Self) -> Self;
    /// The square root, correctly rounded.
    fn sqrt(self) -> Self;
    /// `self > o ? yes : no`, lane by lane; a comparison with NaN chooses `no`.
    fn select_gt(self, o: Self, yes: Self, no: Self) -> Self;
    /// `set` where the sign bit of `self` is set (also of -0), else `clear`.
    fn select_sign(self, set: Self, clear: Self) -> Self;
    /// `self` with the sign bit cleared.
    fn abs(self) -> Self;
    /// `2^self` for an integral `self` whose power is a normal number; anything otherwise.
    fn pow2(self) -> Self;
    /// The greatest integer `n` with `2^n <= self`, of a positive normal number; anything otherwise.
    fn exponent(self) -> Self;
    /// The number in lane `l` (which is below [`WIDTH`](Self::WIDTH)).
    fn lane(self, l: usize) -> Self::Scalar;
    /// `self` with `x` in lane `l` (which is below [`WIDTH`](Self::WIDTH)).
    fn with_lane(self, l: usize, x: Self::Scalar) -> Self;
    /// Scalars seen as values without a copy: `Some` where one lane is one scalar, else `None`.
    fn from_scalars(scalars: &[Self::Scalar]) -> Option<&[Self]>;
    /// Values seen as scalars without a copy: `Some` where one lane is one scalar, else `None`.
    fn as_scalars(values: &[Self]) -> Option<&[Self::Scalar]>;

    /// Transposes the square that the first [`WIDTH`](Self::WIDTH) values of `block` are: lane `l` of value `k` changes
    /// places with lane `k` of value `l`. Lanes that have shuffles use them.
    #[inline(always)]
    fn transpose(token: Self::Token, block: &mut [Self]) {
        let mut rows = [[Self::Scalar::ZERO; GROUP]; GROUP];
        for (x, row) in block.iter().zip(&mut rows) {
            x.store(row);
        }
        for (l, x) in block.iter_mut().enumerate().take(Self::WIDTH) {
            let mut column = [Self::Scalar::ZERO; GROUP];
            for (to, row) in column.iter_mut().zip(&rows) {
                if let Some(&from) = row.get(l) {
                    *to = from;
                }
            }
            *x = Self::load(token, &column);
        }
    }

    /// Runs `job`, compiled on its own with the instructions of these lanes.
    ///
    /// A boundary between the phases of a step: without one, every combination of network, loss and lanes would be
    /// compiled as a whole.
    #[inline]
    fn call<J: Job<Self>>(token: Self::Token, job: J) -> J::Output {
        job.run(token)
    }

    /// `f` of every lane, one lane at a time: the way to the functions of [`Scalar`].
    #[inline(always)]
    fn map(self, token: Self::Token, f: impl Fn(Self::Scalar) -> Self::Scalar) -> Self {
        let mut lanes = [Self::Scalar::ZERO; GROUP];
        self.store(&mut lanes);
        for x in lanes.iter_mut().take(Self::WIDTH) {
            *x = f(*x);
        }
        Self::load(token, &lanes)
    }

    /// The greater of two numbers; `o` where they do not compare.
    #[inline(always)]
    fn max(self, o: Self) -> Self {
        self.select_gt(o, self, o)
    }

    /// The lesser of two numbers; `o` where they do not compare.
    #[inline(always)]
    fn min(self, o: Self) -> Self {
        o.select_gt(self, self, o)
    }

    /// `(s, e)` with `s = fl(self + o)` and `s + e = self + o` exactly (Knuth's TwoSum; no condition on magnitudes).
    #[inline(always)]
    fn two_sum(self, o: Self) -> (Self, Self) {
        let s = self.add(o);
        let b = s.sub(self);
        let a = s.sub(b);
        (s, self.sub(a).add(o.sub(b)))
    }
}

macro_rules! scalar_value {
    ($t:ident, $bits:ident, $mantissa:literal, $bias_and_round:literal, $integer:literal, $integer_and_bias:literal) => {
        impl Value for $t {
            type Scalar = $t;
            type Token = ();
            const WIDTH: usize = 1;

            #[inline(always)]
            fn splat((): (), x: $t) -> $t {
                x
            }
            #[inline(always)]
            fn load((): (), from: &[$t]) -> $t {
                from.first().copied().unwrap_or(0.0)
            }
            #[inline(always)]
            fn store(self, to: &mut [$t]) {
                if let Some(x) = to.first_mut() {
                    *x = self;
                }
            }
            #[inline(always)]
            fn add(self, o: $t) -> $t {
                self + o
            }
            #[inline(always)]
            fn sub(self, o: $t) -> $t {
                self - o
            }
            #[inline(always)]
            fn mul(self, o: $t) -> $t {
                self * o
            }
            #[inline(always)]
            fn div(self, o: $t) -> $t {
                self / o
            }
            #[inline(always)]
            fn sqrt(self) -> $t {
                <$t as Scalar>::square_root(self)
            }
            #[inline(always)]
            fn select_gt(self, o: $t, yes: $t, no: $t) -> $t {
                if self > o { yes } else { no }
            }
            #[inline(always)]
            fn select_sign(self, set: $t, clear: $t) -> $t {
                if self.is_sign_negative() { set } else { clear }
            }
            #[inline(always)]
            fn abs(self) -> $t {
                $t::from_bits(self.to_bits() & ($bits::MAX >> 1))
            }
            #[inline(always)]
            fn pow2(self) -> $t {
                // The sum's low mantissa bits are the biased exponent; the shift drops the rest.
                $t::from_bits((self + $bias_and_round).to_bits() << $mantissa)
            }
            #[inline(always)]
            fn exponent(self) -> $t {
                // The biased exponent becomes the last digits of a number whose unit is 1.
                $t::from_bits((self.to_bits() >> $mantissa) | $integer.to_bits()) - $integer_and_bias
            }
            #[inline(always)]
            fn lane(self, _: usize) -> $t {
                self
            }
            #[inline(always)]
            fn with_lane(self, _: usize, x: $t) -> $t {
                x
            }
            #[inline(always)]
            fn from_scalars(scalars: &[$t]) -> Option<&[$t]> {
                Some(scalars)
            }
            #[inline(always)]
            fn as_scalars(values: &[$t]) -> Option<&[$t]> {
                Some(values)
            }
            #[inline(always)]
            fn transpose((): (), _: &mut [$t]) {}
            #[inline(always)]
            fn map(self, (): (), f: impl Fn($t) -> $t) -> $t {
                f(self)
            }
        }
    };
}

scalar_value!(f32, u32, 23, 12_583_039.0, 8_388_608.0f32, 8_388_735.0); // 1.5 * 2^23 + 127, 2^23, 2^23 + 127
scalar_value!(f64, u64, 52, 6_755_399_441_056_767.0, 4_503_599_627_370_496.0f64, 4_503_599_627_371_519.0); // as above, with 2^52 and 1023
