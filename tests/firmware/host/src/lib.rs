//! What a program needs to run on the host.

use simloss_program::{Clock, Sink};

/// Lines to standard output, as the boards print them.
pub struct Print;

impl Sink for Print {
    fn line(&mut self, name: &str, bits: &[u32]) {
        print!("{name}");
        for bits in bits {
            print!(" {bits:08x}");
        }
        println!();
    }
}

/// The host's instructions are nobody's business.
pub struct NoClock;

impl Clock for NoClock {
    fn start(&mut self) {}
    fn stop(&mut self) -> u32 {
        0
    }
}
