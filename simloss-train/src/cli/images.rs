//! The options that say where images are, the same for training and evaluation.

use super::whole;
use crate::{data::read::images::folder::OLDEST, similarity::names::Unnamed};
use clap::{Args, ValueEnum};
use std::{ops::RangeInclusive, path::PathBuf};

/// Faces with ages.
#[derive(Clone, Debug, Args)]
pub struct AgeArgs {
    /// Directory of PNG or JPEG faces: the age begins the file name (UTKFace, 25_1_0_....jpg), is a folder name (AFAD,
    /// 25/111/name.jpg), or comes from --labels
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Age range; each age is a class [default: the checkpoint's range, or 1..90]
    #[arg(long, value_name = "A..B", value_parser = ages)]
    pub ages: Option<Ages>,
    /// CSV file with columns path (relative to the directory) and label (the age), for any other layout
    #[arg(long, value_name = "FILE.csv")]
    pub labels: Option<PathBuf>,
    /// Decoded images.
    #[command(flatten)]
    pub cache: CacheArgs,
}

/// CIFAR-100.
#[derive(Clone, Debug, Args)]
pub struct Cifar100Args {
    /// Directory of the binary files, the archive (.tar.gz, .tar.xz, .tar), or class folders of PNG in train and test
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// Decoded images.
    #[command(flatten)]
    pub cache: CacheArgs,
}

/// Any images in class folders.
#[derive(Clone, Debug, Args)]
pub struct FolderArgs {
    /// Directory with one folder of PNG or JPEG images per class, or such folders in train, val, and test; nested folders
    /// define superclasses
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
    /// Cache directory for decoded images, or none
    #[arg(long, value_name = "DIR|none", default_value = "out/cache")]
    pub cache: PathBuf,
    /// Leave out unreadable images and list them; without this, they are an error
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
    /// Handling of classes missing from the similarity [default: drop for cifar100, otherwise error]
    #[arg(long = "missing-classes", alias = "unnamed", value_name = "WHAT")]
    pub unnamed: Option<UnnamedArg>,
}

/// [`Unnamed`], on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UnnamedArg {
    /// Exclude them and their images; for CIFAR-100, also the four that the published experiment excludes
    Drop,
    /// Stop
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
