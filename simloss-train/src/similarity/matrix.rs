//! A similarity matrix from a CSV file.
//!
//! The TRUE class is in the row. Names of the classes may stand in a first row, in a first column, or in both (then with
//! anything in the corner); with names, rows and columns may come in any order. Numbers alone are taken in the order of
//! the classes.
//!
//! ```text
//! true,cat,dog
//! cat,1,0.5
//! dog,0,1
//! ```

use super::{DIAGONAL, MOST_CLASSES, Problem, distinct, places};
use crate::{
    Error,
    input::{self, InFile, Row},
};
use std::path::Path;

/// A square matrix of numbers, not yet stretched by a lower bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Names of the classes, where the file gives them.
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
/// # Errors
/// [`Error::File`], [`Error::Text`], [`Error::Similarity`].
pub fn read(path: &Path, classes: Option<&[String]>, measure: bool) -> Result<(Matrix, Vec<String>), Error> {
    let text = input::text(path)?;
    let rows: Vec<Row> = input::rows(&text).collect();
    let file = File::new(path, &rows)?;
    Ok(file.matrix(classes, measure)?)
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

    fn matrix(&self, classes: Option<&[String]>, measure: bool) -> Checked<(Matrix, Vec<String>)> {
        let names = self.names()?;
        let mut notes = vec![];
        if let Some(classes) = classes {
            if classes.len() != self.size && names.is_none() {
                let (expected, classes) = (classes.len(), input::list(classes));
                return Err(InFile::file(self.path, Problem::Size { expected, found: self.size, classes }));
            }
            if names.is_none() {
                let path = self.path.display();
                notes.push(format!(
                    "{path} gives no names: its rows and columns are taken in the order {}",
                    input::list(classes)
                ));
            }
        }
        let numbered: Vec<String>;
        let order = match classes.or(names) {
            Some(order) => order,
            None => {
                numbered = (0..self.size).map(|i| i.to_string()).collect();
                &numbered
            }
        };
        let place = |names: &Option<Vec<String>>| match names.as_deref().or(names_or(self)) {
            Some(names) => places(self.path, names, order),
            None => Ok((0..self.size).collect()),
        };
        let (rows, columns) = (place(&self.row_names)?, place(&self.column_names)?);

        let mut entries = Vec::with_capacity(self.size * self.size);
        let mut furthest: Option<(usize, f32)> = None;
        for (y, &row) in rows.iter().enumerate() {
            for (c, &column) in columns.iter().enumerate() {
                let value = self.entry((row, &order[y]), (column, &order[c]), y == c, measure)?;
                if y == c && (value - 1.0).abs() > furthest.map_or(0.0, |(_, value)| (value - 1.0).abs()) {
                    furthest = Some((y, value));
                }
                entries.push(if y == c { 1.0 } else { value });
            }
        }
        if let Some((y, value)) = furthest {
            notes.push(format!(
                "{}: the similarity of a class with itself is taken as 1 where it is up to {:.1e} off (class {:?}: \
                 {value})",
                self.path.display(),
                (value - 1.0).abs(),
                order[y]
            ));
        }
        Ok((Matrix { names: names.map(<[String]>::to_vec), entries }, notes))
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

    fn entry(&self, row: (usize, &str), column: (usize, &str), own: bool, measure: bool) -> Checked<f32> {
        let (line, fields) = &self.rows[row.0];
        let (y, c) = (row.1.to_owned(), column.1.to_owned());
        let at = |problem| Err(InFile::file(self.path, problem).line(*line));
        let value = match input::number(&fields[self.first + column.0]) {
            Ok(value) => value,
            Err(problem) => return at(Problem::Number { row: y, column: c, problem }),
        };
        if own {
            return if (value - 1.0).abs() <= DIAGONAL { Ok(value) } else { at(Problem::Diagonal { class: y, value }) };
        }
        let (least, slack) = if measure { (-1, DIAGONAL) } else { (0, 0.0) };
        if value < f32::from(least) - slack || value > 1.0 + slack {
            let stretch = "; -l, --lower-bound turns a measure in [-1, 1] into a similarity";
            let hint = if !measure && (-1.0..0.0).contains(&value) { stretch } else { "" };
            return at(Problem::Range { row: y, column: c, value, least, hint });
        }
        Ok(value)
    }
}

fn names_or<'a>(file: &'a File<'_>) -> Option<&'a [String]> {
    file.row_names.as_deref().or(file.column_names.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, classes: Option<&[&str]>, measure: bool) -> Checked<(Matrix, Vec<String>)> {
        let rows: Vec<Row> = input::rows(text).collect();
        let classes: Option<Vec<String>> = classes.map(|names| names.iter().map(|&n| n.into()).collect());
        File::new(Path::new("s.csv"), &rows)?.matrix(classes.as_deref(), measure)
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
}
