//! Laws of batches: weights, reductions, targets, lanes.

use super::{Format, Kind, Law, kind, narrow, sample, sum};
use proptest::prelude::*;
use simloss_core::{
    Error, Label,
    loss::{Criterion, CrossEntropy, Loss, PublishedSimLoss, Reduction, SimLoss, Targets, Truth},
    number::{BlockSum, Scalar, Value},
};
use simloss_tests::{
    AnySimilarity, Evaluated, bits, config, doubles, each_in, labels,
    lanes::{Array, Token},
    reduce_in,
};

/// A batch with all that may weigh on it.
#[derive(Clone, Debug)]
struct Batch {
    classes: usize,
    kind: Kind,
    logits: Vec<f32>,
    truth: Vec<Option<usize>>,
    soft: Option<Vec<f32>>,
    class_weights: Option<Vec<f32>>,
    sample_weights: Option<Vec<f32>>,
    smoothing: f32,
}

fn batch() -> impl Strategy<Value = Batch> {
    (prop_oneof![4 => 2usize..9, 1 => 9usize..24], 1usize..20).prop_flat_map(|(classes, n)| {
        let weight = || prop_oneof![1 => Just(0.0f32), 3 => Just(1.0f32), 4 => 0.001f32..8.0];
        let weights = |count: usize| prop::option::of(prop::collection::vec(weight(), count));
        let target = prop_oneof![1 => Just(0.0f32), 2 => 0f32..1.0];
        let label = prop_oneof![1 => Just(None), 4 => (0..classes).prop_map(Some)];
        let logits = prop::collection::vec(sample(classes), n);
        (
            (kind(classes), logits, prop::collection::vec(label, n)),
            prop::option::weighted(0.4, prop::collection::vec(target, n * classes)),
            (weights(classes), weights(n)),
            prop_oneof![4 => Just(0.0f32), 2 => Just(0.1f32), 1 => 0f32..1.0, 1 => Just(1.0f32)],
        )
            .prop_map(move |((kind, logits, truth), soft, (class_weights, sample_weights), smoothing)| {
                let logits = logits.concat();
                Batch { classes, kind, logits, truth, soft, class_weights, sample_weights, smoothing }
            })
    })
}

/// A batch in one format.
struct Built<T> {
    similarity: AnySimilarity<T>,
    logits: Vec<T>,
    labels: Vec<Option<Label>>,
    soft: Option<Vec<T>>,
    class_weights: Option<Vec<T>>,
    sample_weights: Option<Vec<T>>,
    smoothing: T,
}

impl Batch {
    fn build<T: Scalar>(&self) -> Result<Built<T>, Error> {
        Ok(Built {
            similarity: self.kind.build(self.classes)?,
            logits: narrow(&self.logits),
            labels: labels(&self.truth, self.classes)?,
            soft: self.soft.as_deref().map(narrow),
            class_weights: self.class_weights.as_deref().map(narrow),
            sample_weights: self.sample_weights.as_deref().map(narrow),
            smoothing: T::from_f32(self.smoothing),
        })
    }

    fn is_ignored(&self, i: usize) -> bool {
        self.soft.is_none() && self.truth[i].is_none()
    }

    /// Sample `i` alone.
    fn alone(&self, i: usize) -> Batch {
        let row = |numbers: &Vec<f32>| numbers[i * self.classes..][..self.classes].to_vec();
        Batch {
            logits: row(&self.logits),
            truth: vec![self.truth[i]],
            soft: self.soft.as_ref().map(row),
            sample_weights: self.sample_weights.as_ref().map(|weights| vec![weights[i]]),
            ..self.clone()
        }
    }

    /// `s_i sum_y w_y t_iy` with the smoothed target, or with `eps = 0`, in `f64`.
    fn weight(&self, i: usize, eps: f64) -> f64 {
        let given = |weights: &Option<Vec<f32>>, k: usize| weights.as_ref().map_or(1.0, |w| f64::from(w[k]));
        if self.is_ignored(i) {
            return 0.0;
        }
        let target = |y: usize| match &self.soft {
            Some(soft) => f64::from(soft[i * self.classes + y]),
            None => f64::from(u8::from(self.truth[i] == Some(y))),
        };
        let smoothed = |y: usize| (1.0 - eps) * target(y) + eps / self.classes as f64;
        let of_classes: f64 = (0..self.classes).map(|y| given(&self.class_weights, y) * smoothed(y)).sum();
        given(&self.sample_weights, i) * of_classes
    }
}

impl<T: Scalar> Built<T> {
    fn criterion(&self) -> Result<Criterion<'_, SimLoss<&AnySimilarity<T>>, T>, Error> {
        self.criterion_of(SimLoss::new(&self.similarity))
    }

    fn criterion_of<L: Loss<T>>(&self, loss: L) -> Result<Criterion<'_, L, T>, Error> {
        let criterion = Criterion::new(loss).with_label_smoothing(self.smoothing)?;
        Ok(match &self.class_weights {
            Some(weights) => criterion.with_class_weights(weights)?,
            None => criterion,
        })
    }

    fn targets(&self) -> Targets<'_, T> {
        let truth = self.soft.as_deref().map_or(Truth::Labels(&self.labels), Truth::Soft);
        Targets { truth, sample_weights: self.sample_weights.as_deref() }
    }

    fn each(&self) -> Result<Evaluated<T>, Error> {
        each_in::<T, _>((), &self.criterion()?, &self.logits, &self.targets())
    }

    fn reduce(&self, reduction: Reduction) -> Result<Evaluated<T>, Error> {
        reduce_in::<T, _>((), &self.criterion()?, reduction, &self.logits, &self.targets())
    }
}

fn samples_do_not_see_each_other<T: Format>(batch: &Batch) -> Law {
    let together = batch.build::<T>()?.each()?;
    for i in 0..batch.truth.len() {
        let alone = batch.alone(i).build::<T>()?.each()?;
        prop_assert_eq!(bits(&alone.losses), bits(&together.losses[i..=i]), "loss of sample {}", i);
        let row = &together.gradient[i * batch.classes..][..batch.classes];
        prop_assert_eq!(bits(&alone.gradient), bits(row), "gradient of sample {}", i);
    }
    Ok(())
}

fn weighted_losses_keep_their_bounds<T: Format>(batch: &Batch) -> Law {
    let Evaluated { losses, gradient } = batch.build::<T>()?.each()?;
    let many = batch.soft.is_some() || batch.smoothing > 0.0;
    for (i, (loss, row)) in losses.iter().zip(gradient.chunks(batch.classes)).enumerate() {
        let (loss, row, weight) = (loss.to_f64(), doubles(row), batch.weight(i, f64::from(batch.smoothing)));
        prop_assert!(loss >= 0.0 && loss.is_finite(), "a loss of {}", loss);
        // 16 u from the loss, 2 u of the norm for each weight, and with soft targets a rounding for each class added.
        let roundings = if many { 16.0 + 2.0 * (3.0 + batch.classes as f64) } else { 16.0 + 4.0 };
        let total = sum(&row);
        prop_assert!(total.abs() <= roundings * T::UNIT * weight, "sample {}: gradient sums to {}", i, total);
        let norm: f64 = row.iter().map(|g| g.abs()).sum();
        let slack = 1.0 + if many { 1e-5 } else { 4.0 * f32::UNIT };
        prop_assert!(norm <= (2.0 + 1.0 / 1_048_576.0) * weight * slack, "sample {}: gradient of length {}", i, norm);
        if batch.is_ignored(i) {
            prop_assert!(loss.to_bits() == 0 && row.iter().all(|g| g.to_bits() == 0), "sample {} is ignored", i);
        }
    }
    Ok(())
}

fn reductions_are_sums_and_quotients<T: Format>(batch: &Batch) -> Law {
    let built = batch.build::<T>()?;
    let each = built.each()?;
    // Groups of 16, each a tree of pairs, added with compensation.
    let mut total = BlockSum::new(());
    for group in each.losses.chunks(16) {
        let mut tree: Vec<T> = group.to_vec();
        tree.resize(16, T::ZERO);
        while tree.len() > 1 {
            tree = tree.chunks(2).map(|pair| pair[0].add(pair[1])).collect();
        }
        total.add_one(tree[0]);
    }
    let total = total.total();
    let n = batch.truth.len();
    let kept = (0..n).filter(|&i| !batch.is_ignored(i)).count();
    let by_weight: f64 = (0..n).map(|i| batch.weight(i, 0.0)).sum();
    for (reduction, divisor) in
        [(Reduction::Sum, 1.0), (Reduction::MeanByCount, kept as f64), (Reduction::MeanByWeight, by_weight)]
    {
        let omega = built.criterion()?.omega(reduction, &built.targets(), n);
        if divisor == 0.0 {
            prop_assert_eq!(omega, Err(Error::Empty));
            prop_assert_eq!(built.reduce(reduction), Err(Error::Empty));
            continue;
        }
        let omega = omega?;
        prop_assert!((omega.to_f64() - divisor).abs() <= 16.0 * T::UNIT * divisor, "{:?} is not {}", omega, divisor);
        let scale = T::ONE.div(omega);
        let scaled: Vec<T> = each.gradient.iter().map(|g| g.mul(scale)).collect();
        let reduced = built.reduce(reduction)?;
        prop_assert_eq!(bits(&reduced.losses), bits(&[total.mul(scale)]), "{:?}", reduction);
        prop_assert_eq!(bits(&reduced.gradient), bits(&scaled), "gradient of {:?}", reduction);
    }
    Ok(())
}

/// Nothing to average: the loss and every output as it was.
fn nothing_to_average<T: Format>(batch: &Batch, by_weight: bool) -> Law {
    let mut batch = Batch { soft: None, ..batch.clone() };
    let n = batch.truth.len();
    if by_weight {
        batch.sample_weights = Some(vec![0.0; n]);
    } else {
        batch.truth = vec![None; n];
    }
    let built = batch.build::<T>()?;
    let (criterion, targets) = (built.criterion()?, built.targets());
    let needed = criterion.scratch::<T>(&targets);
    let nine = T::from_f32(9.0);
    let (mut scalars, mut values) = (vec![nine; needed.scalars], vec![nine; needed.values]);
    let mut gradient = vec![nine; built.logits.len()];
    let (logits, out) = (&built.logits, Some(&mut gradient[..]));
    let got = criterion.reduce(Reduction::MeanByWeight, logits, &targets, &mut scalars, &mut values, out);
    prop_assert_eq!(got, Err(Error::Empty));
    prop_assert!(gradient.iter().all(|&g| g == nine), "the gradient was written to");
    Ok(())
}

/// Weights of a power of two scale losses exactly and leave the mean by weight as it is.
fn equal_weights_do_not_count<T: Format>(batch: &Batch, power: i32) -> Law {
    let plain = Batch { class_weights: None, sample_weights: None, ..batch.clone() };
    let weight = 2f32.powi(power);
    let heavy = Batch { class_weights: Some(vec![weight; batch.classes]), ..plain.clone() };
    let heavier = Batch { sample_weights: Some(vec![weight; batch.truth.len()]), ..plain.clone() };
    let expected = plain.build::<T>()?.reduce(Reduction::MeanByWeight);
    let sum = plain.build::<T>()?.reduce(Reduction::Sum)?;
    for weighted in [heavy, heavier] {
        let built = weighted.build::<T>()?;
        match (&expected, built.reduce(Reduction::MeanByWeight)) {
            (Ok(expected), Ok(got)) => prop_assert!(agree(expected, &got), "{:?} is not {:?}", got, expected),
            (expected, got) => prop_assert_eq!(expected, &got),
        }
        let got = built.reduce(Reduction::Sum)?;
        let weight = T::from_f32(weight);
        let times = |numbers: &[T]| numbers.iter().map(|x| x.mul(weight)).collect::<Vec<T>>();
        let expected = Evaluated { losses: times(&sum.losses), gradient: times(&sum.gradient) };
        prop_assert!(agree(&expected, &got), "{:?} is not {:?}", got, expected);
    }
    Ok(())
}

/// Equal, but for numbers so small that a power of two costs them digits.
fn agree<T: Format>(a: &Evaluated<T>, b: &Evaluated<T>) -> bool {
    let tiny = T::MIN_POSITIVE.to_f64() * 65_536.0;
    let near = |(a, b): (&T, &T)| a == b || (a.to_f64().abs() < tiny && b.to_f64().abs() < tiny);
    a.losses.iter().zip(&b.losses).all(near) && a.gradient.iter().zip(&b.gradient).all(near)
}

/// A label is a one-hot target, and full smoothing the uniform target.
fn targets_say_the_same_in_two_ways<T: Format>(batch: &Batch) -> Law {
    let (n, classes) = (batch.truth.len(), batch.classes);
    let truth: Vec<Option<usize>> = batch.truth.iter().map(|y| Some(y.unwrap_or(0))).collect();
    let one_hot: Vec<f32> =
        truth.iter().flat_map(|&y| (0..classes).map(move |k| f32::from(u8::from(y == Some(k))))).collect();
    let hard = Batch { truth, soft: None, smoothing: 0.0, ..batch.clone() };
    let soft = Batch { soft: Some(one_hot), ..hard.clone() };
    for reduction in [Reduction::MeanByWeight, Reduction::MeanByCount, Reduction::Sum] {
        let (a, b) = (hard.build::<T>()?.reduce(reduction), soft.build::<T>()?.reduce(reduction));
        // Equal numbers, not equal bits: a sum that began with +0 has no -0.
        prop_assert_eq!(a, b, "{:?}", reduction);
    }
    let smooth = Batch { smoothing: 1.0, ..hard.clone() }.build::<T>()?;
    let uniform = vec![T::ONE.div(T::from_usize(classes)); n * classes];
    let uniform = Built { soft: Some(uniform), smoothing: T::ZERO, ..hard.build::<T>()? };
    let (a, b) = (smooth.each()?, uniform.each()?);
    prop_assert_eq!((bits(&a.losses), bits(&a.gradient)), (bits(&b.losses), bits(&b.gradient)));
    Ok(())
}

/// One sample per lane: the bits of one sample at a time, with groups that the batch does not fill.
fn lanes_have_the_bits_of_scalars<V: Value<Scalar: Format>>(t: V::Token, batch: &Batch) -> Law {
    let built = batch.build::<V::Scalar>()?;
    let same = |what: &str, a: Evaluated<V::Scalar>, b: Evaluated<V::Scalar>| -> Law {
        prop_assert_eq!(bits(&a.losses), bits(&b.losses), "losses of {} in {} lanes", what, V::WIDTH);
        prop_assert_eq!(bits(&a.gradient), bits(&b.gradient), "gradient of {} in {} lanes", what, V::WIDTH);
        Ok(())
    };
    let (targets, logits) = (built.targets(), &built.logits);
    let simloss = built.criterion()?;
    same("simloss", each_in::<V, _>(t, &simloss, logits, &targets)?, built.each()?)?;
    let one_by_one = built.reduce(Reduction::Sum)?;
    same("a sum", reduce_in::<V, _>(t, &simloss, Reduction::Sum, logits, &targets)?, one_by_one)?;
    let cross_entropy = built.criterion_of(CrossEntropy::new(batch.classes)?)?;
    let expected = each_in::<V::Scalar, _>((), &cross_entropy, logits, &targets)?;
    same("cross entropy", each_in::<V, _>(t, &cross_entropy, logits, &targets)?, expected)?;
    let published = built.criterion_of(PublishedSimLoss::new(&built.similarity))?;
    let expected = each_in::<V::Scalar, _>((), &published, logits, &targets)?;
    same("the published form", each_in::<V, _>(t, &published, logits, &targets)?, expected)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_sample_has_the_same_bits_in_any_batch(batch in batch()) {
        samples_do_not_see_each_other::<f32>(&batch)?;
        samples_do_not_see_each_other::<f64>(&batch)?;
    }

    #[test]
    fn weights_scale_losses_and_ignored_samples_vanish(batch in batch()) {
        weighted_losses_keep_their_bounds::<f32>(&batch)?;
        weighted_losses_keep_their_bounds::<f64>(&batch)?;
    }

    #[test]
    fn means_are_sums_divided_once(batch in batch()) {
        reductions_are_sums_and_quotients::<f32>(&batch)?;
        reductions_are_sums_and_quotients::<f64>(&batch)?;
    }

    #[test]
    fn an_empty_mean_writes_nothing(batch in batch(), by_weight: bool) {
        nothing_to_average::<f32>(&batch, by_weight)?;
        nothing_to_average::<f64>(&batch, by_weight)?;
    }

    #[test]
    fn equal_weights_leave_the_mean(batch in batch(), power in -3i32..6) {
        equal_weights_do_not_count::<f32>(&batch, power)?;
        equal_weights_do_not_count::<f64>(&batch, power)?;
    }

    #[test]
    fn labels_are_one_hot_targets(batch in batch()) {
        targets_say_the_same_in_two_ways::<f32>(&batch)?;
        targets_say_the_same_in_two_ways::<f64>(&batch)?;
    }

    #[test]
    fn losses_in_lanes_have_the_same_bits(batch in batch()) {
        let t = Token::new();
        lanes_have_the_bits_of_scalars::<Array<f32, 2>>(t, &batch)?;
        lanes_have_the_bits_of_scalars::<Array<f32, 4>>(t, &batch)?;
        lanes_have_the_bits_of_scalars::<Array<f32, 16>>(t, &batch)?;
        lanes_have_the_bits_of_scalars::<Array<f64, 8>>(t, &batch)?;
    }
}
