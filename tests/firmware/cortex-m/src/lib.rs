//! What every binary of this crate needs: printing in hexadecimal, counting, looking at the stack, exiting, and the
//! number that trains.
#![no_std]

mod console;
mod counter;
pub mod stack;

#[cfg(target_abi = "eabihf")]
mod number;
#[cfg(target_abi = "eabihf")]
pub use number::Fpu as Number;
/// Numbers of the target.
#[cfg(not(target_abi = "eabihf"))]
pub type Number = f32;

pub use console::{Console, exit};
pub use counter::Counter;

/// The entry of a binary that trains with one optimizer and one loss, and nothing else.
#[macro_export]
macro_rules! budget {
    ($mover:ident, $judge:ident) => {
        type Memory = simloss_program::memory!($crate::Number, $mover, $judge);

        static mut MEMORY: Memory = Memory::new(
            <$crate::Number as simloss_core::number::Scalar>::ZERO,
            simloss_program::empty!($crate::Number, $judge),
        );

        #[cortex_m_rt::entry]
        fn main() -> ! {
            use simloss_program::{Sink, name, train};
            let (Some(mut console), Some(mut counter)) = ($crate::Console::new(), $crate::Counter::new()) else {
                $crate::exit(false)
            };
            // SAFETY: `main` runs once, nothing interrupts it, and this is the only reference ever made.
            let memory = unsafe { &mut *(&raw mut MEMORY) };
            let cost =
                train!($crate::Number, $mover, $judge)(name!($mover, $judge), memory, &mut counter, &mut console);
            let Ok(cost) = cost else { $crate::exit(false) };
            console.line("# instructions and stack", &[cost, $crate::stack::used()]);
            $crate::exit(true)
        }
    };
}
