//! Gradients of a convolution behind a relu and a max-pool, where most gradients of its outputs are 0: of four under a
//! pool at least three. In lanes, where each sample has its zeroes elsewhere, they are left out by taking one sample at a
//! time, the channels of its image side by side in a register:
//!
//! ```text
//! planes of dy -> sample by sample: the places whose gradient g is not 0 -> dW[o, .., u, ..] += g x[.., i + u, j ..]
//!                                                                         dx[.., i + u, j ..] += g W[o, .., u, ..]
//! ```
//!
//! Sums are those of [`Conv2d`], in its order: a term of 0 changes no bit of a sum that began with +0, as long as what the
//! 0 multiplies is finite. [`is_sparse`](Conv2d::is_sparse) asks for that.

use super::{Conv2d, Place, conv2d::cut};
use crate::{
    gradient::GradientSink,
    number::{GROUP, Scalar, Value, poison, transpose_back},
    slices::{split, split_mut},
};

/// Places that are looked for at a time: what they meet of an image stays near, and their list is short.
const MOST: usize = 256;

/// Bytes of a cache line: a register across two of them costs two loads.
const LINE: usize = 64;

/// Places whose gradient is not 0, in ascending order.
struct Places<T> {
    /// Where in an image the kernel begins, and the gradient.
    found: [(usize, T); MOST],
    count: usize,
}

impl<T: Scalar> Places<T> {
    const NONE: Self = Places { found: [(0, T::ZERO); MOST], count: 0 };

    /// Those among the outputs `from..from + MOST` of one plane.
    #[inline(always)]
    fn find(&mut self, conv: &Conv2d, plane: &[T], from: usize) {
        let columns = conv.columns();
        let (mut i, mut j) = (from / columns, from % columns);
        let (_, mut plane) = split(plane, from);
        (plane, _) = split(plane, MOST);
        self.count = 0;
        while !plane.is_empty() {
            let (row, rest) = split(plane, columns - j);
            let mut at = (i * conv.width + j) * conv.channels;
            for &g in row {
                // Without a branch, which could not be predicted: a place of 0 is written over by the next.
                if let Some(place) = self.found.get_mut(self.count) {
                    *place = (at, g);
                }
                self.count += usize::from(g != T::ZERO);
                at += conv.channels;
            }
            (plane, i, j) = (rest, i + 1, 0);
        }
    }

    #[inline(always)]
    fn iter(&self) -> impl DoubleEndedIterator<Item = (usize, T)> {
        split(&self.found, self.count).0.iter().copied()
    }
}

/// What a pass works in.
struct Memory<'a, T> {
    /// The image of each sample: position by position, its channels.
    images: &'a mut [T],
    /// The gradients of one output channel, sample by sample.
    planes: &'a mut [T],
    /// The kernels of one output channel, or their gradients: row by row, column by column, channel by channel.
    kernels: &'a mut [T],
    /// The gradients of its weights in their order, sample by sample.
    rows: &'a mut [T],
}

/// The size of the next piece of so many registers of one row of kernels.
const fn registers(left: usize) -> usize {
    super::conv2d::largest([9, 6, 4, 2, 1], left)
}

/// The rows of kernels of `N` registers whose sums stay in registers together, where `left` are left.
const fn rows_together<V: Value, const N: usize>(left: usize) -> usize {
    let sums = if V::WIDTH < GROUP { 13 } else { 28 };
    let most = if sums / N < 3 { sums / N } else { 3 };
    left.div_ceil(left.div_ceil(most))
}

impl Conv2d {
    /// Numbers from one image to the next; registers at its end may reach beyond it.
    const fn image<V: Value>(&self) -> usize {
        (self.channels * self.height * self.width).next_multiple_of(V::WIDTH) + V::WIDTH
    }

    /// Numbers from one plane of outputs to the next.
    const fn plane<V: Value>(&self) -> usize {
        (self.rows() * self.columns()).next_multiple_of(V::WIDTH)
    }

    /// Numbers from one row of kernels to the next.
    const fn kernel_row<V: Value>(&self) -> usize {
        (self.kernel * self.channels).next_multiple_of(V::WIDTH)
    }

    /// Weights of one output channel.
    const fn weights_of_output(&self) -> usize {
        self.channels * self.kernel * self.kernel
    }

    /// Whether there are channels to fill registers with.
    const fn has_many_channels<V: Value>(&self) -> bool {
        V::WIDTH > 1 && self.channels >= V::WIDTH && self.kernel > 0 && self.rows() > 0 && self.columns() > 0
    }

    /// Scalars that the passes here work in.
    pub(super) const fn sparse_scratch<V: Value>(&self) -> usize {
        if !self.has_many_channels::<V>() {
            return 0;
        }
        let each = self.image::<V>() + self.plane::<V>() + self.weights_of_output();
        V::WIDTH * each + self.kernel * self.kernel_row::<V>() + LINE / size_of::<V::Scalar>()
    }

    fn memory<'a, V: Value>(&self, scratch: &'a mut [V::Scalar]) -> Memory<'a, V::Scalar> {
        let (_, scratch) = split_mut(scratch, scratch.as_ptr().align_offset(LINE));
        let (images, rest) = split_mut(scratch, V::WIDTH * self.image::<V>());
        let (planes, rest) = split_mut(rest, V::WIDTH * self.plane::<V>());
        let (kernels, rows) = split_mut(rest, self.kernel * self.kernel_row::<V>());
        Memory { images, planes, kernels, rows }
    }

    /// Whether products of `dy` and `factors` are summed faster sample by sample, with the same bits: fewer than a third of
    /// `dy` are not 0, and all numbers are finite.
    #[inline(always)]
    pub(super) fn is_sparse<V: Value>(&self, t: V::Token, dy: &[V], factors: impl Iterator<Item = V>) -> bool {
        if !self.has_many_channels::<V>() {
            return false;
        }
        let [zero, one] = [V::Scalar::ZERO, V::Scalar::ONE].map(|x| V::splat(t, x));
        let count = dy.iter().fold(zero, |count, g| count.add(g.abs().select_gt(zero, one, zero)));
        let most = V::Scalar::from_usize(dy.len() * V::WIDTH / 3);
        most > sum_of_lanes(count) && sum_of_lanes(poison(t, dy.iter().copied().chain(factors))) == V::Scalar::ZERO
    }

    /// Gradients with respect to the inputs.
    #[inline(always)]
    pub(super) fn sparse_inputs<V: Value>(
        &self,
        t: V::Token,
        weights: &[V::Scalar],
        dy: &[V],
        dx: &mut [V],
        scratch: &mut [V::Scalar],
    ) {
        let Memory { images, planes, kernels, .. } = self.memory::<V>(scratch);
        let mut places = Places::NONE;
        images.fill(V::Scalar::ZERO);
        // What lies behind a row of kernels stays 0, and adds nothing to the inputs that it meets.
        kernels.fill(V::Scalar::ZERO);
        let positions = self.rows() * self.columns();
        for (dy, weights) in dy.chunks_exact(positions).zip(weights.chunks_exact(self.weights_of_output())) {
            transpose_back(t, dy, self.plane::<V>(), planes);
            self.each_weight::<V>(|at, weight| {
                if let (Some(to), Some(&w)) = (kernels.get_mut(at), weights.get(weight)) {
                    *to = w;
                }
            });
            for (plane, image) in planes.chunks(self.plane::<V>()).zip(images.chunks_mut(self.image::<V>())) {
                let (plane, _) = split(plane, positions);
                // Backward: of the outputs that saw an input, the last saw it through the first row and column.
                for from in (0..positions).step_by(MOST).rev() {
                    places.find(self, plane, from);
                    self.add_kernels::<V>(t, kernels, &places, image);
                }
            }
        }
        self.images_to_lanes(t, images, dx);
    }

    /// Adds to the gradient of one image what the places give, last first.
    #[inline(always)]
    fn add_kernels<V: Value>(
        &self,
        t: V::Token,
        kernels: &[V::Scalar],
        places: &Places<V::Scalar>,
        image: &mut [V::Scalar],
    ) {
        let row = self.kernel_row::<V>();
        for (u, kernels) in kernels.chunks_exact(row).enumerate() {
            cut!(n in row / V::WIDTH, registers, [9 6 4 2 1] N => {
                let first = n * V::WIDTH;
                let (_, image) = split_mut(image, u * self.width * self.channels + first);
                add_row::<V, N>(t, split(kernels, first).1, places, image);
            });
        }
    }

    /// Gradients of the weights, to `sink`, output channel by output channel.
    #[inline(always)]
    pub(super) fn sparse_weights<V: Value>(
        &self,
        t: V::Token,
        x: &[V],
        dy: &[V],
        Place { first_parameter, present, scratch }: Place<'_, V::Scalar>,
        sink: &mut impl GradientSink<V::Scalar>,
    ) {
        let Memory { images, planes, kernels, rows } = self.memory::<V>(scratch);
        let (positions, weights) = (self.rows() * self.columns(), self.weights_of_output());
        let mut places = Places::NONE;
        let ones = [V::Scalar::ONE; GROUP];
        let (present, _) = split(&ones, present);
        self.lanes_to_images(t, x, images);
        for (dy, first) in dy.chunks_exact(positions).zip((first_parameter..).step_by(weights)) {
            transpose_back(t, dy, self.plane::<V>(), planes);
            let samples = planes.chunks(self.plane::<V>()).zip(images.chunks(self.image::<V>()));
            for ((plane, image), gradients) in samples.zip(rows.chunks_exact_mut(weights)).take(present.len()) {
                let (plane, _) = split(plane, positions);
                kernels.fill(V::Scalar::ZERO);
                for from in (0..positions).step_by(MOST) {
                    places.find(self, plane, from);
                    self.add_images::<V>(t, image, &places, kernels);
                }
                self.each_weight::<V>(|at, weight| {
                    if let (Some(to), Some(&g)) = (gradients.get_mut(weight), kernels.get(at)) {
                        *to = g;
                    }
                });
            }
            sink.add_products::<V>(t, first, present, rows, weights);
        }
    }

    /// Adds to the gradients of kernels what the places give, first first.
    #[inline(always)]
    fn add_images<V: Value>(
        &self,
        t: V::Token,
        image: &[V::Scalar],
        places: &Places<V::Scalar>,
        kernels: &mut [V::Scalar],
    ) {
        let (row, step) = (self.kernel_row::<V>(), self.width * self.channels);
        cut!(n in row / V::WIDTH, registers, [9 6 4 2 1] N => {
            cut!(u in self.kernel, rows_together::<V, N>, [3 2 1] U => {
                let first = n * V::WIDTH;
                let (_, kernels) = split_mut(kernels, u * row + first);
                add_rows::<V, U, N>(t, split(image, u * step + first).1, step, places, kernels, row);
            });
        });
    }

    /// Calls `with` the place of each weight of an output channel in [`Memory::kernels`], and its index.
    #[inline(always)]
    fn each_weight<V: Value>(&self, mut with: impl FnMut(usize, usize)) {
        let row = self.kernel_row::<V>();
        let mut weight = 0;
        for c in 0..self.channels {
            for u in 0..self.kernel {
                for v in 0..self.kernel {
                    with(u * row + v * self.channels + c, weight);
                    weight += 1;
                }
            }
        }
    }

    /// For each number of an image, as [`Memory::images`] has it, its index in lanes.
    #[inline(always)]
    fn indices(&self) -> impl Iterator<Item = usize> + use<> {
        let (plane, channels) = (self.height * self.width, self.channels);
        (0..plane).flat_map(move |position| (0..channels).map(move |c| c * plane + position))
    }

    #[inline(always)]
    fn lanes_to_images<V: Value>(&self, t: V::Token, x: &[V], images: &mut [V::Scalar]) {
        let (image, mut indices) = (self.image::<V>(), self.indices());
        let mut square = [V::splat(t, V::Scalar::ZERO); GROUP];
        for first in (0..x.len()).step_by(V::WIDTH) {
            for (to, i) in square.iter_mut().take(V::WIDTH).zip(&mut indices) {
                if let Some(&x) = x.get(i) {
                    *to = x;
                }
            }
            V::transpose(t, &mut square);
            for (l, row) in square.iter().enumerate().take(V::WIDTH) {
                row.store(split_mut(images, l * image + first).1);
            }
        }
    }

    #[inline(always)]
    fn images_to_lanes<V: Value>(&self, t: V::Token, images: &[V::Scalar], x: &mut [V]) {
        let (image, mut indices) = (self.image::<V>(), self.indices());
        let mut square = [V::splat(t, V::Scalar::ZERO); GROUP];
        for first in (0..x.len()).step_by(V::WIDTH) {
            for (l, row) in square.iter_mut().enumerate().take(V::WIDTH) {
                *row = V::load(t, split(images, l * image + first).1);
            }
            V::transpose(t, &mut square);
            for (&from, i) in square.iter().take(V::WIDTH).zip(&mut indices) {
                if let Some(x) = x.get_mut(i) {
                    *x = from;
                }
            }
        }
    }
}

#[inline(always)]
fn sum_of_lanes<V: Value>(lanes: V) -> V::Scalar {
    (0..V::WIDTH).fold(V::Scalar::ZERO, |sum, l| sum.add(lanes.lane(l)))
}

/// Adds `g` times `N` registers of a row of kernels to the image at each place, last first.
#[inline(always)]
fn add_row<V: Value, const N: usize>(
    t: V::Token,
    kernels: &[V::Scalar],
    places: &Places<V::Scalar>,
    image: &mut [V::Scalar],
) {
    let mut row = [V::splat(t, V::Scalar::ZERO); N];
    for (w, from) in row.iter_mut().zip(kernels.chunks_exact(V::WIDTH)) {
        *w = V::load(t, from);
    }
    for (at, g) in places.iter().rev() {
        let g = V::splat(t, g);
        let Some(image) = image.get_mut(at..at + N * V::WIDTH) else { return };
        for (x, w) in image.chunks_exact_mut(V::WIDTH).zip(row) {
            V::load(t, x).add(g.mul(w)).store(x);
        }
    }
}

/// Adds `g` times what each place meets of an image to `U` rows of `N` registers of the gradients of kernels.
#[inline(always)]
fn add_rows<V: Value, const U: usize, const N: usize>(
    t: V::Token,
    image: &[V::Scalar],
    step: usize,
    places: &Places<V::Scalar>,
    kernels: &mut [V::Scalar],
    row: usize,
) {
    let mut sums = [[V::splat(t, V::Scalar::ZERO); N]; U];
    for (sums, kernels) in sums.iter_mut().zip(kernels.chunks(row)) {
        for (sum, from) in sums.iter_mut().zip(kernels.chunks_exact(V::WIDTH)) {
            *sum = V::load(t, from);
        }
    }
    for (mut at, g) in places.iter() {
        let g = V::splat(t, g);
        for sums in &mut sums {
            let Some(image) = image.get(at..at + N * V::WIDTH) else { return };
            for (sum, x) in sums.iter_mut().zip(image.chunks_exact(V::WIDTH)) {
                *sum = sum.add(g.mul(V::load(t, x)));
            }
            at += step;
        }
    }
    for (sums, kernels) in sums.iter().zip(kernels.chunks_mut(row)) {
        for (sum, to) in sums.iter().zip(kernels.chunks_exact_mut(V::WIDTH)) {
            sum.store(to);
        }
    }
}
