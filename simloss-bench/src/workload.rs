//! What is timed: a loss over a batch of row-major logits, in the lanes of an instruction set.

use simloss_core::{
    Error, Label, Random,
    loss::{Criterion, CrossEntropy, Loss, Reduction, SimLoss, Targets},
    number::{Job, Value},
    similarity::OrderTable,
};
use simloss_train::lanes::{InstructionSet, Vector};

use crate::bounds::{Bound, Quantity};
use crate::exact::Exact;
use crate::instructions::{self, Task};
use crate::oracle::{self, Row};
use crate::real::Real;
use crate::subject::{self, Number};
use crate::ulp;

/// The reduction factor of all class orders that are timed.
pub const REDUCTION_FACTOR: f64 = 0.8;

/// How far a mean may be from that of its losses, in ulp: sixteen of them are added in pairs, four roundings of half of
/// what may be two ulp of the sum; groups are added with compensation, and dividing by a power of two is exact.
const MEAN_ULP: f64 = 8.0;

/// Logits and true classes of a batch.
#[derive(Clone, Debug)]
pub struct Logits<T> {
    /// Row by row, one row a sample; normal with deviation 1, as an untrained network's.
    pub logits: Vec<T>,
    /// One a sample.
    pub labels: Vec<Option<Label>>,
    /// Numbers in a row.
    pub classes: usize,
}

impl<T: Number> Logits<T> {
    /// A batch, the same for the same sizes.
    ///
    /// # Errors
    /// As [`Label::new`].
    pub fn new(samples: usize, classes: usize) -> Result<Self, Error> {
        let mut random = crate::cases::SplitMix64::new(1);
        let logits = (0..samples * classes).map(|_| T::round(random.normal())).collect();
        let mut random = Random::new(1);
        let labels =
            (0..samples).map(|_| Label::new(random.below(classes), classes).map(Some)).collect::<Result<_, _>>()?;
        Ok(Logits { logits, labels, classes })
    }

    /// Row `i`.
    pub fn row(&self, i: usize) -> &[T] {
        &self.logits[i * self.classes..][..self.classes]
    }

    /// The true class of sample `i`.
    pub fn truth(&self, i: usize) -> usize {
        self.labels[i].map_or(0, Label::index)
    }
}

/// Class order with [`REDUCTION_FACTOR`].
///
/// # Errors
/// As [`OrderTable::in_memory`].
pub fn class_order<T: Number>(classes: usize) -> Result<SimLoss<OrderTable<T, Vec<T>>>, Error> {
    let table = vec![T::ZERO; 2 * classes - 1];
    Ok(SimLoss::new(OrderTable::in_memory(table, classes, T::round(REDUCTION_FACTOR))?))
}

/// Cross entropy.
///
/// # Errors
/// As [`CrossEntropy::new`].
pub fn cross_entropy(classes: usize) -> Result<CrossEntropy, Error> {
    CrossEntropy::new(classes)
}

/// The mean loss of a batch and, where wanted, its gradient, with all memory at hand: what a caller who trains repeats.
#[derive(Debug)]
pub struct Mean<'a, L, T: 'static, V> {
    criterion: Criterion<'static, L, T>,
    batch: &'a Logits<T>,
    scalars: Vec<T>,
    values: Vec<V>,
    /// The gradient of the last run.
    pub gradient: Vec<T>,
}

impl<'a, T: Number, L: Loss<T>, V: Value<Scalar = T>> Mean<'a, L, T, V> {
    /// The mean of a loss over a batch.
    pub fn new(token: V::Token, loss: L, batch: &'a Logits<T>) -> Self {
        let criterion = Criterion::new(loss);
        let needed = criterion.scratch::<V>(&Targets::labels(&batch.labels));
        Mean {
            criterion,
            batch,
            scalars: vec![T::ZERO; needed.scalars],
            values: vec![V::splat(token, T::ZERO); needed.values],
            gradient: vec![T::ZERO; batch.logits.len()],
        }
    }

    /// The mean, and with `gradient` the gradient, compiled for the lanes wherever it is called.
    ///
    /// # Errors
    /// As [`Criterion::reduce`].
    pub fn run(&mut self, token: V::Token, gradient: bool) -> Result<T, Error> {
        V::call(token, Once { mean: self, gradient })
    }

    /// Holds all that a run gives, with a gradient and without, against one sample at a time, bit by bit, and that against
    /// the oracle: all rows of a small batch, and of a large one some from every lane.
    ///
    /// The number of samples must be a power of two, so that dividing by it leaves the bits of the gradient alone.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&mut self, token: V::Token, row: impl Fn(usize) -> Row) -> Result<(), String> {
        let told = |error: Error| error.to_string();
        let (samples, classes) = (self.batch.labels.len(), self.batch.classes);
        assert!(samples.is_power_of_two(), "{samples} samples");
        let alone = self.run(token, false).map_err(told)?;
        let mean = self.run(token, true).map_err(told)?;
        let loss = self.criterion.loss();
        let mut single = Mean::<_, _, T>::new((), loss, self.batch);
        let expected = single.run((), true).map_err(told)?;
        if [alone, mean].map(Real::bits) != [expected; 2].map(Real::bits) {
            return Err(format!("the mean loss is {alone}, with a gradient {mean}, one sample at a time {expected}"));
        }
        let both = self.gradient.iter().zip(&single.gradient);
        if let Some(at) = both.into_iter().position(|(g, expected)| g.bits() != expected.bits()) {
            let (i, k) = (at / classes, at % classes);
            return Err(format!("class {k} of sample {i}: the gradient has other bits than one sample at a time"));
        }

        // The oracle takes a millisecond for each: of a large batch 16 rows, an odd number of rows apart.
        let apart = if samples * classes > 5_000 { (samples / 16) | 1 } else { 1 };
        let [of_loss, of_gradient] = [Quantity::Loss, Quantity::Gradient].map(|what| Bound::of(what, T::SCALAR));
        let mut sum = Exact::ZERO;
        for i in 0..samples {
            let (z, truth) = (self.batch.row(i), self.batch.truth(i));
            let value = subject::answer(loss, z, truth).map_err(told)?.loss;
            sum = &sum + &Exact::from(value.into());
            if i % apart != 0 {
                continue;
            }
            let (exact, gradient) = oracle::loss_and_gradient(z, &row(truth));
            let distance = ulp::distance(value, &exact);
            if !of_loss.holds(distance) {
                return Err(format!("the loss of sample {i} is wrong by {distance} ulp"));
            }
            for (k, (g, exact)) in self.gradient[i * classes..].iter().zip(&gradient).enumerate() {
                let distance = ulp::gradient_distance(g.mul(T::from_usize(samples)), exact, of_gradient.floor);
                if !of_gradient.holds(distance) {
                    return Err(format!("class {k} of sample {i}: the gradient is wrong by {distance} ulp"));
                }
            }
        }
        let exact = sum.scaled(-i64::from(samples.trailing_zeros()));
        let distance = ulp::distance(mean, &exact);
        if distance > MEAN_ULP {
            return Err(format!("the mean loss {mean} is {distance} ulp from that of the losses, {exact}"));
        }
        Ok(())
    }
}

/// One run of a [`Mean`].
struct Once<'m, 'a, L, T: 'static, V> {
    mean: &'m mut Mean<'a, L, T, V>,
    gradient: bool,
}

impl<T: Number, L: Loss<T>, V: Value<Scalar = T>> Job<V> for Once<'_, '_, L, T, V> {
    type Output = Result<T, Error>;

    #[inline(always)]
    fn run(self, token: V::Token) -> Self::Output {
        let Mean { criterion, batch, scalars, values, gradient } = self.mean;
        let targets = Targets::labels(&batch.labels);
        let gradient = self.gradient.then_some(&mut gradient[..]);
        let reduction = Reduction::MeanByCount;
        criterion.reduce_in(token, reduction, &batch.logits, &targets, scalars, values, gradient)
    }
}

/// Two losses over the same batch, and how often to run them.
struct Timed<'a, A, B> {
    batch: &'a Logits<f32>,
    losses: (A, B),
    runs: usize,
}

/// Seconds of one forward and gradient of two losses over the same batch, run in turn, once their answers are right.
///
/// # Errors
/// A wrong answer, in words.
pub fn seconds_in_turn(set: InstructionSet, batch: &Logits<f32>, runs: usize) -> Result<[Vec<f64>; 2], String> {
    let told = |error: Error| error.to_string();
    let losses = (cross_entropy(batch.classes).map_err(told)?, class_order::<f32>(batch.classes).map_err(told)?);
    instructions::with(set, Timed { batch, losses, runs }).ok_or("these instructions are not there")?
}

impl<A: Loss<f32>, B: Loss<f32>> Task for Timed<'_, A, B> {
    type Output = Result<[Vec<f64>; 2], String>;

    fn run<V: Vector>(self, t: V::Token) -> Self::Output {
        let Timed { batch, losses, runs } = self;
        let (classes, r) = (batch.classes, REDUCTION_FACTOR as f32);
        let mut cce = Mean::<_, _, V>::new(t, losses.0, batch);
        let mut simloss = Mean::<_, _, V>::new(t, losses.1, batch);
        cce.check(t, |y| Row::identity(classes, y))?;
        simloss.check(t, |y| Row::class_order(r, classes, y))?;
        let mut seconds = [vec![], vec![]];
        for _ in 0..runs {
            let start = std::time::Instant::now();
            std::hint::black_box(cce.run(t, true)).map_err(|error| error.to_string())?;
            let middle = std::time::Instant::now();
            std::hint::black_box(simloss.run(t, true)).map_err(|error| error.to_string())?;
            let end = std::time::Instant::now();
            for (seconds, time) in seconds.iter_mut().zip([middle - start, end - middle]) {
                seconds.push(time.as_secs_f64());
            }
        }
        Ok(seconds)
    }
}

/// The median of some numbers; NaN of none.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let n = numbers.len();
    match (n, n % 2) {
        (0, _) => f64::NAN,
        (_, 1) => numbers[n / 2],
        _ => (numbers[n / 2 - 1] + numbers[n / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_checked() -> Result<(), Box<dyn std::error::Error>> {
        let batch = Logits::<f64>::new(8, 10)?;
        let mut mean = Mean::<_, _, f64>::new((), class_order(10)?, &batch);
        mean.check((), |y| Row::class_order(REDUCTION_FACTOR, 10, y))?;
        assert!(mean.check((), |y| Row::class_order(0.7, 10, y)).is_err());
        let mut mean = Mean::<_, _, f64>::new((), cross_entropy(10)?, &batch);
        mean.check((), |y| Row::identity(10, y))?;
        for set in InstructionSet::available() {
            // Large enough that the oracle judges some of the rows.
            seconds_in_turn(set, &Logits::new(64, 100)?, 1)?;
        }
        Ok(())
    }

    #[test]
    fn medians() {
        assert_eq!((median(vec![3.0, 1.0, 2.0]), median(vec![4.0, 1.0, 2.0, 3.0])), (2.0, 2.5));
        assert!(median(vec![]).is_nan());
    }
}
