//! Measures time and memory of large inputs, and checks their bounds.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use simloss_bench::curve::{self, Line};
use simloss_bench::instructions::{self, Task};
use simloss_bench::record::{self, Machine};
use simloss_bench::subject;
use simloss_bench::workload::{Logits, Mean, class_order};
use simloss_core::{Label, Random};
use simloss_train::compute::lanes::{InstructionSet, Vector};
use simloss_train::data::read::images::folder::{self, Loading};

const HELP: &str = "\
What large inputs take, as a record on standard output; fails where one takes more than it may.

Usage: load         the record
       load --help  this text

The folder of images is made where the system keeps temporary files (TMPDIR) and removed again.";

/// One load and its limits. The time limits fit a machine ten times slower than that of the record.
struct Load {
    name: &'static str,
    run: fn() -> Result<u64, Box<dyn Error>>,
    most_seconds: f64,
}

/// The memory allowed beyond 5% more than needed: the program, its threads, and counts of 1,000 x 1,000 classes under four
/// decoders.
const BESIDE: u64 = 64 << 20;

const LOADS: [Load; 4] = [
    Load { name: "loss and gradient of 100,000 rows of 1,000 logits", run: loss, most_seconds: 60.0 },
    Load {
        name: "an epoch of LeNet with 1,000 classes, 20,000 images",
        run: || network("lenet", 20_000),
        most_seconds: 60.0,
    },
    Load {
        name: "an epoch of the network for ages with 1,000 classes, 6,000 images",
        run: || network("agenet", 6_000),
        most_seconds: 120.0,
    },
    Load { name: "a folder of 200,000 images in 100 classes, read to 32 x 32", run: files, most_seconds: 300.0 },
];

/// A line of the record.
#[derive(Serialize, Deserialize)]
struct Taken {
    load: String,
    seconds: f64,
    most_seconds: f64,
    peak_bytes: u64,
    needed_bytes: u64,
    most_bytes: u64,
}

/// The option for a process that measures its own memory: the number of the load.
const ONE: &str = "--one";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match &arguments[..] {
        [] => all(),
        ["--help" | "-h"] => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        [ONE, number] => one(number),
        _ => {
            eprintln!("unknown option; see --help");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn one(number: &str) -> Result<(), Box<dyn Error>> {
    let load = LOADS.get(number.parse::<usize>()?).ok_or("unknown load; the first is 0")?;
    let start = Instant::now();
    let needed = (load.run)()?;
    let taken = Taken {
        load: load.name.to_owned(),
        seconds: (start.elapsed().as_secs_f64() * 10.0).round() / 10.0,
        most_seconds: load.most_seconds,
        peak_bytes: curve::peak_bytes()?,
        needed_bytes: needed,
        most_bytes: needed + needed / 20 + BESIDE,
    };
    println!("{}", serde_json::to_string(&taken)?);
    Ok(())
}

fn all() -> Result<(), Box<dyn Error>> {
    let mut lines = vec![];
    for (number, load) in LOADS.iter().enumerate() {
        let output = Command::new(std::env::current_exe()?).args([ONE, &number.to_string()]).output()?;
        if !output.status.success() {
            return Err(format!("{}: {}", load.name, String::from_utf8_lossy(&output.stderr).trim()).into());
        }
        lines.push(serde_json::from_slice::<Taken>(&output.stdout)?);
    }
    print!("{}", record::write(&Machine::this("cargo run --release -p simloss-bench --bin load"), &lines)?);
    match lines.iter().find(|l| l.peak_bytes > l.most_bytes || l.seconds > l.most_seconds) {
        Some(line) => Err(format!("{} exceeded its limits", line.load).into()),
        None => Ok(()),
    }
}

/// One thread; the caller owns all memory: logits, their gradient, and labels.
fn loss() -> Result<u64, Box<dyn Error>> {
    const ROWS: usize = 100_000;
    const CLASSES: usize = 1000;
    let logits: Vec<f32> = (0..ROWS * CLASSES).map(|i| (i * 7919 % 1009) as f32 / 100.0).collect();
    let mut random = Random::new(1);
    let labels = (0..ROWS).map(|_| Label::new(random.below(CLASSES), CLASSES).map(Some)).collect::<Result<_, _>>()?;
    let batch = Logits { logits, labels, classes: CLASSES };
    instructions::with(InstructionSet::chosen()?, Whole(&batch))
        .ok_or("this processor does not have these instructions")??;
    Ok((ROWS * (2 * 4 * CLASSES + size_of::<Option<Label>>())) as u64)
}

struct Whole<'a>(&'a Logits<f32>);

impl Task for Whole<'_> {
    type Output = Result<(), String>;

    fn run<V: Vector>(self, token: V::Token) -> Self::Output {
        let Whole(batch) = self;
        let told = |error: simloss_core::Error| error.to_string();
        let mut mean = Mean::<_, _, V>::new(token, class_order::<f32>(batch.classes).map_err(told)?, batch);
        let value = mean.run(token, true).map_err(told)?;
        // The last row separately: the sum has lost nothing before it.
        let rows = batch.labels.len();
        let loss = class_order::<f32>(batch.classes).map_err(told)?;
        let alone = subject::answer(&loss, batch.row(rows - 1), batch.truth(rows - 1)).map_err(told)?;
        let there = mean.gradient.iter().skip((rows - 1) * batch.classes);
        let near = |(&whole, &alone): (&f32, &f32)| (whole * rows as f32 - alone).abs() <= 1e-6 * alone.abs().max(1e-6);
        match value.is_finite() && there.zip(&alone.gradient).all(near) {
            true => Ok(()),
            false => Err(format!("the mean is {value}, and the last row differs from its separate result")),
        }
    }
}

fn network(net: &str, images: usize) -> Result<u64, Box<dyn Error>> {
    match curve::memory(net, 1000, images, 1, std::thread::available_parallelism().map_or(1, usize::from))? {
        Line::Memory { needed_bytes, .. } => Ok(needed_bytes),
        _ => Err("no memory".into()),
    }
}

/// One image per class; the other files are links to it.
fn files() -> Result<u64, Box<dyn Error>> {
    const CLASSES: usize = 100;
    const OF_EACH: usize = 2000;
    let place = tempfile::tempdir()?;
    for class in 0..CLASSES {
        let folder = place.path().join(format!("class {class:02}"));
        fs::create_dir(&folder)?;
        let first = folder.join("0.png");
        picture(&first, class as u8)?;
        for i in 1..OF_EACH {
            fs::hard_link(&first, folder.join(format!("{i}.png")))?;
        }
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let loading = Loading { size: [32; 2], threads, cache: None, skip_bad: false, progress: &|_, _| true };
    let set = folder::classes(place.path(), loading)?.set;
    let split = set.split(1)?;
    let [images, classes] = [set.images(), set.classes()];
    if [images, classes] != [CLASSES * OF_EACH, CLASSES] || split.train.len() < images / 2 {
        return Err(format!("{images} images in {classes} classes were found").into());
    }
    Ok(set.contents().pixels.len() as u64)
}

fn picture(path: &Path, level: u8) -> Result<(), Box<dyn Error>> {
    let mut encoder = png::Encoder::new(fs::File::create(path)?, 24, 24);
    encoder.set_color(png::ColorType::Rgb);
    let pixels: Vec<u8> = (0..3 * 24 * 24).map(|i| level.wrapping_add((i % 72) as u8)).collect();
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(())
}
