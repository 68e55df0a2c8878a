//! Images in memory, checked, with all that is known about their classes.

use super::{CHANNELS, Problem};
use crate::{
    Error,
    data::{Split, hex},
    error::place::InFile,
};
use sha2::{Digest, Sha256};
use simloss_core::{Label, Random};
use std::path::Path;

/// The part of the data that an image belongs to, where the data say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Nothing is said.
    Any,
    /// To train with.
    Train,
    /// To choose the best epoch with.
    Validation,
    /// To judge the result with.
    Test,
}

/// Classes as leaves of a tree, as the core's `Taxonomy` takes it: the classes first, the root its own parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The node above each node.
    pub parents: Vec<u16>,
    /// The name of each node.
    pub names: Vec<String>,
}

impl Tree {
    /// The group of each class, numbered from 0: the node below the root that it stands under, or itself.
    ///
    /// ```
    /// use simloss_train::data::images::Tree;
    /// let names = ["maple", "oak", "rose", "tree", "plant"].map(str::to_owned).to_vec();
    /// assert_eq!(Tree { parents: vec![3, 3, 4, 4, 4], names }.superclasses(3), [0, 0, 1]);
    /// ```
    pub fn superclasses(&self, classes: usize) -> Vec<u16> {
        let parent = |node: usize| self.parents.get(node).map_or(node, |&up| usize::from(up));
        let mut groups: Vec<usize> = vec![];
        (0..classes)
            .map(|class| {
                let mut at = class;
                // A tree has no walk longer than its number of nodes.
                for _ in 0..self.parents.len() {
                    if parent(parent(at)) == parent(at) {
                        break;
                    }
                    at = parent(at);
                }
                let known = groups.iter().position(|&group| group == at);
                known.unwrap_or_else(|| {
                    groups.push(at);
                    groups.len() - 1
                }) as u16
            })
            .collect()
    }

    /// The tree of the classes `kept`, in their order; inner nodes without classes are left out.
    fn keep(&self, classes: usize, kept: &[usize]) -> Self {
        let parent = |node: usize| self.parents.get(node).map_or(node, |&up| usize::from(up));
        let mut used = vec![false; self.parents.len()];
        for &class in kept {
            let mut at = class;
            while let Some(seen) = used.get_mut(at).filter(|seen| !**seen) {
                *seen = true;
                at = parent(at);
            }
        }
        let inner = (classes..self.parents.len()).filter(|&node| used[node]);
        let nodes: Vec<usize> = kept.iter().copied().chain(inner).collect();
        let place = |node: usize| nodes.iter().position(|&n| n == node).unwrap_or(0) as u16;
        Tree {
            parents: nodes.iter().map(|&node| place(parent(node))).collect(),
            names: nodes.iter().filter_map(|&node| self.names.get(node).cloned()).collect(),
        }
    }
}

/// What an [`ImageSet`] is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Contents {
    /// Where it comes from, for people.
    pub name: String,
    /// Rows of an image.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
    /// Image after image: all red, all green, all blue, each row by row.
    pub pixels: Vec<u8>,
    /// The class of each image.
    pub labels: Vec<Label>,
    /// The name of each class.
    pub class_names: Vec<String>,
    /// What each class stands for: an age, or its index.
    pub class_values: Vec<f64>,
    /// Where each image was read from.
    pub paths: Vec<String>,
    /// The part of each image.
    pub parts: Vec<Part>,
    /// How classes are grouped, where the data say so.
    pub tree: Option<Tree>,
}

/// Images of one size with their classes, checked.
///
/// ```
/// use simloss_core::Label;
/// use simloss_train::data::images::{Contents, ImageSet, Part};
/// let set = ImageSet::new(Contents {
///     name: "two points".to_owned(),
///     height: 1,
///     width: 1,
///     pixels: vec![255, 0, 0, 0, 0, 255],
///     labels: vec![Label::new(0, 2)?, Label::new(1, 2)?],
///     class_names: vec!["red".to_owned(), "blue".to_owned()],
///     class_values: vec![0.0, 1.0],
///     paths: vec!["a.png".to_owned(), "b.png".to_owned()],
///     parts: vec![Part::Any; 2],
///     tree: None,
/// })?;
/// assert_eq!((set.images(), set.inputs(), set.pixels_of(1)), (2, 3, &[0, 0, 255][..]));
/// # Ok::<(), simloss_train::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ImageSet {
    contents: Contents,
    fingerprint: String,
}

/// Shares of training images that validate where the data name test images but no others: one in ten, as published.
const VALIDATION: usize = 10;

/// First keys of random streams, beside those of `data::stream`.
pub(super) mod stream {
    pub(crate) const SPLIT: u64 = 101;
    pub(crate) const AUGMENT: u64 = 102;
}

impl ImageSet {
    /// # Errors
    /// [`Error::Data`] for no images, sizes of 0, lengths that do not fit each other, or class values that are not
    /// finite; [`Error::Core`] for fewer than two classes, and labels of another number of classes.
    pub fn new(contents: Contents) -> Result<Self, Error> {
        let c = &contents;
        let wrong = |problem: String| Err(Error::Data { data: c.name.clone(), problem });
        let (images, classes) = (c.labels.len(), c.class_names.len());
        Label::new(0, classes)?;
        if images == 0 || c.height == 0 || c.width == 0 {
            return wrong(format!("there are {images} images of {} x {} pixels", c.width, c.height));
        }
        if u32::try_from(images).is_err() {
            return wrong(format!("{images} images are more than can be counted in 32 bits"));
        }
        let expected = CHANNELS.checked_mul(c.height).and_then(|n| n.checked_mul(c.width)?.checked_mul(images));
        if expected != Some(c.pixels.len()) {
            let found = c.pixels.len();
            return wrong(format!("{images} images of {} x {} pixels are not {found} bytes", c.width, c.height));
        }
        if c.class_values.len() != classes || c.paths.len() != images || c.parts.len() != images {
            return wrong("there must be one value for each class, and one path and part for each image".to_owned());
        }
        if let Some(class) = c.class_values.iter().position(|value| !(*value as f32).is_finite()) {
            return wrong(format!("the value of class {} is not a finite number", c.class_names[class]));
        }
        if c.tree.as_ref().is_some_and(|tree| tree.parents.len() <= classes || tree.names.len() != tree.parents.len()) {
            return wrong("the tree of the classes does not fit them".to_owned());
        }
        for label in &c.labels {
            label.of(classes)?;
        }
        let fingerprint = fingerprint(c);
        Ok(ImageSet { contents, fingerprint })
    }

    /// Everything it is made of.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Where it comes from, for people.
    pub fn name(&self) -> &str {
        &self.contents.name
    }

    /// The number of images.
    pub fn images(&self) -> usize {
        self.contents.labels.len()
    }

    /// Rows and pixels of a row.
    pub fn size(&self) -> [usize; 2] {
        [self.contents.height, self.contents.width]
    }

    /// Numbers per image.
    pub fn inputs(&self) -> usize {
        CHANNELS * self.contents.height * self.contents.width
    }

    /// The bytes of one image: all red, all green, all blue. None for an image that is not there.
    #[inline(always)]
    pub fn pixels_of(&self, image: u32) -> &[u8] {
        let n = CHANNELS * self.contents.height * self.contents.width;
        let first = (image as usize).saturating_mul(n);
        self.contents.pixels.get(first..first.saturating_add(n)).unwrap_or(&[])
    }

    /// The class of each image.
    pub fn labels(&self) -> &[Label] {
        &self.contents.labels
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.contents.class_names.len()
    }

    /// The name of each class.
    pub fn class_names(&self) -> &[String] {
        &self.contents.class_names
    }

    /// What each class stands for.
    pub fn class_values(&self) -> &[f64] {
        &self.contents.class_values
    }

    /// Where each image was read from.
    pub fn paths(&self) -> &[String] {
        &self.contents.paths
    }

    /// How classes are grouped.
    pub fn tree(&self) -> Option<&Tree> {
        self.contents.tree.as_ref()
    }

    /// SHA-256 over what was decoded (pixels, labels, names and values of the classes), in hexadecimal digits: equal
    /// images have equal fingerprints, whatever files they were read from.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Images of the part `part`, in ascending order.
    pub fn part(&self, part: Part) -> Vec<u32> {
        (0u32..).zip(&self.contents.parts).filter(|(_, p)| **p == part).map(|(i, _)| i).collect()
    }

    /// Every image.
    pub fn all(&self) -> Vec<u32> {
        (0..self.images() as u32).collect()
    }

    /// The same without the classes that are not in `kept`, which gives their new order.
    ///
    /// # Errors
    /// [`Error::Data`] for a class that does not exist or stands twice, and if no image is left; [`Error::Core`] for
    /// fewer than two classes.
    pub fn keep_classes(mut self, kept: &[usize]) -> Result<Self, Error> {
        let (classes, inputs) = (self.classes(), self.inputs());
        let mut place = vec![None; classes];
        for (new, &old) in kept.iter().enumerate() {
            match place.get_mut(old) {
                Some(place @ None) => *place = Some(Label::new(new, kept.len())?),
                _ => {
                    let problem = format!("class {old} is given twice, or does not exist");
                    return Err(Error::Data { data: self.contents.name, problem });
                }
            }
        }
        let c = &mut self.contents;
        let mut images = 0;
        for old in 0..c.labels.len() {
            let Some(label) = place[c.labels[old].index()] else { continue };
            c.pixels.copy_within(old * inputs..(old + 1) * inputs, images * inputs);
            c.labels[images] = label;
            c.parts[images] = c.parts[old];
            c.paths.swap(images, old);
            images += 1;
        }
        c.pixels.truncate(images * inputs);
        c.labels.truncate(images);
        c.parts.truncate(images);
        c.paths.truncate(images);
        c.class_names = kept.iter().map(|&class| c.class_names[class].clone()).collect();
        c.class_values = kept.iter().map(|&class| c.class_values[class]).collect();
        c.tree = c.tree.as_ref().map(|tree| tree.keep(classes, kept));
        ImageSet::new(self.contents)
    }

    /// The same images with the classes `names`, which stand for `values`: those of a network. Classes that the set lacks
    /// have no images, and its classes without images need no name.
    ///
    /// # Errors
    /// [`Error::Data`] for images of classes that are not among `names`; as [`ImageSet::new`].
    pub fn with_classes(mut self, names: &[String], values: &[f64]) -> Result<Self, Error> {
        let c = &mut self.contents;
        let classes = c.class_names.len();
        let places: Vec<Option<usize>> =
            c.class_names.iter().map(|name| names.iter().position(|other| other == name)).collect();
        let mut unknown = vec![];
        for label in &mut c.labels {
            match places[label.index()] {
                Some(place) => *label = Label::new(place, names.len())?,
                None if unknown.contains(&c.class_names[label.index()]) => {}
                None => unknown.push(c.class_names[label.index()].clone()),
            }
        }
        if !unknown.is_empty() {
            let problem = format!("the network has no class {}", crate::error::place::list(&unknown));
            return Err(Error::Data { data: self.contents.name, problem });
        }
        let old = |name: &String| c.class_names.iter().position(|other| other == name);
        let kept: Option<Vec<usize>> = names.iter().map(old).collect();
        c.tree = c.tree.as_ref().zip(kept).map(|(tree, kept)| tree.keep(classes, &kept));
        (c.class_names, c.class_values) = (names.to_vec(), values.to_vec());
        ImageSet::new(self.contents)
    }

    /// Which images train, choose the epoch, and judge.
    ///
    /// Parts that the data name are kept. Where they name none, one shuffle of the seed gives 60 % to training and 20 %
    /// each to validation and test; where they name test images alone, a tenth of the others validates; where they
    /// name validation images but no test images, a fifth of the others tests. Images of no part train.
    ///
    /// # Errors
    /// [`Error::Data`] if a part gets no image, or the training part has fewer than two classes.
    pub fn split(&self, seed: u64) -> Result<Split, Error> {
        let mut train: Vec<u32> = self.part(Part::Any).into_iter().chain(self.part(Part::Train)).collect();
        let (mut validation, mut test) = (self.part(Part::Validation), self.part(Part::Test));
        train.sort_unstable();
        Random::new(seed).key(stream::SPLIT).shuffle(&mut train);
        let fifth = (2 * train.len() + 5) / 10;
        let (validate, judge) = match (validation.is_empty(), test.is_empty()) {
            (true, true) => (fifth, fifth),
            (true, false) => ((2 * train.len() + VALIDATION) / (2 * VALIDATION), 0),
            (false, true) => (0, fifth),
            (false, false) => (0, 0),
        };
        validation.extend(train.drain(..validate));
        test.extend(train.drain(..judge.min(train.len())));
        let mut split = Split { train, validation, test };
        let wrong = |problem: String| Err(Error::Data { data: self.name().to_owned(), problem });
        for (part, name) in
            [(&mut split.train, "training"), (&mut split.validation, "validation"), (&mut split.test, "the test")]
        {
            part.sort_unstable();
            if part.is_empty() {
                return wrong(format!("no image is left for {name}; add images"));
            }
        }
        let first = self.labels()[split.train[0] as usize];
        if split.train.iter().all(|&i| self.labels()[i as usize] == first) {
            let only = &self.class_names()[first.index()];
            return wrong(format!("all images to train with are of class {only}; training needs at least two classes"));
        }
        Ok(split)
    }

    /// Classes without an image among `images`, for people.
    pub fn classes_without(&self, images: &[u32]) -> Vec<&str> {
        let mut seen = vec![false; self.classes()];
        for &image in images {
            if let Some(label) = self.labels().get(image as usize) {
                seen[label.index()] = true;
            }
        }
        seen.iter().zip(self.class_names()).filter(|(seen, _)| !**seen).map(|(_, name)| name.as_str()).collect()
    }
}

fn fingerprint(c: &Contents) -> String {
    let mut hash = Sha256::new();
    // Lengths first: no two contents give the same bytes.
    for n in [c.labels.len(), c.height, c.width, c.class_names.len()] {
        hash.update((n as u64).to_le_bytes());
    }
    hash.update(&c.pixels);
    for y in &c.labels {
        hash.update((y.index() as u16).to_le_bytes());
    }
    for (name, value) in c.class_names.iter().zip(&c.class_values) {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name.as_bytes());
        hash.update(value.to_bits().to_le_bytes());
    }
    hex(&hash.finalize())
}

/// A problem of a file of images.
pub(crate) fn wrong(path: &Path, problem: Problem) -> Error {
    InFile::file(path, problem).into()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// `images` small images with pixels of a pattern, in `classes` classes, one after the other.
    pub(crate) fn pattern(images: usize, classes: usize, [height, width]: [usize; 2]) -> Contents {
        let labels = (0..images).map(|i| Label::new(i % classes, classes).unwrap()).collect();
        Contents {
            name: "pattern".to_owned(),
            height,
            width,
            pixels: (0..images * CHANNELS * height * width).map(|i| (i * 37 % 251 + i / 251) as u8).collect(),
            labels,
            class_names: (0..classes).map(|i| format!("c{i}")).collect(),
            class_values: (0..classes).map(|i| i as f64).collect(),
            paths: (0..images).map(|i| format!("{i}.png")).collect(),
            parts: vec![Part::Any; images],
            tree: None,
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let good = pattern(6, 3, [2, 4]);
        assert!(ImageSet::new(good.clone()).is_ok());
        for change in [
            (|c| c.pixels.truncate(100)) as fn(&mut Contents),
            |c| c.height = usize::MAX,
            |c| c.width = 0,
            |c| c.labels.truncate(5),
            |c| c.paths.clear(),
            |c| c.parts.push(Part::Test),
            |c| c.class_values[1] = f64::NAN,
            |c| c.class_values[1] = 1e300,
            |c| c.class_names.truncate(1),
            |c| c.labels[3] = Label::new(0, 4).unwrap(),
            |c| c.tree = Some(Tree { parents: vec![0], names: vec![] }),
        ] {
            let mut changed = good.clone();
            change(&mut changed);
            assert!(ImageSet::new(changed).is_err());
        }
    }

    #[test]
    fn every_part_of_the_contents_is_in_the_fingerprint() {
        let set = |change: fn(&mut Contents)| {
            let mut contents = pattern(6, 3, [2, 4]);
            change(&mut contents);
            ImageSet::new(contents).unwrap().fingerprint().to_owned()
        };
        let same = set(|_| ());
        assert_eq!(same, set(|c| c.paths[0] = "elsewhere.png".to_owned()));
        for other in [
            set(|c| c.pixels[143] ^= 1),
            set(|c| (c.height, c.width) = (4, 2)),
            set(|c| c.labels.swap(0, 1)),
            set(|c| c.class_names[0].push('x')),
            set(|c| c.class_values[0] = 7.0),
        ] {
            assert_ne!(same, other);
        }
    }

    #[test]
    fn classes_are_kept_in_the_order_asked_for() -> Result<(), Error> {
        let mut contents = pattern(6, 3, [2, 4]);
        let names = ["c0", "c1", "c2", "a", "b", "root"].map(str::to_owned).to_vec();
        contents.tree = Some(Tree { parents: vec![3, 4, 4, 5, 5, 5], names });
        let set = ImageSet::new(contents)?;
        let kept = set.clone().keep_classes(&[2, 1])?;
        assert_eq!((kept.images(), kept.class_names()), (4, &["c2".to_owned(), "c1".to_owned()][..]));
        assert_eq!(kept.paths(), ["1.png", "2.png", "4.png", "5.png"]);
        assert_eq!(kept.labels().iter().map(|y| y.index()).collect::<Vec<_>>(), [1, 0, 1, 0]);
        for (new, old) in [1, 2, 4, 5].into_iter().enumerate() {
            assert_eq!(kept.pixels_of(new as u32), set.pixels_of(old));
        }
        let tree = kept.tree().cloned().unwrap();
        assert_eq!(
            (tree.parents, tree.names),
            (vec![2, 2, 3, 3], ["c2", "c1", "b", "root"].map(str::to_owned).to_vec())
        );
        assert!(set.clone().keep_classes(&[0, 0]).is_err());
        assert!(set.clone().keep_classes(&[0, 3]).is_err());
        assert!(set.keep_classes(&[0]).is_err());
        Ok(())
    }

    #[test]
    fn classes_are_those_of_a_network() -> Result<(), Error> {
        let set = ImageSet::new(pattern(6, 3, [2, 4]))?;
        let names = ["c2", "new", "c0", "c1"].map(str::to_owned);
        let found = set.clone().with_classes(&names, &[5.0, 6.0, 7.0, 8.0])?;
        assert_eq!((found.class_names(), found.class_values()), (&names[..], &[5.0, 6.0, 7.0, 8.0][..]));
        assert_eq!(found.labels().iter().map(|y| y.index()).collect::<Vec<_>>(), [2, 3, 0, 2, 3, 0]);
        let message = set.with_classes(&names[..3], &[0.0; 3]).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(message.contains("the network has no class \"c1\""), "{message}");
        Ok(())
    }

    #[test]
    fn parts_that_are_named_are_kept() -> Result<(), Error> {
        let with = |parts: fn(usize) -> Part| {
            let mut contents = pattern(100, 2, [1, 1]);
            contents.parts = (0..100).map(parts).collect();
            let split = ImageSet::new(contents)?.split(42)?;
            let mut all: Vec<u32> = [&split.train[..], &split.validation, &split.test].concat();
            all.sort_unstable();
            assert_eq!(all, (0..100).collect::<Vec<_>>());
            Ok::<_, Error>(split)
        };
        let sizes = |split: &Split| [split.train.len(), split.validation.len(), split.test.len()];
        let any = with(|_| Part::Any)?;
        assert_eq!(sizes(&any), [60, 20, 20]);
        assert_eq!(any, with(|_| Part::Any)?);
        let official = with(|i| if i < 80 { Part::Train } else { Part::Test })?;
        assert_eq!((sizes(&official), official.test[0]), ([72, 8, 20], 80));
        assert_eq!(sizes(&with(|i| if i < 80 { Part::Train } else { Part::Validation })?), [64, 20, 16]);
        assert_eq!(sizes(&with(|i| [Part::Train, Part::Any, Part::Validation, Part::Test][i % 4])?), [50, 25, 25]);
        assert!(with(|_| Part::Test).is_err());
        Ok(())
    }
}
