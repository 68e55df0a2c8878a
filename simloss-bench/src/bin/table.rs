//! Reads a table of a million rows and 20 columns of numbers, and compares with the crate `csv` and a parse of every field
//! on one thread: time, and memory beside that of the numbers.
//!
//! ```sh
//! cargo run --release -p simloss-bench --bin table
//! ```
//!
//! The goals are 1.25 times the time of `csv` with the parse of every field, and 1.5 times the memory of the numbers. The
//! exit code is 1 where one is missed.

use simloss_train::data::read::csv::{self, Columns};
use std::{
    error::Error,
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

const ROWS: usize = 1_000_000;
const COLUMNS: usize = 20;
/// Each is read so often, in turns; the least time counts.
const TIMES: usize = 3;
const MOST_TIME: f64 = 1.25;
const MOST_MEMORY: f64 = 1.5;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("simloss-table-{}.csv", std::process::id()));
    write(&path)?;
    let result = measure(&path);
    fs::remove_file(&path)?;
    result
}

fn measure(path: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let numbers = (ROWS * COLUMNS * size_of::<f32>()) as f64;
    let before = peak()?;
    let columns = Columns { label: "grade".to_owned(), ..Columns::default() };
    let read = || csv::read(path, &columns);
    let begin = Instant::now();
    let table = read()?;
    let mut ours = begin.elapsed();
    // The first read is the one that the peak is of.
    let memory = (peak()? - before) / numbers;
    assert_eq!((table.data.samples(), table.data.width()), (ROWS, COLUMNS));
    drop(table);
    let mut theirs = Duration::MAX;
    for _ in 0..TIMES {
        let begin = Instant::now();
        let sum = plain(path)?;
        theirs = theirs.min(begin.elapsed());
        assert!(sum.is_finite());
        let begin = Instant::now();
        read()?;
        ours = ours.min(begin.elapsed());
    }
    let time = ours.as_secs_f64() / theirs.as_secs_f64();
    println!(
        "{ROWS} rows of {COLUMNS} numbers: {ours:.2?}, csv and parse {theirs:.2?}, ratio {time:.2} (at most {MOST_TIME})"
    );
    println!("memory at most {memory:.2} times the numbers (at most {MOST_MEMORY})");
    Ok(if time <= MOST_TIME && memory <= MOST_MEMORY { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every field with the crate `csv`, on this thread.
fn plain(path: &Path) -> Result<f32, Box<dyn Error>> {
    let mut reader = ::csv::Reader::from_path(path)?;
    let (mut row, mut numbers) = (::csv::StringRecord::new(), Vec::with_capacity(ROWS * (COLUMNS + 1)));
    while reader.read_record(&mut row)? {
        for field in &row {
            numbers.push(field.parse::<f32>()?);
        }
    }
    Ok(numbers.iter().sum())
}

/// The most memory that this process had, in bytes.
fn peak() -> Result<f64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM: this needs Linux")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(1024.0 * kilobytes)
}

fn write(path: &Path) -> Result<(), Box<dyn Error>> {
    let mut file = BufWriter::new(File::create(path)?);
    let names: Vec<String> = (0..COLUMNS).map(|i| format!("x{i}")).collect();
    writeln!(file, "grade,{}", names.join(","))?;
    let mut random = simloss_core::Random::new(1);
    for row in 0..ROWS {
        write!(file, "{}", row % 5)?;
        for _ in 0..COLUMNS {
            write!(file, ",{:.4}", 20.0 * random.unit::<f32>() - 10.0)?;
        }
        writeln!(file)?;
    }
    file.flush()?;
    Ok(())
}
