//! What is written of a comparison: one file a format, each of which only formats an [`Analysis`].

pub mod csv;
mod figures;
mod forest;
pub(crate) mod format;
pub mod html;
pub mod json;
pub mod markdown;
pub mod picture;
mod plot;
pub mod records;
pub mod terminal;
mod words;

use crate::{
    Error,
    compare::{
        analysis::Analysis,
        manifest::{MARKDOWN, REPORT, RESULTS_CSV, RESULTS_JSON},
    },
    files,
};
use json::Machine;
use std::path::Path;

/// Writes every file of a report into the output directory, each whole or not at all.
///
/// # Errors
/// [`Error::File`], [`Error::Draw`].
pub fn write(analysis: &Analysis, out: &Path) -> Result<(), Error> {
    let [page, markdown, csv, json] = [REPORT, MARKDOWN, RESULTS_CSV, RESULTS_JSON].map(|name| out.join(name));
    files::replace(&csv, &[&csv::render(analysis, &csv)?])?;
    files::replace(&json, &[&json::render(analysis, Machine::this(analysis.settings.threads)?, &json)?])?;
    files::replace(&markdown, &[markdown::render(analysis).as_bytes()])?;
    files::replace(&page, &[html::render(analysis)?.as_bytes()])
}
