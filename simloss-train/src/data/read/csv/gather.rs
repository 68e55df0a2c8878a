//! All rows of a table at once: features as they come, and what each column turned out to be.

use super::{
    Columns, Encoder, Missing,
    numbers::{Field, is_missing_label, readings},
    rows::{Rows, place},
};
use crate::{
    Error,
    data::table::{Column, Fields},
    error::{
        place::{BadNumber, InFile, list},
        table::{MOST_CATEGORIES, Problem},
    },
};
use csv::StringRecord;
use std::{collections::HashMap, path::Path};

/// Two words that are 0 and 1.
const YES_NO: [[&str; 2]; 5] = [["no", "yes"], ["false", "true"], ["n", "y"], ["f", "t"], ["off", "on"]];

/// Texts, each with a number, and where it stands first.
#[derive(Default)]
pub(super) struct Texts {
    numbers: HashMap<String, u32>,
    pub(super) names: Vec<String>,
    pub(super) first: Vec<u64>,
}

impl Texts {
    fn number(&mut self, text: &str, place: u64) -> u32 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number = self.names.len() as u32;
        self.numbers.insert(text.to_owned(), number);
        self.names.push(text.to_owned());
        self.first.push(place);
        number
    }
}

/// Something about fields: how many, and the first.
#[derive(Default)]
struct Counted {
    count: usize,
    first: Option<(u64, String)>,
}

impl Counted {
    fn add(&mut self, place: u64, text: &str) {
        self.count += 1;
        if self.first.is_none() {
            self.first = Some((place, text.to_owned()));
        }
    }
}

/// What is known of one column.
#[derive(Default)]
struct Seen {
    /// Whether its numbers are categories too.
    categories: bool,
    numbers: usize,
    points: bool,
    commas: Counted,
    missing: Counted,
    not_finite: Counted,
    grouped: Counted,
    texts: Texts,
    text: Counted,
    /// The number that comes next, as long as the column counts rows.
    next: Option<f64>,
}

/// A label that is missing.
pub(super) const NO_LABEL: u32 = u32::MAX;

/// What was read.
pub(super) struct Gathered {
    /// Row by row; NaN where a value is missing.
    pub(super) features: Vec<f32>,
    /// Which columns they are of.
    pub(super) columns: Vec<Column>,
    /// The text of each sample's label, as a number in `texts`.
    pub(super) labels: Vec<u32>,
    pub(super) texts: Texts,
    pub(super) notes: Vec<String>,
}

/// Reads all rows; `label` is the column of the labels, `features` are those of the features, `unnamed` those without a
/// name, which are left out if they hold nothing or count the rows.
pub(super) fn all(
    path: &Path,
    rows: &mut Rows<'_>,
    asked: &Columns,
    label: usize,
    features: &[usize],
    unnamed: &[usize],
) -> Result<Gathered, Error> {
    let mut seen: Vec<Seen> = features
        .iter()
        .map(|&at| Seen { categories: asked.categories.contains(&rows.names[at]), ..Seen::default() })
        .collect();
    let mut without: Vec<Seen> = unnamed.iter().map(|_| Seen::default()).collect();
    let (mut numbers, mut labels, mut texts) = (Vec::new(), Vec::new(), Texts::default());
    let mut missing_labels = Counted::default();
    let (mut dropped, mut unlabeled) = (0usize, 0usize);
    let commas = rows.commas;
    let mut row = StringRecord::new();
    while rows.next(&mut row)? {
        let (begin, at) = (numbers.len(), place(&row));
        let mut whole = true;
        for (seen, &column) in seen.iter_mut().zip(features) {
            let text = &row[column];
            let value = match Field::of(text, commas) {
                Field::Number(x, false) if !seen.categories => {
                    seen.numbers += 1;
                    // Only beside decimal commas does a point tell something.
                    seen.points |= commas && text.contains('.');
                    x
                }
                field => {
                    let value = seen.other(field, text.trim(), at);
                    whole &= !value.is_nan();
                    value
                }
            };
            numbers.push(value);
        }
        for (seen, &column) in without.iter_mut().zip(unnamed) {
            seen.count(row[column].trim());
        }
        let text = row[label].trim();
        let is_class = asked.order.as_ref().is_some_and(|order| order.iter().any(|name| name == text));
        let no_label = is_missing_label(text) && !is_class;
        if no_label {
            missing_labels.add(at, text);
        }
        let drop = asked.missing == Missing::Drop && !whole;
        if drop || (no_label && asked.missing != Missing::Error) {
            numbers.truncate(begin);
            dropped += usize::from(drop);
            unlabeled += usize::from(no_label && !drop);
            continue;
        }
        labels.push(if no_label { NO_LABEL } else { texts.number(text, at) });
        if labels.len() == 1000 {
            let rows = rows.estimate(1000);
            numbers.reserve_exact((rows - 1000) * features.len());
            labels.reserve_exact(rows - 1000);
        }
    }
    let mut notes = vec![];
    check_unnamed(path, rows, unnamed, &without, &mut notes)?;
    let columns = check(path, rows, asked, features, &seen)?;
    if let (Some((at, text)), Missing::Error) = (&missing_labels.first, asked.missing) {
        let problem = Problem::MissingLabel { text: text.clone(), count: missing_labels.count };
        return Err(InFile::file(path, problem).line(rows.line(*at)).column(&asked.label).into());
    }
    let said = [
        (dropped, "rows with a missing value"),
        (unlabeled, "rows without a label"),
        (rows.blank, "rows without a single value"),
    ];
    notes.extend(said.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("left out {n} {what}")));
    if rows.surplus > 0 {
        notes.push(format!("{} rows end with one more separator, or one less, than the names", rows.surplus));
    }
    notes.extend(said_of(&columns, &seen, asked.missing));
    let features = expanded(numbers, &columns, &seen);
    Ok(Gathered { features, columns, labels, texts, notes })
}

/// The same for a network, by its encoder: the features, and the labels.
pub(super) fn of_model(
    path: &Path,
    rows: &mut Rows<'_>,
    asked: &Columns,
    label: usize,
    encoder: &Encoder<'_>,
) -> Result<(Vec<f32>, Gathered), Error> {
    let (mut numbers, mut labels, mut texts) = (vec![], vec![], Texts::default());
    let (mut dropped, mut unlabeled) = (0usize, 0usize);
    let mut row = StringRecord::new();
    while rows.next(&mut row)? {
        let text = row[label].trim();
        if is_missing_label(text) {
            if asked.missing == Missing::Error {
                let problem = Problem::MissingLabel { text: text.to_owned(), count: 1 };
                return Err(InFile::file(path, problem).line(rows.line(place(&row))).column(&asked.label).into());
            }
            unlabeled += 1;
        } else if encoder.add(rows, &row, &mut numbers)? {
            labels.push(texts.number(text, place(&row)));
        } else {
            dropped += 1;
        }
    }
    let said = [(dropped, "rows with a missing value"), (unlabeled, "rows without a label")];
    let notes = said.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("left out {n} {what}")).collect();
    Ok((numbers, Gathered { features: vec![], columns: vec![], labels, texts, notes }))
}

impl Seen {
    /// Counts a field that is no plain number, and gives what stands for it.
    fn other(&mut self, field: Field<'_>, text: &str, place: u64) -> f32 {
        match field {
            Field::Missing(text) => {
                self.missing.add(place, text);
                f32::NAN
            }
            Field::Number(x, comma) if !self.categories => {
                self.numbers += 1;
                if comma {
                    self.commas.add(place, text);
                } else {
                    self.points |= text.contains('.');
                }
                x
            }
            Field::NotFinite(text) if !self.categories => {
                self.not_finite.add(place, text);
                0.0
            }
            Field::Grouped(text) if !self.categories => {
                self.grouped.add(place, text);
                0.0
            }
            Field::Number(..) | Field::NotFinite(_) | Field::Grouped(_) | Field::Text(_) => {
                self.text.add(place, text);
                if self.texts.names.len() > MOST_CATEGORIES { 0.0 } else { self.texts.number(text, place) as f32 }
            }
        }
    }

    /// Counts a field of a column without a name.
    fn count(&mut self, text: &str) {
        if text.is_empty() {
            self.missing.count += 1;
            return;
        }
        self.text.count += 1;
        let number = text.parse::<f64>().ok();
        self.next = match (number, self.next) {
            (Some(x), _) if self.text.count == 1 => Some(x + 1.0),
            (Some(x), Some(next)) if x == next => Some(x + 1.0),
            _ => None,
        };
    }
}

/// Columns without a name: those that hold nothing, and those that count the rows, are left out.
fn check_unnamed(
    path: &Path,
    rows: &Rows<'_>,
    unnamed: &[usize],
    seen: &[Seen],
    notes: &mut Vec<String>,
) -> Result<(), Error> {
    for (&column, seen) in unnamed.iter().zip(seen) {
        let name = &rows.names[column];
        let shown = if name.is_empty() { "without a name".to_owned() } else { format!("{name:?}") };
        let n = column + 1;
        if seen.text.count == 0 {
            notes.push(format!("left out column {n} {shown}: it is empty"));
        } else if seen.next.is_some() && seen.missing.count == 0 {
            notes.push(format!("left out column {n} {shown}: it counts the rows"));
        } else {
            return Err(InFile::file(path, Problem::Unnamed(n)).line(1).into());
        }
    }
    Ok(())
}

/// What the columns are.
fn check(
    path: &Path,
    rows: &Rows<'_>,
    asked: &Columns,
    features: &[usize],
    seen: &[Seen],
) -> Result<Vec<Column>, Error> {
    let mut problems = vec![];
    let mut columns = vec![];
    for (seen, &column) in seen.iter().zip(features) {
        let name = &rows.names[column];
        let first = |of: &Counted| of.first.clone().unwrap_or_default();
        let mut wrong = |(place, _): &(u64, String), problem| problems.push((*place, name.clone(), problem));
        let number = seen.numbers > 0 || seen.text.count == 0;
        if seen.grouped.count > 0 {
            let found = first(&seen.grouped);
            wrong(&found, Problem::Grouped { text: found.1.clone(), readings: readings(&found.1) });
        } else if seen.commas.count > 0 && seen.points {
            let found = first(&seen.commas);
            wrong(&found, Problem::CommasAndPoints(found.1.clone()));
        } else if seen.not_finite.count > 0 {
            let found = first(&seen.not_finite);
            wrong(&found, Problem::Feature(BadNumber::NotFinite(found.1.clone())));
        } else if number && seen.text.count > 0 {
            let found = first(&seen.text);
            let (text, hint) = (found.1.clone(), "");
            wrong(&found, Problem::Feature(BadNumber::NotANumber { text, hint }));
        } else if seen.texts.names.len() > MOST_CATEGORIES {
            let found = first(&seen.text);
            wrong(&found, Problem::ManyCategories { text: found.1.clone() });
        }
        if seen.missing.count > 0 && asked.missing == Missing::Error {
            let found = first(&seen.missing);
            wrong(&found, missing(&found.1, seen.missing.count));
        } else if number && seen.numbers == 0 && seen.missing.count > 0 {
            let found = first(&seen.missing);
            wrong(&found, Problem::NothingKnown);
        }
        let fields = match (number, yes_no(&seen.texts.names)) {
            (true, _) => Fields::Number,
            (false, Some(pair)) => Fields::YesNo(pair),
            (false, None) => {
                let mut names = seen.texts.names.clone();
                names.sort_unstable();
                Fields::Categories(names)
            }
        };
        columns.push(Column { name: name.clone(), fields });
    }
    problems.sort_by_key(|(place, ..)| *place);
    let others: Vec<String> = problems.iter().skip(1).map(|(_, name, _)| name.clone()).collect();
    match problems.into_iter().next() {
        None => Ok(columns),
        Some((place, name, problem)) => {
            let problem = match others.is_empty() {
                true => problem,
                false => Problem::AndOthers { first: Box::new(problem), columns: list(&others) },
            };
            Err(InFile::file(path, problem).line(rows.line(place)).column(name).into())
        }
    }
}

/// The problem of a missing value, the first of `count`.
pub(super) fn missing(text: &str, count: usize) -> Problem {
    match text.is_empty() {
        true => Problem::MissingValue { what: "the field is empty".to_owned(), count },
        false => Problem::MissingValue { what: format!("{text:?} stands for a missing value"), count },
    }
}

fn yes_no(names: &[String]) -> Option<[String; 2]> {
    let pair =
        YES_NO.iter().find(|pair| names.iter().all(|name| pair.iter().any(|one| name.eq_ignore_ascii_case(one))))?;
    (!names.is_empty()).then(|| pair.map(str::to_owned))
}

/// The feature of a text in a column of two words.
pub(super) fn zero_or_one(pair: &[String; 2], text: &str) -> Option<f32> {
    let at = pair.iter().position(|one| text.eq_ignore_ascii_case(one))?;
    Some(at as f32)
}

/// What was converted, or is filled in.
fn said_of(columns: &[Column], seen: &[Seen], missing: Missing) -> Vec<String> {
    let mut notes = vec![];
    for (column, seen) in columns.iter().zip(seen) {
        let name = &column.name;
        match &column.fields {
            Fields::Number if seen.commas.count > 0 => {
                notes.push(format!("column {name:?}: {} numbers with a decimal comma", seen.commas.count));
            }
            Fields::Number => {}
            Fields::YesNo([no, yes]) => notes.push(format!("column {name:?} is read as {no} = 0, {yes} = 1")),
            Fields::Categories(names) => {
                notes.push(format!("column {name:?} becomes {} columns of 0 and 1: {}", names.len(), list(names)));
            }
        }
        if seen.missing.count > 0 && missing == Missing::Median {
            notes.push(format!(
                "column {name:?}: {} missing values are filled in with the median of the training set",
                seen.missing.count
            ));
        }
    }
    notes
}

/// Columns of texts as columns of numbers.
fn expanded(numbers: Vec<f32>, columns: &[Column], seen: &[Seen]) -> Vec<f32> {
    if columns.iter().all(|column| column.fields == Fields::Number) {
        return numbers;
    }
    // For each text of a column, what stands for it.
    let codes: Vec<Vec<Vec<f32>>> = columns
        .iter()
        .zip(seen)
        .map(|(column, seen)| {
            seen.texts.names.iter().map(|text| code(&column.fields, text).unwrap_or_default()).collect()
        })
        .collect();
    let mut features = vec![];
    for row in numbers.chunks_exact(columns.len()) {
        for ((&x, column), codes) in row.iter().zip(columns).zip(&codes) {
            match (&column.fields, codes.get(x as usize)) {
                (Fields::Number, _) => features.push(x),
                (_, Some(code)) if !x.is_nan() => features.extend(code),
                _ => features.extend(std::iter::repeat_n(f32::NAN, column.features().len())),
            }
        }
    }
    features
}

/// The features of a text; none for one that a column does not have.
pub(super) fn code(fields: &Fields, text: &str) -> Option<Vec<f32>> {
    match fields {
        Fields::Number => None,
        Fields::YesNo(pair) => Some(vec![zero_or_one(pair, text)?]),
        Fields::Categories(names) => {
            let at = names.iter().position(|name| name == text)?;
            Some((0..names.len()).map(|i| f32::from(u8::from(i == at))).collect())
        }
    }
}
