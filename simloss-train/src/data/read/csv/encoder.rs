//! Rows of a table as a network knows them: its columns by name, its categories, its way with missing values.

use super::{
    Columns, Missing,
    gather::{code, missing},
    numbers::{Field, readings},
    rows::{Rows, place},
};
use crate::{
    Error,
    data::table::{Column, Fields, Known},
    error::{
        place::{BadNumber, InFile, list},
        table::Problem,
    },
};
use csv::StringRecord;
use std::path::Path;

/// Which fields of a row a network takes, and how.
pub(crate) struct Encoder<'a> {
    path: &'a Path,
    columns: Vec<(usize, Column)>,
    missing: Missing,
    fills: bool,
    commas: bool,
    width: usize,
}

impl<'a> Encoder<'a> {
    /// `features` are the columns that are not left out, in the order of the file. Where the network does not name its own,
    /// it takes all of them. `others` says whether there may be more columns than it takes: those are returned.
    ///
    /// # Errors
    /// [`Problem::OtherColumns`].
    pub(crate) fn new(
        path: &'a Path,
        rows: &Rows<'_>,
        asked: &Columns,
        features: &[usize],
        known: Option<Known<'_>>,
        others: bool,
    ) -> Result<(Self, Vec<String>), InFile<Problem>> {
        let wanted: Vec<Column> = match known {
            Some(known) if !known.columns.is_empty() => known.columns.to_vec(),
            Some(known) => known.features.iter().map(Column::number).collect(),
            None => vec![],
        };
        let name = |at: &usize| rows.names[*at].clone();
        let (columns, unknown) = if wanted.is_empty() {
            (features.iter().map(|at| (*at, Column::number(name(at)))).collect(), vec![])
        } else {
            let missing: Vec<String> = wanted
                .iter()
                .filter(|column| !features.iter().any(|at| rows.names[*at] == column.name))
                .map(|column| column.name.clone())
                .collect();
            let unknown: Vec<String> =
                features.iter().map(name).filter(|name| !wanted.iter().any(|column| column.name == *name)).collect();
            if !missing.is_empty() || (!others && !unknown.is_empty()) {
                return Err(InFile::file(path, Problem::OtherColumns { missing, unknown }).line(1));
            }
            let place = |column: Column| {
                let at = features.iter().copied().find(|at| rows.names[*at] == column.name)?;
                Some((at, column))
            };
            (wanted.into_iter().filter_map(place).collect::<Vec<_>>(), unknown)
        };
        let width = columns.iter().map(|(_, column)| column.features().len()).sum();
        let fills = known.is_some_and(|known| known.fills);
        Ok((Encoder { path, columns, missing: asked.missing, fills, commas: rows.commas, width }, unknown))
    }

    /// Features of a row.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The names of the features.
    pub(crate) fn features(&self) -> Vec<String> {
        self.columns.iter().flat_map(|(_, column)| column.features()).collect()
    }

    /// The columns that the features are of.
    pub(crate) fn columns(&self) -> Vec<Column> {
        self.columns.iter().map(|(_, column)| column.clone()).collect()
    }

    /// Adds the features of a row to `numbers`, NaN where a value is missing that the network fills in. False, and nothing
    /// added, for a row that is to be dropped.
    ///
    /// # Errors
    /// [`Error::Table`] for a value that is missing otherwise, one that is no number, and a category that the network does
    /// not know.
    pub(crate) fn add(&self, rows: &Rows<'_>, row: &StringRecord, numbers: &mut Vec<f32>) -> Result<bool, Error> {
        let begin = numbers.len();
        for (at, column) in &self.columns {
            let text = &row[*at];
            let wrong = |problem| {
                let found = InFile::file(self.path, problem).line(rows.line(place(row))).column(&column.name);
                Err(Error::from(found))
            };
            match (Field::of(text, self.commas), &column.fields) {
                (Field::Missing(_), _) if self.missing == Missing::Drop => {
                    numbers.truncate(begin);
                    return Ok(false);
                }
                (Field::Missing(_), fields) if self.fills => {
                    let n = if let Fields::Categories(names) = fields { names.len() } else { 1 };
                    numbers.extend(std::iter::repeat_n(f32::NAN, n));
                }
                (Field::Missing(text), _) => return wrong(missing(text, 1)),
                (Field::Number(x, _), Fields::Number) => numbers.push(x),
                (Field::NotFinite(text), Fields::Number) => {
                    return wrong(Problem::Feature(BadNumber::NotFinite(text.to_owned())));
                }
                (Field::Grouped(text), Fields::Number) => {
                    return wrong(Problem::Grouped { text: text.to_owned(), readings: readings(text) });
                }
                (Field::Text(text), Fields::Number) => {
                    let text = text.to_owned();
                    return wrong(Problem::Feature(BadNumber::NotANumber { text, hint: "" }));
                }
                (_, fields) => match code(fields, text.trim()) {
                    Some(code) => numbers.extend(code),
                    None => {
                        let known = match fields {
                            Fields::YesNo(pair) => list(pair),
                            Fields::Categories(names) => list(names),
                            Fields::Number => String::new(),
                        };
                        return wrong(Problem::UnknownCategory { text: text.trim().to_owned(), known });
                    }
                },
            }
        }
        Ok(true)
    }
}
