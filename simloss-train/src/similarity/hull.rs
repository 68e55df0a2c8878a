//! The tree of average linkage of a measure, and the measure of two classes that this tree gives.
//!
//! Classes are joined two groups at a time, those with the greatest mean measure between their members first (UPGMA). Two
//! classes then have the mean at which their groups were joined: a measure of the same kind, which no threshold can make
//! improper, because it is that of a tree (an ultrametric).
//!
//! It makes one measure of another, as [`cosines`](super::vectors::cosines) makes one of words, before there is any
//! similarity: so it stands here and not in the core. It needs a working matrix of 64 bits; a device gets the result.

use super::{DIAGONAL, Problem, matrix::Matrix};
use crate::error::place::InFile;
use std::path::Path;

/// That of `matrix`, which was read from `path`. Numbers of one pair that differ by no more than [`DIAGONAL`] are taken at
/// their mean.
///
/// # Errors
/// [`Problem::Asymmetric`] for others.
///
/// ```
/// use simloss_train::similarity::{hull, matrix::Matrix};
/// let measure = vec![1.0, 0.75, 0.5, 0.75, 1.0, 0.25, 0.5, 0.25, 1.0];
/// // The first two are joined at 0.75, and the third with them at the mean of 0.5 and 0.25.
/// let found = hull::of("m.csv".as_ref(), Matrix { names: None, entries: measure }).map(|matrix| matrix.entries);
/// assert_eq!(found.ok(), Some(vec![1.0, 0.75, 0.375, 0.75, 1.0, 0.375, 0.375, 0.375, 1.0]));
/// ```
pub fn of(path: &Path, matrix: Matrix) -> Result<Matrix, InFile<Problem>> {
    let classes = matrix.classes();
    let entry = |i: usize, j: usize| matrix.entries[i * classes + j];
    // Means of the groups, each at the place of one of its members.
    let mut mean = vec![0.0f64; classes * classes];
    for i in 0..classes {
        for j in 0..classes {
            let values = [entry(i, j), entry(j, i)];
            if i != j && (values[0] - values[1]).abs() > DIAGONAL {
                let name = |class: usize| match &matrix.names {
                    Some(names) => names[class].clone(),
                    None => class.to_string(),
                };
                let problem = Problem::Asymmetric { first: name(i), second: name(j), values };
                return Err(InFile::file(path, problem));
            }
            mean[i * classes + j] = (f64::from(values[0]) + f64::from(values[1])) / 2.0;
        }
    }
    let mut groups: Vec<Vec<usize>> = (0..classes).map(|class| vec![class]).collect();
    let mut level = vec![1.0f64; classes];
    let mut entries = vec![1.0f32; classes * classes];
    // A chain of nearest neighbours: where two are each other's, no other group comes between them. So all is done in
    // classes^2 steps, to the tree that joining the nearest pair of all would give.
    let mut chain: Vec<usize> = vec![];
    for _ in 1..classes {
        if chain.is_empty() {
            chain.extend(groups.iter().position(|group| !group.is_empty()));
        }
        let (a, b) = loop {
            let Some(&top) = chain.last() else { break (0, 0) };
            let before = chain.len().checked_sub(2).map(|at| chain[at]);
            let mut nearest = before;
            for k in (0..classes).filter(|&k| k != top && !groups[k].is_empty()) {
                // Of several as near the one before, so that a chain ends.
                if nearest.is_none_or(|n| mean[top * classes + k] > mean[top * classes + n]) {
                    nearest = Some(k);
                }
            }
            let Some(nearest) = nearest else { break (top, top) };
            if Some(nearest) == before {
                chain.truncate(chain.len() - 2);
                break (top.min(nearest), top.max(nearest));
            }
            chain.push(nearest);
        };
        // Means cannot rise on the way up but by rounding.
        let joined = mean[a * classes + b].min(level[a]).min(level[b]);
        let (left, right) = (std::mem::take(&mut groups[a]), std::mem::take(&mut groups[b]));
        for &i in &left {
            for &j in &right {
                entries[i * classes + j] = joined as f32;
                entries[j * classes + i] = joined as f32;
            }
        }
        let (m, n) = (left.len() as f64, right.len() as f64);
        for k in 0..classes {
            let both = (m * mean[a * classes + k] + n * mean[b * classes + k]) / (m + n);
            mean[a * classes + k] = both;
            mean[k * classes + a] = both;
        }
        level[a] = joined;
        groups[a] = left.into_iter().chain(right).collect();
    }
    Ok(Matrix { names: matrix.names, entries })
}

#[cfg(test)]
mod tests {
    use super::*;
    use simloss_core::Random;

    /// The nearest pair of all groups, again and again.
    fn by_pairs(entries: &[f32], classes: usize) -> Vec<f32> {
        let mut groups: Vec<Vec<usize>> = (0..classes).map(|c| vec![c]).collect();
        let mut found = vec![1.0; classes * classes];
        while groups.len() > 1 {
            let mut best = (f64::NEG_INFINITY, 0, 0);
            for a in 0..groups.len() {
                for b in a + 1..groups.len() {
                    let pairs = groups[a].iter().flat_map(|i| groups[b].iter().map(move |j| (i, j)));
                    let sum: f64 = pairs.map(|(i, j)| f64::from(entries[i * classes + j])).sum();
                    let mean = sum / (groups[a].len() * groups[b].len()) as f64;
                    if mean > best.0 {
                        best = (mean, a, b);
                    }
                }
            }
            let (mean, a, b) = best;
            let right = groups.remove(b);
            for &i in &groups[a] {
                for &j in &right {
                    found[i * classes + j] = mean as f32;
                    found[j * classes + i] = mean as f32;
                }
            }
            groups[a].extend(right);
        }
        found
    }

    #[test]
    fn it_is_the_tree_of_the_nearest_pairs() -> Result<(), InFile<Problem>> {
        let mut random = Random::new(9);
        for classes in [2, 3, 5, 12, 40] {
            let mut entries = vec![1.0; classes * classes];
            for i in 0..classes {
                for j in 0..i {
                    let x = 2.0 * random.unit::<f32>() - 1.0;
                    (entries[i * classes + j], entries[j * classes + i]) = (x, x);
                }
            }
            let expected = by_pairs(&entries, classes);
            let found = of("m".as_ref(), Matrix { names: None, entries })?.entries;
            for (a, b) in found.iter().zip(&expected) {
                assert!((a - b).abs() < 1e-6, "{classes}: {a} {b}");
            }
            // To the bits an ultrametric.
            let s = |i: usize, j: usize| found[i * classes + j];
            for i in 0..classes {
                for j in 0..classes {
                    assert!((0..classes).all(|k| s(i, j) >= s(i, k).min(s(k, j))), "{classes}");
                }
            }
        }
        Ok(())
    }

    #[test]
    fn a_pair_with_two_similarities_is_refused() {
        let with = |x: f32| Matrix { names: Some(vec!["a".into(), "b".into()]), entries: vec![1.0, 0.5, x, 1.0] };
        let message = of("m.csv".as_ref(), with(0.25)).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(message.contains("m.csv") && message.contains("classes \"a\" and \"b\" is [0.5, 0.25]"), "{message}");
        let mean = of("m.csv".as_ref(), with(0.50005)).ok().map(|matrix| matrix.entries[1]);
        assert!(mean.is_some_and(|mean| (mean - 0.500_025).abs() < 1e-7), "{mean:?}");
    }
}
