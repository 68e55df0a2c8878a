//! Classes in groups, from a CSV file.
//!
//! The first row names the columns `class` and `superclass`, in any order and case, with or without others, which are not
//! read; each row below puts one class into one superclass:
//!
//! ```text
//! class,superclass
//! maple,tree
//! oak,tree
//! rose,flower
//! ```

use super::{MOST_CLASSES, Problem, distinct, names::Wanted};
use crate::{Error, error::place::InFile, input};
use simloss_core::similarity::Taxonomy;
use std::{collections::BTreeMap, path::Path};

/// Reads the superclass of each class, in the order of the classes wanted, or of the file where there are none.
///
/// Returns the names of the classes, and the number of the superclass of each.
///
/// # Errors
/// [`Error::File`], [`Error::Text`], [`Error::Similarity`].
pub fn read(path: &Path, wanted: &Wanted<'_>) -> Result<(Vec<String>, Vec<u16>), Error> {
    let (names, superclasses) = parse(path, &input::text(path)?)?;
    let classes = wanted.classes.unwrap_or(&names);
    let places = wanted.places(path, &names, classes)?;
    let mut numbers = BTreeMap::new();
    for superclass in &superclasses {
        let next = numbers.len() as u16;
        numbers.entry(superclass.as_str()).or_insert(next);
    }
    let superclasses = places.iter().map(|&[_, at]| numbers[superclasses[at].as_str()]).collect();
    Ok((places.iter().map(|&[class, _]| classes[class].clone()).collect(), superclasses))
}

fn parse(path: &Path, text: &str) -> Result<(Vec<String>, Vec<String>), InFile<Problem>> {
    if text.trim().is_empty() {
        let expected = "its first row should name the columns class and superclass";
        return Err(InFile::file(path, Problem::Empty { expected }));
    }
    let rows = input::columns(text, ["class", "superclass"]).map_err(|found| {
        InFile::file(path, Problem::Columns { expected: "\"class\" and \"superclass\"", found }).line(1)
    })?;
    let (mut names, mut superclasses) = (vec![], vec![]);
    for (line, [class, superclass]) in rows {
        if superclass.is_empty() {
            return Err(InFile::file(path, Problem::Unnamed).line(line).column("superclass"));
        }
        names.push(class);
        superclasses.push(superclass);
    }
    distinct(path, &names)?;
    if !(2..=MOST_CLASSES).contains(&names.len()) {
        return Err(InFile::file(path, Problem::Classes(names.len())));
    }
    Ok((names, superclasses))
}

/// The tree of two levels: classes, superclasses, root.
pub(super) fn taxonomy(superclasses: &[u16], r: f32) -> Result<Taxonomy<f32, Vec<u16>, [f32; 3]>, Error> {
    Ok(Taxonomy::new(parents(superclasses), [1.0, r, 0.0], superclasses.len())?)
}

/// The parent of each of its nodes.
pub(crate) fn parents(superclasses: &[u16]) -> Vec<u16> {
    let classes = superclasses.len();
    let groups = superclasses.iter().max().map_or(0, |&most| usize::from(most) + 1);
    // At most MOST_CLASSES classes and groups, and one root: below 2^16.
    let root = (classes + groups) as u16;
    let parents = superclasses.iter().map(|&group| classes as u16 + group).chain(std::iter::repeat_n(root, groups + 1));
    parents.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use simloss_core::{Label, similarity::Similarity};

    #[test]
    fn classes_of_one_superclass_are_similar() -> Result<(), Error> {
        let text = "Superclass,note,CLASS\ntree,x,maple\nflower,,rose\ntree,y,oak\n";
        let (names, superclasses) = parse(Path::new("p.csv"), text)?;
        assert_eq!(
            (&names[..], &superclasses[..]),
            (&["maple", "rose", "oak"].map(str::to_owned)[..], &["tree", "flower", "tree"].map(str::to_owned)[..])
        );
        let plants = taxonomy(&[0, 1, 0], 0.25)?;
        let label = |i| Label::new(i, 3);
        let mut scratch = [0.0; 3];
        assert_eq!(plants.get(label(0)?, label(2)?, &mut scratch)?, 0.25);
        assert_eq!(plants.get(label(0)?, label(1)?, &mut scratch)?, 0.0);
        assert_eq!(plants.get(label(1)?, label(1)?, &mut scratch)?, 1.0);
        Ok(())
    }

    #[test]
    fn refused() {
        for (text, message) in [
            ("", "p.csv: the file is empty"),
            ("class,group\na,b\n", "must name the columns \"class\" and \"superclass\"; it names \"class\", \"group\""),
            ("class,superclass\na\n", "line 2, column \"superclass\": a name is empty"),
            ("class,superclass\na,\n", "line 2, column \"superclass\": a name is empty"),
            ("class,superclass\na,x\na,x\n", "the name \"a\" stands twice"),
            ("class,superclass\na,x\n", "from 2 to 4096 classes, not 1"),
        ] {
            let found = parse(Path::new("p.csv"), text).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(found.contains(message), "{text:?}: {found}");
        }
    }
}
