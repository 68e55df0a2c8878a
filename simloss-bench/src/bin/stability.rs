//! Measures the worst errors of SimLoss and other implementations on hard inputs.
//!
//! One row for every quantity, implementation, and scalar, compared with the one table of bounds (`simloss_bench::bounds`).
//! Exits with 1 if a row of ours exceeds its bound, or if an implementation passes that is listed as failing.

use std::path::PathBuf;
use std::process::ExitCode;

use simloss_bench::bounds::{Implementation, Quantity, Verdict, check};
use simloss_bench::measure::{self, CASES, HERE, Measured, SEED};
use simloss_bench::real::Scalar;
use simloss_bench::record::{self, Machine, Row};
use simloss_bench::{cases, instructions};

const HELP: &str = "\
Measure the worst errors of SimLoss, cross entropy, and other implementations on hard inputs

Usage: stability [OPTIONS]

  --json          Print one JSON object per row instead of a table
  --cases N       Use N times as many inputs (default 1: about two minutes on two cores)
  --record FILE   Also write the rows, with their worst inputs and this machine, to FILE
  --show CASE     Only print one case in full, such as `f32:17`, or `proper:f32:17` for proper SimLoss and squared EMD
  --help          Print this help

Exit status: 0 if every bound holds and every expected failure fails, 1 otherwise, 2 for a wrong option";

/// Samples per elementary function and scalar.
const SAMPLES: usize = 12_000;

/// Measured on the machine that the record names; these libraries are not part of this build.
const RECORDED: &str = include_str!("../../records/peers-stability.json");

#[derive(Default)]
struct Options {
    json: bool,
    times: usize,
    record: Option<PathBuf>,
    show: Option<String>,
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options { times: 1, ..Options::default() };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} has no value; see --help"));
        match argument.as_str() {
            "--json" => options.json = true,
            "--cases" => {
                let text = value()?;
                let times = text.parse().ok().filter(|&times| times > 0);
                options.times = times.ok_or(format!("--cases {text} is not a positive integer; use 1 or more"))?;
            }
            "--record" => options.record = Some(value()?.into()),
            "--show" => options.show = Some(value()?),
            "--help" | "-h" => return Ok(None),
            _ => return Err(format!("unknown option '{argument}'; see --help")),
        }
    }
    Ok(Some(options))
}

fn main() -> ExitCode {
    match options(std::env::args().skip(1)) {
        Ok(None) => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        Ok(Some(options)) => match run(&options) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(problem) => fail(&problem),
        },
        Err(problem) => fail(&problem),
    }
}

fn fail(problem: &str) -> ExitCode {
    eprintln!("{problem}");
    ExitCode::from(2)
}

/// Returns whether all bounds and expected failures hold.
fn run(options: &Options) -> Result<bool, String> {
    if let Some(case) = &options.show {
        println!("{}", shown(case)?);
        return Ok(true);
    }
    let (cases, samples) = (CASES * options.times, SAMPLES * options.times);
    let mut measured = measure::losses::<f32>(&HERE, SEED, cases);
    measured.extend(measure::losses::<f64>(&HERE, SEED, cases));
    measured.extend(measure::proper::<f32>(SEED, cases));
    measured.extend(measure::proper::<f64>(SEED, cases));
    measured.extend(measure::elementary::<f32>(SEED, samples));
    measured.extend(measure::elementary::<f64>(SEED, samples));
    let lanes = instructions::compare_lanes(SEED, cases.min(2_000));
    let (_, recorded) =
        record::read(RECORDED).map_err(|error| format!("docs/records/peers-stability.json: {error}"))?;

    let mut rows: Vec<(Row, bool)> = measured.iter().map(|row| (row_of(row), false)).collect();
    rows.extend(recorded.into_iter().map(|row| (row, true)));
    rows.sort_by_key(|(row, _)| place(row));

    if let Some(path) = &options.record {
        let command = format!("cargo run --release -p simloss-bench --bin stability -- --cases {}", options.times);
        let ours: Vec<Row> = rows.iter().filter(|(_, recorded)| !recorded).map(|(row, _)| row.clone()).collect();
        let text = record::write(&Machine::this(&command), &ours).map_err(|error| error.to_string())?;
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    if options.json {
        for (row, _) in &rows {
            let line = serde_json::to_string(&Row { input: None, ..row.clone() }).map_err(|error| error.to_string())?;
            println!("{line}");
        }
    } else {
        table(&rows);
        match &lanes {
            Ok(text) | Err(text) => println!("\n{text}"),
        }
    }
    let mut fine = lanes.is_ok();
    for (row, _) in &rows {
        if !verdict(row).is_some_and(Verdict::is_fine) {
            eprintln!("{} of {} in {}: {}", row.quantity, row.implementation, row.scalar, words(row));
            fine = false;
        }
    }
    Ok(fine)
}

fn row_of(measured: &Measured) -> Row {
    Row::new(measured.quantity, measured.implementation, measured.scalar, &measured.stats)
}

fn kinds(row: &Row) -> (Option<Quantity>, Option<Implementation>, Option<Scalar>) {
    (
        Quantity::ALL.into_iter().find(|quantity| quantity.name() == row.quantity),
        Implementation::ALL.into_iter().find(|implementation| implementation.name() == row.implementation),
        Scalar::ALL.into_iter().find(|scalar| scalar.name() == row.scalar),
    )
}

/// The position of a row: by quantity, implementation, and scalar, in the order of their lists.
fn place(row: &Row) -> [usize; 3] {
    let index = |names: &[&str], name: &str| names.iter().position(|&n| n == name).unwrap_or(names.len());
    [
        index(&Quantity::ALL.map(Quantity::name), &row.quantity),
        index(&Implementation::ALL.map(Implementation::name), &row.implementation),
        index(&Scalar::ALL.map(Scalar::name), &row.scalar),
    ]
}

fn verdict(row: &Row) -> Option<Verdict> {
    let (quantity, implementation, scalar) = kinds(row);
    Some(check(implementation?, quantity?, scalar?, row.max_ulp))
}

fn words(row: &Row) -> &'static str {
    match verdict(row) {
        Some(Verdict::Within) => "within",
        Some(Verdict::FailsAsExpected(_)) => "fails, as listed",
        Some(Verdict::Exceeds) => "EXCEEDS ITS BOUND",
        Some(Verdict::PassesUnexpectedly) => "PASSES, but is listed as failing",
        None => "NOT IN THE TABLE OF BOUNDS",
    }
}

fn table(rows: &[(Row, bool)]) {
    println!("quantity  implementation  scalar   inputs  worst ulp  bound  worst relative");
    for (row, recorded) in rows {
        let Row { quantity, implementation, scalar, inputs, bound_ulp, .. } = row;
        let (ulp, relative) = (short(row.max_ulp), format!("{:.2e}", row.max_rel));
        let recorded = if *recorded { " (recorded)" } else { "" };
        let word = words(row);
        println!(
            "{quantity:8}  {implementation:14}  {scalar:6} {inputs:8} {ulp:>10} {bound_ulp:6} {relative:>15}  {word}{recorded}"
        );
    }
    println!("\nInputs with the worst error (--show prints a case in full):");
    for (row, _) in rows {
        if let Some(input) = &row.input {
            println!("{} {} {}: {input}", row.quantity, row.implementation, row.scalar);
        }
    }
}

fn short(ulp: f64) -> String {
    if ulp < 1e6 { format!("{ulp:.3}") } else { format!("{ulp:.2e}") }
}

fn shown(case: &str) -> Result<String, String> {
    let wrong = || format!("--show {case} is not a scalar and an index; write f32:17 or proper:f32:17");
    let parts: Vec<&str> = case.split(':').collect();
    let index = parts.last().and_then(|index| index.parse().ok()).ok_or_else(wrong)?;
    match parts[..parts.len() - 1] {
        ["f32"] => Ok(cases::case::<f32>(SEED, index).to_string()),
        ["f64"] => Ok(cases::case::<f64>(SEED, index).to_string()),
        ["proper", "f32"] => Ok(cases::proper::case::<f32>(SEED, index).to_string()),
        ["proper", "f64"] => Ok(cases::proper::case::<f64>(SEED, index).to_string()),
        _ => Err(wrong()),
    }
}
