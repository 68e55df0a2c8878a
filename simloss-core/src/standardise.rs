//! What a sensor measures, on the scale of the network.

use crate::{Error, error::length, number::Scalar};

/// `y_i = (x_i - mean_i) / deviation_i`, computed in `f64` and rounded once.
///
/// So measurements around a large mean keep their digits, on every target with the same bits. A core without an FPU for
/// doubles takes some 200 instructions a feature; that is little beside a layer.
///
/// # Errors
/// [`Error::Length`] unless all four are of one length, [`Error::Setting`] for a deviation that is not finite and above 0
/// (a feature that does not vary has none: give 1); nothing is written then.
///
/// ```
/// use simloss_core::standardise_into;
/// let mut y = [0.0f32; 2];
/// standardise_into(&[3.0, 1e6 + 1.0], &[1.0, 1e6], &[4.0, 0.5], &mut y)?;
/// assert_eq!(y, [0.5, 2.0]);
/// # Ok::<(), simloss_core::Error>(())
/// ```
pub fn standardise_into<T: Scalar>(x: &[f32], mean: &[f64], deviation: &[f64], y: &mut [T]) -> Result<(), Error> {
    length("the means of the features", x.len(), mean.len())?;
    length("the deviations of the features", x.len(), deviation.len())?;
    length("the standardised features", x.len(), y.len())?;
    if !deviation.iter().all(|d| *d > 0.0 && d.is_finite()) {
        return Err(Error::Setting { what: "deviations of the features, finite and above 0" });
    }
    for (((y, &x), mean), deviation) in y.iter_mut().zip(x).zip(mean).zip(deviation) {
        *y = T::from_f64((f64::from(x) - mean) / deviation);
    }
    Ok(())
}
