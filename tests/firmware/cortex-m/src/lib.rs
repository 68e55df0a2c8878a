//! What every binary of this crate needs: printing in hexadecimal, counting, looking at the stack, exiting.
#![no_std]

mod console;
mod counter;
pub mod stack;

pub use console::{Console, exit};
pub use counter::Counter;

/// The entry of a binary that trains with one optimizer and one loss, and nothing else.
#[macro_export]
macro_rules! budget {
    ($mover:ident, $judge:ident) => {
        type Memory = simloss_program::memory!(f32, $mover, $judge);

        static mut MEMORY: Memory = Memory::new(0.0, simloss_program::empty!(f32, $judge));

        #[cortex_m_rt::entry]
        fn main() -> ! {
            use simloss_program::{Sink, name, train};
            let (Some(mut console), Some(mut counter)) = ($crate::Console::new(), $crate::Counter::new()) else {
                $crate::exit(false)
            };
            // SAFETY: `main` runs once, nothing interrupts it, and this is the only reference ever made.
            let memory = unsafe { &mut *(&raw mut MEMORY) };
            let cost = train!(f32, $mover, $judge)(name!($mover, $judge), memory, &mut counter, &mut console);
            let Ok(cost) = cost else { $crate::exit(false) };
            console.line("# instructions and stack", &[cost, $crate::stack::used()]);
            $crate::exit(true)
        }
    };
}

/// The entry of a binary that trains a `device::Head` with one optimizer and one loss, and nothing else.
#[macro_export]
macro_rules! front {
    ($mover:ident, $judge:ident) => {
        #[cortex_m_rt::entry]
        fn main() -> ! {
            // Of `main` alone: cortex-m-rt hands it a `&'static mut`.
            static mut MEMORY: [f32; NUMBERS] = [0.0; NUMBERS];
            static mut X: simloss_program::front::Sample = simloss_program::front::EMPTY;
            use simloss_program::{Sink, name};
            let x = X;
            let (Some(mut console), Some(mut counter)) = ($crate::Console::new(), $crate::Counter::new()) else {
                $crate::exit(false)
            };
            let cost = $crate::front!(@ $mover, $judge, x)(name!($mover, $judge), MEMORY, &mut counter, &mut console);
            let Ok(cost) = cost else { $crate::exit(false) };
            console.line("# instructions and stack", &[cost, $crate::stack::used()]);
            $crate::exit(true)
        }

        const NUMBERS: usize = $crate::front!(# $mover, $judge);
    };
    (# Accumulate, $judge:ident) => { simloss_program::front_numbers!(Sgd, $judge) };
    (# $mover:ident, $judge:ident) => { simloss_program::front_numbers!($mover, $judge) };
    (@ Accumulate, $judge:ident, $x:ident) => {{
        use simloss_program::{accumulate::BATCH, front, head::PARAMETERS};
        static mut GRADIENT: [f32; PARAMETERS] = [0.0; PARAMETERS];
        static mut SAMPLES: [(front::Sample, usize); BATCH as usize] = [(front::EMPTY, 0); BATCH as usize];
        |name, memory, clock, sink| {
            // SAFETY: `main` runs once, nothing interrupts it, and these are the only references ever made.
            let (gradient, samples) = unsafe { (&mut *(&raw mut GRADIENT), &mut *(&raw mut SAMPLES)) };
            front::accumulate::<simloss_program::optimizers::Sgd, simloss_program::similarities::$judge, _>(
                name, memory, gradient, samples, clock, sink,
            )
        }
    }};
    (@ $mover:ident, $judge:ident, $x:ident) => {
        |name, memory, clock, sink| {
            simloss_program::front::train::<
                simloss_program::optimizers::$mover,
                simloss_program::similarities::$judge,
                _,
            >(name, memory, $x, clock, sink)
        }
    };
}

/// The entry of a binary that predicts, saves and loads.
#[macro_export]
macro_rules! store {
    () => {
        use simloss_program::store::{FLASH, NUMBERS};

        #[cortex_m_rt::entry]
        fn main() -> ! {
            static mut MEMORY: [f32; NUMBERS] = [0.0; NUMBERS];
            static mut SLOTS: [u8; FLASH] = [0; FLASH];
            static mut X: simloss_program::front::Sample = simloss_program::front::EMPTY;
            use simloss_program::{Sink, store::run};
            let (Some(mut console), Some(mut counter)) = ($crate::Console::new(), $crate::Counter::new()) else {
                $crate::exit(false)
            };
            let costs = run("store simloss-order", MEMORY, SLOTS, X, &mut counter, &mut console);
            let Ok(costs) = costs else { $crate::exit(false) };
            console.line("# forward, save, load", &[costs.forward, costs.save, costs.load]);
            console.line("# instructions and stack", &[0, $crate::stack::used()]);
            $crate::exit(true)
        }
    };
}
