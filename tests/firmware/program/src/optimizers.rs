//! The optimizers of the runs.

use simloss_core::{
    Error,
    number::Scalar,
    optimizer::{Adam as CoreAdam, Momentum as CoreMomentum, Optimizer, Sgd as CoreSgd},
};
use simloss_fpu::FpuRoot;

/// How a run moves its parameters.
pub trait Mover<T: Scalar> {
    /// The optimizer.
    type Of: Optimizer<T>;
    /// Numbers kept per parameter.
    const MOMENTS: usize = Self::Of::MOMENTS;

    /// The optimizer with its settings.
    ///
    /// # Errors
    /// Those of its constructor.
    fn optimizer() -> Result<Self::Of, Error>;
}

/// Rate 0.05.
pub struct Sgd;

/// Rate 0.05, momentum 0.9.
pub struct Momentum;

/// Rate 0.01; its square root is an instruction where the target has one.
pub struct Adam;

impl<T: Scalar> Mover<T> for Sgd {
    type Of = CoreSgd<T>;

    #[inline(always)]
    fn optimizer() -> Result<CoreSgd<T>, Error> {
        CoreSgd::new(T::from_f32(0.05))
    }
}

impl<T: Scalar> Mover<T> for Momentum {
    type Of = CoreMomentum<T>;

    #[inline(always)]
    fn optimizer() -> Result<CoreMomentum<T>, Error> {
        CoreMomentum::new(T::from_f32(0.05), T::from_f32(0.9))
    }
}

impl Mover<f32> for Adam {
    type Of = CoreAdam<f32, FpuRoot>;

    #[inline(always)]
    fn optimizer() -> Result<Self::Of, Error> {
        Ok(CoreAdam::new(0.01)?.with_root())
    }
}
