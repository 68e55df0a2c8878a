//! Everything that can go wrong, in a sentence that says what to do.

pub mod images;
pub mod place;
pub mod similarity;
pub mod table;

use place::InFile;
use std::path::PathBuf;

/// Why a command ended. The message names the file, row or setting, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is outside its domain.
    #[error("{name} must be {domain}, not {found}")]
    Setting {
        /// The option that sets it.
        name: &'static str,
        /// What it may be.
        domain: &'static str,
        /// What was given.
        found: String,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}: {source}{}", path.display(), remedy(action, source))]
    File {
        /// Read, write, create.
        action: &'static str,
        /// Which one.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A feature is NaN or infinite.
    #[error("{data}: feature {column} of sample {row} is {value}; remove the sample or fill in a number")]
    Feature {
        /// The data.
        data: String,
        /// The sample, counted from 1.
        row: usize,
        /// The feature, counted from 1.
        column: usize,
        /// What stands there.
        value: f32,
    },
    /// Data that no network can be trained with.
    #[error("{data}: {problem}")]
    Data {
        /// The data.
        data: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A file is not what it should be.
    #[error("{} is not {expected} that this version can use: {problem}; {advice}", path.display())]
    Format {
        /// Which one.
        path: PathBuf,
        /// A model, a training state, a record.
        expected: &'static str,
        /// Why not.
        problem: String,
        /// What to do.
        advice: &'static str,
    },
    /// A run to be resumed was another one.
    #[error(
        "{} holds a run with another {what} ({recorded}, not {asked}); \
         give the same, or another output folder",
        path.display()
    )]
    OtherRun {
        /// The record.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// What the record says.
        recorded: String,
        /// What was asked for.
        asked: String,
    },
    /// An output folder already holds a run.
    #[error("{} already holds a run; add --resume to continue it or --overwrite to start again, \
         or give another output folder", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// Another process writes this run.
    #[error("{} is being written by another process; wait until it ends, or give another output folder", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// The user asked to stop.
    #[error("interrupted; {}", match folder {
        Some(folder) => format!("everything up to the last whole epoch is in {}; continue with --resume", folder.display()),
        None => "nothing was written".to_owned(),
    })]
    Interrupted {
        /// The output folder.
        folder: Option<PathBuf>,
    },
    /// The numbers of a training step left their domain.
    #[error("training stopped in epoch {epoch}, batch {batch}: {source}; try a lower --learning-rate")]
    Step {
        /// The epoch, counted from 1.
        epoch: usize,
        /// The batch, counted from 1.
        batch: usize,
        /// What the core says.
        source: simloss_core::Error,
    },
    /// An instruction set that was asked for cannot be had.
    #[error("SIMLOSS_SIMD={asked}: {problem}; use one of {available}, or leave it unset")]
    InstructionSet {
        /// What was asked for.
        asked: String,
        /// Why not.
        problem: &'static str,
        /// What this processor has.
        available: String,
    },
    /// What `simloss check` found.
    #[error("{path} cannot be used as it is; {} problem{}:\n  {}", problems.len(), if problems.len() == 1 { "" } else { "s" }, problems.join("\n  "))]
    Checked {
        /// What was checked.
        path: String,
        /// A sentence each.
        problems: Vec<String>,
    },
    /// The options do not make sense together.
    #[error("{0}")]
    Usage(String),
    /// A file is not text.
    #[error(transparent)]
    Text(#[from] InFile<place::Unreadable>),
    /// Something in a table is wrong.
    #[error(transparent)]
    Table(#[from] InFile<table::Problem>),
    /// Something in a file that describes a similarity is wrong.
    #[error(transparent)]
    Similarity(#[from] InFile<similarity::Problem>),
    /// Something in files of images is wrong.
    #[error(transparent)]
    Image(#[from] InFile<images::Problem>),
    /// A plot or a page could not be made.
    #[error("cannot draw {what}: {problem}")]
    Draw {
        /// Which.
        what: &'static str,
        /// Why not.
        problem: String,
    },
    /// Something outside the domain of the core.
    #[error(transparent)]
    Core(#[from] simloss_core::Error),
}

impl Error {
    /// For `map_err`: what was being done to which file.
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::File { action, path, source }
    }

    /// For `map_err`, of files that are not what they should be.
    pub(crate) fn format(path: impl Into<PathBuf>, expected: Expected) -> impl Fn(&dyn std::fmt::Display) -> Error {
        let path = path.into();
        let Expected { name, advice } = expected;
        move |problem| Error::Format { path: path.clone(), expected: name, problem: problem.to_string(), advice }
    }
}

/// What a file should be, and what to do where it is not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    pub(crate) name: &'static str,
    pub(crate) advice: &'static str,
}

impl Expected {
    pub(crate) const fn new(name: &'static str, advice: &'static str) -> Self {
        Expected { name, advice }
    }

    /// What this program makes of its own numbers, which no file can spoil.
    pub(crate) const fn written(name: &'static str) -> Self {
        Expected { name, advice: "please report it" }
    }
}

/// What to do about what the operating system says.
fn remedy(action: &str, source: &std::io::Error) -> &'static str {
    use std::io::ErrorKind::{
        FileTooLarge, NotADirectory, NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    match (action, source.kind()) {
        ("read", NotFound | NotADirectory) => "; check the path",
        ("read", PermissionDenied) => "; make it readable",
        (_, StorageFull | QuotaExceeded | FileTooLarge) => "; make room there, or write elsewhere",
        (_, PermissionDenied | ReadOnlyFilesystem) => "; make it writable, or write elsewhere",
        (_, NotFound) => "; a folder on its path is missing or was removed",
        _ => "",
    }
}
