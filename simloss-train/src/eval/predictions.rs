//! What a network says of samples without labels, written as it comes.

use crate::{Error, eval::scores::Values};
use serde::{Serialize, Serializer};
use simloss_core::{
    Label,
    decoders::{Probabilities, argmax, median},
    loss::softmax_into,
};
use std::{io::Write, path::Path};

/// What is written of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A row: sample, class, median, expectation, probabilities.
    Csv,
    /// An object on a line of an array.
    Json,
}

/// The classes of a network.
#[derive(Clone, Copy, Debug)]
pub struct Classes<'a> {
    /// Their names.
    pub names: &'a [String],
    /// What they stand for.
    pub values: &'a [f64],
    /// Whether they are in an order: else there is no median and no expectation.
    pub ordered: bool,
}

/// Where a sample comes from.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Source {
    /// The row of a table, counted from 1 without the names.
    Row(u64),
    /// A file.
    File(String),
}

/// Writes predictions, one after the other; keeps none of them.
pub struct Writer<'a, W: Write> {
    classes: Classes<'a>,
    values: Values,
    probabilities: Vec<f32>,
    format: Format,
    to: W,
    path: &'a Path,
    written: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    sample: Source,
    class: &'a str,
    median: Option<&'a str>,
    expectation: Option<f64>,
    #[serde(serialize_with = "by_name")]
    probabilities: (&'a [String], &'a [f32]),
}

fn by_name<S: Serializer>((names, p): &(&[String], &[f32]), serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(names.iter().zip(*p))
}

impl<'a, W: Write> Writer<'a, W> {
    /// Begins; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn new(classes: Classes<'a>, format: Format, to: W, path: &'a Path) -> Result<Self, Error> {
        let (values, probabilities) = (Values::of(classes.values), vec![0.0; classes.names.len()]);
        let mut writer = Writer { classes, values, probabilities, format, to, path, written: 0 };
        match format {
            Format::Csv => {
                let first = ["sample", "class", "median", "expectation"].map(str::to_owned);
                let names = classes.names.iter().map(|name| format!("p({name})"));
                writer.row(first.into_iter().chain(names))?;
            }
            Format::Json => writer.bytes(b"[")?,
        }
        Ok(writer)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.to.write_all(bytes).map_err(Error::file("write", self.path))
    }

    fn row(&mut self, fields: impl Iterator<Item = String>) -> Result<(), Error> {
        let mut row = csv::Writer::from_writer(vec![]);
        let wrong = |error: std::io::Error| Error::file("write", self.path)(error);
        row.write_record(fields).map_err(|e| wrong(std::io::Error::other(e)))?;
        let row = row.into_inner().map_err(|e| wrong(std::io::Error::other(e.to_string())))?;
        self.bytes(&row)
    }

    /// One more sample, of which the network says `logits`.
    ///
    /// # Errors
    /// [`Error::Core`] for logits that are not finite; [`Error::File`].
    pub fn add(&mut self, sample: Source, logits: &[f32]) -> Result<(), Error> {
        softmax_into(logits, &mut self.probabilities)?;
        let names = self.classes.names;
        let name = |label: Label| names.get(label.index()).map_or("", String::as_str);
        let class = name(argmax(logits)?);
        let p = Probabilities::new(&self.probabilities)?;
        let middle = self.classes.ordered.then(|| name(median(p)));
        let expectation = self.classes.ordered.then(|| self.values.expectation(p)).transpose()?;
        self.written += 1;
        match self.format {
            Format::Csv => {
                let sample = match sample {
                    Source::Row(row) => row.to_string(),
                    Source::File(path) => path,
                };
                let expectation = expectation.map_or(String::new(), |x| self.values.text(x));
                let first = [sample, class.to_owned(), middle.unwrap_or("").to_owned(), expectation];
                let p: Vec<String> = self.probabilities.iter().map(f32::to_string).collect();
                self.row(first.into_iter().chain(p))
            }
            Format::Json => {
                let line =
                    Line { sample, class, median: middle, expectation, probabilities: (names, &self.probabilities) };
                let text = serde_json::to_string(&line).map_err(|e| Error::file("write", self.path)(e.into()))?;
                let before = if self.written == 1 { "\n" } else { ",\n" };
                self.bytes(format!("{before}{text}").as_bytes())
            }
        }
    }

    /// Ends, and says how many there were.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn end(mut self) -> Result<u64, Error> {
        if self.format == Format::Json {
            self.bytes(b"\n]\n")?;
        }
        self.to.flush().map_err(Error::file("write", self.path))?;
        Ok(self.written)
    }
}
