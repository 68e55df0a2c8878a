//! How features are scaled, and what stands for those that are missing.

use serde::{Deserialize, Serialize};
use simloss_core::standardise_into;

/// Scales features to mean 0 and deviation 1, as they are in the training part. Goes with the model.
///
/// Means and deviations are computed in `f64`, sample by sample, so that the bits do not depend on the machine.
///
/// ```
/// use simloss_train::data::Standardiser;
/// let scale = Standardiser::fit(&[1.0, 5.0, 3.0, 5.0, 100.0, 6.0], 2, &[0, 1]);
/// // The third sample was not fitted; the second feature does not vary, and is only shifted.
/// assert_eq!(scale.apply(&[1.0, 5.0, 100.0, 6.0]), [-1.0, 0.0, 98.0, 1.0]);
/// ```
///
/// Where values are missing (NaN), each is the median of its feature in the training part first; means and deviations are
/// those of the features so filled in.
///
/// ```
/// use simloss_train::data::Standardiser;
/// let scale = Standardiser::fit(&[1.0, 2.0, f32::NAN, 9.0], 1, &[0, 1, 2, 3]);
/// assert_eq!(scale.median(), [2.0]);
/// assert_eq!(scale.apply(&[f32::NAN]), scale.apply(&[2.0]));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standardiser {
    mean: Vec<f64>,
    deviation: Vec<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    median: Vec<f64>,
}

impl Standardiser {
    /// Means and deviations (of the population) of the rows `samples` of `features`; a feature that does not vary gets
    /// deviation 1.
    pub fn fit(features: &[f32], width: usize, samples: &[u32]) -> Self {
        let filled;
        let median = if features.iter().any(|x| x.is_nan()) { medians(features, width, samples) } else { vec![] };
        let features = match median.is_empty() {
            true => features,
            false => {
                filled = fill(features, &median);
                &filled[..]
            }
        };
        let rows = || samples.iter().filter_map(|&i| features.chunks_exact(width.max(1)).nth(i as usize));
        let n = rows().count().max(1) as f64;
        let mut mean = vec![0.0f64; width];
        for row in rows() {
            mean.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        mean.iter_mut().for_each(|sum| *sum /= n);
        let mut deviation = vec![0.0f64; width];
        for row in rows() {
            for ((sum, &x), mean) in deviation.iter_mut().zip(row).zip(&mean) {
                *sum += (f64::from(x) - mean) * (f64::from(x) - mean);
            }
        }
        for sum in &mut deviation {
            let root = (*sum / n).sqrt();
            *sum = if root > 0.0 { root } else { 1.0 };
        }
        Standardiser { mean, deviation, median }
    }

    /// Of these means and deviations; none unless they are equally many, all finite, and the deviations above 0.
    pub(crate) fn of(mean: Vec<f64>, deviation: Vec<f64>, median: Vec<f64>) -> Option<Self> {
        Some(Standardiser { mean, deviation, median }).filter(Self::is_valid)
    }

    /// The number of features.
    pub fn width(&self) -> usize {
        self.mean.len()
    }

    /// The mean of each feature.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The deviation of each feature.
    pub fn deviation(&self) -> &[f64] {
        &self.deviation
    }

    /// What a missing value of each feature is filled in with; none where none was missing.
    pub fn median(&self) -> &[f64] {
        &self.median
    }

    /// The scaled features, row by row, as [`standardise_into`] scales them on a device; numbers after the last whole row
    /// are left out.
    pub fn apply(&self, features: &[f32]) -> Vec<f32> {
        let width = self.width().max(1);
        let filled;
        let features = match self.median.is_empty() {
            true => features,
            false => {
                filled = fill(features, &self.median);
                &filled[..]
            }
        };
        let mut scaled = vec![0.0; features.len() / width * width];
        for (x, y) in features.chunks_exact(width).zip(scaled.chunks_exact_mut(width)) {
            // All of one width.
            let _ = standardise_into(x, &self.mean, &self.deviation, y);
        }
        scaled
    }

    /// Whether it is one: as many deviations as means, all finite, none 0.
    pub(crate) fn is_valid(&self) -> bool {
        self.mean.len() == self.deviation.len()
            && self.mean.iter().all(|x| x.is_finite())
            && self.deviation.iter().all(|x| x.is_finite() && *x > 0.0)
            && [0, self.mean.len()].contains(&self.median.len())
            && self.median.iter().all(|x| x.is_finite())
    }
}

/// The median of each feature of the rows `samples`, without those that are missing; 0 where all are.
fn medians(features: &[f32], width: usize, samples: &[u32]) -> Vec<f64> {
    let at = |sample: u32, column: usize| features.get(sample as usize * width + column).copied();
    let median = |column: usize| {
        let mut known: Vec<f32> = samples.iter().filter_map(|&i| at(i, column)).filter(|x| !x.is_nan()).collect();
        known.sort_by(f32::total_cmp);
        let middle = |n: usize| known.get(n).map_or(0.0, |&x| f64::from(x));
        match known.len() {
            0 => 0.0,
            n if n % 2 == 1 => middle(n / 2),
            n => (middle(n / 2 - 1) + middle(n / 2)) / 2.0,
        }
    };
    (0..width).map(median).collect()
}

/// Features with medians for what is missing.
fn fill(features: &[f32], median: &[f64]) -> Vec<f32> {
    let with = |(&x, &median): (&f32, &f64)| if x.is_nan() { median as f32 } else { x };
    features.iter().zip(median.iter().cycle()).map(with).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use simloss_core::Random;

    #[test]
    fn standardised_features_have_mean_0_and_deviation_1() {
        let mut random = Random::new(4);
        let features: Vec<f32> = (0..3000).map(|i| 1e6 + (i % 3) as f32 * random.unit::<f32>()).collect();
        let scaled = Standardiser::fit(&features, 3, &(0..1000).collect::<Vec<_>>()).apply(&features);
        for (k, expected) in [(0, 0.0), (1, 1.0), (2, 1.0)] {
            let column: Vec<f64> = scaled.iter().skip(k).step_by(3).map(|&x| f64::from(x)).collect();
            let mean = column.iter().sum::<f64>() / 1000.0;
            let variance = column.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 1000.0;
            assert!(mean.abs() < 1e-6, "{k}: {mean}");
            assert!((variance - expected).abs() < 1e-6, "{k}: {variance}");
        }
    }

    #[test]
    fn missing_values_are_the_median_of_the_training_part() {
        let nan = f32::NAN;
        let features = [1.0, nan, 2.0, 5.0, nan, 7.0, 100.0, 9.0];
        let scale = Standardiser::fit(&features, 2, &[0, 1, 2]);
        assert_eq!(scale.median(), [1.5, 6.0]);
        assert_eq!(scale, {
            let filled = [1.0, 6.0, 2.0, 5.0, 1.5, 7.0, 100.0, 9.0];
            Standardiser { median: scale.median.clone(), ..Standardiser::fit(&filled, 2, &[0, 1, 2]) }
        });
        assert_eq!(scale.apply(&[nan, nan]), scale.apply(&[1.5, 6.0]));
        assert!(scale.is_valid());
        // Nothing is known of a feature: it is 0 for all.
        assert_eq!(Standardiser::fit(&[nan, nan], 1, &[0, 1]).apply(&[nan]), [0.0]);
    }
}
