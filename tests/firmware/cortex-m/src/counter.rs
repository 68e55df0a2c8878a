//! Instructions, counted by the SysTick timer under `-icount shift=0`.

use cortex_m::peripheral::{Peripherals, SYST, syst::SystClkSource};
use simloss_program::Clock;

/// Runs at 25 MHz of virtual time on the mps2 boards and at 16 MHz on the microbit, and one instruction takes 1 ns: two
/// ticks are this many instructions.
const INSTRUCTIONS_IN_TWO_TICKS: u32 = if cfg!(feature = "small") { 125 } else { 80 };
/// 24 bits.
const MASK: u32 = 0x00ff_ffff;

/// Counts instructions (below 671 million).
pub struct Counter {
    timer: SYST,
    before: u32,
}

impl Counter {
    /// Starts the timer; `None` the second time.
    pub fn new() -> Option<Self> {
        let mut timer = Peripherals::take()?.SYST;
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(MASK);
        timer.clear_current();
        timer.enable_counter();
        Some(Counter { timer, before: 0 })
    }
}

impl Clock for Counter {
    fn start(&mut self) {
        self.timer.enable_counter();
        self.before = SYST::get_current();
    }

    fn stop(&mut self) -> u32 {
        let ticks = self.before.wrapping_sub(SYST::get_current()) & MASK;
        // The product of 24 bits and 7 fits 32.
        ticks * INSTRUCTIONS_IN_TWO_TICKS / 2
    }
}
