//! Sums whose order is part of their definition.

use super::{GROUP, Scalar, Value};
use crate::slices::{copy, split_mut};

/// 0 in every lane whose numbers are all finite, else NaN.
#[inline(always)]
pub(crate) fn poison<V: Value>(t: V::Token, values: impl IntoIterator<Item = V>) -> V {
    values.into_iter().fold(V::splat(t, V::Scalar::ZERO), |poison, x| poison.add(x.sub(x)))
}

/// A sum over classes: blocks of four terms in index order, `(x0 + x1) + (x2 + x3)`, each added to one accumulator with
/// Kahan's compensation.
///
/// Blocks halve the length of the serial chain; the compensation keeps the error of a sum of non-negative terms at
/// about 2 ulp whatever their number. Missing terms of the last block count as +0, which changes no bit.
#[derive(Clone, Copy, Debug)]
pub struct BlockSum<V> {
    sum: V,
    lost: V,
}

impl<V: Value> BlockSum<V> {
    /// An empty sum, +0.
    #[inline(always)]
    pub fn new(token: V::Token) -> Self {
        let zero = V::splat(token, V::Scalar::ZERO);
        BlockSum { sum: zero, lost: zero }
    }

    /// Adds one block of four terms.
    #[inline(always)]
    pub fn add(&mut self, x: [V; 4]) {
        self.add_one(x[0].add(x[1]).add(x[2].add(x[3])));
    }

    /// Adds one number with compensation.
    #[inline(always)]
    pub fn add_one(&mut self, x: V) {
        let y = x.sub(self.lost);
        let sum = self.sum.add(y);
        self.lost = sum.sub(self.sum).sub(y);
        self.sum = sum;
    }

    /// Adds `x` where `weight > 0`; elsewhere the lane keeps its sum and its compensation, as if never called.
    #[inline(always)]
    pub fn add_where(&mut self, zero: V, weight: V, x: V) {
        let mut added = *self;
        added.add_one(x);
        self.sum = weight.select_gt(zero, added.sum, self.sum);
        self.lost = weight.select_gt(zero, added.lost, self.lost);
    }

    /// The sum so far.
    #[inline(always)]
    pub fn total(self) -> V {
        self.sum
    }
}

/// What [`block_sums`] adds up: terms made from two numbers of the same index.
///
/// A trait and not a closure: [`of`](Self::of) must be `inline(always)`, or SIMD lanes are slow.
pub trait Terms<V, A, B, const N: usize> {
    /// The terms of one index.
    fn of(&self, x: A, y: B) -> [V; N];
}

/// Block sums of the terms of `x_k, y_k` over two slices, several in one pass.
#[inline(always)]
pub fn block_sums<V: Value, A: Copy, B: Copy, const N: usize>(
    token: V::Token,
    x: &[A],
    y: &[B],
    terms: &impl Terms<V, A, B, N>,
) -> [V; N] {
    let mut sums = [BlockSum::new(token); N];
    let ((x_blocks, x_rest), (y_blocks, y_rest)) = (x.as_chunks::<4>(), y.as_chunks::<4>());
    for (&[x0, x1, x2, x3], &[y0, y1, y2, y3]) in x_blocks.iter().zip(y_blocks) {
        add_block(&mut sums, [terms.of(x0, y0), terms.of(x1, y1), terms.of(x2, y2), terms.of(x3, y3)]);
    }
    if !x_rest.is_empty() {
        let zero = [V::splat(token, V::Scalar::ZERO); N];
        if const { V::WIDTH == 1 } {
            // A closure, so that a scalar's terms are compiled once for all three: a microcontroller has little memory.
            let term = |k: usize| match (x_rest.get(k), y_rest.get(k)) {
                (Some(&x), Some(&y)) => terms.of(x, y),
                _ => zero,
            };
            add_block(&mut sums, [term(0), term(1), term(2), zero]);
        } else {
            let mut block = [zero; 4];
            for ((slot, &x), &y) in block.iter_mut().zip(x_rest).zip(y_rest) {
                *slot = terms.of(x, y);
            }
            add_block(&mut sums, block);
        }
    }
    sums.map(BlockSum::total)
}

/// One block to each sum. Written out for one and two, so that it is the same code at every level of optimization.
#[inline(always)]
fn add_block<V: Value, const N: usize>(sums: &mut [BlockSum<V>; N], [a, b, c, d]: [[V; N]; 4]) {
    match (&mut sums[..], &a[..], &b[..], &c[..], &d[..]) {
        ([sum], &[a], &[b], &[c], &[d]) => sum.add([a, b, c, d]),
        ([sum0, sum1], &[a0, a1], &[b0, b1], &[c0, c1], &[d0, d1]) => {
            sum0.add([a0, b0, c0, d0]);
            sum1.add([a1, b1, c1, d1]);
        }
        (sums, a, b, c, d) => {
            for ((((sum, &a), &b), &c), &d) in sums.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                sum.add([a, b, c, d]);
            }
        }
    }
}

/// The block sum of `x`.
#[inline(always)]
pub fn block_sum_of<V: Value>(token: V::Token, x: &[V]) -> V {
    struct Own;
    impl<V> Terms<V, V, V, 1> for Own {
        #[inline(always)]
        fn of(&self, x: V, _: V) -> [V; 1] {
            [x]
        }
    }
    let [sum] = block_sums(token, x, x, &Own);
    sum
}

/// The block sum of `x^2`.
#[inline(always)]
pub fn sum_of_squares<V: Value>(token: V::Token, x: &[V]) -> V {
    struct Square;
    impl<V: Value> Terms<V, V, V, 1> for Square {
        #[inline(always)]
        fn of(&self, x: V, _: V) -> [V; 1] {
            [x.mul(x)]
        }
    }
    let [sum] = block_sums(token, x, x, &Square);
    sum
}

/// The block sum of `term(0), .. term(n - 1)`.
#[inline(always)]
pub fn block_sum<V: Value>(token: V::Token, n: usize, term: impl Fn(usize) -> V) -> V {
    let zero = V::splat(token, V::Scalar::ZERO);
    let mut sum = BlockSum::new(token);
    for start in (0..n).step_by(4) {
        let mut x = [zero; 4];
        for (x, k) in x.iter_mut().zip(start..n) {
            *x = term(k);
        }
        sum.add(x);
    }
    sum.total()
}

/// A sum over samples: groups of [`GROUP`] in index order, each as a tree of pairs, added with compensation. Missing
/// samples of the last group count as +0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SampleSum<T> {
    sum: BlockSum<T>,
    group: [T; GROUP],
    filled: usize,
}

impl<T: Scalar> SampleSum<T> {
    /// An empty sum, +0.
    pub(crate) fn new() -> Self {
        SampleSum { sum: BlockSum::new(()), group: [T::ZERO; GROUP], filled: 0 }
    }

    /// Adds the next samples, at most as many as are missing from a whole group.
    #[inline(always)]
    pub(crate) fn add(&mut self, x: &[T]) {
        let (_, free) = split_mut(&mut self.group, self.filled);
        copy(x, free);
        self.filled += x.len();
        if self.filled >= GROUP {
            self.sum.add_one(tree(&self.group));
            (self.group, self.filled) = ([T::ZERO; GROUP], 0);
        }
    }

    /// The sum of all.
    pub(crate) fn total(mut self) -> T {
        if self.filled > 0 {
            self.sum.add_one(tree(&self.group));
        }
        self.sum.total()
    }
}

#[inline(always)]
fn tree<T: Scalar>(group: &[T; GROUP]) -> T {
    let mut fours = [T::ZERO; GROUP / 4];
    for (four, x) in fours.iter_mut().zip(group.as_chunks::<4>().0) {
        *four = x[0].add(x[1]).add(x[2].add(x[3]));
    }
    fours[0].add(fours[1]).add(fours[2].add(fours[3]))
}

/// A sum of real numbers that is associative: 64 integer bits and 64 fraction bits.
///
/// Floating-point addition depends on its grouping; this does not, so metrics merge to the same bits however samples
/// are spread over threads and batches. Domain: totals within ±2^63 (it saturates beyond), terms truncated to 2^-64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FixedSum(i128);

impl FixedSum {
    /// An empty sum.
    pub const ZERO: Self = FixedSum(0);

    /// Adds `x`, truncated to a multiple of 2^-64; NaN adds nothing.
    #[inline]
    pub fn add<T: Scalar>(&mut self, x: T) {
        self.0 = self.0.saturating_add(x.to_fixed());
    }

    /// Adds another sum.
    #[inline]
    pub fn merge(&mut self, other: &Self) {
        self.0 = self.0.saturating_add(other.0);
    }

    /// The sum, rounded to the nearest `f64`.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / 18_446_744_073_709_551_616.0
    }

    /// The sum in units of 2^-64, for records that must be exact.
    pub fn to_bits(self) -> i128 {
        self.0
    }

    /// The sum of the given units of 2^-64.
    pub fn from_bits(bits: i128) -> Self {
        FixedSum(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_keep_small_terms() {
        // 1 followed by many terms below its ulp: a running sum would stay at 1.
        let tiny = 2f32.powi(-25);
        let mut terms = [tiny; 4001];
        terms[0] = 1.0;
        let sum = block_sum_of((), &terms);
        assert_eq!(sum, block_sum((), 4001, |k| terms[k]));
        assert!((sum - (1.0 + 4000.0 * tiny)).abs() <= f32::EPSILON, "{sum}");
        assert_eq!(block_sum_of((), &[0.0f32; 0]), 0.0);
        assert_eq!(sum_of_squares((), &[1.0, -2.0, 3.0, -4.0, 5.0f32]), 55.0);
        assert_eq!(block_sum_of((), &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0f32]), 21.0);
    }

    #[test]
    fn fixed_sums_do_not_depend_on_grouping() {
        let x = [0.1f32, 1e9, -3.3e-7, 2.5, -1e9];
        let mut forward = FixedSum::ZERO;
        x.iter().for_each(|&x| forward.add(x));
        let (mut left, mut right) = (FixedSum::ZERO, FixedSum::ZERO);
        x[3..].iter().rev().for_each(|&x| right.add(x));
        x[..3].iter().for_each(|&x| left.add(x));
        right.merge(&left);
        assert_eq!(forward, right);
        assert!((forward.to_f64() - 2.599_999_67).abs() < 1e-7);
    }
}
