//! SIMD registers as the core's [`Value`]: lane `l` is sample `l` of a group.
//!
//! Which instructions there are is known only when the program runs. [`InstructionSet`] finds out; a [`Job`] is code
//! that works in any lanes; [`Value::call`] compiles it for the instructions of its lanes and runs it. A register
//! carries pulp's token, which can only be had where its instructions exist, so all of this is safe code.
//!
//! | set | lanes | needs |
//! |---|---|---|
//! | `avx512` | 16 | AVX-512 F, BW, CD, DQ, VL (x86-64-v4) |
//! | `avx2` | 8 | AVX2 and FMA, which is not used (x86-64-v3) |
//! | `scalar` | 1 | nothing: any other processor computes one sample at a time |
//!
//! The bits are the same in all of them: every operation is correctly rounded and none is fused. What is here must be
//! `inline(always)`, and so must everything in the core that works in lanes: a function of its own would be compiled
//! without the instructions.

use crate::Error;
use pulp::{Simd, WithSimd, bytemuck::cast};
pub use simloss_core::number::Job;
use simloss_core::number::{GROUP, Value};
use std::fmt::Debug;

/// The environment variable that chooses an [`InstructionSet`].
pub const VARIABLE: &str = "SIMLOSS_SIMD";

const MISSING: &str = "this processor does not have it";

/// Instructions that this program can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstructionSet {
    /// 16 lanes.
    Avx512,
    /// 8 lanes.
    Avx2,
    /// One lane.
    Scalar,
}

impl InstructionSet {
    /// Those of this processor, the widest first; never empty.
    pub fn available() -> Vec<Self> {
        [Self::Avx512, Self::Avx2, Self::Scalar].into_iter().filter(|set| set.is_available()).collect()
    }

    /// The one that [`VARIABLE`] names, else the widest there is.
    ///
    /// # Errors
    /// [`Error::InstructionSet`] for an unknown name, and for instructions that this processor does not have.
    pub fn chosen() -> Result<Self, Error> {
        match std::env::var_os(VARIABLE) {
            Some(name) => Self::named(&name.to_string_lossy()),
            None => Ok(Self::available().first().copied().unwrap_or(Self::Scalar)),
        }
    }

    /// The one of this name, as in the table above.
    ///
    /// # Errors
    /// As [`chosen`](Self::chosen).
    ///
    /// ```
    /// use simloss_train::compute::lanes::InstructionSet;
    /// assert_eq!(InstructionSet::named("scalar")?, InstructionSet::Scalar);
    /// assert!(InstructionSet::named("mmx").is_err());
    /// # Ok::<(), simloss_train::Error>(())
    /// ```
    pub fn named(name: &str) -> Result<Self, Error> {
        let problem = match [Self::Avx512, Self::Avx2, Self::Scalar].into_iter().find(|set| set.name() == name) {
            Some(set) if set.is_available() => return Ok(set),
            Some(_) => MISSING,
            None => "there is no such instruction set",
        };
        Err(Self::refused(name, problem))
    }

    fn refused(name: &str, problem: &'static str) -> Error {
        let available = Self::available().into_iter().map(Self::name).collect::<Vec<_>>().join(", ");
        Error::InstructionSet { asked: name.to_owned(), problem, available }
    }

    /// What proves that the instructions of this set are there.
    pub(crate) fn token<T>(self, find: impl FnOnce() -> Option<T>) -> Result<T, Error> {
        find().ok_or_else(|| Self::refused(self.name(), MISSING))
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Scalar => "scalar",
        }
    }

    fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => pulp::x86::V4::try_new().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => pulp::x86::V3::try_new().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 | Self::Avx2 => false,
            Self::Scalar => true,
        }
    }
}

/// Lanes of this crate: of `f32`, and fit for threads.
pub trait Vector: Value<Scalar = f32, Token: Send + Sync> + Debug + Send + Sync {}

impl Vector for f32 {}

/// Instruction sets with registers: the alignment of those in memory (a register across two cache lines costs two loads),
/// and how a square of them is transposed.
pub trait Registers: Simd {
    /// A type of this alignment, and of no size.
    type Aligned: Copy + Debug + Default + Send + Sync;

    /// Transposes the square that the first [`Simd::F32_LANES`] registers of `rows` are.
    fn transposed(self, rows: [Self::f32s; GROUP]) -> [Self::f32s; GROUP];
}

/// Aligned to 64 bytes.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
pub struct Align64;

/// Aligned to 32 bytes.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(32))]
pub struct Align32;

#[cfg(target_arch = "x86_64")]
impl Registers for pulp::x86::V4 {
    type Aligned = Align64;

    /// Pairs of rows, then fours within quarters of registers, then quarters: 64 shuffles for 256 numbers.
    #[inline(always)]
    fn transposed(self, rows: [pulp::f32x16; GROUP]) -> [pulp::f32x16; GROUP] {
        use std::arch::x86_64::{__m512, __m512d};
        let avx = self.avx512f;
        let pairs = |a: __m512, b: __m512| [avx._mm512_unpacklo_ps(a, b), avx._mm512_unpackhi_ps(a, b)];
        let fours = |a: __m512, b: __m512| -> [__m512; 2] {
            let (a, b): (__m512d, __m512d) = (cast(a), cast(b));
            [cast(avx._mm512_unpacklo_pd(a, b)), cast(avx._mm512_unpackhi_pd(a, b))]
        };
        let quarters =
            |a: __m512, b: __m512| [avx._mm512_shuffle_f32x4::<0x88>(a, b), avx._mm512_shuffle_f32x4::<0xdd>(a, b)];
        // Quarter q of four[i][j] holds column 4q + j of rows 4i..4i + 4.
        let mut four = [[cast(rows[0]); 4]; 4];
        for (four, rows) in four.iter_mut().zip(rows.chunks_exact(4)) {
            let [a, b] = pairs(cast(rows[0]), cast(rows[1]));
            let [c, d] = pairs(cast(rows[2]), cast(rows[3]));
            let ([first, second], [third, fourth]) = (fours(a, c), fours(b, d));
            *four = [first, second, third, fourth];
        }
        let mut columns = rows;
        for j in 0..4 {
            let [even, odd] = quarters(four[0][j], four[1][j]);
            let [even_below, odd_below] = quarters(four[2][j], four[3][j]);
            let ([first, third], [second, fourth]) = (quarters(even, even_below), quarters(odd, odd_below));
            for (q, column) in [first, second, third, fourth].into_iter().enumerate() {
                columns[4 * q + j] = cast(column);
            }
        }
        columns
    }
}

#[cfg(target_arch = "x86_64")]
impl Registers for pulp::x86::V3 {
    type Aligned = Align32;

    /// As with 16 lanes, with halves in place of quarters: 24 shuffles for 64 numbers.
    #[inline(always)]
    fn transposed(self, rows: [pulp::f32x8; GROUP]) -> [pulp::f32x8; GROUP] {
        use std::arch::x86_64::{__m256, __m256d};
        let avx = self.avx;
        let pairs = |a: __m256, b: __m256| [avx._mm256_unpacklo_ps(a, b), avx._mm256_unpackhi_ps(a, b)];
        let fours = |a: __m256, b: __m256| -> [__m256; 2] {
            let (a, b): (__m256d, __m256d) = (cast(a), cast(b));
            [cast(avx._mm256_unpacklo_pd(a, b)), cast(avx._mm256_unpackhi_pd(a, b))]
        };
        let mut four = [[cast(rows[0]); 4]; 2];
        for (four, rows) in four.iter_mut().zip(rows.chunks_exact(4)) {
            let [a, b] = pairs(cast(rows[0]), cast(rows[1]));
            let [c, d] = pairs(cast(rows[2]), cast(rows[3]));
            let ([first, second], [third, fourth]) = (fours(a, c), fours(b, d));
            *four = [first, second, third, fourth];
        }
        let mut columns = rows;
        for j in 0..4 {
            let (above, below): (__m256, __m256) = (four[0][j], four[1][j]);
            columns[j] = cast(avx._mm256_permute2f128_ps::<0x20>(above, below));
            columns[4 + j] = cast(avx._mm256_permute2f128_ps::<0x31>(above, below));
        }
        columns
    }
}

/// One register: a number for each of `S::F32_LANES` samples.
#[derive(Clone, Copy, Debug)]
pub struct Lanes<S: Registers> {
    x: S::f32s,
    token: S,
    _aligned: S::Aligned,
}

impl<S: Registers> Lanes<S> {
    #[inline(always)]
    fn new(token: S, x: S::f32s) -> Self {
        Lanes { x, token, _aligned: S::Aligned::default() }
    }

    #[inline(always)]
    fn bits(self) -> S::u32s {
        cast(self.x)
    }
}

impl<S: Registers> Vector for Lanes<S> {}

impl<S: Registers> Value for Lanes<S> {
    type Scalar = f32;
    type Token = S;
    const WIDTH: usize = S::F32_LANES;

    fn call<J: Job<Self>>(token: S, job: J) -> J::Output {
        struct Here<S, J> {
            token: S,
            job: J,
        }
        impl<S: Registers, J: Job<Lanes<S>>> WithSimd for Here<S, J> {
            type Output = J::Output;

            // The token that is handed in is the one that is here already.
            #[inline(always)]
            fn with_simd<Same: Simd>(self, _: Same) -> J::Output {
                self.job.run(self.token)
            }
        }
        token.vectorize(Here { token, job })
    }

    #[inline(always)]
    fn splat(token: S, x: f32) -> Self {
        Lanes::new(token, token.splat_f32s(x))
    }

    #[inline(always)]
    fn load(token: S, from: &[f32]) -> Self {
        let (registers, rest) = S::as_simd_f32s(from);
        Lanes::new(
            token,
            match registers.first() {
                Some(x) => *x,
                None => token.partial_load_f32s(rest),
            },
        )
    }

    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        let (registers, rest) = S::as_mut_simd_f32s(to);
        match registers.first_mut() {
            Some(x) => *x = self.x,
            None => self.token.partial_store_f32s(rest, self.x),
        }
    }

    #[inline(always)]
    fn add(self, o: Self) -> Self {
        Lanes::new(self.token, self.token.add_f32s(self.x, o.x))
    }

    #[inline(always)]
    fn sub(self, o: Self) -> Self {
        Lanes::new(self.token, self.token.sub_f32s(self.x, o.x))
    }

    #[inline(always)]
    fn mul(self, o: Self) -> Self {
        Lanes::new(self.token, self.token.mul_f32s(self.x, o.x))
    }

    #[inline(always)]
    fn div(self, o: Self) -> Self {
        Lanes::new(self.token, self.token.div_f32s(self.x, o.x))
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        Lanes::new(self.token, self.token.sqrt_f32s(self.x))
    }

    #[inline(always)]
    fn select_gt(self, o: Self, yes: Self, no: Self) -> Self {
        let greater = self.token.greater_than_f32s(self.x, o.x);
        Lanes::new(self.token, cast(self.token.select_u32s(greater, yes.bits(), no.bits())))
    }

    #[inline(always)]
    fn select_sign(self, set: Self, clear: Self) -> Self {
        let negative = self.token.less_than_i32s(cast(self.x), self.token.splat_i32s(0));
        Lanes::new(self.token, cast(self.token.select_u32s(negative, set.bits(), clear.bits())))
    }

    #[inline(always)]
    fn abs(self) -> Self {
        let magnitude = self.token.splat_u32s(u32::MAX >> 1);
        Lanes::new(self.token, cast(self.token.and_u32s(self.bits(), magnitude)))
    }

    #[inline(always)]
    fn pow2(self) -> Self {
        // As in the core: the sum's low mantissa bits are the biased exponent, and the shift drops the rest.
        let sum = self.add(Lanes::splat(self.token, 12_583_039.0));
        let exponent = self.token.wrapping_dyn_shl_u32s(sum.bits(), self.token.splat_u32s(23));
        Lanes::new(self.token, cast(exponent))
    }

    #[inline(always)]
    fn exponent(self) -> Self {
        // As in the core: the biased exponent becomes the last digits of a number whose unit is 1.
        let biased = self.token.wrapping_dyn_shr_u32s(self.bits(), self.token.splat_u32s(23));
        let integer = self.token.or_u32s(biased, self.token.splat_u32s(8_388_608.0f32.to_bits()));
        Lanes::new(self.token, cast(integer)).sub(Lanes::splat(self.token, 8_388_735.0))
    }

    #[inline(always)]
    fn transpose(token: S, block: &mut [Self]) {
        let mut rows = [token.splat_f32s(0.0); GROUP];
        for (row, x) in rows.iter_mut().zip(block.iter()) {
            *row = x.x;
        }
        for (x, column) in block.iter_mut().zip(token.transposed(rows)) {
            x.x = column;
        }
    }

    #[inline(always)]
    fn lane(self, l: usize) -> f32 {
        let mut lanes = [0.0; GROUP];
        self.store(&mut lanes[..Self::WIDTH]);
        lanes[l]
    }

    #[inline(always)]
    fn with_lane(self, l: usize, x: f32) -> Self {
        let lane = self.token.mask_between_m32s(l as u32, l as u32 + 1).mask();
        Lanes::new(self.token, self.token.select_f32s(lane, self.token.splat_f32s(x), self.x))
    }

    #[inline(always)]
    fn from_scalars(_: &[f32]) -> Option<&[Self]> {
        None
    }

    #[inline(always)]
    fn as_scalars(_: &[Self]) -> Option<&[f32]> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use simloss_core::Random;

    /// Bits of the results of every operation on the numbers of four arrays, number by number.
    struct All<'a>([&'a [f32]; 4]);

    impl<V: Vector> Job<V> for All<'_> {
        type Output = Vec<u32>;

        #[inline(always)]
        fn run(self, t: V::Token) -> Vec<u32> {
            let n = self.0[0].len();
            let mut results = vec![];
            for first in (0..n).step_by(V::WIDTH) {
                let present = V::WIDTH.min(n - first);
                let exponents: [f32; GROUP] = std::array::from_fn(|l| ((first + l) % 254) as f32 - 126.0);
                let [a, b, c, d] = self.0.map(|x| V::load(t, &x[first..]));
                let values = [
                    a,
                    V::splat(t, self.0[3][0]),
                    a.add(b),
                    a.sub(b),
                    a.mul(b),
                    a.div(b),
                    a.abs().sqrt(),
                    a.select_gt(b, c, d),
                    a.select_sign(c, d),
                    a.abs(),
                    a.max(b),
                    a.min(b),
                    a.mul(b).add(c), // would have other bits if it were fused
                    a.map(t, |x| x + 1.0),
                    (0..V::WIDTH).fold(b, |b, l| if (first + l) % 3 == 0 { b.with_lane(l, a.lane(l)) } else { b }),
                    a.two_sum(b).1,
                    V::load(t, &exponents).pow2(),
                    a.exponent(),
                ];
                for value in values {
                    for l in present..V::WIDTH {
                        assert_eq!(a.lane(l).to_bits(), 0, "a lane beyond the slice");
                    }
                    // Into a slice that is too long, and one that is too short.
                    let (mut long, mut short) = ([7.0; GROUP + 1], [7.0; GROUP]);
                    value.store(&mut long);
                    value.store(&mut short[..present]);
                    for (l, found) in long.iter().enumerate() {
                        let stored = if l < V::WIDTH { value.lane(l) } else { 7.0 };
                        assert_eq!(found.to_bits(), stored.to_bits());
                    }
                    for (l, found) in short.iter().enumerate() {
                        let stored = if l < present { value.lane(l) } else { 7.0 };
                        assert_eq!(found.to_bits(), stored.to_bits());
                    }
                }
                for l in 0..present {
                    // Which NaN it is, is not promised.
                    let bits = |x: f32| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() };
                    results.extend(values.map(|value| bits(value.lane(l))));
                }
            }
            results
        }
    }

    fn results(set: InstructionSet, job: All<'_>) -> Vec<u32> {
        match set {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => match pulp::x86::V4::try_new() {
                Some(token) => Lanes::call(token, job),
                None => vec![],
            },
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => match pulp::x86::V3::try_new() {
                Some(token) => Lanes::call(token, job),
                None => vec![],
            },
            _ => f32::call((), job),
        }
    }

    #[test]
    fn every_lane_has_the_bits_of_a_scalar() {
        let mut random = Random::new(1);
        let special = [0.0, -0.0, 1.0, -1.0, f32::NAN, -f32::NAN, f32::INFINITY, -f32::INFINITY, 1e-40, -1e-40];
        // Not a whole number of registers, so that the last is loaded and stored in part.
        let mut draw = || -> Vec<f32> {
            let any = |r: &mut Random| f32::from_bits(r.next_u64() as u32);
            let near = |r: &mut Random| r.unit::<f32>() - 0.5;
            (0..5003)
                .map(|_| match random.below(3) {
                    0 => special[random.below(special.len())],
                    1 => any(&mut random),
                    _ => near(&mut random),
                })
                .collect()
        };
        let (a, b, c, d) = (draw(), draw(), draw(), draw());
        let job = || All([&a, &b, &c, &d]);
        let expected = f32::call((), job());
        assert_eq!(expected.len(), 5003 * 18);
        for set in InstructionSet::available() {
            let found = results(set, job());
            let differs = found.iter().zip(&expected).position(|(found, expected)| found != expected);
            assert_eq!(
                (found.len(), differs),
                (expected.len(), None),
                "{}: operation {:?}",
                set.name(),
                differs.map(|i| i % 18)
            );
        }
    }

    /// Numbers of a transposed square, whose number in row `l` and column `k` was `16 l + k`.
    struct Square;

    impl<V: Vector> Job<V> for Square {
        type Output = Vec<u32>;

        #[inline(always)]
        fn run(self, t: V::Token) -> Vec<u32> {
            let row = |l: usize| V::load(t, &std::array::from_fn::<f32, GROUP, _>(|k| (16 * l + k) as f32));
            let mut rows: [V; GROUP] = std::array::from_fn(row);
            V::transpose(t, &mut rows);
            let column = |x: &V| (0..V::WIDTH).map(|l| x.lane(l) as u32).collect::<Vec<_>>();
            let rest = (V::WIDTH..GROUP).all(|l| rows[l].lane(0).to_bits() == row(l).lane(0).to_bits());
            assert!(rest, "only the square changes");
            rows[..V::WIDTH].iter().flat_map(column).collect()
        }
    }

    #[test]
    fn squares_change_rows_for_columns() {
        for set in InstructionSet::available() {
            let found = match set {
                #[cfg(target_arch = "x86_64")]
                InstructionSet::Avx512 => pulp::x86::V4::try_new().map(|token| Lanes::call(token, Square)),
                #[cfg(target_arch = "x86_64")]
                InstructionSet::Avx2 => pulp::x86::V3::try_new().map(|token| Lanes::call(token, Square)),
                _ => Some(f32::call((), Square)),
            };
            let width = found.as_ref().map_or(0, |found| found.len().isqrt() as u32);
            let expected: Vec<u32> = (0..width).flat_map(|k| (0..width).map(move |l| 16 * l + k)).collect();
            assert!(width > 0);
            assert_eq!(found, Some(expected), "{}", set.name());
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn registers_are_as_wide_and_as_aligned_as_cache_lines_want() {
        use pulp::x86::{V3, V4};
        assert_eq!((Lanes::<V4>::WIDTH, size_of::<Lanes<V4>>(), align_of::<Lanes<V4>>()), (16, 64, 64));
        assert_eq!((Lanes::<V3>::WIDTH, size_of::<Lanes<V3>>(), align_of::<Lanes<V3>>()), (8, 32, 32));
    }

    #[test]
    fn sets_by_name() {
        for set in InstructionSet::available() {
            assert_eq!(InstructionSet::named(set.name()).ok(), Some(set));
        }
        assert_eq!(InstructionSet::available().last(), Some(&InstructionSet::Scalar));
        let message = InstructionSet::named("avx").err().map(|e| e.to_string()).unwrap_or_default();
        assert!(message.contains("SIMLOSS_SIMD=avx:") && message.ends_with("scalar, or leave it unset"), "{message}");
    }
}
