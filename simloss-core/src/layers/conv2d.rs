//! Two-dimensional convolution (cross-correlation, as PyTorch's), stride 1, no padding.

use super::{Activations, Layer, Place, Shape, initialise, lanes_of};
use crate::{
    Random,
    gradient::GradientSink,
    number::{Scalar, Value, sum_of_squares},
    slices::split,
};

/// `y[o, i, j] = b_o + sum_c sum_u sum_v W[o, c, u, v] x[c, i + u, j + v]`, sums in the order written.
///
/// Shapes: `x` is channels x height x width, `W` outputs x channels x kernel x kernel, `y` outputs x
/// (height - kernel + 1) x (width - kernel + 1). Parameters: `W`, then `b`.
/// Cost: outputs x channels x kernel^2 multiplications and additions per output position, as many for each gradient.
///
/// ```
/// use simloss_core::layers::{Conv2d, Layer};
/// let conv = Conv2d { channels: 1, height: 2, width: 3, outputs: 1, kernel: 2 };
/// let mut y = [0.0f32; 2];
/// conv.forward((), &[1.0f32, 0.0, 0.0, 1.0, 0.5], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &mut [], &mut y);
/// assert_eq!(y, [6.5, 8.5]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2d {
    /// Input channels.
    pub channels: usize,
    /// Input rows, at least `kernel`.
    pub height: usize,
    /// Input columns, at least `kernel`.
    pub width: usize,
    /// Output channels.
    pub outputs: usize,
    /// Rows and columns of the kernel, at least 1.
    pub kernel: usize,
}

/// Output channels and columns that share loads: `CHANNELS * COLUMNS` independent sums, each in its own order.
const CHANNELS: usize = 2;
const COLUMNS: usize = 5;
/// Input channels whose gradients are summed side by side.
const INPUTS: usize = 4;

impl Conv2d {
    const fn rows(&self) -> usize {
        (self.height + 1).saturating_sub(self.kernel)
    }

    const fn columns(&self) -> usize {
        (self.width + 1).saturating_sub(self.kernel)
    }

    const fn weights(&self) -> usize {
        self.outputs * self.channels * self.kernel * self.kernel
    }

    const fn weight(&self, o: usize, c: usize, u: usize, v: usize) -> usize {
        ((o * self.channels + c) * self.kernel + u) * self.kernel + v
    }

    /// Outputs `o..o + O` at row `i`, columns `j..j + X`.
    #[inline(always)]
    fn tile<V: Value, const O: usize, const X: usize>(
        &self,
        t: V::Token,
        parameters: &[V::Scalar],
        x: &[V],
        y: &mut [V],
        [o, i, j]: [usize; 3],
    ) {
        let (weights, biases) = split(parameters, self.weights());
        let mut sums = [[V::splat(t, V::Scalar::ZERO); X]; O];
        for (n, sums) in sums.iter_mut().enumerate() {
            let Some(&bias) = biases.get(o + n) else { return };
            *sums = [V::splat(t, bias); X];
        }
        for c in 0..self.channels {
            for u in 0..self.kernel {
                let start = (c * self.height + i + u) * self.width + j;
                let Some(x) = x.get(start..start + X + self.kernel - 1) else { return };
                let mut kernels = [&weights[..0]; O];
                for (n, kernel) in kernels.iter_mut().enumerate() {
                    let at = self.weight(o + n, c, u, 0);
                    let Some(row) = weights.get(at..at + self.kernel) else { return };
                    *kernel = row;
                }
                for (v, x) in x.windows(X).enumerate() {
                    for (sums, kernel) in sums.iter_mut().zip(kernels) {
                        let Some(&w) = kernel.get(v) else { return };
                        let w = V::splat(t, w);
                        for (sum, &x) in sums.iter_mut().zip(x) {
                            *sum = sum.add(w.mul(x));
                        }
                    }
                }
            }
        }
        for (n, sums) in sums.iter().enumerate() {
            let start = ((o + n) * self.rows() + i) * self.columns() + j;
            if let Some(y) = y.get_mut(start..start + X) {
                y.copy_from_slice(sums);
            }
        }
    }

    /// Gradients of inputs `c..c + N` at row `i`, column `j`.
    #[inline(always)]
    fn back_tile<V: Value, const N: usize>(
        &self,
        t: V::Token,
        weights: &[V::Scalar],
        dy: &[V],
        dx: &mut [V],
        [c, i, j]: [usize; 3],
    ) {
        let (rows, columns) = (self.rows(), self.columns());
        // Output rows i - u that exist: u from i - (rows - 1) to i, within the kernel. Columns likewise.
        let (first_u, last_u) = ((i + 1).saturating_sub(rows), i.min(self.kernel.saturating_sub(1)));
        let (first_v, last_v) = ((j + 1).saturating_sub(columns), j.min(self.kernel.saturating_sub(1)));
        let mut sums = [V::splat(t, V::Scalar::ZERO); N];
        for o in 0..self.outputs {
            for u in first_u..=last_u {
                for v in first_v..=last_v {
                    let Some(&g) = dy.get((o * rows + i - u) * columns + j - v) else { return };
                    for (n, sum) in sums.iter_mut().enumerate() {
                        let Some(&w) = weights.get(self.weight(o, c + n, u, v)) else { return };
                        *sum = sum.add(g.mul(V::splat(t, w)));
                    }
                }
            }
        }
        for (n, sum) in sums.into_iter().enumerate() {
            if let Some(dx) = dx.get_mut(((c + n) * self.height + i) * self.width + j) {
                *dx = sum;
            }
        }
    }

    /// Gradients of the weights `W[o, c, u, v..v + X]`, one sum over positions per lane.
    #[inline(always)]
    fn weight_tile<V: Value, const X: usize>(
        &self,
        t: V::Token,
        x: &[V],
        dy: &[V],
        [o, c, u, v]: [usize; 4],
    ) -> Option<[V; X]> {
        let (rows, columns) = (self.rows(), self.columns());
        let mut sums = [V::splat(t, V::Scalar::ZERO); X];
        for i in 0..rows {
            let start = (o * rows + i) * columns;
            let dy = dy.get(start..start + columns)?;
            let start = (c * self.height + i + u) * self.width + v;
            let x = x.get(start..start + columns + X - 1)?;
            for (&g, x) in dy.iter().zip(x.windows(X)) {
                for (sum, &x) in sums.iter_mut().zip(x) {
                    *sum = sum.add(g.mul(x));
                }
            }
        }
        Some(sums)
    }

    #[inline(always)]
    fn weight_row<V: Value, const X: usize>(
        &self,
        t: V::Token,
        x: &[V],
        dy: &[V],
        at: [usize; 4],
        place: &Place<'_, V::Scalar>,
        sink: &mut impl GradientSink<V::Scalar>,
    ) {
        let Some(sums) = self.weight_tile::<V, X>(t, x, dy, at) else { return };
        let [o, c, u, v] = at;
        for (n, sum) in sums.into_iter().enumerate() {
            let lanes = lanes_of(sum);
            sink.add(place.first_parameter + self.weight(o, c, u, v + n), split(&lanes, place.present).0);
        }
    }
}

impl<T: Scalar> Layer<T> for Conv2d {
    fn shape(&self) -> Shape {
        Shape {
            inputs: self.channels * self.height * self.width,
            outputs: self.outputs * self.rows() * self.columns(),
            parameters: self.weights() + self.outputs,
            tape: 0,
        }
    }

    fn gradient_scratch<V: Value<Scalar = T>>(&self) -> usize {
        0
    }

    #[inline(always)]
    fn forward<V: Value<Scalar = T>>(&self, t: V::Token, parameters: &[T], x: &[V], _: &mut [V], y: &mut [V]) {
        let mut o = 0;
        while o < self.outputs {
            let pair = o + CHANNELS <= self.outputs;
            for i in 0..self.rows() {
                let mut j = 0;
                while j < self.columns() {
                    let wide = j + COLUMNS <= self.columns();
                    let at = [o, i, j];
                    match (pair, wide) {
                        (true, true) => self.tile::<V, CHANNELS, COLUMNS>(t, parameters, x, y, at),
                        (true, false) => self.tile::<V, CHANNELS, 1>(t, parameters, x, y, at),
                        (false, true) => self.tile::<V, 1, COLUMNS>(t, parameters, x, y, at),
                        (false, false) => self.tile::<V, 1, 1>(t, parameters, x, y, at),
                    }
                    j += if wide { COLUMNS } else { 1 };
                }
            }
            o += if pair { CHANNELS } else { 1 };
        }
    }

    #[inline(always)]
    fn backward<V: Value<Scalar = T>>(
        &self,
        t: V::Token,
        parameters: &[T],
        _: Activations<'_, V>,
        dy: &mut [V],
        _: &mut [V],
        dx: Option<&mut [V]>,
    ) {
        let Some(dx) = dx else { return };
        let (weights, _) = split(parameters, self.weights());
        let mut c = 0;
        while c < self.channels {
            let wide = c + INPUTS <= self.channels;
            for i in 0..self.height {
                for j in 0..self.width {
                    if wide {
                        self.back_tile::<V, INPUTS>(t, weights, dy, dx, [c, i, j]);
                    } else {
                        self.back_tile::<V, 1>(t, weights, dy, dx, [c, i, j]);
                    }
                }
            }
            c += if wide { INPUTS } else { 1 };
        }
    }

    #[inline(always)]
    fn parameter_gradient<V: Value<Scalar = T>, G: GradientSink<T>>(
        &self,
        t: V::Token,
        activations: Activations<'_, V>,
        dy: &[V],
        _: &[V],
        place: Place<'_, T>,
        sink: &mut G,
    ) {
        for o in 0..self.outputs {
            for c in 0..self.channels {
                for u in 0..self.kernel {
                    let mut v = 0;
                    while v < self.kernel {
                        let wide = v + COLUMNS <= self.kernel;
                        let at = [o, c, u, v];
                        if wide {
                            self.weight_row::<V, COLUMNS>(t, activations.x, dy, at, &place, sink);
                        } else {
                            self.weight_row::<V, 1>(t, activations.x, dy, at, &place, sink);
                        }
                        v += if wide { COLUMNS } else { 1 };
                    }
                }
            }
            let positions = self.rows() * self.columns();
            if let Some(dy) = dy.get(o * positions..(o + 1) * positions) {
                let mut sum = V::splat(t, T::ZERO);
                for &g in dy {
                    sum = sum.add(g);
                }
                let lanes = lanes_of(sum);
                sink.add(place.first_parameter + self.weights() + o, split(&lanes, place.present).0);
            }
        }
    }

    /// Cauchy and Schwarz: `|dW|^2 + |db|^2 <= |dy|^2 (kernel^2 |x|^2 + positions)`.
    fn gradient_square(&self, activations: Activations<'_, T>, dy: &[T], _: &[T]) -> T {
        let [squares, positions] = [self.kernel * self.kernel, self.rows() * self.columns()].map(T::from_usize);
        sum_of_squares((), dy).mul(squares.mul(sum_of_squares((), activations.x)).add(positions))
    }

    fn initialise(&self, parameters: &mut [T], random: &mut Random) {
        initialise(parameters, self.channels * self.kernel * self.kernel, random);
    }
}
