//! The time of each layer and phase of a training step, compared with the peak of the instructions.
//!
//! Each layer is timed repeatedly on one group of samples in one thread, so its memory is in the nearest cache. Each product
//! counts as two operations; a layer without products has only a time. Behind a pool, three of four gradients are 0, and a
//! ReLU makes that seven of eight. Products with 0 count even if a convolution skips them, so it can exceed the peak.

use std::hint::black_box;
use std::time::Instant;

use simloss_core::{
    Random,
    gradient::GroupGradient,
    layers::{Activations, Conv2d, Dense, Layer, MaxPool, Place},
    number::{GROUP, Job, Scalar, Value},
};
use simloss_train::compute::lanes::{InstructionSet, Vector};

use crate::instructions::{self, Task};
use crate::workload::median;

/// One layer in one phase.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// Such as `conv1`.
    pub layer: &'static str,
    /// `forward`, `input gradient` or `parameter gradient`.
    pub phase: &'static str,
    /// Microseconds per image.
    pub micros: f64,
    /// Billions of multiplications and additions per second; 0 for a layer without.
    pub gflops: f64,
}

/// The layers of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layers {
    /// [`simloss_train::compute::network::lenet`], with 96 classes.
    LeNet,
    /// [`simloss_train::compute::network::ages`], with 90 classes.
    Ages,
}

/// All layers and phases of a network with these instructions, and their peak: independent multiplications and additions of
/// registers only.
pub fn profile(set: InstructionSet, layers: Layers) -> Option<(Vec<Phase>, f64)> {
    instructions::with(set, layers)
}

/// The products of a layer per output and sample, and whether its inputs need a gradient.
struct Timed<N> {
    name: &'static str,
    layer: N,
    products: usize,
    first: bool,
    /// Whether a pool follows, so that the gradients of its outputs are sparse.
    pooled: bool,
}

fn conv(name: &'static str, layer: Conv2d, first: bool) -> Timed<impl Layer<f32>> {
    let products = layer.channels * layer.kernel * layer.kernel;
    Timed { name, layer: Layer::<f32>::relu(layer), products, first, pooled: layer.height > layer.kernel }
}

fn dense(name: &'static str, inputs: usize, outputs: usize) -> Timed<impl Layer<f32>> {
    Timed { name, layer: Dense::new(inputs, outputs), products: inputs, first: false, pooled: false }
}

fn pool(name: &'static str, channels: usize, side: usize) -> Timed<impl Layer<f32>> {
    Timed { name, layer: MaxPool::new(channels, side, side), products: 0, first: false, pooled: false }
}

const fn square(channels: usize, side: usize, outputs: usize, kernel: usize) -> Conv2d {
    Conv2d { channels, height: side, width: side, outputs, kernel }
}

impl Task for Layers {
    type Output = (Vec<Phase>, f64);

    fn run<V: Vector>(self, t: V::Token) -> Self::Output {
        let mut phases = vec![];
        match self {
            Layers::LeNet => {
                conv("conv1", square(3, 32, 6, 5), true).time::<V>(t, &mut phases);
                pool("pool1", 6, 28).time::<V>(t, &mut phases);
                conv("conv2", square(6, 14, 16, 5), false).time::<V>(t, &mut phases);
                pool("pool2", 16, 10).time::<V>(t, &mut phases);
                dense("dense1", 400, 120).time::<V>(t, &mut phases);
                dense("dense2", 120, 84).time::<V>(t, &mut phases);
                dense("dense3", 84, 96).time::<V>(t, &mut phases);
            }
            Layers::Ages => {
                conv("conv1", square(3, 60, 20, 5), true).time::<V>(t, &mut phases);
                pool("pool1", 20, 56).time::<V>(t, &mut phases);
                conv("conv2", square(20, 28, 40, 7), false).time::<V>(t, &mut phases);
                pool("pool2", 40, 22).time::<V>(t, &mut phases);
                conv("conv3", square(40, 11, 80, 11), false).time::<V>(t, &mut phases);
                dense("dense1", 80, 120).time::<V>(t, &mut phases);
                dense("dense2", 120, 90).time::<V>(t, &mut phases);
            }
        }
        (phases, peak::<V>(t))
    }
}

/// One phase of a layer, compiled for the lanes.
struct Once<'a, N, V: Value> {
    layer: &'a N,
    phase: &'static str,
    parameters: &'a [V::Scalar],
    x: &'a [V],
    y: &'a mut [V],
    dy: &'a mut [V],
    dx: &'a mut [V],
    scratch: &'a mut [V::Scalar],
    sums: &'a mut [V::Scalar],
}

impl<V: Value, N: Layer<V::Scalar>> Job<V> for Once<'_, N, V> {
    type Output = ();

    #[inline(always)]
    fn run(self, t: V::Token) {
        let Once { layer, phase, parameters, x, y, dy, dx, scratch, sums } = self;
        if phase == FORWARD {
            return layer.forward(t, parameters, x, &mut [], y);
        }
        let activations = Activations { x, tape: &[], y };
        if phase == INPUTS {
            return layer.backward(t, parameters, activations, dy, &mut [], Some(dx), scratch);
        }
        let place = Place { first_parameter: 0, present: V::WIDTH, scratch };
        layer.parameter_gradient(t, activations, dy, &[], place, &mut GroupGradient(sums));
    }
}

const FORWARD: &str = "forward";
const INPUTS: &str = "input gradient";
const PARAMETERS: &str = "parameter gradient";

/// Seconds to time a phase.
const SECONDS: f64 = 0.1;

impl<N: Layer<f32>> Timed<N> {
    fn time<V: Vector>(self, t: V::Token, phases: &mut Vec<Phase>) {
        let shape = self.layer.shape();
        let mut random = Random::new(1);
        let mut parameters = vec![0.0; shape.parameters];
        self.layer.initialise(&mut parameters, &mut random);
        let mut values = |n: usize| -> Vec<V> {
            let lanes: [f32; GROUP] = std::array::from_fn(|_| random.unit::<f32>() - 0.5);
            (0..n).map(|i| V::load(t, &lanes).mul(V::splat(t, (i % 7) as f32 - 3.0))).collect()
        };
        let (x, mut y, mut dy, mut dx) =
            (values(shape.inputs), values(shape.outputs), values(shape.outputs), values(shape.inputs));
        if self.pooled {
            for l in 0..V::WIDTH {
                for (i, g) in dy.iter_mut().enumerate() {
                    if (i + l) % 4 != 0 {
                        *g = g.with_lane(l, 0.0);
                    }
                }
            }
        }
        let mut scratch = vec![0.0; self.layer.gradient_scratch::<V>()];
        let mut sums = vec![0.0; shape.parameters];
        for phase in [FORWARD, INPUTS, PARAMETERS] {
            if (phase == INPUTS && self.first) || (phase == PARAMETERS && shape.parameters == 0) {
                continue;
            }
            let (mut seconds, start) = (vec![], Instant::now());
            while start.elapsed().as_secs_f64() < SECONDS || seconds.len() < 3 {
                let once = Once {
                    layer: &self.layer,
                    phase,
                    parameters: &parameters,
                    x: &x,
                    y: &mut y,
                    dy: &mut dy,
                    dx: &mut dx,
                    scratch: &mut scratch,
                    sums: &mut sums,
                };
                let begun = Instant::now();
                V::call(t, black_box(once));
                seconds.push(begun.elapsed().as_secs_f64());
            }
            let each = median(seconds) / V::WIDTH as f64;
            let operations = (2 * self.products * shape.outputs) as f64;
            phases.push(Phase { layer: self.name, phase, micros: each * 1e6, gflops: operations / each * 1e-9 });
        }
    }
}

/// Independent chains of [`peak`]: enough to hide the latency of an addition, few enough for the registers.
const CHAINS: usize = 12;
const LINKS: usize = 100_000;

struct Chains;

impl<V: Value> Job<V> for Chains {
    type Output = V;

    #[inline(always)]
    fn run(self, t: V::Token) -> V {
        let (x, w) = (V::splat(t, black_box(V::Scalar::from_f32(1e-3))), black_box(V::splat(t, V::Scalar::HALF)));
        let mut sums = [x; CHAINS];
        for _ in 0..LINKS {
            for sum in &mut sums {
                *sum = sum.mul(w).add(x);
            }
        }
        sums.into_iter().fold(x, V::add)
    }
}

/// Billions of multiplications and additions per second that one thread can do, each rounded separately.
fn peak<V: Vector>(t: V::Token) -> f64 {
    let seconds = (0..50).map(|_| {
        let begun = Instant::now();
        black_box(V::call(t, Chains));
        begun.elapsed().as_secs_f64()
    });
    let fastest = seconds.fold(f64::INFINITY, f64::min);
    (2 * CHAINS * LINKS * V::WIDTH) as f64 / fastest * 1e-9
}
