//! What a command understood of its data, before it does anything with them: one screen.

use crate::{
    Error,
    compute::task::{Data, Task},
    data::images::Part,
    error::place::list,
    similarity::Request,
};
use std::fmt::Write;

/// Classes that are listed, each on a line.
const LISTED: usize = 20;
/// Features that are named.
const NAMED: usize = 12;

/// The samples, the classes in their order with the samples of each part, classes that a part lacks, and the similarity;
/// `given` says whether the command line names it, and `seed` is that of the first split.
///
/// # Errors
/// As [`Data::split`].
pub(super) fn of(task: &Task, request: &Request, given: bool, seed: u64) -> Result<String, Error> {
    let data = task.data();
    let split = data.split(seed)?;
    let names = data.class_names();
    let mut counts = vec![[0usize; 3]; names.len()];
    for (part, samples) in [&split.train, &split.validation, &split.test].into_iter().enumerate() {
        for &i in samples {
            counts[data.labels()[i as usize].index()][part] += 1;
        }
    }
    let mut text = format!("{}: {} ", data.name(), data.labels().len());
    let _ = match data {
        Data::Table(table) if table.feature_names().is_empty() => {
            writeln!(text, "samples of {} features", table.width())
        }
        Data::Table(table) => {
            let features = table.feature_names();
            let more = if features.len() > NAMED { ", ..." } else { "" };
            let shown: Vec<&str> = features.iter().take(NAMED).map(String::as_str).collect();
            writeln!(text, "samples of {} features: {}{more}", table.width(), shown.join(", "))
        }
        Data::Images(set, _) => {
            let [height, width] = set.size();
            writeln!(text, "images, as {width} x {height} pixels")
        }
    };
    let said = match data {
        Data::Images(set, _) => [Part::Train, Part::Validation, Part::Test].map(|part| !set.part(part).is_empty()),
        Data::Table(_) => [false; 3],
    };
    let parts = match said {
        [_, true, true] => "sets from the folders".to_owned(),
        [_, false, true] => format!("test set from the folders, validation set drawn with seed {seed}"),
        [_, true, false] => format!("validation set from the folders, test set drawn with seed {seed}"),
        [_, false, false] => format!("sets drawn with seed {seed}"),
    };
    let order = if task.ordered() { "ordered as listed" } else { "not ordered" };
    let _ = writeln!(text, "{} classes, {order}; training, validation, and test samples ({parts}):", names.len());
    let width = names.iter().take(LISTED).map(|name| name.chars().count()).max().unwrap_or(0);
    for (name, [train, validation, test]) in names.iter().zip(&counts).take(LISTED) {
        let _ = writeln!(text, "  {name:<width$}  {train:>7} {validation:>7} {test:>7}");
    }
    if names.len() > LISTED {
        let _ = writeln!(text, "  and {} more", names.len() - LISTED);
    }
    for (part, what) in ["training", "validation", "test"].into_iter().enumerate() {
        let without = |part: usize| {
            let lacking = names.iter().zip(&counts).filter(move |(_, count)| count[part] == 0);
            lacking.map(|(name, _)| name.as_str()).collect::<Vec<_>>()
        };
        let lacking = without(part);
        if !lacking.is_empty() {
            let _ = writeln!(text, "no {what} samples of {}", list(&lacking));
        }
    }
    let why = if given { "given" } else { "default" };
    let _ = writeln!(text, "similarity: {} ({why})", request.kind.name());
    Ok(text)
}
