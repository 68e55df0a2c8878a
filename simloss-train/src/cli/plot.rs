//! `simloss plot`.

use clap::Args;
use std::path::PathBuf;

/// `simloss plot`.
#[derive(Debug, Args)]
pub struct PlotCommand {
    /// Record written by `simloss report --record`
    #[arg(value_name = "RECORD.json")]
    pub record: PathBuf,
    /// Test metrics, one panel each, such as nll, ece, accuracy, mae, sa, fsa
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "nll,accuracy")]
    pub metric: Vec<String>,
    /// Comparison to plot, if the record holds several
    #[arg(long, value_name = "NAME")]
    pub comparison: Option<String>,
    /// SVG file; it follows the light or dark theme of the page
    #[arg(long, value_name = "FILE.svg", help_heading = "Output")]
    pub out: PathBuf,
}
