//! A similarity matrix from a file: CSV, or NumPy's `.npy`.
//!
//! The TRUE class is in the row. Names of the classes may stand in a first row, in a first column, or in both (then with
//! anything in the corner); with names, rows and columns may come in any order. Numbers alone are taken in the order of
//! the classes, and NumPy's files hold nothing else.
//!
//! ```text
//! true,cat,dog
//! cat,1,0.5
//! dog,0,1
//! ```

use super::{DIAGONAL, MOST_CLASSES, Problem, distinct, names::Wanted, npy};
use crate::{
    Error,
    error::place::InFile,
    input::{self, Row},
};
use std::path::Path;

/// A square matrix of numbers, not yet stretched by a lower bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Names of the classes, where anything gives them.
    pub names: Option<Vec<String>>,
    /// `s[y, c]`, row by row; 1 on the diagonal.
    pub entries: Vec<f32>,
}

impl Matrix {
    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.entries.len().isqrt()
    }
}

/// Reads a matrix and checks its entries: in `[0, 1]`, or in `[-1, 1]` where a lower bound will be taken off
/// (`measure`). The diagonal may miss 1 by [`DIAGONAL`], which is said in the notes that come with the matrix.
///
/// Classes that the file does not name are left out or refused, as wanted.
///
/// # Errors
/// [`Error::File`], [`Error::Text`], [`Error::Similarity`].
pub fn read(path: &Path, wanted: &Wanted<'_>, measure: bool) -> Result<(Matrix, Vec<String>), Error> {
    if npy::is_npy(path)? {
        let (size, entries) = npy::read(path)?;
        let mut all = Entries::new(path, measure);
        let mut notes = vec![];
        let order = order_of(path, None, size, wanted, &mut notes)?;
        for (y, row) in entries.chunks_exact(size).enumerate() {
            for (c, &value) in row.iter().enumerate() {
                all.add(value, [&order[y], &order[c]], y == c, None)?;
            }
        }
        let names = wanted.classes.map(<[String]>::to_vec);
        return Ok(all.matrix(names, notes));
    }
    let text = input::text(path)?;
    let rows: Vec<Row> = input::rows(&text).collect();
    let file = File::new(path, &rows)?;
    Ok(file.matrix(wanted, measure)?)
}

type Checked<T> = Result<T, InFile<Problem>>;

/// Where the numbers and the names of a file stand.
struct File<'a> {
    path: &'a Path,
    /// Rows of numbers.
    rows: &'a [Row],
    /// The first column with a number.
    first: usize,
    /// Classes.
    size: usize,
    row_names: Option<Vec<String>>,
    column_names: Option<Vec<String>>,
}

impl<'a> File<'a> {
    fn new(path: &'a Path, rows: &'a [Row]) -> Checked<Self> {
        let at = |problem| InFile::file(path, problem);
        let expected = "a similarity has one row and one column of numbers for each class";
        let Some((_, top)) = rows.first() else { return Err(at(Problem::Empty { expected })) };
        let columns = top.len();
        for (line, row) in rows {
            if row.len() != columns {
                return Err(at(Problem::Ragged { expected: columns, found: row.len() }).line(*line));
            }
        }
        // Class names may be numbers, so the shape decides: one row or one column too many is names. A square of
        // fields has names on both sides unless its corner is a number.
        let corner = top[0].parse::<f64>().is_err();
        let header = rows.len() == columns + 1 || (rows.len() == columns && corner);
        let labels = columns == rows.len() + 1 || (rows.len() == columns && corner);
        let (body, first) = (&rows[usize::from(header)..], usize::from(labels));
        if body.len() != columns - first {
            return Err(at(Problem::NotSquare { rows: body.len(), columns: columns - first }));
        }
        if !(2..=MOST_CLASSES).contains(&body.len()) {
            return Err(at(Problem::Classes(body.len())));
        }
        let column_names = header.then(|| top.iter().skip(first).map(String::from).collect::<Vec<_>>());
        let row_names = labels.then(|| body.iter().map(|(_, row)| row[0].to_owned()).collect::<Vec<_>>());
        for names in [&row_names, &column_names].into_iter().flatten() {
            distinct(path, names)?;
        }
        Ok(File { path, rows: body, first, size: body.len(), row_names, column_names })
    }

    fn matrix(&self, wanted: &Wanted<'_>, measure: bool) -> Checked<(Matrix, Vec<String>)> {
        let names = self.names()?;
        let mut notes = vec![];
        let order = order_of(self.path, names, self.size, wanted, &mut notes)?;
        let place = |names: &Option<Vec<String>>| match names.as_deref().or(names_or(self)) {
            Some(names) => wanted.places(self.path, names, &order),
            None => Ok((0..self.size).map(|i| [i, i]).collect()),
        };
        // Rows and columns have the same names, so the same classes are found in both.
        let (rows, columns) = (place(&self.row_names)?, place(&self.column_names)?);
        let mut all = Entries::new(self.path, measure);
        for &[y, row] in &rows {
            let (line, fields) = &self.rows[row];
            for &[c, column] in &columns {
                let pair = [&order[y], &order[c]];
                let value = input::number(&fields[self.first + column]).map_err(|problem| {
                    let [row, column] = pair.map(String::clone);
                    InFile::file(self.path, Problem::Number { row, column, problem }).line(*line)
                })?;
                all.add(value, pair, y == c, Some(*line))?;
            }
        }
        let named = wanted.classes.is_some() || names.is_some();
        let names = named.then(|| rows.iter().map(|&[class, _]| order[class].clone()).collect());
        Ok(all.matrix(names, notes))
    }

    /// The names of the classes: of the rows, else of the columns. Both must be the same, in any order.
    fn names(&self) -> Checked<Option<&[String]>> {
        if let (Some(rows), Some(columns)) = (&self.row_names, &self.column_names) {
            let alone = |a: &[String], b: &[String]| a.iter().filter(|x| !b.contains(x)).cloned().collect::<Vec<_>>();
            let problem = Problem::RowsAndColumns { rows: alone(rows, columns), columns: alone(columns, rows) };
            if rows.iter().any(|name| !columns.contains(name)) {
                return Err(InFile::file(self.path, problem));
            }
        }
        Ok(names_or(self))
    }
}

/// The classes, in their order: as the data name them, else as the file does, else by number.
fn order_of(
    path: &Path,
    names: Option<&[String]>,
    size: usize,
    wanted: &Wanted<'_>,
    notes: &mut Vec<String>,
) -> Checked<Vec<String>> {
    let Some(classes) = wanted.classes else {
        return Ok(names.map_or_else(|| (0..size).map(|i| i.to_string()).collect(), <[String]>::to_vec));
    };
    if names.is_none() {
        let (expected, listed, shown) = (classes.len(), crate::error::place::list(classes), path.display());
        if expected != size {
            return Err(InFile::file(path, Problem::Size { expected, found: size, classes: listed }));
        }
        notes.push(format!("{shown} gives no names: its rows and columns are taken in the order {listed}"));
    }
    Ok(classes.to_vec())
}

/// Entries, checked one after the other.
struct Entries<'a> {
    path: &'a Path,
    measure: bool,
    checked: Vec<f32>,
    /// The class whose similarity with itself is furthest from 1, and that similarity.
    furthest: Option<(String, f32)>,
}

impl<'a> Entries<'a> {
    fn new(path: &'a Path, measure: bool) -> Self {
        Entries { path, measure, checked: vec![], furthest: None }
    }

    fn add(&mut self, value: f32, [y, c]: [&String; 2], own: bool, line: Option<u64>) -> Checked<()> {
        let at = |problem| {
            let found = InFile::file(self.path, problem);
            Err(line.into_iter().fold(found, InFile::line))
        };
        let (least, slack) = if self.measure { (-1, DIAGONAL) } else { (0, 0.0) };
        let off = (value - 1.0).abs();
        if own {
            if off.is_nan() || off > DIAGONAL {
                return at(Problem::Diagonal { class: y.clone(), value });
            }
            if off > self.furthest.as_ref().map_or(0.0, |(_, value)| (value - 1.0).abs()) {
                self.furthest = Some((y.clone(), value));
            }
        } else if !(f32::from(least) - slack..=1.0 + slack).contains(&value) {
            let stretch = "; -l, --lower-bound turns a measure in [-1, 1] into a similarity";
            let hint = if !self.measure && (-1.0..0.0).contains(&value) { stretch } else { "" };
            return at(Problem::Range { row: y.clone(), column: c.clone(), value, least, hint });
        }
        self.checked.push(if own { 1.0 } else { value });
        Ok(())
    }

    fn matrix(self, names: Option<Vec<String>>, mut notes: Vec<String>) -> (Matrix, Vec<String>) {
        if let Some((class, value)) = self.furthest {
            notes.push(format!(
                "{}: the similarity of a class with itself is taken as 1 where it is up to {:.1e} off (class {class:?}: \
                 {value})",
                self.path.display(),
                (value - 1.0).abs(),
            ));
        }
        (Matrix { names, entries: self.checked }, notes)
    }
}

fn names_or<'a>(file: &'a File<'_>) -> Option<&'a [String]> {
    file.row_names.as_deref().or(file.column_names.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::similarity::names::{Aliases, Unnamed};

    fn read(text: &str, classes: Option<&[&str]>, measure: bool) -> Checked<(Matrix, Vec<String>)> {
        let rows: Vec<Row> = input::rows(text).collect();
        let classes: Option<Vec<String>> = classes.map(|names| names.iter().map(|&n| n.into()).collect());
        let wanted = Wanted { classes: classes.as_deref(), aliases: &Aliases::default(), unnamed: Unnamed::Error };
        File::new(Path::new("s.csv"), &rows)?.matrix(&wanted, measure)
    }

    fn refusal(text: &str, classes: Option<&[&str]>) -> String {
        read(text, classes, false).err().map(|e| e.to_string()).unwrap_or_default()
    }

    const CAT_AND_DOG: [f32; 4] = [1.0, 0.5, 0.0, 1.0];

    #[test]
    fn names_may_stand_anywhere_or_not_at_all() {
        for text in [
            "1,0.5\n0,1\n",
            "cat,dog\n1,.5\n0,1\n",
            "cat;1;0.5\ndog;0;1\n",
            ",cat,dog\ncat,1,0.5\ndog,0,1\n",
            "true,dog,cat\ncat,0.5,1\ndog,1,0\n",
            "true,cat,dog\ndog,0,1\ncat,1,0.5\n",
            "dog,cat\n1,0\n0.5,1\n",
        ] {
            let (matrix, _) = read(text, Some(&["cat", "dog"]), false).unwrap();
            assert_eq!(matrix.entries, CAT_AND_DOG, "{text:?}");
        }
        let (matrix, notes) = read("dog,cat\n1,0\n0.5,1\n", None, false).unwrap();
        assert_eq!((matrix.names.unwrap(), notes.len()), (vec!["dog".to_owned(), "cat".into()], 0));
        let (_, notes) = read("1,0.5\n0,1\n", Some(&["cat", "dog"]), false).unwrap();
        assert!(notes[0].contains("taken in the order \"cat\", \"dog\""), "{notes:?}");
    }

    #[test]
    fn names_may_be_numbers() {
        for text in ["4.0,3\n1,0\n0.5,1\n", "3,1,0.5\n4,0,1\n", ",3,4\n3,1,0.5\n4,0,1\n"] {
            assert_eq!(read(text, Some(&["3", "4"]), false).unwrap().0.entries, CAT_AND_DOG, "{text:?}");
        }
    }

    #[test]
    fn a_diagonal_off_by_rounding_is_said() {
        let (matrix, notes) = read("0.99995,0.5\n0,1.00001\n", None, false).unwrap();
        assert_eq!(matrix.entries, CAT_AND_DOG);
        assert!(notes[0].contains("up to 5.0e-5 off (class \"0\": 0.99995)"), "{notes:?}");
        assert!(
            refusal("0.9998,0\n0,1\n", None).contains("line 1: the similarity of class \"0\" with itself is 0.9998")
        );
    }

    #[test]
    fn refused() {
        for (text, message) in [
            ("", "s.csv: the file is empty"),
            ("1,0\n0\n", "s.csv, line 2: the row has 1 fields, but the first row has 2"),
            ("1,0,0,0\n0,1,0,0\n", "there are 2 rows of 4 numbers"),
            ("1\n", "must be from 2 to 4096 classes, not 1"),
            (
                "1,0\n0.5,x\n",
                "s.csv, line 2: the similarity of true class \"1\" and class \"1\": \"x\" is not a number",
            ),
            ("1,0\nNaN,1\n", "true class \"1\" and class \"0\": \"NaN\" is not a finite number"),
            ("1,0\n1.5,1\n", "true class \"1\" and class \"0\" is 1.5, outside [0, 1]"),
            ("1,0\n-0.5,1\n", "is -0.5, outside [0, 1]; -l, --lower-bound turns"),
            ("a,a\n1,0\n0,1\n", "s.csv: the name \"a\" stands twice"),
            (",a,b\na,1,0\nc,0,1\n", "different names: only a row: \"c\"; only a column: \"b\""),
        ] {
            let found = refusal(text, None);
            assert!(found.contains(message), "{text:?}: {found}");
        }
        let found = refusal("cat,cow\n1,0\n0,1\n", Some(&["cat", "dog"]));
        assert!(found.contains("missing: \"dog\"; not a class: \"cow\""), "{found}");
        let found = refusal("1,0\n0,1\n", Some(&["a", "b", "c"]));
        assert!(found.contains("for 2 classes, but there are 3: \"a\", \"b\", \"c\""), "{found}");
        assert!(read("1,-0.5\n-1.1,1\n", None, true).err().unwrap().to_string().contains("outside [-1, 1]"));
        assert_eq!(read("1,-0.5\n-1,1\n", None, true).unwrap().0.entries, [1.0, -0.5, -1.0, 1.0]);
    }

    #[test]
    fn classes_without_a_name_may_be_left_out() -> Checked<()> {
        let rows: Vec<Row> = input::rows(",apples,cat,dog\napples,1,.1,.2\ncat,.3,1,.4\ndog,.5,.6,1\n").collect();
        let classes = ["dog", "emu", "apple"].map(String::from);
        let aliases = Aliases::published();
        let wanted = |unnamed| Wanted { classes: Some(&classes), aliases: &aliases, unnamed };
        let file = File::new(Path::new("s.csv"), &rows)?;
        let (matrix, _) = file.matrix(&wanted(Unnamed::Drop), false)?;
        assert_eq!(matrix.names, Some(vec!["dog".to_owned(), "apple".into()]));
        assert_eq!(matrix.entries, [1.0, 0.5, 0.2, 1.0]);
        let message = file.matrix(&wanted(Unnamed::Error), false).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(message.contains("missing: \"emu\"; not a class: \"cat\""), "{message}");
        Ok(())
    }
}
