//! Metrics and decoders: what holds for all samples. Merging leaves no trace, and each quantity is what its definition
//! says.

use proptest::prelude::*;
use simloss_core::{
    Error, Label,
    decoders::{CostTable, Probabilities, argmax, expectation, median},
    metrics::{ClassificationMetrics, ConfusionTable, Mean, Share, ValueErrors, brier, ranked_probability},
    similarity::{ClassOrder, Identity, Similarity},
};
use simloss_tests::config;

/// One sample of random tests.
#[derive(Clone, Debug)]
struct Sample {
    p: Vec<f32>,
    truth: usize,
    cross_entropy: f32,
}

const CLASSES: usize = 5;

fn samples() -> impl Strategy<Value = Vec<Sample>> {
    let sample = (prop::collection::vec(0u16..1000, CLASSES), 0..CLASSES, 0f32..200.0);
    let sample = sample.prop_map(|(weights, truth, cross_entropy)| {
        let total: f32 = weights.iter().map(|&w| f32::from(w)).sum::<f32>().max(1.0);
        Sample { p: weights.iter().map(|&w| f32::from(w) / total).collect(), truth, cross_entropy }
    });
    prop::collection::vec(sample, 1..60)
}

/// Everything that accumulates.
#[derive(Clone, Debug, PartialEq)]
struct All {
    metrics: ClassificationMetrics<Vec<u64>>,
    expected: ValueErrors,
    decided: ValueErrors,
}

const VALUES: [f32; CLASSES] = [1.5, 18.0, 30.1, 64.7, 90.0];

impl All {
    fn new() -> Result<Self, Error> {
        let metrics = ClassificationMetrics::in_memory(vec![0; CLASSES * CLASSES], CLASSES, 2)?;
        Ok(All { metrics, expected: ValueErrors::new(), decided: ValueErrors::new() })
    }

    fn update(&mut self, sample: &Sample) -> Result<(), Error> {
        let p = Probabilities::new(&sample.p)?;
        let decision = self.metrics.update(p, Label::new(sample.truth, CLASSES)?, sample.cross_entropy)?;
        self.expected.update(VALUES[sample.truth], expectation(p, &VALUES)?)?;
        self.decided.update(VALUES[sample.truth], VALUES[decision.index()])
    }

    fn merge(&mut self, other: &Self) -> Result<(), Error> {
        self.metrics.merge(&other.metrics)?;
        self.expected.merge(&other.expected);
        self.decided.merge(&other.decided);
        Ok(())
    }

    fn values(&self) -> [Option<u64>; 9] {
        let (metrics, expected) = (&self.metrics, &self.expected);
        [
            metrics.confusion.accuracy().value(),
            metrics.confusion.quadratic_weighted_kappa(),
            metrics.top.value(),
            metrics.likelihood.value(),
            metrics.brier.value(),
            metrics.ranked.value(),
            metrics.calibration.value(),
            expected.absolute.value(),
            expected.squared.value(),
        ]
        .map(|value| value.map(f64::to_bits))
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn merging_in_any_order_gives_the_same_bits(
        samples in samples(),
        groups in prop::collection::vec(0usize..6, 60),
        turn in 0usize..6,
    ) {
        let mut whole = All::new()?;
        let mut parts = (0..6).map(|_| All::new()).collect::<Result<Vec<_>, _>>()?;
        for sample in &samples {
            whole.update(sample)?;
        }
        for (sample, &group) in samples.iter().zip(&groups).rev() {
            parts[group].update(sample)?;
        }
        // A chain in one order, and a tree in another.
        let mut chain = All::new()?;
        parts.rotate_left(turn);
        for part in &parts {
            chain.merge(part)?;
        }
        while let Some(mut last) = parts.pop() {
            match parts.first_mut() {
                Some(first) => {
                    last.merge(first)?;
                    *first = last;
                }
                None => prop_assert_eq!(&last, &whole),
            }
        }
        prop_assert_eq!(&chain, &whole);
        prop_assert_eq!(chain.values(), whole.values());
    }

    #[test]
    fn the_confusion_matrix_counts_streamed_samples(samples in samples()) {
        let order = ClassOrder::<f32, CLASSES>::new(0.7)?;
        let groups = [3u16, 1, 3, 2, 1];
        let mut all = All::new()?;
        let (mut right, mut within, mut superclass, mut failed) = (Share::new(), Share::new(), Share::new(), Share::new());
        let mut similarity = Mean::new();
        for sample in &samples {
            all.update(sample)?;
            let (y, c) = (Label::new(sample.truth, CLASSES)?, argmax(&sample.p)?);
            let same = groups[y.index()] == groups[c.index()];
            right.update(y == c);
            within.update(y.index().abs_diff(c.index()) <= 2);
            superclass.update(same);
            if y != c {
                failed.update(same);
            }
            similarity.update(order.get(y, c, &mut [0.0; CLASSES])?)?;
        }
        let confusion = &all.metrics.confusion;
        prop_assert_eq!(confusion.accuracy(), right);
        prop_assert_eq!(confusion.within(2), within);
        prop_assert_eq!(confusion.superclass_accuracy(&groups)?, superclass);
        prop_assert_eq!(confusion.failed_superclass_accuracy(&groups)?, failed);
        prop_assert_eq!(confusion.similarity(&order, &mut [0.0; CLASSES])?, similarity);
        prop_assert_eq!(confusion.errors(&VALUES)?, all.decided);
        prop_assert_eq!(confusion.mean(|y, c| VALUES[c] - VALUES[y])?.count(), samples.len() as u64);
    }

    #[test]
    fn kappa_is_that_of_the_definition(counts in prop::collection::vec(0u64..50, 16)) {
        let mut table = ConfusionTable::in_memory(vec![0; 16], 4)?;
        for (at, &n) in counts.iter().enumerate() {
            for _ in 0..n {
                table.update(Label::new(at / 4, 4)?, Label::new(at % 4, 4)?)?;
            }
        }
        let count = |y: usize, c: usize| counts[4 * y + c] as f64;
        let square = |y: usize, c: usize| (y.abs_diff(c) * y.abs_diff(c)) as f64;
        let (mut n, mut seen, mut chance) = (0.0, 0.0, 0.0);
        for (y, c) in (0..4).flat_map(|y| (0..4).map(move |c| (y, c))) {
            let row: f64 = (0..4).map(|c| count(y, c)).sum();
            let column: f64 = (0..4).map(|y| count(y, c)).sum();
            n += count(y, c);
            seen += square(y, c) * count(y, c);
            chance += square(y, c) * row * column;
        }
        match table.quadratic_weighted_kappa() {
            Some(kappa) => prop_assert!((kappa - (1.0 - seen * n / chance)).abs() < 1e-12, "{kappa}"),
            None => prop_assert_eq!(chance, 0.0),
        }
    }

    #[test]
    fn the_median_is_the_least_distance(ticks in prop::collection::vec(0u8..16, CLASSES)) {
        // Multiples of 1/128: every sum is exact, so that ties are ties for both.
        let p: Vec<f32> = ticks.iter().map(|&n| f32::from(n) / 128.0).collect();
        let p = Probabilities::new(&p)?;
        let distance = CostTable::in_memory(vec![0.0f32; 25], CLASSES, |k, c| k.abs_diff(c) as f32)?;
        prop_assert_eq!(distance.minimum_risk(p)?, median(p));
        // Costs of 1 - I give the argmax.
        let wrong = CostTable::of_similarity(vec![0.0f32; 25], &Identity::new(CLASSES)?, &mut [0.0; CLASSES])?;
        prop_assert_eq!(wrong.minimum_risk(p)?, p.top().0);
    }

    #[test]
    fn scores_are_within_their_bounds(
        weights in prop_oneof![
            prop::collection::vec(0.0f32..1.0, 2..12),
            prop::collection::vec(0.0f32..1.0, 12..1000),
        ],
        sharpness in 1..40,
        at in 0usize..1000,
    ) {
        // From nearly uniform to nearly certain.
        let weights: Vec<f32> = weights.iter().map(|&w| (1..sharpness).fold(w, |product, _| product * w)).collect();
        let (classes, total) = (weights.len(), weights.iter().sum::<f32>().max(1e-30));
        let p: Vec<f32> = weights.iter().map(|w| w / total).collect();
        let (y, exact) = (at % classes, p.iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
        let ulps = |got: f32, exact: f64| {
            let rounded = exact as f32;
            (f64::from(got) - exact).abs() / (f64::from(rounded.next_up()) - f64::from(rounded))
        };
        let (p, label) = (Probabilities::new(&p)?, Label::new(y, classes)?);

        let one_hot = |k: usize| f64::from(u8::from(k == y));
        let naive = exact.iter().enumerate().map(|(k, x)| (x - one_hot(k)) * (x - one_hot(k))).sum();
        prop_assert!(ulps(brier(p, label)?, naive) <= 4.0);

        let below = (0..y).map(|k| exact[..=k].iter().sum::<f64>());
        let above = (y..classes - 1).map(|k| exact[k + 1..].iter().sum::<f64>());
        let naive = below.chain(above).map(|x| x * x).sum();
        prop_assert!(ulps(ranked_probability(p, label)?, naive) <= 4.0);

        let values: Vec<f32> = (0..classes).map(|k| 1.0 + k as f32).collect();
        let naive = exact.iter().zip(&values).map(|(&p, &v)| p * f64::from(v)).sum();
        prop_assert!(ulps(expectation(p, &values)?, naive) <= 3.0);
    }
}
