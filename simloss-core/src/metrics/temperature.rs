//! Temperature scaling: one number, fitted after training, that takes confidence back (or adds some).
//!
//! ```text
//! p = softmax(z / T),    T = argmin_T  -1/n sum_i ln p_i[y_i]    over validation samples
//! d/d(1/T) of the sum:   g(T) = sum_i (sum_k p_ik z_ik - z_i[y_i])
//! ```
//!
//! The likelihood is convex in `1/T`, so `g` falls as `T` grows and its zero is found by bisection. No answer changes:
//! the order of the probabilities stays.
//!
//! Source: C. Guo, G. Pleiss, Y. Sun and K. Weinberger, "On Calibration of Modern Neural Networks", 2017, section 4.2.

use crate::{
    Error, Label,
    error::length,
    loss::{kernel, softmax_into},
    number::{FixedSum, Scalar, block_sum},
    slices::split_mut,
};

/// Halvings of the logarithm of the interval, 20 of base 2: what is left, `5e-14`, is far below an ulp of `f32`.
const HALVINGS: usize = 48;

/// The temperature of greatest likelihood, from 1/1024 to 1024.
///
/// Shapes: `logits`: n x C, row by row, C being the labels' number of classes; `labels`: n; `scratch`: 2C.
///
/// Numerics: each term of `g` is rounded as its probabilities are, their sum is exact; the zero of that sum is found to
/// the last bits of an `f32`, to `5e-14` of itself in `f64`. Where no temperature is best (all samples are right: the
/// lower, the more likely) the end of the interval is returned.
///
/// # Errors
/// [`Error::Empty`] without samples; [`Error::Length`] for logits, labels or scratch that do not fit;
/// [`Error::NotFinite`] or [`Error::Spread`] for logits outside the domain of [`softmax`](crate::loss::softmax), and
/// [`Error::Spread`] for those so large that 1024 times as much would be.
///
/// Cost: 48 softmaxes of each sample.
///
/// ```
/// use simloss_core::{Label, metrics::{fit_temperature, tempered_into}};
/// // Three of four samples are right, each with logits that claim 95 %: at T = 2.68 they claim 75 %.
/// let logits = [2.944_439f32, 0.0].repeat(4);
/// let labels = [0, 0, 0, 1].map(|y| Label::new(y, 2)).into_iter().collect::<Result<Vec<_>, _>>()?;
/// let t = fit_temperature(&logits, &labels, &mut [0.0; 4])?;
/// assert!((t - 2.944_439 / 3f32.ln()).abs() < 1e-5);
/// let mut scaled = [0.0; 2];
/// tempered_into(&logits[..2], t, &mut scaled)?;
/// assert!((scaled[0] - 3f32.ln()).abs() < 1e-5);
/// # Ok::<(), simloss_core::Error>(())
/// ```
pub fn fit_temperature<T: Scalar>(logits: &[T], labels: &[Label], scratch: &mut [T]) -> Result<T, Error> {
    let classes = labels.first().ok_or(Error::Empty)?.classes();
    length("the logits", labels.len().saturating_mul(classes), logits.len())?;
    let found = scratch.len();
    let (scaled, rest) = split_mut(scratch, classes);
    let Some(p) = rest.get_mut(..classes) else {
        return Err(Error::Length { what: "the scratch of a temperature", expected: 2 * classes, found });
    };
    let (mut low, mut high) = (T::from_f64(1.0 / 1024.0), T::from_f64(1024.0));
    for (sample, (z, y)) in logits.chunks_exact(classes).zip(labels).enumerate() {
        y.of(classes)?;
        kernel::largest((), z, sample)?;
        // No temperature that is tried is lower.
        tempered_into(z, low, scaled)?;
        kernel::largest((), scaled, sample).map_err(|_| Error::Spread { sample })?;
    }
    for _ in 0..HALVINGS {
        let middle = low.mul(high).sqrt();
        let mut slope = FixedSum::ZERO;
        for (z, y) in logits.chunks_exact(classes).zip(labels) {
            let own = z.get(y.index()).copied().unwrap_or(T::ZERO);
            tempered_into(z, middle, scaled)?;
            softmax_into(scaled, p)?;
            slope.add(block_sum((), classes, |k| match (p.get(k), z.get(k)) {
                (Some(&p), Some(&z)) => p.mul(z.sub(own)),
                _ => T::ZERO,
            }));
        }
        if slope.to_bits() > 0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(low.mul(high).sqrt())
}

/// Logits at a temperature: `scaled = z / T`.
///
/// # Errors
/// [`Error::Length`] for another number of them; [`Error::Setting`] unless the temperature is positive and finite.
///
/// Cost: C divisions.
pub fn tempered_into<T: Scalar>(logits: &[T], temperature: T, scaled: &mut [T]) -> Result<(), Error> {
    length("the scaled logits", logits.len(), scaled.len())?;
    if !(temperature > T::ZERO && temperature <= T::MAX) {
        return Err(Error::Setting { what: "a temperature, positive and finite" });
    }
    for (scaled, z) in scaled.iter_mut().zip(logits) {
        *scaled = z.div(temperature);
    }
    Ok(())
}
