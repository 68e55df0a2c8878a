//! Every loss with every optimizer: the output must be the host's.
#![no_std]
#![no_main]

use simloss_cortex_m::{Console, Counter, INSTRUCTIONS_PER_TICK, exit};
use simloss_program::{Sink, head};

static mut MEMORY: head::Memory = head::Memory::new();

#[cortex_m_rt::entry]
fn main() -> ! {
    let (Some(mut console), Some(peripherals)) = (Console::new(), cortex_m::Peripherals::take()) else { exit(false) };
    let mut counter = Counter::new(peripherals.SYST);
    // SAFETY: `main` runs once, nothing interrupts it, and this is the only reference ever made.
    let memory = unsafe { &mut *(&raw mut MEMORY) };
    let mut ticks = 0;
    let done = head::all(memory, |step| ticks = counter.ticks(step), &mut console);
    console.line("# instructions of the last step", &[ticks * INSTRUCTIONS_PER_TICK]);
    exit(done.is_ok())
}
