//! The options of tables, and of predictions.

use super::{Names, threads};
use crate::data::read::csv::{Delimiter, Form, Header, Missing};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// How a table is written.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Table")]
pub struct FormArgs {
    /// The first row is a sample; columns are named 1, 2, 3, ...
    #[arg(long)]
    pub no_header: bool,
    /// The first row names the columns, although it looks like a sample
    #[arg(long, conflicts_with = "no_header")]
    pub header: bool,
    /// Field separator: comma, semicolon, tab, bar, space (any number of them), or a character [default: detected from the
    /// first two rows]
    #[arg(long, value_name = "WHICH", value_parser = delimiter)]
    pub delimiter: Option<Delimiter>,
    /// Handling of missing values: empty fields, ?, NA, NaN, null, and similar
    #[arg(long, value_name = "WHAT", default_value = "error")]
    pub missing: MissingArg,
}

impl FormArgs {
    /// As the reader takes it.
    pub fn form(self) -> Form {
        let header = match (self.no_header, self.header) {
            (true, _) => Header::No,
            (false, true) => Header::Yes,
            (false, false) => Header::Expected,
        };
        Form { header, delimiter: self.delimiter }
    }
}

/// [`Missing`], on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MissingArg {
    /// Stop; a model trained with median still fills them in
    Error,
    /// Leave out their rows
    Drop,
    /// Fill in the median of the training set, which the model stores; leave out rows without a label
    Median,
}

impl From<MissingArg> for Missing {
    fn from(missing: MissingArg) -> Self {
        match missing {
            MissingArg::Error => Missing::Error,
            MissingArg::Drop => Missing::Drop,
            MissingArg::Median => Missing::Median,
        }
    }
}

/// Names that are given together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List(pub Vec<String>);

/// Names with commas between them, blanks around them left out; one with a comma stands in quotes, as in CSV.
pub(crate) fn list(text: &str) -> Result<List, String> {
    let mut names = vec![];
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (mut name, mut after) = (String::new(), quoted);
                loop {
                    let (part, behind) = after.split_once('"').ok_or("a quote is not closed")?;
                    name.push_str(part);
                    match behind.strip_prefix('"') {
                        Some(more) => {
                            name.push('"');
                            after = more;
                        }
                        None => break (name, behind.trim_start()),
                    }
                }
            }
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].trim_end().to_owned(), &rest[end..])
            }
        };
        names.push(name);
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None if after.is_empty() => return Ok(List(names)),
            None => return Err("something stands behind a quote that closes; put a comma between names".to_owned()),
        }
    }
}

fn delimiter(text: &str) -> Result<Delimiter, String> {
    Ok(match text {
        "comma" => Delimiter::Byte(b','),
        "semicolon" => Delimiter::Byte(b';'),
        "tab" | "\\t" => Delimiter::Byte(b'\t'),
        "bar" | "pipe" => Delimiter::Byte(b'|'),
        "space" | " " => Delimiter::Space,
        _ => match text.as_bytes() {
            &[byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"\"\r\n".contains(&byte) => {
                Delimiter::Byte(byte)
            }
            _ => return Err("the delimiter must be comma, semicolon, tab, bar, space, or one character".into()),
        },
    })
}

/// `simloss predict`.
#[derive(Debug, Args)]
pub struct PredictCommand {
    /// A table with the columns that the model uses, or images: files and directories
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// Model: model.safetensors of this program, or a safetensors file in PyTorch's layout
    #[arg(long, value_name = "FILE")]
    pub checkpoint: PathBuf,
    /// Output file [default: the terminal]
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Write a JSON array, one object per line, instead of CSV
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// Columns to ignore
    #[arg(long, value_name = "COLUMNS", value_parser = list, help_heading = "Table")]
    pub ignore: Vec<List>,
    /// How the table is written.
    #[command(flatten)]
    pub form: FormArgs,
    /// Leave out unreadable images and list them; without this, they are an error
    #[arg(long, help_heading = "Images")]
    pub skip_bad: bool,
    /// Threads; results do not change [default: the number of processors]
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    pub threads: Option<usize>,
}

/// `simloss check`.
#[derive(Debug, Args)]
pub struct CheckCommand {
    /// A table, or a directory with one folder of images per class
    #[arg(value_name = "FILE.csv|DIR")]
    pub path: PathBuf,
    /// Label column of the table
    #[arg(long, value_name = "COLUMN", help_heading = "Table")]
    pub label: Option<String>,
    /// Order of named classes, as in `train table`
    #[arg(long, value_name = "NAMES|@FILE", value_parser = super::names, help_heading = "Table")]
    pub order: Option<Names>,
    /// Columns to ignore
    #[arg(long, value_name = "COLUMNS", value_parser = list, help_heading = "Table")]
    pub ignore: Vec<List>,
    /// Numeric columns that hold categories
    #[arg(long, value_name = "COLUMNS", value_parser = list, help_heading = "Table")]
    pub categories: Vec<List>,
    /// How the table is written.
    #[command(flatten)]
    pub form: FormArgs,
    /// Threads [default: the number of processors]
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    pub threads: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_stand_in_quotes() {
        let names = |text: &str| list(text).map(|list| list.0);
        assert_eq!(names("low, mid ,high"), Ok(["low", "mid", "high"].map(str::to_owned).to_vec()));
        let quoted = r#""Yes, a lot", "so ""so""" ,no"#;
        assert_eq!(names(quoted), Ok(["Yes, a lot", r#"so "so""#, "no"].map(str::to_owned).to_vec()));
        assert_eq!(names("a,,b"), Ok(["a", "", "b"].map(str::to_owned).to_vec()));
        assert_eq!(names(""), Ok(vec![String::new()]));
        assert!(names(r#""a"#).is_err_and(|e| e.contains("not closed")));
        assert!(names(r#""a" b"#).is_err_and(|e| e.contains("a comma between names")));
    }

    #[test]
    fn separators_have_names() {
        for (text, expected) in [
            ("tab", Delimiter::Byte(b'\t')),
            (";", Delimiter::Byte(b';')),
            ("pipe", Delimiter::Byte(b'|')),
            ("space", Delimiter::Space),
        ] {
            assert_eq!(delimiter(text), Ok(expected));
        }
        for text in ["", "ab", "a", "\"", "é"] {
            assert!(delimiter(text).is_err_and(|e| e.contains("the delimiter must be")), "{text}");
        }
    }
}
