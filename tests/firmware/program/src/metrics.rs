//! Metrics and decoders over drawn samples.

use crate::{Number, Sink};
use simloss_core::{
    Error, Label, Random,
    decoders::{Probabilities, argmax, expectation, median},
    loss::{CrossEntropy, Loss, softmax_into},
    metrics::ClassificationMetrics,
};

const CLASSES: usize = 10;

/// 200 samples: every eighth sample's answers, then all metrics.
///
/// # Errors
/// None, for these samples.
pub fn all<T: Number>(sink: &mut impl Sink) -> Result<(), Error> {
    let mut metrics = ClassificationMetrics::in_memory([0u64; CLASSES * CLASSES], CLASSES, 3)?;
    let loss = CrossEntropy::new(CLASSES)?;
    let mut random = Random::new(33);
    let (mut logits, mut p, mut work) = ([T::ZERO; CLASSES], [T::ZERO; CLASSES], [T::ZERO; CLASSES]);
    let mut values = [T::ZERO; CLASSES];
    for (k, value) in values.iter_mut().enumerate() {
        *value = T::from_usize(20 + 7 * k);
    }
    for number in 0..200 {
        let y = Label::new(random.below(CLASSES), CLASSES)?;
        for (k, z) in logits.iter_mut().enumerate() {
            let near = T::from_usize(k.abs_diff(y.index())).mul(T::HALF);
            *z = random.unit::<T>().mul(T::from_f32(6.0)).sub(near);
        }
        softmax_into(&logits, &mut p)?;
        let cross_entropy = loss.value_of_slice(&logits, y, &mut [], &mut work)?;
        let probabilities = Probabilities::new(&p)?;
        metrics.update(probabilities, y, cross_entropy)?;
        if number % 8 == 0 {
            let answers = [argmax(&logits)?.index() as u32, median(probabilities).index() as u32];
            let [most, middle] = answers;
            sink.line("answers", &[number, most, middle, expectation(probabilities, &values)?.bits()]);
        }
    }
    let confusion = &metrics.confusion;
    let errors = confusion.errors(&values)?;
    for (name, value) in [
        ("accuracy", confusion.accuracy().value()),
        ("within 1", confusion.within(1).value()),
        ("mean absolute error", errors.absolute.value()),
        ("mean squared error", errors.squared.value()),
        ("kappa", confusion.quadratic_weighted_kappa()),
        ("top 3", metrics.top.value()),
        ("likelihood", metrics.likelihood.value()),
        ("brier", metrics.brier.value()),
        ("ranked", metrics.ranked.value()),
        ("calibration", metrics.calibration.value()),
    ] {
        let bits = value.map_or(0, f64::to_bits);
        sink.line(name, &[(bits >> 32) as u32, bits as u32]);
    }
    Ok(())
}
