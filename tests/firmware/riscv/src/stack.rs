//! How deep the stack grew: painted first of all, and what is no longer paint was used.

use core::ptr;

const PAINT: u32 = 0xcccc_cccc;
/// Bytes below the top that are painted; deeper use counts as this.
const DEPTH: usize = 64 * 1024;
/// Bytes near the caller's frame that are left alone.
const MARGIN: usize = 256;

unsafe extern "C" {
    static _stack_start: u32;
}

fn bottom() -> *mut u32 {
    (&raw const _stack_start).wrapping_byte_sub(DEPTH).cast_mut()
}

/// Paints the stack below the caller.
#[inline(never)]
pub fn paint() {
    let here = 0u32;
    let end = (&raw const here).wrapping_byte_sub(MARGIN);
    let mut at = bottom();
    while at.cast_const() < end {
        // SAFETY: RAM below every frame that is in use.
        unsafe { ptr::write_volatile(at, PAINT) };
        at = at.wrapping_add(1);
    }
}

/// Bytes of stack used so far.
pub fn used() -> u32 {
    let top = &raw const _stack_start;
    let mut at = bottom().cast_const();
    // SAFETY: RAM up to the top of the stack; volatile, because other frames live there.
    while at < top && unsafe { ptr::read_volatile(at) } == PAINT {
        at = at.wrapping_add(1);
    }
    (top as usize - at as usize) as u32
}
