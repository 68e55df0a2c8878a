//! Samples of any kind, as training and evaluation take them.
//!
//! | samples | features of a batch |
//! |---|---|
//! | [`ImageSet`] | [`Images`]: bytes divided by 255 |
//! | [`Scaled`] | [`Rows`] of a table, standardised as for its network |
//!
//! # Where to add a loader
//! What can be held as one of the two needs a reader alone (a file in `images`, or one beside `table`). Another kind of
//! sample implements [`Samples`], and gives [`AnyFeatures`] a variant.

use crate::{
    Error,
    compute::engine::Rows,
    data::{
        Dataset, Standardiser,
        images::{Augmentation, ImageSet, Images},
        table::Column,
    },
};
use simloss_core::{Label, number::Value, train::Features};

/// Samples with their classes, and all that is known about these.
pub trait Samples {
    /// The samples `chosen`, as a batch.
    ///
    /// # Errors
    /// [`Error::Core`] for a sample that is not there.
    fn batch<'a>(&'a self, chosen: &'a [u32]) -> Result<AnyFeatures<'a>, Error>;

    /// The same, augmented where they are of a kind that can be.
    ///
    /// # Errors
    /// As [`batch`](Self::batch).
    fn augmented<'a>(&'a self, chosen: &'a [u32], augmentation: Augmentation) -> Result<AnyFeatures<'a>, Error> {
        let _ = augmentation;
        self.batch(chosen)
    }

    /// Where they come from, for people.
    fn name(&self) -> &str;

    /// What they are, for people: images, or samples of a table.
    fn what(&self) -> &'static str;

    /// Numbers per sample.
    fn inputs(&self) -> usize;

    /// The class of each sample.
    fn labels(&self) -> &[Label];

    /// The name of each class.
    fn class_names(&self) -> &[String];

    /// What each class stands for.
    fn class_values(&self) -> &[f64];

    /// The superclass of each class, where the data say so.
    fn superclasses(&self) -> Option<Vec<u16>> {
        None
    }

    /// The name of each number of a sample, where they have names.
    fn feature_names(&self) -> &[String] {
        &[]
    }

    /// The columns that these are made of; none where all are numbers.
    fn columns(&self) -> &[Column] {
        &[]
    }

    /// Whether the data say that their classes are in an order.
    fn is_ordered(&self) -> bool {
        false
    }

    /// Where one sample comes from.
    fn path(&self, sample: u32) -> String;
}

/// A batch of any samples.
#[derive(Clone, Copy, Debug)]
pub enum AnyFeatures<'a> {
    /// Of images.
    Images(Images<'a>),
    /// Of a table.
    Rows(Rows<'a>),
}

impl Features<f32> for AnyFeatures<'_> {
    fn samples(&self) -> usize {
        match self {
            AnyFeatures::Images(images) => images.samples(),
            AnyFeatures::Rows(rows) => rows.samples(),
        }
    }

    fn width(&self) -> usize {
        match self {
            AnyFeatures::Images(images) => images.width(),
            AnyFeatures::Rows(rows) => rows.width(),
        }
    }

    #[inline(always)]
    fn lanes<'x, V: Value<Scalar = f32>>(
        &'x self,
        t: V::Token,
        first: usize,
        present: usize,
        buffer: &'x mut [V],
    ) -> &'x [V] {
        match self {
            AnyFeatures::Images(images) => images.lanes(t, first, present, buffer),
            AnyFeatures::Rows(rows) => rows.lanes(t, first, present, buffer),
        }
    }
}

impl Samples for ImageSet {
    fn batch<'a>(&'a self, chosen: &'a [u32]) -> Result<AnyFeatures<'a>, Error> {
        Ok(AnyFeatures::Images(Images::new(self, chosen, None)?))
    }

    fn augmented<'a>(&'a self, chosen: &'a [u32], augmentation: Augmentation) -> Result<AnyFeatures<'a>, Error> {
        Ok(AnyFeatures::Images(Images::new(self, chosen, Some(augmentation))?))
    }

    fn name(&self) -> &str {
        self.name()
    }

    fn what(&self) -> &'static str {
        "images"
    }

    fn inputs(&self) -> usize {
        self.inputs()
    }

    fn labels(&self) -> &[Label] {
        self.labels()
    }

    fn class_names(&self) -> &[String] {
        self.class_names()
    }

    fn class_values(&self) -> &[f64] {
        self.class_values()
    }

    fn superclasses(&self) -> Option<Vec<u16>> {
        self.tree().map(|tree| tree.superclasses(self.classes()))
    }

    fn path(&self, sample: u32) -> String {
        self.paths().get(sample as usize).cloned().unwrap_or_default()
    }
}

/// A table, its features scaled.
#[derive(Clone, Debug)]
pub struct Scaled<'a> {
    data: &'a Dataset,
    table: Vec<f32>,
}

impl<'a> Scaled<'a> {
    /// Scaled by `standardiser`, or as they are.
    pub fn new(data: &'a Dataset, standardiser: Option<&Standardiser>) -> Self {
        let table = standardiser.map_or_else(|| data.features().to_vec(), |scale| scale.apply(data.features()));
        Scaled { data, table }
    }
}

impl Samples for Scaled<'_> {
    fn batch<'a>(&'a self, chosen: &'a [u32]) -> Result<AnyFeatures<'a>, Error> {
        Ok(AnyFeatures::Rows(Rows::new(&self.table, self.data.width(), chosen)?))
    }

    fn name(&self) -> &str {
        self.data.name()
    }

    fn what(&self) -> &'static str {
        "samples"
    }

    fn inputs(&self) -> usize {
        self.data.width()
    }

    fn labels(&self) -> &[Label] {
        self.data.labels()
    }

    fn class_names(&self) -> &[String] {
        self.data.class_names()
    }

    fn class_values(&self) -> &[f64] {
        self.data.class_values()
    }

    fn feature_names(&self) -> &[String] {
        self.data.feature_names()
    }

    fn columns(&self) -> &[Column] {
        self.data.columns()
    }

    fn is_ordered(&self) -> bool {
        self.data.is_ordered()
    }

    fn path(&self, sample: u32) -> String {
        format!("{}#{}", self.data.name(), u64::from(sample) + 1)
    }
}
