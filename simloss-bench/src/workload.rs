//! The timed work: a loss over a batch of row-major logits, in the lanes of an instruction set.

use simloss_core::{
    Error, Label, Random,
    loss::{Criterion, CrossEntropy, Loss, ProperSimLoss, Reduction, SimLoss, SquaredEmd, Targets},
    number::{Job, Value},
    similarity::OrderTable,
};
use simloss_train::compute::lanes::{InstructionSet, Vector};

use crate::bounds::{Bound, Quantity};
use crate::exact::Exact;
use crate::instructions::{self, Task};
use crate::matrix::Matrix;
use crate::oracle::{self, GradientEntry, Row};
use crate::real::Real;
use crate::subject::{self, Number};
use crate::ulp;

/// The reduction factor of all timed class orders.
pub const REDUCTION_FACTOR: f64 = 0.8;

/// The largest distance of a mean from that of its losses, in ulp. Sixteen losses are added in pairs: four roundings of half
/// an ulp, each up to two ulp of the sum. Groups are added with compensation, and division by a power of two is exact.
const MEAN_ULP: f64 = 8.0;

/// Logits and true classes of a batch.
#[derive(Clone, Debug)]
pub struct Logits<T> {
    /// Row by row, one row per sample; normal with standard deviation 1, like those of an untrained network.
    pub logits: Vec<T>,
    /// One per sample.
    pub labels: Vec<Option<Label>>,
    /// Numbers per row.
    pub classes: usize,
}

impl<T: Number> Logits<T> {
    /// A batch; equal sizes give equal batches.
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

/// A class order over the heap.
pub type Order<T> = OrderTable<T, Vec<T>>;

fn order<T: Number>(classes: usize) -> Result<Order<T>, Error> {
    OrderTable::in_memory(vec![T::ZERO; 2 * classes - 1], classes, T::round(REDUCTION_FACTOR))
}

/// SimLoss of the class order with [`REDUCTION_FACTOR`].
///
/// # Errors
/// As [`OrderTable::in_memory`].
pub fn class_order<T: Number>(classes: usize) -> Result<SimLoss<Order<T>>, Error> {
    Ok(SimLoss::new(order(classes)?))
}

/// Proper SimLoss with the same similarity.
///
/// # Errors
/// As [`OrderTable::in_memory`].
pub fn proper_class_order<T: Number>(classes: usize) -> Result<ProperSimLoss<Order<T>>, Error> {
    Ok(ProperSimLoss::new(order(classes)?))
}

/// The oracle's result for one sample.
pub trait Reference<T: Number> {
    /// The quantities whose bounds apply to the loss and its gradient.
    const QUANTITIES: [Quantity; 2];
    /// The number of rows to check in a large batch.
    const ROWS: usize;

    /// The exact loss and gradient for the true class `y`.
    fn exact(&self, z: &[T], y: usize) -> (Exact, Vec<GradientEntry>);
}

/// SimLoss, with the row of each true class.
impl<T: Number, F: Fn(usize) -> Row> Reference<T> for F {
    const QUANTITIES: [Quantity; 2] = [Quantity::Loss, Quantity::Gradient];
    const ROWS: usize = 16;

    fn exact(&self, z: &[T], y: usize) -> (Exact, Vec<GradientEntry>) {
        oracle::loss_and_gradient(z, &self(y))
    }
}

/// The oracle for [`proper_class_order`].
#[derive(Clone, Copy, Debug)]
pub struct ProperClassOrder;

impl<T: Number> Reference<T> for ProperClassOrder {
    const QUANTITIES: [Quantity; 2] = [Quantity::ProperLoss, Quantity::ProperGradient];
    // Exact products take a hundred times as long as a row.
    const ROWS: usize = 2;

    fn exact(&self, z: &[T], y: usize) -> (Exact, Vec<GradientEntry>) {
        let r: T = T::round(REDUCTION_FACTOR);
        oracle::proper::loss_and_gradient(z, y, &Matrix::class_order(r, z.len()))
    }
}

/// The oracle for [`SquaredEmd`].
#[derive(Clone, Copy, Debug)]
pub struct Emd;

impl<T: Number> Reference<T> for Emd {
    const QUANTITIES: [Quantity; 2] = [Quantity::SquaredEmd, Quantity::SquaredEmdGradient];
    const ROWS: usize = 16;

    fn exact(&self, z: &[T], y: usize) -> (Exact, Vec<GradientEntry>) {
        oracle::squared_emd::loss_and_gradient(z, y)
    }
}

/// Cross entropy.
///
/// # Errors
/// As [`CrossEntropy::new`].
pub fn cross_entropy(classes: usize) -> Result<CrossEntropy, Error> {
    CrossEntropy::new(classes)
}

/// The mean loss of a batch and, if wanted, its gradient, with all memory allocated: the work that a training loop repeats.
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

    /// The mean, and with `gradient` the gradient, compiled for the lanes.
    ///
    /// # Errors
    /// As [`Criterion::reduce`].
    pub fn run(&mut self, token: V::Token, gradient: bool) -> Result<T, Error> {
        V::call(token, Once { mean: self, gradient })
    }

    /// Compares all results of a run, with and without a gradient, with those of one sample at a time, bit by bit. Compares
    /// these with the oracle: all rows of a small batch, some from every lane of a large one.
    ///
    /// The number of samples must be a power of two, so that the division does not round the gradient.
    ///
    /// # Errors
    /// A description of the difference.
    pub fn check<R: Reference<T>>(&mut self, token: V::Token, reference: R) -> Result<(), String> {
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

        // The oracle takes a millisecond per row: check some rows of a large batch, an odd number of rows apart.
        let apart = if samples * classes > 5_000 { (samples / R::ROWS) | 1 } else { 1 };
        let [of_loss, of_gradient] = R::QUANTITIES.map(|what| Bound::of(what, T::SCALAR));
        let mut sum = Exact::ZERO;
        for i in 0..samples {
            let (z, truth) = (self.batch.row(i), self.batch.truth(i));
            let value = subject::answer(loss, z, truth).map_err(told)?.loss;
            sum = &sum + &Exact::from(value.into());
            if i % apart != 0 {
                continue;
            }
            let (exact, gradient) = reference.exact(z, truth);
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

/// The losses to time in turn, in this order.
pub const TIMED: [&str; 4] = ["cce", "simloss", "proper", "emd"];

/// The losses of [`TIMED`] over the same batch, and how often to run them.
struct Timed<'a> {
    batch: &'a Logits<f32>,
    runs: usize,
    gradient: bool,
}

/// Seconds of one forward and, with `gradient`, its gradient of the losses of [`TIMED`] over the same batch, run in turn,
/// after a check of their results.
///
/// # Errors
/// A description of a wrong result.
pub fn seconds_in_turn(
    set: InstructionSet,
    batch: &Logits<f32>,
    runs: usize,
    gradient: bool,
) -> Result<[Vec<f64>; 4], String> {
    instructions::with(set, Timed { batch, runs, gradient }).ok_or("this processor does not have these instructions")?
}

impl Task for Timed<'_> {
    type Output = Result<[Vec<f64>; 4], String>;

    fn run<V: Vector>(self, t: V::Token) -> Self::Output {
        let Timed { batch, runs, gradient } = self;
        let told = |error: Error| error.to_string();
        let (classes, r) = (batch.classes, REDUCTION_FACTOR as f32);
        let mut cce = Mean::<_, _, V>::new(t, cross_entropy(classes).map_err(told)?, batch);
        let mut simloss = Mean::<_, _, V>::new(t, class_order::<f32>(classes).map_err(told)?, batch);
        let mut proper = Mean::<_, _, V>::new(t, proper_class_order::<f32>(classes).map_err(told)?, batch);
        let mut emd = Mean::<_, _, V>::new(t, SquaredEmd::new(classes).map_err(told)?, batch);
        cce.check(t, |y| Row::identity(classes, y))?;
        simloss.check(t, |y| Row::class_order(r, classes, y))?;
        proper.check(t, ProperClassOrder)?;
        emd.check(t, Emd)?;
        let mut seconds = [vec![], vec![], vec![], vec![]];
        for _ in 0..runs {
            let mut of = |i: usize, run: &mut dyn FnMut() -> Result<f32, Error>| {
                let start = std::time::Instant::now();
                std::hint::black_box(run()).map_err(told)?;
                seconds[i].push(start.elapsed().as_secs_f64());
                Ok::<(), String>(())
            };
            of(0, &mut || cce.run(t, gradient))?;
            of(1, &mut || simloss.run(t, gradient))?;
            of(2, &mut || proper.run(t, gradient))?;
            of(3, &mut || emd.run(t, gradient))?;
        }
        Ok(seconds)
    }
}

/// The median of numbers; NaN if there are none.
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
            // Large enough that the oracle checks only some rows.
            seconds_in_turn(set, &Logits::new(64, 100)?, 1, true)?;
        }
        Ok(())
    }

    #[test]
    fn medians() {
        assert_eq!((median(vec![3.0, 1.0, 2.0]), median(vec![4.0, 1.0, 2.0, 3.0])), (2.0, 2.5));
        assert!(median(vec![]).is_nan());
    }
}
