//! A table with one column of classes, from a file of separated fields.
//!
//! The first row names the columns, unless [`Header::No`] says that it is a sample. Fields are separated by commas,
//! semicolons, tabs or bars, whichever the first two rows agree on, or by what [`Form::delimiter`] says. Quoted fields may
//! hold anything, line breaks too (RFC 4180). Columns without a name that are empty or number the rows are left out.
//!
//! | column | features |
//! |---|---|
//! | numbers; with a decimal comma where that separates nothing | the numbers |
//! | two words such as no and yes | 0 and 1 |
//! | other words, and what [`Columns::categories`] names | one of 0 and 1 for each |
//!
//! | labels | classes | order | values |
//! |---|---|---|---|
//! | numbers | the different numbers | ascending | the numbers |
//! | names, with an order given | the names given, with samples or not | as given | 0, 1, 2, ... or the numbers that they are |
//! | names | the different names | none (listed alphabetically) | 0, 1, 2, ...: not used |
//!
//! Distances between classes count steps, so labels 10, 20 and 40 are one step apart each.

mod classes;
mod encoder;
mod gather;
mod numbers;
mod rows;

pub use crate::error::table::{FEWEST_SAMPLES, MOST_CATEGORIES, MOST_CLASSES, Problem};
pub(crate) use encoder::Encoder;
pub(crate) use rows::Rows;

use crate::{
    Error,
    data::{
        Dataset,
        table::{Column, Fields, Known, Table, repeated},
    },
    error::place::{InFile, list},
    input::key,
};
use classes::{Classes, Labels};
use std::{collections::HashSet, path::Path};

/// What to read from the file.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// The column of the classes.
    pub label: String,
    /// The names of the classes in their order, where they have one that is not their value.
    pub order: Option<Vec<String>>,
    /// Columns that are left out.
    pub ignore: Vec<String>,
    /// Columns whose numbers are categories, such as codes.
    pub categories: Vec<String>,
    /// What to do about missing values.
    pub missing: Missing,
    /// How the file is written.
    pub form: Form,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// What the first row is.
    pub header: Header,
    /// What separates fields; found where nothing is said.
    pub delimiter: Option<Delimiter>,
}

/// What the first row is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// Names; refused where it looks like a sample.
    #[default]
    Expected,
    /// Names, whatever they look like.
    Yes,
    /// A sample: the columns are called 1, 2, 3, ...
    No,
}

/// What separates fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimiter {
    /// One byte.
    Byte(u8),
    /// Any number of spaces and tabs.
    Space,
}

/// What to do about missing values: empty fields, `?`, `NA`, `NaN`, `null` and the like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// Refuse them.
    #[default]
    Error,
    /// Leave out their rows.
    Drop,
    /// Fill them in with the median of the training set; rows without a label are left out.
    Median,
}

/// What a table is read for.
#[derive(Clone, Copy)]
enum Purpose<'a> {
    /// To train with it.
    Train,
    /// To judge a network, of which a model knows the features and classes.
    Judge(Option<Known<'a>>),
}

/// Reads a table to train with.
///
/// # Errors
/// [`Error::File`], [`Error::Text`], or [`Error::Table`] with the line and the column where there is one.
pub fn read(path: &Path, columns: &Columns) -> Result<Table, Error> {
    read_for(path, columns, Purpose::Train)
}

/// Reads a table to judge a network with: one sample is enough.
///
/// Where a model says so, its features are found by their names, in any order, and its classes are those of the result,
/// whether they have samples or not.
///
/// # Errors
/// As [`read`].
pub fn read_to_judge(path: &Path, columns: &Columns, model: Option<Known<'_>>) -> Result<Table, Error> {
    read_for(path, columns, Purpose::Judge(model))
}

fn read_for(path: &Path, asked: &Columns, purpose: Purpose<'_>) -> Result<Table, Error> {
    let mut rows = Rows::open(path, &asked.form)?;
    let mut layout = Layout::of(path, &rows, asked)?;
    let label = layout.label.take().unwrap_or(0);
    let mut notes = std::mem::take(&mut rows.notes);
    let (features, columns, names, gathered) = match purpose {
        Purpose::Train => {
            let mut found = gather::all(path, &mut rows, asked, label, &layout.features, &layout.unnamed)?;
            if let Some(problem) = gather::first(std::mem::take(&mut found.problems)) {
                return Err(problem.into());
            }
            let names = found.columns.iter().flat_map(Column::features).collect();
            let numbers_alone = found.columns.iter().all(|column| column.fields == Fields::Number);
            let columns = std::mem::take(&mut found.columns);
            let columns = if numbers_alone { vec![] } else { columns };
            (std::mem::take(&mut found.features), columns, names, found)
        }
        Purpose::Judge(known) => {
            let (encoder, _) = Encoder::new(path, &rows, asked, &layout.features, known, false)?;
            let found = gather::of_model(path, &mut rows, asked, label, &encoder)?;
            (found.0, encoder.columns(), encoder.features(), found.1)
        }
    };
    notes.extend(gathered.notes);
    let labels = Labels {
        path,
        rows: &rows,
        column: &asked.label,
        texts: &gathered.texts,
        ids: &gathered.labels,
        commas: gathered.commas,
    };
    let own = gathered.texts.names.iter().any(|text| key(text) == key(&asked.label));
    if own && asked.form.header == Header::Expected && rows.named {
        let why = format!("the column {:?} holds {:?} as a label too", asked.label, asked.label);
        return Err(InFile::file(path, Problem::Headerless(why)).line(1).into());
    }
    if gathered.labels.is_empty() {
        return Err(InFile::file(path, Problem::NoSamples).into());
    }
    let model = if let Purpose::Judge(model) = purpose { model } else { None };
    let Classes { labels, names: class_names, values, ordered, notes: more } = match model {
        Some(model) => labels.of_model(model)?,
        None => labels.classes(asked.order.as_deref())?,
    };
    notes.extend(more);
    if matches!(purpose, Purpose::Train) && labels.len() < FEWEST_SAMPLES {
        return Err(InFile::file(path, Problem::FewSamples(labels.len())).into());
    }
    let width = layout_width(&features, labels.len());
    let repeated = repeated(&features, width, &labels);
    let data = Dataset::with_missing(path.display().to_string(), features, width, labels, class_names, values)?;
    Ok(Table { data: data.described(names, ordered)?.of_columns(columns), repeated, notes })
}

/// Everything that is wrong with a table to train with, a sentence each, and what should be said of it otherwise.
///
/// # Errors
/// Where nothing can be told: [`Error::File`], and [`Error::Table`] for columns that are not there.
pub fn check(path: &Path, asked: &Columns) -> Result<(Vec<String>, Vec<String>), Error> {
    let mut rows = Rows::open(path, &asked.form)?;
    rows.wrong = Some(vec![]);
    let layout = Layout::of(path, &rows, asked)?;
    let mut notes = std::mem::take(&mut rows.notes);
    let label = layout.label.unwrap_or(0);
    let found = gather::all(path, &mut rows, asked, label, &layout.features, &layout.unnamed)?;
    let mut problems: Vec<String> = rows.wrong.take().unwrap_or_default();
    problems.extend(found.problems.iter().map(ToString::to_string));
    notes.extend(found.notes);
    let labels = Labels {
        path,
        rows: &rows,
        column: &asked.label,
        texts: &found.texts,
        ids: &found.labels,
        commas: found.commas,
    };
    match labels.classes(asked.order.as_deref()) {
        Ok(classes) => {
            notes.extend(classes.notes);
            let counts = classes.names.iter().enumerate().map(|(i, name)| {
                let n = classes.labels.iter().filter(|y| y.index() == i).count();
                format!("{name} ({n})")
            });
            let order = if classes.ordered { "ordered as listed" } else { "not ordered" };
            notes.push(format!("{} classes, {order}: {}", classes.names.len(), counts.collect::<Vec<_>>().join(", ")));
        }
        Err(problem) => problems.push(problem.to_string()),
    }
    if found.labels.len() < FEWEST_SAMPLES {
        problems.push(InFile::file(path, Problem::FewSamples(found.labels.len())).to_string());
    }
    Ok((problems, notes))
}

fn layout_width(features: &[f32], samples: usize) -> usize {
    features.len() / samples.max(1)
}

/// Which columns are what.
pub(crate) struct Layout {
    /// The column of the labels, where one is asked for.
    pub(crate) label: Option<usize>,
    pub(crate) features: Vec<usize>,
    /// Columns without a name.
    pub(crate) unnamed: Vec<usize>,
}

/// Whether a column has no name of its own: pandas calls such a column `Unnamed: 0`.
fn is_unnamed(name: &str) -> bool {
    name.is_empty() || name.strip_prefix("Unnamed: ").is_some_and(|rest| rest.parse::<u32>().is_ok())
}

impl Layout {
    pub(crate) fn of(path: &Path, rows: &Rows<'_>, asked: &Columns) -> Result<Self, InFile<Problem>> {
        let names = &rows.names;
        let at = |problem| InFile::file(path, problem);
        if names.len() < 2 && !asked.label.is_empty() {
            return Err(at(Problem::OneColumn));
        }
        if rows.named
            && asked.form.header == Header::Expected
            && let Some(why) = rows.looks_like_a_sample()
        {
            return Err(at(Problem::Headerless(why)).line(1));
        }
        let mut seen = HashSet::new();
        if let Some(twice) = names.iter().find(|&name| !name.is_empty() && !seen.insert(name)) {
            return Err(at(Problem::SameName(twice.clone())).line(1));
        }
        let find = |asked: &String| {
            names
                .iter()
                .position(|name| name == asked)
                .ok_or_else(|| at(Problem::UnknownColumn { asked: asked.clone(), there: list(names) }))
        };
        let label = if asked.label.is_empty() { None } else { Some(find(&asked.label)?) };
        let mut ignored = vec![];
        for name in asked.ignore.iter() {
            match name.is_empty() {
                // All that have no name.
                true => ignored.extend((0..names.len()).filter(|&i| names[i].is_empty())),
                false => ignored.push(find(name)?),
            }
        }
        asked.categories.iter().try_for_each(|name| find(name).map(|_| ()))?;
        if label.is_some_and(|label| ignored.contains(&label)) {
            return Err(at(Problem::LabelIgnored(asked.label.clone())));
        }
        let left = (0..names.len()).filter(|i| Some(*i) != label && !ignored.contains(i));
        let (unnamed, features): (Vec<usize>, Vec<usize>) = left.partition(|&i| is_unnamed(&names[i]));
        if features.is_empty() {
            return Err(at(Problem::NoFeatures));
        }
        Ok(Layout { label, features, unnamed })
    }
}

#[cfg(test)]
mod tests;
