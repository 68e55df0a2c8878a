//! Folders of images: what each of them shows, from its name, its folder or a table.
//!
//! | reader | class of an image | example |
//! |---|---|---|
//! | [`ages`] | the age that its name begins with (UTKFace) | `25_1_0_20170103212427690.jpg.chip.jpg` |
//! | | else the first folder that is an age (AFAD) | `25/111/109-0.jpg` |
//! | | or what a table with the columns `path` and `label` says | |
//! | [`classes`] | its folder; folders in folders are a tree | `tree/oak/1.png` |
//!
//! Folders `train`, `val` (or `valid`, `validation`) and `test` at the top that hold images and class folders as the whole
//! would are parts of the data and no classes: then there is a `train` among them, and nothing else beside them. Class names that are all numbers are sorted as numbers, and are the values of the classes.
//! Symbolic links to folders are not followed, names that begin with a dot are passed over.

use super::{CHANNELS, Contents, ImageSet, Part, Problem, Tree, cache::Cache, decode::decode_all, set::wrong};
pub use crate::error::images::OLDEST;
use crate::{Error, error::place::list};
use simloss_core::Label;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

/// Folders in folders.
const DEEPEST: usize = 16;
/// The most images of a folder.
const MOST_FILES: usize = 20_000_000;

/// How to read a folder.
#[derive(Clone, Copy)]
pub struct Loading<'a> {
    /// Rows and pixels of a row that images are resized to.
    pub size: [usize; 2],
    /// Threads to decode with.
    pub threads: usize,
    /// The folder for decoded images, if they are to be kept.
    pub cache: Option<&'a Path>,
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
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Files below a folder, in order.
#[derive(Default)]
struct Scan {
    images: Vec<PathBuf>,
    other_files: usize,
    /// Folders that hold neither images nor folders.
    empty: Vec<PathBuf>,
}

fn scan(root: &Path) -> Result<Scan, Error> {
    let mut scan = Scan::default();
    walk(root, Path::new(""), 0, &mut scan)?;
    if scan.images.is_empty() {
        let hint = match scan.other_files {
            0 => "; is it the right one?".to_owned(),
            n => format!(", but {n} other files; unpack archives first"),
        };
        return Err(wrong(root, Problem::NoImages { expected: "PNG or JPEG images", hint }));
    }
    Ok(scan)
}

fn walk(root: &Path, below: &Path, depth: usize, scan: &mut Scan) -> Result<(), Error> {
    // To join nothing would add a separator.
    let folder = if depth == 0 { root.to_owned() } else { root.join(below) };
    if depth > DEEPEST {
        return Err(wrong(
            &folder,
            Problem::Limit(format!("folders are more than {DEEPEST} deep; give one further down")),
        ));
    }
    let mut names = vec![];
    for entry in fs::read_dir(&folder).map_err(Error::file("read", &folder))? {
        let entry = entry.map_err(Error::file("read", &folder))?;
        let kind = entry.file_type().map_err(Error::file("read", entry.path()))?;
        names.push((entry.file_name(), kind));
    }
    // Of the same files, the same order on every system.
    names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let mut anything = false;
    for (name, kind) in names {
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = below.join(&name);
        if kind.is_dir() {
            anything = true;
            walk(root, &path, depth + 1, scan)?;
        } else if kind.is_symlink() && root.join(&path).is_dir() {
            scan.other_files += 1;
        } else if is_image(&path) {
            anything = true;
            scan.images.push(path);
            if scan.images.len() > MOST_FILES {
                return Err(wrong(
                    root,
                    Problem::Limit(format!("there are more than {MOST_FILES} images; give a part of them")),
                ));
            }
        } else {
            scan.other_files += 1;
        }
    }
    if !anything && depth > 0 {
        scan.empty.push(below.to_owned());
    }
    Ok(())
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    ["png", "jpg", "jpeg"].iter().any(|known| extension == *known)
}

/// The parts of a path below the root, as text with one kind of separator.
fn pieces(path: &Path) -> Vec<String> {
    path.iter().map(|piece| piece.to_string_lossy().into_owned()).collect()
}

fn part(name: &str) -> Option<Part> {
    match name.to_lowercase().as_str() {
        "train" | "training" => Some(Part::Train),
        "val" | "valid" | "validation" => Some(Part::Validation),
        "test" | "testing" => Some(Part::Test),
        _ => None,
    }
}

/// Whether the folders at the top are parts of the data. Below one an image lies `depth` names deep or more; a class may
/// have the name of a part.
fn has_parts(root: &Path, scan: &Scan, depth: usize) -> Result<bool, Error> {
    let mut tops = BTreeMap::new();
    for path in &scan.images {
        let top = path.iter().next().unwrap_or_default().to_string_lossy();
        *tops.entry(top).or_insert(false) |= path.iter().count() > depth;
    }
    let (parts, others): (Vec<_>, Vec<_>) = tops.keys().partition(|top| tops[*top] && part(top).is_some());
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

/// The part of an image, and its path without it.
fn without_part(path: &Path, parts: bool) -> (Part, Vec<String>) {
    let mut pieces = pieces(path);
    match pieces.first().and_then(|top| part(top)).filter(|_| parts && pieces.len() > 1) {
        Some(part) => {
            pieces.remove(0);
            (part, pieces)
        }
        None => (Part::Any, pieces),
    }
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
    let scan = scan(root)?;
    let labels = match table {
        Some(path) => Some(ages_of_table(path, &scan)?),
        None => None,
    };
    let parts = has_parts(root, &scan, 1)?;
    let mut left_out = LeftOut { other_files: scan.other_files, ..LeftOut::default() };
    let (mut images, mut notes, mut lacking) = (vec![], vec![], vec![]);
    for path in scan.images {
        let (part, pieces) = without_part(&path, parts);
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
    let scan = scan(root)?;
    let parts = has_parts(root, &scan, 2)?;
    if let Some(empty) = scan.empty.first() {
        return Err(wrong(root, Problem::EmptyClass(empty.display().to_string())));
    }
    let mut found = vec![];
    for path in scan.images {
        let (part, mut pieces) = without_part(&path, parts);
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
    let classes = Classes::of(root, folders.into_iter().cloned().collect())?;
    let place: HashMap<Vec<String>, usize> = classes.1.iter().cloned().zip(0..).collect();
    let images = found
        .into_iter()
        .filter_map(|(path, part, folder)| place.get(&folder).map(|&class| (path, part, class)))
        .collect();
    let left_out = LeftOut { other_files: scan.other_files, ..LeftOut::default() };
    finish(root, images, classes.0, left_out, vec![], loading)
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
        let number = |folder: &Vec<String>| last(folder).parse::<f64>().ok().filter(|x| (*x as f32).is_finite());
        let numbers: Option<Vec<f64>> = folders.iter().map(number).collect();
        let distinct = folders.iter().map(last).collect::<BTreeSet<_>>().len() == folders.len();
        if numbers.is_some() && distinct {
            folders.sort_by(|a, b| number(a).unwrap_or(0.0).total_cmp(&number(b).unwrap_or(0.0)));
        }
        let values = match numbers.filter(|_| distinct) {
            Some(_) => folders.iter().filter_map(number).collect(),
            None => (0..folders.len()).map(|i| i as f64).collect(),
        };
        // Where two classes have one name, their folders tell them apart.
        let names: Vec<String> =
            folders.iter().map(|folder| if distinct { last(folder) } else { folder.join("/") }).collect();
        let tree =
            if folders.iter().any(|folder| folder.len() > 1) { Some(tree(root, &folders, &names)?) } else { None };
        Ok((Classes { names, values, tree }, folders))
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
    left_out: LeftOut,
    mut notes: Vec<String>,
    loading: Loading<'_>,
) -> Result<Loaded, Error> {
    let Loading { size: [height, width], threads, cache, progress } = loading;
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
            let pixels = decode_all(root, &files, [height, width], threads, &|done| progress(done, total))?;
            // A cache that cannot be written costs time, not the result.
            if let Some(error) = cache.and_then(|cache| cache.save(&pixels).err()) {
                notes.push(format!("the decoded images are not kept: {error}"));
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
mod tests {
    use super::*;
    use crate::data::images::decode::tests::png_of;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    const LOADING: Loading<'static> = Loading { size: [1, 1], threads: 2, cache: None, progress: &|_, _| true };

    /// A folder of images of one pixel, each of its own grey.
    fn folder(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (grey, file) in (1..).zip(files) {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let png = png_of(1, 1, png::ColorType::Grayscale, &[grey]);
            fs::write(path, if is_image(Path::new(file)) { &png[..] } else { b"text" }).unwrap();
        }
        root
    }

    fn message<T>(result: Result<T, Error>) -> String {
        result.err().map(|e| e.to_string()).unwrap_or_default()
    }

    #[test]
    fn ages_in_names_and_what_is_left_out() -> Outcome {
        let root = folder(&[
            "3_0_0_2017.jpg.chip.jpg",
            "2_1_2_2017.jpg.chip.jpg",
            "more/4_1_2017.jpg.chip.jpg",
            "90_1_0_2017.jpg",
            "0_1_0_2017.jpg",
            "face.jpg",
            "_1_0_2017.jpg",
            "200_0_0_2017.jpg",
            "notes.txt",
            ".hidden.jpg",
        ]);
        let Loaded { set, left_out, notes, cached } = ages(root.path(), 1..=5, None, LOADING)?;
        assert_eq!(set.paths(), ["2_1_2_2017.jpg.chip.jpg", "3_0_0_2017.jpg.chip.jpg", "more/4_1_2017.jpg.chip.jpg"]);
        assert_eq!(set.labels().iter().map(|y| y.index()).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!((set.class_values(), set.pixels_of(0)), (&[1.0, 2.0, 3.0, 4.0, 5.0][..], &[2, 2, 2][..]));
        assert_eq!((left_out.other_files, left_out.younger, left_out.older, cached), (1, 1, 1, false));
        assert_eq!(left_out.without_age, ["200_0_0_2017.jpg", "_1_0_2017.jpg", "face.jpg"]);
        assert_eq!(left_out.sentences().len(), 4);
        assert!(notes[0].contains("1 names lack a field; their ages are used: \"4_1_2017.jpg.chip.jpg\""), "{notes:?}");
        assert!(notes[1].contains("2 classes have no images: \"1\", \"5\""), "{notes:?}");
        let none = message(ages(root.path(), 50..=60, None, LOADING));
        assert!(
            none.contains("no images of ages in the range; left out 1 files") && none.contains("above the range"),
            "{none}"
        );
        for range in [5..=5, RangeInclusive::new(9, 3), 1..=151] {
            assert!(message(ages(root.path(), range, None, LOADING)).contains("--ages must be two ages"));
        }
        Ok(())
    }

    #[test]
    fn ages_in_folders() -> Outcome {
        let root = folder(&["15/111/109-0.jpg", "15/112/1-0.jpg", "16/111/2-0.jpg", "75/112/3-0.jpg", "x/111/4.jpg"]);
        let Loaded { set, left_out, .. } = ages(root.path(), 15..=75, None, LOADING)?;
        assert_eq!(set.labels().iter().map(|y| y.index()).collect::<Vec<_>>(), [0, 0, 1, 60]);
        // 111 is a gender there, and the one folder that could be an age.
        assert_eq!((left_out.older, left_out.without_age.len()), (1, 0));
        Ok(())
    }

    #[test]
    fn ages_in_a_table() -> Outcome {
        let root = folder(&["a/x.jpg", "b/x.jpg", "c.jpg", "labels.csv"]);
        let table = root.path().join("labels.csv");
        let read = |text: &str| {
            fs::write(&table, text).unwrap();
            ages(root.path(), 1..=9, Some(&table), LOADING)
        };
        let Loaded { set, left_out, .. } = read("label,path\n3,a/x.jpg\n4.0,./b/x.jpg\n")?;
        assert_eq!((set.paths(), left_out.not_in_table), (&["a/x.jpg".to_owned(), "b/x.jpg".into()][..], 1));
        assert_eq!(set.labels()[1].index(), 3);
        assert!(message(read("a,b\n")).contains("must name the columns \"path\" and \"label\"; it names \"a\", \"b\""));
        assert!(message(read("path,label\nc.jpg,old\n")).contains("line 2: \"old\" is not an age"));
        assert!(message(read("path,label\nc.jpg,\n")).contains("\"\" is not an age"));
        assert!(message(read("path,label\nc.jpg,3\nd.jpg,3\n")).contains("no images in the folder"));
        assert!(message(read("path,label\nc.jpg,3\nc.jpg,4\n")).contains("line 3: the name \"c.jpg\" stands twice"));
        assert!(message(read("path,label\nc.jpg,3\nc.jpg,3\n")).is_empty());
        Ok(())
    }

    #[test]
    fn folders_are_classes() -> Outcome {
        let root = folder(&["b/1.png", "a/1.png", "a/2.PNG", "c/1.jpeg", "readme.md"]);
        let Loaded { set, left_out, .. } = classes(root.path(), LOADING)?;
        assert_eq!((set.class_names(), set.images()), (&["a", "b", "c"].map(str::to_owned)[..], 4));
        assert_eq!((set.tree(), left_out.other_files, set.part(Part::Any).len()), (None, 1, 4));

        // Numbers are sorted as numbers, and are values.
        let root = folder(&["10/x.png", "9/x.png", "-1.5/x.png"]);
        let set = classes(root.path(), LOADING)?.set;
        assert_eq!(
            (set.class_names(), set.class_values()),
            (&["-1.5", "9", "10"].map(str::to_owned)[..], &[-1.5, 9.0, 10.0][..])
        );

        // Parts are no classes.
        let root = folder(&["train/a/1.png", "train/b/1.png", "val/a/1.png", "test/b/1.png"]);
        let set = classes(root.path(), LOADING)?.set;
        assert_eq!(set.class_names(), ["a", "b"]);
        assert_eq!([Part::Train, Part::Validation, Part::Test].map(|part| set.part(part).len()), [2, 1, 1]);
        // Misnamed, a part would be a group of classes.
        for (others, expected) in [
            (
                &["tests/a/1.png", "tests/b/1.png"][..],
                "beside the parts \"train\" of the data stand \"tests\"; rename these",
            ),
            (&["a/1.png"][..], "of the data stand \"a\"; rename these to train, val or test"),
            (&["1.png"][..], "of the data stand \"1.png\""),
        ] {
            let root = folder(&[&["train/a/1.png", "train/b/1.png"][..], others].concat());
            let found = message(classes(root.path(), LOADING));
            assert!(found.contains(expected), "{found}");
        }
        let root = folder(&["test/a/1.png", "val/a/1.png", "test/b/1.png"]);
        let found = message(classes(root.path(), LOADING));
        assert!(found.contains("beside the parts \"test\", \"val\" of the data there is no train; give"), "{found}");
        // Folders of images are classes, whatever their names.
        let root = folder(&["train/1.png", "car/1.png"]);
        assert_eq!(classes(root.path(), LOADING)?.set.class_names(), ["car", "train"]);
        let root = folder(&["test/1.png", "val/1.png"]);
        assert_eq!(classes(root.path(), LOADING)?.set.class_names(), ["test", "val"]);
        Ok(())
    }

    #[test]
    fn folders_in_folders_are_a_tree() -> Outcome {
        let root = folder(&["plant/tree/oak/1.png", "plant/tree/fir/1.png", "plant/rose/1.png", "animal/cat/1.png"]);
        let set = classes(root.path(), LOADING)?.set;
        assert_eq!(set.class_names(), ["cat", "rose", "fir", "oak"]);
        let tree = set.tree().ok_or("no tree")?;
        assert_eq!(tree.names[4..], ["all", "animal", "plant", "plant/tree"]);
        assert_eq!(tree.parents, [5, 6, 7, 7, 4, 4, 4, 6]);
        assert_eq!(tree.superclasses(4), [0, 1, 1, 1]);
        // The core takes it as it is.
        assert!(simloss_core::similarity::Taxonomy::new(&tree.parents[..], [1.0f32, 0.7, 0.3, 0.0], 4).is_ok());
        // One name in two places.
        let root = folder(&["hot/1/a.png", "cold/1/a.png"]);
        assert_eq!(classes(root.path(), LOADING)?.set.class_names(), ["cold/1", "hot/1"]);
        Ok(())
    }

    #[test]
    fn folders_that_do_not_fit_are_refused() -> Outcome {
        assert!(matches!(classes(Path::new("/no/such/folder"), LOADING), Err(Error::File { action: "read", .. })));
        let empty = tempfile::tempdir()?;
        assert!(message(classes(empty.path(), LOADING)).contains("the folder holds no PNG or JPEG images"));
        assert!(message(ages(empty.path(), 1..=90, None, LOADING)).contains("holds no PNG or JPEG images"));
        let root = folder(&["data.zip"]);
        assert!(message(classes(root.path(), LOADING)).contains("but 1 other files; unpack archives first"));
        let root = folder(&["a/1.png"]);
        assert!(message(classes(root.path(), LOADING)).contains("for each of two classes or more"));
        let root = folder(&["a/1.png", "a/b/1.png", "c/1.png"]);
        assert!(message(classes(root.path(), LOADING)).contains("images and folders with images"));
        let root = folder(&["a/1.png", "2.png"]);
        assert!(message(classes(root.path(), LOADING)).contains("images and folders with images"));
        let root = folder(&["a/1.png", "b/1.png", "c/notes.txt"]);
        assert!(message(classes(root.path(), LOADING)).contains("class \"c\" has no images"));
        let root = folder(&["a/1.png", "b/1.png"]);
        fs::write(root.path().join("b/1.png"), b"")?;
        let found = message(classes(root.path(), LOADING));
        assert!(found.contains("1.png: the file is empty; give a PNG or JPEG image, or remove it"), "{found}");
        let deep = ["d"; 20].join("/") + "/1.png";
        assert!(message(classes(folder(&[&deep]).path(), LOADING)).contains("more than 16 deep"));
        Ok(())
    }

    #[test]
    fn a_cache_gives_the_same_and_notices_changes() -> Outcome {
        let root = folder(&["a/1.png", "b/1.png"]);
        let kept = tempfile::tempdir()?;
        let cache = kept.path().join("cache");
        let loading = Loading { cache: Some(&cache), ..LOADING };
        let first = classes(root.path(), loading)?;
        let second = classes(root.path(), loading)?;
        assert_eq!((first.cached, second.cached), (false, true));
        assert_eq!(first.set, second.set);
        fs::write(root.path().join("b/2.png"), png_of(1, 1, png::ColorType::Grayscale, &[9]))?;
        let third = classes(root.path(), loading)?;
        assert_eq!((third.cached, third.set.images()), (false, 3));
        // A cache that cannot be written is said, and no more.
        fs::write(kept.path().join("file"), b"")?;
        let blocked = kept.path().join("file");
        let notes = classes(root.path(), Loading { cache: Some(&blocked), ..LOADING })?.notes;
        assert!(notes[0].contains("the decoded images are not kept"), "{notes:?}");
        Ok(())
    }
}
