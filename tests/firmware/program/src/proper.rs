//! Proper SimLoss and squared EMD over the hard cases of [`vectors`](crate::vectors): every similarity, few classes to 90.

use crate::{Number, Sink, vectors::judge};
use simloss_core::{
    Error, Label,
    loss::{ProperSimLoss, SquaredEmd},
    number::Scalar,
    similarity::{
        CircularTable, DenseTable, Identity, OrderTable, ProperSimilarity, SparseSimilarity, Taxonomy, Verified,
        verification_scratch,
    },
};

/// The most classes.
const MOST: usize = 90;
/// Numbers of classes.
const CLASSES: [usize; 6] = [2, 3, 5, 16, 33, MOST];
/// The most classes of a similarity that is checked on the device.
const CHECKED: usize = 16;

/// Memory for one vector at a time.
pub struct Memory<T> {
    table: [T; MOST * MOST],
    parents: [u16; MOST + 11],
    logits: [T; MOST],
    scratch: [T; 8 * MOST],
    gradient: [T; MOST],
    proof: [f64; verification_scratch(CHECKED)],
}

impl<T: Copy> Memory<T> {
    /// All `zero`.
    pub const fn new(zero: T) -> Self {
        Memory {
            table: [zero; MOST * MOST],
            parents: [0; MOST + 11],
            logits: [zero; MOST],
            scratch: [zero; 8 * MOST],
            gradient: [zero; MOST],
            proof: [0.0; verification_scratch(CHECKED)],
        }
    }
}

/// Pairs of classes that are alike, and alike to nothing else.
fn pairs<T: Scalar, const C: usize>() -> Result<SparseSimilarity<T, C, 1>, Error> {
    let mut s = SparseSimilarity::new()?;
    for y in 0..C {
        let other = y ^ 1;
        if other < C {
            s.insert(Label::new(y, C)?, Label::new(other, C)?, T::from_f32(0.75))?;
        }
    }
    Ok(s)
}

/// All vectors: one line each.
///
/// # Errors
/// None, for these vectors.
pub fn all<T: Number>(memory: &mut Memory<T>, sink: &mut impl Sink) -> Result<(), Error> {
    let Memory { table, parents, logits, scratch, gradient, proof } = memory;
    for classes in CLASSES {
        judge("squared emd", &SquaredEmd::new(classes)?, [logits, scratch, gradient], sink)?;
        let identity = ProperSimLoss::new(Identity::new(classes)?);
        judge("proper identity", &identity, [logits, scratch, gradient], sink)?;
        for (name, r) in [("proper .8", 0.8), ("proper .1", 0.1), ("proper .999999", 0.999_999)] {
            let s = OrderTable::in_memory(&mut table[..], classes, T::from_f32(r))?;
            judge(name, &ProperSimLoss::new(s), [logits, scratch, gradient], sink)?;
        }

        // Superclasses below one root.
        let groups = classes.div_ceil(10).max(2);
        let root = classes + groups;
        let Some(parents) = parents.get_mut(..=root) else { return Err(Error::Classes { found: classes }) };
        for (node, parent) in parents.iter_mut().enumerate() {
            *parent = if node < classes { classes + node % groups } else { root } as u16;
        }
        let levels = [T::ONE, T::from_f32(0.7), T::from_f32(0.05)];
        let s = Taxonomy::new(&*parents, levels, classes)?;
        judge("proper taxonomy", &ProperSimLoss::new(&s), [logits, scratch, gradient], sink)?;
        if classes > CHECKED {
            continue;
        }
        let s = DenseTable::copy_in_memory(&mut table[..], &s, scratch)?;
        let s = Verified::new(s, proof)?;
        sink.line("strictly proper", &[classes as u32, u32::from(s.is_strictly_proper())]);
        judge("proper dense", &ProperSimLoss::new(s), [logits, scratch, gradient], sink)?;
        let s = Verified::new(CircularTable::in_memory(&mut table[..], classes, T::from_f32(0.6))?, proof)?;
        judge("proper circular", &ProperSimLoss::new(s), [logits, scratch, gradient], sink)?;
    }
    let s = Verified::new(pairs::<T, 8>()?, proof)?;
    judge("proper sparse", &ProperSimLoss::new(s), [logits, scratch, gradient], sink)?;
    // Zeros that are not transitive.
    let band = |i: usize, j: usize| T::from_f32([1.0, 0.5, 0.0].get(i.abs_diff(j)).copied().unwrap_or(0.0));
    let refused = Verified::new(DenseTable::in_memory(&mut table[..], 3, band)?, proof);
    sink.line("refused", &[u32::from(matches!(refused, Err(Error::NotProper { class: 0 })))]);
    Ok(())
}
