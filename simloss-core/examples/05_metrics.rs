//! From logits to answers, and from answers to figures.
//!
//!     cargo run -p simloss-core --example 05_metrics
//!
//! A network gives probabilities; which answer is best depends on what a mistake costs. Decoders choose the answer, metrics
//! count how good the answers are.

use simloss_core::{
    Error, Label,
    decoders::{CostTable, Probabilities, argmax, expectation, median},
    loss::{CrossEntropy, Loss, softmax},
    metrics::{ClassificationMetrics, ConfusionMatrix, ValueErrors},
    nalgebra::SVector,
};

/// What each class stands for: an age.
const AGES: [f32; 4] = [10.0, 20.0, 40.0, 70.0];

fn main() -> Result<(), Error> {
    let samples = [
        ([2.0f32, 1.5, 0.0, -1.0], 0),
        ([0.5, 1.0, 0.9, -2.0], 2),
        ([1.2, 0.3, 0.2, 1.1], 1), // torn between the ends
        ([-3.0, 0.0, 2.0, -1.0], 2),
    ];

    // One collector for all that is said of probabilities; the `2` is that of top-2 accuracy. Another for the answers of
    // another decoder, and one for answers that are numbers.
    let mut metrics = ClassificationMetrics::in_memory([0; 16], 4, 2)?;
    let mut of_median = ConfusionMatrix::<4>::new()?;
    let mut of_expectation = ValueErrors::new();
    // What it costs to answer c where k is true: the years between them, and three times as much if the answer is too low.
    let price = |k: usize, c: usize| (AGES[c] - AGES[k]).max(3.0 * (AGES[k] - AGES[c]));
    let costs = CostTable::in_memory([0.0f32; 16], 4, price)?;
    let mut least_cost = ConfusionMatrix::<4>::new()?;

    for (logits, class) in samples {
        let (logits, truth) = (SVector::from(logits), Label::new(class, 4)?);
        let p = softmax(&logits)?;
        // Probabilities are another type than logits: what takes the one does not take the other by mistake.
        let p = Probabilities::new(&p)?;
        // The likelihood comes from the logits, so that it is finite for the most certain mistake.
        metrics.update(p, truth, CrossEntropy::new(4)?.value(&logits, truth)?)?;
        of_median.update(truth, median(p))?;
        of_expectation.update(AGES[class], expectation(p, &AGES)?)?;
        least_cost.update(truth, costs.minimum_risk(p)?)?;
        assert_eq!(argmax(logits.as_slice())?, p.top().0); // the most probable class needs no softmax
    }

    let mut lines = Vec::new();
    let mut say = |name: &str, value: Option<f64>| {
        // None where nothing was counted: never NaN.
        lines.push(value.map_or_else(|| format!("{name}: nothing counted"), |value| format!("{name}: {value:.3}")));
    };
    say("accuracy", metrics.confusion.accuracy().value());
    say("among the two most probable", metrics.top.value());
    say("at most one class off", metrics.confusion.within(1).value());
    say("negative log-likelihood", metrics.likelihood.value());
    say("expected calibration error", metrics.calibration.value());
    say("years off, most probable class", metrics.confusion.errors(&AGES)?.absolute.value());
    say("years off, median class", of_median.errors(&AGES)?.absolute.value());
    say("years off, expected age", of_expectation.absolute.value());
    say("cost, most probable class", metrics.confusion.mean(price)?.value());
    say("cost, class of least expected cost", least_cost.mean(price)?.value());
    println!("{}", lines.join("\n"));
    assert_eq!(lines, EXPECTED);

    // Collectors of several threads or days become one, with the same bits as if one had seen all samples.
    let mut twice = metrics;
    twice.merge(&metrics)?;
    assert_eq!(twice.confusion.accuracy().total(), 8);
    assert_eq!(twice.likelihood.value(), metrics.likelihood.value());
    Ok(())
}

const EXPECTED: [&str; 10] = [
    "accuracy: 0.500",
    "among the two most probable: 0.750",
    "at most one class off: 1.000",
    "negative log-likelihood: 0.921",
    "expected calibration error: 0.342",
    "years off, most probable class: 7.500",
    "years off, median class: 5.000",
    "years off, expected age: 9.684",
    "cost, most probable class: 22.500",
    "cost, class of least expected cost: 15.000",
];
