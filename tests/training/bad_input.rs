//! Bad input leaves the model alone.

use super::{CLASSES, Data, buffered, hidden, image, in_place, linear, network, serial};
use simloss_core::{
    Error, Label,
    layers::Layer,
    loss::Reduction,
    number::Value,
    optimizer::{Adam, Momentum, Sgd},
    train::{Batch, RowMajor, train_step},
};
use simloss_tests::{
    Outcome, State, labels,
    lanes::{Array, Token},
};

/// What a bad batch is, and the error it gets.
fn refused_batches() -> Result<Vec<(&'static str, Data, Error)>, Error> {
    let good = || Data::draw(40, 11);
    let features = |sample| Error::NotFinite { what: "the features", sample };
    let mut cases = vec![];
    for (what, bad) in [("NaN", f32::NAN), ("infinity", f32::INFINITY), ("-infinity", f32::NEG_INFINITY)] {
        let mut data = good()?;
        data.features[36 * 33 + 20] = bad;
        cases.push((what, data, features(33)));
    }
    // Of an ignored sample as well: 0 times NaN is NaN.
    let mut data = good()?;
    assert_eq!(data.truth[3], None);
    data.features[36 * 3] = f32::NAN;
    cases.push(("NaN in an ignored sample", data, features(3)));
    let mut data = good()?;
    data.truth.pop();
    cases.push(("a label too few", data, Error::Length { what: "the labels", expected: 40, found: 39 }));
    let mut data = good()?;
    data.truth[39] = Some(Label::new(3, 4)?);
    cases.push(("a label of others", data, Error::Length { what: "the classes of a label", expected: 3, found: 4 }));
    let mut data = good()?;
    data.weights[20] = -1.0;
    cases.push(("a negative weight", data, Error::Weight { what: "the sample weights", index: 20 }));
    let mut data = good()?;
    data.truth.fill(None);
    cases.push(("no label", data, Error::Empty));
    let mut data = good()?;
    data.weights.fill(0.0);
    cases.push(("no weight", data, Error::Empty));
    let mut data = good()?;
    data.weights.fill(1e-42);
    cases.push(("weights that vanish", data, Error::Setting { what: "the sum of the weights, a normal number" }));
    let mut data = good()?;
    data.weights.fill(3e38);
    cases.push(("weights that overflow", data, Error::Setting { what: "the sum of the weights, a normal number" }));
    Ok(cases)
}

/// A batch after some good ones, in the lanes of `V`: everything as before it.
fn leaves_alone<V: Value<Scalar = f32>>(t: V::Token) -> Outcome {
    let (layers, adam) = (image(), Adam::new(0.01)?);
    let network = network(layers)?;
    let good = Data::draw(40, 12)?;
    serial::<V, _, _, Outcome>(t, &network, |engine| {
        for (what, data, expected) in refused_batches()? {
            let mut state = State::new::<_, Adam<f32>>(&layers, 13);
            buffered(engine, &adam, &mut state, &good, Reduction::MeanByWeight)?;
            let before = state.bits();
            let losses = &mut vec![0.0; 40][..];
            let features = &RowMajor::new(&data.features, 36)?;
            let batch = Batch { features, targets: data.targets(), reduction: Reduction::MeanByWeight, losses };
            let mut gradient = vec![0.0; state.parameters.len()];
            let got = train_step(engine, &adam, state.model(), &mut gradient, batch);
            assert_eq!(got, Err(expected), "{what} in {} lanes", V::WIDTH);
            assert_eq!(state.bits(), before, "{what} in {} lanes", V::WIDTH);
            // And nothing is left behind that a good batch would see.
            let mut other = state.clone();
            let a = buffered(engine, &adam, &mut state, &good, Reduction::MeanByWeight)?;
            let b = serial::<f32, _, _, _>((), engine.network, |fresh| {
                buffered(fresh, &adam, &mut other, &good, Reduction::MeanByWeight)
            })?;
            assert_eq!((a, state.bits()), (b, other.bits()), "after {what}");
        }
        Ok(())
    })
}

#[test]
fn a_rejected_batch_leaves_the_model_alone() -> Outcome {
    leaves_alone::<f32>(())?;
    leaves_alone::<Array<f32, 4>>(Token::new())
}

#[test]
fn a_rejected_sample_leaves_the_model_alone() -> Outcome {
    let (layers, optimizer) = (hidden(), Momentum::new(0.1, 0.9)?);
    let network = network(layers)?;
    let good = Data::draw(1, 14)?;
    serial::<f32, _, _, Outcome>((), &network, |engine| {
        for (what, data, expected) in refused_batches()? {
            // The sample that is bad; none where the batch is.
            let sample = match expected {
                Error::NotFinite { sample, .. } => sample,
                Error::Weight { index, .. } => index,
                Error::Length { what: "the classes of a label", .. } => 39,
                _ => 0,
            };
            let one = data.part(sample, 1);
            let expected = match expected {
                // An ignored sample alone is nothing to average, which is seen first.
                Error::NotFinite { sample: 3, .. } => Error::Empty,
                Error::NotFinite { what, .. } => Error::NotFinite { what, sample: 0 },
                Error::Weight { what, .. } => Error::Weight { what, index: 0 },
                Error::Length { what: "the labels", .. } => continue,
                Error::Setting { .. } if one.weights[0] > 1.0 => continue, // alone it does not overflow
                other => other,
            };
            let mut state = State::new::<_, Momentum<f32>>(&layers, 15);
            in_place(engine, &optimizer, &mut state, &good, Reduction::MeanByWeight)?;
            let before = state.bits();
            let got = in_place(engine, &optimizer, &mut state, &one, Reduction::MeanByWeight);
            assert_eq!(got, Err(expected), "{what}");
            assert_eq!(state.bits(), before, "{what}");
        }
        Ok(())
    })
}

/// Parameters that have run away: the logits are refused before they reach a gradient.
#[test]
fn logits_that_overflow_leave_the_model_alone() -> Outcome {
    fn check<V: Value<Scalar = f32>>(t: V::Token, huge: f32) -> Outcome {
        let (layers, momentum) = (hidden(), Momentum::new(0.1, 0.9)?);
        let network = network(layers)?;
        let data = Data::draw(20, 16)?;
        let mut state = State::new::<_, Momentum<f32>>(&layers, 17);
        state.parameters.iter_mut().for_each(|w| *w = w.signum() * huge);
        state.moments.fill(0.5);
        state.steps = 7;
        let before = state.bits();
        let got = serial::<V, _, _, _>(t, &network, |engine| {
            buffered(engine, &momentum, &mut state, &data, Reduction::MeanByWeight)
        });
        assert!(matches!(got, Err(Error::NotFinite { what: "the logits", .. } | Error::Spread { .. })), "{got:?}");
        assert_eq!(state.bits(), before);
        let one = data.part(0, 1);
        let got = serial::<f32, _, _, _>((), &network, |engine| {
            in_place(engine, &momentum, &mut state, &one, Reduction::MeanByWeight)
        });
        assert!(matches!(got, Err(Error::NotFinite { what: "the logits", .. } | Error::Spread { .. })), "{got:?}");
        assert_eq!(state.bits(), before);
        Ok(())
    }
    for huge in [1e20, 3e38, f32::INFINITY, f32::NAN] {
        check::<f32>((), huge)?;
        check::<Array<f32, 16>>(Token::new(), huge)?;
    }
    Ok(())
}

/// One NaN in a first layer must come through relu and pool to the logits: a comparison would turn it into 0.
#[test]
fn a_nan_parameter_is_found_behind_relu_and_pool() -> Outcome {
    fn check<N: Layer<f32>>(layers: N, bad: f32) -> Outcome {
        let network = network(layers)?;
        let data = Data::draw(1, 25)?;
        for parameter in [0, 1] {
            let mut state = State::new::<N, Sgd<f32>>(&layers, 26);
            state.parameters[parameter] = bad;
            let before = state.bits();
            let got = serial::<f32, _, _, _>((), &network, |engine| {
                buffered(engine, &Sgd::new(0.1)?, &mut state, &data, Reduction::MeanByWeight)
            });
            assert_eq!(got, Err(Error::NotFinite { what: "the logits", sample: 0 }), "{bad}");
            assert_eq!(state.bits(), before);
        }
        Ok(())
    }
    check(hidden(), f32::NAN)?;
    check(image(), f32::NAN)?;
    // An infinite weight makes sums infinite of one sign; the pool could pick the other.
    check(image(), f32::NEG_INFINITY)
}

/// Finite logits, and a sum over samples that is not: the step is rejected and the model kept.
#[test]
fn a_gradient_that_overflows_leaves_the_model_alone() -> Outcome {
    let layers = linear();
    let network = network(layers)?;
    let mut data = Data::draw(16, 18)?;
    data.truth = labels(&[Some(0); 16], CLASSES)?;
    data.features.fill(0.0);
    data.features.iter_mut().step_by(36).for_each(|x| *x = 3e38);
    let mut state = State::new::<_, Adam<f32>>(&layers, 19);
    state.parameters.fill(0.0);
    let before = state.bits();
    let got = serial::<f32, _, _, _>((), &network, |engine| {
        buffered(engine, &Adam::new(0.1)?, &mut state, &data, Reduction::Sum)
    });
    assert_eq!(got, Err(Error::NotFinite { what: "the gradients", sample: 0 }));
    assert_eq!(state.bits(), before);
    Ok(())
}
