//! Names of classes: the words that a similarity uses for them, and which classes it knows.

use super::Problem;
use crate::{
    Error,
    error::place::InFile,
    input::{self, key},
};
use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

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
/// use simloss_train::similarity::names::Aliases;
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
    /// [`Error::File`] and [`Error::Text`]; [`Error::Similarity`] for other columns, and a class that stands twice.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let wrong = |problem| InFile::file(path, problem);
        let rows = input::columns(&input::text(path)?, ["class", "alias"])
            .map_err(|found| wrong(Problem::Columns { expected: "\"class\" and \"alias\"", found }).line(1))?;
        let mut aliases = HashMap::new();
        for (line, [class, alias]) in rows {
            if class.is_empty() || alias.is_empty() {
                return Err(wrong(Problem::Unnamed).line(line).into());
            }
            if aliases.insert(class.clone(), alias).is_some() {
                return Err(wrong(Problem::Twice(class)).line(line).into());
            }
        }
        Ok(Aliases(aliases))
    }

    /// The word for a class: its alias, or its own name.
    pub fn word<'a>(&'a self, class: &'a str) -> &'a str {
        self.0.get(class).map_or(class, |word| word)
    }

    /// Those of the published experiment, if all of its classes are among `classes`: then they are those of CIFAR-100.
    pub fn published_for(classes: &[String]) -> Option<Self> {
        let known: HashSet<&str> = classes.iter().map(String::as_str).collect();
        PUBLISHED.iter().all(|(class, _)| known.contains(class)).then(Self::published)
    }
}

/// The classes that a similarity is wanted for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Their names, where the data say so.
    pub classes: Option<&'a [String]>,
    /// Other words for them.
    pub aliases: &'a Aliases,
    /// What to do with those that the similarity does not name.
    pub unnamed: Unnamed,
}

impl Wanted<'_> {
    /// Which of the classes `classes` a file names, and where each of these stands among its `names`.
    ///
    /// A class is known by its alias, else by its own name; numbers are the same class however they are written: 3 and
    /// 3.0.
    ///
    /// # Errors
    /// [`Problem::Names`] for classes without a name, and names without a class, unless they may be left out; for fewer
    /// than two classes that are named.
    pub(super) fn places(
        &self,
        path: &Path,
        names: &[String],
        classes: &[String],
    ) -> Result<Vec<[usize; 2]>, InFile<Problem>> {
        let index: HashMap<String, usize> = names.iter().enumerate().map(|(i, name)| (key(name), i)).collect();
        let (mut places, mut missing, mut used) = (vec![], vec![], vec![false; names.len()]);
        for (class, name) in classes.iter().enumerate() {
            match index.get(&key(self.aliases.word(name))).or_else(|| index.get(&key(name))) {
                Some(&at) => {
                    used[at] = true;
                    places.push([class, at]);
                }
                None => missing.push(name.clone()),
            }
        }
        let unknown: Vec<String> =
            names.iter().zip(&used).filter(|(_, used)| !**used).map(|(name, _)| name.clone()).collect();
        let fits = match self.unnamed {
            Unnamed::Drop => places.len() >= 2,
            Unnamed::Error => missing.is_empty() && unknown.is_empty(),
        };
        if fits { Ok(places) } else { Err(InFile::file(path, Problem::Names { missing, unknown })) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_known_by_name_or_alias() -> Result<(), Box<dyn std::error::Error>> {
        let strings = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let classes = strings(&["apple", "bee", "keyboard", "rose"]);
        let aliases = Aliases::published();
        let places = |aliases, unnamed, names: &[&str]| {
            Wanted { classes: None, aliases, unnamed }.places(Path::new("f"), &strings(names), &classes)
        };
        let message = |result: Result<_, InFile<Problem>>| result.err().map(|e| e.to_string()).unwrap_or_default();
        let names = ["roses", "bee", "apples", "apple"];
        assert_eq!(places(&aliases, Unnamed::Drop, &names)?, [[0, 2], [1, 1], [3, 0]]);
        let found = message(places(&aliases, Unnamed::Error, &names));
        assert!(found.contains("missing: \"keyboard\"; not a class: \"apple\""), "{found}");
        assert_eq!(places(&aliases, Unnamed::Error, &["rose", "keyboard", "bee", "apple"])?.len(), 4);
        // One class has no similarity to another.
        let found = message(places(&Aliases::default(), Unnamed::Drop, &names[..2]));
        assert!(found.contains("missing: \"apple\", \"keyboard\", \"rose\""), "{found}");
        Ok(())
    }

    #[test]
    fn the_published_words_belong_to_their_classes() {
        let mut classes: Vec<String> = PUBLISHED.iter().map(|(class, _)| (*class).to_owned()).collect();
        assert_eq!(Aliases::published_for(&classes), Some(Aliases::published()));
        classes.pop();
        assert_eq!(Aliases::published_for(&classes), None);
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
        assert!(refused("class,alias\ncat,a\ncat,b\n").contains("line 3: the name \"cat\" stands twice"));
        assert!(refused("class,alias\ncat,\n").contains("line 2: a name is empty"));
        Ok(())
    }
}
