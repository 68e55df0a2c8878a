//! An analysis as `results.json`: data, network, settings, machine, and every run with all its scores, without its epochs
//! and confusion counts. Everything but the [`Machine`] is the same on every machine.

use crate::{
    Error, VERSION,
    compare::{analysis::Analysis, loss_result::Run},
    compute::{lanes::InstructionSet, network::Kind},
    error::Expected,
    run::record::{DataDescription, Settings},
};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The contents of `results.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The version of this program.
    pub version: String,
    /// Where it ran.
    pub machine: Machine,
    /// The data; the split is that of the first seed.
    pub data: DataDescription,
    /// The network.
    pub network: Kind,
    /// The number of its parameters.
    pub parameters: usize,
    /// How it was trained; the seed is the first.
    pub settings: Settings,
    /// Every run: loss by loss, seed by seed.
    pub runs: Vec<Run>,
}

/// Where a comparison ran, which changes no result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor.
    pub processor: String,
    /// The instruction set that was used.
    pub instructions: String,
    /// Threads for all runs.
    pub threads: usize,
    /// The operating system and architecture.
    pub system: String,
}

impl Machine {
    /// The one that this program runs on.
    ///
    /// # Errors
    /// [`Error::Usage`] for an instruction set that was asked for and is not there.
    pub fn this(threads: usize) -> Result<Self, Error> {
        let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let name = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Ok(Machine {
            processor: name.map_or_else(|| "unknown".to_owned(), |(_, name)| name.to_owned()),
            instructions: format!("{:?}", InstructionSet::chosen()?),
            threads,
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        })
    }
}

/// The bytes of `results.json`; `path` is for errors.
///
/// # Errors
/// [`Error::Format`], which memory does not give.
pub fn render(analysis: &Analysis, machine: Machine, path: &Path) -> Result<Vec<u8>, Error> {
    let results = Results {
        version: VERSION.to_owned(),
        machine,
        data: analysis.data.clone(),
        network: analysis.network.clone(),
        parameters: analysis.parameters,
        settings: analysis.settings.clone(),
        runs: analysis.losses.iter().flat_map(|loss| loss.runs.clone()).collect(),
    };
    let mut text =
        serde_json::to_vec_pretty(&results).map_err(|e| Error::format(path, Expected::written("results"))(&e))?;
    text.push(b'\n');
    Ok(text)
}
