//! Where parameter gradients go: a buffer, or straight into the parameters.
//!
//! A layer's backward pass hands every parameter gradient to a [`GradientSink`]. [`GroupGradient`] adds them up, for
//! batches; [`InPlace`](crate::optimizer::InPlace) is the optimizer itself, which needs no memory for gradients and
//! serves a batch of one. The bits are equal both ways, because the order of every sum is fixed here:
//!
//! ```text
//! group = ((+0 + g_0) + g_1) + ..     samples of a group of 16 in index order
//! total = ((+0 + group_0) + group_1) + ..
//! ```

use crate::{
    number::{GROUP, Scalar, Value},
    slices::{copy, split, split_mut},
};

/// Takes the gradients of parameters, by their index in the network's parameters.
pub trait GradientSink<T: Scalar> {
    /// The gradient of parameter `index`: one number for each sample, in index order.
    fn add(&mut self, index: usize, samples: &[T]);

    /// The gradients of parameters `index..index + n`, where sample `l` gives `scales[l] * rows[l * n + i]` to parameter
    /// `index + i`. `n` is at least 1; `rows` may be longer.
    fn add_products<V: Value<Scalar = T>>(&mut self, token: V::Token, index: usize, scales: &[T], rows: &[T], n: usize);

    /// The gradients of parameters `index..index + values.len()`, one sample per lane; the first `present` lanes count.
    #[inline(always)]
    fn add_lanes<V: Value<Scalar = T>>(&mut self, token: V::Token, index: usize, values: &[V], present: usize) {
        let _ = token;
        for (index, value) in (index..).zip(values) {
            let mut lanes = [T::ZERO; GROUP];
            value.store(&mut lanes);
            self.add(index, split(&lanes, present).0);
        }
    }
}

/// Adds the gradients of one group of samples to a buffer with one number per parameter.
#[derive(Debug)]
pub struct GroupGradient<'a, T>(
    /// The sums so far; zeroes before the first sample of a group.
    pub &'a mut [T],
);

impl<T: Scalar> GradientSink<T> for GroupGradient<'_, T> {
    #[inline(always)]
    fn add(&mut self, index: usize, samples: &[T]) {
        if let Some(sum) = self.0.get_mut(index) {
            for &g in samples {
                *sum = sum.add(g);
            }
        }
    }

    #[inline(always)]
    fn add_products<V: Value<Scalar = T>>(&mut self, t: V::Token, index: usize, scales: &[T], rows: &[T], n: usize) {
        let Some(sums) = self.0.get_mut(index..index + n) else { return };
        let wide = WIDE * V::WIDTH;
        if let (1, &[scale], Some(row)) = (V::WIDTH, scales, rows.get(..n)) {
            add_product(sums, scale, row);
            return;
        }
        for (block, sums) in sums.chunks_mut(wide).enumerate() {
            let start = block * wide;
            match sums.len().div_ceil(V::WIDTH) {
                WIDE => products::<V, WIDE>(t, sums, scales, rows, start, n),
                3 => products::<V, 3>(t, sums, scales, rows, start, n),
                2 => products::<V, 2>(t, sums, scales, rows, start, n),
                _ => products::<V, 1>(t, sums, scales, rows, start, n),
            }
        }
    }

    #[inline(always)]
    fn add_lanes<V: Value<Scalar = T>>(&mut self, t: V::Token, index: usize, values: &[V], present: usize) {
        let Some(sums) = self.0.get_mut(index..index + values.len()) else { return };
        let mut samples = [V::splat(t, T::ZERO); GROUP];
        for (sums, values) in sums.chunks_mut(V::WIDTH).zip(values.chunks(V::WIDTH)) {
            copy(values, &mut samples);
            V::transpose(t, &mut samples);
            let mut sum = V::load(t, sums);
            for &sample in samples.iter().take(present.min(V::WIDTH)) {
                sum = sum.add(sample);
            }
            sum.store(sums);
        }
    }
}

/// Registers of parameters that [`products`] moves side by side: they share the scales, and are independent chains.
const WIDE: usize = 4;

/// Adds `scale * row[i]` to `sums[i]`: one sample, as a device accumulates them.
#[inline(always)]
fn add_product<T: Scalar>(sums: &mut [T], scale: T, row: &[T]) {
    let ((sums, sums_rest), (row, row_rest)) = (sums.as_chunks_mut::<WIDE>(), row.as_chunks::<WIDE>());
    // Written out, as the optimizers do: the same code at every level of optimization.
    for ([s0, s1, s2, s3], &[x0, x1, x2, x3]) in sums.iter_mut().zip(row) {
        *s0 = s0.add(scale.mul(x0));
        *s1 = s1.add(scale.mul(x1));
        *s2 = s2.add(scale.mul(x2));
        *s3 = s3.add(scale.mul(x3));
    }
    for (sum, &x) in sums_rest.iter_mut().zip(row_rest) {
        *sum = sum.add(scale.mul(x));
    }
}

/// Adds `scales[l] * rows[l * n + start + i]` to `sums[i]`, sample by sample; `sums` fill `N` registers, the last one
/// perhaps in part.
#[inline(always)]
fn products<V: Value, const N: usize>(
    t: V::Token,
    sums: &mut [V::Scalar],
    scales: &[V::Scalar],
    rows: &[V::Scalar],
    start: usize,
    n: usize,
) {
    let mut wide = [V::splat(t, V::Scalar::ZERO); N];
    for (k, sum) in wide.iter_mut().enumerate() {
        *sum = V::load(t, split(sums, k * V::WIDTH).1);
    }
    for (l, &scale) in scales.iter().enumerate() {
        let (scale, at) = (V::splat(t, scale), l * n + start);
        // What follows the last numbers of a row is loaded with them, where there is something, and never stored.
        if let Some(row) = rows.get(at..at + N * V::WIDTH) {
            for (k, sum) in wide.iter_mut().enumerate() {
                *sum = sum.add(scale.mul(V::load(t, split(row, k * V::WIDTH).1)));
            }
        } else {
            let (_, row) = split(rows, at);
            for (k, sum) in wide.iter_mut().enumerate() {
                *sum = sum.add(scale.mul(V::load(t, split(row, k * V::WIDTH).1)));
            }
        }
    }
    for (k, sum) in wide.iter().enumerate() {
        sum.store(split_mut(sums, k * V::WIDTH).1);
    }
}

/// Gradients of parameters that follow each other, gathered until there are as many as a group has samples:
/// [`GradientSink::add_lanes`] is fastest then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gathered<V> {
    values: [V; GROUP],
    count: usize,
    first: usize,
    present: usize,
}

impl<V: Value> Gathered<V> {
    /// None yet, of parameters from `first` on and samples in the first `present` lanes.
    #[inline(always)]
    pub(crate) fn new(t: V::Token, first: usize, present: usize) -> Self {
        Gathered { values: [V::splat(t, V::Scalar::ZERO); GROUP], count: 0, first, present }
    }

    /// The gradients of the next parameters.
    #[inline(always)]
    pub(crate) fn push(&mut self, t: V::Token, mut values: &[V], sink: &mut impl GradientSink<V::Scalar>) {
        while !values.is_empty() {
            if self.count == GROUP {
                self.flush(t, sink);
            }
            let (_, free) = split_mut(&mut self.values, self.count);
            let (now, later) = split(values, free.len().min(values.len()));
            copy(now, free);
            self.count += now.len();
            values = later;
        }
    }

    /// Hands over what is gathered.
    #[inline(always)]
    pub(crate) fn flush(&mut self, t: V::Token, sink: &mut impl GradientSink<V::Scalar>) {
        let (values, _) = split(&self.values, self.count);
        sink.add_lanes(t, self.first, values, self.present);
        self.first += self.count;
        self.count = 0;
    }
}

/// Whether a step may be taken with a gradient of this size: twice its square is finite.
#[inline(always)]
pub(crate) fn is_usable<T: Scalar>(g: T) -> bool {
    let square = g.mul(g);
    square.add(square).is_finite()
}

/// Looks at the gradients of one sample, and keeps none.
pub(crate) struct Looks<T> {
    /// Multiplies each.
    pub(crate) reach: T,
    /// All so far [are usable](is_usable).
    pub(crate) usable: bool,
}

impl<T: Scalar> GradientSink<T> for Looks<T> {
    fn add(&mut self, _: usize, samples: &[T]) {
        self.usable &= samples.iter().all(|g| is_usable(g.mul(self.reach)));
    }

    fn add_products<V: Value<Scalar = T>>(&mut self, _: V::Token, _: usize, scales: &[T], rows: &[T], n: usize) {
        let Some(&scale) = scales.first() else { return };
        self.usable &= split(rows, n).0.iter().all(|&x| is_usable(scale.mul(x).mul(self.reach)));
    }
}

/// `total += group`, and zeroes in `group` for the next one.
#[inline(always)]
pub fn commit<V: Value>(t: V::Token, group: &mut [V::Scalar], total: &mut [V::Scalar]) {
    for (group, total) in group.chunks_mut(V::WIDTH).zip(total.chunks_mut(V::WIDTH)) {
        V::load(t, total).add(V::load(t, group)).store(total);
        V::splat(t, V::Scalar::ZERO).store(group);
    }
}
