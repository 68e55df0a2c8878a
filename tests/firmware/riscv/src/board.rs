//! QEMU's `virt` board: a serial port, a device that ends the run, and the counter of instructions.

use core::{panic::PanicInfo, ptr};
use riscv::register::minstret;
use simloss_program::{Clock, Sink};

/// Transmit register of the board's 16550.
const SERIAL: *mut u8 = 0x1000_0000 as *mut u8;
/// The board's test device: ends QEMU with 0 or, in the upper half, an exit code.
const FINISHER: *mut u32 = 0x0010_0000 as *mut u32;

/// Prints lines on the serial port, without `core::fmt`.
pub struct Console;

fn write(text: &[u8]) {
    for &byte in text {
        // SAFETY: the device takes a byte at a time; QEMU's is always ready.
        unsafe { ptr::write_volatile(SERIAL, byte) };
    }
}

impl Sink for Console {
    #[inline(never)]
    fn line(&mut self, name: &str, bits: &[u32]) {
        write(name.as_bytes());
        for &bits in bits {
            write(b" ");
            for digit in (0..8).rev() {
                let value = (bits >> (4 * digit)) as u8 & 15;
                write(&[if value < 10 { b'0' + value } else { b'a' + value - 10 }]);
            }
        }
        write(b"\n");
    }
}

/// Counts instructions (below 2^32) under `-icount shift=0`.
pub struct Counter(usize);

impl Counter {
    /// Not yet started.
    pub fn new() -> Self {
        Counter(0)
    }
}

impl Default for Counter {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for Counter {
    fn start(&mut self) {
        self.0 = minstret::read();
    }

    fn stop(&mut self) -> u32 {
        minstret::read().wrapping_sub(self.0) as u32
    }
}

/// Ends the run with success or failure.
pub fn exit(ok: bool) -> ! {
    loop {
        // SAFETY: the device takes a word and ends the run.
        unsafe { ptr::write_volatile(FINISHER, if ok { 0x5555 } else { 1 << 16 | 0x3333 }) };
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(false)
}
