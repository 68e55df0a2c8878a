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

use crate::number::{Scalar, Value};

/// Takes the gradients of parameters, by their index in the network's parameters.
pub trait GradientSink<T: Scalar> {
    /// The gradient of parameter `index`: one number for each sample, in index order.
    fn add(&mut self, index: usize, samples: &[T]);

    /// The gradients of parameters `index..index + n`, where sample `l` gives `scales[l] * rows[l * n + i]` to parameter
    /// `index + i`. `n` is at least 1.
    fn add_products<V: Value<Scalar = T>>(&mut self, token: V::Token, index: usize, scales: &[T], rows: &[T], n: usize);
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
        for (block, sums) in sums.chunks_mut(V::WIDTH).enumerate() {
            let mut sum = V::load(t, sums);
            for (&scale, row) in scales.iter().zip(rows.chunks_exact(n.max(1))) {
                let Some(x) = row.get(block * V::WIDTH..) else { return };
                sum = sum.add(V::splat(t, scale).mul(V::load(t, x)));
            }
            sum.store(sums);
        }
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

    fn add_products<V: Value<Scalar = T>>(&mut self, _: V::Token, _: usize, scales: &[T], rows: &[T], _: usize) {
        let Some(&scale) = scales.first() else { return };
        self.usable &= rows.iter().all(|&x| is_usable(scale.mul(x).mul(self.reach)));
    }
}

/// `total += group`, and zeroes in `group` for the next one.
#[inline(always)]
pub fn commit<V: Value>(t: V::Token, group: &mut [V::Scalar], total: &mut [V::Scalar]) {
    for (group, total) in group.chunks_mut(V::WIDTH).zip(total.chunks_mut(V::WIDTH)) {
        V::load(t, total).add(V::load(t, group)).store(total);
        group.fill(V::Scalar::ZERO);
    }
}
