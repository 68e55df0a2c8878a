//! Documents of this repository, and their sections that are generated from records.
//!
//! A section stands between `<!-- name -->` and `<!-- end -->`, each on a line of its own. [`hold`] compares; with
//! `UPDATE=1` in the environment it writes.

use std::{collections::BTreeMap, env, error::Error, fmt::Display, fs, path::PathBuf};

type Outcome = Result<(), Box<dyn Error>>;

const END: &str = "<!-- end -->";

/// A file of the repository, named from its root.
pub fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(name)
}

/// The text of a file of the repository.
///
/// # Errors
/// If the file cannot be read as UTF-8.
pub fn read(name: &str) -> Result<String, Box<dyn Error>> {
    fs::read_to_string(path(name)).map_err(|error| format!("{name}: {error}").into())
}

/// The text of a record in `docs/records`.
///
/// # Errors
/// As [`read`].
pub fn record(name: &str) -> Result<String, Box<dyn Error>> {
    read(&format!("docs/records/{name}"))
}

/// A generated part of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// From the root of the repository.
    pub document: &'static str,
    /// As its comment has it.
    pub name: &'static str,
    /// What stands between the comments.
    pub text: String,
}

impl Section {
    /// A section of `document`.
    pub fn new(document: &'static str, name: &'static str, text: impl Into<String>) -> Self {
        Section { document, name, text: text.into() }
    }
}

/// The names of the sections of a document, in its order.
pub fn names(text: &str) -> Vec<&str> {
    let comments = text.lines().filter_map(|line| line.strip_prefix("<!-- ")?.strip_suffix(" -->"));
    comments.filter(|name| *name != "end" && !name.contains(' ')).collect()
}

/// The text with a section replaced.
fn replaced(text: &str, Section { document, name, text: section }: &Section) -> Result<String, Box<dyn Error>> {
    let begin = format!("<!-- {name} -->\n");
    let missing = || format!("{document} has no section '{name}'; add the lines <!-- {name} --> and {END}");
    let (before, after) = text.split_once(&begin).ok_or_else(missing)?;
    let (_, after) = after.split_once(END).ok_or_else(missing)?;
    Ok(format!("{before}{begin}{section}{END}{after}"))
}

/// The first line that differs.
fn difference(Section { document, name, .. }: &Section, found: &str, expected: &str) -> String {
    let mut lines = found.lines().zip(expected.lines());
    let (found, expected) = lines.find(|(found, expected)| found != expected).unwrap_or_default();
    format!("{document}, section '{name}'\n    has     {found}\n    record  {expected}")
}

/// Compares sections with what the documents have; with `UPDATE=1`, writes them.
///
/// # Errors
/// A document that cannot be read or written, one without a section, and without `UPDATE` one that differs.
pub fn hold(sections: &[Section]) -> Outcome {
    let mut documents: BTreeMap<&str, Vec<&Section>> = BTreeMap::new();
    for section in sections {
        documents.entry(section.document).or_default().push(section);
    }
    let update = env::var_os("UPDATE").is_some_and(|value| value == "1");
    let mut differences = vec![];
    for (document, sections) in documents {
        let old = read(document)?;
        let mut new = old.clone();
        for section in sections {
            let next = replaced(&new, section)?;
            if next != new {
                differences.push(difference(section, &new, &next));
            }
            new = next;
        }
        if update && new != old {
            // Whole or not at all: other tests read it meanwhile.
            let whole = path(&format!("{document}.new"));
            fs::write(&whole, new)?;
            fs::rename(whole, path(document))?;
        }
    }
    if differences.is_empty() || update {
        return Ok(());
    }
    Err(format!("documents differ from their records; UPDATE=1 writes them\n{}", differences.join("\n")).into())
}

/// A Markdown table.
#[derive(Clone, Debug)]
pub struct Table {
    columns: usize,
    text: String,
}

impl Table {
    /// A table with these column names.
    pub fn new(head: &[&str]) -> Self {
        let text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
        Table { columns: head.len(), text }
    }

    /// Adds a row.
    pub fn row<C: Display>(&mut self, cells: impl IntoIterator<Item = C>) {
        let cells: Vec<String> = cells.into_iter().map(|cell| cell.to_string()).collect();
        assert_eq!(cells.len(), self.columns, "{cells:?}");
        self.text += &format!("| {} |\n", cells.join(" | "));
    }
}

impl From<Table> for String {
    fn from(table: Table) -> String {
        table.text
    }
}

/// A paragraph in lines of at most 120 characters.
pub fn paragraph(text: &str) -> String {
    let (mut lines, mut line) = (String::new(), String::new());
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > 120 {
            lines += &format!("{line}\n");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    lines + &line + "\n"
}

/// A fraction in percent: `58%`.
pub fn percent(fraction: f64, digits: usize) -> String {
    format!("{:.digits$}%", 100.0 * fraction)
}

/// Digits in groups of three: `89,200`.
pub fn grouped(n: usize) -> String {
    match n / 1000 {
        0 => n.to_string(),
        thousands => format!("{},{:03}", grouped(thousands), n % 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_replaced_and_nothing_else() -> Outcome {
        let text = "before\n<!-- one -->\nold\n<!-- end -->\n<!-- two -->\nkept\n<!-- end -->\n";
        let section = Section::new("a.md", "one", "new\n");
        let expected = "before\n<!-- one -->\nnew\n<!-- end -->\n<!-- two -->\nkept\n<!-- end -->\n";
        assert_eq!(replaced(text, &section)?, expected);
        assert_eq!(names(text), ["one", "two"]);
        assert!(replaced(text, &Section::new("a.md", "three", "")).is_err());
        Ok(())
    }

    #[test]
    fn numbers_and_paragraphs_are_written_as_told() {
        assert_eq!((percent(0.578, 0), percent(0.5, 1)), ("58%".to_owned(), "50.0%".to_owned()));
        assert_eq!([999, 1000, 1_089_200].map(grouped), ["999", "1,000", "1,089,200"]);
        let words = "word ".repeat(40);
        assert!(paragraph(&words).lines().all(|line| line.len() <= 120) && paragraph(&words).lines().count() == 2);
    }
}
