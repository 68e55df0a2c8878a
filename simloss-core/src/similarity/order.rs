//! Classes in an order: `S[i, j] = r^d(i, j)`.
//!
//! | symbol of the paper | here |
//! |---|---|
//! | `r`, reduction factor | `reduction_factor`, in `[0, 1)`; 0 is cross entropy |
//! | `d(i, j)` | `abs(i - j)` (class order), `min(abs(i - j), C - abs(i - j))` (circular order) |
//!
//! Source: SimLoss (arXiv 2003.03182), section 3, the similarity from class order; the circular order (hours, months,
//! wind directions) is ours. A row is a window of one table: entry `C - 1 + k` of the table belongs to `j - i = k`.

use super::{
    Flat, Products, ProperSimilarity, Similarity, check_classes, entry, fixed, order_products, own, similarity,
};
use crate::{
    Error, Label,
    number::{Powers, Scalar, TwoFloat, Value},
};
use core::marker::PhantomData;

/// Class order over the caller's memory: `S[i, j] = r^abs(i - j)`.
///
/// Memory: `2C - 1` numbers (never `C x C`). Cost of a row: none, it is a window. Each entry is the power in twofold
/// precision, rounded once; powers below the smallest normal number are 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrderTable<T, B, const C: usize = 0> {
    table: B,
    classes: usize,
    scalar: PhantomData<T>,
}

/// Class order over `C` classes known to the compiler: `2C` numbers, no heap.
///
/// ```
/// use simloss_core::{Error, Label, similarity::{ClassOrder, Similarity}};
/// let s = ClassOrder::<f32, 4>::new(0.5)?;
/// let (first, last) = (Label::new(0, 4)?, Label::new(3, 4)?);
/// assert_eq!(s.get(first, last, &mut [0.0; 4])?, 0.125);
/// assert_eq!(ClassOrder::<f32, 4>::new(1.0), Err(Error::ReductionFactor));
/// # Ok::<(), Error>(())
/// ```
pub type ClassOrder<T, const C: usize> = OrderTable<T, Flat<T, 2, C>, C>;

impl<T: Scalar, const C: usize> ClassOrder<T, C> {
    /// `S[i, j] = reduction_factor^abs(i - j)`.
    ///
    /// # Errors
    /// [`Error::ReductionFactor`] unless it is in `[0, 1)`; [`Error::Classes`] unless `C` is from 2 to 65,535.
    ///
    /// Cost: about 40 operations per class, once.
    pub fn new(reduction_factor: T) -> Result<Self, Error> {
        let mut table = Flat::default();
        fill(table.as_mut(), C, reduction_factor, |d| d)?;
        Ok(OrderTable { table, classes: C, scalar: PhantomData })
    }
}

impl<T: Scalar, B: AsRef<[T]> + AsMut<[T]>> OrderTable<T, B> {
    /// The same over `table`, of at least `2 * classes - 1` numbers, for a number of classes known at run time.
    ///
    /// # Errors
    /// As [`ClassOrder::new`], and [`Error::Length`] for a `table` that is too short.
    pub fn in_memory(mut table: B, classes: usize, reduction_factor: T) -> Result<Self, Error> {
        fill(table.as_mut(), classes, reduction_factor, |d| d)?;
        Ok(OrderTable { table, classes, scalar: PhantomData })
    }
}

impl<'a, T: Scalar, const C: usize> OrderTable<T, &'a [T], C> {
    /// A table that is known to be filled.
    #[inline(always)]
    pub(crate) fn over(table: &'a [T]) -> Self {
        OrderTable { table, classes: C, scalar: PhantomData }
    }
}

impl<T: Scalar, B: AsRef<[T]>, const C: usize> Similarity<T> for OrderTable<T, B, C> {
    const CLASSES: Option<usize> = fixed(C);

    #[inline(always)]
    fn classes(&self) -> usize {
        fixed(C).unwrap_or(self.classes)
    }

    #[inline(always)]
    fn scratch(&self) -> usize {
        0
    }

    #[inline(always)]
    fn row<'a>(&'a self, y: Label, _: &'a mut [T]) -> &'a [T] {
        window(self.table.as_ref(), Similarity::<T>::classes(self), y)
    }

    const LEADS: bool = false;

    /// In `O(C)`.
    #[inline(always)]
    fn products<V: Value<Scalar = T>>(&self, t: V::Token, x: Products<'_, V>) {
        order_products::products(t, self.table.as_ref(), Similarity::<T>::classes(self), x);
    }

    #[inline]
    fn stored(&self, y: Label, c: Label) -> T {
        window(self.table.as_ref(), Similarity::<T>::classes(self), y).get(c.index()).copied().unwrap_or(T::ZERO)
    }
}

/// Strictly proper for every `r` and every number of classes: `R_j` is positive definite for the exact
/// powers, because `S^-1 R_j S^-1` is tridiagonal with positive pivots. The table stores these powers, rounded once.
impl<T: Scalar, B: AsRef<[T]>, const C: usize> ProperSimilarity<T> for OrderTable<T, B, C> {
    /// Whether all powers are stored as positive numbers, or all as 0 (the identity). Powers below
    /// [`Scalar::MIN_POSITIVE`] are stored as 0; between the first and such a class zeros are not transitive, and the rule
    /// is not proper. In `f32`, `r = 0.1` reaches 38 classes, `r = 0.5` 127, and `r = 0.8` 392; `f64` reaches farther.
    fn is_strictly_proper(&self) -> bool {
        let classes = Similarity::<T>::classes(self);
        let at = |distance| self.table.as_ref().get(classes - 1 + distance).map_or(T::ZERO, |&x| similarity(x));
        at(classes - 1) > T::ZERO || at(1) == T::ZERO
    }
}

/// Circular order over the caller's memory: `S[i, j] = r^min(abs(i - j), C - abs(i - j))`.
///
/// Memory and cost as [`OrderTable`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CircularTable<T, B, const C: usize = 0> {
    table: B,
    classes: usize,
    scalar: PhantomData<T>,
}

/// Circular order over `C` classes known to the compiler: `2C` numbers, no heap.
///
/// ```
/// use simloss_core::{Label, similarity::{CircularOrder, Similarity}};
/// let months = CircularOrder::<f32, 12>::new(0.5)?;
/// let (january, december) = (Label::new(0, 12)?, Label::new(11, 12)?);
/// assert_eq!(months.get(january, december, &mut [0.0; 12])?, 0.5);
/// # Ok::<(), simloss_core::Error>(())
/// ```
pub type CircularOrder<T, const C: usize> = CircularTable<T, Flat<T, 2, C>, C>;

impl<T: Scalar, const C: usize> CircularOrder<T, C> {
    /// `S[i, j] = reduction_factor^min(abs(i - j), C - abs(i - j))`.
    ///
    /// # Errors
    /// As [`ClassOrder::new`].
    pub fn new(reduction_factor: T) -> Result<Self, Error> {
        let mut table = Flat::default();
        fill(table.as_mut(), C, reduction_factor, |d| d.min(C - d))?;
        Ok(CircularTable { table, classes: C, scalar: PhantomData })
    }
}

impl<T: Scalar, B: AsRef<[T]> + AsMut<[T]>> CircularTable<T, B> {
    /// The same over `table`, of at least `2 * classes - 1` numbers, for a number of classes known at run time.
    ///
    /// # Errors
    /// As [`OrderTable::in_memory`].
    pub fn in_memory(mut table: B, classes: usize, reduction_factor: T) -> Result<Self, Error> {
        fill(table.as_mut(), classes, reduction_factor, |d| d.min(classes - d))?;
        Ok(CircularTable { table, classes, scalar: PhantomData })
    }
}

impl<'a, T: Scalar, const C: usize> CircularTable<T, &'a [T], C> {
    /// A table that is known to be filled.
    #[inline(always)]
    pub(crate) fn over(table: &'a [T]) -> Self {
        CircularTable { table, classes: C, scalar: PhantomData }
    }
}

impl<T: Scalar, B: AsRef<[T]>, const C: usize> Similarity<T> for CircularTable<T, B, C> {
    const CLASSES: Option<usize> = fixed(C);

    #[inline(always)]
    fn classes(&self) -> usize {
        fixed(C).unwrap_or(self.classes)
    }

    #[inline(always)]
    fn scratch(&self) -> usize {
        0
    }

    #[inline(always)]
    fn row<'a>(&'a self, y: Label, _: &'a mut [T]) -> &'a [T] {
        window(self.table.as_ref(), Similarity::<T>::classes(self), y)
    }

    #[inline]
    fn stored(&self, y: Label, c: Label) -> T {
        window(self.table.as_ref(), Similarity::<T>::classes(self), y).get(c.index()).copied().unwrap_or(T::ZERO)
    }
}

#[inline(always)]
fn window<T>(table: &[T], classes: usize, y: Label) -> &[T] {
    let start = (classes - 1).saturating_sub(y.index());
    table.get(start..start + classes).unwrap_or(&[])
}

fn fill<T: Scalar>(table: &mut [T], classes: usize, r: T, distance: impl Fn(usize) -> usize) -> Result<(), Error> {
    check_classes(classes)?;
    if !(r >= T::ZERO && r < T::ONE) {
        return Err(Error::ReductionFactor);
    }
    let (found, needed) = (table.len(), 2 * classes - 1);
    let table =
        table.get_mut(..needed).ok_or(Error::Length { what: "the table of a class order", expected: needed, found })?;
    table.fill(T::ZERO);
    // Powers come in order of the exponent; each goes wherever its distance stands.
    for (exponent, power) in Powers::new(TwoFloat::new(r)).take(classes).enumerate() {
        if power.hi < T::MIN_POSITIVE {
            break;
        }
        let value = if exponent == 0 { own() } else { entry(power) };
        let mut put = |d: usize| {
            for at in [classes - 1 + d, classes - 1 - d] {
                if let Some(x) = table.get_mut(at) {
                    *x = value;
                }
            }
        };
        if distance(exponent) == exponent {
            put(exponent);
            let mirrored = classes - exponent;
            if exponent > 0 && mirrored < classes && distance(mirrored) == exponent {
                put(mirrored);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::similarity::dissimilarity;

    #[test]
    fn rows_are_powers() -> Result<(), Error> {
        let s = ClassOrder::<f64, 5>::new(0.3)?;
        let c = CircularOrder::<f64, 5>::new(0.3)?;
        for i in 0..5usize {
            let y = Label::new(i, 5)?;
            for j in 0..5usize {
                let d = i.abs_diff(j);
                let (line, ring) = (s.row(y, &mut [])[j], c.row(y, &mut [])[j]);
                assert!((similarity(line) - 0.3f64.powi(d as i32)).abs() < 1e-16);
                assert!((similarity(ring) - 0.3f64.powi(d.min(5 - d) as i32)).abs() < 1e-16);
                assert_eq!(similarity(line) + dissimilarity(line), 1.0);
            }
        }
        Ok(())
    }

    #[test]
    fn near_one_the_difference_is_kept() -> Result<(), Error> {
        let tiny = 2f32.powi(-20);
        let s = ClassOrder::<f32, 3>::new(1.0 - tiny)?;
        let row = s.row(Label::new(0, 3)?, &mut []);
        assert_eq!(dissimilarity(row[1]), tiny);
        assert_eq!(dissimilarity(row[2]), 2.0 * tiny - tiny * tiny);
        Ok(())
    }

    #[test]
    fn refused() {
        for r in [-0.1f32, 1.0, 2.0, f32::NAN, f32::INFINITY] {
            assert_eq!(ClassOrder::<f32, 3>::new(r).err(), Some(Error::ReductionFactor));
            assert_eq!(CircularOrder::<f32, 3>::new(r).err(), Some(Error::ReductionFactor));
        }
        assert_eq!(ClassOrder::<f32, 1>::new(0.5).err(), Some(Error::Classes { found: 1 }));
        assert!(matches!(OrderTable::in_memory([0.0f32; 4], 3, 0.5), Err(Error::Length { expected: 5, found: 4, .. })));
    }
}
