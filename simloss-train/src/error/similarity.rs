//! What can be wrong in a file that describes a similarity.

use super::place::{BadNumber, join, list};

/// How far from 1 the diagonal of a file may be: cosines of a vector with itself miss it by rounding.
pub const DIAGONAL: f32 = 1e-4;

/// The most classes of a similarity that is built here: a matrix of so many takes 64 MiB.
pub const MOST_CLASSES: usize = 4096;

/// What is wrong in a file that describes a similarity.
#[derive(Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// There is nothing in it.
    #[error("the file is empty; {expected}")]
    Empty {
        /// What should be there.
        expected: &'static str,
    },
    /// A row is longer or shorter than the first.
    #[error("the row has {found} fields, but the first row has {expected}; give all as many")]
    Ragged {
        /// Fields of the first row.
        expected: usize,
        /// Fields found.
        found: usize,
    },
    /// Not as many rows as columns.
    #[error("there are {rows} rows of {columns} numbers; a similarity has as many rows as columns")]
    NotSquare {
        /// Rows of numbers.
        rows: usize,
        /// Numbers in each.
        columns: usize,
    },
    /// Another number of classes.
    #[error(
        "the matrix is for {found} classes, but there are {expected}: {classes}; give one of their size, or with names"
    )]
    Size {
        /// Classes there are.
        expected: usize,
        /// Classes of the matrix.
        found: usize,
        /// Their names.
        classes: String,
    },
    /// Outside what a similarity may have.
    #[error("there must be from 2 to {MOST_CLASSES} classes, not {0}")]
    Classes(usize),
    /// Names that are not those of the classes.
    #[error("the names do not fit the classes: {}; correct them", join(&[("missing", missing), ("not a class", unknown)]))]
    Names {
        /// Classes that are not named.
        missing: Vec<String>,
        /// Names that are no class.
        unknown: Vec<String>,
    },
    /// One name twice.
    #[error("the name {0:?} stands twice; keep one of them")]
    Twice(String),
    /// A name is empty.
    #[error("a name is empty; fill it in, or remove the row")]
    Unnamed,
    /// Rows and columns with different names.
    #[error("rows and columns have different names: {}; give both the same", join(&[("only a row", rows), ("only a column", columns)]))]
    RowsAndColumns {
        /// Names of rows alone.
        rows: Vec<String>,
        /// Names of columns alone.
        columns: Vec<String>,
    },
    /// An entry is not a number.
    #[error("the similarity of true class {row:?} and class {column:?}: {problem}")]
    Number {
        /// The true class.
        row: String,
        /// The other class.
        column: String,
        /// What stands there.
        problem: BadNumber,
    },
    /// An entry is outside its range.
    #[error("the similarity of true class {row:?} and class {column:?} is {value}, outside [{least}, 1]{hint}")]
    Range {
        /// The true class.
        row: String,
        /// The other class.
        column: String,
        /// What stands there.
        value: f32,
        /// The least it may be.
        least: i8,
        /// What to do.
        hint: &'static str,
    },
    /// A pair of classes has two similarities, and a tree can show only one.
    #[error(
        "the similarity of classes {first:?} and {second:?} is {values:?}, depending on which is the true one; a tree needs \
         one for both, so correct it, or choose another --link"
    )]
    Asymmetric {
        /// A class.
        first: String,
        /// Another.
        second: String,
        /// Both similarities.
        values: [f32; 2],
    },
    /// The similarity of a class with itself is not 1.
    #[error("the similarity of class {class:?} with itself is {value}; it must be 1, within {DIAGONAL}; correct it")]
    Diagonal {
        /// The class.
        class: String,
        /// What stands there.
        value: f32,
    },
    /// A file without its two columns.
    #[error("the first row must name the columns {expected}; it names {found}; correct it")]
    Columns {
        /// What it should name.
        expected: &'static str,
        /// What it names.
        found: String,
    },
    /// Words without a vector.
    #[error(
        "no vector for {} of the classes: {}; give their words with --aliases FILE.csv, or leave the classes out",
        names.len(), list(names)
    )]
    NoVector {
        /// The classes.
        names: Vec<String>,
    },
    /// Word vectors or NumPy's numbers that cannot be read.
    #[error("{what}; {hint}")]
    Vector {
        /// What is wrong.
        what: String,
        /// What to do.
        hint: &'static str,
    },
}
