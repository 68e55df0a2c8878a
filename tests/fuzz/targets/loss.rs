#![no_main]
//! The loss against the oracle: loss and gradient within the bounds of `simloss-bench`, or a typed error.
use libfuzzer_sys::fuzz_target;
use simloss_bench::{
    bounds::{Bound, Quantity},
    cases::{Case, Similarity},
    oracle,
    subject::{cross_entropy, simloss},
    ulp,
};
use simloss_fuzz::{Bytes, Drawn, below_one, near};

fn case<T: Drawn>(mut bytes: Bytes<'_>) -> Case<T> {
    let [kind, classes, y] = bytes.take();
    let classes = 2 + usize::from(classes) % if kind & 0x80 == 0 { 12 } else { 120 };
    let y = usize::from(y) % classes;
    let mut entries = |signed: bool| -> Vec<T> {
        let mut all: Vec<T> = (0..classes)
            .map(|_| {
                let raw = T::drawn(&mut bytes);
                let value = below_one(raw);
                if signed && raw < T::ZERO { T::ZERO.sub(value) } else { value }
            })
            .collect();
        all[y] = T::ONE;
        all
    };
    let similarity = match kind % 5 {
        0 => Similarity::Identity,
        1 => Similarity::Order(below_one(T::drawn(&mut bytes))),
        2 => Similarity::Circular(below_one(T::drawn(&mut bytes))),
        3 => Similarity::Entries(entries(false)),
        _ => {
            let measures = entries(true);
            Similarity::General(measures, below_one(T::drawn(&mut bytes)))
        }
    };
    let logits = (0..classes).map(|_| near(T::drawn(&mut bytes))).collect();
    Case { name: "drawn".to_owned(), logits, y, similarity }
}

fn judge<T: Drawn>(bytes: Bytes<'_>) {
    let case = case::<T>(bytes);
    let answer = match simloss(&case) {
        Ok(answer) => answer,
        Err(error) => {
            let finite = case.logits.iter().all(|&z| Into::<f64>::into(z).is_finite());
            assert!(!finite, "{error}: {case}");
            return;
        }
    };
    let (loss, gradient) = oracle::loss_and_gradient(&case.logits, &case.row());
    let bound = Bound::of(Quantity::Loss, T::SCALAR);
    let distance = ulp::distance(answer.loss, &loss);
    assert!(bound.holds(distance), "loss {distance} ulp: {case}");
    let bound = Bound::of(Quantity::Gradient, T::SCALAR);
    for (k, (&got, exact)) in answer.gradient.iter().zip(&gradient).enumerate() {
        let distance = ulp::gradient_distance(got, exact, bound.floor);
        assert!(bound.holds(distance), "gradient {distance} ulp, class {k}: {case}");
    }
    assert!(answer.loss >= T::ZERO, "{case}");
    if case.similarity == Similarity::Identity {
        assert_eq!(cross_entropy(&case).expect("as SimLoss").bits(), answer.bits(), "{case}");
    }
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let [wide] = bytes.take();
    if wide & 1 == 1 { judge::<f64>(bytes) } else { judge::<f32>(bytes) }
});
