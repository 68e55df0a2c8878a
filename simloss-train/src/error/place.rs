//! What is wrong in a file that people give, and where.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// What is wrong in a file, and where: `file, line 3, column "age": problem`.
#[derive(Debug, PartialEq)]
pub struct InFile<P>(Box<Place<P>>);

#[derive(Debug, PartialEq)]
struct Place<P> {
    path: PathBuf,
    line: Option<u64>,
    column: Option<String>,
    problem: P,
}

impl<P> InFile<P> {
    /// A problem of the whole file.
    pub(crate) fn file(path: &Path, problem: P) -> Self {
        InFile(Box::new(Place { path: path.into(), line: None, column: None, problem }))
    }

    /// The same on a line.
    pub(crate) fn line(mut self, line: u64) -> Self {
        self.0.line = Some(line);
        self
    }

    /// The same in a column.
    pub(crate) fn column(mut self, column: impl Into<String>) -> Self {
        self.0.column = Some(column.into());
        self
    }

    /// The column, where there is one.
    pub(crate) fn in_column(&self) -> Option<&str> {
        self.0.column.as_deref()
    }

    /// The same place with another problem.
    pub(crate) fn map<Q>(self, to: impl FnOnce(P) -> Q) -> InFile<Q> {
        let Place { path, line, column, problem } = *self.0;
        InFile(Box::new(Place { path, line, column, problem: to(problem) }))
    }

    /// What is wrong, without the place.
    pub fn problem(&self) -> &P {
        &self.0.problem
    }
}

impl<P: fmt::Display> fmt::Display for InFile<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { path, line, column, problem } = &*self.0;
        write!(f, "{}", path.display())?;
        if let Some(line) = line {
            write!(f, ", line {line}")?;
        }
        if let Some(column) = column {
            write!(f, ", column {column:?}")?;
        }
        write!(f, ": {problem}")
    }
}

impl<P: fmt::Debug + fmt::Display> std::error::Error for InFile<P> {}

/// Why a file is not text that can be read here.
#[derive(Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// It is larger than 1 GiB.
    #[error("the file is larger than 1 GiB; give a part of it")]
    TooLarge,
    /// It holds bytes that are not UTF-8.
    #[error("the file is not UTF-8 text; save it as CSV in UTF-8")]
    Encoding,
}

/// Why a field is not a number.
#[derive(Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BadNumber {
    /// It is empty.
    #[error("the field is empty; fill it in, or remove the row or the column")]
    Missing,
    /// It is text.
    #[error("{text:?} is not a number{hint}")]
    NotANumber {
        /// The field.
        text: String,
        /// What to do.
        hint: &'static str,
    },
    /// It is NaN or infinite, or beyond `f32`.
    #[error("{0:?} is not a finite number that fits 32 bits; fill in a number, or remove the row")]
    NotFinite(String),
}

/// Names in quotes, not all where there are many.
pub(crate) fn list<S: AsRef<str>>(names: &[S]) -> String {
    const MOST: usize = 20;
    let shown: Vec<String> = names.iter().take(MOST).map(|name| format!("{:?}", name.as_ref())).collect();
    let more = if names.len() > MOST { format!(" and {} more", names.len() - MOST) } else { String::new() };
    shown.join(", ") + &more
}

/// Lists that are not empty, each behind what it holds.
pub(crate) fn join(lists: &[(&str, &[String])]) -> String {
    let parts: Vec<String> = lists
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what}: {}", list(names)))
        .collect();
    parts.join("; ")
}
