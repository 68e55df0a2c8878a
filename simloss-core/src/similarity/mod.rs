//! How classes relate: row `y` of the matrix `S`, for the true class `y`.
//!
//! `S[y, c]` in `[0, 1]` with `S[y, y] = 1` says how much of the probability given to class `c` counts as right when
//! the true class is `y`. The TRUE class is in the row, in memory and in files. Symmetry is not required.
//!
//! # What is stored
//! The loss needs both `S` and `D = 1 - S` to full relative accuracy, and `1 - fl(S)` has lost it when `S` is near 1. So
//! an entry keeps the smaller of the two, correctly rounded, and its sign bit says which: clear, this is `S`; set, this
//! is `-D`. `S = 1` is `-0.0`, `S = 0` is `+0.0`. [`similarity()`] and [`dissimilarity`]
//! read such an entry.
//!
//! # Memory
//! Each similarity is one generic type over its memory (`B: AsRef<[T]>`) and, for a number of classes known to the
//! compiler, an alias over an array: [`ClassOrder<f32, 90>`](ClassOrder) is 720 bytes and a count, and needs no heap. With the heap,
//! the same code runs over a `Vec`: `OrderTable::in_memory(vec![0.0; 2 * classes], classes, r)`.
//!
//! # Where to add one
//! A new file here, a type that can only be valid, and [`Similarity`] for it.

mod dense;
mod identity;
mod order;
mod order_products;
mod products;
mod proper;
mod sparse;
mod taxonomy;
mod taxonomy_products;
mod verified;

use crate::{
    Error, Label,
    number::{Scalar, TwoFloat, Value},
};
pub use dense::{DenseSimilarity, DenseTable};
pub use identity::Identity;
pub use order::{CircularOrder, CircularTable, ClassOrder, OrderTable};
pub use products::Products;
pub use proper::ProperSimilarity;
pub use sparse::SparseSimilarity;
pub use taxonomy::Taxonomy;
pub use verified::{Verified, verification_scratch};

/// Rows of a similarity matrix that is known to be valid.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no similarity of classes over `{T}`",
    note = "simloss_core::similarity has some: SimLoss::new(ClassOrder::<f32, 5>::new(0.8)?)"
)]
pub trait Similarity<T: Scalar> {
    /// The number of classes, where the type fixes it: lets a mismatch with the logits fail to compile.
    const CLASSES: Option<usize> = None;

    /// The number of classes.
    fn classes(&self) -> usize;

    /// How many numbers of scratch a row needs: the number of classes, or 0 where rows are stored.
    fn scratch(&self) -> usize {
        self.classes()
    }

    /// Row of the TRUE class `y`, one [entry](crate::similarity#what-is-stored) per class.
    ///
    /// `scratch` holds at least [`scratch`](Self::scratch) numbers; rows that are stored are returned without being
    /// copied there. The label must have been proven against [`classes`](Self::classes) classes; for any other the
    /// result is some row or a shorter one, never a panic.
    fn row<'a>(&'a self, y: Label, scratch: &'a mut [T]) -> &'a [T];

    /// The [entry](crate::similarity#what-is-stored) of one pair, as it stands in the row of `y`: no scratch.
    ///
    /// Both labels must have been proven against [`classes`](Self::classes) classes; for any other the result is some
    /// entry, never a panic.
    ///
    /// ```
    /// use simloss_core::{Label, similarity::{ClassOrder, Similarity}};
    /// let s = ClassOrder::<f32, 3>::new(0.75)?;
    /// let label = |i| Label::new(i, 3);
    /// assert_eq!(s.stored(label(0)?, label(1)?), -0.25); // S = 0.75, so D = 0.25 is the smaller
    /// # Ok::<(), simloss_core::Error>(())
    /// ```
    fn stored(&self, y: Label, c: Label) -> T;

    /// Whether [`products`](Self::products) computes `lead_c`: then near-duplicate classes keep their digits.
    const LEADS: bool = true;

    /// How many values of scratch the products need.
    fn product_values(&self) -> usize {
        0
    }

    /// The [products](Products) with `S` of one sample per lane, for a symmetric similarity.
    ///
    /// Cost: `C^2` entries by default; similarities with a structure need fewer.
    #[inline(always)]
    fn products<V: Value<Scalar = T>>(&self, token: V::Token, x: Products<'_, V>) {
        products::by_rows(token, self, x);
    }

    /// `S[y, c]`.
    ///
    /// # Errors
    /// [`Error::Length`] if a label was proven against another number of classes, or `scratch` is too short.
    fn get(&self, y: Label, c: Label, scratch: &mut [T]) -> Result<T, Error> {
        let (y, c) = (y.of(self.classes())?, c.of(self.classes())?);
        row_scratch(self, scratch)?;
        Ok(self.row(y, scratch).get(c.index()).map_or(T::ZERO, |&x| similarity(x)))
    }
}

impl<T: Scalar, S: Similarity<T>> Similarity<T> for &S {
    const CLASSES: Option<usize> = S::CLASSES;
    fn classes(&self) -> usize {
        (**self).classes()
    }
    fn scratch(&self) -> usize {
        (**self).scratch()
    }
    fn row<'a>(&'a self, y: Label, scratch: &'a mut [T]) -> &'a [T] {
        (**self).row(y, scratch)
    }
    fn stored(&self, y: Label, c: Label) -> T {
        (**self).stored(y, c)
    }
    const LEADS: bool = S::LEADS;
    fn product_values(&self) -> usize {
        (**self).product_values()
    }
    #[inline(always)]
    fn products<V: Value<Scalar = T>>(&self, token: V::Token, x: Products<'_, V>) {
        (**self).products(token, x);
    }
}

/// The stored entry of `S`, given to about twice the working precision.
#[inline]
pub(crate) fn entry<T: Scalar>(s: TwoFloat<T>) -> T {
    if s.hi < T::MIN_POSITIVE {
        return T::ZERO;
    }
    if s.hi > T::HALF { s.complement().hi.abs().mul(T::ZERO.sub(T::ONE)) } else { s.hi }
}

/// `S` of a stored entry.
#[inline(always)]
pub fn similarity<V: Value<Token = ()>>(x: V) -> V {
    split(V::splat((), V::Scalar::ONE), x).0
}

/// `D = 1 - S` of a stored entry.
#[inline(always)]
pub fn dissimilarity<V: Value<Token = ()>>(x: V) -> V {
    split(V::splat((), V::Scalar::ONE), x).1
}

/// `(S, D)` of stored entries; `one` is 1 in every lane.
#[inline(always)]
pub(crate) fn split<V: Value>(one: V, x: V) -> (V, V) {
    let smaller = x.abs();
    let larger = one.sub(smaller);
    (x.select_sign(larger, smaller), x.select_sign(smaller, larger))
}

/// Rows of numbers in one array: the memory of the similarities whose size the compiler knows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flat<T, const ROWS: usize, const C: usize>(pub(crate) [[T; C]; ROWS]);

impl<T, const ROWS: usize, const C: usize> AsRef<[T]> for Flat<T, ROWS, C> {
    #[inline(always)]
    fn as_ref(&self) -> &[T] {
        self.0.as_flattened()
    }
}

impl<T, const ROWS: usize, const C: usize> AsMut<[T]> for Flat<T, ROWS, C> {
    #[inline(always)]
    fn as_mut(&mut self) -> &mut [T] {
        self.0.as_flattened_mut()
    }
}

impl<T: Scalar, const ROWS: usize, const C: usize> Default for Flat<T, ROWS, C> {
    fn default() -> Self {
        Flat([[T::ZERO; C]; ROWS])
    }
}

/// The first `classes * classes` numbers of `rows`, for a table of two classes each.
pub(crate) fn square<'a, T>(what: &'static str, rows: &'a mut [T], classes: usize) -> Result<&'a mut [T], Error> {
    let (found, expected) = (rows.len(), check_classes(classes)? * classes);
    rows.get_mut(..expected).ok_or(Error::Length { what, expected, found })
}

/// Whether `scratch` holds what a row of a similarity needs.
pub(crate) fn row_scratch<T: Scalar>(similarity: &(impl Similarity<T> + ?Sized), scratch: &[T]) -> Result<(), Error> {
    let (expected, found) = (similarity.scratch(), scratch.len());
    if found < expected {
        Err(Error::Length { what: "the scratch of a similarity row", expected, found })
    } else {
        Ok(())
    }
}

pub(crate) const fn check_classes(classes: usize) -> Result<usize, Error> {
    if classes >= 2 && classes <= u16::MAX as usize { Ok(classes) } else { Err(Error::Classes { found: classes }) }
}

/// The stored entry of `S = 1`: -0, "this is D".
#[inline(always)]
pub(crate) fn own<T: Scalar>() -> T {
    // 0 * -1 is -0 in IEEE arithmetic.
    T::ZERO.mul(T::ZERO.sub(T::ONE))
}

/// A number of classes in a type: 0 there means that it is known at run time.
pub(crate) const fn fixed(classes: usize) -> Option<usize> {
    if classes == 0 { None } else { Some(classes) }
}
