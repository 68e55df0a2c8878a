//! `simloss plot`.

use clap::Args;
use std::path::PathBuf;

/// `simloss plot`.
#[derive(Debug, Args)]
pub struct PlotCommand {
    /// The record, as `simloss report --record` writes it
    #[arg(value_name = "RECORD.json")]
    pub record: PathBuf,
    /// The metrics of the test set to draw, a panel each, separated by commas, such as nll, ece, accuracy, mae, sa, fsa
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "nll,accuracy")]
    pub metric: Vec<String>,
    /// The comparison to draw, where the record holds several
    #[arg(long, value_name = "NAME")]
    pub comparison: Option<String>,
    /// The SVG file to write; it follows the light or dark theme of the page that shows it
    #[arg(long, value_name = "FILE.svg", help_heading = "Output")]
    pub out: PathBuf,
}
