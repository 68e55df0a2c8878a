//! The story on a Cortex-M.
#![no_std]
#![no_main]

use simloss_cortex_m::{Console, Counter, exit};
use simloss_story::{Memory, tune};

static mut MEMORY: Memory = Memory::new();

#[cortex_m_rt::entry]
fn main() -> ! {
    let (Some(mut console), Some(mut counter)) = (Console::new(), Counter::new()) else { exit(false) };
    // SAFETY: `main` runs once, nothing interrupts it, and this is the only reference ever made.
    let memory = unsafe { &mut *(&raw mut MEMORY) };
    exit(tune(memory, &mut counter, &mut console).is_ok())
}
