//! `f32` whose square root is the FPU's: one instruction where libm takes dozens, and the same bits, because both are
//! correctly rounded.

use core::arch::naked_asm;
use simloss_core::number::{Exponential, Logarithm, Scalar, Value};
use simloss_program::Number;

/// An `f32` in a register of the FPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
#[repr(transparent)]
pub struct Fpu(pub f32);

/// `vsqrt.f32`. A function of its own (a call and a return beside it) because inline assembly refuses registers of an
/// FPU without doubles: the compiler looks for `vfp2`, and a Cortex-M4F only has its single-precision half.
#[unsafe(naked)]
extern "C" fn square_root(x: f32) -> f32 {
    naked_asm!(".fpu fpv4-sp-d16", "vsqrt.f32 s0, s0", "bx lr")
}

impl Value for Fpu {
    type Scalar = Fpu;
    type Token = ();
    const WIDTH: usize = 1;

    #[inline(always)]
    fn sqrt(self) -> Fpu {
        Fpu(square_root(self.0))
    }

    // Everything else is the operation of f32.

    #[inline(always)]
    fn splat((): (), x: Fpu) -> Fpu {
        x
    }
    #[inline(always)]
    fn load((): (), from: &[Fpu]) -> Fpu {
        from.first().copied().unwrap_or(Fpu(0.0))
    }
    #[inline(always)]
    fn store(self, to: &mut [Fpu]) {
        if let Some(x) = to.first_mut() {
            *x = self;
        }
    }
    #[inline(always)]
    fn add(self, o: Fpu) -> Fpu {
        Fpu(self.0 + o.0)
    }
    #[inline(always)]
    fn sub(self, o: Fpu) -> Fpu {
        Fpu(self.0 - o.0)
    }
    #[inline(always)]
    fn mul(self, o: Fpu) -> Fpu {
        Fpu(self.0 * o.0)
    }
    #[inline(always)]
    fn div(self, o: Fpu) -> Fpu {
        Fpu(self.0 / o.0)
    }
    #[inline(always)]
    fn select_gt(self, o: Fpu, yes: Fpu, no: Fpu) -> Fpu {
        if self.0 > o.0 { yes } else { no }
    }
    #[inline(always)]
    fn select_sign(self, set: Fpu, clear: Fpu) -> Fpu {
        if self.0.is_sign_negative() { set } else { clear }
    }
    #[inline(always)]
    fn abs(self) -> Fpu {
        Fpu(Value::abs(self.0))
    }
    #[inline(always)]
    fn pow2(self) -> Fpu {
        Fpu(self.0.pow2())
    }
    #[inline(always)]
    fn exponent(self) -> Fpu {
        Fpu(self.0.exponent())
    }
    #[inline(always)]
    fn lane(self, _: usize) -> Fpu {
        self
    }
    #[inline(always)]
    fn with_lane(self, _: usize, x: Fpu) -> Fpu {
        x
    }
    #[inline(always)]
    fn from_scalars(scalars: &[Fpu]) -> Option<&[Fpu]> {
        Some(scalars)
    }
    #[inline(always)]
    fn as_scalars(values: &[Fpu]) -> Option<&[Fpu]> {
        Some(values)
    }
    #[inline(always)]
    fn transpose((): (), _: &mut [Fpu]) {}
    #[inline(always)]
    fn map(self, (): (), f: impl Fn(Fpu) -> Fpu) -> Fpu {
        f(self)
    }
}

const OF_F32: Exponential<f32> = <f32 as Scalar>::EXPONENTIAL;
const Q: [Fpu; OF_F32.q.len()] = {
    let mut q = [Fpu(0.0); OF_F32.q.len()];
    let mut i = 0;
    while i < q.len() {
        q[i] = Fpu(OF_F32.q[i]);
        i += 1;
    }
    q
};

impl Scalar for Fpu {
    const ZERO: Fpu = Fpu(<f32 as Scalar>::ZERO);
    const ONE: Fpu = Fpu(<f32 as Scalar>::ONE);
    const HALF: Fpu = Fpu(<f32 as Scalar>::HALF);
    const MAX: Fpu = Fpu(<f32 as Scalar>::MAX);
    const MIN_POSITIVE: Fpu = Fpu(<f32 as Scalar>::MIN_POSITIVE);
    const SPLIT: Fpu = Fpu(<f32 as Scalar>::SPLIT);
    const EXPONENTIAL: Exponential<Fpu> = Exponential {
        log2_e: Fpu(OF_F32.log2_e),
        round: Fpu(OF_F32.round),
        ln2_high: Fpu(OF_F32.ln2_high),
        ln2_low: Fpu(OF_F32.ln2_low),
        q: &Q,
        scale: Fpu(OF_F32.scale),
        cutoff: Fpu(OF_F32.cutoff),
        unit: Fpu(OF_F32.unit),
        far: Fpu(OF_F32.far),
    };
    const LOGARITHM: Logarithm = <f32 as Scalar>::LOGARITHM;

    #[inline(always)]
    fn from_f32(x: f32) -> Fpu {
        Fpu(x)
    }
    #[inline(always)]
    fn from_f64(x: f64) -> Fpu {
        Fpu(x as f32)
    }
    #[inline(always)]
    fn from_usize(n: usize) -> Fpu {
        Fpu(n as f32)
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self.0)
    }
    #[inline]
    fn ln(self) -> Fpu {
        Fpu(Scalar::ln(self.0))
    }
    #[inline]
    fn log1p(self) -> Fpu {
        Fpu(self.0.log1p())
    }
    #[inline]
    fn expm1(self) -> Fpu {
        Fpu(self.0.expm1())
    }
    #[inline]
    fn square_root(self) -> Fpu {
        Fpu(self.0.square_root())
    }
    #[inline]
    fn to_fixed(self) -> i128 {
        self.0.to_fixed()
    }
}

impl Number for Fpu {
    #[inline(always)]
    fn bits(self) -> u32 {
        self.0.to_bits()
    }
}
