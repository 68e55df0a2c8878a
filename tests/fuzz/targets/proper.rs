#![no_main]
//! Proper SimLoss and squared EMD against the oracle: loss and gradient within the bounds of `simloss-bench`, or a typed
//! error; a matrix of any numbers is first checked to be proper.
use libfuzzer_sys::fuzz_target;
use simloss_bench::{
    bounds::{Bound, Quantity},
    cases::proper::{Case, Similarity},
    exact::Exact,
    oracle::{self, GradientEntry},
    real::power_of_two,
    subject::{Answer, Proper, proper, squared_emd},
    ulp,
};
use simloss_core::similarity::{self, Verified, verification_scratch};
use simloss_fuzz::{Bytes, Drawn, below_one, near};

/// Whether a power is in range: those that the core stores as 0 are another matrix, see `simloss_bench::cases::proper`.
fn in_range<T: Drawn>(r: T, power: usize) -> bool {
    let power = (0..power).fold(1.0, |power, _| power * r.into());
    power >= power_of_two(T::SCALAR.normal_exponent() + 16)
}

fn case<T: Drawn>(mut bytes: Bytes<'_>) -> Case<T> {
    let [kind, most, y] = bytes.take();
    let mut classes = 2 + usize::from(most) % if kind & 0x80 == 0 { 12 } else { 120 };
    let mut number = || below_one(T::drawn(&mut bytes));
    let similarity = match kind % 5 {
        0 => Similarity::Identity,
        1 => {
            let r = number();
            while classes > 2 && !in_range(r, classes - 1) {
                classes -= 1;
            }
            Similarity::Order(if in_range(r, 1) { r } else { T::ZERO })
        }
        2 => {
            let r = number();
            classes = classes.min(24);
            while classes > 3 && !in_range(r, classes / 2) {
                classes -= 1;
            }
            Similarity::Circular(if in_range(r, 1) { r } else { T::ZERO })
        }
        3 => {
            let size = 1 + usize::from(kind >> 4 & 3);
            let mut levels = vec![number(), number(), number()];
            levels.sort_by(|a, b| b.partial_cmp(a).expect("numbers"));
            let grouping = |size: usize| (0..classes).map(|c| c / size).collect();
            Similarity::Groups { groupings: vec![grouping(size), grouping(2 * size), grouping(classes)], levels }
        }
        _ => {
            classes = classes.min(8);
            let mut entries = vec![T::ONE; classes * classes];
            for i in 0..classes {
                for j in 0..i {
                    let s = number();
                    (entries[i * classes + j], entries[j * classes + i]) = (s, s);
                }
            }
            Similarity::Dense(entries)
        }
    };
    let logits = (0..classes).map(|_| near(T::drawn(&mut bytes))).collect();
    Case { name: "drawn".to_owned(), logits, y: usize::from(y) % classes, similarity }
}

fn is_proper<T: Drawn>(similarity: impl similarity::Similarity<T>) -> bool {
    let mut scratch = vec![0.0; verification_scratch(similarity.classes())];
    Verified::new(similarity, &mut scratch).is_ok()
}

fn hold<T: Drawn>(
    case: &Case<T>,
    [of_loss, of_gradient]: [Quantity; 2],
    answer: &Answer<T>,
    (loss, gradient): &(Exact, Vec<GradientEntry>),
) {
    let bound = Bound::of(of_loss, T::SCALAR);
    let distance = ulp::distance(answer.loss, loss);
    assert!(bound.holds(distance), "{} {distance} ulp: {case}", of_loss.name());
    assert!(answer.loss >= T::ZERO, "{case}");
    let bound = Bound::of(of_gradient, T::SCALAR);
    for (k, (&got, exact)) in answer.gradient.iter().zip(gradient).enumerate() {
        let distance = ulp::gradient_distance(got, exact, bound.floor);
        let name = of_gradient.name();
        assert!(bound.holds(distance), "{name} {distance} ulp, class {k}: {got} for {}: {case}", exact.value);
    }
}

fn judge<T: Drawn>(bytes: Bytes<'_>) {
    let case = case::<T>(bytes);
    let built = Proper::new(&case).expect("a similarity");
    let is_proper = match built {
        Proper::Circular(s) => is_proper(s.0),
        Proper::Dense(s) => is_proper(s.0),
        Proper::Identity(_) | Proper::Order(_) | Proper::Taxonomy(_) => true,
    };
    let (answer, emd) = match (proper(&case), squared_emd(&case)) {
        (Ok(answer), Ok(emd)) => (answer, emd),
        (answer, emd) => {
            assert!(answer.is_err() && emd.is_err(), "{case}");
            let finite = case.logits.iter().all(|&z| Into::<f64>::into(z).is_finite());
            assert!(!finite, "{answer:?}: {case}");
            return;
        }
    };
    let exact = oracle::squared_emd::loss_and_gradient(&case.logits, case.y);
    hold(&case, [Quantity::SquaredEmd, Quantity::SquaredEmdGradient], &emd, &exact);
    if is_proper {
        let exact = oracle::proper::loss_and_gradient(&case.logits, case.y, &case.matrix());
        hold(&case, [Quantity::ProperLoss, Quantity::ProperGradient], &answer, &exact);
    }
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let [wide] = bytes.take();
    if wide & 1 == 1 { judge::<f64>(bytes) } else { judge::<f32>(bytes) }
});
