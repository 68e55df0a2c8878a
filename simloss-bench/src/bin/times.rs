//! Records the times of the last run of the criterion benches, with the machine, which criterion does not store.

use std::error::Error;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use simloss_bench::record::{self, Machine, Time};

const HELP: &str = "\
The record of the criterion benches that were last run, on standard output.

Usage: cargo bench -p simloss-bench && cargo run --release -p simloss-bench --bin times -- [DIR]

DIR is criterion's folder, target/criterion where it is not given.";

#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
    throughput: Option<Throughput>,
}

#[derive(Deserialize)]
struct Throughput {
    #[serde(rename = "Elements")]
    elements: u64,
}

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
    confidence_interval: Interval,
}

#[derive(Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args().nth(1).unwrap_or_else(|| "target/criterion".to_owned());
    if argument == "--help" || argument == "-h" {
        println!("{HELP}");
        return Ok(());
    }
    let mut times = vec![];
    gather(Path::new(&argument), &mut times).map_err(|error| format!("{argument}: {error}"))?;
    if times.is_empty() {
        return Err(format!("{argument} has no bench; run cargo bench -p simloss-bench first").into());
    }
    times.sort_by(|a, b| a.bench.cmp(&b.bench));
    print!("{}", record::write(&Machine::this("cargo bench -p simloss-bench"), &times)?);
    Ok(())
}

/// The benches below a directory. Each `new` directory has the last run of one.
fn gather(dir: &Path, times: &mut Vec<Time>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.ends_with("new") {
            let benchmark: Benchmark = serde_json::from_str(&fs::read_to_string(path.join("benchmark.json"))?)?;
            let Estimates { median } = serde_json::from_str(&fs::read_to_string(path.join("estimates.json"))?)?;
            let elements = benchmark.throughput.map_or(1, |throughput| throughput.elements);
            let Interval { lower_bound, upper_bound } = median.confidence_interval;
            let each = |ns: f64| ns / elements as f64;
            times.push(Time {
                bench: benchmark.full_id,
                elements,
                ns: each(median.point_estimate),
                interval: [each(lower_bound), each(upper_bound)],
            });
        } else if path.is_dir() {
            gather(&path, times)?;
        }
    }
    Ok(())
}
