//! A round of training that is taken back if it did harm.

use crate::{
    Error,
    number::Scalar,
    slices::{copy, split_mut},
    train::Model,
};

/// What came of a guarded round.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Round<T> {
    /// The held-out loss before it.
    pub before: T,
    /// The held-out loss after it, whether kept or not.
    pub after: T,
    /// `after <= before`. Otherwise parameters, moments and the count of steps are what they were.
    pub kept: bool,
}

/// Trains, and takes it back where the held-out loss is worse than before, or anything failed.
///
/// `backup` holds as many numbers as parameters and moments together. `held_out` judges parameters on samples that
/// `train` does not see, with [`mean_loss`](crate::train::mean_loss) or a metric of which less is better; `train` takes any
/// number of steps.
///
/// Cost: two calls of `held_out`, two copies of the model.
///
/// # Errors
/// [`Error::Length`] for a backup of another size; those of `held_out` and `train`, after the model got its numbers back.
///
/// ```
/// use simloss_core::{Error, device::guarded_round, train::Model};
/// let (mut w, mut steps) = ([1.0f32], 4);
/// let held_out = |w: &[f32]| Ok::<_, Error>(w[0] * w[0]);
/// let mut round = |to: f32| {
///     let model = Model { parameters: &mut w, moments: &mut [], steps: &mut steps };
///     guarded_round(model, &mut [0.0], held_out, |model| {
///         model.parameters[0] = to;
///         *model.steps += 1;
///         Ok(())
///     })
/// };
/// assert!(round(0.5)?.kept);
/// assert!(!round(3.0)?.kept);
/// assert_eq!((w, steps), ([0.5], 5));
/// # Ok::<(), Error>(())
/// ```
pub fn guarded_round<T: Scalar, E: From<Error>>(
    model: Model<'_, T>,
    backup: &mut [T],
    mut held_out: impl FnMut(&[T]) -> Result<T, E>,
    train: impl FnOnce(Model<'_, T>) -> Result<(), E>,
) -> Result<Round<T>, E> {
    let mut model = model;
    let held_out = |model: &mut Model<'_, T>| held_out(model.parameters);
    round(&mut model, Model::reborrow, backup, held_out, |model| train(model.reborrow()))
}

/// [`guarded_round`] of whatever has a model.
#[inline]
pub(super) fn round<S, T: Scalar, E: From<Error>>(
    subject: &mut S,
    model: impl for<'a> Fn(&'a mut S) -> Model<'a, T>,
    backup: &mut [T],
    mut held_out: impl FnMut(&mut S) -> Result<T, E>,
    train: impl FnOnce(&mut S) -> Result<(), E>,
) -> Result<Round<T>, E> {
    let Model { parameters, moments, .. } = model(subject);
    crate::error::length("the backup", parameters.len() + moments.len(), backup.len())?;
    let before = held_out(subject)?;
    let Model { parameters, moments, steps } = model(subject);
    let (parameters_before, moments_before) = split_mut(backup, parameters.len());
    copy(parameters, parameters_before);
    copy(moments, moments_before);
    let steps_before = *steps;

    let result = train(subject).and_then(|()| held_out(subject));
    // Written so that NaN is not kept.
    let kept = result.as_ref().is_ok_and(|after| *after <= before);
    if !kept {
        let Model { parameters, moments, steps } = model(subject);
        copy(parameters_before, parameters);
        copy(moments_before, moments);
        *steps = steps_before;
    }
    result.map(|after| Round { before, after, kept })
}
