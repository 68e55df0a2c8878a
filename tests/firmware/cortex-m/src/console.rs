//! The debugger's host: where output goes, and how a run ends.

use core::panic::PanicInfo;
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
    #[inline(never)]
    fn line(&mut self, name: &str, bits: &[u32]) {
        self.write(name.as_bytes());
        for &bits in bits {
            self.write(b" ");
            for digit in (0..8).rev() {
                let value = (bits >> (4 * digit)) as u8 & 15;
                self.write(&[if value < 10 { b'0' + value } else { b'a' + value - 10 }]);
            }
        }
        self.write(b"\n");
    }
}

/// Ends the run with success or failure.
pub fn exit(ok: bool) -> ! {
    loop {
        debug::exit(if ok { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(false)
}
