//! CIFAR-100 as it is distributed: records of bytes, in a folder or in the archive as downloaded.
//!
//! | file | contents |
//! |---|---|
//! | `train.bin`, `test.bin` | records of 3,074 bytes: coarse label, fine label, 1,024 red, 1,024 green, 1,024 blue |
//! | `fine_label_names.txt` | 100 names, one a line |
//! | `coarse_label_names.txt` | 20 names, one a line |
//!
//! Archives are `.tar.gz` (the official one), `.tar.xz` and `.tar`; they are read without being unpacked. Source:
//! A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.

use crate::Error;
use crate::data::images::{CHANNELS, Contents, ImageSet, Part, Problem, Tree, wrong};
use simloss_core::Label;
use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Component, Path, PathBuf},
};

/// Rows, and pixels of a row.
pub const SIDE: usize = 32;
/// Classes.
pub const CLASSES: usize = 100;
/// Groups of classes.
pub const SUPERCLASSES: usize = 20;
/// Classes that the published experiment leaves out: its word vectors lack their names.
pub const LEFT_OUT: [&str; 4] = ["aquarium_fish", "keyboard", "pickup_truck", "sweet_pepper"];

const IMAGE: usize = CHANNELS * SIDE * SIDE;
const RECORD: usize = 2 + IMAGE;
/// The largest file of records: more than 300,000 of them.
const MOST_BYTES: u64 = 1 << 30;
/// The largest file of names.
const MOST_TEXT: u64 = 1 << 16;
/// What an archive may unpack to.
const MOST_ARCHIVE: u64 = 1 << 32;

const FILES: [&str; 4] = ["train.bin", "test.bin", "fine_label_names.txt", "coarse_label_names.txt"];
const INNER: &str = "cifar-100-binary";
/// The folder of the other official version: pickles.
const PYTHON: &str = "cifar-100-python";
const HINT: &str = "unpack the whole archive, or give the archive itself";

/// The files, whole, with the path of each for messages.
///
/// Beside them, whether there are files of the version for Python.
#[derive(Default)]
struct Files([Option<(PathBuf, Vec<u8>)>; 4], bool);

/// Reads a folder or an archive, all 100 classes, train images before test images; `tree` holds the superclasses.
///
/// # Errors
/// [`Error::File`]; [`Error::Image`] for files that are missing, cut short or too large, labels that do not exist, a
/// class with two superclasses, and archives with entries outside of it.
pub fn read(path: &Path) -> Result<ImageSet, Error> {
    read_files(path, [true; 4])
}

/// The same without the train images, which are not read.
///
/// # Errors
/// As [`read`].
pub fn read_test(path: &Path) -> Result<ImageSet, Error> {
    read_files(path, [false, true, true, true])
}

/// Whether a folder holds the binary files, or another folder that does: else it may hold class folders.
pub fn is_binary(path: &Path) -> bool {
    let any =
        [path.to_owned(), path.join(INNER)].iter().any(|folder| FILES.iter().any(|name| folder.join(name).exists()));
    any || is_python(path)
}

/// Whether a folder holds the version for Python: three pickles.
fn is_python(path: &Path) -> bool {
    let pickles = |folder: &Path| ["train", "test", "meta"].iter().all(|name| folder.join(name).is_file());
    pickles(path) || pickles(&path.join(PYTHON))
}

fn read_files(path: &Path, wanted: [bool; 4]) -> Result<ImageSet, Error> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let files = if path.is_dir() { folder(path, wanted)? } else { archive(path, wanted)? };
    if files.0.iter().all(Option::is_none) && files.1 {
        return Err(wrong(path, Problem::PythonVersion));
    }
    let missing = FILES.iter().zip(&files.0).zip(wanted).find(|((_, file), wanted)| *wanted && file.is_none());
    if let Some(((name, _), _)) = missing {
        return Err(wrong(path, Problem::Missing { missing: (*name).to_owned(), hint: HINT }));
    }
    let [train, test, fine, coarse] = files.0;
    let text = |file: Option<(PathBuf, Vec<u8>)>, expected| names(&file.unwrap_or_default(), expected);
    build(name, [train, test], text(fine, CLASSES)?, text(coarse, SUPERCLASSES)?)
}

/// The same, without the four classes that the published experiment leaves out.
///
/// # Errors
/// As [`read`].
pub fn published(set: ImageSet) -> Result<ImageSet, Error> {
    let kept: Vec<usize> = (0..set.classes()).filter(|&i| !LEFT_OUT.contains(&set.class_names()[i].as_str())).collect();
    set.keep_classes(&kept)
}

fn limit(file: usize) -> u64 {
    if file < 2 { MOST_BYTES } else { MOST_TEXT }
}

fn folder(path: &Path, wanted: [bool; 4]) -> Result<Files, Error> {
    // The archive unpacks to a folder of its own: both are taken.
    let inner = path.join(INNER);
    let is_python = is_python(path);
    let folder = if FILES.iter().all(|name| !path.join(name).exists()) && inner.is_dir() { inner } else { path.into() };
    let mut files = Files(Default::default(), is_python);
    for (i, name) in FILES.iter().enumerate().filter(|(i, _)| wanted[*i]) {
        let path = folder.join(name);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::file("read", path)(error)),
        };
        let length = file.metadata().map_err(Error::file("read", &path))?.len();
        let bytes = whole(file, length, i, &path)?;
        files.0[i] = Some((path, bytes));
    }
    Ok(files)
}

/// `length` bytes, which is checked before they get memory; they get it as they come.
fn whole(from: impl Read, length: u64, file: usize, path: &Path) -> Result<Vec<u8>, Error> {
    let most = limit(file);
    if length > most {
        return Err(wrong(path, Problem::TooLong { found: length, most }));
    }
    if file < 2 && (length == 0 || !length.is_multiple_of(RECORD as u64)) {
        return Err(wrong(path, Problem::NotRecords { found: length, record: RECORD }));
    }
    let mut bytes = vec![];
    from.take(length).read_to_end(&mut bytes).map_err(Error::file("read", path))?;
    if bytes.len() as u64 != length {
        return Err(wrong(path, Problem::NotRecords { found: bytes.len() as u64, record: RECORD }));
    }
    Ok(bytes)
}

fn archive(path: &Path, wanted: [bool; 4]) -> Result<Files, Error> {
    let file = BufReader::new(File::open(path).map_err(Error::file("read", path))?);
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    if name.ends_with(".tar.gz") || name.ends_with(".tgz") {
        entries(flate2::bufread::MultiGzDecoder::new(file), path, wanted)
    } else if name.ends_with(".tar.xz") {
        entries(lzma_rust2::XzReader::new(file, false), path, wanted)
    } else if name.ends_with(".tar") {
        entries(file, path, wanted)
    } else {
        let problem = "give a folder, or an archive whose name ends in .tar.gz, .tar.xz or .tar";
        Err(wrong(path, Problem::Archive(problem.to_owned())))
    }
}

fn entries(from: impl Read, path: &Path, wanted: [bool; 4]) -> Result<Files, Error> {
    let wrong_archive = |problem: &dyn std::fmt::Display| wrong(path, Problem::Archive(problem.to_string()));
    let mut files = Files::default();
    let mut archive = tar::Archive::new(from.take(MOST_ARCHIVE));
    let mut given = None;
    // Raw: the library would take memory for an entry about the next one, whatever size it has.
    for entry in archive.entries().map_err(|e| wrong_archive(&e))?.raw(true) {
        let mut entry = entry.map_err(|e| wrong_archive(&e))?;
        let kind = entry.header().entry_type();
        if kind.is_gnu_longname()
            || kind.is_gnu_longlink()
            || kind.is_pax_local_extensions()
            || kind.is_pax_global_extensions()
        {
            if entry.size() > MOST_TEXT {
                let found = entry.size();
                return Err(wrong_archive(&format!(
                    "an entry about another one holds {found} bytes, more than {MOST_TEXT}"
                )));
            }
            given = name_given(&mut entry).map_err(|e| wrong_archive(&e))?.or(given);
            continue;
        }
        let inside = match given.take() {
            Some(name) => PathBuf::from(name),
            None => entry.path().map_err(|e| wrong_archive(&e))?.into_owned(),
        };
        if !inside.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(wrong_archive(&format!("its entry {} leads out of it", inside.display())));
        }
        let name = inside.file_name().unwrap_or_default();
        files.1 |= inside.components().any(|part| part.as_os_str() == PYTHON);
        let Some(at) = FILES.iter().position(|file| name == *file).filter(|&at| wanted[at]) else { continue };
        if !entry.header().entry_type().is_file() {
            return Err(wrong_archive(&format!("its entry {} is not a file", inside.display())));
        }
        if files.0[at].is_some() {
            return Err(wrong_archive(&format!("it holds {} twice", FILES[at])));
        }
        let (shown, length) = (path.join(&inside), entry.size());
        let bytes = whole(entry, length, at, &shown)?;
        files.0[at] = Some((shown, bytes));
    }
    Ok(files)
}

/// The name that an entry gives to the one behind it, if it gives one.
fn name_given(entry: &mut tar::Entry<'_, impl Read>) -> std::io::Result<Option<String>> {
    let kind = entry.header().entry_type();
    let name = if kind.is_gnu_longname() {
        let mut name = vec![];
        entry.read_to_end(&mut name)?;
        // It ends in a zero.
        Some(String::from_utf8_lossy(&name).trim_end_matches('\0').to_owned())
    } else if kind.is_pax_local_extensions() {
        let mut name = None;
        for extension in entry.pax_extensions()?.into_iter().flatten() {
            let extension = extension?;
            if extension.key_bytes() == b"path" {
                name = Some(String::from_utf8_lossy(extension.value_bytes()).into_owned());
            }
        }
        name
    } else {
        None
    };
    Ok(name)
}

fn names((path, bytes): &(PathBuf, Vec<u8>), expected: usize) -> Result<Vec<String>, Error> {
    let text = std::str::from_utf8(bytes).map_err(|_| wrong(path, Problem::NotText))?;
    let names: Vec<String> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    if names.len() != expected {
        return Err(wrong(path, Problem::Names { expected, found: names.len() }));
    }
    match names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
        Some((_, name)) => Err(wrong(path, Problem::Twice(name.clone()))),
        None => Ok(names),
    }
}

fn build(
    name: String,
    files: [Option<(PathBuf, Vec<u8>)>; 2],
    fine: Vec<String>,
    coarse: Vec<String>,
) -> Result<ImageSet, Error> {
    let images = files.iter().flatten().map(|(_, bytes)| bytes.len() / RECORD).sum::<usize>();
    let mut pixels = vec![];
    if pixels.try_reserve_exact(images * IMAGE).is_err() {
        let problem = format!("{images} images do not fit the memory; give a part of them");
        return Err(wrong(Path::new(&name), Problem::Limit(problem)));
    }
    let mut contents = Contents {
        name,
        height: SIDE,
        width: SIDE,
        pixels,
        labels: Vec::with_capacity(images),
        class_values: (0..CLASSES).map(|i| i as f64).collect(),
        class_names: fine,
        paths: Vec::with_capacity(images),
        parts: Vec::with_capacity(images),
        tree: None,
    };
    let mut groups = [None; CLASSES];
    for (file, (name, part)) in files.into_iter().zip(FILES.iter().zip([Part::Train, Part::Test])) {
        let Some((path, bytes)) = file else { continue };
        for (record, bytes) in (1..).zip(bytes.chunks_exact(RECORD)) {
            let (group, class) = (bytes[0], bytes[1]);
            for (what, found, classes) in [("coarse", group, SUPERCLASSES), ("fine", class, CLASSES)] {
                if usize::from(found) >= classes {
                    return Err(wrong(&path, Problem::Label { record, what, found, classes }));
                }
            }
            let before = *groups[usize::from(class)].get_or_insert(group);
            if before != group {
                return Err(wrong(
                    &path,
                    Problem::Superclass {
                        record,
                        class: contents.class_names[usize::from(class)].clone(),
                        found: coarse[usize::from(group)].clone(),
                        before: coarse[usize::from(before)].clone(),
                    },
                ));
            }
            contents.pixels.extend_from_slice(&bytes[2..]);
            contents.labels.push(Label::new(usize::from(class), CLASSES)?);
            contents.paths.push(format!("{name}#{record}"));
            contents.parts.push(part);
        }
    }
    // A class without images, in a part of the data, has no known superclass: then there is no tree.
    let root = (CLASSES + SUPERCLASSES) as u16;
    let above = groups.iter().map(|group| group.map(|group| CLASSES as u16 + u16::from(group)));
    if let Some(mut parents) = above.collect::<Option<Vec<u16>>>() {
        parents.extend([root; SUPERCLASSES + 1]);
        let inner = coarse.into_iter().chain(["all".to_owned()]);
        contents.tree = Some(Tree { parents, names: contents.class_names.iter().cloned().chain(inner).collect() });
    }
    ImageSet::new(contents)
}

#[cfg(test)]
mod tests;
