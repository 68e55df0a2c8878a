//! A table of numbers with one column of classes, from a CSV file.
//!
//! The first row names the columns. Fields are separated by commas, semicolons or tabs, whichever the first two rows
//! agree on. Every column but the label must hold numbers; columns that do not can be left out by name.
//!
//! | labels | classes | order | values |
//! |---|---|---|---|
//! | numbers | the different numbers | ascending | the numbers |
//! | names, with an order given | the names given | as given | 0, 1, 2, ... |
//! | names | the different names | none (listed alphabetically) | 0, 1, 2, ...: not used |
//!
//! Distances between classes count steps, so labels 10, 20 and 40 are one step apart each.

use crate::error::table::OPEN_QUOTE;
pub use crate::error::table::{FEWEST_SAMPLES, MOST_CLASSES, Problem};
use crate::{
    Error,
    data::{
        Dataset,
        table::{Known, Table, repeated},
    },
    error::place::{BadNumber, InFile, list},
    input::{self, key},
};
use simloss_core::Label;
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    path::Path,
};

/// What to read from the file.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// The column of the classes.
    pub label: String,
    /// The names of the classes in their order, where they have one that is not their value.
    pub order: Option<Vec<String>>,
    /// Columns that are left out.
    pub ignore: Vec<String>,
}

type Checked<T> = Result<T, InFile<Problem>>;

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

fn read_for(path: &Path, columns: &Columns, purpose: Purpose<'_>) -> Result<Table, Error> {
    let text = input::text(path)?;
    let (names, features, classes, layout) = parse(path, &text, columns, purpose)?;
    let width = layout.features.len();
    let repeated = repeated(&features, width, &classes.labels);
    let Classes { labels, names: class_names, values, ordered } = classes;
    let data = Dataset::new(path.display().to_string(), features, width, labels, class_names, values)?;
    let names = layout.features.iter().map(|&column| names[column].clone()).collect();
    Ok(Table { data: data.described(names, ordered)?, repeated })
}

fn parse(
    path: &Path,
    text: &str,
    columns: &Columns,
    purpose: Purpose<'_>,
) -> Checked<(Vec<String>, Vec<f32>, Classes, Layout)> {
    let mut rows = input::rows(text);
    let Some((_, header)) = rows.next() else { return Err(InFile::file(path, Problem::Empty)) };
    if let Some(name) = header.iter().find(|name| is_open(name)) {
        return Err(InFile::file(path, Problem::Lines(start(name))).line(1));
    }
    let names: Vec<String> = header.iter().map(String::from).collect();
    let model = if let Purpose::Judge(model) = purpose { model } else { None };
    let layout = layout(path, &names, columns, model.map_or(&[], |model| model.features))?;

    let (mut features, mut labels) = (Vec::new(), Vec::new());
    for (line, row) in rows {
        if row.len() != names.len() {
            let advice = if row.iter().any(is_open) { OPEN_QUOTE } else { "fill in or remove fields" };
            let problem = Problem::Ragged { expected: names.len(), found: row.len(), advice };
            return Err(InFile::file(path, problem).line(line));
        }
        for &column in &layout.features {
            let number = input::number(&row[column]).map_err(Problem::Feature);
            features.push(number.map_err(|problem| InFile::file(path, problem).line(line).column(&names[column]))?);
        }
        let label = &row[layout.label];
        if label.is_empty() {
            return Err(InFile::file(path, Problem::Label(BadNumber::Missing)).line(line).column(&columns.label));
        }
        if is_open(label) {
            return Err(InFile::file(path, Problem::Lines(start(label))).line(line).column(&columns.label));
        }
        labels.push((line, String::from(label)));
    }
    if labels.is_empty() {
        return Err(InFile::file(path, Problem::NoSamples));
    }
    let classes = match model {
        Some(model) => of_model(path, &columns.label, &labels, model)?,
        None => classes(path, columns, &labels)?,
    };
    if matches!(purpose, Purpose::Train) && labels.len() < FEWEST_SAMPLES {
        return Err(InFile::file(path, Problem::FewSamples(labels.len())));
    }
    Ok((names, features, classes, layout))
}

/// Whether a field goes on after its line, as it does where a quote is not closed.
fn is_open(field: &str) -> bool {
    field.contains('\n')
}

/// The first line of a field.
fn start(field: &str) -> String {
    field.lines().next().unwrap_or_default().to_owned()
}

/// Which columns are what.
struct Layout {
    label: usize,
    features: Vec<usize>,
}

/// `known` are the features of a network, if it names them.
fn layout(path: &Path, names: &[String], columns: &Columns, known: &[String]) -> Checked<Layout> {
    if let Some(column) = names.iter().position(|name| name.is_empty()) {
        return Err(InFile::file(path, Problem::Unnamed(column + 1)).line(1));
    }
    let mut seen = HashSet::new();
    if let Some(twice) = names.iter().find(|&name| !seen.insert(name)) {
        return Err(InFile::file(path, Problem::SameName(twice.clone())).line(1));
    }
    if names.len() < 2 {
        return Err(InFile::file(path, Problem::OneColumn));
    }
    let find = |asked: &String| {
        names.iter().position(|name| name == asked).ok_or_else(|| {
            let headless = names.iter().all(|name| name.parse::<f64>().is_ok());
            let hint = if headless { ". They are all numbers: is the row with the names missing?" } else { "" };
            InFile::file(path, Problem::UnknownColumn { asked: asked.clone(), there: list(names), hint })
        })
    };
    let label = find(&columns.label)?;
    let ignored = columns.ignore.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    if ignored.contains(&label) {
        return Err(InFile::file(path, Problem::LabelIgnored(columns.label.clone())));
    }
    let features: Vec<usize> = (0..names.len()).filter(|i| *i != label && !ignored.contains(i)).collect();
    if features.is_empty() {
        return Err(InFile::file(path, Problem::NoFeatures));
    }
    if known.is_empty() {
        return Ok(Layout { label, features });
    }
    let there: HashMap<&String, usize> = features.iter().map(|&i| (&names[i], i)).collect();
    let missing: Vec<String> = known.iter().filter(|name| !there.contains_key(name)).cloned().collect();
    let unknown: Vec<String> =
        features.iter().map(|&i| names[i].clone()).filter(|name| !known.contains(name)).collect();
    if !missing.is_empty() || !unknown.is_empty() {
        return Err(InFile::file(path, Problem::OtherColumns { missing, unknown }).line(1));
    }
    Ok(Layout { label, features: known.iter().filter_map(|name| there.get(name).copied()).collect() })
}

/// The classes found in the label column.
struct Classes {
    labels: Vec<Label>,
    names: Vec<String>,
    values: Vec<f64>,
    ordered: bool,
}

/// Labels as classes of a model. Numbers are the same class however they are written: 3 and 3.0.
fn of_model(path: &Path, column: &str, labels: &[(u64, String)], model: Known<'_>) -> Checked<Classes> {
    let names = model.class_names;
    let all = || names.iter().zip(0..);
    let index: HashMap<String, usize> =
        all().map(|(name, i)| (key(name), i)).chain(all().map(|(name, i)| (name.clone(), i))).collect();
    let mut found = Vec::with_capacity(labels.len());
    for (line, text) in labels {
        let place = index.get(text).or_else(|| index.get(&key(text)));
        let label = place.and_then(|&i| Label::new(i, names.len()).ok()).ok_or_else(|| {
            let problem = Problem::NotOfNetwork { text: text.clone(), classes: list(names) };
            InFile::file(path, problem).line(*line).column(column)
        })?;
        found.push(label);
    }
    let (names, values) = (names.to_vec(), model.class_values.to_vec());
    Ok(Classes { labels: found, names, values, ordered: model.ordered })
}

fn classes(path: &Path, columns: &Columns, labels: &[(u64, String)]) -> Checked<Classes> {
    let column = &columns.label;
    if let Some(order) = &columns.order {
        let mut seen = HashSet::new();
        if let Some(twice) = order.iter().find(|&name| !seen.insert(name)) {
            return Err(InFile::file(path, Problem::Twice(twice.clone())).column(column));
        }
        return named(path, column, labels, order.clone(), true);
    }
    let numbers: Vec<Option<f64>> = labels.iter().map(|(_, text)| text.parse().ok()).collect();
    if numbers.iter().all(Option::is_none) {
        let names: BTreeSet<&String> = labels.iter().map(|(_, text)| text).collect();
        return named(path, column, labels, names.into_iter().cloned().collect(), false);
    }
    let refuse = |unfit: &dyn Fn(&Option<f64>) -> bool, problem: &dyn Fn(String) -> Problem| match numbers
        .iter()
        .position(unfit)
        .map(|i| &labels[i])
    {
        Some((line, text)) => Err(InFile::file(path, problem(text.clone())).line(*line).column(column)),
        None => Ok(()),
    };
    refuse(&|x| x.is_some_and(|x| !x.is_finite()), &|text| Problem::Label(BadNumber::NotFinite(text)))?;
    refuse(&|x| x.is_none(), &Problem::MixedLabels)?;
    // Zero has one sign here: -0 and 0 are one class.
    let numbers: Vec<f64> = numbers.into_iter().flatten().map(|x| x + 0.0).collect();
    let mut values = numbers.clone();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let names = values.iter().map(f64::to_string).collect();
    let indices = numbers.iter().map(|x| values.binary_search_by(|v| v.total_cmp(x)).unwrap_or(0)).collect();
    finish(path, column, indices, names, values, true)
}

fn named(path: &Path, column: &str, labels: &[(u64, String)], names: Vec<String>, ordered: bool) -> Checked<Classes> {
    let index: HashMap<&str, usize> = names.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
    let mut indices = Vec::with_capacity(labels.len());
    let mut used = vec![false; names.len()];
    for (line, text) in labels {
        let Some(&i) = index.get(text.as_str()) else {
            return Err(InFile::file(path, Problem::NotInOrder { text: text.clone(), order: list(&names) })
                .line(*line)
                .column(column));
        };
        used[i] = true;
        indices.push(i);
    }
    if let Some(i) = used.iter().position(|used| !used) {
        return Err(InFile::file(path, Problem::Unused(names[i].clone())).column(column));
    }
    let values = (0..names.len()).map(|i| i as f64).collect();
    finish(path, column, indices, names, values, ordered)
}

fn finish(
    path: &Path,
    column: &str,
    indices: Vec<usize>,
    names: Vec<String>,
    values: Vec<f64>,
    ordered: bool,
) -> Checked<Classes> {
    if let [only] = names.as_slice() {
        return Err(InFile::file(path, Problem::OneClass(only.clone())).column(column));
    }
    if names.len() > MOST_CLASSES {
        return Err(InFile::file(path, Problem::ManyClasses(names.len())).column(column));
    }
    // From 2 to MOST_CLASSES classes, and every index stands in the list of names.
    let labels = indices.iter().filter_map(|&i| Label::new(i, names.len()).ok()).collect();
    Ok(Classes { labels, names, values, ordered })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `rows` under `header`, repeated until there are enough.
    fn table(header: &str, rows: &[&str]) -> String {
        let rows: Vec<&str> = rows.iter().copied().cycle().take(24.max(rows.len())).collect();
        format!("{header}\n{}\n", rows.join("\n"))
    }

    fn read(text: &str, columns: &Columns) -> Checked<(Vec<String>, Vec<f32>, Classes, Layout)> {
        parse(Path::new("t.csv"), text, columns, Purpose::Train)
    }

    fn label(name: &str) -> Columns {
        Columns { label: name.into(), ..Columns::default() }
    }

    fn refusal(text: &str, columns: &Columns) -> String {
        read(text, columns).err().map(|e| e.to_string()).unwrap_or_default()
    }

    #[test]
    fn numbers_are_classes_in_their_order() {
        let (_, features, classes, layout) =
            read(&table("grade,x", &["10,1", "9.0,2", "-0,3", "9,4", "0,5"]), &label("grade")).unwrap();
        assert_eq!(classes.names, ["0", "9", "10"]);
        assert_eq!(classes.values, [0.0, 9.0, 10.0]);
        assert!(classes.ordered);
        assert_eq!(classes.labels.iter().take(5).map(|y| y.index()).collect::<Vec<_>>(), [2, 1, 0, 1, 0]);
        assert_eq!((layout.features, &features[..3]), (vec![1], &[1.0, 2.0, 3.0][..]));
    }

    #[test]
    fn names_have_the_order_given_or_none() {
        let text = table("x,size,id", &["1,small,a", "2,large,b", "3,medium,c"]);
        let ignore = vec!["id".to_owned()];
        let (_, _, classes, _) = read(&text, &Columns { ignore: ignore.clone(), ..label("size") }).unwrap();
        assert_eq!((classes.names, classes.ordered), (["large", "medium", "small"].map(str::to_owned).to_vec(), false));
        let order = Some(["small", "medium", "large"].map(str::to_owned).to_vec());
        let (_, _, classes, _) = read(&text, &Columns { ignore, order, ..label("size") }).unwrap();
        assert!(classes.ordered);
        assert_eq!(classes.values, [0.0, 1.0, 2.0]);
        assert_eq!(classes.labels.iter().take(3).map(|y| y.index()).collect::<Vec<_>>(), [0, 2, 1]);
    }

    #[test]
    fn refused() {
        let y = label("y");
        for (text, message) in [
            ("", "t.csv: the file is empty"),
            ("\n\n", "t.csv: the file is empty"),
            ("x,y\n", "t.csv: there are no samples"),
            ("y\n1\n", "t.csv: there is a single column"),
            ("x,y,x\n1,2,3\n", "t.csv, line 1: two columns have the name \"x\""),
            ("x,,y\n1,2,3\n", "t.csv, line 1: column 2 has no name"),
            ("x,z\n1,2\n", "t.csv: there is no column \"y\"; the columns are \"x\", \"z\""),
            ("1,2\n3,4\n", "is the row with the names missing?"),
            ("x,y\n1,2\n1\n", "t.csv, line 3: the row has 1 fields, but the first row names 2 columns"),
            ("x,y\n1,2\n1,2,3\n", "t.csv, line 3: the row has 3 fields, but the first row names 2 columns; fill in or"),
            (
                "x,y\n1,2\n\"1,2\n3,4\n",
                "t.csv, line 3: the row has 1 fields, but the first row names 2 columns; a quote (\")",
            ),
            (
                "x,y\n1,a\n1,\"b\n3,a\n",
                "t.csv, line 3, column \"y\": \"b\" goes over several lines; a quote (\") opens",
            ),
            ("\"x,y\n1,2\n3,4\n", "t.csv, line 1: \"x,y\" goes over several lines; a quote"),
            ("x,y\n1,2\n,3\n", "t.csv, line 3, column \"x\": the field is empty"),
            ("x,y\n1,2\n3,\n", "t.csv, line 3, column \"y\": the field is empty"),
            ("x,y\n1,2\nred,3\n", "t.csv, line 3, column \"x\": \"red\" is not a number; leave columns of text out"),
            ("x;y\n1;2\n3,5;3\n", "\"3,5\" is not a number; write decimals with a point"),
            ("x,y\nNaN,2\n", "t.csv, line 2, column \"x\": \"NaN\" is not a finite number"),
            ("x,y\n1,2\n1e50,2\n", "\"1e50\" is not a finite number that fits 32 bits"),
            ("x,y\n1,2\n1,inf\n", "t.csv, line 3, column \"y\": \"inf\" is not a finite number"),
            ("x,y\n1,a\n1,nan\n", "t.csv, line 3, column \"y\": \"nan\" is not a finite number"),
            ("x,y\n1,2\n1,two\n", "t.csv, line 3, column \"y\": the label \"two\" is not a number, but others are"),
            ("x,y\n1,2\n3,2.0\n", "t.csv, column \"y\": every sample has the class \"2\""),
            ("x,y\n1,2\n3,4\n", "t.csv: there are only 2 samples; at least 20"),
        ] {
            let found = refusal(text, &y);
            assert!(found.contains(message), "{text:?}: {found}");
        }
        let many: String = (0..1001).map(|i| format!("1,{i}\n")).collect();
        assert!(refusal(&format!("x,y\n{many}"), &y).contains("1001 different values, and at most 1000"));
        let text = table("x,y,z", &["1,a,0", "2,b,0"]);
        let order = |names: &[&str]| Columns { order: Some(names.iter().map(|&n| n.into()).collect()), ..label("y") };
        assert!(refusal(&text, &order(&["a"])).contains("line 3, column \"y\": the class \"b\" is not among"));
        assert!(refusal(&text, &order(&["a", "b", "c"])).contains("no sample has the class \"c\""));
        assert!(refusal(&text, &order(&["a", "b", "a"])).contains("\"a\" stands twice"));
        let ignore = |names: &[&str]| Columns { ignore: names.iter().map(|&n| n.into()).collect(), ..label("y") };
        assert!(refusal(&text, &ignore(&["y"])).contains("cannot be ignored"));
        assert!(refusal(&text, &ignore(&["x", "z"])).contains("no column of numbers is left"));
        assert!(refusal(&text, &ignore(&["w"])).contains("no column \"w\""));
    }

    #[test]
    fn repeated_samples_are_counted() {
        let labels = [0, 1, 0, 0].map(|y| Label::new(y, 2).unwrap());
        assert_eq!(repeated(&[1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 3.0, 2.0], 2, &labels), 1);
    }
}
