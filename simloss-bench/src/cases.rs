//! Inputs that are hard for floats. Equal seeds give equal inputs, for either scalar.
//!
//! A case is a shape of logits, a similarity row, and a true class. Shapes and similarities alternate, so that any [`PAIRS`]
//! consecutive cases contain every shape with every similarity. The rest (number of classes, true class, gaps, offsets) is
//! random.

pub mod proper;

use std::fmt;

use crate::oracle::Row;
use crate::real::{Real, power_of_two};

/// SplitMix64 (Steele, Lea, Flood 2014): five lines, good enough for inputs, and it never changes.
#[derive(Clone, Debug)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 uniform bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// Uniform in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * power_of_two(-53)
    }

    /// Uniform in `[low, high)`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform in `0..n` (to within n / 2^64).
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next_u64()) * n as u128) >> 64) as usize
    }

    /// `(1 + u) 2^n` with `n` uniform in `low..high`: about even in its logarithm, and made without
    /// a power or exponential whose last bit could depend on the machine.
    pub fn magnitude(&mut self, low: i32, high: i32) -> f64 {
        let exponent = low + self.below((high - low) as usize) as i32;
        (1.0 + self.unit()) * power_of_two(exponent)
    }

    /// One of the elements.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// About normal, of mean 0 and variance 1: the sum of 12 uniform numbers.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// The similarity of a case.
#[derive(Clone, Debug, PartialEq)]
pub enum Similarity<T> {
    /// Cross entropy.
    Identity,
    /// Class order with this r.
    Order(T),
    /// Class order on a ring with this r.
    Circular(T),
    /// The row of the true class; some entries may be subnormal, which means 0.
    Entries(Vec<T>),
    /// Similarities to the true class and a lower bound: general similarity.
    General(Vec<T>, T),
}

/// One input of the loss.
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

    /// The row of the true class for the oracle.
    pub fn row(&self) -> Row {
        let (classes, y) = (self.classes(), self.y);
        match &self.similarity {
            Similarity::Identity => Row::identity(classes, y),
            Similarity::Order(r) => Row::class_order(*r, classes, y),
            Similarity::Circular(r) => Row::circular(*r, classes, y),
            Similarity::Entries(entries) => Row::entries(entries),
            Similarity::General(measures, lower_bound) => Row::general(measures, *lower_bound),
        }
    }
}

impl<T: Real> fmt::Display for Case<T> {
    /// The whole case, in decimal and in bits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: z = [{}]", self.name, decimal_and_bits(&self.logits))?;
        match &self.similarity {
            Similarity::Identity => write!(f, ", S = I"),
            Similarity::Order(r) => write!(f, ", class order, r = {}", decimal_and_bits(&[*r])),
            Similarity::Circular(r) => write!(f, ", circular order, r = {}", decimal_and_bits(&[*r])),
            Similarity::Entries(row) => write!(f, ", S = [{}]", decimal_and_bits(row)),
            Similarity::General(measures, l) => {
                write!(f, ", s = [{}], l = {}", decimal_and_bits(measures), decimal_and_bits(&[*l]))
            }
        }
    }
}

/// Numbers in decimal and in bits, for records that identify an input exactly.
pub fn decimal_and_bits<T: Real>(numbers: &[T]) -> String {
    let texts: Vec<String> = numbers.iter().map(|x| format!("{x:?} ({:#x})", x.bits())).collect();
    texts.join(", ")
}

const CLASSES: [usize; 16] = [2, 2, 3, 4, 5, 7, 8, 9, 10, 16, 33, 90, 96, 100, 257, 1000];

/// Gaps between logits: equal, almost equal, and where exp leaves the fractions, the normal numbers, and the subnormal
/// numbers of f32, and the scaled range of the algorithm.
const GAPS: [f64; 12] = [0.0, 1e-7, 1e-3, 1.0, 17.0, 40.0, 70.0, 80.0, 88.0, 104.0, 150.0, 1e4];

/// The largest logit, from which the shape descends.
const TOPS: [f64; 8] = [0.0, 0.0, 1.0, -1.0, 12.345, -312.6, 5_000.0, 9_999.7];

/// Shapes of logits.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// All equal.
    Ties,
    /// All within about one step of each other.
    NearTies,
    /// The true class leads by one gap; all others are equal.
    Right,
    /// The true class leads by a gap; the others trail by different gaps.
    RightScattered,
    /// Another class leads by a gap; all others equal the true one.
    Wrong,
    /// Another class leads; the true one trails all others.
    WrongScattered,
    /// A neighbor of the true class, similar to it, leads by a gap.
    NeighborRight,
    /// Normal, with a standard deviation of 1 to 100.
    Normal,
    /// Uniform over the whole range.
    Uniform,
    /// A different gap for every class, log-uniform.
    LogGaps,
    /// Half of the classes equal at the top, half of them a gap below.
    TwoLevels,
    /// A linear slope away from the true class, the hard case for `S = r^d`.
    Slope,
    /// As [`NeighborRight`](Self::NeighborRight), with the others trailing by different gaps.
    NeighborScattered,
    /// The class least similar to the true one leads by a gap.
    Opposite,
    /// A neighbor leads the true class slightly; the others have probabilities from 1e-9 to 1e-1.
    NearTwins,
}

const SHAPES: [Shape; 12] = [
    Shape::Ties,
    Shape::NearTies,
    Shape::Right,
    Shape::RightScattered,
    Shape::Wrong,
    Shape::WrongScattered,
    Shape::NeighborRight,
    Shape::Normal,
    Shape::Uniform,
    Shape::LogGaps,
    Shape::TwoLevels,
    Shape::Slope,
];

/// Kinds of similarity rows.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Identity,
    /// Class order, r from a list.
    Order,
    /// Class order, random r.
    OrderDrawn,
    /// Class order, r within 2^-20 to 2^-3 of 1.
    OrderNearOne,
    Circular,
    /// Random entries from [0, 1].
    Drawn,
    /// Nine of ten entries 0.
    Sparse,
    /// All entries the largest number below 1.
    AlmostOnes,
    /// One neighbor the largest number below 1, all others 0.
    AlmostOneNeighbor,
    /// Log-uniform entries, from the smallest subnormal to 1.
    Logarithmic,
    /// Entries around the smallest normal number, half of them subnormal.
    Smallest,
    /// All entries 1: the loss is 0.
    Ones,
    /// Similarities from -1 to 1, some equal to the lower bound, scaled by that bound.
    General,
}

const KINDS: [Kind; 13] = [
    Kind::Identity,
    Kind::Order,
    Kind::OrderDrawn,
    Kind::OrderNearOne,
    Kind::Circular,
    Kind::Drawn,
    Kind::Sparse,
    Kind::AlmostOnes,
    Kind::AlmostOneNeighbor,
    Kind::Logarithmic,
    Kind::Smallest,
    Kind::Ones,
    Kind::General,
];

/// Number of consecutive cases that contain every shape with every similarity.
pub const PAIRS: usize = SHAPES.len() * KINDS.len();

/// `count` hard cases of a seed.
///
/// Guarantees: a larger count starts with the cases of a smaller one; logits are finite, of magnitude at most 1e4; `S[y,y] = 1`.
///
/// ```
/// use simloss_bench::cases::hard;
/// let case = hard::<f32>(1, 10).nth(2).unwrap();
/// assert_eq!(case, hard(1, 3).last().unwrap());
/// ```
pub fn hard<T: Real>(seed: u64, count: usize) -> impl Iterator<Item = Case<T>> {
    (0..count).map(move |index| case(seed, index))
}

/// The hard case with this index of a seed.
pub fn case<T: Real>(seed: u64, index: usize) -> Case<T> {
    // One generator per case: a case does not depend on earlier ones.
    let mut random = SplitMix64::new(SplitMix64::new(seed).next_u64() ^ index as u64);
    let shape = SHAPES[index % SHAPES.len()];
    let kind = KINDS[index / SHAPES.len() % KINDS.len()];
    let classes = random.pick(&CLASSES);
    let y = random.below(classes);
    let neighbor = if y + 1 < classes { y + 1 } else { y - 1 };
    let logits = logits(shape, Around { classes, y, neighbor, opposite: neighbor }, &GAPS, &mut random);
    Case {
        name: format!("{shape:?}/{kind:?}, C = {classes}, y = {y} (seed {seed}, case {index})"),
        logits: logits.into_iter().map(|z| T::round(z.clamp(-1e4, 1e4))).collect(),
        y,
        similarity: similarity(kind, classes, y, &mut random),
    }
}

/// A gap of the list, or one of any magnitude between 1e-7 and 1e4.
fn gap(gaps: &[f64], random: &mut SplitMix64) -> f64 {
    if random.below(4) == 0 { random.magnitude(-23, 13) } else { random.pick(gaps) }
}

/// The true class among the others.
struct Around {
    classes: usize,
    y: usize,
    /// A class similar to `y`.
    neighbor: usize,
    /// One of the least similar classes.
    opposite: usize,
}

fn logits(shape: Shape, around: Around, gaps: &[f64], random: &mut SplitMix64) -> Vec<f64> {
    let Around { classes, y, neighbor, opposite } = around;
    let top = if random.below(4) == 0 { random.between(-1e4, 1e4) } else { random.pick(&TOPS) };
    let gap_below = gap(gaps, random);
    // A class that is not y.
    let other = (y + 1 + random.below(classes - 1)) % classes;
    let deviation = random.pick(&[1.0, 3.0, 10.0, 30.0, 100.0]);
    let slope = gap_below / classes as f64;
    let of_class = |c: usize| match shape {
        Shape::Ties => top,
        Shape::NearTies => {
            // At the top 0 the step is 1e-7; elsewhere it is the spacing of f32 there.
            top + random.below(4) as f64 * (top.abs() * power_of_two(-23)).max(1e-7)
        }
        Shape::Right if c == y => top,
        Shape::Wrong if c == other => top,
        Shape::NeighborRight if c == neighbor => top,
        Shape::Opposite if c == opposite => top,
        Shape::Right | Shape::Wrong | Shape::NeighborRight | Shape::Opposite => top - gap_below,
        Shape::RightScattered if c == y => top,
        Shape::WrongScattered if c == other => top,
        Shape::RightScattered => top - gap_below - random.between(0.0, 30.0),
        Shape::WrongScattered if c == y => top - gap_below - 30.0,
        Shape::WrongScattered => top - gap_below - random.between(0.0, 30.0),
        Shape::Normal => top + deviation * random.normal(),
        Shape::Uniform => random.between(-1e4, 1e4),
        Shape::LogGaps => top - gap(gaps, random),
        Shape::TwoLevels => top - gap_below * random.below(2) as f64,
        Shape::Slope => top - slope * (classes - c.abs_diff(y)) as f64,
        Shape::NeighborScattered | Shape::NearTwins if c == neighbor => top,
        Shape::NeighborScattered if c == y => top - gap_below,
        Shape::NeighborScattered => top - gap_below - gap(gaps, random),
        Shape::NearTwins if c == y => top - random.between(0.0, 4.0),
        // Between -ln 1e-1 and -ln 1e-9.
        Shape::NearTwins => top - random.between(2.3, 20.7),
    };
    (0..classes).map(of_class).collect()
}

fn similarity<T: Real>(kind: Kind, classes: usize, y: usize, random: &mut SplitMix64) -> Similarity<T> {
    let scalar = T::SCALAR;
    let almost_one = 1.0 - power_of_two(-scalar.digits());
    let normal = scalar.normal_exponent();
    let near_one = 1.0 - power_of_two(-20);
    let neighbor = if y + 1 < classes { y + 1 } else { y - 1 };
    let mut entries = |entry: &mut dyn FnMut(usize, &mut SplitMix64) -> f64| {
        let of_class = |c| T::round(if c == y { 1.0 } else { entry(c, random) });
        Similarity::Entries((0..classes).map(of_class).collect())
    };
    match kind {
        Kind::Drawn => entries(&mut |_, random| random.unit()),
        Kind::Sparse => entries(&mut |_, random| if random.below(10) == 0 { random.unit() } else { 0.0 }),
        Kind::AlmostOnes => entries(&mut |_, _| almost_one),
        Kind::AlmostOneNeighbor => entries(&mut |c, _| if c == neighbor { almost_one } else { 0.0 }),
        Kind::Logarithmic => entries(&mut |_, random| random.magnitude(scalar.least_exponent(), 0).min(1.0)),
        Kind::Smallest => entries(&mut |_, random| match random.below(4) {
            0 => power_of_two(normal),
            _ => random.magnitude(normal - 2, normal + 2),
        }),
        Kind::Ones => entries(&mut |_, _| 1.0),
        Kind::Identity => Similarity::Identity,
        Kind::Order => {
            let listed = [0.0, power_of_two(-30), 0.1, 0.3, 0.5, 0.8, 0.9, 0.99, near_one];
            Similarity::Order(T::round(random.pick(&listed)))
        }
        Kind::OrderDrawn => Similarity::Order(T::round(random.unit().min(near_one))),
        Kind::OrderNearOne => Similarity::Order(T::round(1.0 - random.magnitude(-20, -3))),
        Kind::Circular => Similarity::Circular(T::round(random.pick(&[0.0, 0.5, 0.8, 0.9, 0.99, near_one]))),
        Kind::General => {
            let lower_bound = T::round(random.pick(&[0.0, 0.1, 0.5, 0.9, 0.99, near_one]));
            let mut measure = |c| match random.below(4) {
                _ if c == y => 1.0,
                0 => random.between(-1.0, 1.0),
                1 => (lower_bound.into() + random.magnitude(-40, 0)).min(1.0),
                2 => 1.0 - random.magnitude(-scalar.digits(), -1),
                _ => random.between(lower_bound.into(), 1.0),
            };
            Similarity::General((0..classes).map(|c| T::round(measure(c))).collect(), lower_bound)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle;

    #[test]
    fn the_generator_is_the_published_one() {
        let mut random = SplitMix64::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| random.next_u64()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    fn check<T: Real>() {
        let (mut zero, mut tiny, mut large) = (0, 0, 0);
        for case in hard::<T>(7, 3 * PAIRS) {
            let z: Vec<f64> = case.logits.iter().map(|&z| z.into()).collect();
            assert!(z.iter().all(|z| z.abs() <= 1e4), "{}", case.name);
            let row = case.row();
            assert_eq!(row.classes(), case.classes());
            assert_eq!(row.values()[case.y].nearest::<f64>(), 1.0, "{}", case.name);
            let loss = oracle::loss(&case.logits, &row).nearest::<f64>();
            assert!(loss >= 0.0, "{}: {loss}", case.name);
            zero += u32::from(loss == 0.0);
            tiny += u32::from(loss > 0.0 && loss < 1e-6);
            large += u32::from(loss > 60.0);
        }
        // With easy cases, most losses would be of the order of 1.
        assert!(zero >= 36 && tiny >= 36 && large >= 24, "{zero} zero, {tiny} tiny, {large} large");
    }

    #[test]
    fn cases_are_valid_and_hard() {
        check::<f32>();
        check::<f64>();
    }

    #[test]
    fn seeds_differ_and_repeat() {
        let first = |seed| hard::<f32>(seed, 20).collect::<Vec<_>>();
        assert_eq!(first(3), first(3));
        assert_ne!(first(3)[7].logits, first(4)[7].logits);
    }

    #[test]
    fn inputs_are_named_beyond_doubt() {
        assert_eq!(decimal_and_bits(&[1.0_f32, -0.1]), "1.0 (0x3f800000), -0.1 (0xbdcccccd)");
    }
}
