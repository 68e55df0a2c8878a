//! Hard inputs of the proper losses: as [those of SimLoss](super), with whole matrices that are symmetric and proper.
//!
//! The cases exclude class orders whose smallest power of r is below 2^-110 in `f32` (2^-1006 in `f64`). Exact powers are
//! proper at any size. The core's tables hold 0 for powers below the smallest normal number; a matrix with such zeros is a
//! different matrix, without a proof. A separate test covers the core's result for them.

use std::fmt;

use super::{Around, SHAPES, Shape, SplitMix64, decimal_and_bits, logits};
use crate::matrix::Matrix;
use crate::real::{Real, power_of_two};

/// A similarity for which proper SimLoss is proper.
#[derive(Clone, Debug, PartialEq)]
pub enum Similarity<T> {
    /// Cross entropy.
    Identity,
    /// Class order with this r.
    Order(T),
    /// Class order on a ring with this r.
    Circular(T),
    /// `groupings[h][c]` is the group of class `c` at height `h`, `levels[h]` the similarity in it; beyond the last it is 0.
    Groups {
        /// For each height, the group of each class.
        groupings: Vec<Vec<usize>>,
        /// For each height, a similarity.
        levels: Vec<T>,
    },
    /// A matrix, row by row.
    Dense(Vec<T>),
}

impl<T: Real> Similarity<T> {
    /// The matrix for the oracle.
    pub fn matrix(&self, classes: usize) -> Matrix {
        match self {
            Similarity::Identity => Matrix::identity(classes),
            Similarity::Order(r) => Matrix::class_order(*r, classes),
            Similarity::Circular(r) => Matrix::circular(*r, classes),
            Similarity::Groups { groupings, levels } => Matrix::groups(groupings, levels),
            Similarity::Dense(entries) => Matrix::entries(entries),
        }
    }
}

/// One input of a proper loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Case<T> {
    /// The difficulty, with the seed and index that reproduce the case.
    pub name: String,
    /// The logits z, of magnitude at most 1e4.
    pub logits: Vec<T>,
    /// The true class.
    pub y: usize,
    /// The similarity.
    pub similarity: Similarity<T>,
}

impl<T: Real> Case<T> {
    /// Number of classes C.
    pub fn classes(&self) -> usize {
        self.logits.len()
    }

    /// The similarity for the oracle.
    pub fn matrix(&self) -> Matrix {
        self.similarity.matrix(self.classes())
    }
}

impl<T: Real> fmt::Display for Case<T> {
    /// The whole case, in decimal and in bits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: y = {}, z = [{}]", self.name, self.y, decimal_and_bits(&self.logits))?;
        match &self.similarity {
            Similarity::Identity => write!(f, ", S = I"),
            Similarity::Order(r) => write!(f, ", class order, r = {}", decimal_and_bits(&[*r])),
            Similarity::Circular(r) => write!(f, ", circular order, r = {}", decimal_and_bits(&[*r])),
            Similarity::Groups { groupings, levels } => {
                write!(f, ", groups {groupings:?}, levels {}", decimal_and_bits(levels))
            }
            Similarity::Dense(entries) => write!(f, ", S = [{}]", decimal_and_bits(entries)),
        }
    }
}

/// 1,000 is rare: the oracle adds a million products for a matrix of that size.
const CLASSES: [usize; 16] = [2, 3, 4, 5, 6, 7, 10, 12, 16, 24, 33, 40, 90, 96, 100, 257];

/// One of this many class orders has 1,000 classes; of the other kinds, one of ten times as many.
const THOUSAND: usize = 12;

/// The largest matrix of given entries: the core's proof that it is proper takes `C^4` operations.
const MOST_GIVEN: usize = 40;

/// Gaps between logits: those of SimLoss, and more where `1 - p_y` squared leaves a format.
const GAPS: [f64; 15] = [0.0, 1e-7, 1.0, 4.0, 8.0, 12.0, 17.0, 25.0, 40.0, 60.0, 88.0, 104.0, 300.0, 1e3, 1e4];

/// Shapes that are hard for these losses only.
const MORE_SHAPES: [Shape; 3] = [Shape::NeighborScattered, Shape::Opposite, Shape::NearTwins];

/// Kinds of similarities.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Identity,
    /// Class order, r from a list.
    Order,
    /// Class order, random r.
    OrderDrawn,
    /// Class order, r within 2^-24 to 2^-3 of 1.
    OrderNearOne,
    Circular,
    /// Groups of 2, 3, or 5, with a high, medium, or low similarity, and 0 between groups.
    Superclasses,
    /// Groups of 3, in pairs of groups, and sometimes a similarity between all classes.
    Taxonomy,
    /// exp(-distance) of random points.
    Points,
    /// Pairs of nearly identical classes among others with similarity one half.
    Twins,
}

const KINDS: [Kind; 9] = [
    Kind::Identity,
    Kind::Order,
    Kind::OrderDrawn,
    Kind::OrderNearOne,
    Kind::Circular,
    Kind::Superclasses,
    Kind::Taxonomy,
    Kind::Points,
    Kind::Twins,
];

/// Number of consecutive cases that contain every shape with every similarity.
pub const PAIRS: usize = (SHAPES.len() + MORE_SHAPES.len()) * KINDS.len();

/// `count` hard cases of a seed, as [`super::hard`].
pub fn hard<T: Real>(seed: u64, count: usize) -> impl Iterator<Item = Case<T>> {
    (0..count).map(move |index| case(seed, index))
}

/// The hard case with this index of a seed.
pub fn case<T: Real>(seed: u64, index: usize) -> Case<T> {
    let mut random = SplitMix64::new(SplitMix64::new(seed).next_u64() ^ index as u64);
    let shapes = SHAPES.len() + MORE_SHAPES.len();
    let shape = index % shapes;
    let shape = SHAPES.get(shape).copied().unwrap_or_else(|| MORE_SHAPES[shape - SHAPES.len()]);
    let kind = KINDS[index / shapes % KINDS.len()];
    let (similarity, classes) = similarity::<T>(kind, &mut random);
    let y = random.below(classes);
    // Twins are hard for a twin: in three of four cases, y is the first one.
    let y = match &similarity {
        Similarity::Dense(entries) if random.below(4) > 0 => most_alike(entries, classes),
        _ => y,
    };
    let (neighbor, opposite) = around(&similarity, classes, y, &mut random);
    let logits = logits(shape, Around { classes, y, neighbor, opposite }, &GAPS, &mut random);
    Case {
        name: format!("{shape:?}/{kind:?}, C = {classes}, y = {y} (seed {seed}, case {index})"),
        logits: logits.into_iter().map(|z| T::round(z.clamp(-1e4, 1e4))).collect(),
        y,
        similarity,
    }
}

/// Some class with the most similar other class.
fn most_alike<T: Real>(entries: &[T], classes: usize) -> usize {
    let beside = (0..classes * classes).filter(|at| at % (classes + 1) > 0);
    beside.fold(1, |most, at| if entries[at] > entries[most] { at } else { most }) / classes
}

/// A class similar to `y`, and one of the least similar.
fn around<T: Real>(similarity: &Similarity<T>, classes: usize, y: usize, random: &mut SplitMix64) -> (usize, usize) {
    let next = if y + 1 < classes && (y == 0 || random.below(2) == 0) { y + 1 } else { y - 1 };
    let row: Vec<f64> = match similarity {
        Similarity::Identity => return (next, next),
        Similarity::Order(_) => return (next, if y < classes / 2 { classes - 1 } else { 0 }),
        Similarity::Circular(_) => return (next, (y + classes / 2) % classes),
        Similarity::Groups { groupings, .. } => {
            let heights = |c| groupings.iter().take_while(|groups| groups[c] != groups[y]).count();
            (0..classes).map(|c| -(heights(c) as f64)).collect()
        }
        Similarity::Dense(entries) => entries[y * classes..][..classes].iter().map(|&s| s.into()).collect(),
    };
    let others = (0..classes).filter(|&c| c != y);
    let neighbor = others.clone().fold(next, |most, c| if row[c] > row[most] { c } else { most });
    let opposite = others.fold(next, |least, c| if row[c] < row[least] { c } else { least });
    (neighbor, opposite)
}

fn similarity<T: Real>(kind: Kind, random: &mut SplitMix64) -> (Similarity<T>, usize) {
    let near = |places: i32| 1.0 - power_of_two(-places);
    let is_order = matches!(kind, Kind::Identity | Kind::Order | Kind::OrderDrawn | Kind::OrderNearOne);
    let rarely = if is_order { THOUSAND } else { 10 * THOUSAND };
    let mut classes = if random.below(rarely) == 0 { 1_000 } else { random.pick(&CLASSES) };
    // Fewer classes if the power of the largest distance would be too small.
    let order = |r: f64, classes: &mut usize, ring: bool| {
        let r = T::round(r);
        let least = power_of_two(T::SCALAR.normal_exponent() + 16);
        let power = |distance: usize| (0..distance).fold(1.0, |power, _| power * r.into());
        while power(if ring { *classes / 2 } else { *classes - 1 }) < least {
            *classes = CLASSES.iter().rev().find(|&c| c < classes).map_or(2, |&c| c);
        }
        r
    };
    let similarity = match kind {
        Kind::Identity => Similarity::Identity,
        Kind::Order => {
            let listed = [0.1, 0.3, 0.5, 0.8, 0.9, 0.95, 0.99, near(10), near(12), near(20)];
            Similarity::Order(order(random.pick(&listed), &mut classes, false))
        }
        Kind::OrderDrawn => Similarity::Order(order(random.unit().min(near(20)), &mut classes, false)),
        Kind::OrderNearOne => Similarity::Order(order(1.0 - random.magnitude(-24, -3), &mut classes, false)),
        Kind::Circular => {
            let r = random.pick(&[0.5, 0.75, 0.8, 0.9, 0.99, near(12)]);
            Similarity::Circular(order(r, &mut classes, true))
        }
        Kind::Superclasses => {
            let size = random.pick(&[2, 3, 5]);
            let level = T::round(random.pick(&[0.5, 0.9, near(10), near(20), 1e-3, 1e-7]));
            Similarity::Groups { groupings: vec![(0..classes).map(|c| c / size).collect()], levels: vec![level] }
        }
        Kind::Taxonomy => {
            let mut levels = [near(20), near(10), 0.9, 0.5, 0.1, 1e-3, 0.0];
            let from = random.below(4);
            levels.rotate_left(from);
            let step = 1 + random.below(2);
            let levels = [levels[0], levels[1], levels[1 + step].min(levels[1])].map(T::round);
            let grouping = |size: usize| (0..classes).map(|c| c / size).collect::<Vec<_>>();
            Similarity::Groups { groupings: vec![grouping(3), grouping(6), grouping(classes)], levels: levels.to_vec() }
        }
        Kind::Points | Kind::Twins => {
            while classes > MOST_GIVEN {
                classes = random.pick(&CLASSES);
            }
            let entries = if matches!(kind, Kind::Points) { points(classes, random) } else { twins(classes, random) };
            Similarity::Dense(entries)
        }
    };
    (similarity, classes)
}

/// `exp(-|x_i - x_j|)` of points in several dimensions, at distances around one of several scales.
fn points<T: Real>(classes: usize, random: &mut SplitMix64) -> Vec<T> {
    let dimensions = 2 + random.below(5);
    let scale = random.pick(&[power_of_two(-10), 0.1, 1.0, 1.0, 3.0]);
    let mut place = || (0..dimensions).map(|_| scale * random.normal()).collect::<Vec<f64>>();
    let places: Vec<_> = (0..classes).map(|_| place()).collect();
    let entry = |at: usize| {
        let (x, y) = (&places[at / classes], &places[at % classes]);
        let square: f64 = x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum();
        // The core's exponential, which has the same bits on every machine.
        T::round(simloss_core::number::scaled_exp((), -square.sqrt(), 0.0) * power_of_two(-600))
    };
    (0..classes * classes).map(entry).collect()
}

/// All similarities one half; the first and the last class, and some more pairs, are nearly identical.
fn twins<T: Real>(classes: usize, random: &mut SplitMix64) -> Vec<T> {
    let entry = |at| T::round(if at % (classes + 1) == 0 { 1.0 } else { 0.5 });
    let mut entries: Vec<T> = (0..classes * classes).map(entry).collect();
    for i in 0..classes / 2 {
        if i == 0 || random.below(3) == 0 {
            let s = T::round(1.0 - power_of_two(-random.pick(&[10, 20])));
            let j = classes - 1 - i;
            (entries[i * classes + j], entries[j * classes + i]) = (s, s);
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle;

    fn check<T: Real>() {
        let (mut tiny, mut large, mut thousand) = (0, 0, 0);
        for case in hard::<T>(7, 4 * PAIRS) {
            let (classes, y) = (case.classes(), case.y);
            let bounded = |&z: &T| z.into().abs() <= 1e4;
            assert!(y < classes && case.logits.iter().all(bounded), "{}", case.name);
            assert_eq!(case.matrix().classes(), classes);
            thousand += u32::from(classes == 1_000);
            if classes > 100 {
                continue;
            }
            let least = power_of_two(T::SCALAR.normal_exponent() + 15);
            let powers = matches!(case.similarity, Similarity::Order(_) | Similarity::Circular(_));
            assert!(!powers || case.matrix().values::<f64>().iter().all(|&s| s > least), "{}", case.name);
            let loss = oracle::proper::loss(&case.logits, y, &case.matrix()).nearest::<f64>();
            assert!(loss >= 0.0, "{}: {loss}", case.name);
            tiny += u32::from(loss < 1e-6);
            large += u32::from(loss > 10.0);
        }
        assert!(tiny >= 40 && large >= 30, "{tiny} tiny, {large} large");
        assert!((3..60).contains(&thousand), "{thousand} of 1,000 classes");
    }

    #[test]
    fn cases_are_valid_and_hard() {
        check::<f32>();
        check::<f64>();
    }

    #[test]
    fn a_case_is_the_same_alone_and_among_others() {
        let all: Vec<_> = hard::<f32>(3, 20).collect();
        assert_eq!(all[7], case(3, 7));
        assert_ne!(all[7].logits, case::<f32>(4, 7).logits);
        assert!(all[7].to_string().contains("y = "));
    }

    #[test]
    fn near_twins_are_near() {
        let name = |case: &Case<f64>| case.name.starts_with("NearTwins/Twins");
        let twins: Vec<_> = hard::<f64>(1, 4 * PAIRS).filter(name).collect();
        assert!(twins.len() >= 4);
        for case in twins {
            let p: Vec<f64> = oracle::softmax(&case.logits).iter().map(|p| p.nearest()).collect();
            let most = (0..p.len()).fold(0, |most, c| if p[c] > p[most] { c } else { most });
            assert!(most != case.y && p[case.y] > 1e-3, "{}: {p:?}", case.name);
        }
    }
}
