//! Threads and SIMD registers give the bits of one sample after another, and its errors.

use simloss_core::{
    Error as CoreError, Label, Random,
    layers::{Conv2d, Dense, Layer, MaxPool},
    loss::{Criterion, CrossEntropy, Loss, Reduction, SimLoss, Targets},
    number::GROUP,
    optimizer::{Adam, Sgd},
    similarity::OrderTable,
    train::{Batch, Engine, Evaluation, Model, Network, RowMajor, Serial, Work, eval_step, train_step},
};
use simloss_tests::bits;
use simloss_train::compute::{
    engine::{Rows, Threads},
    lanes::InstructionSet,
    network::lenet,
};
use std::error::Error as StdError;

type Outcome = Result<(), Box<dyn StdError>>;

/// Samples that look random.
#[derive(Clone)]
struct Samples {
    features: Vec<f32>,
    labels: Vec<Option<Label>>,
    weights: Vec<f32>,
    width: usize,
}

impl Samples {
    fn draw(n: usize, width: usize, classes: usize) -> Result<Self, CoreError> {
        let mut random = Random::new(n as u64).key(width as u64);
        let features = (0..n * width).map(|_| 4.0 * random.unit::<f32>() - 2.0).collect();
        let weights = (0..n).map(|_| random.unit::<f32>() + 0.5).collect();
        let mut labels = vec![];
        for _ in 0..n {
            let y = Label::new(random.below(classes), classes)?;
            labels.push((random.below(9) > 0).then_some(y));
        }
        Ok(Samples { features, labels, weights, width })
    }

    fn targets(&self) -> Targets<'_, f32> {
        Targets { sample_weights: Some(&self.weights), ..Targets::labels(&self.labels) }
    }
}

/// The bits of everything that comes of three steps and an evaluation, or the errors of each.
#[derive(Debug, PartialEq)]
struct Trace {
    steps: Vec<Result<u32, CoreError>>,
    losses: Vec<u64>,
    parameters: Vec<u64>,
    evaluated: Result<(Vec<u64>, Vec<u64>), CoreError>,
}

/// Three steps with Adam on `batches` in turn, then losses and logits of the first.
fn trace<E: Engine<f32>>(
    engine: &mut E,
    initial: &[f32],
    classes: usize,
    batches: &[&Samples],
) -> Result<Trace, CoreError> {
    let adam = Adam::new(0.01f32)?;
    let n = initial.len();
    let (mut parameters, mut moments, mut gradient, mut steps) = (initial.to_vec(), vec![0.0; 2 * n], vec![7.0; n], 0);
    let (mut results, mut losses_bits) = (vec![], vec![]);
    for samples in batches.iter().cycle().take(3) {
        let features = RowMajor::new(&samples.features, samples.width)?;
        let mut losses = vec![7.0; samples.labels.len()];
        let model = Model { parameters: &mut parameters, moments: &mut moments, steps: &mut steps };
        let reduction = Reduction::MeanByWeight;
        let batch = Batch { features: &features, targets: samples.targets(), reduction, losses: &mut losses };
        let result = train_step(engine, &adam, model, &mut gradient, batch);
        if result.is_ok() {
            losses_bits.extend(bits(&losses));
        }
        results.push(result.map(f32::to_bits));
    }
    let Some(samples) = batches.first() else { return Err(CoreError::Empty) };
    let features = RowMajor::new(&samples.features, samples.width)?;
    let (mut losses, mut logits) = (vec![7.0; samples.labels.len()], vec![7.0; samples.labels.len() * classes]);
    let evaluation =
        Evaluation { features: &features, targets: samples.targets(), losses: &mut losses, logits: &mut logits };
    let evaluated = eval_step(engine, &parameters, evaluation).map(|()| (bits(&losses), bits(&logits)));
    Ok(Trace { steps: results, losses: losses_bits, parameters: bits(&parameters), evaluated })
}

/// Compares every instruction set on every number of threads with the core's serial engine, one sample at a time.
fn same_as_serial<N: Layer<f32> + Sync, L: Loss<f32> + Sync + Copy>(
    layers: N,
    loss: L,
    threads: &[usize],
    batches: &[&Samples],
) -> Result<Trace, Box<dyn StdError>> {
    let network = Network::new(layers, Criterion::new(loss))?;
    let shape = layers.shape();
    let mut initial = vec![0.0; shape.parameters];
    layers.initialise(&mut initial, &mut Random::new(3));

    let needed = network.scratch::<f32>(false, true);
    let (mut scalars, mut values) = (vec![0.0; needed.scalars], vec![0.0; needed.values]);
    let mut group = vec![0.0; shape.parameters];
    let work = Work { scalars: &mut scalars, values: &mut values };
    let mut serial = Serial::<_, _, f32> { token: (), network: &network, work, group: &mut group };
    let expected = trace(&mut serial, &initial, shape.outputs, batches)?;

    for set in InstructionSet::available() {
        for &threads in threads {
            let found = trace(&mut Threads::new(&network, threads, set)?, &initial, shape.outputs, batches)?;
            let same = found == expected;
            let (found, expected) = (&found.steps, &expected.steps);
            assert!(same, "{} on {threads} threads: {found:?} for {expected:?}, or other bits", set.name());
        }
    }
    Ok(expected)
}

fn simloss(classes: usize) -> Result<impl Loss<f32> + Sync + Copy, CoreError> {
    let mut table = [0.0; 32];
    table.fill(0.0);
    Ok(SimLoss::new(OrderTable::in_memory(table, classes, 0.6)?))
}

/// What the tests of all instruction sets compare is what this processor has.
#[test]
#[ignore = "prints only: ./tests/run.sh lanes"]
fn the_instruction_sets_are_printed() {
    let names: Vec<_> = InstructionSet::available().into_iter().map(InstructionSet::name).collect();
    println!("instruction sets: {}", names.join(" "));
}

#[test]
fn small_batches() -> Outcome {
    let net = Layer::<f32>::then(Layer::<f32>::relu(Dense::new(5, 9)), Dense::new(9, 4));
    for n in [1, 2, 8, 15, 16, 17, 31, 33, 64] {
        let samples = Samples::draw(n, 5, 4)?;
        if n == 1 && samples.labels == [None] {
            continue;
        }
        let trace = same_as_serial(net, CrossEntropy::new(4)?, &[1, 3], &[&samples])?;
        assert!(trace.steps.iter().all(Result::is_ok));
    }
    Ok(())
}

#[test]
fn batches_that_threads_share() -> Outcome {
    let net = Layer::<f32>::then(Layer::<f32>::relu(Dense::new(40, 300)), Dense::new(300, 7));
    for (n, threads) in [(41, &[1, 2, 3][..]), (64, &[2]), (130, &[2, 3])] {
        // Batches of several sizes through one engine: gradients of the larger must not show in the smaller.
        let (large, small) = (Samples::draw(n, 40, 7)?, Samples::draw(n / 3, 40, 7)?);
        let trace = same_as_serial(net, simloss(7)?, threads, &[&large, &small])?;
        assert!(trace.steps.iter().all(Result::is_ok));
    }
    Ok(())
}

#[test]
fn gradients_are_added_in_the_order_of_groups() -> Outcome {
    // 2,002,000 parameters: 245 ranges, in which three threads wait for each other.
    let samples = Samples::draw(10 * GROUP - 3, 1000, 2)?;
    let net = Layer::<f32>::then(Layer::<f32>::relu(Dense::new(1000, 1998)), Dense::new(1998, 2));
    let network = Network::new(net, Criterion::new(CrossEntropy::new(2)?))?;
    let mut initial = vec![0.0; network.parameters()];
    net.initialise(&mut initial, &mut Random::new(3));
    let features = RowMajor::new(&samples.features, samples.width)?;
    let gradient = |threads| -> Result<Vec<u64>, Box<dyn StdError>> {
        let set = InstructionSet::chosen()?;
        let (mut total, mut losses) = (vec![0.0; initial.len()], vec![0.0; samples.labels.len()]);
        let mut engine = Threads::new(&network, threads, set)?;
        engine.gradient(&initial, &features, &samples.targets(), &mut losses, &mut total)?;
        Ok(bits(&total))
    };
    let serial = gradient(1)?;
    assert!(serial == gradient(3)?);
    assert!(serial.iter().any(|&g| g != 0));
    Ok(())
}

#[test]
fn convolutions() -> Outcome {
    // Odd sizes: tiles that do not fit, a row and a column that pooling leaves out.
    let conv = Conv2d { channels: 3, height: 11, width: 12, outputs: 5, kernel: 3 };
    let net = Layer::<f32>::then(Layer::<f32>::relu(conv), MaxPool::new(5, 9, 10));
    let net = Layer::<f32>::then(net, Dense::new(5 * 4 * 5, 6));
    let samples = Samples::draw(39, 3 * 11 * 12, 6)?;
    let trace = same_as_serial(net, simloss(6)?, &[1, 2], &[&samples])?;
    assert!(trace.steps.iter().all(Result::is_ok));
    Ok(())
}

#[test]
fn convolutions_of_many_channels() -> Outcome {
    // More channels, of inputs and of outputs, than stay in the nearest cache: their sums come in several parts.
    let first = Conv2d { channels: 1, height: 11, width: 12, outputs: 13, kernel: 3 };
    let second = Conv2d { channels: 13, height: 9, width: 10, outputs: 17, kernel: 7 };
    let net = Layer::<f32>::then(Layer::<f32>::relu(first), Layer::<f32>::relu(second));
    let net = Layer::<f32>::then(net, Dense::new(17 * 3 * 4, 6));
    let samples = Samples::draw(17, 11 * 12, 6)?;
    let trace = same_as_serial(net, simloss(6)?, &[1], &[&samples])?;
    assert!(trace.steps.iter().all(Result::is_ok));
    Ok(())
}

#[test]
fn convolutions_behind_a_pool() -> Outcome {
    // Channels that fill registers and some, gradients that are 0 but for one of four: and 288 positions, which are
    // looked through in two parts. A row of kernels takes 9, 4 and 1 registers of 8 lanes, or 6 and 1 of 16.
    let first = Conv2d { channels: 1, height: 46, width: 42, outputs: 21, kernel: 3 };
    let second = Conv2d { channels: 21, height: 22, width: 20, outputs: 6, kernel: 5 };
    let net = Layer::<f32>::then(Layer::<f32>::relu(first), MaxPool::new(21, 44, 40));
    let net = Layer::<f32>::then(net, Layer::<f32>::relu(second));
    let net = Layer::<f32>::then(net, MaxPool::new(6, 18, 16));
    let net = Layer::<f32>::then(net, Dense::new(6 * 9 * 8, 6));
    let samples = Samples::draw(21, 46 * 42, 6)?;
    let trace = same_as_serial(net, simloss(6)?, &[1, 2], &[&samples])?;
    assert!(trace.steps.iter().all(Result::is_ok));
    Ok(())
}

#[test]
fn the_published_network() -> Outcome {
    let samples = Samples::draw(2 * GROUP + 5, 3 * 32 * 32, 10)?;
    let trace = same_as_serial(lenet(10), simloss(10)?, &[1, 2], &[&samples])?;
    assert!(trace.steps.iter().all(Result::is_ok));
    Ok(())
}

#[test]
fn rows_of_a_table() -> Outcome {
    // As many features as fill registers, and as do not; samples in any order, some twice.
    for width in [3, 16, 21] {
        let network = Network::new(Dense::new(width, 4), Criterion::new(CrossEntropy::new(4)?))?;
        let table = Samples::draw(50, width, 4)?;
        let mut random = Random::new(8);
        let chosen: Vec<u32> = (0..37).map(|_| random.below(50) as u32).collect();
        let copied: Vec<f32> =
            chosen.iter().flat_map(|&i| &table.features[i as usize * width..][..width]).copied().collect();
        let labels: Vec<_> = chosen.iter().map(|&i| table.labels[i as usize]).collect();
        let mut parameters = vec![0.0; network.parameters()];
        network.layers().initialise(&mut parameters, &mut random);
        for set in InstructionSet::available() {
            let mut engine = Threads::new(&network, 1, set)?;
            let mut logits = [vec![0.0; 4 * 37], vec![7.0; 4 * 37]];
            let [of_rows, of_copy] = &mut logits;
            let (targets, mut losses) = (Targets::labels(&labels), vec![0.0; 37]);
            let features = Rows::new(&table.features, width, &chosen)?;
            let evaluation = Evaluation { features: &features, targets, losses: &mut losses, logits: of_rows };
            eval_step(&mut engine, &parameters, evaluation)?;
            let features = RowMajor::new(&copied, width)?;
            let evaluation = Evaluation { features: &features, targets, losses: &mut losses, logits: of_copy };
            eval_step(&mut engine, &parameters, evaluation)?;
            assert_eq!(bits(&logits[0]), bits(&logits[1]), "{} features in {}", width, set.name());
        }
    }
    assert!(matches!(Rows::new(&[0.0; 6], 4, &[0]), Err(CoreError::Length { expected: 4, found: 6, .. })));
    assert!(matches!(Rows::new(&[0.0; 6], 2, &[0, 3]), Err(CoreError::Length { expected: 4, found: 3, .. })));
    assert!(Rows::new(&[0.0; 6], 0, &[]).is_err());
    Ok(())
}

#[test]
fn errors_match_those_of_single_samples() -> Outcome {
    let net = Layer::<f32>::then(Layer::<f32>::relu(Dense::new(40, 300)), Dense::new(300, 7));
    let good = Samples::draw(100, 40, 7)?;
    let nan_at = |samples: &mut Samples, row: usize| samples.features[row * 40 + 3] = f32::NAN;
    let huge_at = |samples: &mut Samples, row: usize| samples.features[row * 40..][..40].fill(f32::MAX);

    // Several samples are wrong, in several groups: the first is reported.
    let mut several = good.clone();
    [90, 83, 41, 38].iter().for_each(|&row| nan_at(&mut several, row));
    let trace = same_as_serial(net, simloss(7)?, &[1, 2, 3], &[&several, &good])?;
    let expected = CoreError::NotFinite { what: "the features", sample: 38 };
    assert_eq!(trace.steps[0], Err(expected));
    assert_eq!(trace.evaluated, Err(expected));
    // The step between is not changed by the gradients of the one that failed.
    assert!(trace.steps[1].is_ok());

    // Lanes look at all features before the first logit; the first sample counts all the same.
    let mut mixed = good.clone();
    huge_at(&mut mixed, 18);
    nan_at(&mut mixed, 20);
    let trace = same_as_serial(net, simloss(7)?, &[1, 2], &[&mixed, &good])?;
    assert_eq!(trace.steps[0], Err(CoreError::NotFinite { what: "the logits", sample: 18 }));

    // What is known before any sample is read.
    let mut ignored = good.clone();
    ignored.labels.fill(None);
    let trace = same_as_serial(net, simloss(7)?, &[2], &[&ignored])?;
    assert_eq!(trace.steps[0], Err(CoreError::Empty));
    assert!(trace.evaluated.is_ok());
    let mut other = good;
    other.labels[5] = Some(Label::new(1, 3)?);
    let trace = same_as_serial(net, simloss(7)?, &[2], &[&other])?;
    assert!(matches!(trace.steps[0], Err(CoreError::Length { .. })));
    assert!(matches!(trace.evaluated, Err(CoreError::Length { .. })));
    Ok(())
}

#[test]
fn wrong_lengths_are_rejected() -> Outcome {
    let net = Dense::new(5, 4);
    let network = Network::new(net, Criterion::new(CrossEntropy::new(4)?))?;
    let samples = Samples::draw(20, 5, 4)?;
    let features = RowMajor::new(&samples.features, 5)?;
    let mut engine = Threads::new(&network, 2, InstructionSet::chosen()?)?;
    for (parameters, losses) in [(23, 20), (25, 20), (24, 19), (24, 21)] {
        let (parameters, mut losses) = (vec![0.0; parameters], vec![0.0; losses]);
        let targets = samples.targets();
        let evaluation = Evaluation { features: &features, targets, losses: &mut losses, logits: &mut [] };
        assert!(matches!(eval_step(&mut engine, &parameters, evaluation), Err(CoreError::Length { .. })));
        let (mut parameters, mut gradient) = (parameters, vec![0.0; 24]);
        let model = Model { parameters: &mut parameters, moments: &mut [], steps: &mut 0 };
        let reduction = Reduction::Sum;
        let batch = Batch { features: &features, targets, reduction, losses: &mut losses };
        let result = train_step(&mut engine, &Sgd::new(0.1)?, model, &mut gradient, batch);
        assert!(matches!(result, Err(CoreError::Length { .. })));
    }
    Ok(())
}
