//! How much memory a configuration takes, known before anything is built.
//!
//! All functions are `const`, so that a firmware can assert its budget where it states its configuration.

use crate::layers::{Dense, Shape};

/// Numbers that the caller of [`train_one`](super::train_one) or [`train_step`](super::train_step) holds, for samples
/// in rows and one sample at a time. A number is 4 bytes (`f32`).
///
/// Not in it: the sample itself, the similarity's table (see each similarity), and the stack, which does not depend on
/// the configuration (`docs/microcontroller.md` has the measured depth).
///
/// ```
/// use simloss_core::train::Budget;
/// // 80 features to 90 classes with SGD: 29,160 bytes of parameters, 720 beside them. Asserted when it compiles.
/// const BUDGET: Budget = Budget::dense(80, 90);
/// const { assert!(BUDGET.parameter_bytes() == 29_160 && BUDGET.bytes_beyond_parameters() == 720) };
/// // Adam keeps two moments; a mean over several samples needs their gradient.
/// assert_eq!(BUDGET.with_moments(2).bytes_beyond_parameters(), 2 * 29_160 + 720);
/// assert_eq!(BUDGET.with_accumulation().bytes_beyond_parameters(), 29_160 + 720);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Budget {
    /// Parameters.
    pub parameters: usize,
    /// Moments of the optimizer: [`Model::moments`](super::Model::moments).
    pub moments: usize,
    /// The summed gradient, where samples accumulate.
    pub gradient: usize,
    /// [`Work::values`](super::Work::values).
    pub values: usize,
    /// [`Work::scalars`](super::Work::scalars).
    pub scalars: usize,
}

impl Budget {
    /// Layers of a shape, one sample at a time, SGD in place, a similarity whose rows are stored.
    pub const fn new(layers: Shape) -> Self {
        let Shape { inputs: _, outputs, parameters, tape } = layers;
        Budget { parameters, moments: 0, gradient: 0, values: 2 * (tape + outputs), scalars: 0 }
    }

    /// One dense layer, as [`new`](Self::new).
    pub const fn dense(features: usize, classes: usize) -> Self {
        Self::new(Dense::new(features, classes).dense_shape())
    }

    /// The same with an optimizer that keeps some numbers per parameter:
    /// [`Optimizer::MOMENTS`](crate::optimizer::Optimizer::MOMENTS).
    #[must_use]
    pub const fn with_moments(self, moments: usize) -> Self {
        Budget { moments: moments * self.parameters, ..self }
    }

    /// The same with the sum of a batch's gradients, for [`train_step`](super::train_step).
    #[must_use]
    pub const fn with_accumulation(self) -> Self {
        Budget { gradient: self.parameters, ..self }
    }

    /// The same with a similarity that needs scratch for a row (sparse, taxonomy):
    /// [`Similarity::scratch`](crate::similarity::Similarity::scratch).
    #[must_use]
    pub const fn with_row_scratch(self, scalars: usize) -> Self {
        Budget { scalars, ..self }
    }

    /// Bytes of the parameters.
    pub const fn parameter_bytes(self) -> usize {
        4 * self.parameters
    }

    /// Bytes of everything else.
    pub const fn bytes_beyond_parameters(self) -> usize {
        4 * (self.moments + self.gradient + self.values + self.scalars)
    }

    /// Bytes of all of it.
    pub const fn bytes(self) -> usize {
        self.parameter_bytes() + self.bytes_beyond_parameters()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Error,
        layers::Layer,
        loss::{Criterion, CrossEntropy, SimLoss},
        similarity::SparseSimilarity,
        train::Network,
    };

    #[test]
    fn is_what_the_network_asks_for() -> Result<(), Error> {
        let layers = Layer::<f32>::then(Layer::<f32>::relu(Dense::new(7, 6)), Dense::new(6, 5));
        let network = Network::new(layers, Criterion::new(CrossEntropy::new(5)?))?;
        let needed = network.scratch::<f32>(false, true);
        let budget = Budget::new(Layer::<f32>::shape(&layers));
        assert_eq!((budget.parameters, budget.values), (network.parameters(), needed.values));
        assert_eq!(budget.scalars, needed.scalars);

        let similarity = SparseSimilarity::<f32, 5, 2>::new()?;
        let network = Network::new(layers, Criterion::new(SimLoss::new(similarity)))?;
        let needed = network.scratch::<f32>(false, true);
        assert_eq!(budget.with_row_scratch(5).scalars, needed.scalars);
        assert_eq!(budget.values, needed.values);
        assert_eq!(budget.with_moments(1).bytes(), 4 * (2 * network.parameters() + needed.values));
        Ok(())
    }
}
