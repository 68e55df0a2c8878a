//! What is learned: a table or images, with the network for them.

use crate::{
    Error,
    compute::{network::Kind, samples::Samples},
    data::{Dataset, Split, images::ImageSet, table::Table},
};
use simloss_core::Label;

/// What a run learns from.
///
/// ```
/// use simloss_train::{compute::task::Data, data::read::wine};
/// let wine = wine::table()?;
/// let data = Data::from(&wine.data);
/// assert_eq!((data.class_names().len(), data.width()), (6, 11));
/// # Ok::<(), simloss_train::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Data<'a> {
    /// A table, standardised on its training part, for dense layers of [`Settings::hidden`](crate::run::record::Settings)
    /// units.
    Table(&'a Dataset),
    /// Images, for this network.
    Images(&'a ImageSet, &'a Kind),
}

impl<'a> From<&'a Dataset> for Data<'a> {
    fn from(data: &'a Dataset) -> Self {
        Data::Table(data)
    }
}

impl<'a> Data<'a> {
    /// Where they come from, for people.
    pub fn name(self) -> &'a str {
        match self {
            Data::Table(data) => data.name(),
            Data::Images(set, _) => set.name(),
        }
    }

    /// The class of each sample.
    pub fn labels(self) -> &'a [Label] {
        match self {
            Data::Table(data) => data.labels(),
            Data::Images(set, _) => set.labels(),
        }
    }

    /// The name of each class.
    pub fn class_names(self) -> &'a [String] {
        match self {
            Data::Table(data) => data.class_names(),
            Data::Images(set, _) => set.class_names(),
        }
    }

    /// What each class stands for.
    pub fn class_values(self) -> &'a [f64] {
        match self {
            Data::Table(data) => data.class_values(),
            Data::Images(set, _) => set.class_values(),
        }
    }

    /// Numbers per sample.
    pub fn width(self) -> usize {
        match self {
            Data::Table(data) => data.width(),
            Data::Images(set, _) => set.inputs(),
        }
    }

    /// SHA-256 over the decoded contents.
    pub fn fingerprint(self) -> &'a str {
        match self {
            Data::Table(data) => data.fingerprint(),
            Data::Images(set, _) => set.fingerprint(),
        }
    }

    /// The superclass of each class, where the data say so.
    pub fn superclasses(self) -> Option<Vec<u16>> {
        match self {
            Data::Table(_) => None,
            Data::Images(set, _) => Samples::superclasses(set),
        }
    }

    /// The split of a seed: a table's by class, that of images as [`ImageSet::split`] says.
    ///
    /// # Errors
    /// [`Error::Data`] if a part gets nothing.
    pub fn split(self, seed: u64) -> Result<Split, Error> {
        match self {
            Data::Table(data) => Split::stratified(data, seed),
            Data::Images(set, _) => set.split(seed),
        }
    }
}

/// What losses are compared on.
#[derive(Clone, Debug)]
pub enum Task {
    /// A table.
    Table(Table),
    /// Images.
    Images {
        /// The images.
        set: ImageSet,
        /// What is trained with them.
        network: Kind,
        /// Whether the classes are in an order, so that distances between them mean something.
        ordered: bool,
    },
}

impl Task {
    /// What its runs learn from.
    pub fn data(&self) -> Data<'_> {
        match self {
            Task::Table(table) => Data::Table(&table.data),
            Task::Images { set, network, .. } => Data::Images(set, network),
        }
    }

    /// Whether the classes are in an order, so that distances between them mean something.
    pub fn ordered(&self) -> bool {
        match self {
            Task::Table(table) => table.data.is_ordered(),
            Task::Images { ordered, .. } => *ordered,
        }
    }
}
