//! Everything that can be wrong with an input, by name and place.

use core::fmt;

/// Why an input was refused. Results keep their old content, with two exceptions. A step of training or evaluation that
/// meets bad features or logits in its batch may have filled the losses and logits of samples before them; its parameters,
/// moments and count of steps have not changed. And a flash memory that fails while it is read, or has changed, leaves a
/// part of what was read in the model (`device::flash::Slots::load`). Memory to work in, which a gradient is to `train_step`, may
/// hold anything.
///
/// `Copy` and without text or heap, so that it costs a microcontroller nothing until it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error {
    /// The reduction factor `r` of a class order is outside `[0, 1)` or NaN.
    ReductionFactor,
    /// The lower bound `l` of a general similarity is outside `[0, 1)` or NaN.
    LowerBound,
    /// `S[y, y]` is not 1.
    Diagonal {
        /// The class `y`.
        class: usize,
    },
    /// `S[row, column]` is NaN or outside its range.
    Entry {
        /// The true class.
        row: usize,
        /// The other class.
        column: usize,
    },
    /// `S[row, column]` is not `S[column, row]`, where a similarity must be symmetric.
    Asymmetric {
        /// One class.
        row: usize,
        /// The other class.
        column: usize,
    },
    /// Two classes have the similarity 1, so a loss cannot tell them apart, where it must be strictly proper.
    Inseparable {
        /// One class.
        row: usize,
        /// The other class.
        column: usize,
    },
    /// Proper SimLoss with this similarity is proved not to be a proper scoring rule.
    NotProper {
        /// A class whose matrix `R_j` is not positive semidefinite.
        class: usize,
    },
    /// Rounding errors leave open whether proper SimLoss with this similarity is a proper scoring rule.
    Undecided {
        /// A class whose matrix `R_j` is too close to singular.
        class: usize,
    },
    /// A sparse row already holds an entry for this pair of classes.
    Duplicate {
        /// The true class.
        row: usize,
        /// The other class.
        column: usize,
    },
    /// A container of fixed capacity is full.
    Capacity {
        /// What is full.
        what: &'static str,
        /// How many it holds.
        capacity: usize,
    },
    /// A taxonomy's parents lead back to where they started, outside its table, or to more than one root.
    Parent {
        /// The node whose ancestors do not end in the root.
        node: usize,
    },
    /// A level of a taxonomy is NaN, outside `[0, 1]`, above the level before it, or not 1 at height 0.
    Level {
        /// The height.
        height: usize,
    },
    /// There are more or fewer of something than the rest requires.
    Length {
        /// Of what: a slice's numbers, samples, classes, bytes.
        what: &'static str,
        /// What is required; at least, of memory to work in.
        expected: usize,
        /// What was given.
        found: usize,
    },
    /// A label is not below the number of classes.
    Label {
        /// The label's index.
        index: usize,
        /// The number of classes.
        classes: usize,
    },
    /// There must be from 2 to 65,535 classes.
    Classes {
        /// What was given.
        found: usize,
    },
    /// A number is NaN or infinite.
    NotFinite {
        /// Which array it is in.
        what: &'static str,
        /// The sample (0 for a single one).
        sample: usize,
    },
    /// The logits of a sample are further apart than half of the largest finite number.
    Spread {
        /// The sample (0 for a single one).
        sample: usize,
    },
    /// A weight or target is negative, NaN or infinite.
    Weight {
        /// Which array it is in.
        what: &'static str,
        /// Its index there.
        index: usize,
    },
    /// A setting is outside its domain.
    Setting {
        /// Its name and domain.
        what: &'static str,
    },
    /// Nothing to average: every sample is ignored, or every weight is 0.
    Empty,
    /// A checkpoint is not one of this kind, version or shape, or its bytes changed.
    Checkpoint {
        /// What does not match.
        what: &'static str,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Error::ReductionFactor => write!(f, "the reduction factor r must be at least 0 and below 1"),
            Error::LowerBound => write!(f, "the lower bound l must be at least 0 and below 1"),
            Error::Diagonal { class } => write!(f, "the similarity of class {class} with itself must be 1"),
            Error::Entry { row, column } => {
                write!(
                    f,
                    "similarity entry ({row}, {column}) is not a finite number in [0, 1], or just finite where a lower bound is taken off"
                )
            }
            Error::Asymmetric { row, column } => {
                write!(
                    f,
                    "similarity entries ({row}, {column}) and ({column}, {row}) differ; set both to the same number"
                )
            }
            Error::Inseparable { row, column } => {
                write!(f, "classes {row} and {column} have similarity 1; lower it, or make them one class")
            }
            Error::NotProper { class } => {
                write!(
                    f,
                    "this similarity does not give a proper scoring rule (found at class {class}); use a class order, a taxonomy, or exp(cos - 1) of word vectors"
                )
            }
            Error::Undecided { class } => {
                write!(
                    f,
                    "rounding errors hide whether this similarity gives a proper scoring rule (at class {class}); change its entries slightly"
                )
            }
            Error::Duplicate { row, column } => write!(f, "similarity entry ({row}, {column}) is given twice"),
            Error::Capacity { what, capacity } => write!(f, "{what} hold at most {capacity}; raise the capacity"),
            Error::Parent { node } => write!(f, "the parents of taxonomy node {node} do not end in the one root"),
            Error::Level { height } => {
                write!(f, "taxonomy level {height} must be in [0, 1], at most the level below it, and 1 at height 0")
            }
            Error::Length { what, expected, found } => {
                write!(f, "{what}: {expected} needed, {found} given")
            }
            Error::Label { index, classes } => write!(f, "label {index} is not below the {classes} classes"),
            Error::Classes { found } => write!(f, "there must be from 2 to 65535 classes, not {found}"),
            Error::NotFinite { what, sample } => write!(f, "{what} of sample {sample} hold NaN or infinity"),
            Error::Spread { sample } => {
                write!(f, "the logits of sample {sample} are further apart than half of the largest number")
            }
            Error::Weight { what, index } => {
                write!(f, "{what} must be finite and not negative, which number {index} is not")
            }
            Error::Setting { what } => write!(f, "setting out of its domain: {what}"),
            Error::Empty => write!(f, "nothing to average: every sample is ignored or has weight 0"),
            Error::Checkpoint { what } => write!(f, "the checkpoint does not fit: {what}"),
        }
    }
}

impl core::error::Error for Error {}

/// Refuses what is not as long as it must be.
pub(crate) fn length(what: &'static str, expected: usize, found: usize) -> Result<(), Error> {
    if expected == found { Ok(()) } else { Err(Error::Length { what, expected, found }) }
}
