//! Similarities for which SimLoss has a proper scoring rule, [`ProperSimLoss`](simloss_core::loss::ProperSimLoss).
//!
//! | similarity | proper | cost of the loss |
//! |---|---|---|
//! | class order, any `r` | by theorem | classes |
//! | superclasses, any `r` | by theorem | classes and superclasses |
//! | circular order, a matrix, word vectors | where the check of [`Verified`] proves it | classes^2 |
//!
//! The check takes about classes^4 / 6 operations: 5 ms for 100 classes, a minute for 1,000. So a similarity is made
//! once for all runs of a comparison.

use super::{AnySimilarity, Candidate, Source, describe::Description, superclasses};
use crate::Error;
use simloss_core::{
    Error as CoreError, Label,
    number::Value,
    similarity::{
        CircularTable, DenseTable, Identity, OrderTable, Products, ProperSimilarity, Similarity, Taxonomy, Verified,
        verification_scratch,
    },
};

/// With more classes the check takes longer than anybody waits for without having asked.
pub const MOST_CHECKED: usize = 1000;

/// A similarity for which SimLoss has a proper scoring rule, and that is known.
#[derive(Clone, Debug, PartialEq)]
pub enum AnyProper {
    /// The identity.
    None(Identity),
    /// A class order.
    Order(OrderTable<f32, Vec<f32>>),
    /// Any other. Apart from the order, because a loss knows by the type how a similarity computes its products
    /// ([`Similarity::LEADS`]).
    Checked(Checked),
}

/// Superclasses, or a similarity that was checked.
#[derive(Clone, Debug, PartialEq)]
pub enum Checked {
    /// Superclasses.
    Superclass(Taxonomy<f32, Vec<u16>, [f32; 3]>),
    /// A circular order.
    Circular(Verified<CircularTable<f32, Vec<f32>>>),
    /// A matrix.
    Dense(Verified<DenseTable<f32, Vec<f32>>>),
}

impl AnyProper {
    /// That of a candidate that was built from `source`.
    ///
    /// # Errors
    /// [`Error::Core`] with what the core says of a similarity that is not proper, or of which the check cannot tell.
    ///
    /// ```
    /// use simloss_train::similarity::{Kind, Request, Source, proper::AnyProper};
    /// let request = Request { reduction_factors: vec![0.5], ..Request::new(Kind::Order) };
    /// let candidates = request.candidates(&Source::Order, 6)?;
    /// assert!(matches!(AnyProper::of(&Source::Order, &candidates[0])?, AnyProper::Order(_)));
    /// # Ok::<(), simloss_train::Error>(())
    /// ```
    pub fn of(source: &Source, candidate: &Candidate) -> Result<Self, Error> {
        let scratch = |classes: usize| vec![0.0f64; verification_scratch(classes)];
        Ok(match (source, &candidate.similarity) {
            (Source::Superclass(of), _) => {
                let r = candidate.description.reduction_factor.unwrap_or(0.0) as f32;
                AnyProper::Checked(Checked::Superclass(superclasses::taxonomy(of, r)?))
            }
            (_, AnySimilarity::None(s)) => AnyProper::None(*s),
            (_, AnySimilarity::Order(s)) => AnyProper::Order(s.clone()),
            (_, AnySimilarity::Circular(s)) => {
                let verified = Verified::new(s.clone(), &mut scratch(s.classes()))?;
                AnyProper::Checked(Checked::Circular(verified))
            }
            (_, AnySimilarity::Dense(s)) => {
                let verified = Verified::new(s.clone(), &mut scratch(s.classes()))?;
                AnyProper::Checked(Checked::Dense(verified))
            }
        })
    }

    /// Whether finding out takes the check, and not a theorem.
    pub fn is_checked(source: &Source) -> bool {
        matches!(source, Source::Circular | Source::Matrix(_))
    }
}

impl AnyProper {
    /// What its matrix says.
    ///
    /// # Errors
    /// As [`Description::of`].
    pub fn describe(&self) -> Result<Description, Error> {
        match self {
            AnyProper::None(s) => Description::of(s),
            AnyProper::Order(s) => Description::of(s),
            AnyProper::Checked(s) => Description::of(s),
        }
    }

    /// Whether the true probabilities alone have the least expected loss, for the numbers as they are stored.
    pub fn is_strict(&self) -> bool {
        match self {
            AnyProper::None(s) => ProperSimilarity::<f32>::is_strictly_proper(s),
            AnyProper::Order(s) => s.is_strictly_proper(),
            AnyProper::Checked(s) => s.is_strictly_proper(),
        }
    }
}

macro_rules! each {
    ($self:ident, $s:ident => $result:expr) => {
        match $self {
            Checked::Superclass($s) => $result,
            Checked::Circular($s) => $result,
            Checked::Dense($s) => $result,
        }
    };
}

impl Similarity<f32> for Checked {
    fn classes(&self) -> usize {
        each!(self, s => Similarity::<f32>::classes(s))
    }

    fn scratch(&self) -> usize {
        each!(self, s => Similarity::<f32>::scratch(s))
    }

    #[inline]
    fn row<'a>(&'a self, y: Label, scratch: &'a mut [f32]) -> &'a [f32] {
        each!(self, s => s.row(y, scratch))
    }

    fn stored(&self, y: Label, c: Label) -> f32 {
        each!(self, s => s.stored(y, c))
    }

    fn product_values(&self) -> usize {
        each!(self, s => Similarity::<f32>::product_values(s))
    }

    #[inline(always)]
    fn products<V: Value<Scalar = f32>>(&self, token: V::Token, x: Products<'_, V>) {
        each!(self, s => s.products(token, x));
    }
}

impl ProperSimilarity<f32> for Checked {
    fn is_strictly_proper(&self) -> bool {
        each!(self, s => s.is_strictly_proper())
    }
}

/// Why a similarity is not proper, with the name of the class that shows it.
pub(crate) fn because(error: &Error, names: &[String]) -> String {
    let name = |class: usize| names.get(class).cloned().unwrap_or_else(|| class.to_string());
    match error {
        Error::Core(CoreError::NotProper { class }) => format!("class {:?} fails", name(*class)),
        Error::Core(CoreError::Undecided { class }) => format!("too close to tell at class {:?}", name(*class)),
        Error::Core(CoreError::Asymmetric { row, column }) => {
            format!("classes {:?} and {:?} have two similarities", name(*row), name(*column))
        }
        Error::Core(CoreError::Inseparable { row, column }) => {
            format!("classes {:?} and {:?} have similarity 1", name(*row), name(*column))
        }
        other => other.to_string(),
    }
}

/// Whether SimLoss of a similarity has a proper scoring rule, and how that is known, in a phrase.
pub(crate) fn verdict(source: &Source, candidate: &Candidate, names: &[String]) -> String {
    if AnyProper::is_checked(source) && names.len() > MOST_CHECKED {
        return format!("not checked, which takes too long for more than {MOST_CHECKED} classes");
    }
    match (AnyProper::of(source, candidate), source) {
        (Err(error), _) => format!("no, by the check: {}", because(&error, names)),
        (Ok(found), _) if !found.is_strict() => match source {
            Source::Order => "yes, but not strictly: the smallest powers of r are 0 in 32 bits".to_owned(),
            _ => "yes, but not strictly: two classes have similarity 1".to_owned(),
        },
        (Ok(_), Source::None) => "yes, strictly: it is cross entropy".to_owned(),
        (Ok(_), Source::Order) => "yes, strictly, as every class order".to_owned(),
        (Ok(_), Source::Superclass(_)) => "yes, strictly, as superclasses always are".to_owned(),
        (Ok(_), Source::Circular | Source::Matrix(_)) => "yes, strictly, by the check of its entries".to_owned(),
    }
}
