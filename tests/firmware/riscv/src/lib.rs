//! What every binary of this crate needs: printing in hexadecimal, counting, looking at the stack, exiting. For QEMU's
//! `virt` board.
#![no_std]

mod board;
pub mod stack;

pub use board::{Console, Counter, exit};

/// The entry of a binary that trains with one optimizer and one loss, and nothing else.
#[macro_export]
macro_rules! budget {
    ($mover:ident, $judge:ident) => {
        type Memory = simloss_program::memory!(f32, $mover, $judge);

        static mut MEMORY: Memory = Memory::new(0.0, simloss_program::empty!(f32, $judge));

        #[riscv_rt::entry]
        fn main() -> ! {
            use simloss_program::{Sink, name, train};
            $crate::stack::paint();
            // SAFETY: `main` runs once, nothing interrupts it, and this is the only reference ever made.
            let memory = unsafe { &mut *(&raw mut MEMORY) };
            let cost = train!(f32, $mover, $judge)(
                name!($mover, $judge),
                memory,
                &mut $crate::Counter::new(),
                &mut $crate::Console,
            );
            let Ok(cost) = cost else { $crate::exit(false) };
            $crate::Console.line("# instructions and stack", &[cost, $crate::stack::used()]);
            $crate::exit(true)
        }
    };
}
