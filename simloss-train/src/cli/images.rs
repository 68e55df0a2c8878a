//! The options that say where images are, the same for training and evaluation.

use super::whole;
use crate::{data::read::images::folder::OLDEST, similarity::names::Unnamed};
use clap::{Args, ValueEnum};
use std::{ops::RangeInclusive, path::PathBuf};

/// Faces with ages.
#[derive(Clone, Debug, Args)]
pub struct AgeArgs {
    /// The folder of faces, PNG or JPEG: the age begins the file's name (UTKFace, 25_1_0_....jpg), is a folder above it
    /// (AFAD, 25/111/name.jpg), or stands in --labels
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// The first and the last age; each between them is a class [default: that of a checkpoint, else 1..90]
    #[arg(long, value_name = "A..B", value_parser = ages)]
    pub ages: Option<Ages>,
    /// A CSV file with the columns path (below the folder) and label (the age), for any other layout
    #[arg(long, value_name = "FILE.csv")]
    pub labels: Option<PathBuf>,
    /// Decoded images.
    #[command(flatten)]
    pub cache: CacheArgs,
}

/// CIFAR-100.
#[derive(Clone, Debug, Args)]
pub struct Cifar100Args {
    /// The folder of the binary files, the archive as downloaded (.tar.gz, .tar.xz, .tar), or class folders of PNG in
    /// train and test
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// Decoded images.
    #[command(flatten)]
    pub cache: CacheArgs,
}

/// Any images in class folders.
#[derive(Clone, Debug, Args)]
pub struct FolderArgs {
    /// The folder: one folder of PNG or JPEG images for each class, or such folders in train, val and test; folders in
    /// folders are groups of classes
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Decoded images.
    #[command(flatten)]
    pub cache: CacheArgs,
}

/// Where decoded images are kept.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Images")]
pub struct CacheArgs {
    /// The folder that keeps decoded images, so that a folder that did not change is decoded once; or none
    #[arg(long, value_name = "DIR|none", default_value = "out/cache")]
    pub cache: PathBuf,
    /// Leave out images that cannot be read, and say which; else they are refused
    #[arg(long)]
    pub skip_bad: bool,
}

impl CacheArgs {
    /// The folder, unless it is `none`.
    pub fn folder(&self) -> Option<&std::path::Path> {
        Some(self.cache.as_path()).filter(|folder| folder.as_os_str() != "none")
    }
}

/// What to do with classes that nothing names.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Similarity")]
pub struct UnnamedArgs {
    /// What to do with classes that the similarity does not name [default: drop for cifar100, else error]
    #[arg(long, value_name = "WHAT")]
    pub unnamed: Option<UnnamedArg>,
}

/// [`Unnamed`], on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UnnamedArg {
    /// Leave them and their images out, and of CIFAR-100 the four that the published experiment leaves out
    Drop,
    /// Refuse
    Error,
}

impl From<UnnamedArg> for Unnamed {
    fn from(unnamed: UnnamedArg) -> Self {
        match unnamed {
            UnnamedArg::Drop => Unnamed::Drop,
            UnnamedArg::Error => Unnamed::Error,
        }
    }
}

/// The first and the last age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ages {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl Ages {
    /// Those of the published experiment on UTKFace.
    pub const PUBLISHED: Ages = Ages { first: 1, last: 90 };

    /// All of them.
    pub fn range(self) -> RangeInclusive<u16> {
        self.first..=self.last
    }
}

pub(super) fn ages(text: &str) -> Result<Ages, String> {
    let age = |text| whole(text, "", 0, usize::from(OLDEST)).ok().map(|age| age as u16);
    let ends = text.split_once("..").and_then(|(first, last)| age(first).zip(age(last)));
    match ends {
        Some((first, last)) if first < last => Ok(Ages { first, last }),
        _ => Err(format!("the ages must be two whole numbers from 0 to {OLDEST}, the lesser first, such as 1..90")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_two_in_order() {
        assert_eq!(ages("1..90").map(Ages::range), Ok(1..=90));
        assert_eq!(ages("0..150"), Ok(Ages { first: 0, last: 150 }));
        for text in ["", "1", "90..1", "5..5", "1..151", "-1..5", "1...5", "a..b", "1..", "1..=90"] {
            assert!(ages(text).is_err_and(|e| e.contains("such as 1..90")), "{text}");
        }
    }
}
