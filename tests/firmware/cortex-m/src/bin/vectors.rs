//! The loss over hard cases, and metrics: the output must be the host's.
#![no_std]
#![no_main]

use simloss_core::number::Scalar;
use simloss_cortex_m::{Console, Number, exit};
use simloss_program::{checkpoints, device, metrics, proper, vectors};

static mut MEMORY: vectors::Memory<Number> = vectors::Memory::new(Number::ZERO);
static mut PROPER: proper::Memory<Number> = proper::Memory::new(Number::ZERO);

#[cortex_m_rt::entry]
fn main() -> ! {
    let Some(mut console) = Console::new() else { exit(false) };
    let memory = &raw mut MEMORY;
    // SAFETY: `main` runs once, nothing interrupts it, and this is the only reference ever made.
    let memory = unsafe { &mut *memory };
    let proper = &raw mut PROPER;
    // SAFETY: as above.
    let proper = unsafe { &mut *proper };
    exit(
        vectors::all(memory, &mut console)
            .and_then(|()| proper::all(proper, &mut console))
            .and_then(|()| metrics::all::<Number>(&mut console))
            .and_then(|()| checkpoints::all(&mut console))
            .and_then(|()| device::all::<Number>(&mut console))
            .is_ok(),
    )
}
