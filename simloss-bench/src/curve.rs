//! The cost of training by batch size, threads, and classes, and the cost of an epoch beyond its steps: data, metrics, and
//! memory.

use std::time::Instant;

use plotters::prelude::*;
use serde::{Deserialize, Serialize};
use simloss_core::{
    Error, Label, Random,
    layers::Layer,
    loss::{Criterion, CrossEntropy, Reduction, Targets},
    number::GROUP,
    optimizer::{Adam, Optimizer},
    train::{Batch, Evaluation, Model, Network, RowMajor, eval_step, train_step},
};
use simloss_train::{
    compute::{
        engine::Threads,
        lanes::{InstructionSet, Lanes},
        network::{Kind, Visitor},
        task::Data,
    },
    data::{
        Split,
        images::{Contents, ImageSet, Part},
    },
    run::{
        record::{Epoch, Selection, Settings},
        train::{Objective, Watch, run},
    },
    similarity::spec::LossDescription,
};

use crate::workload::{class_order, median};

/// A line of the record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "bench", rename_all = "lowercase")]
pub enum Line {
    /// Microseconds per image in a training step (forward pass, SimLoss, backward pass, Adam), and in evaluation.
    Step {
        /// `lenet` or `agenet`.
        net: String,
        /// Outputs of the network.
        classes: usize,
        /// Images in a step.
        batch: usize,
        /// Threads.
        threads: usize,
        /// Training.
        us: f64,
        /// Losses and logits only.
        evaluation_us: f64,
    },
    /// The cost of an epoch beyond its steps.
    Epoch {
        /// `lenet` or `agenet`.
        net: String,
        /// Training images.
        images: usize,
        /// Threads.
        threads: usize,
        /// Microseconds per training image: shuffling, gathering, augmentation, and the step.
        us: f64,
        /// The fraction of that beyond a step on images in memory.
        data: f64,
        /// Microseconds per validation image, with all metrics.
        validation_us: f64,
        /// The fraction of the epoch spent on metrics.
        metrics: f64,
    },
    /// The peak memory of a process that trains.
    Memory {
        /// `lenet` or `agenet`.
        net: String,
        /// Images in all sets.
        images: usize,
        /// Epochs trained.
        epochs: usize,
        /// Threads.
        threads: usize,
        /// The largest resident size.
        peak_bytes: u64,
        /// Images as bytes, activations of the lanes in flight, parameters, and moments.
        needed_bytes: u64,
    },
}

/// The network of this name and its images' rows.
///
/// # Errors
/// If the name is another.
pub fn network(name: &str, classes: usize) -> Result<(Kind, usize), String> {
    match name {
        "lenet" => Ok((Kind::LeNet { classes }, 32)),
        "agenet" => Ok((Kind::Ages { classes }, 60)),
        other => Err(format!("unknown network '{other}'; use lenet or agenet")),
    }
}

/// Seconds for which each point is timed, and the least number of its steps.
const SECONDS: f64 = 0.8;
const LEAST: usize = 5;

struct Steps {
    inputs: usize,
    batch: usize,
    threads: usize,
}

impl Visitor for Steps {
    type Output = Result<[f64; 2], String>;

    fn visit<N: simloss_train::compute::network::Layers>(self, layers: N) -> Self::Output {
        self.time(layers).map_err(|error| error.to_string())
    }
}

impl Steps {
    fn time<N: Layer<f32> + Sync>(self, layers: N) -> Result<[f64; 2], Box<dyn std::error::Error>> {
        let Steps { inputs, batch, threads } = self;
        let classes = layers.shape().outputs;
        let mut random = Random::new(1);
        let mut parameters = vec![0.0; layers.shape().parameters];
        layers.initialise(&mut parameters, &mut random);
        let images: Vec<f32> = (0..batch * inputs).map(|_| random.unit()).collect();
        let labels = (0..batch).map(|_| Label::new(random.below(classes), classes).map(Some));
        let labels = labels.collect::<Result<Vec<_>, Error>>()?;
        let network = Network::new(layers, Criterion::new(class_order::<f32>(classes)?))?;
        let mut engine = Threads::new(&network, threads, InstructionSet::chosen()?)?;
        let features = RowMajor::new(&images, inputs)?;
        let targets = Targets::labels(&labels);
        let adam = Adam::new(1e-3)?;
        let (mut losses, mut logits) = (vec![0.0; batch], vec![0.0; batch * classes]);
        let mut moments = vec![0.0; <Adam<f32> as Optimizer<f32>>::MOMENTS * parameters.len()];
        let (mut gradient, mut steps) = (vec![0.0; parameters.len()], 0);
        let (mut times, begun) = ([vec![], vec![]], Instant::now());
        while begun.elapsed().as_secs_f64() < SECONDS || times[0].len() < LEAST {
            let start = Instant::now();
            let model = Model { parameters: &mut parameters, moments: &mut moments, steps: &mut steps };
            let reduction = Reduction::MeanByWeight;
            let of = Batch { features: &features, targets, reduction, losses: &mut losses };
            train_step(&mut engine, &adam, model, &mut gradient, of)?;
            let middle = Instant::now();
            let of = Evaluation { features: &features, targets, losses: &mut losses, logits: &mut logits };
            eval_step(&mut engine, &parameters, of)?;
            times[0].push((middle - start).as_secs_f64());
            times[1].push(middle.elapsed().as_secs_f64());
        }
        // The first step has cold caches and sleeping threads.
        Ok(times.map(|times| median(times[1..].to_vec()) * 1e6 / batch as f64))
    }
}

/// A [`Line::Step`].
///
/// # Errors
/// A description of the problem.
pub fn step(net: &str, classes: usize, batch: usize, threads: usize) -> Result<Line, String> {
    let (kind, side) = network(net, classes)?;
    let steps = Steps { inputs: 3 * side * side, batch, threads };
    let [us, evaluation_us] = kind.visit(steps).map_err(|error| error.to_string())??;
    Ok(Line::Step { net: net.to_owned(), classes, batch, threads, us, evaluation_us })
}

/// The times when epochs begin, finish their last batch, and end.
#[derive(Default)]
struct Clock {
    begun: Option<Instant>,
    trained: Option<Instant>,
    training: Vec<f64>,
    validation: Vec<f64>,
}

impl Watch for Clock {
    fn epoch_started(&mut self, _: usize, _: usize, _: usize) {
        self.begun = Some(Instant::now());
    }

    fn batch_done(&mut self, _: usize, _: usize, _: f32) {
        self.trained = Some(Instant::now());
    }

    fn epoch_done(&mut self, _: &Epoch, _: bool) {
        if let (Some(begun), Some(trained)) = (self.begun, self.trained) {
            self.training.push((trained - begun).as_secs_f64());
            self.validation.push(trained.elapsed().as_secs_f64());
        }
    }
}

/// Images of noise, in a training and a test set.
fn noise(images: usize, side: usize, classes: usize) -> Result<ImageSet, Box<dyn std::error::Error>> {
    let mut random = Random::new(1);
    let labels = (0..images).map(|i| Label::new(i % classes, classes)).collect::<Result<Vec<_>, Error>>()?;
    let part = |i: usize| if i % 6 == 5 { Part::Test } else { Part::Train };
    Ok(ImageSet::new(Contents {
        name: "noise".to_owned(),
        height: side,
        width: side,
        pixels: (0..images * 3 * side * side).map(|_| random.below(256) as u8).collect(),
        labels,
        class_names: (0..classes).map(|class| class.to_string()).collect(),
        class_values: (0..classes).map(|class| class as f64).collect(),
        paths: vec![String::new(); images],
        parts: (0..images).map(part).collect(),
        tree: None,
    })?)
}

fn train(
    set: &ImageSet,
    split: &Split,
    kind: &Kind,
    epochs: usize,
    threads: usize,
    watch: &mut dyn Watch,
) -> Result<(), simloss_train::Error> {
    let settings = Settings {
        epochs,
        batch: 1024,
        rate: 1e-3,
        patience: None,
        seed: 1,
        hidden: vec![],
        augmentation: Some(4),
        selection: Selection::Loss,
        threads,
    };
    let plain = LossDescription::cross_entropy();
    let objective = Objective::new(CrossEntropy::new(set.classes())?, &plain);
    run(&settings, objective, Data::Images(set, kind), split, None, watch).map(|_| ())
}

/// A [`Line::Epoch`] of `images` images, compared with the steps of [`step`].
///
/// # Errors
/// A description of the problem.
pub fn epoch(net: &str, classes: usize, images: usize, threads: usize) -> Result<Line, String> {
    let (kind, side) = network(net, classes)?;
    let told = |error: Box<dyn std::error::Error>| error.to_string();
    let set = noise(images, side, classes).map_err(told)?;
    let split = set.split(1).map_err(|error| error.to_string())?;
    let Line::Step { us: step, evaluation_us, .. } = step(net, classes, 1024, threads)? else {
        return Err("internal error: step() returned no step".to_owned());
    };
    let mut clock = Clock::default();
    train(&set, &split, &kind, 4, threads, &mut clock).map_err(|error| error.to_string())?;
    let each = |seconds: &[f64], images: usize| median(seconds[1..].to_vec()) * 1e6 / images as f64;
    let (train, validation) = (split.train.len(), split.validation.len());
    let (us, validation_us) = (each(&clock.training, train), each(&clock.validation, validation));
    let all = us * train as f64 + validation_us * validation as f64;
    Ok(Line::Epoch {
        net: net.to_owned(),
        images: train,
        threads,
        us,
        data: (us - step) / us,
        validation_us,
        metrics: (validation_us - evaluation_us) * validation as f64 / all,
    })
}

struct Needed {
    threads: usize,
}

impl Visitor for Needed {
    type Output = Result<u64, Error>;

    fn visit<N: simloss_train::compute::network::Layers>(self, layers: N) -> Self::Output {
        let parameters = layers.shape().parameters;
        let network = Network::new(layers, Criterion::new(CrossEntropy::new(layers.shape().outputs)?))?;
        let lanes = network.scratch::<Lanes<pulp::x86::V4>>(false, false);
        let moments = <Adam<f32> as Optimizer<f32>>::MOMENTS;
        let flight = self.threads * (lanes.values * GROUP + lanes.scalars);
        Ok((size_of::<f32>() * (flight + (1 + moments) * parameters)) as u64)
    }
}

/// A [`Line::Memory`] of this process, which must not have done other work.
///
/// # Errors
/// A description of the problem; also if the system does not report the memory of a process.
pub fn memory(net: &str, classes: usize, images: usize, epochs: usize, threads: usize) -> Result<Line, String> {
    let (kind, side) = network(net, classes)?;
    let told = |error: Box<dyn std::error::Error>| error.to_string();
    let set = noise(images, side, classes).map_err(told)?;
    let split = set.split(1).map_err(|error| error.to_string())?;
    train(&set, &split, &kind, epochs, threads, &mut ()).map_err(|error| error.to_string())?;
    let needed = kind.visit(Needed { threads }).map_err(|error| error.to_string())?;
    let needed = needed.map_err(|error| error.to_string())? + set.contents().pixels.len() as u64;
    let net = net.to_owned();
    Ok(Line::Memory { net, images, epochs, threads, peak_bytes: peak_bytes()?, needed_bytes: needed })
}

/// The largest resident size of this process so far.
///
/// # Errors
/// A description of the problem; also if the system does not report it.
pub fn peak_bytes() -> Result<u64, String> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(|error| format!("/proc/self/status: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    Ok(kilobytes.ok_or("/proc/self/status has no VmHWM (largest resident size); run on Linux")? * 1024)
}

/// Plots the times of LeNet's steps against their batch sizes.
///
/// # Errors
/// A description of the problem.
pub fn plot(lines: &[Line]) -> Result<String, String> {
    draw(lines).map_err(|error| error.to_string())
}

fn draw(lines: &[Line]) -> Result<String, Box<dyn std::error::Error>> {
    let points = |wanted: usize, evaluation: bool| -> Vec<(f64, f64)> {
        let point = |line: &Line| match line {
            Line::Step { net, classes: 96, batch, threads, us, evaluation_us }
                if net == "lenet" && *threads == wanted =>
            {
                Some((*batch as f64, if evaluation { *evaluation_us } else { *us }))
            }
            _ => None,
        };
        lines.iter().filter_map(point).collect()
    };
    let series = [
        ("step, 1 thread", points(1, false), RGBColor(0xb4, 0x53, 0x09)),
        ("step, 2 threads", points(2, false), RGBColor(0x1d, 0x5f, 0xd6)),
        ("evaluation, 1 thread", points(1, true), RGBColor(0x0f, 0x7b, 0x5f)),
        ("evaluation, 2 threads", points(2, true), RGBColor(0x7a, 0x3f, 0xa0)),
    ];
    let all = || series.iter().flat_map(|(_, points, _)| points);
    let most = all().map(|p| p.0).fold(1.0, f64::max);
    let (low, high) = all().fold((f64::INFINITY, 0.0f64), |(low, high), p| (low.min(p.1), high.max(p.1)));
    if !low.is_finite() {
        return Err("the record has no step of LeNet with 96 classes".into());
    }
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (720, 400)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d((1.0..most * 1.15).log_scale(), (low / 1.4..high * 1.3).log_scale())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(RGBColor(0xdd, 0xe3, 0xea))
            .label_style(("sans-serif", 15))
            .x_desc("images in a batch")
            .y_desc("microseconds an image")
            .draw()?;
        for (name, points, color) in &series {
            let color = *color;
            chart
                .draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)).point_size(3))?
                .label(*name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE)
            .label_font(("sans-serif", 15))
            .draw()?;
        area.present()?;
    }
    Ok(svg)
}
