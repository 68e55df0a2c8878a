//! Rows of numbers, as callers have them, to lanes and back: in squares of as many columns as there are lanes.

use super::{GROUP, Scalar, Value};
use crate::slices::{copy, split_mut};

/// One row per lane to one value per column, as many columns as `to` holds; a row that is too short goes on with +0.
///
/// ```
/// use simloss_core::number::transpose;
/// let mut columns = [0.0f32; 3];
/// let (row, none) = ([1.0, 2.0, 3.0], [0.0f32; 0]);
/// let mut rows = [&none[..]; 16];
/// rows[0] = &row;
/// transpose((), &rows, &mut columns); // one lane: its row
/// assert_eq!(columns, [1.0, 2.0, 3.0]);
/// ```
#[inline(always)]
pub fn transpose<V: Value>(t: V::Token, rows: &[&[V::Scalar]; GROUP], to: &mut [V]) {
    let mut square = [V::splat(t, V::Scalar::ZERO); GROUP];
    for (block, to) in to.chunks_mut(V::WIDTH).enumerate() {
        for (x, row) in square.iter_mut().zip(rows).take(V::WIDTH) {
            *x = V::load(t, row.get(block * V::WIDTH..).unwrap_or_default());
        }
        V::transpose(t, &mut square);
        copy(&square, to);
    }
}

/// The same with rows of `n` numbers that follow each other; missing ones repeat the first, so that lanes without a
/// sample hold nothing that the others do not.
///
/// No row is cut where the next begins: what follows is loaded with its last numbers (whole registers are faster than
/// parts of them) and goes to columns that nobody reads.
#[inline(always)]
pub(crate) fn transpose_rows<V: Value>(t: V::Token, rows: &[V::Scalar], n: usize, to: &mut [V]) {
    let present = rows.len() / n.max(1);
    let mut square = [V::splat(t, V::Scalar::ZERO); GROUP];
    for (block, to) in to.chunks_mut(V::WIDTH).enumerate() {
        for (l, x) in square.iter_mut().enumerate().take(V::WIDTH) {
            let row = if l < present { l * n } else { 0 };
            *x = V::load(t, rows.get(row + block * V::WIDTH..).unwrap_or_default());
        }
        V::transpose(t, &mut square);
        copy(&square, to);
    }
}

/// One value per column back to rows of `n` scalars, as many as `to` holds.
#[inline(always)]
pub(crate) fn transpose_back<V: Value>(t: V::Token, from: &[V], n: usize, to: &mut [V::Scalar]) {
    if let Some(from) = V::as_scalars(from) {
        return copy(from, to);
    }
    let mut square = [V::splat(t, V::Scalar::ZERO); GROUP];
    let samples = (to.len() / n.max(1)).min(V::WIDTH);
    // The last columns first: they are written as whole registers, over the beginning of the rows after them, which is
    // written later.
    let blocks = from.len().div_ceil(V::WIDTH);
    let last = blocks.saturating_sub(1);
    for (block, from) in
        from.chunks(V::WIDTH).enumerate().skip(last).chain(from.chunks(V::WIDTH).enumerate().take(last))
    {
        copy(from, &mut square);
        V::transpose(t, &mut square);
        for (l, x) in square.iter().enumerate().take(samples) {
            let (_, row) = split_mut(to, l * n + block * V::WIDTH);
            x.store(row);
        }
    }
}
