//! `simloss plot`: a picture of a published record.

use crate::{
    Error,
    cli::PlotCommand,
    files,
    report::{picture, records},
};

pub(super) fn plot(command: PlotCommand) -> Result<String, Error> {
    let PlotCommand { record, metric, comparison, out } = command;
    files::keep(&out, [&*record])?;
    let svg = picture::draw(&records::lines(&record)?, comparison.as_deref(), &metric)?;
    files::replace(&out, &[svg.as_bytes()])?;
    Ok(format!("Wrote {}\n", out.display()))
}
