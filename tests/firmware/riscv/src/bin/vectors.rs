//! The loss over hard cases, and metrics: the output must be the host's.
#![no_std]
#![no_main]

use simloss_program::{checkpoints, device, metrics, proper, vectors};
use simloss_riscv::{Console, exit};

static mut MEMORY: vectors::Memory<f32> = vectors::Memory::new(0.0);
static mut PROPER: proper::Memory<f32> = proper::Memory::new(0.0);

#[riscv_rt::entry]
fn main() -> ! {
    let memory = &raw mut MEMORY;
    // SAFETY: `main` runs once, nothing interrupts it, and this is the only reference ever made.
    let memory = unsafe { &mut *memory };
    let proper = &raw mut PROPER;
    // SAFETY: as above.
    let proper = unsafe { &mut *proper };
    exit(
        vectors::all(memory, &mut Console)
            .and_then(|()| proper::all(proper, &mut Console))
            .and_then(|()| metrics::all::<f32>(&mut Console))
            .and_then(|()| checkpoints::all(&mut Console))
            .and_then(|()| device::all::<f32>(&mut Console))
            .is_ok(),
    )
}
