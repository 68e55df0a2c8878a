//! Similarities, losses, decoders, metrics.

use crate::{Memory, Outcome, label, number, numbers, size};
use core::hint::black_box;
use simloss_core::{
    Error, Label,
    decoders::{CostMatrix, CostTable, Probabilities, argmax, expectation, median},
    loss::{
        Criterion, CrossEntropy, Lanes, Loss, ProperSimLoss, PublishedSimLoss, Reduction, SimLoss, SquaredEmd, Targets,
        soft_label_into, softmax, softmax_into,
    },
    metrics::{
        Bin, Calibration, ClassificationMetrics, ConfusionMatrix, ConfusionTable, Mean, Share, ValueErrors, brier,
        fit_temperature, rank, ranked_probability, tempered_into,
    },
    nalgebra::{SMatrix, SVector},
    similarity::{
        CircularOrder, CircularTable, ClassOrder, DenseSimilarity, DenseTable, Identity, OrderTable, Products,
        ProperSimilarity, Similarity, SparseSimilarity, Taxonomy, Verified, dissimilarity, similarity,
        verification_scratch,
    },
};

pub static ENTRIES: &[fn() -> super::Outcome] = &[
    cross_entropy,
    squared_emd,
    identity,
    orders,
    orders_in_memory,
    circles,
    circles_in_memory,
    matrices,
    matrices_in_memory,
    sparse,
    taxonomies,
    verified,
    soft_max,
    probabilities,
    costs,
    confusions,
    shares,
    calibrations,
    all_metrics,
    temperatures,
];

/// Classes where the type knows them.
const CLASSES: usize = 5;

fn any_loss<L: Loss<f32>>(loss: &L) -> Outcome {
    let (mut logits, mut scratch, mut work, mut rows) = (numbers(), numbers(), numbers(), numbers());
    black_box((Loss::classes(loss), Loss::scratch::<f32>(loss)));
    black_box(Loss::value_of_slice(loss, logits.part(), label()?, scratch.part(), work.part())?);
    black_box(Loss::gradient_of_slice(loss, logits.part(), label()?, scratch.part(), work.part())?);
    let (z, mut g) = (black_box(SVector::<f32, CLASSES>::zeros()), SVector::<f32, CLASSES>::zeros());
    black_box((Loss::value(loss, &z, label()?)?, Loss::value_and_gradient(loss, &z, label()?)?));
    black_box((Loss::value_and_gradient_into(loss, &z, label()?, &mut g)?, g));
    let labels = black_box([label()?; 4]);
    for gradient in black_box([true, false]) {
        let labels = labels.get(..size()).unwrap_or_default();
        let (logits, scratch, rows, e) = (logits.part(), scratch.part(), rows.part(), work.part());
        let lanes = Lanes { logits, most: number(), labels, scratch, rows, e };
        black_box(if gradient {
            Loss::gradient_in_lanes(loss, (), lanes)
        } else {
            Loss::value_in_lanes(loss, (), lanes)
        });
    }
    criterion(loss)?;
    work.done();
    Ok(())
}

/// Some targets of some samples.
pub fn targets<'a>(labels: &'a [Option<Label>], numbers: &'a [f32]) -> Targets<'a, f32> {
    let sample_weights = black_box(Some(numbers));
    Targets { sample_weights, ..if black_box(true) { Targets::labels(labels) } else { Targets::soft(numbers) } }
}

pub fn reduction() -> Reduction {
    black_box(Reduction::MeanByCount)
}

fn criterion<L: Loss<f32>>(loss: &L) -> Outcome {
    let (mut a, mut b, mut c, mut d, mut e) = (numbers(), numbers(), numbers(), numbers(), numbers());
    let mut labels = Memory::<_, 8>::of(Some(label()?));
    let mut weights = numbers();
    let targets = targets(labels.part(), weights.part());
    let mut class_weights = numbers();
    let criterion = Criterion::with_class_weights(Criterion::new(loss), class_weights.part())?;
    let criterion = Criterion::with_label_smoothing(criterion, number())?;
    black_box((Criterion::loss(&criterion).classes(), Criterion::scratch::<f32>(&criterion, &targets)));
    Criterion::check(&criterion, &targets, size())?;
    black_box(Criterion::omega(&criterion, reduction(), &targets, size())?);
    let (z, s, v) = (a.part(), b.part(), c.part());
    for wanted in black_box([false, true]) {
        Criterion::each(&criterion, z, &targets, s, v, e.part(), wanted.then(|| d.part()))?;
        Criterion::each_in::<f32>(&criterion, (), z, &targets, s, v, e.part(), wanted.then(|| d.part()))?;
        black_box(Criterion::reduce(&criterion, reduction(), z, &targets, s, v, wanted.then(|| d.part()))?);
        black_box(Criterion::reduce_in::<f32>(
            &criterion,
            (),
            reduction(),
            z,
            &targets,
            s,
            v,
            wanted.then(|| d.part()),
        )?);
    }
    d.done();
    e.done();
    Ok(())
}

fn any_similarity<S: Similarity<f32>>(s: &S) -> Outcome {
    let (mut a, mut b, mut c) = (numbers(), numbers(), numbers());
    black_box((Similarity::<f32>::classes(s), Similarity::<f32>::scratch(s)));
    black_box(Similarity::row(s, label()?, a.part()));
    black_box(Similarity::stored(s, label()?, label()?));
    black_box(Similarity::get(s, label()?, label()?, a.part())?);
    products(s)?;
    soft_label_into(s, label()?, a.part(), b.part())?;
    black_box(DenseTable::<f32, _>::copy_in_memory(c.part(), s, a.part())?);
    black_box(CostTable::of_similarity(c.part(), s, a.part())?);
    let mut counts = Memory::<u64>::of(1);
    let confusion = ConfusionTable::in_memory(counts.part(), size())?;
    black_box(ConfusionTable::similarity(&confusion, s, a.part())?);
    b.done();
    any_loss(&SimLoss::new(s))?;
    black_box(SimLoss::similarity(&SimLoss::new(s)).classes());
    any_loss(&PublishedSimLoss::new(s))
}

fn products<S: Similarity<f32>>(s: &S) -> Outcome {
    let (mut row, mut v, mut sums, mut excess) = (numbers(), numbers(), numbers(), numbers());
    let (mut leads, mut scratch, mut values) = (numbers(), numbers(), numbers());
    black_box(Similarity::<f32>::product_values(s));
    let labels = black_box([label()?; 4]);
    let x = Products {
        labels: labels.get(..size()).unwrap_or_default(),
        row: row.part(),
        v: v.part(),
        sums: sums.part(),
        excess: excess.part(),
        leads: leads.part(),
        scratch: scratch.part(),
        values: values.part(),
    };
    Similarity::products::<f32>(s, (), x);
    [sums, excess, leads].into_iter().for_each(Memory::done);
    Ok(())
}

fn cross_entropy() -> Outcome {
    any_loss(&CrossEntropy::new(size())?)
}

fn squared_emd() -> Outcome {
    any_loss(&SquaredEmd::new(size())?)
}

fn identity() -> Outcome {
    any_similarity(&Identity::new(size())?)
}

fn orders() -> Outcome {
    any_similarity(&ClassOrder::<f32, CLASSES>::new(number())?)
}

fn orders_in_memory() -> Outcome {
    any_similarity(&OrderTable::in_memory(numbers().part(), size(), number())?)
}

fn circles() -> Outcome {
    any_similarity(&CircularOrder::<f32, CLASSES>::new(number())?)
}

fn circles_in_memory() -> Outcome {
    any_similarity(&CircularTable::in_memory(numbers().part(), size(), number())?)
}

fn matrices() -> Outcome {
    let matrix = black_box(SMatrix::<f32, CLASSES, CLASSES>::zeros());
    any_similarity(&DenseSimilarity::new(&matrix)?)?;
    any_similarity(&DenseSimilarity::lower_bounded(&matrix, number())?)
}

fn matrices_in_memory() -> Outcome {
    let mut memory = numbers();
    any_similarity(&DenseTable::in_memory(memory.part(), size(), |_, _| number())?)?;
    any_similarity(&DenseTable::exponential_in_memory(memory.part(), size(), |_, _| number(), number())?)?;
    any_similarity(&DenseTable::lower_bounded_in_memory(memory.part(), size(), |_, _| number(), number())?)
}

fn sparse() -> Outcome {
    let mut s = SparseSimilarity::<f32, CLASSES, 2>::new()?;
    SparseSimilarity::insert(&mut s, label()?, label()?, number())?;
    any_similarity(&s)
}

fn taxonomies() -> Outcome {
    let (mut parents, mut levels) = (Memory::<u16>::of(1), numbers());
    any_similarity(&Taxonomy::new(&*parents.part(), &*levels.part(), size())?)
}

fn any_proper<S: ProperSimilarity<f32>>(s: &S) -> Outcome {
    black_box((ProperSimilarity::is_strictly_proper(s), ProperSimilarity::is_strictly_proper(&s)));
    let loss = ProperSimLoss::new(s);
    black_box(ProperSimLoss::similarity(&loss).classes());
    any_loss(&loss)
}

fn any_verified<S: Similarity<f32>>(s: S) -> Outcome {
    let mut scratch = Memory::<f64>::of(0.5);
    black_box(verification_scratch(size()));
    let s = Verified::new(s, scratch.part())?;
    black_box(Similarity::classes(Verified::similarity(&s)));
    any_proper(&s)?;
    any_similarity(&s)
}

fn verified() -> Outcome {
    let (mut parents, mut levels, mut memory) = (Memory::<u16>::of(1), numbers(), numbers());
    any_proper(&Identity::new(size())?)?;
    any_proper(&ClassOrder::<f32, CLASSES>::new(number())?)?;
    any_proper(&OrderTable::in_memory(numbers().part(), size(), number())?)?;
    any_proper(&Taxonomy::new(&*parents.part(), &*levels.part(), size())?)?;
    any_verified(CircularTable::in_memory(numbers().part(), size(), number())?)?;
    any_verified(DenseTable::in_memory(memory.part(), size(), |_, _| number())?)?;
    any_verified(DenseSimilarity::new(&black_box(SMatrix::<f32, CLASSES, CLASSES>::zeros()))?)?;
    any_verified(Taxonomy::new(&*parents.part(), &*levels.part(), size())?)
}

fn soft_max() -> Outcome {
    let (mut a, mut b) = (numbers(), numbers());
    black_box(softmax(&black_box(SVector::<f32, CLASSES>::zeros()))?);
    softmax_into(a.part(), b.part())?;
    black_box((similarity(number()), dissimilarity(number())));
    b.done();
    Ok(())
}

fn probabilities() -> Outcome {
    let (mut a, mut b) = (numbers(), numbers());
    black_box(argmax(a.part())?);
    let p = Probabilities::new(a.part())?;
    black_box((Probabilities::as_slice(p), Probabilities::classes(p), Probabilities::top(p)));
    black_box((Probabilities::of(p, label()?)?, median(p), expectation(p, b.part())?));
    black_box((rank(p, label()?)?, brier(p, label()?)?, ranked_probability(p, label()?)?));
    Ok(())
}

fn costs() -> Outcome {
    let (mut a, mut b) = (numbers(), numbers());
    let p = Probabilities::new(a.part())?;
    let fixed = CostMatrix::<f32, CLASSES>::new(&black_box(SMatrix::<f32, CLASSES, CLASSES>::zeros()))?;
    let table = CostTable::in_memory(b.part(), size(), |_, _| number())?;
    black_box((CostTable::classes(&table), CostTable::minimum_risk(&table, p)?, CostTable::minimum_risk(&fixed, p)?));
    Ok(())
}

fn confusions() -> Outcome {
    let (mut counts, mut others) = (Memory::<u64>::of(1), Memory::<u64>::of(1));
    let (mut values, mut superclasses) = (numbers(), Memory::<u16>::of(1));
    let mut table = ConfusionTable::in_memory(counts.part(), size())?;
    ConfusionTable::update(&mut table, label()?, label()?)?;
    ConfusionTable::merge(&mut table, &ConfusionTable::from_counts(others.part(), size())?)?;
    black_box((ConfusionTable::classes(&table), ConfusionTable::counts(&table)));
    black_box((ConfusionTable::share(&table, |a, b| a > b), ConfusionTable::mean(&table, |_, _| number())?));
    black_box((ConfusionTable::accuracy(&table), ConfusionTable::within(&table, size())));
    black_box(ConfusionTable::errors(&table, values.part())?);
    black_box(ConfusionTable::superclass_accuracy(&table, superclasses.part())?);
    black_box(ConfusionTable::failed_superclass_accuracy(&table, superclasses.part())?);
    black_box(ConfusionTable::quadratic_weighted_kappa(&table));
    let mut matrix = ConfusionMatrix::<CLASSES>::new()?;
    ConfusionTable::update(&mut matrix, label()?, label()?)?;
    black_box(ConfusionMatrix::to_matrix(&matrix));
    black_box(ConfusionTable::quadratic_weighted_kappa(&matrix));
    Ok(())
}

fn shares() -> Outcome {
    let mut share = Share::new();
    Share::update(&mut share, black_box(true));
    let other = black_box(share);
    Share::merge(&mut share, &other);
    black_box((Share::hits(&share), Share::total(&share), Share::value(&share)));
    let mut mean = Mean::new();
    Mean::update(&mut mean, number())?;
    let other = black_box(mean);
    Mean::merge(&mut mean, &other);
    black_box((Mean::sum(&mean), Mean::count(&mean), Mean::value(&mean)));
    let mut errors = ValueErrors::new();
    ValueErrors::update(&mut errors, number(), number())?;
    let other = black_box(errors);
    ValueErrors::merge(&mut errors, &other);
    black_box(errors);
    Ok(())
}

fn calibrations() -> Outcome {
    let mut calibration = Calibration::<4>::new();
    Calibration::update(&mut calibration, number(), black_box(true))?;
    let other = black_box(calibration);
    Calibration::merge(&mut calibration, &other);
    black_box(Calibration::value(&calibration));
    for bin in Calibration::bins(&calibration) {
        black_box((Bin::count(bin), Bin::hits(bin), Bin::accuracy(bin), Bin::confidence(bin)));
    }
    Ok(())
}

fn all_metrics() -> Outcome {
    let (mut a, mut b, mut p) = (Memory::<u64>::of(1), Memory::<u64>::of(1), numbers());
    let mut metrics = ClassificationMetrics::in_memory(a.part(), size(), size())?;
    let other = ClassificationMetrics::in_memory(b.part(), size(), size())?;
    black_box(ClassificationMetrics::update(&mut metrics, Probabilities::new(p.part())?, label()?, number())?);
    ClassificationMetrics::merge(&mut metrics, &other)?;
    black_box((ClassificationMetrics::k(&metrics), metrics.calibration));
    Ok(())
}

fn temperatures() -> Result<(), Error> {
    let (mut a, mut b, mut labels) = (numbers(), numbers(), Memory::<_, 8>::of(label()?));
    black_box(fit_temperature(a.part(), labels.part(), b.part())?);
    tempered_into(a.part(), number(), b.part())?;
    b.done();
    Ok(())
}
