//! A table: samples in rows of numbers, and how its columns became them.

use super::Dataset;
use serde::{Deserialize, Serialize};
use simloss_core::Label;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A data set with what only its source knows.
#[derive(Clone, Debug)]
pub struct Table {
    /// Features and classes, the names of the features, and whether the classes are in an order.
    pub data: Dataset,
    /// Samples equal to an earlier one in all features and in the class: some are in the training and in the test set.
    pub repeated: usize,
    /// What was left out, converted or is missing, and should be said.
    pub notes: Vec<String>,
}

/// A column of a file that features are made of. A model keeps those that it was trained with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What its fields are.
    pub fields: Fields,
}

/// What the fields of a column are, and which features come of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fields {
    /// Numbers: one feature.
    Number,
    /// Two words, such as no and yes, in any case: one feature, 0 and 1.
    YesNo([String; 2]),
    /// Categories: for each a feature that is 1 for it and 0 for others.
    Categories(Vec<String>),
}

impl Column {
    /// A column of numbers.
    pub fn number(name: impl Into<String>) -> Self {
        Column { name: name.into(), fields: Fields::Number }
    }

    /// The names of its features.
    ///
    /// ```
    /// use simloss_train::data::table::{Column, Fields};
    /// let fields = Fields::Categories(vec!["red".to_owned(), "blue".to_owned()]);
    /// let color = Column { name: "color".to_owned(), fields };
    /// assert_eq!(color.features(), ["color=red", "color=blue"]);
    /// ```
    pub fn features(&self) -> Vec<String> {
        match &self.fields {
            Fields::Number | Fields::YesNo(_) => vec![self.name.clone()],
            Fields::Categories(names) => names.iter().map(|name| format!("{}={name}", self.name)).collect(),
        }
    }
}

/// What a model knows of the tables it judges.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Names of its features.
    pub features: &'a [String],
    /// The columns that they are made of; none where all are numbers.
    pub columns: &'a [Column],
    /// Whether it fills missing values in.
    pub fills: bool,
    /// Names of its classes.
    pub class_names: &'a [String],
    /// What they stand for.
    pub class_values: &'a [f64],
    /// Whether they are in an order.
    pub ordered: bool,
}

/// Samples equal to an earlier one.
pub(crate) fn repeated(features: &[f32], width: usize, labels: &[Label]) -> usize {
    let row = |at: u32| features.get(at as usize * width..(at as usize + 1) * width).unwrap_or_default();
    let same = |a: u32, b: u32| {
        let bits = row(a).iter().zip(row(b)).all(|(x, y)| x.to_bits() == y.to_bits());
        bits && labels.get(a as usize) == labels.get(b as usize)
    };
    // A hash for each row in place of the row: a fifth of the memory of the features at most.
    let mut hashes: Vec<(u64, u32)> = (0u32..)
        .zip(labels)
        .map(|(at, label)| {
            let mut hasher = DefaultHasher::new();
            row(at).iter().for_each(|x| x.to_bits().hash(&mut hasher));
            label.hash(&mut hasher);
            (hasher.finish(), at)
        })
        .collect();
    hashes.sort_unstable();
    let mut count = 0;
    for group in hashes.chunk_by(|a, b| a.0 == b.0) {
        for (i, &(_, at)) in group.iter().enumerate() {
            count += usize::from(group[..i].iter().any(|&(_, other)| same(at, other)));
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_samples_are_counted() {
        let labels = [0, 1, 0, 0].map(|y| Label::new(y, 2).unwrap());
        assert_eq!(repeated(&[1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 3.0, 2.0], 2, &labels), 1);
    }
}
