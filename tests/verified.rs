//! Proper similarities: what `Verified` accepts is proper, what it refuses is not, and each error says why.

use simloss_core::{
    Error, Label, Random,
    nalgebra::SMatrix,
    number::Scalar,
    similarity::{
        CircularTable, ClassOrder, DenseSimilarity, DenseTable, Identity, OrderTable, ProperSimilarity, Similarity,
        SparseSimilarity, Taxonomy, Verified, verification_scratch,
    },
};
use simloss_tests::{AnySimilarity, Outcome, bits, uniform};

/// The check, with as much scratch as it asks for, full of numbers.
fn verify<T: Scalar, S: Similarity<T>>(similarity: S) -> Result<Verified<S, T>, Error> {
    let mut scratch = vec![f64::NAN; verification_scratch(similarity.classes())];
    Verified::new(similarity, &mut scratch)
}

type Matrix<T> = DenseTable<T, Vec<T>>;

fn dense<T: Scalar>(classes: usize, s: impl Fn(usize, usize) -> f64) -> Result<Matrix<T>, Error> {
    let rows = vec![T::ZERO; classes * classes];
    DenseTable::in_memory(rows, classes, |i, j| if i == j { T::ONE } else { T::from_f64(s(i, j)) })
}

/// The verdict on a matrix of `f32` and of `f64`, which is one.
#[track_caller]
fn verdict(classes: usize, s: impl Fn(usize, usize) -> f64) -> Result<(), Error> {
    let narrow = verify(dense::<f32>(classes, &s)?).map(|_| ());
    let wide = verify(dense::<f64>(classes, &s)?).map(|_| ());
    assert_eq!(narrow, wide);
    wide
}

fn copy<T: Scalar>(from: &impl Similarity<T>) -> Result<Matrix<T>, Error> {
    let classes = from.classes();
    DenseTable::copy_in_memory(vec![T::ZERO; classes * classes], from, &mut vec![T::ZERO; from.scratch()])
}

fn order<T: Scalar>(classes: usize, r: T) -> Result<OrderTable<T, Vec<T>>, Error> {
    OrderTable::in_memory(vec![T::ZERO; 2 * classes - 1], classes, r)
}

const REDUCTION_FACTORS: [f64; 9] = [0.0, 0.1, 0.3, 0.5, 0.8, 0.9, 0.99, 1.0 - 1.0 / 4096.0, 1.0 - 1.0 / 1_048_576.0];

#[test]
fn class_orders_are_accepted() -> Outcome {
    for classes in [2, 3, 5, 10, 40] {
        for r in REDUCTION_FACTORS {
            let narrow = order(classes, r as f32)?;
            let vanishes = r == 0.1 && classes == 40;
            assert_eq!(narrow.is_strictly_proper(), !vanishes, "r = {r}, C = {classes}");
            let verdict = verify(copy(&narrow)?).map(|_| ());
            let expected = if vanishes { Err(Error::NotProper { class: 0 }) } else { Ok(()) };
            assert_eq!(verdict, expected, "r = {r}, C = {classes}");
            let wide = order(classes, r)?;
            assert!(ProperSimilarity::is_strictly_proper(&&wide));
            assert!(verify(copy(&wide)?)?.is_strictly_proper(), "r = {r}, C = {classes}");
        }
        // Entries of which only the complement tells that they are not 1.
        verify(order(classes, 1.0 - 2f64.powi(-45))?)?;
    }
    Ok(())
}

#[test]
fn circular_orders_are_accepted() -> Outcome {
    for classes in (2..=13).chain([24, 40]) {
        for r in REDUCTION_FACTORS {
            let table = || vec![0.0; 2 * classes - 1];
            // Powers that vanish, as in a class order: r = 0.1, 40 classes, reaches 0.1^20 only.
            verify(CircularTable::in_memory(table(), classes, r)?)?;
            verify(CircularTable::in_memory(vec![0.0f32; 2 * classes - 1], classes, r as f32)?)?;
        }
    }
    Ok(())
}

#[test]
fn equal_similarity_and_pairs_are_accepted() -> Outcome {
    for s in [0.0, 1e-30, 1e-3, 0.25, 0.5, 0.9, 1.0 - 1.0 / 8_388_608.0] {
        for classes in [2, 3, 7, 20] {
            assert_eq!(verdict(classes, |_, _| s), Ok(()), "{s}, {classes}");
        }
    }
    // As near to 0 and to 1 as an f64 is.
    for s in [f64::MIN_POSITIVE, 1.0 - f64::EPSILON / 2.0] {
        for classes in [2, 3, 7] {
            verify(dense::<f64>(classes, |_, _| s)?)?;
        }
    }
    let random = &mut Random::new(1);
    for _ in 0..200 {
        let s: f64 = random.unit();
        assert_eq!(verdict(2, |_, _| s), Ok(()), "{s}");
    }
    Ok(())
}

#[test]
fn positions_on_a_line_are_accepted() -> Outcome {
    let random = &mut Random::new(2);
    for classes in [3, 8, 20] {
        let positions: Vec<f64> = (0..classes).map(|c| c as f64 + 0.9 * random.unit::<f64>()).collect();
        for h in [0.5, 3.0, 30.0] {
            let s = |i: usize, j: usize| (-(positions[i] - positions[j]).abs() / h).exp();
            assert_eq!(verdict(classes, s), Ok(()), "{classes}, {h}");
        }
    }
    Ok(())
}

/// Random trees: as they are, and as a matrix.
#[test]
fn taxonomies_are_accepted() -> Outcome {
    let random = &mut Random::new(3);
    for round in 0..40 {
        let (classes, inner) = (2 + random.below(12), 1 + random.below(6));
        let mut parents: Vec<u16> = (0..classes).map(|_| (classes + random.below(inner)) as u16).collect();
        parents.extend((0..inner).map(|n| (classes + (n + 1 + random.below(inner - n)).min(inner - 1)) as u16));
        let mut levels: Vec<f32> = (0..inner).map(|_| random.unit()).collect();
        levels.sort_by(|a, b| b.total_cmp(a));
        levels.insert(0, 1.0);
        if round % 3 == 0 {
            levels[inner] = 0.0;
        }
        let tree = Taxonomy::new(parents, levels, classes)?;
        assert!(tree.is_strictly_proper());
        verify(copy(&tree)?)?;
        verify(tree)?;
    }
    for (within, across) in [(0.5f32, 0.0), (0.5, 0.25), (0.999_999, 0.0), (0.75, 0.75)] {
        verify(AnySimilarity::superclass(&[0, 0, 1, 1, 1, 2, 2, 0, 3], within, across)?)?;
    }
    // Two classes of similarity 1.
    let merged = Taxonomy::new([4u16, 4, 5, 5, 6, 6, 6], [1.0f32, 1.0, 0.5], 4)?;
    assert!(!merged.is_strictly_proper());
    assert_eq!(verify(merged).map(|_| ()), Err(Error::Inseparable { row: 0, column: 1 }));
    Ok(())
}

/// `exp(b (cos - 1))`.
#[test]
fn exponentials_of_cosines_are_accepted() -> Outcome {
    let random = &mut Random::new(4);
    for (classes, dimension) in [(3, 2), (8, 3), (20, 10), (40, 50)] {
        let vectors: Vec<Vec<f64>> = (0..classes)
            .map(|_| {
                let v: Vec<f64> = uniform(random, dimension, 1.0);
                let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
                v.iter().map(|x| x / norm).collect()
            })
            .collect();
        for b in [0.25, 1.0, 4.0] {
            let s = |i: usize, j: usize| {
                let cos: f64 = vectors[i.min(j)].iter().zip(&vectors[i.max(j)]).map(|(x, y)| x * y).sum();
                (b * (cos - 1.0)).exp()
            };
            assert_eq!(verdict(classes, s), Ok(()), "{classes} vectors, b = {b}");
        }
    }
    Ok(())
}

/// A hub (class 0) and `n` leaves: `r` to the hub, `r^2` between leaves.
fn star(n: usize, r: f64) -> Result<(), Error> {
    verdict(n + 1, |i, j| if i == 0 || j == 0 { r } else { r * r })
}

#[test]
fn stars_are_proper_up_to_a_number_of_leaves() {
    let r = 2f64.sqrt() - 1.0;
    assert_eq!(star(2, r), Ok(()));
    assert_eq!(star(11, r), Ok(()));
    assert_eq!(star(12, r), Err(Error::NotProper { class: 0 }));
    assert_eq!(star(20, r), Err(Error::NotProper { class: 0 }));
    // At r = 1/2, n <= 2 (1 + r) / (r (1 - r)) = 12, where the least eigenvalue is 0 exactly: rounding hides its sign.
    assert_eq!(star(11, 0.5), Ok(()));
    assert_eq!(star(12, 0.5), Err(Error::Undecided { class: 0 }));
    assert_eq!(star(13, 0.5), Err(Error::NotProper { class: 0 }));
    // The same within a few rounding errors, below and above: 4 - 2^-40 times r (1 - r) is more than 12.
    for change in [1e-9, 1e-11, 1e-12] {
        let of = |s: f64| {
            verify(dense::<f64>(13, |i, j| if i == 0 || j == 0 { 0.5 } else { s }).unwrap_or_else(|e| panic!("{e}")))
        };
        assert_eq!(of(0.25 + change).map(|_| ()), Ok(()), "{change}");
        assert_eq!(of(0.25 - change).map(|_| ()), Err(Error::NotProper { class: 0 }), "{change}");
    }
}

#[test]
fn improper_similarities_are_rejected() {
    let not = |class| Err(Error::NotProper { class });
    let near = |i: usize, j: usize| if i.abs_diff(j) == 1 { 0.5 } else { 0.0 };
    assert_eq!(verdict(3, near), not(0), "a band");
    // Without the zeros' rule: almost a band.
    let almost = |i: usize, j: usize| if i.abs_diff(j) == 1 { 0.5 } else { 1e-6 };
    assert_eq!(verdict(3, almost), not(0));
    let linear = |i: usize, j: usize| 1.0 - i.abs_diff(j) as f64 / 4.0;
    assert!(matches!(verdict(5, linear), Err(Error::NotProper { .. })), "1 - d / (C - 1)");
    let angles = [0.0f64, 30.0, 60.0];
    let plane = |i: usize, j: usize| (angles[i] - angles[j]).to_radians().cos();
    assert!(matches!(verdict(3, plane), Err(Error::NotProper { .. })), "directions in a plane");
    for classes in [5, 6, 10] {
        for h in [0.5, 1.0, 2.0, 4.0] {
            let gauss = |i: usize, j: usize| (-(i.abs_diff(j) as f64 / h).powi(2) / 2.0).exp();
            assert!(matches!(verdict(classes, gauss), Err(Error::NotProper { .. })), "C = {classes}, h = {h}");
        }
    }
    // Proper up to a number of classes.
    let steps = |classes: usize| verdict(classes, move |i, j| 1.0 - i.abs_diff(j) as f64 / classes as f64);
    assert_eq!((steps(3), steps(5), steps(10)), (Ok(()), Ok(()), Ok(())));
    assert!(matches!(steps(30), Err(Error::NotProper { .. })));
    let random = &mut Random::new(5);
    for _ in 0..50 {
        let s: Vec<f64> = (0..100).map(|_| random.unit()).collect();
        assert!(matches!(verdict(10, |i, j| s[10 * i.min(j) + i.max(j)]), Err(Error::NotProper { .. })));
    }
}

#[test]
fn other_errors_name_the_entry() -> Outcome {
    let identity_but = |entries: &[(usize, usize, f32)]| {
        let mut s = SMatrix::<f32, 4, 4>::identity();
        entries.iter().for_each(|&(i, j, x)| s[(i, j)] = x);
        verify(DenseSimilarity::new(&s)?).map(|_| ())
    };
    assert_eq!(identity_but(&[]), Ok(()));
    assert_eq!(identity_but(&[(1, 3, 0.5), (3, 1, 0.5)]), Ok(()));
    let (row, column) = (1, 3);
    assert_eq!(identity_but(&[(1, 3, 0.5)]), Err(Error::Asymmetric { row, column }));
    assert_eq!(identity_but(&[(1, 3, 0.5), (3, 1, 0.5 + f32::EPSILON)]), Err(Error::Asymmetric { row, column }));
    let nearly = [0.75, 0.75 + f32::EPSILON / 2.0];
    assert_eq!(identity_but(&[(1, 3, nearly[0]), (3, 1, nearly[1])]), Err(Error::Asymmetric { row, column }));
    assert_eq!(identity_but(&[(1, 3, 1.0), (3, 1, 1.0)]), Err(Error::Inseparable { row, column }));
    assert_eq!(identity_but(&[(1, 3, 0.0), (3, 1, 1.0)]), Err(Error::Asymmetric { row, column }));
    // S = 1 is stored as -0, S = 0 as +0: no comparison of numbers tells them apart.
    assert_eq!(identity_but(&[(3, 1, 1.0)]), Err(Error::Asymmetric { row, column }));

    let mut sparse = SparseSimilarity::<f32, 3, 2>::new()?;
    sparse.insert(Label::new(0, 3)?, Label::new(2, 3)?, 0.5)?;
    assert_eq!(verify(&sparse).map(|_| ()), Err(Error::Asymmetric { row: 0, column: 2 }));
    sparse.insert(Label::new(2, 3)?, Label::new(0, 3)?, 0.5)?;
    assert_eq!(verify(&sparse)?.similarity(), &&sparse);

    let short = Verified::new(ClassOrder::<f32, 4>::new(0.5)?, &mut [0.0; 9]);
    let (what, expected, found) = ("the scratch of a verification", 10, 9);
    assert_eq!(short, Err(Error::Length { what, expected, found }));
    assert_eq!(verification_scratch(65_535), 65_535 * 32_768);
    Ok(())
}

/// Implementations that break the rules of their trait.
struct Broken {
    classes: usize,
    diagonal: f64,
    other: f64,
}

impl Similarity<f64> for Broken {
    fn classes(&self) -> usize {
        self.classes
    }

    fn row<'a>(&'a self, _: Label, scratch: &'a mut [f64]) -> &'a [f64] {
        scratch
    }

    fn stored(&self, y: Label, c: Label) -> f64 {
        if y == c { self.diagonal } else { self.other }
    }
}

#[test]
fn broken_implementations_are_rejected() {
    let of = |classes, diagonal, other| verify(Broken { classes, diagonal, other }).map(|_| ());
    assert_eq!(of(3, -0.0, 0.25), Ok(()));
    // Below the smallest normal number an entry should be 0; products there have no relative accuracy.
    for tiny in [5e-324, -5e-324] {
        assert_eq!(of(3, -0.0, tiny), Err(Error::Undecided { class: 0 }), "{tiny}");
    }
    assert_eq!(of(1, -0.0, 0.25), Err(Error::Classes { found: 1 }));
    for wrong in [0.0, 0.5, -0.25] {
        assert_eq!(of(3, wrong, 0.25), Err(Error::Diagonal { class: 0 }), "{wrong}");
    }
    for wrong in [f64::NAN, f64::INFINITY, -1.5] {
        assert_eq!(of(3, -0.0, wrong), Err(Error::Entry { row: 0, column: 1 }), "{wrong}");
    }
}

/// `-sum p ln (S p)`, of numbers that need not sum to 1.
fn entropy(s: &[Vec<f64>], p: &[f64]) -> f64 {
    let q = s.iter().map(|row| row.iter().zip(p).map(|(s, p)| s * p).sum::<f64>());
    -p.iter().zip(q).map(|(p, q)| p * q.ln()).sum::<f64>()
}

/// Whether the entropy is seen to be convex somewhere: its second difference is clearly above 0.
fn has_convex_direction(s: &[Vec<f64>], random: &mut Random) -> bool {
    let classes = s.len();
    (0..600).any(|_| {
        let power = 1.0 + 3.0 * random.unit::<f64>();
        let mut p: Vec<f64> = (0..classes).map(|_| random.unit::<f64>().powf(power) + 1e-3).collect();
        let sum: f64 = p.iter().sum();
        p.iter_mut().for_each(|p| *p /= sum);
        let mut v: Vec<f64> = uniform(random, classes, 1.0);
        let mean = v.iter().sum::<f64>() / classes as f64;
        v.iter_mut().for_each(|v| *v -= mean);
        // Half of the way to the nearest face.
        let h = 0.5 * p.iter().zip(&v).map(|(p, v)| p / v.abs()).fold(f64::INFINITY, f64::min);
        let at = |h: f64| entropy(s, &p.iter().zip(&v).map(|(p, v)| p + h * v).collect::<Vec<_>>());
        at(h) + at(-h) - 2.0 * at(0.0) > 1e-12
    })
}

#[test]
fn the_check_agrees_with_a_search() -> Outcome {
    let random = &mut Random::new(6);
    let (mut accepted, mut refused, mut found) = (0, 0, 0);
    for round in 0..300 {
        let classes = 2 + round % 5;
        let drawn: Vec<f64> = (0..classes * classes).map(|_| random.unit()).collect();
        let entry = |i: usize, j: usize| if i == j { 1.0 } else { drawn[classes * i.min(j) + i.max(j)] };
        let s: Vec<Vec<f64>> = (0..classes).map(|i| (0..classes).map(|j| entry(i, j)).collect()).collect();
        let verdict = verdict(classes, entry);
        let convex = has_convex_direction(&s, random);
        match verdict {
            Ok(()) => accepted += 1,
            Err(Error::NotProper { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
        found += usize::from(convex);
        assert!(!(convex && verdict.is_ok()), "accepted, but convex somewhere: {s:?}");
    }
    println!("{accepted} accepted, {refused} refused, {found} of them seen");
    assert!(accepted > 100 && refused > 60 && found > refused / 2, "{accepted} {refused} {found}");
    Ok(())
}

#[track_caller]
fn stored_as_in_rows<T: Scalar>(s: &impl Similarity<T>) -> Outcome {
    let classes = s.classes();
    for y in 0..classes {
        let y = Label::new(y, classes)?;
        let mut scratch = vec![T::from_f32(9.0); s.scratch()];
        let row = s.row(y, &mut scratch).to_vec();
        let entries = (0..classes).map(|c| Ok(s.stored(y, Label::new(c, classes)?)));
        assert_eq!(bits(&entries.collect::<Result<Vec<_>, Error>>()?), bits(&row), "class {}", y.index());
    }
    // Labels of other classes are no panic.
    for y in [0, classes - 1, classes, 65_534] {
        for c in [0, classes - 1, classes, 65_534] {
            s.stored(Label::new(y, 65_535)?, Label::new(c, 65_535)?);
        }
    }
    Ok(())
}

#[test]
fn stored_entries_are_those_of_rows() -> Outcome {
    let mut sparse = SparseSimilarity::new()?;
    for (y, c, s) in [(2, 5, 0.7f32), (2, 0, 0.0), (2, 7, 1.0), (5, 2, 0.25)] {
        sparse.insert(Label::new(y, 8)?, Label::new(c, 8)?, s)?;
    }
    let cosines: Vec<f32> = uniform(&mut Random::new(7), 64, 1.0);
    let general = DenseTable::lower_bounded_in_memory(vec![0.0; 64], 8, |i, j| cosines[8 * i + j], 0.2)?;
    for s in [
        AnySimilarity::Identity(Identity::new(8)?),
        AnySimilarity::order(8, 0.8)?,
        AnySimilarity::circular(8, 0.3)?,
        AnySimilarity::circular(7, 0.9)?,
        AnySimilarity::Dense(general),
        AnySimilarity::superclass(&[0, 0, 1, 1, 1, 2, 2, 0], 0.75, 0.125)?,
        AnySimilarity::Sparse(sparse),
    ] {
        stored_as_in_rows(&s)?;
        stored_as_in_rows(&&s)?;
    }
    stored_as_in_rows(&ClassOrder::<f64, 9>::new(0.6)?)?;
    let tree = Taxonomy::new([6u16, 6, 7, 8, 8, 9, 7, 9, 9, 9], [1.0f32, 0.9, 0.4, 0.1], 6)?;
    stored_as_in_rows(&tree)?;
    stored_as_in_rows(&verify(tree)?)
}

/// The number of classes stays in the type, the type of the numbers is inferred.
#[test]
fn a_verified_matrix_is_a_similarity() -> Outcome {
    fn strictly_proper<T: Scalar>(s: impl ProperSimilarity<T>) -> bool {
        s.is_strictly_proper()
    }
    let matrix = DenseSimilarity::new(&SMatrix::<f32, 2, 2>::new(1.0, 0.75, 0.75, 1.0))?;
    let verified = Verified::new(matrix, &mut [0.0; verification_scratch(2)])?;
    fn classes<S: Similarity<f32>>(_: &S) -> Option<usize> {
        S::CLASSES
    }
    assert_eq!((classes(&verified), verified.classes(), verified.scratch()), (Some(2), 2, 0));
    let (a, b) = (Label::new(0, 2)?, Label::new(1, 2)?);
    assert_eq!((verified.get(a, b, &mut [])?, verified.stored(a, b)), (0.75, -0.25));
    assert_eq!(verified.row(a, &mut []), matrix.row(a, &mut []));
    let borrowed = &verified;
    assert!(strictly_proper(verified) && strictly_proper(borrowed) && strictly_proper::<f32>(Identity::new(3)?));
    // Nothing is nearer than the smallest number: every power is stored as 0, which is the identity.
    assert!(order(5, 1e-40f32)?.is_strictly_proper());
    assert!(!order(5, 1e-20f32)?.is_strictly_proper());
    Ok(())
}
