//! Measures the cost of training by batch size, threads, and classes, and its data path, metrics, and memory.

use std::process::{Command, ExitCode};

use simloss_bench::curve::{self, Line};
use simloss_bench::record::{self, Machine};

const HELP: &str = "\
What training costs, as a record on standard output: time of an image against the size of its batch, threads and classes;
what an epoch costs beyond its steps; the most memory of a process that trains. About four minutes on an idle machine.

Usage: curve              the record
       curve --plot FILE  the drawing of a record, on standard output
       curve --help       this text";

/// The option for a process that measures its own memory: network, classes, images, epochs, threads.
const MEMORY: &str = "--memory";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match &arguments[..] {
        [] => whole(),
        ["--help" | "-h"] => Ok(format!("{HELP}\n")),
        ["--plot", file] => drawing(file),
        [MEMORY, net, numbers @ ..] => memory(net, numbers),
        _ => {
            eprintln!("unknown option; see --help");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn drawing(file: &str) -> Result<String, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let (_, lines) = record::read::<Line>(&text).map_err(|error| format!("{file}: {error}"))?;
    curve::plot(&lines)
}

fn memory(net: &str, numbers: &[&str]) -> Result<String, String> {
    let numbers: Vec<usize> = numbers.iter().filter_map(|number| number.parse().ok()).collect();
    let [classes, images, epochs, threads] = numbers[..] else {
        return Err(format!("{MEMORY} has too few values; pass classes, images, epochs, and threads"));
    };
    let line = curve::memory(net, classes, images, epochs, threads)?;
    serde_json::to_string(&line).map_err(|error| error.to_string())
}

/// [`curve::memory`] in a process of its own.
fn apart(net: &str, numbers: [usize; 4]) -> Result<Line, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new(program).args([MEMORY, net]).args(numbers.map(|number| number.to_string())).output();
    let output = output.map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
}

fn whole() -> Result<String, String> {
    let most = std::thread::available_parallelism().map_or(1, usize::from);
    let threads: Vec<usize> = [1, 2].into_iter().filter(|&threads| threads <= most).collect();
    let mut lines = vec![];
    for &threads in &threads {
        for power in 0..=13 {
            lines.push(curve::step("lenet", 96, 1 << power, threads)?);
        }
        for classes in [10, 32, 320, 1000] {
            lines.push(curve::step("lenet", classes, 1024, threads)?);
        }
        for batch in [1, 16, 128, 1024] {
            lines.push(curve::step("agenet", 90, batch, threads)?);
        }
        lines.push(curve::epoch("lenet", 96, 24_000, threads)?);
        lines.push(curve::epoch("agenet", 90, 4_800, threads)?);
    }
    for epochs in [1, 4] {
        lines.push(apart("lenet", [96, 60_000, epochs, most])?);
        lines.push(apart("agenet", [90, 6_000, epochs, most])?);
    }
    let machine = Machine::this("cargo run --release -p simloss-bench --bin curve");
    record::write(&machine, &lines).map_err(|error| error.to_string())
}
