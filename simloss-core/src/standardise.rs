//! What a sensor measures, on the scale of the network.

use crate::{
    Error,
    error::length,
    number::{Scalar, TwoFloat},
};

/// Means and standard deviations of `N` features, split into numbers of 32 bits when they are compiled: a device scales its
/// samples without a double.
///
/// `y_i = (x_i - mean_i) / deviation_i`, in pairs of `f32` (some 47 bits), rounded once. So measurements around a large mean keep
/// their digits, and the bits are the same on every target. They are those of `f64` arithmetic, rounded to `f32`, in all but about
/// one of 2^20 cases, which differ in the last place.
///
/// ```
/// use simloss_core::{Error, Scale};
/// // In a firmware a `static`: it lies in flash.
/// static SCALE: Scale<2> = match Scale::new(&[1.0, 1e6], &[4.0, 0.5]) {
///     Ok(scale) => scale,
///     Err(_) => panic!("no scale"), // the build stops here
/// };
/// let mut y = [0.0; 2];
/// SCALE.scale_into(&[3.0, 1e6 + 1.0], &mut y)?;
/// assert_eq!(y, [0.5, 2.0]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale<const N: usize>([Feature; N]);

/// A mean in three parts, a deviation in two.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Feature {
    mean: [f32; 3],
    deviation: [f32; 2],
}

const DOMAIN: Error = Error::Setting { what: "deviations of the features, finite and at least 1.2e-38" };

impl Feature {
    const fn new(mean: f64, deviation: f64) -> Result<Self, Error> {
        if !(deviation >= f32::MIN_POSITIVE as f64 && deviation <= f32::MAX as f64) {
            return Err(DOMAIN);
        }
        let first = mean as f32;
        let second = (mean - first as f64) as f32;
        let third = (mean - first as f64 - second as f64) as f32;
        let high = deviation as f32;
        Ok(Feature { mean: [first, second, third], deviation: [high, (deviation - high as f64) as f32] })
    }

    #[inline]
    fn scale(&self, x: f32) -> f32 {
        let ([m0, m1, m2], [high, low]) = (self.mean, self.deviation);
        let a = TwoFloat::difference(x, m0);
        let b = TwoFloat::difference(a.hi, m1);
        let distance = TwoFloat::sum(b.hi, b.lo + (a.lo - m2));
        let scaled = distance.over(TwoFloat { hi: high, lo: low });
        // Beyond 2^100 deviations the low parts overflow; a NaN among the measurements stays one.
        if scaled.hi.is_finite() { scaled.hi } else { distance.hi / high }
    }
}

impl<const N: usize> Scale<N> {
    /// The scale of features with these means and standard deviations.
    ///
    /// # Errors
    /// [`Error::Setting`] for a deviation that is not a normal number of 32 bits above 0 (a feature that does not vary has none:
    /// give 1).
    pub const fn new(mean: &[f64; N], deviation: &[f64; N]) -> Result<Self, Error> {
        let mut features = [Feature { mean: [0.0; 3], deviation: [1.0, 0.0] }; N];
        let mut i = 0;
        while i < N {
            features[i] = match Feature::new(mean[i], deviation[i]) {
                Ok(feature) => feature,
                Err(error) => return Err(error),
            };
            i += 1;
        }
        Ok(Scale(features))
    }

    /// The scaled features of a sample. What is no number among the measurements is none among these.
    ///
    /// # Errors
    /// [`Error::Length`] unless both hold `N` numbers; nothing is written then.
    ///
    /// Cost: some 100 instructions a feature with an FPU for numbers of 32 bits.
    pub fn scale_into(&self, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
        length("the features to scale", N, x.len())?;
        length("the scaled features", N, y.len())?;
        for ((y, &x), feature) in y.iter_mut().zip(x).zip(&self.0) {
            *y = feature.scale(x);
        }
        Ok(())
    }
}

/// [`Scale`], for a number of features known at run time: the same bits.
///
/// # Errors
/// [`Error::Length`] unless all four are of one length, [`Error::Setting`] for a deviation that is not a normal number of 32
/// bits above 0 (a feature that does not vary has none: give 1); nothing is written then.
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
    for &deviation in deviation {
        Feature::new(0.0, deviation)?;
    }
    for (((y, &x), &mean), &deviation) in y.iter_mut().zip(x).zip(mean).zip(deviation) {
        *y = T::from_f32(Feature::new(mean, deviation)?.scale(x));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;

    /// Any scale of a feature that is measured in some unit.
    #[test]
    fn has_the_bits_of_doubles_in_nearly_all_cases() -> Result<(), Error> {
        let mut random = Random::new(5);
        let (mut other, cases) = (0, 1 << 20);
        for _ in 0..cases {
            let unit = |random: &mut Random| -> f64 { random.unit() };
            let size = (60.0 * unit(&mut random) - 30.0).exp2();
            let deviation = size * (0.5 + unit(&mut random));
            let mean = deviation * (20.0 * unit(&mut random)).exp2() * (unit(&mut random) - 0.5);
            let x = (mean + deviation * (6.0 * unit(&mut random) - 3.0)) as f32;
            let exact = ((f64::from(x) - mean) / deviation) as f32;
            let mut y = [0.0f32];
            standardise_into(&[x], &[mean], &[deviation], &mut y)?;
            other += u32::from(y[0].to_bits() != exact.to_bits());
            assert!(y[0].to_bits().abs_diff(exact.to_bits()) <= 1, "{x} {mean} {deviation}: {y:?} {exact}");
        }
        std::println!("{other} of {cases} differ");
        assert!(other <= 8, "{other}");
        Ok(())
    }

    #[test]
    fn at_the_ends_of_the_range() -> Result<(), Error> {
        let scale = Scale::new(&[0.0, 1e300, 0.0, f64::from(f32::MAX), 0.0], &[1.0; 5]);
        let mut y = [0.0; 5];
        scale?.scale_into(&[f32::MAX, 0.0, f32::NAN, f32::MAX, f32::INFINITY], &mut y)?;
        assert_eq!((y[0], y[3]), (f32::MAX, 0.0));
        assert!(!y[1].is_finite() && y[2].is_nan() && !y[4].is_finite());
        for bad in [0.0, -1.0, 1e-50, 1e50, f64::NAN, f64::INFINITY] {
            assert_eq!(Scale::new(&[0.0], &[bad]), Err(DOMAIN));
            assert_eq!(standardise_into(&[1.0], &[0.0], &[bad], &mut [0.0f32]), Err(DOMAIN));
        }
        Ok(())
    }
}
