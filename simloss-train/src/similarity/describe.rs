//! What a similarity says, in numbers.

use super::each_row;
use crate::Error;
use serde::Serialize;
use simloss_core::similarity::{Similarity, similarity};

/// A similarity in a few numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Description {
    /// Classes.
    pub classes: usize,
    /// `S`, row by row, the true class in the row.
    pub entries: Vec<f32>,
    /// Least, mean and greatest sum of a row: how many classes count as right. 1 is cross entropy.
    pub row_sums: [f64; 3],
    /// Least, mean and greatest entry off the diagonal.
    pub others: [f64; 3],
    /// Entries off the diagonal that are 0.
    pub zeros: usize,
    /// Whether `S[y, c] = S[c, y]` everywhere.
    pub symmetric: bool,
    /// The most similar pairs, true class first, most similar first, pairs of equal similarity in order.
    pub nearest: Vec<(usize, usize, f32)>,
}

/// Pairs that are listed.
const NEAREST: usize = 5;

impl Description {
    /// Describes `s`.
    ///
    /// # Errors
    /// [`Error::Core`], which a valid similarity does not give.
    pub fn of(s: &impl Similarity<f32>) -> Result<Self, Error> {
        let classes = s.classes();
        let mut entries = Vec::with_capacity(classes * classes);
        each_row(s, |_, row| entries.extend(row.iter().map(|&x| similarity(x))))?;
        let sums: Vec<f64> = entries.chunks(classes).map(|row| row.iter().map(|&x| f64::from(x)).sum()).collect();
        let off = || (0..entries.len()).filter(|i| i / classes != i % classes);
        let others: Vec<f64> = off().map(|i| f64::from(entries[i])).collect();
        let symmetric = off().all(|i| entries[i] == entries[(i % classes) * classes + i / classes]);
        let mut nearest: Vec<(usize, usize, f32)> = off()
            // A symmetric similarity says everything twice.
            .filter(|i| !symmetric || i / classes < i % classes)
            .map(|i| (i / classes, i % classes, entries[i]))
            .filter(|&(_, _, s)| s > 0.0)
            .collect();
        nearest.sort_by(|a, b| b.2.total_cmp(&a.2));
        nearest.truncate(NEAREST);
        let zeros = others.iter().filter(|&&x| x == 0.0).count();
        Ok(Description { classes, row_sums: range(&sums), others: range(&others), zeros, symmetric, nearest, entries })
    }

    /// Entries off the diagonal.
    pub fn pairs(&self) -> usize {
        self.classes * (self.classes - 1)
    }

    /// Names and values, for people.
    pub(crate) fn facts(&self, names: &[String]) -> Vec<(String, String)> {
        let [least, mean, most] = self.row_sums;
        let [lowest, middle, highest] = self.others;
        let pair = |&(y, c, s): &(usize, usize, f32)| {
            format!("{} {} {} ({s:.3})", names[y], if self.symmetric { "and" } else { "for true" }, names[c])
        };
        let nearest: Vec<String> = self
            .nearest
            .iter()
            // Not symmetric: the answer first, then the true class.
            .map(|&(y, c, s)| pair(&if self.symmetric { (y, c, s) } else { (c, y, s) }))
            .collect();
        let nearest = if nearest.is_empty() { "none: this is cross entropy".into() } else { nearest.join(", ") };
        [
            ("Classes", self.classes.to_string()),
            ("Row sums", format!("from {least:.3} to {most:.3}, mean {mean:.3} (1 is cross entropy)")),
            ("Other classes", format!("from {lowest:.3} to {highest:.3}, mean {middle:.3}")),
            ("Zeros", format!("{} of {} entries off the diagonal", self.zeros, self.pairs())),
            ("Symmetric", if self.symmetric { "yes" } else { "no" }.into()),
            ("Most similar", nearest),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// The matrix with the names of its rows and columns.
    pub(crate) fn csv(&self, names: &[String]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
        let mut csv = csv::Writer::from_writer(vec![]);
        csv.write_record(["true class"].into_iter().chain(names.iter().map(String::as_str)))?;
        for (name, row) in names.iter().zip(self.entries.chunks(self.classes)) {
            csv.write_record([name.clone()].into_iter().chain(row.iter().map(f32::to_string)))?;
        }
        Ok(csv.into_inner()?)
    }
}

/// Least, mean, greatest.
fn range(x: &[f64]) -> [f64; 3] {
    let mean = x.iter().sum::<f64>() / x.len().max(1) as f64;
    [x.iter().copied().fold(f64::INFINITY, f64::min), mean, x.iter().copied().fold(f64::NEG_INFINITY, f64::max)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::similarity::AnySimilarity;
    use simloss_core::similarity::{DenseTable, OrderTable};

    #[test]
    fn an_order() -> Result<(), Error> {
        let order = AnySimilarity::Order(OrderTable::in_memory(vec![0.0; 6], 3, 0.5)?);
        let found = Description::of(&order)?;
        assert_eq!(found.row_sums, [1.75, (1.75 + 2.0 + 1.75) / 3.0, 2.0]);
        assert_eq!((found.others[0], found.others[2], found.zeros), (0.25, 0.5, 0));
        assert!(found.symmetric);
        assert_eq!(found.nearest, [(0, 1, 0.5), (1, 2, 0.5), (0, 2, 0.25)]);
        Ok(())
    }

    #[test]
    fn a_lopsided_matrix() -> Result<(), Error> {
        let s = [[1.0, 0.5], [0.0, 1.0]];
        let found = Description::of(&AnySimilarity::Dense(DenseTable::in_memory(vec![0.0; 4], 2, |i, j| s[i][j])?))?;
        assert_eq!((found.symmetric, found.zeros, found.pairs()), (false, 1, 2));
        assert_eq!((found.entries, found.nearest), (vec![1.0, 0.5, 0.0, 1.0], vec![(0, 1, 0.5)]));
        Ok(())
    }
}
