//! Fully connected layer: `y = W x + b`.

use super::{
    Activations, Layer, Place, Shape, Sliced, Slices, initialise, lanes_of,
    passes::{Backward, Forward, Parameters, Passes},
};
use crate::{
    Error, Random,
    error::length,
    gradient::GradientSink,
    number::{Scalar, Value, sum_of_squares, transpose_back},
    slices::{split, split_mut},
};
use nalgebra::{SMatrixView, SVector};

/// `y_o = b_o + sum_i W[o, i] x_i`, sums in ascending order of `i`.
///
/// Parameters: `W` row by row (PyTorch's `[outputs][inputs]`), then `b`: `(inputs + 1) * outputs`.
/// Cost: `inputs * outputs` multiplications and additions forward, as many for each of the two gradients.
///
/// ```
/// use simloss_core::layers::{Dense, Layer};
/// let dense = Dense::new(2, 1);
/// let mut y = [0.0f32];
/// dense.forward((), &[2.0f32, 3.0, 0.5], &[10.0, 100.0], &mut [], &mut y);
/// assert_eq!(y, [320.5]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dense {
    inputs: usize,
    outputs: usize,
}

/// Outputs (or inputs, going back) that are summed side by side: independent chains, each in its own order.
const TILE: usize = 4;

/// The same for inputs, in registers: enough chains to hide what one addition takes.
const WIDE: usize = 12;
/// Inputs whose rows stay in the nearest cache while all outputs use them.
const BLOCK: usize = 256;

impl Dense {
    /// A layer from `inputs` to `outputs` numbers, each at least 1 (0 counts as 1).
    pub const fn new(inputs: usize, outputs: usize) -> Self {
        Dense { inputs: if inputs == 0 { 1 } else { inputs }, outputs: if outputs == 0 { 1 } else { outputs } }
    }

    /// Its [shape](Layer::shape), where a constant is needed.
    #[inline(always)]
    pub const fn dense_shape(&self) -> Shape {
        let Dense { inputs, outputs } = *self;
        Shape { inputs, outputs, parameters: (inputs + 1) * outputs, tape: 0 }
    }

    /// The weights in `parameters` of this layer, without a copy: column `o` holds the weights of output `o`.
    ///
    /// # Errors
    /// [`Error::Length`] unless `IN` and `OUT` are the layer's shape and `parameters` hold that many numbers.
    ///
    /// ```
    /// use simloss_core::layers::Dense;
    /// let parameters = [1.0f32, 2.0, 3.0, 4.0, 0.5, 0.25];
    /// let weights = Dense::new(2, 2).weights::<f32, 2, 2>(&parameters)?;
    /// assert_eq!(weights[(1, 0)], 2.0); // input 1 to output 0
    /// # Ok::<(), simloss_core::Error>(())
    /// ```
    pub fn weights<'a, T: nalgebra::Scalar, const IN: usize, const OUT: usize>(
        &self,
        parameters: &'a [T],
    ) -> Result<SMatrixView<'a, T, IN, OUT>, Error> {
        self.fits::<IN, OUT>(parameters.len())?;
        Ok(SMatrixView::<T, IN, OUT>::from_slice(parameters))
    }

    /// The biases in `parameters` of this layer.
    ///
    /// # Errors
    /// As [`weights`](Self::weights).
    pub fn biases<T: nalgebra::Scalar, const IN: usize, const OUT: usize>(
        &self,
        parameters: &[T],
    ) -> Result<SVector<T, OUT>, Error> {
        self.fits::<IN, OUT>(parameters.len())?;
        Ok(SVector::from_column_slice(&parameters[IN * OUT..IN * OUT + OUT]))
    }

    /// Outputs `y`, of those rows of weights and those biases.
    #[inline(always)]
    fn outputs_of<V: Value>(&self, t: V::Token, weights: &[V::Scalar], biases: &[V::Scalar], x: &[V], y: &mut [V]) {
        let rows = weights.chunks((TILE * self.inputs).max(1));
        for ((y, rows), biases) in y.chunks_mut(TILE).zip(rows).zip(biases.chunks(TILE)) {
            match (y, biases) {
                ([y0, y1, y2, y3], &[b0, b1, b2, b3]) => {
                    let (w0, rows) = split(rows, self.inputs);
                    let (w1, rows) = split(rows, self.inputs);
                    let (w2, w3) = split(rows, self.inputs);
                    let mut sums = [V::splat(t, b0), V::splat(t, b1), V::splat(t, b2), V::splat(t, b3)];
                    let ((x_blocks, x_rest), (w0, w0_rest)) = (x.as_chunks::<4>(), w0.as_chunks::<4>());
                    let ((w1, w1_rest), (w2, w2_rest)) = (w1.as_chunks::<4>(), w2.as_chunks::<4>());
                    let (w3, w3_rest) = w3.as_chunks::<4>();
                    for ((((x, w0), w1), w2), w3) in x_blocks.iter().zip(w0).zip(w1).zip(w2).zip(w3) {
                        sums = column(t, sums, x[0], [w0[0], w1[0], w2[0], w3[0]]);
                        sums = column(t, sums, x[1], [w0[1], w1[1], w2[1], w3[1]]);
                        sums = column(t, sums, x[2], [w0[2], w1[2], w2[2], w3[2]]);
                        sums = column(t, sums, x[3], [w0[3], w1[3], w2[3], w3[3]]);
                    }
                    let rest = x_rest.iter().zip(w0_rest).zip(w1_rest).zip(w2_rest).zip(w3_rest);
                    for ((((&x, &w0), &w1), &w2), &w3) in rest {
                        sums = column(t, sums, x, [w0, w1, w2, w3]);
                    }
                    [*y0, *y1, *y2, *y3] = sums;
                }
                (y, biases) => {
                    let rows = rows.chunks_exact(self.inputs.max(1));
                    for ((y, row), &bias) in y.iter_mut().zip(rows).zip(biases) {
                        *y = V::splat(t, bias);
                        for (x, &w) in x.iter().zip(row) {
                            *y = y.add(V::splat(t, w).mul(*x));
                        }
                    }
                }
            }
        }
    }

    /// The gradients of the `N` inputs from `first` on.
    #[inline(always)]
    fn input_gradients<V: Value, const N: usize>(
        &self,
        t: V::Token,
        parameters: &[V::Scalar],
        dy: &[V],
        first: usize,
    ) -> [V; N] {
        let (weights, _) = split(parameters, self.inputs * self.outputs);
        let mut sums = [V::splat(t, V::Scalar::ZERO); N];
        for (&g, row) in dy.iter().zip(weights.chunks_exact(self.inputs.max(1))) {
            let Some(row) = split(row, first).1.first_chunk::<N>() else { continue };
            for (sum, &w) in sums.iter_mut().zip(row) {
                *sum = sum.add(g.mul(V::splat(t, w)));
            }
        }
        sums
    }

    /// The gradients `dx` of the inputs from `first` on.
    #[inline(always)]
    fn input_gradients_from<V: Value>(
        &self,
        t: V::Token,
        parameters: &[V::Scalar],
        dy: &[V],
        first: usize,
        dx: &mut [V],
    ) {
        let (wide, rest) = if const { V::WIDTH == 1 } { (&mut [][..], dx) } else { dx.as_chunks_mut::<WIDE>() };
        for (tile, dx) in wide.iter_mut().enumerate() {
            *dx = self.input_gradients(t, parameters, dy, first + tile * WIDE);
        }
        let first = first + wide.len() * WIDE;
        let (tiles, rest) = rest.as_chunks_mut::<TILE>();
        for (tile, dx) in tiles.iter_mut().enumerate() {
            *dx = self.input_gradients(t, parameters, dy, first + tile * TILE);
        }
        let first = first + tiles.len() * TILE;
        for (i, dx) in rest.iter_mut().enumerate() {
            [*dx] = self.input_gradients(t, parameters, dy, first + i);
        }
    }

    /// The gradients of the weights of output `o`, of one sample; of the biases, which are the row after the weights, for
    /// `o` the number of outputs: theirs are 1 times those of the outputs.
    #[inline(always)]
    fn row_gradient<V: Value>(
        &self,
        t: V::Token,
        o: usize,
        [row, scales]: [&[V::Scalar]; 2],
        first_parameter: usize,
        sink: &mut impl GradientSink<V::Scalar>,
    ) {
        let (scale, row, n) = match scales.get(o..o + 1) {
            Some(scale) => (scale, row, self.inputs),
            None => (&[V::Scalar::ONE][..], scales, self.outputs),
        };
        sink.add_products::<V>(t, first_parameter + o * self.inputs, scale, row, n);
    }

    fn fits<const IN: usize, const OUT: usize>(&self, found: usize) -> Result<(), Error> {
        length("the inputs of a dense layer", self.inputs, IN)?;
        length("the outputs of a dense layer", self.outputs, OUT)?;
        length("the parameters of a dense layer", self.dense_shape().parameters, found)
    }
}

/// Adds one input's share to the sums of a tile of outputs. Written out, so that it is the same code at every level of
/// optimization.
#[inline(always)]
fn column<V: Value>(t: V::Token, sums: [V; TILE], x: V, w: [V::Scalar; TILE]) -> [V; TILE] {
    let ([s0, s1, s2, s3], [w0, w1, w2, w3]) = (sums, w);
    [
        s0.add(V::splat(t, w0).mul(x)),
        s1.add(V::splat(t, w1).mul(x)),
        s2.add(V::splat(t, w2).mul(x)),
        s3.add(V::splat(t, w3).mul(x)),
    ]
}

impl<T: Scalar> Layer<T> for Dense {
    #[inline(always)]
    fn shape(&self) -> Shape {
        self.dense_shape()
    }

    fn gradient_scratch<V: Value<Scalar = T>>(&self) -> usize {
        if const { V::WIDTH == 1 } { 0 } else { V::WIDTH * (self.inputs.min(BLOCK) + 1) }
    }

    #[inline(always)]
    fn forward<V: Value<Scalar = T>>(&self, t: V::Token, parameters: &[T], x: &[V], _: &mut [V], y: &mut [V]) {
        // One lane inlines its passes: a microcontroller's layers have constant sizes.
        if const { V::WIDTH == 1 } {
            self.forward_pass(t, parameters, x, y);
        } else {
            V::call(t, Forward { layer: self, parameters, x, y });
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
        scratch: &mut [T],
    ) {
        let Some(dx) = dx else { return };
        if const { V::WIDTH == 1 } {
            self.backward_pass(t, parameters, dy, dx, scratch);
        } else {
            V::call(t, Backward { layer: self, parameters, dy, dx, scratch });
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
        if const { V::WIDTH > 1 } {
            return V::call(t, Parameters { layer: self, x: activations.x, dy, place, sink });
        }
        let (Some(row), Some(scales)) = (V::as_scalars(activations.x), V::as_scalars(dy)) else { return };
        for o in 0..=self.outputs {
            self.row_gradient::<V>(t, o, [row, scales], place.first_parameter, sink);
        }
    }

    #[inline]
    fn gradient_square(&self, activations: Activations<'_, T>, dy: &[T], _: &[T]) -> T {
        sum_of_squares((), dy).mul(sum_of_squares((), activations.x).add(T::ONE))
    }

    fn initialise(&self, parameters: &mut [T], random: &mut Random) {
        initialise(parameters, self.inputs, random);
    }
}

impl<T: Scalar> Sliced<T> for Dense {
    fn slices(&self, dx: bool) -> Slices {
        let backward = if dx { self.inputs.div_ceil(TILE) } else { 0 };
        Slices { forward: self.outputs.div_ceil(TILE), backward, parameters: self.outputs + 1 }
    }

    fn forward_slice(&self, n: usize, parameters: &[T], x: &[T], _: &mut [T], y: &mut [T]) {
        let (weights, biases) = split(parameters, self.inputs * self.outputs);
        let (_, weights) = split(weights, n * TILE * self.inputs);
        let (_, biases) = split(biases, n * TILE);
        let (_, y) = split_mut(y, n * TILE);
        let (y, _) = split_mut(y, TILE);
        self.outputs_of((), weights, biases, x, y);
    }

    fn backward_slice(
        &self,
        n: usize,
        parameters: &[T],
        _: Activations<'_, T>,
        dy: &mut [T],
        _: &mut [T],
        dx: Option<&mut [T]>,
    ) {
        let Some(dx) = dx else { return };
        let (_, dx) = split_mut(dx, n * TILE);
        let (dx, _) = split_mut(dx, TILE);
        self.input_gradients_from((), parameters, dy, n * TILE, dx);
    }

    fn parameter_slice<G: GradientSink<T>>(
        &self,
        n: usize,
        activations: Activations<'_, T>,
        dy: &[T],
        _: &[T],
        first_parameter: usize,
        sink: &mut G,
    ) {
        self.row_gradient::<T>((), n, [activations.x, dy], first_parameter, sink);
    }
}

impl Passes for Dense {
    #[inline(always)]
    fn forward_pass<V: Value>(&self, t: V::Token, parameters: &[V::Scalar], x: &[V], y: &mut [V]) {
        let (weights, biases) = split(parameters, self.inputs * self.outputs);
        self.outputs_of(t, weights, biases, x, y);
    }

    #[inline(always)]
    fn backward_pass<V: Value>(
        &self,
        t: V::Token,
        parameters: &[V::Scalar],
        dy: &[V],
        dx: &mut [V],
        _: &mut [V::Scalar],
    ) {
        self.input_gradients_from(t, parameters, dy, 0, dx);
    }

    /// Of several samples.
    #[inline(always)]
    fn parameter_pass<V: Value, G: GradientSink<V::Scalar>>(
        &self,
        t: V::Token,
        x: &[V],
        dy: &[V],
        Place { first_parameter, present, scratch }: Place<'_, V::Scalar>,
        sink: &mut G,
    ) {
        // One row of features per sample, because the sums run over samples and the lanes over features.
        for (block, x) in x.chunks(BLOCK).enumerate() {
            transpose_back(t, x, x.len(), split_mut(scratch, V::WIDTH * x.len()).0);
            for (o, &g) in dy.iter().enumerate() {
                let lanes = lanes_of(g);
                let (scales, _) = split(&lanes, present);
                let index = first_parameter + o * self.inputs + block * BLOCK;
                sink.add_products::<V>(t, index, scales, scratch, x.len());
            }
        }
        sink.add_lanes(t, first_parameter + self.inputs * self.outputs, dy, present);
    }
}
