//! Similarities for which proper SimLoss is a proper scoring rule.
//!
//! Proper SimLoss has the similarity-sensitive entropy (T. Leinster, C. Cobbold, "Measuring diversity: the importance of
//! species similarity", 2012) and the GAIT divergence (J. Gallego-Posada, A. Vani, M. Schwarzer, S. Lacoste-Julien, "GAIT:
//! A geometric approach to information theory", 2020):
//!
//! ```text
//! L*(y, p) = -ln q_y + 1 - sum_c p_c S[y, c] / q_c,      q = S p
//! H(t)     = -sum_c t_c ln (S t)_c                       the expected loss of p = t where t is true
//! ```
//!
//! `L*` is proper where no forecast `p` has a lower expected loss than the truth `t`, that is where `H` is concave.
//! For a symmetric `S` in `[0, 1]` with unit diagonal:
//!
//! ```text
//! R_j[i, k] = S[i, k] (S[i, j] + S[j, k]) - S[i, j] S[j, k]
//! proper           <=>  R_j is positive semidefinite for every class j
//! strictly proper  <=>  proper, and S[i, k] < 1 for i != k
//! ```

use super::Similarity;
use crate::number::Scalar;

/// A symmetric similarity for which proper SimLoss is a proper scoring rule: in expectation, no forecast has a lower
/// loss than the true probabilities.
///
/// | similarity | |
/// |---|---|
/// | [`Identity`](super::Identity), [`OrderTable`](super::OrderTable), [`Taxonomy`](super::Taxonomy) | proved for every size and parameter |
/// | any other, as a [`Verified`](super::Verified) | checked for its entries |
///
/// ```
/// use simloss_core::similarity::{ClassOrder, ProperSimilarity, Taxonomy};
/// assert!(ClassOrder::<f32, 90>::new(0.8)?.is_strictly_proper());
/// // Classes 0 and 1 have similarity 1: the loss cannot tell them apart.
/// let merged = Taxonomy::new([3u16, 3, 4, 5, 5, 5], [1.0f32, 1.0, 0.2], 3)?;
/// assert!(!merged.is_strictly_proper());
/// # Ok::<(), simloss_core::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "nothing says that proper SimLoss is a proper scoring rule with `{Self}`",
    note = "simloss_core::similarity::Verified::new(similarity, &mut scratch)? checks any similarity"
)]
pub trait ProperSimilarity<T: Scalar>: Similarity<T> {
    /// Whether the true probabilities are the only forecast of least expected loss.
    ///
    /// `false` for a taxonomy that gives two classes similarity 1, and for a class order whose smallest powers are stored
    /// as 0.
    fn is_strictly_proper(&self) -> bool;
}

impl<T: Scalar, S: ProperSimilarity<T>> ProperSimilarity<T> for &S {
    fn is_strictly_proper(&self) -> bool {
        (**self).is_strictly_proper()
    }
}
