//! The square root of a Cortex-M's FPU, for [`Adam`](simloss_core::optimizer::Adam): `vsqrt.f32`, where libm takes dozens of
//! instructions a parameter.
//!
//! The bits are libm's, because both are correctly rounded (IEEE 754 demands that of `vsqrt`). So on targets without the
//! instruction [`FpuRoot`] is libm's, and one program runs everywhere.
//!
//! ```
//! use simloss_core::{Error, device, nalgebra::SVector, optimizer::Adam, similarity::ClassOrder};
//! use simloss_fpu::FpuRoot;
//! type Head<'m> = device::Head<'m, 2, 3, ClassOrder<f32, 3>, Adam<f32, FpuRoot>>;
//! let mut memory = [0.0; Head::NUMBERS];
//! let mut head = Head::new(&mut memory, 0.5, Adam::new(0.1)?.with_root())?;
//! let x = SVector::from([1.0, -1.0]);
//! assert!(head.learn(&x, 2)? > head.learn(&x, 2)?);
//! # Ok::<(), Error>(())
//! ```
//!
//! It is a crate of its own because it holds the one line of assembly, which needs `unsafe`; `simloss-core` forbids that.
#![no_std]

#[cfg(test)]
extern crate std;

use simloss_core::{number::Value, optimizer::SquareRoot};

/// `vsqrt.f32` where the target has it (`thumbv7em-none-eabihf`, `thumbv8m.main-none-eabihf`), libm's square root elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FpuRoot;

impl SquareRoot<f32> for FpuRoot {
    #[inline(always)]
    fn root<V: Value<Scalar = f32>>(token: V::Token, x: V) -> V {
        // A closure: a function of C's ABI is none that `map` takes, and libm's is.
        #[allow(clippy::redundant_closure)]
        x.map(token, |x| root(x))
    }
}

/// One instruction. A function of its own (a call and a return beside it) because inline assembly refuses registers of an FPU
/// without doubles: the compiler looks for `vfp2`, and a Cortex-M4F only has its single-precision half.
///
/// Why this is sound, line by line:
/// - It is compiled for the ABI `eabihf` only. Its calls (AAPCS, VFP variant) pass the first `f32` in `s0` and return an `f32`
///   there, and a program of that ABI runs on cores with an FPU only.
/// - `vsqrt.f32 s0, s0` reads and writes `s0` and the flags of FPSCR, all of which a callee may change. It touches no memory.
/// - `bx lr` returns. The stack pointer and all registers that a callee must keep are what they were.
/// - `.fpu` tells the assembler that the instruction exists; it emits nothing.
#[cfg(all(target_arch = "arm", target_abi = "eabihf"))]
#[unsafe(naked)]
extern "C" fn root(x: f32) -> f32 {
    core::arch::naked_asm!(".fpu fpv4-sp-d16", "vsqrt.f32 s0, s0", "bx lr")
}

/// libm's.
#[cfg(not(all(target_arch = "arm", target_abi = "eabihf")))]
#[inline]
fn root(x: f32) -> f32 {
    Value::sqrt(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_correctly_rounded() {
        for bits in (0..0x7f80_0000u32).step_by(997) {
            let x = f32::from_bits(bits);
            // Rounding a double's root to f32 is correct: 53 bits are more than twice 24 and two.
            assert_eq!(FpuRoot::root((), x).to_bits(), (f64::from(x).sqrt() as f32).to_bits());
        }
    }
}
