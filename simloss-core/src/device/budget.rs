//! How much memory a configuration takes, known before anything is built.
//!
//! All functions are `const`, so that a firmware can assert its budget where it states its configuration.

use crate::layers::{Dense, Shape};

/// Numbers that the caller of [`train_one`](crate::train::train_one) or [`train_step`](crate::train::train_step) holds, for samples
/// in rows and one sample at a time. A number is 4 bytes (`f32`).
///
/// Not in it: the samples with their targets and losses, the similarity's table (see each similarity), and the stack,
/// some hundred bytes that depend on the optimizer and the core (`docs/microcontroller.md` has the measured depth).
///
/// ```
/// use simloss_core::device::Budget;
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
    /// Moments of the optimizer: [`Model::moments`](crate::train::Model::moments).
    pub moments: usize,
    /// The summed gradient, where samples accumulate, and that of a group, where there are several.
    pub gradient: usize,
    /// [`Work::values`](crate::train::Work::values).
    pub values: usize,
    /// [`Work::scalars`](crate::train::Work::scalars).
    pub scalars: usize,
}

impl Budget {
    /// Layers of a shape, one sample at a time, SGD in place, labels, a similarity whose rows are stored.
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

    /// The same with the sum of a batch's gradients, for [`Accumulator`](super::Accumulator) and, with batches of up to
    /// [`GROUP`](crate::train::GROUP) samples, [`train_step`](crate::train::train_step).
    #[must_use]
    pub const fn with_accumulation(self) -> Self {
        Budget { gradient: self.parameters, ..self }
    }

    /// The same with the sums of a batch's and of a group's gradients ([`Serial::group`](crate::train::Serial::group)), for
    /// [`train_step`](crate::train::train_step) with batches of any size.
    #[must_use]
    pub const fn with_groups(self) -> Self {
        Budget { gradient: 2 * self.parameters, ..self }
    }

    /// The same with soft targets or label smoothing, over so many classes.
    #[must_use]
    pub const fn with_soft_targets(self, classes: usize) -> Self {
        Budget { values: self.values + 2 * classes, ..self }
    }

    /// The same with a similarity that needs scratch for a row (sparse, taxonomy):
    /// [`Similarity::scratch`](crate::similarity::Similarity::scratch).
    #[must_use]
    pub const fn with_row_scratch(self, scalars: usize) -> Self {
        Budget { scalars, ..self }
    }

    /// The same with a loss that works in so many values more: [`Scratch::values`](crate::loss::Scratch::values) of
    /// [`Loss::scratch`](crate::loss::Loss::scratch), which is `4 C` for [`ProperSimLoss`](crate::loss::ProperSimLoss) of a
    /// class order and `2 C` for [`SquaredEmd`](crate::loss::SquaredEmd).
    #[must_use]
    pub const fn with_loss_values(self, values: usize) -> Self {
        Budget { values: self.values + values, ..self }
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
        Error, Label,
        layers::Layer,
        loss::{Criterion, CrossEntropy, Reduction, SimLoss, Targets},
        optimizer::Sgd,
        similarity::SparseSimilarity,
        slices::{split, split_mut},
        train::{Batch, GROUP, Model, Network, RowMajor, Serial, Work, train_step},
    };

    #[test]
    fn is_what_the_network_asks_for() -> Result<(), Error> {
        let layers = Layer::<f32>::then(Layer::<f32>::relu(Dense::new(7, 6)), Dense::new(6, 5));
        let network = Network::new(layers, Criterion::new(CrossEntropy::new(5)?))?;
        let needed = network.scratch::<f32>(false, true);
        let budget = Budget::new(Layer::<f32>::shape(&layers));
        assert_eq!((budget.parameters, budget.values), (network.parameters(), needed.values));
        assert_eq!(budget.scalars, needed.scalars);
        assert_eq!(budget.with_soft_targets(5).values, network.scratch::<f32>(true, true).values);
        let smooth = network.criterion().with_label_smoothing(0.1)?;
        assert_eq!(
            budget.with_soft_targets(5).values,
            Network::new(layers, smooth)?.scratch::<f32>(false, true).values
        );

        let similarity = SparseSimilarity::<f32, 5, 2>::new()?;
        let network = Network::new(layers, Criterion::new(SimLoss::new(similarity)))?;
        let needed = network.scratch::<f32>(false, true);
        assert_eq!(budget.with_row_scratch(5).scalars, needed.scalars);
        assert_eq!(budget.values, needed.values);
        assert_eq!(budget.with_moments(1).bytes(), 4 * (2 * network.parameters() + needed.values));
        Ok(())
    }

    /// What [`Serial`] refuses to do with less.
    #[test]
    fn gradients_are_what_a_step_asks_for() -> Result<(), Error> {
        let network = Network::new(Dense::new(1, 2), Criterion::new(CrossEntropy::new(2)?))?;
        let budget = Budget::dense(1, 2);
        let train = |samples: usize, budget: Budget, missing: usize| -> Result<f32, Error> {
            let (x, truth) = ([0.5; GROUP + 1], [Some(Label::new(0, 2)?); GROUP + 1]);
            let (features, truth) = (RowMajor::new(split(&x, samples).0, 1)?, split(&truth, samples).0);
            let (mut parameters, mut memory) = (std::vec![0.0; budget.parameters], std::vec![0.0; budget.gradient]);
            let (gradient, group) = split_mut(&mut memory, budget.parameters);
            let (_, group) = split_mut(group, missing);
            let (mut values, mut losses) = (std::vec![0.0; budget.values], std::vec![0.0; samples]);
            let work = Work::<f32> { scalars: &mut [], values: &mut values };
            train_step(
                &mut Serial { token: (), network: &network, work, group },
                &Sgd::new(1.0)?,
                Model { parameters: &mut parameters, moments: &mut [], steps: &mut 0 },
                gradient,
                Batch {
                    features: &features,
                    targets: Targets::labels(truth),
                    reduction: Reduction::Sum,
                    losses: &mut losses,
                },
            )
        };
        train(GROUP, budget.with_accumulation(), 0)?;
        train(GROUP + 1, budget.with_groups(), 0)?;
        assert!(train(GROUP + 1, budget.with_accumulation(), 0).is_err());
        assert!(train(GROUP + 1, budget.with_groups(), 1).is_err());
        Ok(())
    }
}
