//! The networks: compositions of the core's layers.
//!
//! Their types are as different as their shapes, so code that uses one is a [`Visitor`], generic over the layers:
//! [`Kind::visit`] is the only place that knows all of them.
//!
//! # Where to add one
//! A variant of [`Kind`], a function that composes its layers, an arm in [`Kind::visit`], in [`Kind::tensors`] and in the
//! other methods, and a candidate in [`Kind::of`].

use crate::Error;
use serde::{Deserialize, Serialize};
use simloss_core::layers::{Chain, Conv2d, Dense, Layer, MaxPool, Relu, Shape};
use std::ops::RangeInclusive;

/// Which network, with its sizes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// For tables: dense layers with relu between them.
    Table {
        /// Features.
        inputs: usize,
        /// Units of one or two hidden layers.
        hidden: Vec<usize>,
        /// Classes.
        classes: usize,
    },
    /// For images of 3x32x32: [`lenet`].
    LeNet {
        /// Classes.
        classes: usize,
    },
    /// For faces of 3x60x60: [`ages`].
    Ages {
        /// Classes.
        classes: usize,
    },
    /// For square images of any size: [`small`].
    Small {
        /// Rows, and pixels of a row.
        size: usize,
        /// Classes.
        classes: usize,
    },
}

/// The sizes of images that the small network takes: both of its convolutions leave something to pool, and its largest
/// layer has no more than 17 million parameters.
pub const SMALL: RangeInclusive<usize> = 10..=512;

/// Code that works with any network.
pub trait Visitor {
    /// What comes of it.
    type Output;

    /// Is called with the layers.
    fn visit<N: Layers>(self, layers: N) -> Self::Output;
}

/// What a network is composed of.
pub trait Layers: Layer<f32> + Sync {
    /// Appends its layers, from features to logits.
    fn list(&self, to: &mut Vec<Listed>);
}

/// One layer, with the relu of its outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// How Rust writes it, where the trait `Layer` is in scope.
    pub source: String,
    /// Its shape.
    pub shape: Shape,
}

impl Listed {
    fn new(layer: impl Layer<f32>, source: String) -> Self {
        Listed { source: format!("::simloss_core::layers::{source}"), shape: layer.shape() }
    }
}

impl Layers for Dense {
    fn list(&self, to: &mut Vec<Listed>) {
        let Shape { inputs, outputs, .. } = self.dense_shape();
        to.push(Listed::new(*self, format!("Dense::new({inputs}, {outputs})")));
    }
}

impl Layers for Conv2d {
    fn list(&self, to: &mut Vec<Listed>) {
        to.push(Listed::new(*self, format!("{self:?}")));
    }
}

impl Layers for MaxPool {
    fn list(&self, to: &mut Vec<Listed>) {
        let [channels, height, width] = self.size();
        to.push(Listed::new(*self, format!("MaxPool::new({channels}, {height}, {width})")));
    }
}

impl<L: Layers> Layers for Relu<L> {
    fn list(&self, to: &mut Vec<Listed>) {
        let first = to.len();
        self.layer().list(to);
        // The relu is that of the last one.
        if let Some(last) = to[first..].last_mut() {
            last.source = format!("Layer::<f32>::relu({})", last.source);
        }
    }
}

impl<A: Layers, B: Layers> Layers for Chain<A, B> {
    fn list(&self, to: &mut Vec<Listed>) {
        self.first().list(to);
        self.second().list(to);
    }
}

/// A named part of the parameters, as PyTorch would name and shape it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Such as `dense1.weight`.
    pub name: String,
    /// Such as `[outputs, inputs]`.
    pub shape: Vec<usize>,
}

/// `first`, then `second`.
fn then<A: Layer<f32>, B: Layer<f32>>(first: A, second: B) -> Chain<A, B> {
    first.then(second)
}

fn relu<L: Layer<f32>>(layer: L) -> Relu<L> {
    layer.relu()
}

/// A convolution of `channels` square images.
const fn conv(channels: usize, side: usize, outputs: usize, kernel: usize) -> Conv2d {
    Conv2d { channels, height: side, width: side, outputs, kernel }
}

/// The network for tables, with one hidden layer.
pub fn table(inputs: usize, hidden: usize, classes: usize) -> impl Layers {
    then(relu(Dense::new(inputs, hidden)), Dense::new(hidden, classes))
}

/// The network for tables, with two hidden layers.
pub fn deep_table(inputs: usize, [first, second]: [usize; 2], classes: usize) -> impl Layers {
    let hidden = then(relu(Dense::new(inputs, first)), relu(Dense::new(first, second)));
    then(hidden, Dense::new(second, classes))
}

/// The published network for CIFAR-100, of images of 3x32x32: conv5 3-6, relu, pool, conv5 6-16, relu, pool, dense
/// 400-120, relu, 120-84, relu, 84-classes.
///
/// Relu comes after the pool here: `max(0, max x) = max(max(0, x))`, in bits and gradients too, of a quarter of the values.
pub fn lenet(classes: usize) -> impl Layers {
    let first = then(conv(3, 32, 6, 5), relu(MaxPool::new(6, 28, 28)));
    let second = then(conv(6, 14, 16, 5), relu(MaxPool::new(16, 10, 10)));
    let dense = then(relu(Dense::new(400, 120)), relu(Dense::new(120, 84)));
    then(then(first, second), then(dense, Dense::new(84, classes)))
}

/// The published network for ages, of faces of 3x60x60: conv5 3-20, relu, pool, conv7 20-40, relu, pool, conv11 40-80,
/// relu, dense 80-120, relu, 120-classes.
///
/// Relu comes after the pool, as in [`lenet`].
pub fn ages(classes: usize) -> impl Layers {
    let first = then(conv(3, 60, 20, 5), relu(MaxPool::new(20, 56, 56)));
    let second = then(conv(20, 28, 40, 7), relu(MaxPool::new(40, 22, 22)));
    let third = relu(conv(40, 11, 80, 11));
    let dense = then(relu(Dense::new(80, 120)), Dense::new(120, classes));
    then(then(first, second), then(third, dense))
}

/// Rows of the small network's last image, of images of `size` rows: twice less 2, and halved.
const fn small_side(size: usize) -> usize {
    (size.saturating_sub(2) / 2).saturating_sub(2) / 2
}

/// A network for images of 3 x `size` x `size`: conv3 3-8, relu, pool, conv3 8-16, relu, pool, dense to 64, relu,
/// 64-classes.
pub fn small(size: usize, classes: usize) -> impl Layers {
    let (once, side) = (size.saturating_sub(2), small_side(size));
    let first = then(conv(3, size, 8, 3), relu(MaxPool::new(8, once, once)));
    let (half, twice) = (once / 2, (once / 2).saturating_sub(2));
    let second = then(conv(8, half, 16, 3), relu(MaxPool::new(16, twice, twice)));
    let dense = then(relu(Dense::new(16 * side * side, 64)), Dense::new(64, classes));
    then(then(first, second), dense)
}

impl Kind {
    /// Calls `visitor` with the layers.
    ///
    /// # Errors
    /// [`Error::Setting`] for a table network with no or more than two hidden layers, or sizes of 0, and for a small
    /// network of a size outside [`SMALL`].
    pub fn visit<V: Visitor>(&self, visitor: V) -> Result<V::Output, Error> {
        match *self {
            Kind::Table { inputs, ref hidden, classes } => match hidden[..] {
                [only] if only > 0 => Ok(visitor.visit(table(inputs, only, classes))),
                [first, second] if first.min(second) > 0 => {
                    Ok(visitor.visit(deep_table(inputs, [first, second], classes)))
                }
                _ => Err(Error::Setting {
                    name: "--hidden",
                    domain: "one or two numbers of units, each at least 1",
                    found: format!("{hidden:?}"),
                }),
            },
            Kind::LeNet { classes } => Ok(visitor.visit(lenet(classes))),
            Kind::Ages { classes } => Ok(visitor.visit(ages(classes))),
            Kind::Small { size, classes } if SMALL.contains(&size) => Ok(visitor.visit(small(size, classes))),
            Kind::Small { size, .. } => Err(Error::Setting {
                name: "--size",
                domain: "from 10 to 512 pixels for the small network",
                found: size.to_string(),
            }),
        }
    }

    /// Its layers, from features to logits.
    ///
    /// # Errors
    /// As [`visit`](Self::visit).
    ///
    /// ```
    /// use simloss_train::compute::network::Kind;
    /// let layers = Kind::LeNet { classes: 96 }.list()?;
    /// assert_eq!(layers.len(), 7); // two convolutions, each pooled, and three dense layers
    /// assert_eq!(layers[6].source, "::simloss_core::layers::Dense::new(84, 96)");
    /// # Ok::<(), simloss_train::Error>(())
    /// ```
    pub fn list(&self) -> Result<Vec<Listed>, Error> {
        struct List;
        impl Visitor for List {
            type Output = Vec<Listed>;
            fn visit<N: Layers>(self, layers: N) -> Vec<Listed> {
                let mut list = vec![];
                layers.list(&mut list);
                list
            }
        }
        self.visit(List)
    }

    /// Its parameters, in their order: layer by layer, weight, then bias.
    pub fn tensors(&self) -> Vec<Tensor> {
        let (convs, dense): (&[[usize; 3]], Vec<usize>) = match *self {
            Kind::Table { inputs, ref hidden, classes } => {
                (&[], [inputs].into_iter().chain(hidden.iter().copied()).chain([classes]).collect())
            }
            Kind::LeNet { classes } => (&[[6, 3, 5], [16, 6, 5]], vec![400, 120, 84, classes]),
            Kind::Ages { classes } => (&[[20, 3, 5], [40, 20, 7], [80, 40, 11]], vec![80, 120, classes]),
            // Of a size read from a file, which may be anything.
            Kind::Small { size, classes } => {
                let inputs = small_side(size).saturating_pow(2).saturating_mul(16);
                (&[[8, 3, 3], [16, 8, 3]], vec![inputs, 64, classes])
            }
        };
        let mut tensors = vec![];
        let mut layer = |name: String, shape: Vec<usize>| {
            let bias = vec![shape[0]];
            tensors.push(Tensor { name: format!("{name}.weight"), shape });
            tensors.push(Tensor { name: format!("{name}.bias"), shape: bias });
        };
        for (n, &[outputs, channels, kernel]) in (1..).zip(convs) {
            layer(format!("conv{n}"), vec![outputs, channels, kernel, kernel]);
        }
        for (n, sizes) in (1..).zip(dense.windows(2)) {
            layer(format!("dense{n}"), vec![sizes[1], sizes[0]]);
        }
        tensors
    }

    /// The network whose parameters these are, by their names and shapes: how a file without metadata is recognized.
    ///
    /// ```
    /// use simloss_train::compute::network::Kind;
    /// let ages = Kind::Ages { classes: 90 };
    /// assert_eq!(Kind::of(&ages.tensors()), Some(ages));
    /// ```
    pub fn of(tensors: &[Tensor]) -> Option<Self> {
        let shape = |name: String| tensors.iter().find(|tensor| tensor.name == name).map(|tensor| &tensor.shape[..]);
        let dense: Vec<&[usize]> = (1..).map_while(|n| shape(format!("dense{n}.weight"))).collect();
        let (&[classes, _], &[_, inputs]) = (*dense.last()?, *dense.first()?) else { return None };
        let hidden = dense[..dense.len() - 1].iter().filter_map(|shape| shape.first().copied()).collect();
        // Four sizes have the same parameters: the multiple of four is meant.
        let small = Kind::Small { size: 4 * (inputs / 16).isqrt() + 8, classes };
        let candidates =
            [Kind::LeNet { classes }, Kind::Ages { classes }, Kind::Table { inputs, hidden, classes }, small];
        candidates.into_iter().find(|kind| {
            let expected = kind.tensors();
            expected.len() == tensors.len() && expected.iter().all(|tensor| tensors.contains(tensor))
        })
    }

    /// Rows of its images, and pixels of a row; none for tables.
    pub fn image_size(&self) -> Option<[usize; 2]> {
        match self {
            Kind::Table { .. } => None,
            Kind::LeNet { .. } => Some([32, 32]),
            Kind::Ages { .. } => Some([60, 60]),
            Kind::Small { size, .. } => Some([*size; 2]),
        }
    }

    /// What it is, for people.
    pub fn name(&self) -> String {
        match self {
            Kind::Table { .. } => "dense layers with relu".into(),
            Kind::LeNet { .. } => "LeNet, as published for CIFAR-100".into(),
            Kind::Ages { .. } => "the network published for ages".into(),
            Kind::Small { size, .. } => format!("two convolutions and two dense layers for {size} x {size} pixels"),
        }
    }

    /// Numbers per sample.
    pub fn inputs(&self) -> usize {
        match *self {
            Kind::Table { inputs, .. } => inputs,
            Kind::LeNet { .. } => 3 * 32 * 32,
            Kind::Ages { .. } => 3 * 60 * 60,
            Kind::Small { size, .. } => size.saturating_mul(size).saturating_mul(3),
        }
    }

    /// Classes.
    pub fn classes(&self) -> usize {
        match *self {
            Kind::Table { classes, .. }
            | Kind::LeNet { classes }
            | Kind::Ages { classes }
            | Kind::Small { classes, .. } => classes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct ShapeOf;
    impl Visitor for ShapeOf {
        type Output = Shape;
        fn visit<N: Layer<f32> + Sync>(self, layers: N) -> Shape {
            layers.shape()
        }
    }

    #[test]
    fn parameters_are_those_of_the_published_networks() -> Result<(), Error> {
        let lenet = 3 * 6 * 25 + 6 + 6 * 16 * 25 + 16 + 400 * 120 + 120 + 120 * 84 + 84 + 84 * 96 + 96;
        let ages = 3 * 20 * 25 + 20 + 20 * 40 * 49 + 40 + 40 * 80 * 121 + 80 + 80 * 120 + 120 + 120 * 90 + 90;
        let table = |hidden: &[usize]| Kind::Table { inputs: 11, hidden: hidden.to_vec(), classes: 6 };
        let small = |size| Kind::Small { size, classes: 5 };
        for (kind, parameters) in [
            (Kind::LeNet { classes: 96 }, lenet),
            (Kind::Ages { classes: 90 }, ages),
            (small(32), 3 * 8 * 9 + 8 + 8 * 16 * 9 + 16 + 16 * 36 * 64 + 64 + 64 * 5 + 5),
            (small(10), 3 * 8 * 9 + 8 + 8 * 16 * 9 + 16 + 16 * 64 + 64 + 64 * 5 + 5),
            (small(33), 3 * 8 * 9 + 8 + 8 * 16 * 9 + 16 + 16 * 36 * 64 + 64 + 64 * 5 + 5),
            (table(&[32]), 11 * 32 + 32 + 32 * 6 + 6),
            (table(&[8, 5]), 11 * 8 + 8 + 8 * 5 + 5 + 5 * 6 + 6),
        ] {
            let shape = kind.visit(ShapeOf)?;
            assert_eq!(shape.parameters, parameters, "{kind:?}");
            assert_eq!((shape.inputs, shape.outputs), (kind.inputs(), kind.classes()), "{kind:?}");
            let list = kind.list()?;
            assert_eq!(list.iter().map(|layer| layer.shape.parameters).sum::<usize>(), parameters);
            assert!(list.windows(2).all(|pair| pair[0].shape.outputs == pair[1].shape.inputs), "{list:?}");
            let between: usize = list.iter().map(|layer| layer.shape.outputs).sum();
            assert_eq!(between, shape.tape + shape.outputs, "the tape holds what every layer but the last gives");
            let tensors = kind.tensors();
            assert_eq!(
                tensors.iter().map(|t| t.shape.iter().product::<usize>()).sum::<usize>(),
                parameters,
                "{kind:?}"
            );
        }
        assert_eq!(
            Kind::Ages { classes: 90 }.tensors()[4],
            Tensor { name: "conv3.weight".to_owned(), shape: vec![80, 40, 11, 11] }
        );
        assert!(table(&[]).visit(ShapeOf).is_err());
        for kind in [Kind::LeNet { classes: 96 }, Kind::Ages { classes: 90 }, table(&[32]), table(&[8, 5]), small(48)] {
            let mut tensors = kind.tensors();
            tensors.reverse();
            assert_eq!(Kind::of(&tensors).as_ref(), Some(&kind));
            if let Some([height, width]) = kind.image_size() {
                assert_eq!(kind.inputs(), 3 * height * width);
            }
            tensors.pop();
            assert_eq!(Kind::of(&tensors), None);
        }
        assert_eq!(Kind::of(&[]), None);
        assert!(table(&[8, 0]).visit(ShapeOf).is_err());
        assert!(table(&[8, 8, 8]).visit(ShapeOf).is_err());
        for size in [0, 9, 513, usize::MAX] {
            assert!(small(size).visit(ShapeOf).is_err(), "{size}");
            assert_eq!(small(size).tensors().len(), 8);
        }
        Ok(())
    }
}
