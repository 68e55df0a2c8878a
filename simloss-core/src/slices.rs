//! Slices cut without a way to panic: lengths are checked once at the edge, which the compiler cannot see from here.

/// `slice` in two, the first with `n` items, or all of them if there are fewer.
#[inline(always)]
pub(crate) fn split<T>(slice: &[T], n: usize) -> (&[T], &[T]) {
    slice.split_at(n.min(slice.len()))
}

/// As [`split`], to write to.
#[inline(always)]
pub(crate) fn split_mut<T>(slice: &mut [T], n: usize) -> (&mut [T], &mut [T]) {
    let n = n.min(slice.len());
    slice.split_at_mut(n)
}

/// Copies as many items as both hold.
#[inline(always)]
pub(crate) fn copy<T: Copy>(from: &[T], to: &mut [T]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = from;
    }
}
