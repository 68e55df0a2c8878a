//! How deep the stack grew: cortex-m-rt's `paint-stack` fills it at reset, and what is no longer paint was used.

use core::ptr;
use cortex_m_rt::STACK_PAINT_VALUE;

unsafe extern "C" {
    static _stack_start: u32;
    static _stack_end: u32;
}

/// Bytes of stack used since reset.
pub fn used() -> u32 {
    let (end, top) = (&raw const _stack_end, &raw const _stack_start);
    let mut at = end;
    // SAFETY: all words between the two symbols of the linker script are RAM; volatile, because other frames live there.
    while at < top && unsafe { ptr::read_volatile(at) } == STACK_PAINT_VALUE {
        at = at.wrapping_add(1);
    }
    (top as usize - at as usize) as u32
}
