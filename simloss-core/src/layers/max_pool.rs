//! Max-pooling: the largest of each 2 x 2 square.

use super::{Activations, Layer, Place, Shape};
use crate::{
    Random,
    gradient::GradientSink,
    number::{Scalar, Value},
};

/// `y[c, i, j] = max x[c, 2i..2i+2, 2j..2j+2]`; a last odd row or column is left out, as PyTorch does.
///
/// Ties go to the lowest index (row by row), in value and gradient. A NaN or infinite input makes its square NaN, so
/// that it is refused at the logits. No parameters.
///
/// ```
/// use simloss_core::layers::{Layer, MaxPool};
/// let mut y = [0.0f32; 1];
/// MaxPool::new(1, 2, 3).forward((), &[], &[1.0f32, 4.0, 9.0, 2.0, 3.0, 9.0], &mut [], &mut y);
/// assert_eq!(y, [4.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPool {
    channels: usize,
    height: usize,
    width: usize,
}

impl MaxPool {
    /// Pooling of `channels` images of `height` x `width`, each at least 2 x 2 (less counts as 2).
    pub const fn new(channels: usize, height: usize, width: usize) -> Self {
        MaxPool { channels, height: if height < 2 { 2 } else { height }, width: if width < 2 { 2 } else { width } }
    }

    /// Channels, rows and columns of what it takes.
    pub const fn size(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }

    /// Columns of outputs.
    #[inline(always)]
    fn columns(&self) -> usize {
        (self.width / 2).max(1)
    }

    /// The index of the first input of row `row` of outputs, counted over all channels.
    #[inline(always)]
    fn start(&self, row: usize) -> usize {
        let rows = (self.height / 2).max(1);
        (row / rows * self.height + 2 * (row % rows)) * self.width
    }

    #[inline(always)]
    fn square<V: Value>(&self, x: &[V], at: usize) -> Option<[V; 4]> {
        match (x.get(at..at + 2), x.get(at + self.width..at + self.width + 2)) {
            (Some(&[a, b]), Some(&[c, d])) => Some([a, b, c, d]),
            _ => None,
        }
    }
}

impl<T: Scalar> Layer<T> for MaxPool {
    fn shape(&self) -> Shape {
        Shape {
            inputs: self.channels * self.height * self.width,
            outputs: self.channels * (self.height / 2) * (self.width / 2),
            parameters: 0,
            tape: 0,
        }
    }

    fn gradient_scratch<V: Value<Scalar = T>>(&self) -> usize {
        0
    }

    #[inline(always)]
    fn forward<V: Value<Scalar = T>>(&self, _: V::Token, _: &[T], x: &[V], _: &mut [V], y: &mut [V]) {
        for (row, y) in y.chunks_mut(self.columns()).enumerate() {
            let start = self.start(row);
            for (j, y) in y.iter_mut().enumerate() {
                let Some([a, b, c, d]) = self.square(x, start + 2 * j) else { return };
                // x - x is +0 for what is finite and NaN otherwise: comparisons alone would hide it.
                let poison = a.sub(a).add(b.sub(b)).add(c.sub(c).add(d.sub(d)));
                *y = d.max(c.max(b.max(a))).add(poison);
            }
        }
    }

    #[inline(always)]
    fn backward<V: Value<Scalar = T>>(
        &self,
        t: V::Token,
        _: &[T],
        activations: Activations<'_, V>,
        dy: &mut [V],
        _: &mut [V],
        dx: Option<&mut [V]>,
        _: &mut [T],
    ) {
        let Some(dx) = dx else { return };
        let [zero, one, two, three] = [0.0, 1.0, 2.0, 3.0].map(|x| V::splat(t, T::from_f32(x)));
        let half = V::splat(t, T::HALF);
        if !(self.width.is_multiple_of(2) && self.height.is_multiple_of(2)) {
            dx.fill(zero);
        }
        for (row, dy) in dy.chunks(self.columns()).enumerate() {
            let start = self.start(row);
            for (j, &g) in dy.iter().enumerate() {
                let at = start + 2 * j;
                let Some([a, b, c, d]) = self.square(activations.x, at) else { return };
                let (most, place) = (b.max(a), b.select_gt(a, one, zero));
                let (most, place) = (c.max(most), c.select_gt(most, two, place));
                let place = d.select_gt(most, three, place);
                for (n, offset) in [(zero, 0), (one, 1), (two, self.width), (three, self.width + 1)] {
                    if let Some(dx) = dx.get_mut(at + offset) {
                        *dx = half.select_gt(place.sub(n).abs(), g, zero);
                    }
                }
            }
        }
    }

    fn parameter_gradient<V: Value<Scalar = T>, G: GradientSink<T>>(
        &self,
        _: V::Token,
        _: Activations<'_, V>,
        _: &[V],
        _: &[V],
        _: Place<'_, T>,
        _: &mut G,
    ) {
    }

    fn gradient_square(&self, _: Activations<'_, T>, _: &[T], _: &[T]) -> T {
        T::ZERO
    }

    fn initialise(&self, _: &mut [T], _: &mut Random) {}
}
