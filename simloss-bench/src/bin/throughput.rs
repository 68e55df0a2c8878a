//! Measures the speed of the loss and of a training step.
//!
//! Compares all results with the oracle before it measures time.

use std::process::ExitCode;
use std::time::Instant;

use simloss_bench::bounds::Bound;
use simloss_bench::oracle::Row;
use simloss_bench::profile::{self, Layers, Phase};
use simloss_bench::real::Scalar;
use simloss_bench::record::Machine;
use simloss_bench::ulp;
use simloss_bench::workload::{
    Logits, ProperClassOrder, REDUCTION_FACTOR, Reference, TIMED, class_order, median, proper_class_order,
    seconds_in_turn,
};
use simloss_core::{
    Label, Random,
    layers::Layer,
    loss::{Criterion, Loss, Reduction, Targets},
    optimizer::{Adam, Optimizer},
    train::{Batch, Engine, Evaluation, Features, Model, Network, RowMajor, eval_step, train_step},
};
use simloss_train::compute::{engine::Threads, lanes::InstructionSet, network};

const HELP: &str = "\
Measure the time of the loss (value and gradient of row-major f32 logits, one thread) and of a training step (all cores)

Usage: throughput [OPTIONS]

  --profile         Only measure every layer and phase of both networks
  --record          Print everything and the profile as a record: one line on the machine, then the lines of --json
  --json            Print one JSON object per line, and nothing else
  --only WHAT       Measure only the `loss`, or only training (`train`)
  --at-most RATIO   Exit with 1 if SimLoss takes more than RATIO times as long as cross entropy at 90, 96, or 1000 classes
  --help            Print this help

The losses are cross entropy (cce), SimLoss, proper SimLoss, and squared EMD (emd). Training is one step of Adam with SimLoss
and batches of 1024: LeNet with 96 classes on 3x32x32 (also with proper SimLoss), and the network for ages with 90 classes on
3x60x60. The similarity is a class order with r = 0.8. Each figure is a median. The program compares all results with the oracle
first. SIMLOSS_SIMD=avx512|avx2|scalar selects the instructions; the default is the fastest for each size.

Exit status: 0, 1 for a ratio above RATIO or a wrong result, 2 for a wrong option";

const BATCH: usize = 1024;
const CLASSES: [usize; 4] = [10, 90, 96, 1000];
/// Numbers of classes with a limit on the ratio.
const PROMISED: [usize; 3] = [90, 96, 1000];
/// Runs of the loss, of which the first only warm up.
const RUNS: usize = 80;
const WARM_UP: usize = 10;
/// Time to read and write each logit once, at the bandwidth of the machine on which the goals were set.
const MEMORY_FLOOR: f64 = 0.31;

#[derive(Clone, Copy, PartialEq)]
enum Only {
    Loss,
    Train,
}

#[derive(Default)]
struct Options {
    json: bool,
    profile: bool,
    record: bool,
    only: Option<Only>,
    at_most: Option<f64>,
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options::default();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} has no value; see --help"));
        match argument.as_str() {
            "--json" => options.json = true,
            "--profile" => options.profile = true,
            "--record" => (options.record, options.json) = (true, true),
            "--only" => {
                options.only = match value()?.as_str() {
                    "loss" => Some(Only::Loss),
                    "train" => Some(Only::Train),
                    other => return Err(format!("--only {other} is unknown; use loss or train")),
                }
            }
            "--at-most" => {
                let text = value()?;
                let ratio = text.parse().ok().filter(|&ratio: &f64| ratio > 0.0);
                options.at_most =
                    Some(ratio.ok_or(format!("--at-most {text} is not a positive number; use a ratio such as 1.4"))?);
            }
            "--help" | "-h" => return Ok(None),
            _ => return Err(format!("unknown option '{argument}'; see --help")),
        }
    }
    Ok(Some(options))
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<bool, String> {
    if options.profile {
        return profile(options).map(|()| true);
    }
    if options.record {
        let machine = Machine::this("cargo run --release -p simloss-bench --bin throughput -- --record");
        println!("{}", serde_json::to_string(&machine).map_err(|error| error.to_string())?);
        profile(options)?;
    }
    let mut fine = true;
    if options.only != Some(Only::Train) {
        for classes in CLASSES {
            fine &= loss(options, classes)?;
        }
    }
    if options.only != Some(Only::Loss) {
        let told = |error: simloss_core::Error| error.to_string();
        let order = |classes| move |y| Row::class_order(REDUCTION_FACTOR as f32, classes, y);
        let images = |network, pixels, classes| Training { network, pixels, classes };
        let lenet = images("lenet", 3 * 32 * 32, 96);
        trained(&lenet, network::lenet(96), class_order(96).map_err(told)?, order(96), |simloss| {
            trained(&lenet, network::lenet(96), proper_class_order(96).map_err(told)?, ProperClassOrder, |proper| {
                let steps = in_turn(&mut [simloss, proper], 40)?;
                let of_simloss = steps[0].iter().zip(&steps[1]).map(|(simloss, proper)| proper.total / simloss.total);
                let ratio = median(of_simloss.collect());
                print(options, "lenet", &steps[0], None)?;
                print(options, "lenet, proper", &steps[1], Some(ratio))
            })
        })?;
        let ages = images("agenet", 3 * 60 * 60, 90);
        trained(&ages, network::ages(90), class_order(90).map_err(told)?, order(90), |step| {
            print(options, "agenet", &in_turn(&mut [step], 5)?[0], None)
        })?;
    }
    Ok(fine)
}

/// The time of each layer and phase of a step.
fn profile(options: &Options) -> Result<(), String> {
    let set = InstructionSet::chosen().map_err(|error| error.to_string())?;
    for (net, layers) in [("lenet", Layers::LeNet), ("agenet", Layers::Ages)] {
        let (phases, peak) = profile::profile(set, layers).ok_or("this processor does not have these instructions")?;
        let (mut micros, mut operations) = (0.0, 0.0);
        if !options.json {
            println!("{net}, one thread ({}), peak {peak:.1} GFLOP/s:", set.name());
        }
        for Phase { layer, phase, micros: each, gflops } in &phases {
            micros += each;
            operations += each * gflops;
            if options.json {
                println!(
                    r#"{{"bench": "profile", "net": "{net}", "layer": "{layer}", "phase": "{phase}", "us_per_image": {each:.4}, "gflops": {gflops:.2}, "peak_gflops": {peak:.2}}}"#
                );
            } else if *gflops > 0.0 {
                let share = 100.0 * gflops / peak;
                println!("  {layer:7} {phase:18} {each:9.3} us per image, {gflops:6.1} GFLOP/s, {share:3.0}%");
            } else {
                println!("  {layer:7} {phase:18} {each:9.3} us per image");
            }
        }
        if !options.json {
            let gflops = operations / micros;
            println!("  all     {micros:28.3} us per image, {gflops:6.1} GFLOP/s, {:3.0}%", 100.0 * gflops / peak);
        }
    }
    Ok(())
}

/// Times with one instruction set, for the losses of [`TIMED`].
struct Speed {
    set: InstructionSet,
    /// Nanoseconds per logit.
    ns: [f64; 4],
    /// The median ratio of consecutive runs, so that a disturbance affects both.
    ratios: [f64; 4],
    /// The same without the gradient.
    value: [f64; 4],
    value_ratios: [f64; 4],
}

fn loss(options: &Options, classes: usize) -> Result<bool, String> {
    let batch = Logits::new(BATCH, classes).map_err(|error| error.to_string())?;
    let sets = match std::env::var_os(simloss_train::compute::lanes::VARIABLE) {
        Some(_) => vec![InstructionSet::chosen().map_err(|error| error.to_string())?],
        None => InstructionSet::available(),
    };
    let mut speeds = vec![];
    for set in sets {
        let measure = |gradient| -> Result<([f64; 4], [f64; 4]), String> {
            let seconds = seconds_in_turn(set, &batch, RUNS, gradient)
                .map_err(|problem| format!("{BATCH} x {classes} with {}: {problem}", set.name()))?
                .map(|seconds| seconds[WARM_UP..].to_vec());
            let ratios =
                seconds.each_ref().map(|of| median(seconds[0].iter().zip(of).map(|(cce, of)| of / cce).collect()));
            Ok((seconds.map(|seconds| median(seconds) / (BATCH * classes) as f64 * 1e9), ratios))
        };
        let ((ns, ratios), (value, value_ratios)) = (measure(true)?, measure(false)?);
        speeds.push(Speed { set, ns, ratios, value, value_ratios });
    }
    let fastest = speeds.iter().min_by(|a, b| a.ns[1].total_cmp(&b.ns[1])).ok_or("no instruction set is available")?;
    let Speed { set, ns, ratios, value, value_ratios } = fastest;
    for (i, name) in TIMED.iter().enumerate() {
        if options.json {
            println!(
                r#"{{"bench": "loss", "loss": "{name}", "batch": {BATCH}, "classes": {classes}, "threads": 1, "ns_per_logit": {:.4}, "value_ns_per_logit": {:.4}}}"#,
                ns[i], value[i]
            );
        } else {
            println!(
                "loss {BATCH} x {classes:4}: {name:7} {:6.3} ns per logit ({}), {:.3} times cce, {:.1} times the memory \
                 floor of {MEMORY_FLOOR} ns; loss only {:6.3} ns, {:.3} times cce",
                ns[i],
                set.name(),
                ratios[i],
                ns[i] / MEMORY_FLOOR,
                value[i],
                value_ratios[i]
            );
        }
    }
    let ratio = ratios[1];
    match options.at_most {
        Some(most) if PROMISED.contains(&classes) && ratio > most => {
            eprintln!("{BATCH} x {classes}: SimLoss takes {ratio:.3} times as long as cross entropy, more than {most}");
            Ok(false)
        }
        _ => Ok(true),
    }
}

/// Random images and the network to train on them.
struct Training {
    network: &'static str,
    pixels: usize,
    classes: usize,
}

/// Seconds of a training step, and the seconds that only one thread works.
struct Step {
    total: f64,
    serial: f64,
}

/// Runs a step.
type Stepping<'a> = &'a mut dyn FnMut() -> Result<Step, String>;

/// Passes steps of Adam on one batch to `then`, after a check of the losses. The loss must be lower afterwards.
fn trained<R: Reference<f32>>(
    training: &Training,
    layers: impl Layer<f32> + Sync,
    loss: impl Loss<f32> + Sync,
    reference: R,
    then: impl FnOnce(Stepping<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let told = |error: simloss_core::Error| error.to_string();
    let &Training { network: name, pixels: features, classes } = training;
    let shape = layers.shape();
    let mut random = Random::new(1);
    let mut parameters = vec![0.0; shape.parameters];
    layers.initialise(&mut parameters, &mut random);
    let images: Vec<f32> = (0..BATCH * features).map(|_| random.unit()).collect();
    let labels = (0..BATCH).map(|_| Label::new(random.below(classes), classes).map(Some));
    let labels = labels.collect::<Result<Vec<_>, _>>().map_err(told)?;

    let network = Network::new(layers, Criterion::new(loss)).map_err(told)?;
    let engine = Threads::new(&network, threads(), InstructionSet::chosen().map_err(|error| error.to_string())?)
        .map_err(|error| error.to_string())?;
    let mut engine = Clocked { engine, seconds: 0.0 };
    let features = RowMajor::new(&images, features).map_err(told)?;
    let targets = Targets::labels(&labels);

    // Check the losses against the logits.
    let (mut losses, mut logits) = (vec![0.0; BATCH], vec![0.0; BATCH * classes]);
    let evaluation = Evaluation { features: &features, targets, losses: &mut losses, logits: &mut logits };
    eval_step(&mut engine, &parameters, evaluation).map_err(told)?;
    for i in [0, BATCH / 2 - 1, BATCH - 1] {
        let y = labels[i].map_or(0, Label::index);
        let (exact, _) = reference.exact(&logits[i * classes..][..classes], y);
        let distance = ulp::distance(losses[i], &exact);
        if !Bound::of(R::QUANTITIES[0], Scalar::F32).holds(distance) {
            return Err(format!("{name}: the loss of sample {i} is wrong by {distance} ulp"));
        }
    }

    let adam = Adam::new(1e-3).map_err(told)?;
    let (mut moments, mut gradient) = (vec![0.0; 2 * parameters.len()], vec![0.0; parameters.len()]);
    let (mut count, mut first, mut last) = (0, None, 0.0);
    then(&mut || {
        let start = Instant::now();
        engine.seconds = 0.0;
        let model = Model { parameters: &mut parameters, moments: &mut moments, steps: &mut count };
        let batch = Batch { features: &features, targets, reduction: Reduction::MeanByWeight, losses: &mut losses };
        last = train_step(&mut engine, &adam, model, &mut gradient, batch).map_err(told)?;
        first.get_or_insert(last);
        let total = start.elapsed().as_secs_f64();
        Ok(Step { total, serial: total - engine.seconds })
    })?;
    match first.is_some_and(|first| last < first) {
        true => Ok(()),
        false => Err(format!("{name}: {count} steps on one batch did not lower the loss")),
    }
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// This many steps of each, in turn, without the first, which warm up.
fn in_turn(trainings: &mut [Stepping<'_>], steps: usize) -> Result<Vec<Vec<Step>>, String> {
    let mut found: Vec<Vec<Step>> = trainings.iter().map(|_| vec![]).collect();
    for i in 0..steps {
        for (step, found) in trainings.iter_mut().zip(&mut found) {
            let step = step()?;
            if i > 0 {
                found.push(step);
            }
        }
    }
    Ok(found)
}

/// `of_simloss` is the median ratio of consecutive steps, so that a disturbance affects both.
fn print(options: &Options, name: &str, steps: &[Step], of_simloss: Option<f64>) -> Result<(), String> {
    let set = InstructionSet::chosen().map_err(|error| error.to_string())?;
    let threads = threads();
    let speed = BATCH as f64 / median(steps.iter().map(|step| step.total).collect());
    let serial = median(steps.iter().map(|step| step.serial / step.total).collect());
    if options.json {
        let of_simloss = of_simloss.map_or_else(String::new, |ratio| format!(r#", "of_simloss": {ratio:.4}"#));
        println!(
            r#"{{"bench": "train", "net": "{name}", "batch": {BATCH}, "threads": {threads}, "images_per_s": {speed:.1}, "serial": {serial:.4}{of_simloss}}}"#
        );
    } else {
        let of_simloss = of_simloss.map_or_else(String::new, |ratio| format!("; {ratio:.3} times a step with SimLoss"));
        println!(
            "train {name}, batch {BATCH}: {speed:.0} images/s on {threads} threads ({}); {:.1}% of a step is serial{of_simloss}",
            set.name(),
            100.0 * serial
        );
    }
    Ok(())
}

/// An engine that times its parallel work; the rest of a step is serial.
struct Clocked<E> {
    engine: E,
    seconds: f64,
}

impl<E: Engine<f32>> Engine<f32> for Clocked<E> {
    fn check<F: Features<f32>>(
        &self,
        parameters: &[f32],
        batch: &Batch<'_, F, f32>,
    ) -> Result<f32, simloss_core::Error> {
        self.engine.check(parameters, batch)
    }

    fn gradient<F: Features<f32> + Sync>(
        &mut self,
        parameters: &[f32],
        features: &F,
        targets: &Targets<'_, f32>,
        losses: &mut [f32],
        total: &mut [f32],
    ) -> Result<(), simloss_core::Error> {
        let start = Instant::now();
        let result = self.engine.gradient(parameters, features, targets, losses, total);
        self.seconds += start.elapsed().as_secs_f64();
        result
    }

    fn losses<F: Features<f32> + Sync>(
        &mut self,
        parameters: &[f32],
        evaluation: Evaluation<'_, F, f32>,
    ) -> Result<(), simloss_core::Error> {
        self.engine.losses(parameters, evaluation)
    }

    fn apply<O: Optimizer<f32>>(
        &mut self,
        step: &O::Step,
        scale: f32,
        gradient: &[f32],
        parameters: &mut [f32],
        moments: &mut [f32],
    ) -> Result<(), simloss_core::Error> {
        self.engine.apply::<O>(step, scale, gradient, parameters, moments)
    }
}
