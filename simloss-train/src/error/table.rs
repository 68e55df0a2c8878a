//! What can be wrong in a table.

use super::place::{BadNumber, join};

/// The most classes that a table may have; more of them usually means that the label is a measurement.
pub const MOST_CLASSES: usize = 1000;
/// The fewest samples: enough that training, validation and test sets all hold some.
pub const FEWEST_SAMPLES: usize = 20;

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
         semicolons or tabs"
    )]
    OneColumn,
    /// Every column but the label is left out.
    #[error("no column of numbers is left beside the label; ignore fewer columns")]
    NoFeatures,
    /// A column has no name.
    #[error("column {0} has no name; every column needs one in the first row")]
    Unnamed(usize),
    /// Two columns have one name.
    #[error("two columns have the name {0:?}; rename one of them")]
    SameName(String),
    /// A column that was asked for is not there.
    #[error("there is no column {asked:?}; the columns are {there}{hint}")]
    UnknownColumn {
        /// The name asked for.
        asked: String,
        /// The names there.
        there: String,
        /// What may have gone wrong.
        hint: &'static str,
    },
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
    /// A class of the order has no sample.
    #[error("no sample has the class {0:?} of --order; correct its spelling or leave it out")]
    Unused(String),
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
