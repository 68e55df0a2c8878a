//! Every public function of the core in one program, with inputs that the compiler knows nothing of: numbers, sizes and
//! settings pass through [`black_box`], so no check can be left out because of what this program happens to pass. Whatever
//! can panic is then linked, by name, and `tests/firmware/run.sh` looks for these names.
//!
//! Functions are named with the type or trait they belong to (`Share::update(&mut share, ..)`), because `tests/public.rs`
//! compares these names with the core's source: a public function that is missing here fails there. Not in it: what derives
//! and `Display` give, which is `core::fmt`'s code.
#![no_std]
#![no_main]

mod arithmetic;
mod heads;
mod judging;
mod learning;
mod storing;

use core::hint::black_box;
use simloss_core::{Error, Label};

type Outcome = Result<(), Error>;

/// What is linked.
static ENTRIES: &[&[fn() -> Outcome]] =
    &[arithmetic::ENTRIES, heads::ENTRIES, judging::ENTRIES, learning::ENTRIES, storing::ENTRIES];

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    loop {
        for entry in black_box(ENTRIES).iter().flat_map(|entries| entries.iter()) {
            let _ = black_box(entry());
        }
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Some number.
fn number() -> f32 {
    black_box(0.5)
}

/// Some size, index or count.
fn size() -> usize {
    black_box(3)
}

/// Some class.
fn label() -> Result<Label, Error> {
    Label::new(size(), size())
}

/// Memory of which nobody knows how much is used, or what is in it.
struct Memory<T, const N: usize = 64>([T; N]);

impl<T: Copy, const N: usize> Memory<T, N> {
    fn of(x: T) -> Self {
        Memory(black_box([x; N]))
    }

    /// A part of it, of any length.
    fn part(&mut self) -> &mut [T] {
        self.0.get_mut(..size()).unwrap_or_default()
    }

    /// What was done to it is looked at.
    fn done(self) {
        black_box(self);
    }
}

/// Some numbers.
fn numbers() -> Memory<f32> {
    Memory::of(number())
}
