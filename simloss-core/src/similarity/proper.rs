//! Placeholder.
use super::{Identity, OrderTable, Similarity};
use crate::number::Scalar;

/// Proper.
pub trait ProperSimilarity<T: Scalar>: Similarity<T> {}
impl<T: Scalar> ProperSimilarity<T> for Identity {}
impl<T: Scalar, B: AsRef<[T]>, const C: usize> ProperSimilarity<T> for OrderTable<T, B, C> {}
impl<T: Scalar, S: ProperSimilarity<T>> ProperSimilarity<T> for &S {}
