//! What every binary of this crate needs: printing in hexadecimal, counting, exiting.
#![no_std]

use cortex_m::peripheral::{SYST, syst::SystClkSource};
use cortex_m_semihosting::{debug, hio};
use simloss_program::Sink;

/// Prints lines through the debugger, without `core::fmt`.
pub struct Console(hio::HostStream);

impl Console {
    /// Standard output of the debugger's host.
    pub fn new() -> Option<Self> {
        hio::hstdout().ok().map(Console)
    }

    fn write(&mut self, text: &[u8]) {
        if self.0.write_all(text).is_err() {
            exit(false);
        }
    }
}

impl Sink for Console {
    fn line(&mut self, name: &str, bits: &[u32]) {
        self.write(name.as_bytes());
        for &bits in bits {
            let mut text = *b" 00000000";
            let mut rest = bits;
            for digit in text.iter_mut().skip(1).rev() {
                let value = (rest & 15) as u8;
                *digit = if value < 10 { b'0' + value } else { b'a' + value - 10 };
                rest >>= 4;
            }
            self.write(&text);
        }
        self.write(b"\n");
    }
}

/// Instructions under `-icount shift=0`: SysTick runs at 25 MHz of virtual time, one instruction takes 1 ns.
pub struct Counter(SYST);

/// Instructions in one tick of the counter.
pub const INSTRUCTIONS_PER_TICK: u32 = 40;

impl Counter {
    /// Starts the timer.
    pub fn new(mut timer: SYST) -> Self {
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(0x00ff_ffff);
        timer.clear_current();
        timer.enable_counter();
        Counter(timer)
    }

    /// Ticks that `work` takes (below 2^24).
    pub fn ticks(&mut self, work: &mut dyn FnMut()) -> u32 {
        let before = SYST::get_current();
        work();
        before.wrapping_sub(SYST::get_current()) & 0x00ff_ffff
    }
}

/// Ends the run with success or failure.
pub fn exit(ok: bool) -> ! {
    loop {
        debug::exit(if ok { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(false)
}
