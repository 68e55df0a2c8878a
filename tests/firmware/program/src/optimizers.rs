//! The optimizers of the runs.

use simloss_core::{
    Error,
    number::Scalar,
    optimizer::{Adam as CoreAdam, Momentum as CoreMomentum, Optimizer, Sgd as CoreSgd},
};

/// How a run moves its parameters.
pub trait Mover {
    /// Numbers kept per parameter.
    const MOMENTS: usize;

    /// The optimizer with its settings.
    ///
    /// # Errors
    /// Those of its constructor.
    fn optimizer<T: Scalar>() -> Result<impl Optimizer<T>, Error>;
}

/// Rate 0.05.
pub struct Sgd;

/// Rate 0.05, momentum 0.9.
pub struct Momentum;

/// Rate 0.01.
pub struct Adam;

impl Mover for Sgd {
    const MOMENTS: usize = 0;

    #[inline(always)]
    fn optimizer<T: Scalar>() -> Result<impl Optimizer<T>, Error> {
        CoreSgd::new(T::from_f32(0.05))
    }
}

impl Mover for Momentum {
    const MOMENTS: usize = 1;

    #[inline(always)]
    fn optimizer<T: Scalar>() -> Result<impl Optimizer<T>, Error> {
        CoreMomentum::new(T::from_f32(0.05), T::from_f32(0.9))
    }
}

impl Mover for Adam {
    const MOMENTS: usize = 2;

    #[inline(always)]
    fn optimizer<T: Scalar>() -> Result<impl Optimizer<T>, Error> {
        CoreAdam::new(T::from_f32(0.01))
    }
}
