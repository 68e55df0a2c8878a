//! Images and similarities as the command line asks for them; notes go to standard error.

use crate::{
    Error,
    cli::{CacheArgs, Names},
    data::{
        images::ImageSet,
        read::images::{
            cifar,
            folder::{self, Loading},
        },
    },
    input,
    run::progress::Decoding,
};
use std::{
    collections::HashSet,
    ops::RangeInclusive,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread::available_parallelism,
};

/// For people, before the result.
pub(super) fn note(text: &str) {
    eprintln!("note: {text}");
}

/// What was asked for, else the number of processors.
pub(super) fn threads(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| available_parallelism().map_or(1, usize::from))
}

/// How to read folders of images.
#[derive(Clone, Copy)]
pub(super) struct Images<'a> {
    /// Rows and pixels of a row that images are resized to.
    pub(super) size: [usize; 2],
    pub(super) threads: usize,
    pub(super) cache: &'a CacheArgs,
    pub(super) stop: &'a AtomicBool,
}

impl Images<'_> {
    fn load(self, read: impl Fn(Loading<'_>) -> Result<folder::Loaded, Error>) -> Result<ImageSet, Error> {
        let decoding = Decoding::default();
        let progress = |done, all| {
            decoding.done(done, all);
            !self.stop.load(Ordering::Relaxed)
        };
        let Images { size, threads, cache, .. } = self;
        let loaded =
            read(Loading { size, threads, cache: cache.folder(), skip_bad: cache.skip_bad, progress: &progress })?;
        loaded.left_out.sentences().iter().chain(&loaded.notes).for_each(|text| note(text));
        Ok(loaded.set)
    }

    /// Faces with ages.
    pub(super) fn ages(self, root: &Path, ages: RangeInclusive<u16>, labels: Option<&Path>) -> Result<ImageSet, Error> {
        self.load(|loading| folder::ages(root, ages.clone(), labels, loading))
    }

    /// Images in class folders.
    pub(super) fn classes(self, root: &Path) -> Result<ImageSet, Error> {
        self.load(|loading| folder::classes(root, loading))
    }

    /// CIFAR-100, all of its classes: binary files, archives, or class folders of images. Where `test` alone is asked
    /// for, the other images of binary files are not read.
    pub(super) fn cifar100(self, path: &Path, test: bool) -> Result<ImageSet, Error> {
        match path.is_dir() && !cifar::is_binary(path) {
            true => self.classes(path),
            false if test => cifar::read_test(path),
            false => cifar::read(path),
        }
    }
}

/// Names as they stand on the command line, or one a line in a file; no name twice.
///
/// A line of a file may be in quotes, as in CSV; a file of one line holds names with commas between them.
pub(super) fn names(names: Names, option: &str) -> Result<Vec<String>, Error> {
    let wrong = |problem: &dyn std::fmt::Display| Error::Usage(format!("{option} {problem}"));
    let names: Vec<String> = match names {
        Names::Given(names) => names,
        Names::File(path) => {
            let text = input::text(&path)?;
            let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            let quoted = |line: &str| line.len() > 1 && line.starts_with('"') && line.ends_with('"');
            let given = |line: &str| {
                crate::cli::table::list(line).map_err(|problem| wrong(&format!("@{}: {problem}", path.display())))
            };
            match lines[..] {
                [only] => given(only)?.0,
                _ => lines
                    .into_iter()
                    .map(|line| if quoted(line) { Ok(given(line)?.0.join(", ")) } else { Ok(line.to_owned()) })
                    .collect::<Result<_, Error>>()?,
            }
        }
    };
    let mut seen = HashSet::new();
    match names.iter().find(|name| name.is_empty() || !seen.insert(*name)) {
        Some(name) if name.is_empty() => Err(wrong(&"holds an empty name; fill it in")),
        Some(name) => Err(wrong(&format!("holds {name:?} twice; name each class once"))),
        None => Ok(names),
    }
}
