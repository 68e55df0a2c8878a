//! Samples, how they are split, and how their features are scaled.

pub mod images;
pub mod read;
mod standardise;
pub mod table;

pub use standardise::Standardiser;

use crate::Error;
use sha2::{Digest, Sha256};
use simloss_core::{Label, Random};
use table::Column;

/// Samples with their classes, checked: rows of equal width, all numbers finite, labels within the classes.
///
/// ```
/// use simloss_core::Label;
/// use simloss_train::data::Dataset;
/// let labels = [0, 1, 1].map(|y| Label::new(y, 2)).into_iter().collect::<Result<Vec<_>, _>>()?;
/// let names = vec!["dry".to_owned(), "wet".to_owned()];
/// let data = Dataset::new("rain", vec![0.5, 1.0, 2.5], 1, labels, names, vec![0.0, 1.0])?;
/// assert_eq!((data.samples(), data.width(), data.classes()), (3, 1, 2));
/// assert_eq!(data.fingerprint().len(), 64);
/// # Ok::<(), simloss_train::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    name: String,
    features: Vec<f32>,
    width: usize,
    labels: Vec<Label>,
    class_names: Vec<String>,
    class_values: Vec<f64>,
    fingerprint: String,
    feature_names: Vec<String>,
    columns: Vec<Column>,
    ordered: bool,
}

impl Dataset {
    /// `features` are row-major, one row of `width` numbers a sample; `class_values` are what classes stand for (ages).
    ///
    /// # Errors
    /// [`Error::Feature`] for NaN and infinity; [`Error::Data`] for no samples or no features, lengths that do not fit each
    /// other, or class values that are not finite; [`Error::Core`] for labels of another number of classes.
    pub fn new(
        name: impl Into<String>,
        features: Vec<f32>,
        width: usize,
        labels: Vec<Label>,
        class_names: Vec<String>,
        class_values: Vec<f64>,
    ) -> Result<Self, Error> {
        let name = name.into();
        if let Some(at) = features.iter().position(|x| x.is_nan()) {
            let (row, column, value) = (at / width.max(1) + 1, at % width.max(1) + 1, f32::NAN);
            return Err(Error::Feature { data: name, row, column, value });
        }
        Self::with_missing(name, features, width, labels, class_names, class_values)
    }

    /// The same with NaN for values that are missing: a [`Standardiser`] fills them in.
    ///
    /// # Errors
    /// As [`new`](Self::new), but for NaN.
    pub fn with_missing(
        name: impl Into<String>,
        features: Vec<f32>,
        width: usize,
        labels: Vec<Label>,
        class_names: Vec<String>,
        class_values: Vec<f64>,
    ) -> Result<Self, Error> {
        let name = name.into();
        let wrong = |problem: String| Err(Error::Data { data: name.clone(), problem });
        let classes = class_names.len();
        if labels.is_empty() || width == 0 {
            return wrong("there must be at least one sample and one feature".to_owned());
        }
        if features.len() != labels.len() * width {
            let (found, samples) = (features.len(), labels.len());
            return wrong(format!("{samples} samples of {width} features are not {found} numbers"));
        }
        if u32::try_from(labels.len()).is_err() {
            return wrong(format!("{} samples are more than can be counted in 32 bits", labels.len()));
        }
        if class_values.len() != classes {
            return wrong(format!("there are {} class values for {classes} class names", class_values.len()));
        }
        if let Some(class) = class_values.iter().position(|value| !(*value as f32).is_finite()) {
            return wrong(format!("the value of class {} is not a finite number", class_names[class]));
        }
        for label in &labels {
            label.of(classes)?;
        }
        if let Some(at) = features.iter().position(|x| x.is_infinite()) {
            let (row, column, value) = (at / width + 1, at % width + 1, features[at]);
            return Err(Error::Feature { data: name, row, column, value });
        }
        let fingerprint = fingerprint(&features, width, &labels, &class_names, &class_values);
        let (feature_names, columns, ordered) = (vec![], vec![], false);
        Ok(Dataset {
            name,
            features,
            width,
            labels,
            class_names,
            class_values,
            fingerprint,
            feature_names,
            columns,
            ordered,
        })
    }

    /// The same with what its model is to remember beside: the name of each feature, and whether the classes are in an
    /// order. Neither changes the fingerprint, or what is computed.
    ///
    /// # Errors
    /// [`Error::Data`] for another number of names than features.
    pub fn described(self, feature_names: Vec<String>, ordered: bool) -> Result<Self, Error> {
        if feature_names.len() != self.width {
            let problem = format!("there are {} names for {} features", feature_names.len(), self.width);
            return Err(Error::Data { data: self.name, problem });
        }
        Ok(Dataset { feature_names, ordered, ..self })
    }

    /// The same with the columns that its features are made of, where they are not all numbers; its model keeps them.
    pub fn of_columns(self, columns: Vec<Column>) -> Self {
        Dataset { columns, ..self }
    }

    /// Where it comes from, for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All features, row by row.
    pub fn features(&self) -> &[f32] {
        &self.features
    }

    /// Features per sample.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The class of each sample.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// The number of samples.
    pub fn samples(&self) -> usize {
        self.labels.len()
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.class_names.len()
    }

    /// The name of each class.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// What each class stands for: an age, a grade.
    pub fn class_values(&self) -> &[f64] {
        &self.class_values
    }

    /// The name of each feature; none where they have none.
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    /// The columns that its features are made of; none where all are numbers.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Whether the classes are known to be in an order, so that distances between them mean something.
    pub fn is_ordered(&self) -> bool {
        self.ordered
    }

    /// SHA-256 over the decoded contents (the bits of the features, labels, names, values), in hexadecimal digits.
    ///
    /// Equal data have equal fingerprints, whatever file they were read from.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

fn fingerprint(features: &[f32], width: usize, labels: &[Label], names: &[String], values: &[f64]) -> String {
    let mut hash = Sha256::new();
    // Lengths first: no two contents give the same bytes.
    for n in [width, labels.len(), names.len()] {
        hash.update((n as u64).to_le_bytes());
    }
    for x in features {
        hash.update(x.to_bits().to_le_bytes());
    }
    for y in labels {
        hash.update((y.index() as u16).to_le_bytes());
    }
    for (name, value) in names.iter().zip(values) {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name.as_bytes());
        hash.update(value.to_bits().to_le_bytes());
    }
    hex(&hash.finalize())
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Which samples train, choose the epoch, and judge: indices in ascending order, no sample twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// To train with.
    pub train: Vec<u32>,
    /// To choose the best epoch with.
    pub validation: Vec<u32>,
    /// To judge the result with, once.
    pub test: Vec<u32>,
}

/// The shares of train, validation and test.
pub const SHARES: [u32; 3] = [60, 20, 20];

/// First keys of the random streams of a seed, so that no two purposes draw the same numbers.
pub(crate) mod stream {
    pub(crate) const SPLIT: u64 = 1;
    pub(crate) const INITIALISE: u64 = 2;
    pub(crate) const SHUFFLE: u64 = 3;
}

impl Split {
    /// Splits every class by [`SHARES`], so that all parts have its proportions.
    ///
    /// Validation and test get their shares rounded, but at least one sample of every class with three or more; of two
    /// samples one trains and one tests; a single one trains.
    ///
    /// # Errors
    /// [`Error::Data`] if nothing is left for one of the parts, or all samples are of one class.
    ///
    /// ```
    /// use simloss_core::Label;
    /// use simloss_train::data::{Dataset, Split};
    /// let labels = (0..100).map(|i| Label::new(i % 2, 2)).collect::<Result<Vec<_>, _>>()?;
    /// let names = vec!["even".to_owned(), "odd".to_owned()];
    /// let data = Dataset::new("numbers", vec![1.0; 100], 1, labels, names, vec![0.0, 1.0])?;
    /// let split = Split::stratified(&data, 1)?;
    /// assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (60, 20, 20));
    /// assert_eq!(split, Split::stratified(&data, 1)?);
    /// assert_ne!(split, Split::stratified(&data, 2)?);
    /// # Ok::<(), simloss_train::Error>(())
    /// ```
    pub fn stratified(data: &Dataset, seed: u64) -> Result<Self, Error> {
        let first = data.labels()[0];
        if data.labels().iter().all(|label| *label == first) {
            let only = &data.class_names()[first.index()];
            let problem = format!("all samples are of class {only}; training needs at least two classes");
            return Err(Error::Data { data: data.name().to_owned(), problem });
        }
        let mut split = Split { train: vec![], validation: vec![], test: vec![] };
        let mut classes = vec![vec![]; data.classes()];
        for (i, y) in (0u32..).zip(data.labels()) {
            classes[y.index()].push(i);
        }
        for (class, mut samples) in (0u64..).zip(classes) {
            Random::new(seed).key(stream::SPLIT).key(class).shuffle(&mut samples);
            let n = samples.len();
            let share = |of: u32| ((2 * n * of as usize + 100) / 200).max(1);
            let (validation, test) = match n {
                0 | 1 => (0, 0),
                2 => (0, 1),
                _ => (share(SHARES[1]), share(SHARES[2])),
            };
            let train = samples.split_off(validation + test);
            split.train.extend(train);
            split.test.extend(samples.split_off(validation));
            split.validation.extend(samples);
        }
        for (part, name) in
            [(&mut split.train, "training"), (&mut split.validation, "validation"), (&mut split.test, "the test")]
        {
            part.sort_unstable();
            if part.is_empty() {
                let problem = format!("no sample is left for {name}; at least one class needs three or more");
                return Err(Error::Data { data: data.name().to_owned(), problem });
            }
        }
        Ok(split)
    }

    /// SHA-256 over the indices.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for part in [&self.train, &self.validation, &self.test] {
            hash.update((part.len() as u64).to_le_bytes());
            for i in part {
                hash.update(i.to_le_bytes());
            }
        }
        hex(&hash.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(classes: &[usize], of: usize) -> Result<Vec<Label>, Error> {
        Ok(classes.iter().map(|&y| Label::new(y, of)).collect::<Result<_, _>>()?)
    }

    fn small() -> Result<Dataset, Error> {
        dataset(vec![1.0, 2.0, 3.0, 4.0, -0.0, 6.0], &[0, 1, 1], &["a", "b"], &[0.0, 1.0])
    }

    fn dataset(features: Vec<f32>, y: &[usize], names: &[&str], values: &[f64]) -> Result<Dataset, Error> {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        Dataset::new("small", features, 2, labels(y, names.len())?, names, values.to_vec())
    }

    #[test]
    fn fingerprints_see_every_number() -> Result<(), Error> {
        let same = small()?;
        assert_eq!(small()?.fingerprint(), same.fingerprint());
        let others = [
            dataset(vec![1.0, 2.0, 3.0, 4.0, 0.0, 6.0], &[0, 1, 1], &["a", "b"], &[0.0, 1.0])?,
            dataset(vec![1.0, 2.0, 3.0, 4.0, -0.0, 6.0], &[0, 0, 1], &["a", "b"], &[0.0, 1.0])?,
            dataset(vec![1.0, 2.0, 3.0, 4.0, -0.0, 6.0], &[0, 1, 1], &["a", "c"], &[0.0, 1.0])?,
            dataset(vec![1.0, 2.0, 3.0, 4.0, -0.0, 6.0], &[0, 1, 1], &["a", "b"], &[0.0, 1.5])?,
        ];
        for (i, other) in others.iter().enumerate() {
            assert_ne!(other.fingerprint(), same.fingerprint(), "{i}");
        }
        Ok(())
    }

    #[test]
    fn what_no_network_can_learn_is_refused() -> Result<(), Error> {
        let six = || vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let poisoned = |x: f32| vec![1.0, 2.0, 3.0, x, 5.0, 6.0];
        for (result, message) in [
            (dataset(vec![], &[], &["a", "b"], &[0.0, 1.0]), "at least one sample"),
            (dataset(vec![1.0; 5], &[0, 1, 1], &["a", "b"], &[0.0, 1.0]), "3 samples of 2 features are not 5 numbers"),
            (dataset(six(), &[0, 1, 1], &["a", "b"], &[0.0]), "1 class values for 2 class names"),
            (dataset(six(), &[0, 1, 1], &["a", "b"], &[0.0, f64::NAN]), "value of class b"),
            (dataset(six(), &[0, 1, 1], &["a", "b"], &[1e300, 0.0]), "value of class a"),
            (dataset(poisoned(f32::NAN), &[0, 1, 1], &["a", "b"], &[0.0, 1.0]), "feature 2 of sample 2 is NaN"),
            (dataset(poisoned(f32::INFINITY), &[0, 1, 1], &["a", "b"], &[0.0, 1.0]), "feature 2 of sample 2 is inf"),
        ] {
            let error = result.err().map(|e| e.to_string()).unwrap_or_default();
            assert!(error.contains("small: ") && error.contains(message), "{error}");
        }
        // One class can be judged, but not trained with.
        let one = dataset(six(), &[1, 1, 1], &["a", "b"], &[0.0, 1.0])?;
        let error = Split::stratified(&one, 1).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains("small: all samples are of class b"), "{error}");
        assert!(one.described(vec!["x".to_owned()], false).is_err_and(|e| e.to_string().contains("1 names for 2")));
        let names = vec!["a".to_owned(), "b".to_owned()];
        let other = Dataset::new("small", six(), 2, labels(&[0, 1, 1], 3)?, names, vec![0.0, 1.0]);
        assert!(matches!(other, Err(Error::Core(_))));
        Ok(())
    }

    #[test]
    fn tiny_classes_are_in_every_part() -> Result<(), Error> {
        // 1, 2, 3, 4, 8 and 101 samples.
        let counts = [1, 2, 3, 4, 8, 101];
        let y: Vec<usize> = counts.iter().enumerate().flat_map(|(y, &n)| vec![y; n]).collect();
        let names = ["a", "b", "c", "d", "e", "f"];
        let data = dataset(vec![1.0; 2 * y.len()], &y, &names, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0])?;
        let split = Split::stratified(&data, 9)?;
        let of = |part: &[u32]| {
            counts
                .iter()
                .enumerate()
                .map(|(y, _)| part.iter().filter(|&&i| data.labels()[i as usize].index() == y).count())
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&split.validation), [0, 0, 1, 1, 2, 20]);
        assert_eq!(of(&split.test), [0, 1, 1, 1, 2, 20]);
        assert_eq!(of(&split.train), [1, 1, 1, 2, 4, 61]);

        let mut all = [&split.train[..], &split.validation, &split.test].concat();
        assert!([&split.train, &split.validation, &split.test].iter().all(|part| part.is_sorted()));
        all.sort_unstable();
        assert!(all.iter().copied().eq(0..119));
        assert_ne!(split.fingerprint(), Split::stratified(&data, 10)?.fingerprint());

        let few = dataset(vec![1.0; 8], &[0, 0, 1, 1], &["a", "b"], &[0.0, 1.0])?;
        let error = Split::stratified(&few, 1).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains("no sample is left for validation"), "{error}");
        Ok(())
    }
}
