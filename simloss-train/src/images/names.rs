//! Names of classes: the words that word vectors use for them, and which classes a similarity knows.

use super::{Problem, set::wrong};
use crate::{Error, input};
use std::{collections::HashMap, path::Path};

/// Classes of CIFAR-100 whose names the published word vectors lack.
pub const UNNAMED: [&str; 4] = ["aquarium_fish", "keyboard", "pickup_truck", "sweet_pepper"];

/// Classes of CIFAR-100 that the published experiment calls by another word.
pub const PUBLISHED: [(&str, &str); 20] = [
    ("apple", "apples"),
    ("bottle", "bottles"),
    ("bowl", "bowls"),
    ("can", "cans"),
    ("cup", "cups"),
    ("lawn_mower", "lawnmower"),
    ("maple_tree", "maple"),
    ("mushroom", "mushrooms"),
    ("oak_tree", "oak"),
    ("orange", "oranges"),
    ("orchid", "orchids"),
    ("palm_tree", "palm"),
    ("pear", "pears"),
    ("pine_tree", "pine"),
    ("plate", "plates"),
    ("poppy", "poppies"),
    ("rose", "roses"),
    ("sunflower", "sunflowers"),
    ("tulip", "tulips"),
    ("willow_tree", "willow"),
];

/// What to do with classes that a similarity does not name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unnamed {
    /// Leave them and their images out.
    Drop,
    /// Refuse.
    #[default]
    Error,
}

/// Other words for classes.
///
/// ```
/// use simloss_train::images::names::Aliases;
/// let aliases = Aliases::published();
/// assert_eq!((aliases.word("oak_tree"), aliases.word("bee")), ("oak", "bee"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aliases(HashMap<String, String>);

impl Aliases {
    /// [`PUBLISHED`].
    pub fn published() -> Self {
        Aliases(PUBLISHED.iter().map(|&(class, word)| (class.to_owned(), word.to_owned())).collect())
    }

    /// From a table with the columns `class` and `alias`.
    ///
    /// # Errors
    /// [`Error::File`] and [`Error::Text`]; [`Error::Image`] for other columns, and a class that stands twice.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let mut aliases = HashMap::new();
        for (_, [class, alias]) in columns(path, ["class", "alias"], "\"class\" and \"alias\"")? {
            if aliases.insert(class.clone(), alias).is_some() {
                return Err(wrong(path, Problem::Twice(class)));
            }
        }
        Ok(Aliases(aliases))
    }

    /// The word for a class: its alias, or its own name.
    pub fn word<'a>(&'a self, class: &'a str) -> &'a str {
        self.0.get(class).map_or(class, |word| word)
    }

    /// The words for all of `classes`.
    pub fn words(&self, classes: &[String]) -> Vec<String> {
        classes.iter().map(|class| self.word(class).to_owned()).collect()
    }

    /// Which of `classes` a similarity that names `named` knows, by their own name or their alias: for each, its index
    /// and where it stands in `named`; and the names of the others.
    pub fn known(&self, classes: &[String], named: &[String]) -> (Vec<[usize; 2]>, Vec<String>) {
        let place: HashMap<&str, usize> = named.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
        let (mut known, mut others) = (vec![], vec![]);
        for (i, class) in classes.iter().enumerate() {
            match place.get(self.word(class)).or_else(|| place.get(class.as_str())) {
                Some(&at) => known.push([i, at]),
                None => others.push(class.clone()),
            }
        }
        (known, others)
    }
}

/// Two columns of a table, with the line of each row.
pub(super) fn columns(path: &Path, names: [&str; 2], expected: &'static str) -> Result<Vec<(u64, [String; 2])>, Error> {
    let text = input::text(path)?;
    let mut rows = input::rows(&text);
    let first: Vec<String> = match rows.next() {
        Some((_, row)) => row.iter().map(str::to_owned).collect(),
        None => vec![],
    };
    let place = |name: &str| first.iter().position(|column| column.eq_ignore_ascii_case(name));
    let (Some(a), Some(b)) = (place(names[0]), place(names[1])) else {
        return Err(wrong(path, Problem::Columns { expected, found: input::list(&first) }));
    };
    Ok(rows.map(|(line, row)| (line, [a, b].map(|at| row.get(at).unwrap_or("").to_owned()))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_known_by_name_or_alias() {
        let strings = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let classes = strings(&["apple", "bee", "keyboard", "rose"]);
        let (known, others) = Aliases::published().known(&classes, &strings(&["roses", "bee", "apples", "apple"]));
        assert_eq!((known, others), (vec![[0, 2], [1, 1], [3, 0]], strings(&["keyboard"])));
        assert_eq!(Aliases::default().known(&classes, &strings(&["roses"])).0, [[0; 2]; 0]);
        assert_eq!(Aliases::published().words(&classes), strings(&["apples", "bee", "keyboard", "roses"]));
    }

    #[test]
    fn tables_of_aliases() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("aliases.csv");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Aliases::read(&path)
        };
        assert_eq!(read("note,class,alias\nx,cat,felis\n")?.word("cat"), "felis");
        let refused = |text| read(text).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(refused("cat,felis\n").contains("must name the columns \"class\" and \"alias\"; it names \"cat\""));
        assert!(refused("").contains("must name the columns"));
        assert!(refused("class,alias\ncat,a\ncat,b\n").contains("\"cat\" stands twice"));
        Ok(())
    }
}
