//! Labels as classes: numbers in their order, names in the order given or in none, or the classes of a network.

use super::{
    gather::{NO_LABEL, Texts},
    numbers::{is_decimal_comma, is_grouped, readings},
    rows::Rows,
};
use crate::{
    data::table::Known,
    error::{
        place::{BadNumber, InFile, list},
        table::{MOST_CLASSES, Problem},
    },
    input::{class_number, key, numbers_in_order},
};
use simloss_core::Label;
use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
};

type Checked<T> = Result<T, InFile<Problem>>;

/// The classes found in the label column.
#[derive(Debug)]
pub(super) struct Classes {
    pub(super) labels: Vec<Label>,
    pub(super) names: Vec<String>,
    pub(super) values: Vec<f64>,
    pub(super) ordered: bool,
    pub(super) notes: Vec<String>,
}

/// Labels, and where they stand.
#[derive(Clone, Copy)]
pub(super) struct Labels<'a> {
    pub(super) path: &'a Path,
    pub(super) rows: &'a Rows<'a>,
    pub(super) column: &'a str,
    pub(super) texts: &'a Texts,
    pub(super) ids: &'a [u32],
    /// Whether commas are known to stand before decimals.
    pub(super) commas: bool,
}

impl Labels<'_> {
    /// A problem of a text, where it stands first.
    fn at(&self, text: usize, problem: Problem) -> InFile<Problem> {
        let line = self.texts.first.get(text).map_or(1, |&place| self.rows.line(place));
        InFile::file(self.path, problem).line(line).column(self.column)
    }

    /// The number that a text is, its decimals behind a comma where that separates nothing.
    fn number(&self, text: &str) -> Option<f64> {
        class_number(text).or_else(|| {
            let sure = || self.commas || self.texts.names.iter().any(|text| is_decimal_comma(text));
            let comma = self.rows.commas && text.matches(',').count() == 1 && !text.contains('.');
            class_number(&text.replacen(',', ".", 1)).filter(|_| comma && (!is_grouped(text) || sure()))
        })
    }

    /// Labels as classes of a model. Numbers are the same class however they are written: 3 and 3.0.
    pub(super) fn of_model(&self, model: Known<'_>) -> Checked<Classes> {
        let names = model.class_names;
        let all = || names.iter().zip(0..);
        let index: HashMap<String, usize> =
            all().map(|(name, i)| (key(name), i)).chain(all().map(|(name, i)| (name.clone(), i))).collect();
        let mut places = vec![];
        for (i, text) in self.texts.names.iter().enumerate() {
            let number = || self.number(text).and_then(|x| index.get(&x.to_string()));
            let place = index.get(text).or_else(|| index.get(&key(text))).or_else(number);
            let Some(&place) = place else {
                return Err(self.at(i, Problem::NotOfNetwork { text: text.clone(), classes: list(names) }));
            };
            places.push(place);
        }
        let (values, ordered) = (model.class_values.to_vec(), model.ordered);
        self.finish(&places, names.to_vec(), values, ordered, vec![])
    }

    /// Labels as classes of their own.
    pub(super) fn classes(&self, order: Option<&[String]>) -> Checked<Classes> {
        if let Some(order) = order {
            return self.in_order(order);
        }
        let texts = &self.texts.names;
        let numbers: Vec<Option<f64>> = texts.iter().map(|text| self.number(text)).collect();
        let grouped = || texts.iter().zip(&numbers).position(|(text, x)| x.is_none() && is_grouped(text));
        if texts.iter().zip(&numbers).all(|(text, x)| x.is_some() || is_grouped(text))
            && let Some(i) = grouped()
        {
            let text = texts[i].clone();
            return Err(self.at(i, Problem::Grouped { readings: readings(&text), text }));
        }
        if numbers.iter().all(Option::is_none) {
            return self.named();
        }
        if let Some(i) = numbers.iter().position(Option::is_none) {
            let text = texts[i].clone();
            let problem = match text.parse::<f64>() {
                Ok(_) => Problem::Label(BadNumber::NotFinite(text)),
                Err(_) => Problem::MixedLabels(text),
            };
            return Err(self.at(i, problem));
        }
        let numbers: Vec<f64> = numbers.into_iter().flatten().collect();
        let mut values = numbers.clone();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let names = values.iter().map(f64::to_string).collect();
        let places: Vec<usize> =
            numbers.iter().map(|x| values.binary_search_by(|v| v.total_cmp(x)).unwrap_or(0)).collect();
        let notes = gaps(&values).into_iter().collect();
        self.finish(&places, names, values, true, notes)
    }

    fn named(&self) -> Checked<Classes> {
        let sorted: BTreeSet<&String> = self.texts.names.iter().collect();
        let names: Vec<String> = sorted.into_iter().cloned().collect();
        let places: Vec<usize> = self.texts.names.iter().map(|name| names.binary_search(name).unwrap_or(0)).collect();
        let mut notes = vec![];
        if let Some(numbers) = leading_numbers(&names) {
            let numbers: Vec<String> = numbers.iter().map(f64::to_string).collect();
            notes.push(format!(
                "the names of the classes begin with numbers ({}): if they are a scale, give all of its levels with \
                 --order",
                numbers.join(", ")
            ));
        }
        let values = (0..names.len()).map(|i| i as f64).collect();
        self.finish(&places, names, values, false, notes)
    }

    fn in_order(&self, order: &[String]) -> Checked<Classes> {
        let mut index = HashMap::new();
        for (i, name) in order.iter().enumerate() {
            if index.insert(key(name), i).is_some() {
                return Err(InFile::file(self.path, Problem::Twice(name.clone())).column(self.column));
            }
        }
        let mut used = vec![false; order.len()];
        let mut places = vec![];
        for (i, text) in self.texts.names.iter().enumerate() {
            let number = || self.number(text).and_then(|x| index.get(&x.to_string()));
            let Some(&place) = index.get(&key(text)).or_else(number) else {
                return Err(self.at(i, Problem::NotInOrder { text: text.clone(), order: list(order) }));
            };
            used[place] = true;
            places.push(place);
        }
        let unused: Vec<&String> = order.iter().zip(&used).filter(|(_, used)| !**used).map(|(name, _)| name).collect();
        let mut notes = vec![];
        if !unused.is_empty() {
            let listed = list(&unused);
            notes.push(format!("no sample has the class {listed} of --order: it counts in distances all the same"));
        }
        let numbers = numbers_in_order(order);
        notes.extend(numbers.as_deref().or(leading_numbers(order).as_deref()).and_then(gaps));
        let values = numbers.unwrap_or_else(|| (0..order.len()).map(|i| i as f64).collect());
        self.finish(&places, order.to_vec(), values, true, notes)
    }

    /// `places` are the classes of the texts.
    fn finish(
        &self,
        places: &[usize],
        names: Vec<String>,
        values: Vec<f64>,
        ordered: bool,
        notes: Vec<String>,
    ) -> Checked<Classes> {
        if let [only] = names.as_slice() {
            return Err(InFile::file(self.path, Problem::OneClass(only.clone())).column(self.column));
        }
        if names.len() > MOST_CLASSES {
            return Err(InFile::file(self.path, Problem::ManyClasses(names.len())).column(self.column));
        }
        // From 2 to MOST_CLASSES classes, and every text has a place among them.
        let of: Vec<Label> = places.iter().filter_map(|&i| Label::new(i, names.len()).ok()).collect();
        let labels =
            self.ids.iter().filter(|&&id| id != NO_LABEL).filter_map(|&id| of.get(id as usize).copied()).collect();
        Ok(Classes { labels, names, values, ordered, notes })
    }
}

/// The whole number that each name begins with, if each begins with another one and has more behind it.
fn leading_numbers(names: &[String]) -> Option<Vec<f64>> {
    let number = |name: &String| {
        let end = name.find(|c: char| !c.is_ascii_digit())?;
        name[..end].parse::<f64>().ok()
    };
    let mut numbers = names.iter().map(number).collect::<Option<Vec<f64>>>()?;
    numbers.sort_by(f64::total_cmp);
    numbers.windows(2).all(|pair| pair[0] < pair[1]).then_some(numbers)
}

/// What to say of whole numbers that are not equally far apart; `values` rise or fall.
fn gaps(values: &[f64]) -> Option<String> {
    if !values.iter().all(|x| x.fract() == 0.0) {
        return None;
    }
    let steps = || values.windows(2).map(|pair| (pair[1] - pair[0]).abs());
    let least = steps().fold(f64::INFINITY, f64::min);
    let pair = values.windows(2).find(|pair| (pair[1] - pair[0]).abs() > least)?;
    Some(format!(
        "the classes are not equally far apart (nothing is between {} and {}), but distances count steps from class to \
         class: name levels that no sample has with --order",
        pair[0], pair[1]
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_seen() {
        for (values, expected) in [
            (&[1.0, 2.0, 3.0][..], None),
            (&[10.0, 20.0, 30.0], None),
            (&[1.0, 2.0, 4.0], Some("between 2 and 4")),
            (&[5.0, 3.0, 2.0], Some("between 5 and 3")),
            (&[0.5, 1.5, 9.0], None),
        ] {
            match (gaps(values), expected) {
                (None, None) => {}
                (Some(found), Some(expected)) => assert!(found.contains(expected), "{found}"),
                (found, _) => panic!("{values:?}: {found:?}"),
            }
        }
        let names = ["1 - never", "2 - often", "4 - always"].map(str::to_owned);
        assert_eq!(leading_numbers(&names), Some(vec![1.0, 2.0, 4.0]));
        assert_eq!(leading_numbers(&["1", "2"].map(str::to_owned)), None);
    }
}
