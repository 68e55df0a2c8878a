//! The smallest useful firmware: loss, head and SGD, nothing else. Its text is the budget; it must hold no panic, no
//! allocator and no soft-double symbol.
#![no_std]
#![no_main]

use simloss_core::{loss::SimLoss, optimizer::Sgd};
use simloss_cortex_m::{Console, Counter, INSTRUCTIONS_PER_TICK, exit};
use simloss_program::{Sink, head};

static mut MEMORY: head::Memory = head::Memory::new();

#[cortex_m_rt::entry]
fn main() -> ! {
    let (Some(mut console), Some(peripherals)) = (Console::new(), cortex_m::Peripherals::take()) else { exit(false) };
    let mut counter = Counter::new(peripherals.SYST);
    // SAFETY: `main` runs once, nothing interrupts it, and this is the only reference ever made.
    let memory = unsafe { &mut *(&raw mut MEMORY) };
    let (Ok(order), Ok(sgd)) = (head::order(), Sgd::new(0.05)) else { exit(false) };
    let mut ticks = 0;
    let done =
        head::train("sgd simloss-order", SimLoss::new(&order), sgd, memory, |step| ticks = counter.ticks(step), &mut console);
    console.line("# instructions of the last step", &[ticks * INSTRUCTIONS_PER_TICK]);
    exit(done.is_ok())
}
