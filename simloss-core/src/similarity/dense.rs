//! Any valid matrix, and general similarity with a lower bound.
//!
//! | symbol of the paper | here |
//! |---|---|
//! | `s(i, j)`, a measure such as the cosine of word vectors | `measure`, in `[-1, 1]` |
//! | `l` | `lower_bound`, in `[0, 1)` |
//! | `S[i, j] = max(0, (s(i, j) - l) / (1 - l))` | [`DenseSimilarity::lower_bounded`] |
//!
//! Source: SimLoss (arXiv 2003.03182), section 3, the general similarity.

use super::{Flat, Similarity, entry, fixed, own, row_scratch, square};
use crate::{
    Error, Label,
    number::{Scalar, TwoFloat, Value, scaled_exp},
};
use core::marker::PhantomData;
use nalgebra::SMatrix;

/// A checked matrix over the caller's memory, `C * C` numbers, row of the true class first.
///
/// Cost of a row: none, it is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DenseTable<T, B, const C: usize = 0> {
    rows: B,
    classes: usize,
    scalar: PhantomData<T>,
}

/// A checked matrix over `C` classes known to the compiler: `C * C` numbers, no heap.
///
/// ```
/// use simloss_core::{Error, Label, nalgebra::SMatrix, similarity::{DenseSimilarity, Similarity}};
/// // A cat taken for a dog is half right; a dog taken for a cat is not: symmetry is not required.
/// let s = DenseSimilarity::new(&SMatrix::<f32, 2, 2>::new(1.0, 0.5, 0.0, 1.0))?;
/// let (cat, dog) = (Label::new(0, 2)?, Label::new(1, 2)?);
/// assert_eq!(s.get(cat, dog, &mut [0.0; 2])?, 0.5);
/// let wrong = DenseSimilarity::new(&SMatrix::<f32, 2, 2>::new(1.0, 1.5, 0.0, 1.0));
/// assert_eq!(wrong, Err(Error::Entry { row: 0, column: 1 }));
/// # Ok::<(), Error>(())
/// ```
pub type DenseSimilarity<T, const C: usize> = DenseTable<T, Flat<T, C, C>, C>;

impl<T: Scalar, const C: usize> DenseSimilarity<T, C> {
    /// The matrix `s`, whose row is the TRUE class.
    ///
    /// # Errors
    /// [`Error::Diagonal`] where `s[(y, y)]` is not 1, [`Error::Entry`] where an entry is NaN or outside `[0, 1]`,
    /// [`Error::Classes`] unless `C` is from 2 to 65,535.
    pub fn new(s: &SMatrix<T, C, C>) -> Result<Self, Error> {
        let DenseTable { rows, .. } = DenseTable::in_memory(Flat::default(), C, |i, j| s[(i, j)])?;
        Ok(DenseTable { rows, classes: C, scalar: PhantomData })
    }

    /// `S[i, j] = max(0, (s[(i, j)] - lower_bound) / (1 - lower_bound))`, 1 on the diagonal.
    ///
    /// # Errors
    /// As [`DenseTable::lower_bounded_in_memory`].
    pub fn lower_bounded(s: &SMatrix<T, C, C>, lower_bound: T) -> Result<Self, Error> {
        let DenseTable { rows, .. } =
            DenseTable::lower_bounded_in_memory(Flat::default(), C, |i, j| s[(i, j)], lower_bound)?;
        Ok(DenseTable { rows, classes: C, scalar: PhantomData })
    }
}

impl<T: Scalar, B: AsRef<[T]> + AsMut<[T]>> DenseTable<T, B> {
    /// `S[i, j] = s(i, j)` over `rows`, of at least `classes * classes` numbers, for a number of classes known at run
    /// time.
    ///
    /// # Errors
    /// As [`DenseSimilarity::new`], and [`Error::Length`] for `rows` that are too short.
    pub fn in_memory(rows: B, classes: usize, s: impl Fn(usize, usize) -> T) -> Result<Self, Error> {
        Self::build(rows, classes, |row, column| {
            let s = s(row, column);
            if row == column {
                return if s == T::ONE { Ok(own()) } else { Err(Error::Diagonal { class: row }) };
            }
            if s >= T::ZERO && s <= T::ONE { Ok(entry(TwoFloat::new(s))) } else { Err(Error::Entry { row, column }) }
        })
    }

    /// General similarity over `rows`: `S[i, j] = max(0, (s(i, j) - lower_bound) / (1 - lower_bound))`.
    ///
    /// The diagonal of `s` is taken as 1 without being read, and measures are clamped to `[-1, 1]`: the cosine of a
    /// vector with itself misses 1 by rounding more often than not. The quotient is computed in twofold precision and
    /// rounded once.
    ///
    /// # Errors
    /// [`Error::LowerBound`] unless it is in `[0, 1)`, [`Error::Entry`] where a measure is not finite,
    /// [`Error::Classes`], [`Error::Length`].
    pub fn lower_bounded_in_memory(
        rows: B,
        classes: usize,
        s: impl Fn(usize, usize) -> T,
        lower_bound: T,
    ) -> Result<Self, Error> {
        if !(lower_bound >= T::ZERO && lower_bound < T::ONE) {
            return Err(Error::LowerBound);
        }
        let span = TwoFloat::difference(T::ONE, lower_bound);
        Self::build(rows, classes, |row, column| {
            if row == column {
                return Ok(own());
            }
            let s = s(row, column);
            if !s.is_finite() {
                return Err(Error::Entry { row, column });
            }
            let s = if s > T::ONE { T::ONE } else { s };
            let above = TwoFloat::difference(s, lower_bound);
            Ok(if above.hi > T::ZERO { entry(above.over(span)) } else { T::ZERO })
        })
    }

    /// An exponential of a measure over `rows`: `S[i, j] = exp(steepness (s(i, j) - 1))`.
    ///
    /// The diagonal of `s` is taken as 1 without being read, and measures are clamped to `[-1, 1]`, as in
    /// [`lower_bounded_in_memory`](Self::lower_bounded_in_memory). Computed in `f64` by `libm`, the same bits everywhere:
    /// `exp` where `S` is stored, `expm1` where `1 - S` is (see [what is stored](crate::similarity#what-is-stored)), and
    /// rounded once. For `f32` an entry is within 0.501 ulp; for `f64` within `2 + steepness` ulp, because the product is
    /// rounded before its exponential.
    ///
    /// # Errors
    /// [`Error::Setting`] unless the steepness is finite and above 0, [`Error::Entry`] where a measure is not finite,
    /// [`Error::Classes`], [`Error::Length`].
    ///
    /// ```
    /// use simloss_core::{Label, similarity::{DenseTable, Similarity}};
    /// let cosine = |i: usize, j: usize| if i == j { 1.0f32 } else { 0.5 };
    /// let s = DenseTable::exponential_in_memory([0.0f32; 4], 2, cosine, 2.0)?;
    /// assert_eq!(s.get(Label::new(0, 2)?, Label::new(1, 2)?, &mut [])?, 0.36787945); // exp(-1)
    /// # Ok::<(), simloss_core::Error>(())
    /// ```
    pub fn exponential_in_memory(
        rows: B,
        classes: usize,
        s: impl Fn(usize, usize) -> T,
        steepness: T,
    ) -> Result<Self, Error> {
        if !(steepness > T::ZERO && steepness.is_finite()) {
            return Err(Error::Setting { what: "the steepness must be finite and above 0" });
        }
        let steepness = steepness.to_f64();
        Self::build(rows, classes, |row, column| {
            if row == column {
                return Ok(own());
            }
            let s = s(row, column);
            if !s.is_finite() {
                return Err(Error::Entry { row, column });
            }
            let s = s.to_f64();
            let exponent = steepness
                * (if s > 1.0 {
                    0.0
                } else if s < -1.0 {
                    -2.0
                } else {
                    s - 1.0
                });
            Ok(if exponent > -core::f64::consts::LN_2 {
                // The complement is the smaller. Of 0 it is -0, which is `S = 1`.
                T::from_f64(Scalar::expm1(exponent)).abs().mul(T::ZERO.sub(T::ONE))
            } else {
                let unscale = Value::pow2(-f64::EXPONENTIAL.scale);
                let s = T::from_f64(scaled_exp((), exponent, 0.0f64) * unscale);
                if s < T::MIN_POSITIVE { T::ZERO } else { s }
            })
        })
    }

    /// A copy of any similarity, so that a row costs nothing (a taxonomy's row walks its tree). `scratch` holds as many
    /// numbers as [`Similarity::scratch`] says.
    ///
    /// # Errors
    /// [`Error::Length`] if `rows` hold fewer than `C * C` numbers, or `scratch` fewer than that.
    pub fn copy_in_memory(mut rows: B, from: &impl Similarity<T>, scratch: &mut [T]) -> Result<Self, Error> {
        let classes = from.classes();
        row_scratch(from, scratch)?;
        for (y, row) in square(ROWS, rows.as_mut(), classes)?.chunks_exact_mut(classes).enumerate() {
            for (to, x) in row.iter_mut().zip(from.row(Label::new(y, classes)?, scratch)) {
                *to = *x;
            }
        }
        Ok(DenseTable { rows, classes, scalar: PhantomData })
    }

    fn build(mut rows: B, classes: usize, value: impl Fn(usize, usize) -> Result<T, Error>) -> Result<Self, Error> {
        let rows_of = square(ROWS, rows.as_mut(), classes)?;
        for row in 0..classes {
            for column in 0..classes {
                value(row, column)?; // all of them, before the first is written
            }
        }
        for (row, numbers) in rows_of.chunks_exact_mut(classes).enumerate() {
            for (column, x) in numbers.iter_mut().enumerate() {
                *x = value(row, column)?;
            }
        }
        Ok(DenseTable { rows, classes, scalar: PhantomData })
    }
}

const ROWS: &str = "the rows of a similarity";

impl<'a, T: Scalar, const C: usize> DenseTable<T, &'a [T], C> {
    /// A table that is known to be filled.
    #[inline(always)]
    pub(crate) fn over(rows: &'a [T]) -> Self {
        DenseTable { rows, classes: C, scalar: PhantomData }
    }
}

impl<T> DenseTable<T, &mut [T]> {
    /// Whether its rows begin there.
    pub(crate) fn is_at(&self, first: *const T) -> bool {
        core::ptr::eq(self.rows.as_ptr(), first)
    }
}

impl<T: Scalar, B: AsRef<[T]>, const C: usize> Similarity<T> for DenseTable<T, B, C> {
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
        let classes = Similarity::<T>::classes(self);
        let start = y.index() * classes;
        self.rows.as_ref().get(start..start + classes).unwrap_or(&[])
    }

    #[inline]
    fn stored(&self, y: Label, c: Label) -> T {
        let at = y.index() * Similarity::<T>::classes(self) + c.index();
        self.rows.as_ref().get(at).copied().unwrap_or(T::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::similarity::{dissimilarity, similarity};

    #[test]
    fn exponentials_of_a_measure() -> Result<(), Error> {
        // exp(3 (s - 1)), and 1 minus that, to 17 digits.
        let cases = [
            (0.25, 0.105_399_224_561_864_34, 0.894_600_775_438_135_7),
            (-1.0, 0.002_478_752_176_666_358_4, 0.997_521_247_823_333_6),
            (0.9, 0.740_818_220_681_717_9, 0.259_181_779_318_282_1),
            (0.999_999, 0.999_997_000_004_5, 2.999_995_500_035_4e-6),
        ];
        for (s, expected, complement) in cases {
            let table = DenseTable::exponential_in_memory([0.0f64; 4], 2, |_, _| s, 3.0)?;
            let x = table.row(Label::new(0, 2)?, &mut [])[1];
            assert!((similarity(x) / expected - 1.0).abs() < 1e-15, "{s}: {}", similarity(x));
            // What is stored is the smaller one; the other follows from it. The measure itself is given to 17 digits.
            assert!((dissimilarity(x) / complement - 1.0).abs() < 1e-10, "{s}: {}", dissimilarity(x));
        }
        let new = |s: f32, steepness: f32| DenseTable::exponential_in_memory([0.0f32; 4], 2, |_, _| s, steepness);
        assert_eq!(
            new(1.5, 1.0)?.row(Label::new(1, 2)?, &mut []).first().map(|x| x.to_bits()),
            Some((-0.0f32).to_bits())
        );
        assert_eq!(new(-1.0, 60.0)?.row(Label::new(1, 2)?, &mut []).first(), Some(&0.0));
        assert_eq!(new(f32::NAN, 1.0).err(), Some(Error::Entry { row: 0, column: 1 }));
        for steepness in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert!(matches!(new(0.5, steepness), Err(Error::Setting { .. })), "{steepness}");
        }
        Ok(())
    }

    #[test]
    fn lower_bound_stretches_what_is_above() -> Result<(), Error> {
        let s = SMatrix::<f64, 3, 3>::new(0.99999, 0.75, -0.2, 0.4, 1.0, 1.00001, 0.5, 0.5, 7.0);
        let general = DenseSimilarity::lower_bounded(&s, 0.5)?;
        let row = |y| -> Result<[f64; 3], Error> {
            let mut out = [0.0; 3];
            for (x, e) in out.iter_mut().zip(general.row(Label::new(y, 3)?, &mut [])) {
                *x = similarity(*e);
            }
            Ok(out)
        };
        assert_eq!(row(0)?, [1.0, 0.5, 0.0]);
        assert_eq!(row(1)?, [0.0, 1.0, 1.0]);
        assert_eq!(row(2)?, [0.0, 0.0, 1.0]);
        assert_eq!(DenseSimilarity::lower_bounded(&s, 1.0).err(), Some(Error::LowerBound));
        assert_eq!(DenseSimilarity::new(&s).err(), Some(Error::Diagonal { class: 0 }));
        Ok(())
    }
}
