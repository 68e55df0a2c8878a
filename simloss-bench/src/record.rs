//! Records of measurements: JSON, one object per line. The first line names the machine and the command.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::bounds::{Bound, Implementation, Quantity};
use crate::error_stats::ErrorStats;
use crate::real::Scalar;

/// The machine and the command of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The command that reproduces the record.
    pub command: String,
    /// The version of this project.
    pub version: String,
    /// The compiler.
    pub rustc: String,
    /// The processor.
    pub processor: String,
    /// Its cores, as the operating system counts them.
    pub cores: usize,
    /// The operating system and architecture.
    pub system: String,
}

impl Machine {
    /// This machine.
    pub fn this(command: &str) -> Self {
        let text = |command: &mut Command| {
            let output = command.output().ok().filter(|output| output.status.success());
            output.and_then(|output| String::from_utf8(output.stdout).ok()).map(|text| text.trim().to_owned())
        };
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let unknown = || "unknown".to_owned();
        Machine {
            command: command.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rustc: text(Command::new("rustc").arg("--version")).unwrap_or_else(unknown),
            processor: processor.map_or_else(unknown, |(_, name)| name.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }
}

/// The worst errors of one implementation for one quantity, as in records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// [`Quantity::name`].
    pub quantity: String,
    /// [`Implementation::name`].
    pub implementation: String,
    /// [`Scalar::name`].
    pub scalar: String,
    /// The number of inputs.
    pub inputs: u64,
    /// The largest relative error.
    #[serde(with = "number")]
    pub max_rel: f64,
    /// The largest distance in ulp.
    #[serde(with = "number")]
    pub max_ulp: f64,
    /// Its bound.
    pub bound_ulp: f64,
    /// Whether the distance is within the bound.
    pub within: bool,
    /// The input with the largest distance, in decimal and bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
}

impl Row {
    /// The row of measured errors.
    pub fn new(quantity: Quantity, implementation: Implementation, scalar: Scalar, stats: &ErrorStats) -> Self {
        let bound = Bound::of(quantity, scalar);
        Row {
            quantity: quantity.name().to_owned(),
            implementation: implementation.name().to_owned(),
            scalar: scalar.name().to_owned(),
            inputs: stats.inputs,
            max_rel: stats.max_rel,
            max_ulp: stats.max_ulp,
            bound_ulp: bound.ulp,
            within: bound.holds(stats.max_ulp),
            input: Some(stats.worst.clone()),
        }
    }
}

/// The time of one criterion bench, as in records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Time {
    /// Its group and name.
    pub bench: String,
    /// The number of logits (or exponentials); 1 if the bench does not state it.
    pub elements: u64,
    /// The median time of one of them, in nanoseconds.
    pub ns: f64,
    /// The limits of the 95% confidence interval of the median.
    pub interval: [f64; 2],
}

/// Formats a record.
///
/// # Errors
/// An error of serde, which rows do not cause.
pub fn write<R: Serialize>(machine: &Machine, rows: &[R]) -> serde_json::Result<String> {
    let mut lines = vec![serde_json::to_string(machine)?];
    for row in rows {
        lines.push(serde_json::to_string(row)?);
    }
    Ok(lines.join("\n") + "\n")
}

/// Parses a record.
///
/// # Errors
/// An error of serde if the text is not a record.
pub fn read<R: DeserializeOwned>(text: &str) -> serde_json::Result<(Machine, Vec<R>)> {
    let mut lines = text.lines();
    let machine = serde_json::from_str(lines.next().unwrap_or_default())?;
    Ok((machine, lines.map(serde_json::from_str).collect::<serde_json::Result<_>>()?))
}

/// Numbers that may be infinite. JSON has no infinities, so these are strings.
mod number {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(x: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        if x.is_finite() { serializer.serialize_f64(*x) } else { serializer.serialize_str(&x.to_string()) }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(f64),
            Text(String),
        }
        match Either::deserialize(deserializer)? {
            Either::Number(x) => Ok(x),
            Either::Text(text) => text.parse().map_err(D::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back() -> serde_json::Result<()> {
        let machine = Machine::this("none");
        let stats = ErrorStats { inputs: 3, max_rel: f64::INFINITY, max_ulp: 1.5, worst: "1.0 (0x3f800000)".into() };
        let row = Row::new(Quantity::Loss, Implementation::Lse, Scalar::F32, &stats);
        let text = write(&machine, std::slice::from_ref(&row))?;
        assert_eq!(read(&text)?, (machine.clone(), vec![row.clone()]));
        let time = Time { bench: "exp".into(), elements: 3, ns: 0.5, interval: [0.25, 0.75] };
        assert_eq!(read(&write(&machine, std::slice::from_ref(&time))?)?, (machine, vec![time]));
        let line = serde_json::to_string(&Row { input: None, ..row })?;
        let expected = r#"{"quantity":"loss","implementation":"lse","scalar":"f32","inputs":3,"max_rel":"inf","max_ulp":1.5,"bound_ulp":5.0,"within":true}"#;
        assert_eq!(line, expected);
        Ok(())
    }
}
