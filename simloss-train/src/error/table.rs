//! What can be wrong in a table.

use super::place::{BadNumber, join};

/// The most classes that a table may have; more of them usually means that the label is a measurement.
pub const MOST_CLASSES: usize = 1000;
/// The fewest samples: enough that training, validation and test sets all hold some.
pub const FEWEST_SAMPLES: usize = 20;

/// The most categories of a column; more of them usually are names or numbers of samples.
pub const MOST_CATEGORIES: usize = 100;

/// That there are others like the first.
fn more(count: usize) -> String {
    if count > 1 { format!(" ({count} of this column are missing)") } else { String::new() }
}

/// What to do about a quote.
pub(crate) const OPEN_QUOTE: &str = "a quote (\") opens a field there that none closes: close it, or remove it";

/// What is wrong with a table.
#[derive(Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// There is nothing in it.
    #[error("the file is empty; its first row should name the columns, and each row below be one sample")]
    Empty,
    /// There is only a first row.
    #[error("there are no samples below the names of the columns; add a row for each")]
    NoSamples,
    /// There is only one column.
    #[error(
        "there is a single column; the label and at least one column of numbers are needed, separated by commas, \
         semicolons, tabs or bars; name another separator with --delimiter, such as --delimiter space"
    )]
    OneColumn,
    /// Every column but the label is left out.
    #[error("no column of numbers is left beside the label; ignore fewer columns")]
    NoFeatures,
    /// A column has no name.
    #[error(
        "column {0} has no name, is not empty, and does not number the rows; give it a name in the first row, or leave \
         columns without a name out with --ignore \"\""
    )]
    Unnamed(usize),
    /// Two columns have one name.
    #[error("two columns have the name {0:?}; rename one of them")]
    SameName(String),
    /// A column that was asked for is not there.
    #[error("there is no column {asked:?}; the columns are {there}")]
    UnknownColumn {
        /// The name asked for.
        asked: String,
        /// The names there.
        there: String,
    },
    /// The first row looks like a sample.
    #[error(
        "the first row should name the columns, but {0}: is the row with the names missing? Then add --no-header, which \
         calls the columns 1, 2, 3, ...; if it does name them, add --header"
    )]
    Headerless(String),
    /// The columns are not those that a network was trained with.
    #[error(
        "the columns do not fit the network: {}; correct their names, and leave out with --ignore what it does not take",
        join(&[("missing", missing), ("not among those it takes", unknown)])
    )]
    OtherColumns {
        /// Columns that it takes and that are not there.
        missing: Vec<String>,
        /// Columns that it does not take.
        unknown: Vec<String>,
    },
    /// The label is left out too.
    #[error("the column {0:?} is the label and cannot be ignored; take it out of --ignore")]
    LabelIgnored(String),
    /// A row is longer or shorter than the first.
    #[error("the row has {found} fields, but the first row names {expected} columns; {advice}")]
    Ragged {
        /// Columns named.
        expected: usize,
        /// Fields found.
        found: usize,
        /// What to do.
        advice: &'static str,
    },
    /// A name of a column or a label goes over several lines.
    #[error("{0:?} goes over several lines; {OPEN_QUOTE}")]
    Lines(String),
    /// A value is missing.
    #[error(
        "{what}; fill it in, or remove the row or the column, or choose --missing drop or --missing median{}",
        more(*count)
    )]
    MissingValue {
        /// What stands there.
        what: String,
        /// How many of the column are missing.
        count: usize,
    },
    /// A label is missing.
    #[error(
        "{}; fill it in, or leave such rows out with --missing drop{}{}",
        if text.is_empty() { "the field is empty".to_owned() } else { format!("the label {text:?} stands for a missing one") },
        if text.is_empty() { "" } else { ", or name it in --order if it is a class" },
        more(*count)
    )]
    MissingLabel {
        /// What stands there.
        text: String,
        /// How many labels are missing.
        count: usize,
    },
    /// All values of a column are missing.
    #[error("no row has a value in this column; leave it out with --ignore")]
    NothingKnown,
    /// A number with its digits in groups.
    #[error("{text:?} may be one number or another ({readings}); write numbers without group separators")]
    Grouped {
        /// The field.
        text: String,
        /// What it may be.
        readings: String,
    },
    /// A column with decimal commas and points.
    #[error(
        "{0:?} has a decimal comma, but other numbers of this column have a point, which may group digits or stand before \
         decimals; write all in one way, without group separators"
    )]
    CommasAndPoints(String),
    /// A column of text with more categories than are read.
    #[error(
        "the column holds more than {most} different texts, such as {text:?}; leave it out with --ignore, or make numbers \
         of it", most = crate::error::table::MOST_CATEGORIES
    )]
    ManyCategories {
        /// One of them.
        text: String,
    },
    /// A category that a network does not know.
    #[error("the network does not know {text:?} in this column; it knows {known}; correct it, or leave the row out")]
    UnknownCategory {
        /// The field.
        text: String,
        /// What it knows.
        known: String,
    },
    /// Problems in several columns.
    #[error("{first}. There are problems in other columns too: {columns}")]
    AndOthers {
        /// The first.
        first: Box<Problem>,
        /// The other columns.
        columns: String,
    },
    /// A feature is not a number.
    #[error("{0}{hint}", hint = match .0 {
        BadNumber::NotANumber { hint: "", .. } => "; leave columns of text out with --ignore, or turn them into numbers",
        _ => "",
    })]
    Feature(BadNumber),
    /// A label is empty, NaN or infinite.
    #[error(transparent)]
    Label(BadNumber),
    /// Labels are partly numbers, partly names.
    #[error("the label {0:?} is not a number, but others are; correct it, or name all classes with --order")]
    MixedLabels(String),
    /// A label is not in the order that was given.
    #[error("the class {text:?} is not among those of --order: {order}; add it there, or correct it")]
    NotInOrder {
        /// The label.
        text: String,
        /// The order.
        order: String,
    },
    /// A label is no class of the network that is judged.
    #[error("the network has no class {text:?}; its classes are {classes}; correct the label, or remove the row")]
    NotOfNetwork {
        /// The label.
        text: String,
        /// The classes.
        classes: String,
    },
    /// A class stands in the order twice.
    #[error("the class {0:?} stands twice in --order; name it once")]
    Twice(String),
    /// All samples are of one class.
    #[error("every sample has the class {0:?}; at least two classes are needed")]
    OneClass(String),
    /// More than [`MOST_CLASSES`] classes.
    #[error(
        "the label has {0} different values, and at most {MOST_CLASSES} classes are supported; if it is a \
         measurement, group its values into classes"
    )]
    ManyClasses(usize),
    /// Fewer than [`FEWEST_SAMPLES`] samples.
    #[error("there are only {0} samples; at least {FEWEST_SAMPLES} are needed to train, validate and test")]
    FewSamples(usize),
}
