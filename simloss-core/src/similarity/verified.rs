//! A check that proper SimLoss is a strictly proper scoring rule with a given similarity.
//!
//! [`Verified::new`] states the theorem. For each class `j` the check eliminates row `j` of `R_j`, leaves out the rows
//! that vanish, and scales the rest. With `a_i = S[i, j]`:
//!
//! ```text
//! P         = a_i a_k
//! M[i, k]   = S[i, k] (a_i + a_k) - P (1 + P)                                                  direct
//!           = (1 + P) (a_i (1 - a_k) + (1 - a_i) - D[i, k]) - S[i, k] (1 - a_i) (1 - a_k)      from complements
//! w_i       = 1 / sqrt(M[i, i]),    M[i, i] = a_i (1 - a_i) (2 + a_i + a_i^2)
//! N[i, k]   = w_i M[i, k] w_k,      N[i, i] = 1
//! tau       = 1.01 (16 u max_i sum_k w_i parts[i, k] w_k  +  n (n + 3) u),                     u = 2^-53
//! ```
//!
//! `parts` is `M` with all signs positive; of its two forms each entry takes the one with the smaller parts.
//!
//! # Why the answer holds in exact arithmetic
//! `1 - a` and `D` come from the stored entries, so every input has a relative error of at most `u`. An entry of `N` then
//! has an error of at most `12 u w_i parts w_k`, and the exact diagonal of `w M w` differs from 1 by at most `11 u`:
//! together below the first part of `tau`, a bound of the error's norm by its row sums. A Cholesky decomposition of an
//! `n x n` matrix that runs to its end is that of a matrix at most `n (n + 1) u (1 + small)` away, and it does run to its
//! end if the least eigenvalue is above that (J. Demmel 1989; N. Higham, "Accuracy and Stability of Numerical Algorithms",
//! theorems 10.3 to 10.7): below the second part. So if `N - tau I` has a decomposition, `M` is positive semidefinite; if
//! `N + tau I` has none, `M` is not.

use super::{Products, ProperSimilarity, Similarity, check_classes, split as both};
use crate::{
    Error, Label,
    number::{Scalar, Value},
    slices::{split, split_mut},
};
use core::marker::PhantomData;

/// A similarity for which proper SimLoss was proved to be a strictly proper scoring rule.
///
/// It is for similarities that are not proper for all parameters, or not known to be: a circular order, a matrix, word
/// vectors. Every circular order that was tried passes. Word vectors pass as `exp(b (cos - 1))`, `b > 0`, in every case
/// tried. Cosines above a lower bound rarely pass.
///
/// ```
/// use simloss_core::{Error, nalgebra::SMatrix, similarity::{DenseSimilarity, Verified, verification_scratch}};
/// let mut scratch = [0.0; verification_scratch(3)];
/// let near = SMatrix::<f32, 3, 3>::new(1.0, 0.5, 0.4, 0.5, 1.0, 0.5, 0.4, 0.5, 1.0);
/// let similarity = Verified::new(DenseSimilarity::new(&near)?, &mut scratch)?;
/// assert_eq!(similarity.similarity(), &DenseSimilarity::new(&near)?);
///
/// // A band: classes 0 and 2 are similar to class 1 but not to each other.
/// let band = SMatrix::<f32, 3, 3>::new(1.0, 0.5, 0.0, 0.5, 1.0, 0.5, 0.0, 0.5, 1.0);
/// let refused = Verified::new(DenseSimilarity::new(&band)?, &mut scratch);
/// assert_eq!(refused, Err(Error::NotProper { class: 0 }));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verified<S, T = f32> {
    similarity: S,
    scalar: PhantomData<T>,
}

/// Numbers of scratch that [`Verified::new`] needs: `C (C + 1) / 2`.
pub const fn verification_scratch(classes: usize) -> usize {
    classes.saturating_mul(classes.saturating_add(1)) / 2
}

impl<S, T: Scalar> Verified<S, T> {
    /// Checks `similarity`, whose matrix is `S`:
    ///
    /// ```text
    /// R_j[i, k] = S[i, k] (S[i, j] + S[j, k]) - S[i, j] S[j, k]
    /// strictly proper  <=>  S = S', S[i, k] < 1 for i != k, and R_j is positive semidefinite for every class j
    /// ```
    ///
    /// If it is accepted, then for the stored entries proper SimLoss is strictly proper in exact arithmetic, established
    /// with a rounding bound. The check reads [`Similarity::stored`]; the rows must hold the same entries.
    ///
    /// `scratch`: [`verification_scratch`] numbers.
    ///
    /// Source: Proper SimLoss is the proper scoring rule of the GAIT divergence (J. Gallego-Posada, A. Vani, M. Schwarzer,
    /// S. Lacoste-Julien, 2020), whose entropy is that of T. Leinster and C. Cobbold (2012). The condition is ours.
    ///
    /// # Errors
    /// - [`Error::Asymmetric`] if `S[i, k]` is not `S[k, i]`.
    /// - [`Error::Inseparable`] if two classes have similarity 1: the rule would not be strictly proper.
    /// - [`Error::NotProper`] if the rule is not proper. The error names the first class `j` for which this is proved.
    /// - [`Error::Undecided`] if the least eigenvalue of a scaled `R_j` is so close to 0 that rounding hides its sign, and
    ///   no class disproves the rule. A small change of the entries decides.
    /// - [`Error::Length`] for `scratch` that is too short.
    /// - [`Error::Classes`], [`Error::Diagonal`] or [`Error::Entry`] for an implementation of [`Similarity`] that breaks
    ///   its rules.
    ///
    /// Cost: about `C^4 / 6` multiply-adds in `f64`, once, and `C^3` calls of [`Similarity::stored`].
    pub fn new(similarity: S, scratch: &mut [f64]) -> Result<Self, Error>
    where
        S: Similarity<T>,
    {
        let classes = check_classes(similarity.classes())?;
        let (expected, found) = (verification_scratch(classes), scratch.len());
        if found < expected {
            return Err(Error::Length { what: "the scratch of a verification", expected, found });
        }
        check_entries(&similarity)?;
        let mut undecided = None;
        for label in labels(classes) {
            let class = label.index();
            match decide(&similarity, label, scratch) {
                Some(true) => {}
                Some(false) => return Err(Error::NotProper { class }),
                None => undecided = undecided.or(Some(class)),
            }
        }
        match undecided {
            Some(class) => Err(Error::Undecided { class }),
            None => Ok(Verified { similarity, scalar: PhantomData }),
        }
    }

    /// The similarity that was checked.
    pub const fn similarity(&self) -> &S {
        &self.similarity
    }
}

impl<T: Scalar, S: Similarity<T>> Similarity<T> for Verified<S, T> {
    const CLASSES: Option<usize> = S::CLASSES;

    #[inline(always)]
    fn classes(&self) -> usize {
        self.similarity.classes()
    }

    #[inline(always)]
    fn scratch(&self) -> usize {
        self.similarity.scratch()
    }

    #[inline(always)]
    fn row<'a>(&'a self, y: Label, scratch: &'a mut [T]) -> &'a [T] {
        self.similarity.row(y, scratch)
    }

    #[inline]
    fn stored(&self, y: Label, c: Label) -> T {
        self.similarity.stored(y, c)
    }

    const LEADS: bool = S::LEADS;

    fn product_values(&self) -> usize {
        self.similarity.product_values()
    }

    #[inline(always)]
    fn products<V: Value<Scalar = T>>(&self, t: V::Token, x: Products<'_, V>) {
        self.similarity.products(t, x);
    }
}

impl<T: Scalar, S: Similarity<T>> ProperSimilarity<T> for Verified<S, T> {
    /// Always: [`Verified::new`] refuses what is not.
    fn is_strictly_proper(&self) -> bool {
        true
    }
}

/// Half of the spacing of `f64` at 1.
const U: f64 = f64::EPSILON / 2.0;

/// Added to the parts of each entry: covers products that are too small for their relative error to be at most `u`.
const UNDERFLOW: f64 = 4.0 * f64::MIN_POSITIVE;

/// Above this the bounds of a decomposition no longer hold for `N + tau I`, and nothing is decided.
const MOST: f64 = 1.0 / 128.0;

fn labels(classes: usize) -> impl Iterator<Item = Label> {
    (0..classes).filter_map(move |class| Label::new(class, classes).ok())
}

/// `(S, D)` of a pair: the one that is stored exactly, the other rounded once.
#[inline]
fn pair<T: Scalar>(similarity: &impl Similarity<T>, i: Label, k: Label) -> (f64, f64) {
    both(1.0, similarity.stored(i, k).to_f64())
}

/// Exactly: a symmetric matrix, 1 on the diagonal, in `[0, 1)` beside it.
fn check_entries<T: Scalar>(similarity: &impl Similarity<T>) -> Result<(), Error> {
    let classes = similarity.classes();
    for i in labels(classes) {
        for k in labels(classes) {
            let (row, column) = (i.index(), k.index());
            let (s, d) = pair(similarity, i, k);
            if !(s >= 0.0 && d >= 0.0) {
                return Err(Error::Entry { row, column });
            }
            match (row == column, d == 0.0) {
                (true, false) => return Err(Error::Diagonal { class: row }),
                (false, true) => return Err(Error::Inseparable { row, column }),
                _ if (s, d) != pair(similarity, k, i) => return Err(Error::Asymmetric { row, column }),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Whether `R_j` is positive semidefinite, or nothing if rounding errors hide it.
fn decide<T: Scalar>(similarity: &impl Similarity<T>, j: Label, scratch: &mut [f64]) -> Option<bool> {
    let Some((n, tau)) = scaled(similarity, j, scratch) else {
        return Some(false);
    };
    if tau > MOST || tau.is_nan() {
        return None;
    }
    set_diagonal(scratch, n, 1.0 - tau);
    if decompose(scratch, n) {
        return Some(true);
    }
    scaled(similarity, j, scratch)?;
    set_diagonal(scratch, n, 1.0 + tau);
    if decompose(scratch, n) { None } else { Some(false) }
}

/// The lower triangle of `N`, row by row, but for its diagonal; the number of its rows, and `tau`.
///
/// Nothing if the zeros show that `R_j` is not positive semidefinite: where its diagonal is 0 the row must vanish.
fn scaled<T: Scalar>(similarity: &impl Similarity<T>, j: Label, scratch: &mut [f64]) -> Option<(usize, f64)> {
    let classes = similarity.classes();
    // At most C - 1 rows: the triangle takes C (C - 1) / 2 numbers, the weights the other C.
    let (triangle, weights) = split_mut(scratch, classes * (classes - 1) / 2);
    let mut n = 0;
    for i in labels(classes).filter(|&i| i != j) {
        let a = pair(similarity, i, j);
        let w = 1.0 / (a.0 * a.1 * (2.0 + a.0 + a.0 * a.0)).square_root();
        let (before, rest) = split_mut(triangle, n * (n + 1) / 2);
        let (row, _) = split_mut(rest, n + 1);
        // While the triangle is built, its diagonal holds the sums of rows of parts.
        let mut total = 1.0;
        let mut column = 0;
        for k in labels(classes).take(i.index()).filter(|&k| k != j) {
            let b = pair(similarity, k, j);
            let s = pair(similarity, i, k);
            if a.0 == 0.0 || b.0 == 0.0 {
                if s.0 > 0.0 && (a.0 > 0.0 || b.0 > 0.0) {
                    return None;
                }
                column += usize::from(b.0 > 0.0);
                continue;
            }
            let (value, parts) = reduced(s, a, b);
            let other = weights.get(column).copied().unwrap_or(0.0);
            let part = (parts + UNDERFLOW) * w * other;
            if let Some(x) = row.get_mut(column) {
                *x = value * w * other;
            }
            if let Some(sum) = before.get_mut(column * (column + 3) / 2) {
                *sum += part;
            }
            total += part;
            column += 1;
        }
        if a.0 > 0.0 {
            if let (Some(sum), Some(weight)) = (row.get_mut(n), weights.get_mut(n)) {
                (*sum, *weight) = (total, w);
            }
            n += 1;
        }
    }
    let mut largest = 0.0;
    for row in 0..n {
        let sum = triangle.get(row * (row + 3) / 2).copied().unwrap_or(f64::INFINITY);
        largest = if sum > largest { sum } else { largest };
    }
    let rows = n as f64;
    Some((n, 1.01 * (16.0 * U * largest + rows * (rows + 3.0) * U)))
}

/// `M[i, k]` and its parts, of `(S, D)` of the pairs `(i, k)`, `(i, j)` and `(k, j)`.
#[inline]
fn reduced((s, d): (f64, f64), (a, alpha): (f64, f64), (b, beta): (f64, f64)) -> (f64, f64) {
    let p = a * b;
    let (plus, minus) = (s * (a + b), p * (1.0 + p));
    let direct = (plus - minus, plus + minus);
    let (without, rest) = (a * beta + alpha, s * alpha * beta);
    let complements = ((1.0 + p) * (without - d) - rest, (1.0 + p) * (without + d) + rest);
    if direct.1 < complements.1 { direct } else { complements }
}

fn set_diagonal(triangle: &mut [f64], n: usize, to: f64) {
    for row in 0..n {
        if let Some(x) = triangle.get_mut(row * (row + 3) / 2) {
            *x = to;
        }
    }
}

/// Cholesky's decomposition of a lower triangle of `n` rows in place, or `false` where a pivot is not above 0.
fn decompose(triangle: &mut [f64], n: usize) -> bool {
    for i in 0..n {
        let (solved, rest) = split_mut(triangle, i * (i + 1) / 2);
        let (row, _) = split_mut(rest, i + 1);
        let mut below: &[f64] = solved;
        for k in 0..i {
            let (other, next) = split(below, k + 1);
            below = next;
            let (start, rest) = split_mut(row, k);
            let (other, pivot) = split(other, k);
            if let (Some(x), Some(pivot)) = (rest.first_mut(), pivot.first()) {
                *x = (*x - dot(start, other)) / pivot;
            }
        }
        let (start, rest) = split_mut(row, i);
        let Some(x) = rest.first_mut() else { return false };
        let pivot = *x - dot(start, start);
        if pivot > 0.0 {
            *x = pivot.square_root();
        } else {
            return false; // NaN too
        }
    }
    true
}

/// The sum of products in four sums that are added in the end; the bounds hold for any order.
#[inline]
fn dot(x: &[f64], y: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (xs, ys) = (x.chunks_exact(4), y.chunks_exact(4));
    let ends = xs.remainder().iter().zip(ys.remainder());
    let mut total: f64 = ends.map(|(x, y)| x * y).sum();
    for (x, y) in xs.zip(ys) {
        for (sum, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
            *sum += x * y;
        }
    }
    for sum in sums {
        total += sum;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;

    /// Entries of few bits, for which every product is exact.
    #[test]
    fn both_forms_are_the_definition() {
        let mut random = Random::new(1);
        let mut of_complements = 0;
        for _ in 0..1000 {
            let mut draw = || {
                let s = random.below(257) as f64 / 256.0;
                (s, 1.0 - s)
            };
            let (s, a, b) = (draw(), draw(), draw());
            let (value, parts) = reduced(s, a, b);
            let exact = s.0 * (a.0 + b.0) - a.0 * b.0 - a.0 * a.0 * b.0 * b.0;
            assert_eq!(value, exact, "{s:?} {a:?} {b:?}");
            let direct = s.0 * (a.0 + b.0) + a.0 * b.0 + a.0 * a.0 * b.0 * b.0;
            assert!(parts >= value.abs() && parts <= direct);
            of_complements += usize::from(parts < direct);
        }
        assert!(of_complements > 100 && of_complements < 900, "{of_complements}");
    }

    #[test]
    fn decompositions_multiply_back() {
        for n in [1usize, 2, 5, 9, 23] {
            let mut random = Random::new(n as u64);
            let mut triangle = [0.0; 276];
            let of = |triangle: &[f64], i: usize, k: usize| triangle[i * (i + 1) / 2 + k];
            for (i, row) in (0..n).map(|i| (i, i * (i + 1) / 2)) {
                for k in 0..=i {
                    triangle[row + k] = if k == i { 1.0 } else { (random.unit::<f64>() - 0.5) / n as f64 };
                }
            }
            let given = triangle;
            assert!(decompose(&mut triangle, n));
            for i in 0..n {
                for k in 0..=i {
                    let product: f64 = (0..=k).map(|m| of(&triangle, i, m) * of(&triangle, k, m)).sum();
                    assert!((product - of(&given, i, k)).abs() < 1e-15 * n as f64);
                }
            }
        }
        assert!(!decompose(&mut [1.0, 1.0, 1.0], 2));
        assert!(!decompose(&mut [f64::NAN], 1));
        assert!(decompose(&mut [], 0));
    }
}
