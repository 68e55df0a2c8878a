//! The loss over hard cases, and metrics: the output must be the host's.
#![no_std]
#![no_main]

use simloss_cortex_m::{Console, exit};
use simloss_program::{checkpoints, device, metrics, proper, vectors};

static mut MEMORY: vectors::Memory<f32> = vectors::Memory::new(0.0);
static mut PROPER: proper::Memory<f32> = proper::Memory::new(0.0);

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
            .and_then(|()| metrics::all::<f32>(&mut console))
            .and_then(|()| checkpoints::all(&mut console))
            .and_then(|()| device::all::<f32>(&mut console))
            .is_ok(),
    )
}
