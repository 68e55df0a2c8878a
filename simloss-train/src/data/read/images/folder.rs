//! Folders of images: what each of them shows, from its name, its folder or a table.
//!
//! | reader | class of an image | example |
//! |---|---|---|
//! | [`ages`] | the age that its name begins with (UTKFace) | `25_1_0_20170103212427690.jpg.chip.jpg` |
//! | | else the first folder that is an age (AFAD) | `25/111/109-0.jpg` |
//! | | or what a table with the columns `path` and `label` says | |
//! | [`classes`] | its folder; folders in folders are a tree | `tree/oak/1.png` |
//!
//! Folders `train`, `val` and `test` (or `training`, `valid`, `test_set` and the like, in any case) at the top, or in the
//! one folder there, that hold images and class folders as the whole would are parts of the data and no classes: then there
//! is a `train` among them, and nothing else beside them. Folders around everything, and groups that hold all classes or
//! one each, are no hierarchy. Class names that are all numbers are sorted as numbers, and are the values of the classes.
//! Links are followed; names that begin with a dot, and folders that systems leave behind, are passed over.

use super::{
    cache::Cache,
    decode::{Decoded, bad_images, decode_all},
    scan::{Layout, Scan, no_hidden_parts, pieces},
};
pub use crate::error::images::OLDEST;
use crate::{
    Error,
    data::images::{CHANNELS, Contents, ImageSet, Part, Problem, Tree, wrong},
    error::place::list,
    input,
};
use simloss_core::Label;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

/// How to read a folder.
#[derive(Clone, Copy)]
pub struct Loading<'a> {
    /// Rows and pixels of a row that images are resized to.
    pub size: [usize; 2],
    /// Threads to decode with.
    pub threads: usize,
    /// The folder for decoded images, if they are to be kept.
    pub cache: Option<&'a Path>,
    /// Whether images that cannot be read are left out; else they are refused.
    pub skip_bad: bool,
    /// Called with the number of images done and of all; decoding stops once it returns false. From any thread.
    pub progress: &'a (dyn Fn(usize, usize) -> bool + Sync),
}

/// What was read, and what was not.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The images.
    pub set: ImageSet,
    /// What was left out.
    pub left_out: LeftOut,
    /// What was accepted and should be said.
    pub notes: Vec<String>,
    /// Whether the pixels came from the cache.
    pub cached: bool,
}

/// Files that are in a folder and not in its images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Files that are neither PNG nor JPEG by their names.
    pub other_files: usize,
    /// Images without an age in their names or folders.
    pub without_age: Vec<String>,
    /// Images of people younger than asked for.
    pub younger: usize,
    /// Images of people older than asked for.
    pub older: usize,
    /// Images that a table does not name.
    pub not_in_table: usize,
    /// Images that cannot be read, each with what is wrong with it.
    pub bad: Vec<[String; 2]>,
}

impl LeftOut {
    /// One sentence for each kind.
    pub fn sentences(&self) -> Vec<String> {
        let some = |n: usize, what: &str| (n > 0).then(|| format!("left out {n} {what}"));
        let nameless = self.without_age.first().map_or(String::new(), |name| format!(", such as {name:?}"));
        [
            some(self.other_files, "files that are neither PNG nor JPEG"),
            some(self.without_age.len(), &format!("images without an age in their name or folder{nameless}")),
            some(self.younger, "images of ages below the range"),
            some(self.older, "images of ages above the range"),
            some(self.not_in_table, "images that the table of labels does not name"),
            some(self.bad.len(), &format!("images that cannot be read: {}", bad_images(&self.bad))),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// All images below a folder, whatever they show, and what to say of them.
///
/// # Errors
/// As [`classes`], of a folder whatever its folders are.
pub(crate) fn below(root: &Path) -> Result<(Vec<PathBuf>, Vec<String>), Error> {
    let scan = Scan::of(root)?;
    let mut notes = scan.notes();
    let left_out = LeftOut { other_files: scan.other_files, ..LeftOut::default() };
    notes.extend(left_out.sentences());
    Ok((scan.images.iter().map(|path| root.join(path)).collect(), notes))
}

fn age(text: &str) -> Option<u16> {
    let digits = text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|&age| digits && age <= OLDEST)
}

/// The age in a name as UTKFace gives them, `AGE_GENDER_RACE_TIME`, and whether a field is missing.
fn age_in_name(name: &str) -> Option<(u16, bool)> {
    let stem = name.split('.').next().unwrap_or(name);
    let fields: Vec<&str> = stem.split('_').collect();
    let age = age(fields[0])?;
    let numbers = fields.iter().all(|field| !field.is_empty() && field.bytes().all(|b| b.is_ascii_digit()));
    (fields.len() >= 3 && numbers).then_some((age, fields.len() < 4))
}

/// Faces below `root` of ages in `range`, one class for each age in it.
///
/// # Errors
/// [`Error::File`]; [`Error::Image`] for a folder without images or without ages in the range, images that cannot be
/// decoded, and a table that does not fit; [`Error::Setting`] for a range of fewer than two ages;
/// [`Error::Interrupted`].
pub fn ages(
    root: &Path,
    range: RangeInclusive<u16>,
    table: Option<&Path>,
    loading: Loading<'_>,
) -> Result<Loaded, Error> {
    if range.end() <= range.start() || *range.end() > OLDEST {
        let found = format!("{}..{}", range.start(), range.end());
        return Err(Error::Setting { name: "--ages", domain: "two ages from 0 to 150, such as 1..90", found });
    }
    let scan = Scan::of(root)?;
    let labels = match table {
        Some(path) => Some(ages_of_table(path, &scan)?),
        None => None,
    };
    let layout = Layout::of(root, &scan, 1)?;
    let mut left_out = LeftOut { other_files: scan.other_files, ..LeftOut::default() };
    let (mut images, mut notes, mut lacking) = (vec![], scan.notes(), vec![]);
    for path in scan.images {
        let (part, pieces) = layout.split(&path);
        let name = pieces.last().map_or("", |name| name.as_str());
        let found = match &labels {
            Some(labels) => match labels.get(&path) {
                Some(&age) => Some(age),
                None => {
                    left_out.not_in_table += 1;
                    continue;
                }
            },
            None => match age_in_name(name) {
                Some((age, lacks)) => {
                    if lacks {
                        lacking.push(name.to_owned());
                    }
                    Some(age)
                }
                None => pieces[..pieces.len() - 1].iter().find_map(|folder| age(folder)),
            },
        };
        match found {
            None => left_out.without_age.push(path.display().to_string()),
            Some(age) if age < *range.start() => left_out.younger += 1,
            Some(age) if age > *range.end() => left_out.older += 1,
            Some(age) => images.push((path, part, usize::from(age - range.start()))),
        }
    }
    if images.is_empty() {
        let hint = format!("; {}", left_out.sentences().join("; "));
        return Err(wrong(root, Problem::NoImages { expected: "images of ages in the range", hint }));
    }
    if !lacking.is_empty() {
        let names = list(&lacking);
        notes.push(format!("{} names lack a field; their ages are used: {names}", lacking.len()));
    }
    let names: Vec<String> = range.clone().map(|age| age.to_string()).collect();
    let values = range.map(f64::from).collect();
    finish(root, images, Classes { names, values, tree: None }, left_out, notes, loading)
}

/// The ages of a table with the columns `path` and `label`.
fn ages_of_table(table: &Path, scan: &Scan) -> Result<HashMap<PathBuf, u16>, Error> {
    let known: BTreeSet<Vec<String>> = scan.images.iter().map(|path| pieces(path)).collect();
    let expected = "\"path\" and \"label\"";
    let rows = crate::input::columns(&crate::input::text(table)?, ["path", "label"])
        .map_err(|found| wrong(table, Problem::Columns { expected, found }))?;
    let (mut ages, mut missing) = (HashMap::new(), vec![]);
    for (line, [path, label]) in rows {
        let at = |problem| Error::from(crate::error::place::InFile::file(table, problem).line(line));
        let age = age(label.trim().trim_end_matches(".0")).ok_or_else(|| at(Problem::Age(label.clone())))?;
        let wanted: PathBuf = path.split(['/', '\\']).filter(|piece| !matches!(*piece, "" | ".")).collect();
        if !known.contains(&pieces(&wanted)) {
            missing.push(path);
        } else if ages.insert(wanted, age).is_some_and(|before| before != age) {
            return Err(at(Problem::Twice(path)));
        }
    }
    if !missing.is_empty() {
        let what = "these paths of the table are no images in the folder; write them as they stand below it";
        return Err(wrong(table, Problem::Labels { what, files: missing }));
    }
    Ok(ages)
}

/// Images below `root`, one class for each folder that holds any.
///
/// # Errors
/// [`Error::File`]; [`Error::Image`] for a folder without images, images beside folders with images, a class folder
/// without images, a single class, images that cannot be decoded; [`Error::Interrupted`].
pub fn classes(root: &Path, loading: Loading<'_>) -> Result<Loaded, Error> {
    let scan = Scan::of(root)?;
    let layout = Layout::of(root, &scan, 2)?;
    let mut notes = scan.notes();
    if let Some(empty) = scan.empty.first() {
        return Err(wrong(root, Problem::EmptyClass(empty.display().to_string())));
    }
    let mut found = vec![];
    for path in scan.images {
        let (part, mut pieces) = layout.split(&path);
        pieces.pop();
        found.push((path, part, pieces));
    }
    let folders: BTreeSet<&Vec<String>> = found.iter().map(|(_, _, folder)| folder).collect();
    // In this order, what lies in a folder follows it at once.
    for (outer, inner) in folders.iter().zip(folders.iter().skip(1)) {
        if inner.starts_with(outer) {
            return Err(wrong(&root.join(outer.iter().collect::<PathBuf>()), Problem::Mixed));
        }
    }
    no_hidden_parts(root, &folders)?;
    let mut classes = Classes::of(root, folders.into_iter().cloned().collect())?;
    notes.extend(classes.0.without_empty_groups());
    let place: HashMap<Vec<String>, usize> = classes.1.iter().cloned().zip(0..).collect();
    let images = found
        .into_iter()
        .filter_map(|(path, part, folder)| place.get(&folder).map(|&class| (path, part, class)))
        .collect();
    let left_out = LeftOut { other_files: scan.other_files, ..LeftOut::default() };
    finish(root, images, classes.0, left_out, notes, loading)
}

struct Classes {
    names: Vec<String>,
    values: Vec<f64>,
    tree: Option<Tree>,
}

impl Classes {
    /// Of folders, and the folders in the order of the classes.
    fn of(root: &Path, mut folders: Vec<Vec<String>>) -> Result<(Self, Vec<Vec<String>>), Error> {
        if let [only] = &folders[..] {
            let class =
                if only.is_empty() { "one folder".to_owned() } else { format!("the class {:?}", only.join("/")) };
            let problem =
                format!("all images are of {class}; give one folder of images for each of two classes or more");
            return Err(wrong(root, Problem::Limit(problem)));
        }
        let last = |folder: &Vec<String>| folder.last().cloned().unwrap_or_default();
        let number = |folder: &Vec<String>| input::class_number(&last(folder));
        let distinct = folders.iter().map(last).collect::<BTreeSet<_>>().len() == folders.len();
        let mut sorted = folders.clone();
        sorted.sort_by(|a, b| number(a).unwrap_or(0.0).total_cmp(&number(b).unwrap_or(0.0)));
        // Names that are not all different numbers have no order, and stay in that of their letters.
        let numbers = input::numbers_in_order(&sorted.iter().map(last).collect::<Vec<_>>());
        let values = match numbers {
            Some(numbers) => {
                folders = sorted;
                numbers
            }
            None => (0..folders.len()).map(|i| i as f64).collect(),
        };
        // Where two classes have one name, their folders tell them apart.
        let names: Vec<String> =
            folders.iter().map(|folder| if distinct { last(folder) } else { folder.join("/") }).collect();
        let tree =
            if folders.iter().any(|folder| folder.len() > 1) { Some(tree(root, &folders, &names)?) } else { None };
        Ok((Classes { names, values, tree }, folders))
    }

    /// Forgets groups that group nothing, and says so.
    fn without_empty_groups(&mut self) -> Option<String> {
        let classes = self.names.len();
        let groups = self.tree.as_ref()?.superclasses(classes).into_iter().collect::<BTreeSet<_>>().len();
        let problem = match groups {
            1 => "hold all classes",
            _ if groups == classes => "hold one class each",
            _ => return None,
        };
        self.tree = None;
        Some(format!("the folders around the class folders {problem}: they are taken for no superclasses"))
    }
}

fn tree(root: &Path, folders: &[Vec<String>], names: &[String]) -> Result<Tree, Error> {
    let mut inner: BTreeMap<&[String], usize> = BTreeMap::new();
    for folder in folders {
        for depth in 0..folder.len() {
            inner.insert(&folder[..depth], 0);
        }
    }
    let nodes = folders.len() + inner.len();
    if nodes > usize::from(u16::MAX) {
        return Err(wrong(
            root,
            Problem::Limit(format!("there are {nodes} folders, more than 65535; give a part of them")),
        ));
    }
    for (place, node) in inner.values_mut().zip(folders.len()..) {
        *place = node;
    }
    let above = |folder: &[String]| {
        let up = &folder[..folder.len().saturating_sub(1)];
        inner.get(up).map_or(0, |&node| node as u16)
    };
    let parents = folders.iter().map(|folder| above(folder)).chain(inner.keys().map(|folder| above(folder))).collect();
    let all = |folder: &&[String]| if folder.is_empty() { "all".to_owned() } else { folder.join("/") };
    Ok(Tree { parents, names: names.iter().cloned().chain(inner.keys().map(all)).collect() })
}

fn finish(
    root: &Path,
    images: Vec<(PathBuf, Part, usize)>,
    classes: Classes,
    mut left_out: LeftOut,
    mut notes: Vec<String>,
    loading: Loading<'_>,
) -> Result<Loaded, Error> {
    let Loading { size: [height, width], threads, cache, skip_bad, progress } = loading;
    let mut files = Vec::with_capacity(images.len());
    let (mut labels, mut parts, mut paths) = (vec![], vec![], vec![]);
    for (path, part, class) in images {
        labels.push(Label::new(class, classes.names.len())?);
        parts.push(part);
        paths.push(pieces(&path).join("/"));
        files.push(path);
    }
    let total = files.len();
    let cache = match cache {
        Some(folder) => Some(Cache::new(folder, root, &files, [height, width])?),
        None => None,
    };
    let bytes = CHANNELS.saturating_mul(height).saturating_mul(width).saturating_mul(total);
    let kept = cache.as_ref().and_then(|cache| cache.load(bytes));
    let cached = kept.is_some();
    let pixels = match kept {
        Some(pixels) => pixels,
        None => {
            let Decoded { mut pixels, bad } =
                decode_all(root, &files, [height, width], threads, skip_bad, &|done| progress(done, total))?;
            if bad.is_empty() {
                // A cache that cannot be written costs time, not the result.
                if let Some(error) = cache.and_then(|cache| cache.save(&pixels).err()) {
                    notes.push(format!("the decoded images are not kept: {error}"));
                }
            } else {
                let image = CHANNELS * height * width;
                let mut kept = 0;
                let is_bad: BTreeSet<usize> = bad.iter().map(|(place, _)| *place).collect();
                for place in (0..total).filter(|place| !is_bad.contains(place)) {
                    pixels.copy_within(place * image..(place + 1) * image, kept * image);
                    labels[kept] = labels[place];
                    parts[kept] = parts[place];
                    paths.swap(kept, place);
                    kept += 1;
                }
                let problem =
                    |(place, problem): (usize, Problem)| [pieces(&files[place]).join("/"), problem.to_string()];
                left_out.bad = bad.into_iter().map(problem).collect();
                if kept == 0 {
                    let hint = format!("; {}", left_out.sentences().join("; "));
                    return Err(wrong(root, Problem::NoImages { expected: "images that can be read", hint }));
                }
                pixels.truncate(kept * image);
                labels.truncate(kept);
                parts.truncate(kept);
                paths.truncate(kept);
            }
            pixels
        }
    };
    let Classes { names, values, tree } = classes;
    let set = ImageSet::new(Contents {
        name: root.file_name().unwrap_or(root.as_os_str()).to_string_lossy().into_owned(),
        height,
        width,
        pixels,
        labels,
        class_names: names,
        class_values: values,
        paths,
        parts,
        tree,
    })?;
    let without = set.classes_without(&set.all());
    if !without.is_empty() {
        notes.push(format!("{} classes have no images: {}", without.len(), list(&without)));
    }
    Ok(Loaded { set, left_out, notes, cached })
}

#[cfg(test)]
mod tests;
