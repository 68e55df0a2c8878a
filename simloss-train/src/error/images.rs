//! What can be wrong in images, by file.

use super::place::list;

/// The greatest age that a name is believed to give.
pub const OLDEST: u16 = 150;

/// What is wrong in a file or folder of images, and what to do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A folder without images.
    #[error("the folder holds no {expected}{hint}")]
    NoImages {
        /// What it should hold.
        expected: &'static str,
        /// What it holds instead.
        hint: String,
    },
    /// A file is neither PNG nor JPEG.
    #[error("the file is {0}; give a PNG or JPEG image, or remove it")]
    NotAnImage(&'static str),
    /// A file ends too early or holds what no decoder understands.
    #[error("the image cannot be decoded ({reason}); replace or remove it")]
    Damaged {
        /// What the decoder says.
        reason: String,
    },
    /// Several images that cannot be used.
    #[error("{count} images cannot be used: {named}; replace or remove them, or leave them out with --skip-bad")]
    Several {
        /// How many.
        count: usize,
        /// Which, and what is wrong with each.
        named: String,
    },
    /// A file that the system does not give out.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// A link to a folder that holds it.
    #[error("the link leads back to {to}, which holds it; remove it")]
    LinkBack {
        /// Where it leads.
        to: String,
    },
    /// A link to nothing.
    #[error("the link leads nowhere; correct or remove it")]
    LinkNowhere,
    /// A part of the data without class folders.
    #[error(
        "no class folders are in {parts}, which by their names are parts of the data; give each one folder of images for \
         each class, or another name"
    )]
    FlatPart {
        /// The parts.
        parts: String,
    },
    /// Folders that may be parts of the data or classes.
    #[error(
        "whether {parts} in {above:?} are parts of the data or classes cannot be known; put parts at the top, or give \
         classes other names. As it stands, the classes would be {classes}"
    )]
    HiddenParts {
        /// The folder that holds them.
        above: String,
        /// Their names.
        parts: String,
        /// The classes that there would be.
        classes: String,
    },
    /// An image that would take too much memory.
    #[error("the image has {width} x {height} pixels, more than {most} a side or {pixels} in all; shrink or remove it")]
    TooLarge {
        /// Pixels in a row.
        width: usize,
        /// Rows.
        height: usize,
        /// The most pixels a side.
        most: usize,
        /// The most pixels in all.
        pixels: usize,
    },
    /// A file that is larger than it may be.
    #[error("the file holds {found} bytes, but at most {most} are read; shrink or remove it")]
    TooLong {
        /// Bytes found.
        found: u64,
        /// The most.
        most: u64,
    },
    /// A binary file whose size is no whole number of records.
    #[error(
        "{found} bytes are not a whole number of records of {record} bytes: the file is cut short or not this \
         format; get it again"
    )]
    NotRecords {
        /// Bytes found.
        found: u64,
        /// Bytes of a record.
        record: usize,
    },
    /// A record with a label that does not exist.
    #[error(
        "record {record} (counted from 1): {what} label {found} is not below {classes}; the file is damaged, get it again"
    )]
    Label {
        /// The record.
        record: usize,
        /// Fine or coarse.
        what: &'static str,
        /// The label.
        found: u8,
        /// The number of classes.
        classes: usize,
    },
    /// A record whose superclass is not that of its class.
    #[error(
        "record {record} (counted from 1): class {class:?} has superclass {found:?} here but {before:?} in a record \
         before; the file is damaged, get it again"
    )]
    Superclass {
        /// The record.
        record: usize,
        /// Its class.
        class: String,
        /// Its superclass.
        found: String,
        /// The superclass of its class so far.
        before: String,
    },
    /// A file of names that is no text.
    #[error("the file is no text in UTF-8; get it again")]
    NotText,
    /// A file of names with another number of them.
    #[error("the file names {found} classes, not {expected}, one a line; get it again")]
    Names {
        /// How many there should be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A name stands twice.
    #[error("the name {0:?} stands twice; keep one of them")]
    Twice(String),
    /// A part of the data is not there.
    #[error("{missing} is missing; {hint}")]
    Missing {
        /// Which file or folder.
        missing: String,
        /// What to do.
        hint: &'static str,
    },
    /// An archive with an entry that has no business there.
    #[error("the archive cannot be used ({0}); get it again, or unpack it and give the folder")]
    Archive(String),
    /// The version of CIFAR-100 that is pickles.
    #[error("this is the version of CIFAR-100 for Python; get the binary version, cifar-100-binary.tar.gz")]
    PythonVersion,
    /// A folder of a class without images.
    #[error("class {0:?} has no images; add some, or remove its folder")]
    EmptyClass(String),
    /// Something beside the parts of the data that is none of them.
    #[error(
        "beside the parts {parts} of the data stand {others}; rename these to train, val or test, or move them away"
    )]
    NoPart {
        /// What stands beside the parts.
        others: String,
        /// The parts.
        parts: String,
    },
    /// Parts to validate or test with, and none to train with.
    #[error(
        "beside the parts {parts} of the data there is no train; give the folder of training images this name, or give \
         the folder of one part alone"
    )]
    NoTraining {
        /// The parts.
        parts: String,
    },
    /// A table of labels that does not fit the folder.
    #[error("{what}: {}", list(files))]
    Labels {
        /// What is wrong.
        what: &'static str,
        /// With which files.
        files: Vec<String>,
    },
    /// A table that lacks its columns.
    #[error("the first row must name the columns {expected}; it names {found}; correct it")]
    Columns {
        /// What it should name.
        expected: &'static str,
        /// What it names.
        found: String,
    },
    /// A label that is not an age.
    #[error("{0:?} is not an age: a whole number from 0 to {most}; correct it or remove the row", most = OLDEST)]
    Age(String),
    /// Folders below folders that hold images too.
    #[error(
        "the folder holds images and folders with images; an image belongs to a class without classes below it: move \
         these images to a folder of their own"
    )]
    Mixed,
    /// Too deep, too many.
    #[error("{0}")]
    Limit(String),
}
