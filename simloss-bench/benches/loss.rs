//! Times of losses, similarities, the exponential, and decoders. Compares every result with the oracle before it is timed.
//!
//! Batches run in the lanes of the widest instruction set. Single rows run one number at a time, as on a microcontroller.
//! Throughput is in logits.

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use simloss_bench::bounds::{Bound, Quantity};
use simloss_bench::instructions::{self, Task};
use simloss_bench::oracle::{self, Row};
use simloss_bench::peers;
use simloss_bench::real::Scalar;
use simloss_bench::subject::Number;
use simloss_bench::ulp;
use simloss_bench::workload::{
    Emd, Logits, Mean, ProperClassOrder, REDUCTION_FACTOR, Reference, class_order, proper_class_order,
};
use simloss_core::{
    Label,
    decoders::{CostTable, Probabilities, argmax, expectation, median},
    loss::{CrossEntropy, Loss, SimLoss, SquaredEmd, softmax_into},
    nalgebra::SVector,
    number::{Job, scaled_exp},
    similarity::{CircularTable, ClassOrder, DenseTable, Identity, OrderTable, Similarity, SparseSimilarity, Taxonomy},
};
use simloss_train::compute::lanes::{InstructionSet, Vector};

type Outcome = Result<(), Box<dyn Error>>;

const BATCH: usize = 1024;

fn group<'c>(criterion: &'c mut Criterion, name: &str) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1)).sample_size(20);
    group
}

/// Any similarity as one type, so that the loss is compiled once per width of lanes.
enum Any {
    Identity(Identity),
    Order(OrderTable<f32, Vec<f32>>),
    Circular(CircularTable<f32, Vec<f32>>),
    Dense(DenseTable<f32, Vec<f32>>),
    Sparse(Box<SparseSimilarity<f32, 96, 4>>),
}

macro_rules! each {
    ($self:ident, $s:ident => $result:expr) => {
        match $self {
            Any::Identity($s) => $result,
            Any::Order($s) => $result,
            Any::Circular($s) => $result,
            Any::Dense($s) => $result,
            Any::Sparse(boxed) => {
                let $s = &**boxed;
                $result
            }
        }
    };
}

impl Similarity<f32> for Any {
    fn classes(&self) -> usize {
        each!(self, s => Similarity::<f32>::classes(s))
    }

    fn scratch(&self) -> usize {
        each!(self, s => Similarity::<f32>::scratch(s))
    }

    fn row<'a>(&'a self, y: Label, scratch: &'a mut [f32]) -> &'a [f32] {
        each!(self, s => s.row(y, scratch))
    }

    fn stored(&self, y: Label, c: Label) -> f32 {
        each!(self, s => s.stored(y, c))
    }
}

/// Benches a loss over a batch, in lanes.
struct Batched<'g, 'c, L, R> {
    group: &'g mut BenchmarkGroup<'c, WallTime>,
    name: String,
    loss: L,
    batch: &'g Logits<f32>,
    row: R,
    gradient: bool,
}

impl<L: Loss<f32>, R: Reference<f32>> Task for Batched<'_, '_, L, R> {
    type Output = Result<(), String>;

    fn run<V: Vector>(self, t: V::Token) -> Self::Output {
        let mut mean = Mean::<_, _, V>::new(t, self.loss, self.batch);
        mean.check(t, self.row).map_err(|problem| format!("{}: {problem}", self.name))?;
        self.group.throughput(Throughput::Elements(self.batch.logits.len() as u64));
        self.group.bench_function(&self.name, |bencher| bencher.iter(|| mean.run(t, self.gradient)));
        Ok(())
    }
}

fn in_lanes<L: Loss<f32>, R: Reference<f32>>(task: Batched<'_, '_, L, R>) -> Outcome {
    let set = InstructionSet::chosen()?;
    Ok(instructions::with(set, task).ok_or("no instructions")??)
}

fn order(classes: usize) -> Result<Any, simloss_core::Error> {
    let table = vec![0.0; 2 * classes - 1];
    Ok(Any::Order(OrderTable::in_memory(table, classes, REDUCTION_FACTOR as f32)?))
}

/// SimLoss and cross entropy, with and without the gradient, for the published numbers of classes.
fn sizes(criterion: &mut Criterion) -> Outcome {
    let mut group = group(criterion, "batch of 1024");
    for classes in [10, 90, 96, 1000] {
        let batch = &Logits::new(BATCH, classes)?;
        let similarity = order(classes)?;
        for (what, gradient) in [("loss", false), ("both", true)] {
            let (name, loss) = (format!("cce/{what}/{classes}"), CrossEntropy::new(classes)?);
            let row = &|y| Row::identity(classes, y);
            in_lanes(Batched { group: &mut group, name, loss, batch, row, gradient })?;
            let (name, loss) = (format!("simloss/{what}/{classes}"), SimLoss::new(&similarity));
            let row = &|y| Row::class_order(REDUCTION_FACTOR as f32, classes, y);
            in_lanes(Batched { group: &mut group, name, loss, batch, row, gradient })?;
            let (name, loss) = (format!("proper/{what}/{classes}"), proper_class_order(classes)?);
            in_lanes(Batched { group: &mut group, name, loss, batch, row: ProperClassOrder, gradient })?;
            let (name, loss) = (format!("emd/{what}/{classes}"), SquaredEmd::new(classes)?);
            in_lanes(Batched { group: &mut group, name, loss, batch, row: Emd, gradient })?;
        }
    }
    Ok(())
}

/// A matrix with entries for the first class in steps, and its rows.
fn stepped(classes: usize) -> impl Fn(usize, usize) -> f32 {
    move |i, j| if i == j { 1.0 } else { ((i * 7 + j * 3) % classes) as f32 / (2 * classes) as f32 }
}

/// The cost of each similarity: windows of a table, stored rows, rows that are filled for each sample.
fn similarities(criterion: &mut Criterion) -> Outcome {
    const CLASSES: usize = 96;
    let mut group = group(criterion, "similarity, 1024 x 96, both");
    let batch = &Logits::new(BATCH, CLASSES)?;
    let r = REDUCTION_FACTOR as f32;
    let matrix = || vec![0.0; CLASSES * CLASSES];
    let entries = |entry: &dyn Fn(usize) -> f32| Row::entries(&(0..CLASSES).map(entry).collect::<Vec<_>>());
    let mut bench = |name: &str, similarity: Any, row: &dyn Fn(usize) -> Row| {
        let loss = SimLoss::new(&similarity);
        in_lanes(Batched { group: &mut group, name: name.into(), loss, batch, row, gradient: true })
    };

    bench("identity", Any::Identity(Identity::new(CLASSES)?), &|y| Row::identity(CLASSES, y))?;
    bench("order", order(CLASSES)?, &|y| Row::class_order(r, CLASSES, y))?;
    let circular = CircularTable::in_memory(vec![0.0; 2 * CLASSES - 1], CLASSES, r)?;
    bench("circular", Any::Circular(circular), &|y| Row::circular(r, CLASSES, y))?;
    let step = stepped(CLASSES);
    let dense = DenseTable::in_memory(matrix(), CLASSES, &step)?;
    bench("dense", Any::Dense(dense), &|y| entries(&|c| step(y, c)))?;

    let mut sparse = Box::new(SparseSimilarity::<f32, CLASSES, 4>::new()?);
    for y in 0..CLASSES {
        for d in 1..=4 {
            sparse.insert(Label::new(y, CLASSES)?, Label::new((y + d) % CLASSES, CLASSES)?, 0.5 / d as f32)?;
        }
    }
    let entry = |y: usize, c: usize| match (c + CLASSES - y) % CLASSES {
        0 => 1.0,
        d @ 1..=4 => 0.5 / d as f32,
        _ => 0.0,
    };
    bench("sparse", Any::Sparse(sparse), &|y| entries(&|c| entry(y, c)))?;

    // Superclasses of four classes each; walked once, then stored.
    let (groups, root) = (CLASSES / 4, (CLASSES + CLASSES / 4) as u16);
    let parents = (0..CLASSES).map(|c| (CLASSES + c / 4) as u16).chain((0..=groups).map(|_| root));
    let taxonomy = Taxonomy::new(parents.collect::<Vec<_>>(), vec![1.0f32, 0.5, 0.0], CLASSES)?;
    let copy = DenseTable::copy_in_memory(matrix(), &taxonomy, &mut vec![0.0; CLASSES])?;
    let entry = |y: usize, c: usize| match (c == y, c / 4 == y / 4) {
        (true, _) => 1.0,
        (false, true) => 0.5,
        (false, false) => 0.0,
    };
    bench("taxonomy, copied", Any::Dense(copy), &|y| entries(&|c| entry(y, c)))
}

fn single<T: Number + simloss_core::nalgebra::Scalar, const C: usize>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    loss: &impl Loss<T>,
    row: &Row,
    y: usize,
) -> Outcome {
    let batch = Logits::<T>::new(1, C)?;
    let (z, y) = (SVector::<T, C>::from_column_slice(&batch.logits), Label::new(y, C)?);
    let (exact, exact_gradient) = oracle::loss_and_gradient(z.as_slice(), row);
    let (value, gradient) = loss.value_and_gradient(&z, y)?;
    let bound = |quantity| Bound::of(quantity, T::SCALAR);
    assert!(bound(Quantity::Loss).holds(ulp::distance(value, &exact)), "{name}: {value} is not {exact}");
    for (g, exact) in gradient.iter().zip(&exact_gradient) {
        let distance = ulp::gradient_distance(*g, exact, bound(Quantity::Gradient).floor);
        assert!(bound(Quantity::Gradient).holds(distance), "{name}: the gradient is off by {distance} ulp");
    }
    group.throughput(Throughput::Elements(C as u64));
    let scalar = T::SCALAR.name();
    group.bench_function(format!("{name}/loss/{scalar}/{C}"), |bencher| {
        bencher.iter(|| loss.value(black_box(&z), black_box(y)));
    });
    let mut gradient = gradient;
    group.bench_function(format!("{name}/both/{scalar}/{C}"), |bencher| {
        bencher.iter(|| loss.value_and_gradient_into(black_box(&z), black_box(y), &mut gradient));
    });
    Ok(())
}

fn singles<T: Number + simloss_core::nalgebra::Scalar, const C: usize>(
    group: &mut BenchmarkGroup<'_, WallTime>,
) -> Outcome {
    let (r, y) = (T::round(REDUCTION_FACTOR), C / 3);
    single::<T, C>(group, "cce", &CrossEntropy::new(C)?, &Row::identity(C, y), y)?;
    single::<T, C>(group, "simloss", &SimLoss::new(ClassOrder::<T, C>::new(r)?), &Row::class_order(r, C, y), y)
}

/// The batches in f64, one sample at a time: lanes are of f32.
fn doubles(criterion: &mut Criterion) -> Outcome {
    let mut group = group(criterion, "batch of 1024 in f64");
    for classes in [10, 90, 96, 1000] {
        let batch = &Logits::new(BATCH, classes)?;
        double(&mut group, "cce", CrossEntropy::new(classes)?, batch, &|y| Row::identity(classes, y))?;
        let loss = class_order::<f64>(classes)?;
        double(&mut group, "simloss", loss, batch, &|y| Row::class_order(REDUCTION_FACTOR, classes, y))?;
    }
    Ok(())
}

fn double(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    loss: impl Loss<f64>,
    batch: &Logits<f64>,
    row: &dyn Fn(usize) -> Row,
) -> Outcome {
    let mut mean = Mean::<_, _, f64>::new((), loss, batch);
    mean.check((), row).map_err(|problem| format!("{name}: {problem}"))?;
    group.throughput(Throughput::Elements(batch.logits.len() as u64));
    group.bench_function(format!("{name}/both/{}", batch.classes), |bencher| bencher.iter(|| mean.run((), true)));
    Ok(())
}

/// One sample at a time in both scalars, as on a microcontroller, where no lanes hide a serial chain.
fn rows(criterion: &mut Criterion) -> Outcome {
    let mut group = group(criterion, "one row");
    singles::<f32, 10>(&mut group)?;
    singles::<f32, 96>(&mut group)?;
    singles::<f32, 1000>(&mut group)?;
    singles::<f64, 10>(&mut group)?;
    singles::<f64, 96>(&mut group)
}

/// Exponentials in lanes.
struct Exponentials<'g, 'c>(&'g mut BenchmarkGroup<'c, WallTime>);

struct EachExponential<'x, V>(&'x [V], &'x mut [V]);

impl<V: Vector> Job<V> for EachExponential<'_, V> {
    type Output = ();

    #[inline(always)]
    fn run(self, t: V::Token) {
        let zero = V::splat(t, 0.0);
        for (to, &h) in self.1.iter_mut().zip(self.0) {
            *to = scaled_exp(t, h, zero);
        }
    }
}

impl Task for Exponentials<'_, '_> {
    type Output = ();

    fn run<V: Vector>(self, t: V::Token) {
        let x: Vec<f32> = (0..4096).map(|i| -(i as f32) * 0.02).collect();
        let from: Vec<V> = x.chunks_exact(V::WIDTH).map(|x| V::load(t, x)).collect();
        let mut to = from.clone();
        V::call(t, EachExponential(&from, &mut to));
        // In lanes and without them.
        for (to, &h) in to.iter().zip(&from) {
            for lane in 0..V::WIDTH {
                assert_eq!(to.lane(lane).to_bits(), scaled_exp((), h.lane(lane), 0.0).to_bits());
            }
        }
        self.0.bench_function("core, in lanes/f32", |bencher| {
            bencher.iter(|| {
                V::call(t, EachExponential(black_box(&from), &mut to));
                black_box(&mut to);
            });
        });
    }
}

fn check_exp<T: Number>(x: &[T]) {
    for &h in x.iter().step_by(64) {
        let exact = oracle::exp(h, 0.0).scaled(T::EXPONENTIAL.scale.into() as i64);
        let distance = ulp::distance(scaled_exp((), h, T::ZERO), &exact);
        assert!(Bound::of(Quantity::Exp, T::SCALAR).holds(distance), "exp({h}) is off by {distance} ulp");
    }
}

fn exps<T: peers::Platform>(group: &mut BenchmarkGroup<'_, WallTime>) {
    let x: Vec<T> = (0..4096).map(|i| T::round(-f64::from(i) * 0.02)).collect();
    check_exp(&x);
    let mut to = x.clone();
    let mut bench = |name: &str, exp: fn(T) -> T| {
        group.bench_function(format!("{name}/{}", T::SCALAR.name()), |bencher| {
            bencher.iter(|| {
                for (to, &x) in to.iter_mut().zip(black_box(&x)) {
                    *to = exp(x);
                }
                black_box(&mut to);
            });
        });
    };
    bench("core", |x| scaled_exp((), x, T::ZERO));
    bench("platform", peers::Platform::exp);
}

/// The exponential, which takes most of the time of a loss, compared with the platform's.
fn exponential(criterion: &mut Criterion) -> Outcome {
    let mut group = group(criterion, "4096 exponentials");
    group.throughput(Throughput::Elements(4096));
    exps::<f32>(&mut group);
    exps::<f64>(&mut group);
    instructions::with(InstructionSet::chosen()?, Exponentials(&mut group)).ok_or("no instructions")?;
    Ok(())
}

/// Decoders for one sample of 96 classes: the cost of a prediction after the network.
fn decoders(criterion: &mut Criterion) -> Outcome {
    const CLASSES: usize = 96;
    let mut group = group(criterion, "decoder, 96 classes");
    let batch = Logits::<f32>::new(1, CLASSES)?;
    let z = &batch.logits[..];
    let mut probabilities = vec![0.0; CLASSES];
    softmax_into(z, &mut probabilities)?;
    for (p, exact) in probabilities.iter().zip(oracle::softmax(z)) {
        let distance = ulp::distance(*p, &exact);
        assert!(Bound::of(Quantity::Softmax, Scalar::F32).holds(distance), "softmax is off by {distance} ulp");
    }
    let p = Probabilities::new(&probabilities)?;
    let values: Vec<f32> = (1..=CLASSES).map(|age| age as f32).collect();
    let cost = |d: usize, c: usize| d.abs_diff(c) as f32;
    let table = CostTable::in_memory(vec![0.0; CLASSES * CLASSES], CLASSES, cost)?;

    let costs: Vec<Vec<f32>> = (0..CLASSES).map(|d| (0..CLASSES).map(|c| cost(d, c)).collect()).collect();
    let least = oracle::minimum_risk(z, &costs);
    let most = (1..CLASSES).fold(0, |best, c| if z[c] > z[best] { c } else { best });
    assert_eq!((argmax(z)?.index(), median(p).index(), table.minimum_risk(p)?.index()), (most, least, least));
    let distance = ulp::distance(expectation(p, &values)?, &oracle::expectation(z, &values));
    assert!(distance < 8.0, "the expectation is off by {distance} ulp");

    let mut to = vec![0.0; CLASSES];
    group.bench_function("softmax", |bencher| bencher.iter(|| softmax_into(black_box(z), &mut to)));
    group.bench_function("argmax", |bencher| bencher.iter(|| argmax(black_box(z))));
    group.bench_function("median", |bencher| bencher.iter(|| median(black_box(p))));
    group.bench_function("expectation", |bencher| bencher.iter(|| expectation(black_box(p), &values)));
    group.bench_function("minimum risk", |bencher| bencher.iter(|| table.minimum_risk(black_box(p))));
    Ok(())
}

fn main() -> Outcome {
    let mut criterion = Criterion::default().configure_from_args();
    sizes(&mut criterion)?;
    similarities(&mut criterion)?;
    doubles(&mut criterion)?;
    rows(&mut criterion)?;
    exponential(&mut criterion)?;
    decoders(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}
