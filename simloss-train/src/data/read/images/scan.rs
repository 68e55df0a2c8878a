//! The images below a folder: links followed, what systems leave behind passed over, parts of the data found.

use crate::{
    Error,
    data::images::{Part, Problem, wrong},
    error::place::list,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
};

/// Folders in folders.
const DEEPEST: usize = 16;
/// The most images of a folder.
const MOST_FILES: usize = 20_000_000;
/// Folders that systems make beside people's own: macOS when it packs, Synology and QNAP for previews, Windows.
const SYSTEM: [&str; 7] =
    ["__MACOSX", "@eaDir", "@Recycle", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found"];

/// Files below a folder, in order.
#[derive(Default)]
pub(super) struct Scan {
    /// Images, by their names, as paths below the folder.
    pub(super) images: Vec<PathBuf>,
    /// Files that are no images by their names.
    pub(super) other_files: usize,
    /// Folders that hold neither images nor folders.
    pub(super) empty: Vec<PathBuf>,
    /// Names that begin with a dot.
    hidden: usize,
    /// Folders that systems leave behind.
    system: BTreeMap<String, usize>,
    /// Folders that are reached on two ways.
    twice: Vec<[PathBuf; 2]>,
}

impl Scan {
    /// # Errors
    /// [`Error::File`]; [`Error::Image`] for a folder without images, links that lead nowhere or back to a folder that
    /// holds them, and folders too deep or too full.
    pub(super) fn of(root: &Path) -> Result<Self, Error> {
        let real = fs::canonicalize(root).map_err(Error::file("read", root))?;
        let mut walk = Walk { root, scan: Scan::default(), above: vec![], seen: HashMap::new() };
        walk.folder(Path::new(""), real)?;
        let scan = walk.scan;
        if scan.images.is_empty() {
            let hint = match scan.other_files {
                0 => "; is it the right one?".to_owned(),
                n => format!(", but {n} other files; unpack archives first"),
            };
            return Err(wrong(root, Problem::NoImages { expected: "PNG or JPEG images", hint }));
        }
        Ok(scan)
    }

    /// What was passed over, once.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = vec![];
        if !self.system.is_empty() {
            let names: Vec<&String> = self.system.keys().collect();
            let n: usize = self.system.values().sum();
            notes.push(format!("passed over {n} folders that a system leaves behind: {}", list(&names)));
        }
        if self.hidden > 0 {
            notes.push(format!("passed over {} names that begin with a dot", self.hidden));
        }
        for [first, second] in &self.twice {
            let (first, second) = (first.display(), second.display());
            notes.push(format!(
                "\"{second}\" is the folder \"{first}\" once more, through a link: its images are in the data twice"
            ));
        }
        notes
    }
}

struct Walk<'a> {
    root: &'a Path,
    scan: Scan,
    /// The folders that hold the one at hand, as they are without links.
    above: Vec<PathBuf>,
    /// Where each folder was met first.
    seen: HashMap<PathBuf, PathBuf>,
}

impl Walk<'_> {
    fn folder(&mut self, below: &Path, real: PathBuf) -> Result<(), Error> {
        let depth = self.above.len();
        // To join nothing would add a separator.
        let folder = if depth == 0 { self.root.to_owned() } else { self.root.join(below) };
        if self.above.contains(&real) {
            return Err(wrong(&folder, Problem::LinkBack { to: real.display().to_string() }));
        }
        if depth > DEEPEST {
            let problem = format!("folders are more than {DEEPEST} deep; give one further down");
            return Err(wrong(&folder, Problem::Limit(problem)));
        }
        if let Some(first) = self.seen.insert(real.clone(), below.to_owned()) {
            self.scan.twice.push([first, below.to_owned()]);
        }
        let mut names = vec![];
        for entry in fs::read_dir(&folder).map_err(Error::file("read", &folder))? {
            let entry = entry.map_err(Error::file("read", &folder))?;
            let kind = entry.file_type().map_err(Error::file("read", entry.path()))?;
            names.push((entry.file_name(), kind));
        }
        // Of the same files, the same order on every system.
        names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        self.above.push(real.clone());
        let mut anything = false;
        for (name, kind) in names {
            if name.as_encoded_bytes().starts_with(b".") {
                self.scan.hidden += 1;
                continue;
            }
            let path = below.join(&name);
            let whole = self.root.join(&path);
            let text = name.to_string_lossy();
            if kind.is_dir() && SYSTEM.iter().any(|system| text.eq_ignore_ascii_case(system)) {
                *self.scan.system.entry(text.into_owned()).or_default() += 1;
                continue;
            }
            let (is_folder, is_file) = match kind.is_symlink() {
                false => (kind.is_dir(), kind.is_file()),
                true => match fs::metadata(&whole) {
                    Ok(about) => (about.is_dir(), about.is_file()),
                    // An image that cannot be read is named where it is decoded; a class would just be missing.
                    Err(_) if is_image(&path) => (false, true),
                    Err(_) => return Err(wrong(&whole, Problem::LinkNowhere)),
                },
            };
            if is_folder {
                anything = true;
                let real = match kind.is_symlink() {
                    true => fs::canonicalize(&whole).map_err(Error::file("read", &whole))?,
                    false => real.join(&name),
                };
                self.folder(&path, real)?;
            } else if is_file && is_image(&path) {
                anything = true;
                self.scan.images.push(path);
                if self.scan.images.len() > MOST_FILES {
                    let problem = format!("there are more than {MOST_FILES} images; give a part of them");
                    return Err(wrong(self.root, Problem::Limit(problem)));
                }
            } else {
                self.scan.other_files += 1;
            }
        }
        self.above.pop();
        if !anything && depth > 0 {
            self.scan.empty.push(below.to_owned());
        }
        Ok(())
    }
}

/// Whether a file is read as an image, by its name.
pub(crate) fn is_image(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    ["png", "jpg", "jpeg"].iter().any(|known| extension == *known)
}

/// The pieces of a path below the root, as text.
pub(super) fn pieces(path: &Path) -> Vec<String> {
    path.iter().map(|piece| piece.to_string_lossy().into_owned()).collect()
}

/// The part of the data that a name stands for: `train`, `Training`, `training_set`, `valid`, `test-set`.
pub(crate) fn part(name: &str) -> Option<Part> {
    let plain = name.to_lowercase().replace(['-', ' '], "_");
    let plain = plain.strip_suffix("_set").or_else(|| plain.strip_suffix("set")).unwrap_or(&plain);
    match plain {
        "train" | "training" => Some(Part::Train),
        "val" | "valid" | "validation" => Some(Part::Validation),
        "test" | "testing" => Some(Part::Test),
        _ => None,
    }
}

/// Where the classes (or the faces) of a folder begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// Folders around everything, which say nothing.
    wrapping: usize,
    /// Whether the folders below are parts of the data.
    parts: bool,
}

impl Layout {
    /// Below a part an image lies `depth` names deep or more; a class may have the name of a part.
    ///
    /// # Errors
    /// [`Error::Image`] for parts beside other folders, without class folders, or without one to train with.
    pub(super) fn of(root: &Path, scan: &Scan, depth: usize) -> Result<Self, Error> {
        let paths: Vec<Vec<String>> = scan.images.iter().map(|path| pieces(path)).collect();
        let mut wrapping = 0;
        loop {
            let mut tops: BTreeMap<&str, bool> = BTreeMap::new();
            for path in &paths {
                *tops.entry(&path[wrapping]).or_insert(false) |= path.len() - wrapping > depth;
            }
            if are_parts(root, &tops, depth)? {
                return Ok(Layout { wrapping, parts: true });
            }
            // One folder, and folders in it.
            if tops.len() > 1 || paths.iter().any(|path| path.len() < wrapping + 3) {
                break;
            }
            wrapping += 1;
        }
        // An age may be such a folder; a group of all classes is none.
        Ok(Layout { wrapping: if depth > 1 { wrapping } else { 0 }, parts: false })
    }

    /// The part of an image, and its path below it.
    pub(super) fn split(self, path: &Path) -> (Part, Vec<String>) {
        let mut pieces = pieces(path);
        pieces.drain(..self.wrapping.min(pieces.len() - 1));
        match pieces.first().and_then(|top| part(top)).filter(|_| self.parts && pieces.len() > 1) {
            Some(part) => {
                pieces.remove(0);
                (part, pieces)
            }
            None => (Part::Any, pieces),
        }
    }
}

/// Whether folders are parts of the data; with each stands whether images lie deep enough in it.
fn are_parts(root: &Path, tops: &BTreeMap<&str, bool>, depth: usize) -> Result<bool, Error> {
    let (parts, others): (Vec<&str>, Vec<&str>) =
        tops.keys().copied().partition(|top| tops[top] && part(top).is_some());
    let flat: Vec<&str> = others.iter().copied().filter(|top| part(top).is_some()).collect();
    let kinds: BTreeSet<Part> = flat.iter().filter_map(|top| part(top)).collect();
    if depth > 1 && !flat.is_empty() && flat.len() == others.len() && (!parts.is_empty() || kinds.len() > 1) {
        return Err(wrong(root, Problem::FlatPart { parts: list(&flat) }));
    }
    if parts.is_empty() {
        return Ok(false);
    }
    if !others.is_empty() {
        return Err(wrong(root, Problem::NoPart { others: list(&others), parts: list(&parts) }));
    }
    if parts.iter().all(|name| part(name) != Some(Part::Train)) {
        return Err(wrong(root, Problem::NoTraining { parts: list(&parts) }));
    }
    Ok(true)
}

/// Refuses class folders among which some may be parts of the data: whether they are cannot be known.
///
/// # Errors
/// [`Error::Image`], with the classes that there would be.
pub(super) fn no_hidden_parts(root: &Path, folders: &BTreeSet<&Vec<String>>) -> Result<(), Error> {
    let mut children: BTreeMap<&[String], BTreeSet<&str>> = BTreeMap::new();
    for folder in folders {
        for (depth, name) in folder.iter().enumerate() {
            children.entry(&folder[..depth]).or_default().insert(name);
        }
    }
    for (above, names) in children {
        let parts: Option<BTreeSet<Part>> = names.iter().map(|name| part(name)).collect();
        if !above.is_empty() && parts.is_some_and(|parts| parts.len() > 1) {
            let names: Vec<&str> = names.into_iter().collect();
            let classes: Vec<String> = folders.iter().map(|folder| folder.join("/")).collect();
            let (parts, classes) = (list(&names), list(&classes));
            return Err(wrong(root, Problem::HiddenParts { above: above.join("/"), parts, classes }));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customary_names_of_parts() {
        for (names, expected) in [
            (&["train", "Training", "training_set", "TrainSet", "train-set", "Training Set"][..], Some(Part::Train)),
            (&["val", "Valid", "VALIDATION", "validation_set"], Some(Part::Validation)),
            (&["test", "Testing", "test_set", "testset"], Some(Part::Test)),
            (&["trains", "tests", "set", "", "evaluation", "my_test"], None),
        ] {
            for name in names {
                assert_eq!(part(name), expected, "{name}");
            }
        }
    }
}
