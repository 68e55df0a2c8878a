//! All rows of a table at once: features as they come, and what each column turned out to be.

use super::{
    Columns, Encoder, Missing,
    numbers::{Field, is_decimal_comma, is_grouped, is_missing_label, readings},
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
use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

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

/// Numbers with a comma or a point.
#[derive(Default)]
struct Ways {
    count: usize,
    /// Those whose comma or point can stand before decimals alone: 0,377 but not 1,376.
    sure: usize,
    /// The first.
    first: Counted,
    /// The first of which it may group digits.
    doubtful: Counted,
}

impl Ways {
    fn add(&mut self, place: u64, text: &str) {
        self.count += 1;
        self.first.add(place, text);
        if is_grouped(text) {
            self.doubtful.add(place, text);
        } else {
            self.sure += 1;
        }
    }
}

/// What is known of one column.
#[derive(Default)]
struct Seen {
    /// Whether its numbers are categories too.
    categories: bool,
    numbers: usize,
    /// Numbers with a point, where that could group digits.
    points: Ways,
    /// Numbers with a decimal comma.
    commas: Ways,
    missing: Counted,
    not_finite: Counted,
    grouped: Counted,
    texts: Texts,
    text: Counted,
    /// Whole numbers, as long as all fields are, and all different.
    counted: HashSet<u64>,
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
    /// Whether commas stand before decimals, by numbers that can be read in no other way.
    pub(super) commas: bool,
    /// What is wrong, in the order of the file; then the rest is of no use.
    pub(super) problems: Vec<InFile<Problem>>,
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
                    if commas && text.contains('.') {
                        seen.points.add(at, text.trim());
                    }
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
    let mut problems = check_unnamed(path, rows, unnamed, &without, &mut notes);
    let (columns, of_columns) = check(path, rows, asked, features, &seen);
    problems.extend(of_columns);
    if let (Some((at, text)), Missing::Error) = (&missing_labels.first, asked.missing) {
        let problem = Problem::MissingLabel { text: text.clone(), count: missing_labels.count };
        problems.push(InFile::file(path, problem).line(rows.line(*at)).column(&asked.label));
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
    let features = if problems.is_empty() { expanded(numbers, &columns, &seen) } else { vec![] };
    let commas = has_decimal_commas(&seen);
    Ok(Gathered { features, columns, labels, texts, notes, commas, problems })
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
    Ok((numbers, Gathered { features: vec![], columns: vec![], labels, texts, notes, commas: true, problems: vec![] }))
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
                } else if text.contains('.') {
                    self.points.add(place, text);
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
        // One that is no whole number, or the same once more, makes the set too small for good.
        self.counted.extend(text.parse::<u64>());
    }
}

/// Columns without a name: those that hold nothing, and those that count the rows, are left out.
fn check_unnamed(
    path: &Path,
    rows: &Rows<'_>,
    unnamed: &[usize],
    seen: &[Seen],
    notes: &mut Vec<String>,
) -> Vec<InFile<Problem>> {
    let mut problems = vec![];
    for (&column, seen) in unnamed.iter().zip(seen) {
        let name = &rows.names[column];
        let shown = if name.is_empty() { "without a name".to_owned() } else { format!("{name:?}") };
        let n = column + 1;
        if seen.text.count == 0 {
            notes.push(format!("left out column {n} {shown}: it is empty"));
        } else if column == 0 && seen.counted.len() == seen.text.count && seen.missing.count == 0 {
            notes.push(format!("left out column {n} {shown}: it numbers the rows"));
        } else {
            problems.push(InFile::file(path, Problem::Unnamed(n)).line(1));
        }
    }
    problems
}

/// What the columns are.
fn check(
    path: &Path,
    rows: &Rows<'_>,
    asked: &Columns,
    features: &[usize],
    seen: &[Seen],
) -> (Vec<Column>, Vec<InFile<Problem>>) {
    let mut problems = vec![];
    let mut columns = vec![];
    let sure = has_decimal_commas(seen);
    for (seen, &column) in seen.iter().zip(features) {
        let name = &rows.names[column];
        let first = |of: &Counted| of.first.clone().unwrap_or_default();
        let mut wrong = |(place, _): &(u64, String), problem| problems.push((*place, name.clone(), problem));
        let number = seen.numbers > 0 || seen.text.count == 0;
        if seen.grouped.count > 0 {
            let found = first(&seen.grouped);
            wrong(&found, Problem::Grouped { text: found.1.clone(), readings: readings(&found.1) });
        } else if seen.commas.count > 0 && seen.points.count > 0 {
            let found = first(&seen.commas.first);
            wrong(&found, Problem::CommasAndPoints(found.1.clone()));
        } else if let Some(doubtful) = [&seen.commas, &seen.points].into_iter().find(|ways| {
            // A file writes all of its numbers in one way: 0,377 somewhere tells how to read 1,376, and makes 1.376
            // doubtful.
            let doubt = std::ptr::eq(*ways, &seen.points) == sure;
            doubt && ways.sure == 0 && ways.count > 0
        }) {
            let found = first(&doubtful.doubtful);
            wrong(&found, Problem::Grouped { text: found.1.clone(), readings: readings(&found.1) });
        } else if seen.not_finite.count > 0 {
            let found = first(&seen.not_finite);
            wrong(&found, Problem::Feature(BadNumber::NotFinite(found.1.clone())));
        } else if number && seen.text.count > 0 {
            let found = first(&seen.text);
            let text = found.1.clone();
            let hint = if is_decimal_comma(&text) { "; write decimals with a point" } else { "" };
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
    let at = |(place, name, problem): (u64, String, Problem)| {
        InFile::file(path, problem).line(rows.line(place)).column(name)
    };
    (columns, problems.into_iter().map(at).collect())
}

/// The first of several problems, with the other columns that have one.
pub(super) fn first(problems: Vec<InFile<Problem>>) -> Option<InFile<Problem>> {
    let mut problems = problems.into_iter();
    let found = problems.next()?;
    let others: Vec<String> = problems.filter_map(|other| other.in_column().map(str::to_owned)).collect();
    match others.is_empty() {
        true => Some(found),
        false => Some(found.map(|first| Problem::AndOthers { first: Box::new(first), columns: list(&others) })),
    }
}

/// Whether a number has a comma that can stand before decimals alone.
fn has_decimal_commas(seen: &[Seen]) -> bool {
    seen.iter().any(|seen| seen.commas.sure > 0)
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
