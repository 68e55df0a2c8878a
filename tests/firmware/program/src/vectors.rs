//! The loss and its gradient over hard cases: every similarity, 2 to 90 classes, ties, samples wrong by 100, tiny losses.

use crate::{Number, Sink, checksum};
use simloss_core::{
    Error, Label, Random,
    loss::{CrossEntropy, Loss, SimLoss},
    number::Scalar,
    similarity::{CircularTable, DenseTable, Identity, OrderTable, SparseSimilarity, Taxonomy},
};

/// The most classes.
const MOST: usize = 90;
/// Numbers of classes. A sparse similarity fixes its own in its type: those that it is made for below.
const CLASSES: [usize; 10] = [2, 3, 4, 5, 8, 10, 16, 33, 64, MOST];
/// Ways to draw logits.
const PATTERNS: u32 = 7;

/// Memory for one vector at a time.
pub struct Memory<T> {
    table: [T; MOST * MOST],
    parents: [u16; MOST + 11],
    logits: [T; MOST],
    scratch: [T; MOST],
    gradient: [T; MOST],
}

impl<T: Copy> Memory<T> {
    /// All `zero`.
    pub const fn new(zero: T) -> Self {
        Memory {
            table: [zero; MOST * MOST],
            parents: [0; MOST + 11],
            logits: [zero; MOST],
            scratch: [zero; MOST],
            gradient: [zero; MOST],
        }
    }
}

/// Logits of a pattern; class `y` is the true one.
fn draw<T: Number>(pattern: u32, random: &mut Random, y: usize, logits: &mut [T]) {
    let classes = logits.len();
    for z in logits.iter_mut() {
        let u: T = random.unit();
        *z = u.sub(T::HALF).mul(T::from_f32(8.0));
    }
    let set = |logits: &mut [T], at: usize, x: f32| {
        if let Some(z) = logits.get_mut(at % classes) {
            *z = T::from_f32(x);
        }
    };
    match pattern {
        0 => {}
        // Ties.
        1 => logits.fill(T::from_f32(1.25)),
        // Wrong by 100: at the class opposite, and at a neighbour.
        2 => set(logits, y + classes / 2, 100.0),
        3 => set(logits, y + 1, 100.0),
        // Right by 17 and by 80: losses near 1e-8 and 1e-35.
        4 => set(logits, y, 21.0),
        5 => set(logits, y, 84.0),
        // Far apart, everywhere.
        _ => logits.iter_mut().for_each(|z| *z = z.mul(T::from_f32(2500.0))),
    }
}

/// Loss and gradient of every pattern under one loss: the number of classes, the pattern, the true class, the loss, a
/// checksum of the gradient.
pub(crate) fn judge<T: Number, L: Loss<T>>(
    name: &str,
    loss: &L,
    [logits, scratch, gradient]: [&mut [T]; 3],
    sink: &mut impl Sink,
) -> Result<(), Error> {
    let classes = loss.classes();
    let (Some(logits), Some(gradient)) = (logits.get_mut(..classes), gradient.get_mut(..classes)) else {
        return Err(Error::Classes { found: classes });
    };
    let mut random = Random::new(31).key(classes as u64);
    for pattern in 0..PATTERNS {
        let y = random.below(classes);
        draw(pattern, &mut random, y, logits);
        let value = loss.gradient_of_slice(logits, Label::new(y, classes)?, scratch, gradient)?;
        sink.line(name, &[classes as u32, pattern, y as u32, value.bits(), checksum(gradient)]);
    }
    Ok(())
}

/// A sparse similarity with a neighbour on either side and one class opposite.
fn sparse<T: Scalar, const C: usize>() -> Result<SparseSimilarity<T, C, 3>, Error> {
    let mut s = SparseSimilarity::new()?;
    for y in 0..C {
        for (c, value) in [(y + 1, 0.75), (y + C - 1, 0.5), (y + C / 2, 0.0625)] {
            match s.insert(Label::new(y, C)?, Label::new(c % C, C)?, T::from_f32(value)) {
                // In few classes these are one and the same.
                Ok(()) | Err(Error::Duplicate { .. } | Error::Diagonal { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(s)
}

/// All vectors: one line each.
///
/// # Errors
/// None, for these vectors.
pub fn all<T: Number>(memory: &mut Memory<T>, sink: &mut impl Sink) -> Result<(), Error> {
    let Memory { table, parents, logits, scratch, gradient } = memory;
    for classes in CLASSES {
        judge("cce", &CrossEntropy::new(classes)?, [logits, scratch, gradient], sink)?;
        judge("identity", &SimLoss::new(Identity::new(classes)?), [logits, scratch, gradient], sink)?;
        for (name, r) in [("order.8", 0.8), ("order.1", 0.1), ("order.999999", 0.999_999)] {
            let s = OrderTable::in_memory(&mut table[..], classes, T::from_f32(r))?;
            judge(name, &SimLoss::new(s), [logits, scratch, gradient], sink)?;
        }
        let s = CircularTable::in_memory(&mut table[..], classes, T::from_f32(0.6))?;
        judge("circular", &SimLoss::new(s), [logits, scratch, gradient], sink)?;

        let mut random = Random::new(32);
        let mut measures = [T::ZERO; MOST];
        measures.iter_mut().for_each(|x| *x = random.unit());
        let measure = |i: usize, j: usize| measures.get((i * 7 + j * 3) % MOST).copied().unwrap_or(T::ZERO);
        let s = DenseTable::lower_bounded_in_memory(&mut table[..], classes, measure, T::from_f32(0.3))?;
        judge("dense", &SimLoss::new(s), [logits, scratch, gradient], sink)?;

        // Superclasses below one root.
        let groups = classes.div_ceil(10).max(2);
        let root = classes + groups;
        let Some(parents) = parents.get_mut(..=root) else { return Err(Error::Classes { found: classes }) };
        for (node, parent) in parents.iter_mut().enumerate() {
            *parent = if node < classes { classes + node % groups } else { root } as u16;
        }
        let levels = [T::ONE, T::from_f32(0.7), T::from_f32(0.05)];
        judge(
            "taxonomy",
            &SimLoss::new(Taxonomy::new(&*parents, levels, classes)?),
            [logits, scratch, gradient],
            sink,
        )?;
    }
    judge("sparse", &SimLoss::new(sparse::<T, 2>()?), [logits, scratch, gradient], sink)?;
    judge("sparse", &SimLoss::new(sparse::<T, 8>()?), [logits, scratch, gradient], sink)?;
    judge("sparse", &SimLoss::new(sparse::<T, 33>()?), [logits, scratch, gradient], sink)?;
    judge("sparse", &SimLoss::new(sparse::<T, MOST>()?), [logits, scratch, gradient], sink)
}
