//! Which layers a head has: its sizes are constants of its type.

use crate::{
    Random,
    layers::{Chain, Dense, Layer, Relu, Shape, Sliced},
    number::Scalar,
};

/// The layers of a [`Head`](super::Head) from `F` features to `C` classes. [`OneLayer`] and [`Hidden`] are all there are.
pub trait HeadLayers<T: Scalar, const F: usize, const C: usize> {
    /// Their type.
    type Layers: Sliced<T>;
    /// Themselves.
    const LAYERS: Self::Layers;
    /// Their shape.
    const SHAPE: Shape;

    /// The weights of a head that nothing was said about.
    fn begin(parameters: &mut [T]);
}

/// One dense layer. It begins at zero: all classes alike, which is where a convex loss may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneLayer;

/// Two dense layers, with `H` rectified outputs between them. At zero they would not learn, so they begin at PyTorch's default
/// distribution, drawn with seed 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hidden<const H: usize>;

impl<T: Scalar, const F: usize, const C: usize> HeadLayers<T, F, C> for OneLayer {
    type Layers = Dense;
    const LAYERS: Dense = Dense::new(F, C);
    const SHAPE: Shape = Dense::new(F, C).dense_shape();

    #[inline]
    fn begin(parameters: &mut [T]) {
        parameters.fill(T::ZERO);
    }
}

impl<T: Scalar, const F: usize, const C: usize, const H: usize> HeadLayers<T, F, C> for Hidden<H> {
    type Layers = Chain<Relu<Dense>, Dense>;
    const LAYERS: Self::Layers = Chain::of(Relu::of(Dense::new(F, H)), Dense::new(H, C));
    const SHAPE: Shape = Dense::new(F, H).dense_shape().then(Dense::new(H, C).dense_shape());

    #[inline]
    fn begin(parameters: &mut [T]) {
        <Self as HeadLayers<T, F, C>>::LAYERS.initialise(parameters, &mut Random::new(0));
    }
}
