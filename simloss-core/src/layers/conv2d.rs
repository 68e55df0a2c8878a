//! Two-dimensional convolution (cross-correlation, as PyTorch's), stride 1, no padding.

use super::{
    Activations, Dense, Layer, Place, Shape, initialise,
    passes::{Backward, Forward, Parameters, Passes},
};
use crate::{
    Random,
    gradient::{Gathered, GradientSink},
    number::{GROUP, Scalar, Value, sum_of_squares},
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

/// Cuts `0..n` into pieces and runs `body` for each, with its start and its size, which is a constant there: a tile of
/// sums must have a size that the compiler knows, or it does not stay in registers.
macro_rules! cut {
    ($at:ident in $n:expr, $size:expr, [$($known:literal)*] $N:ident => $body:expr) => {{
        let mut $at = 0;
        while $at < $n {
            match $size($n - $at) {
                $($known => {
                    const $N: usize = $known;
                    $body;
                    $at += $N;
                })*
                _ => return,
            }
        }
    }};
}

/// The size of the next piece, where `left` is to be cut into as few pieces of at most `MOST` as can be, of equal size.
const fn even<const MOST: usize>(left: usize) -> usize {
    left.div_ceil(left.div_ceil(MOST))
}

/// The largest of `sizes`, which descend to 1, that `left` holds.
const fn largest<const N: usize>(sizes: [usize; N], left: usize) -> usize {
    let mut i = 0;
    while i + 1 < N && sizes[i] > left {
        i += 1;
    }
    sizes[i]
}

const fn four(left: usize) -> usize {
    largest([4, 2, 1], left)
}

const fn two(left: usize) -> usize {
    largest([2, 1], left)
}

const fn five(left: usize) -> usize {
    largest([5, 1], left)
}

const fn ten(left: usize) -> usize {
    largest([10, 6, 4, 2, 1], left)
}

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

    /// The dense layer that this is where the kernel covers the whole image: the same sums in the same order, and
    /// parameters in the same places.
    const fn as_dense(&self) -> Option<Dense> {
        if self.rows() == 1 && self.columns() == 1 {
            Some(Dense::new(self.channels * self.kernel * self.kernel, self.outputs))
        } else {
            None
        }
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

    /// Gradients of inputs `c..c + N` at row `i`, columns `j..j + X`; `X` is 1 or 2.
    #[inline(always)]
    fn back_tile<V: Value, const N: usize, const X: usize>(
        &self,
        t: V::Token,
        weights: &[V::Scalar],
        dy: &[V],
        dx: &mut [V],
        [c, i, j]: [usize; 3],
    ) {
        let (rows, columns) = (self.rows(), self.columns());
        let last = self.kernel.saturating_sub(1);
        // Output rows i - u that exist: u from i - (rows - 1) to i, within the kernel. Columns likewise: of two inputs
        // side by side the left one has one weight more at the lower end, the right one at the upper.
        let (first_u, last_u) = ((i + 1).saturating_sub(rows), i.min(last));
        let from = |j: usize| (j + 1).saturating_sub(columns);
        let (left, both) =
            if X == 2 { (from(j)..from(j + 1), from(j + 1)..=j.min(last)) } else { (0..0, from(j)..=j.min(last)) };
        let right = j.min(last) + 1..(j + X).min(self.kernel);
        let mut sums = [[V::splat(t, V::Scalar::ZERO); X]; N];
        for o in 0..self.outputs {
            for u in first_u..=last_u {
                let start = (o * rows + i - u) * columns;
                let Some(dy) = dy.get(start..start + columns) else { return };
                let mut kernels = [&weights[..0]; N];
                for (n, kernel) in kernels.iter_mut().enumerate() {
                    let at = self.weight(o, c + n, u, 0);
                    let Some(row) = weights.get(at..at + self.kernel) else { return };
                    *kernel = row;
                }
                for v in left.clone() {
                    let Some(&g) = dy.get(j - v) else { return };
                    for (sums, kernel) in sums.iter_mut().zip(kernels) {
                        let Some(&w) = kernel.get(v) else { return };
                        sums[0] = sums[0].add(g.mul(V::splat(t, w)));
                    }
                }
                for v in both.clone() {
                    let Some(g) = dy.get(j - v..j - v + X) else { return };
                    for (sums, kernel) in sums.iter_mut().zip(kernels) {
                        let Some(&w) = kernel.get(v) else { return };
                        let w = V::splat(t, w);
                        for (sum, &g) in sums.iter_mut().zip(g) {
                            *sum = sum.add(g.mul(w));
                        }
                    }
                }
                for v in right.clone() {
                    let Some(&g) = dy.get(j + 1 - v) else { return };
                    for (sums, kernel) in sums.iter_mut().zip(kernels) {
                        let Some(&w) = kernel.get(v) else { return };
                        sums[X - 1] = sums[X - 1].add(g.mul(V::splat(t, w)));
                    }
                }
            }
        }
        for (n, sums) in sums.iter().enumerate() {
            let start = ((c + n) * self.height + i) * self.width + j;
            if let Some(dx) = dx.get_mut(start..start + X) {
                dx.copy_from_slice(sums);
            }
        }
    }

    /// Gradients of the weights `W[o, c, u..u + U, v..v + X]`, one sum over positions per lane.
    #[inline(always)]
    fn weight_tile<V: Value, const U: usize, const X: usize>(
        &self,
        t: V::Token,
        x: &[V],
        dy: &[V],
        [o, c, u, v]: [usize; 4],
    ) -> Option<[[V; X]; U]> {
        let (rows, columns) = (self.rows(), self.columns());
        let mut sums = [[V::splat(t, V::Scalar::ZERO); X]; U];
        for i in 0..rows {
            let start = (o * rows + i) * columns;
            let dy = dy.get(start..start + columns)?;
            let mut x_rows = [&x[..0]; U];
            for (n, row) in x_rows.iter_mut().enumerate() {
                let start = (c * self.height + i + u + n) * self.width + v;
                *row = x.get(start..start + columns + X - 1)?;
            }
            for (j, &g) in dy.iter().enumerate() {
                for (sums, row) in sums.iter_mut().zip(x_rows) {
                    let x = row.get(j..j + X)?;
                    for (sum, &x) in sums.iter_mut().zip(x) {
                        *sum = sum.add(g.mul(x));
                    }
                }
            }
        }
        Some(sums)
    }

    /// Gradients of the weights from `o` to `c`, all rows and columns of the kernel, in their order.
    #[inline(always)]
    fn weight_gradients<V: Value>(
        &self,
        t: V::Token,
        x: &[V],
        dy: &[V],
        [o, c]: [usize; 2],
        gathered: &mut Gathered<V>,
        sink: &mut impl GradientSink<V::Scalar>,
    ) {
        if V::WIDTH == 1 {
            for u in 0..self.kernel {
                cut!(v in self.kernel, five, [5 1] X => {
                    let Some([sums]) = self.weight_tile::<V, 1, X>(t, x, dy, [o, c, u, v]) else { return };
                    gathered.push(t, &sums, sink);
                });
            }
        } else if self.kernel <= 7 {
            // Whole rows of the kernel, so that two of them follow each other.
            cut!(u in self.kernel, two, [2 1] U => cut!(v in self.kernel, even::<7>, [7 6 5 4 3 2 1] X => {
                let Some(sums) = self.weight_tile::<V, U, X>(t, x, dy, [o, c, u, v]) else { return };
                gathered.push(t, sums.as_flattened(), sink);
            }));
        } else {
            for u in 0..self.kernel {
                cut!(v in self.kernel, even::<7>, [7 6 5 4 3 2 1] X => {
                    let Some([sums]) = self.weight_tile::<V, 1, X>(t, x, dy, [o, c, u, v]) else { return };
                    gathered.push(t, &sums, sink);
                });
            }
        }
    }

    /// Gradients of the biases `o..o + O`.
    #[inline(always)]
    fn bias_gradients<V: Value, const O: usize>(&self, t: V::Token, dy: &[V], o: usize) -> Option<[V; O]> {
        let positions = self.rows() * self.columns();
        let mut planes = [dy; O];
        for (n, plane) in planes.iter_mut().enumerate() {
            *plane = dy.get((o + n) * positions..(o + n + 1) * positions)?;
        }
        let mut sums = [V::splat(t, V::Scalar::ZERO); O];
        for at in 0..positions {
            for (sum, plane) in sums.iter_mut().zip(planes) {
                *sum = sum.add(*plane.get(at)?);
            }
        }
        Some(sums)
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
        self.as_dense().map_or(0, |dense| Layer::<T>::gradient_scratch::<V>(&dense))
    }

    #[inline(always)]
    fn forward<V: Value<Scalar = T>>(&self, t: V::Token, parameters: &[T], x: &[V], tape: &mut [V], y: &mut [V]) {
        match self.as_dense() {
            Some(dense) => dense.forward(t, parameters, x, tape, y),
            None => V::call(t, Forward { layer: self, parameters, x, y }),
        }
    }

    #[inline(always)]
    fn backward<V: Value<Scalar = T>>(
        &self,
        t: V::Token,
        parameters: &[T],
        activations: Activations<'_, V>,
        dy: &mut [V],
        dtape: &mut [V],
        dx: Option<&mut [V]>,
    ) {
        match (self.as_dense(), dx) {
            (Some(dense), dx) => dense.backward(t, parameters, activations, dy, dtape, dx),
            (None, Some(dx)) => V::call(t, Backward { layer: self, parameters, dy, dx }),
            (None, None) => {}
        }
    }

    #[inline(always)]
    fn parameter_gradient<V: Value<Scalar = T>, G: GradientSink<T>>(
        &self,
        t: V::Token,
        activations: Activations<'_, V>,
        dy: &[V],
        dtape: &[V],
        place: Place<'_, T>,
        sink: &mut G,
    ) {
        match self.as_dense() {
            Some(dense) => dense.parameter_gradient(t, activations, dy, dtape, place, sink),
            None => V::call(t, Parameters { layer: self, x: activations.x, dy, place, sink }),
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

impl Passes for Conv2d {
    #[inline(always)]
    fn forward_pass<V: Value>(&self, t: V::Token, parameters: &[V::Scalar], x: &[V], y: &mut [V]) {
        if V::WIDTH == 1 {
            cut!(o in self.outputs, two, [2 1] O => for i in 0..self.rows() {
                cut!(j in self.columns(), five, [5 1] X => self.tile::<V, O, X>(t, parameters, x, y, [o, i, j]))
            });
        } else if V::WIDTH < GROUP {
            cut!(o in self.outputs, two, [2 1] O => for i in 0..self.rows() {
                cut!(j in self.columns(), even::<6>, [6 5 4 3 2 1] X => {
                    self.tile::<V, O, X>(t, parameters, x, y, [o, i, j]);
                })
            });
        } else {
            cut!(o in self.outputs, four, [4 2 1] O => for i in 0..self.rows() {
                cut!(j in self.columns(), even::<6>, [6 5 4 3 2 1] X => {
                    self.tile::<V, O, X>(t, parameters, x, y, [o, i, j]);
                })
            });
        }
    }

    #[inline(always)]
    fn backward_pass<V: Value>(&self, t: V::Token, parameters: &[V::Scalar], dy: &[V], dx: &mut [V]) {
        let (weights, _) = split(parameters, self.weights());
        if V::WIDTH < GROUP {
            cut!(c in self.channels, four, [4 2 1] N => for i in 0..self.height {
                for j in 0..self.width {
                    self.back_tile::<V, N, 1>(t, weights, dy, dx, [c, i, j]);
                }
            });
        } else {
            cut!(c in self.channels, ten, [10 6 4 2 1] N => for i in 0..self.height {
                cut!(j in self.width, two, [2 1] X => self.back_tile::<V, N, X>(t, weights, dy, dx, [c, i, j]))
            });
        }
    }

    #[inline(always)]
    fn parameter_pass<V: Value, G: GradientSink<V::Scalar>>(
        &self,
        t: V::Token,
        x: &[V],
        dy: &[V],
        place: Place<'_, V::Scalar>,
        sink: &mut G,
    ) {
        let mut gathered = Gathered::new(t, place.first_parameter, place.present);
        for o in 0..self.outputs {
            for c in 0..self.channels {
                self.weight_gradients(t, x, dy, [o, c], &mut gathered, sink);
            }
        }
        cut!(o in self.outputs, four, [4 2 1] O => {
            let Some(sums) = self.bias_gradients::<V, O>(t, dy, o) else { return };
            gathered.push(t, &sums, sink);
        });
        gathered.flush(t, sink);
    }
}
