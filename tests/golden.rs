//! The core against PyTorch: the values of `golden/loss.json`, `golden/layers.json` and `golden/optimizers.json`.
//!
//! Each case runs in `f64`, `f32`, and in lanes of both, against one expectation. The reasons of the tolerances stand
//! with [`Tolerance`]; what the files call exact is compared with `==`.

use serde::Deserialize;
use simloss_bench::{
    bounds::{Bound, Quantity},
    real::Real,
    subject::Number,
};
use simloss_core::{
    Error,
    layers::{Conv2d, Dense, Layer, MaxPool, Relu},
    loss::{Criterion, CrossEntropy, Loss, Reduction, SimLoss, Targets, Truth},
    number::{Scalar, Value},
    optimizer::{Adam, DecoupledDecay, L2, Momentum, Optimizer, Sgd, apply},
    similarity::Identity,
};
use simloss_tests::{
    AnySimilarity, Evaluated, Outcome, Passes, bits, doubles, each_in, golden_cases, labels,
    lanes::{Array, Token},
    passes, reduce_in,
    reference::simloss,
    scalars,
};

/// How far a result may be from its golden value, relative to a magnitude that each comparison names.
///
/// `f64`: 1e-13. The expectations themselves are confirmed to 2e-14, and weights, smoothing and means round a dozen
/// times more. `f32`: 2^-20, 8 to 16 units in the last place: at most 6 for the loss or gradient of a sample (bounds of
/// `docs/numerics.md`), half of one for each rounding after it: two weights, three for the smoothed target, two sums,
/// two for the mean. Layers add up to 54 products, whose roundings partly cancel.
trait Tolerance: Number {
    const RELATIVE: f64;
}

impl Tolerance for f32 {
    const RELATIVE: f64 = 1.0 / 1_048_576.0;
}

impl Tolerance for f64 {
    const RELATIVE: f64 = 1e-13;
}

/// Refuses a number that differs by more than the tolerance times `magnitude`.
#[track_caller]
fn close<T: Tolerance>(what: &str, got: T, expected: f64, magnitude: f64) {
    let got = got.to_f64();
    let near = (got - expected).abs() <= T::RELATIVE * magnitude;
    assert!(near, "{what}: {got:e} for {expected:e} of a magnitude of {magnitude:e}");
}

// ------------------------------------------------------------------------------------------------------------ the loss

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LossCase {
    name: String,
    kind: String,
    n: usize,
    classes: usize,
    logits: Vec<f64>,
    similarity_kind: Option<String>,
    r: Option<f64>,
    similarity: Option<Vec<f64>>,
    labels: Option<Vec<Option<usize>>>,
    soft_targets: Option<Vec<f64>>,
    class_weights: Option<Vec<f64>>,
    sample_weights: Option<Vec<f64>>,
    label_smoothing: f64,
    reduction: String,
    expected: Option<Expected>,
    gradient: Option<Vec<f64>>,
}

/// One number, or with the reduction `none` one for each sample.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Expected {
    Reduced(f64),
    Each(Vec<f64>),
}

fn loss_cases() -> Result<Vec<LossCase>, serde_json::Error> {
    golden_cases(include_str!("golden/loss.json"))
}

/// The similarity of a case by its own constructor, and for a matrix of two similarities also as a taxonomy.
fn similarities<T: Scalar>(case: &LossCase) -> Result<Vec<AnySimilarity<T>>, Error> {
    let classes = case.classes;
    let (Some(kind), Some(matrix)) = (&case.similarity_kind, &case.similarity) else { return Ok(vec![]) };
    let dense = AnySimilarity::dense(classes, &scalars::<T>(matrix))?;
    let r = T::from_f64(case.r.unwrap_or(f64::NAN));
    Ok(match kind.as_str() {
        "order" => vec![AnySimilarity::order(classes, r)?],
        "circular" => vec![AnySimilarity::circular(classes, r)?],
        "identity" => vec![AnySimilarity::Identity(Identity::new(classes)?), dense],
        "superclass" => vec![superclass(classes, matrix)?, dense],
        "dense" => vec![dense],
        other => panic!("{}: a similarity of the kind {other}", case.name),
    })
}

/// The taxonomy behind a matrix of superclasses: one group is where the similarity is the largest below 1.
fn superclass<T: Scalar>(classes: usize, matrix: &[f64]) -> Result<AnySimilarity<T>, Error> {
    let others =
        || (0..classes).flat_map(|i| (0..classes).filter(move |&j| j != i).map(move |j| matrix[i * classes + j]));
    let (within, across) = (others().fold(0.0, f64::max), others().fold(1.0, f64::min));
    let first_of = |i: usize| (0..classes).position(|j| i == j || matrix[i * classes + j] == within).unwrap_or(i);
    let groups: Vec<usize> = (0..classes).map(first_of).collect();
    AnySimilarity::superclass(&groups, T::from_f64(within), T::from_f64(across))
}

/// A case with one loss in the lanes of `V`.
fn evaluate<V: Value<Scalar: Tolerance>>(t: V::Token, case: &LossCase, loss: impl Loss<V::Scalar>) -> Outcome {
    let class_weights = case.class_weights.as_deref().map(scalars::<V::Scalar>);
    let sample_weights = case.sample_weights.as_deref().map(scalars::<V::Scalar>);
    let soft = case.soft_targets.as_deref().map(scalars::<V::Scalar>);
    let hard = case.labels.as_deref().map(|y| labels(y, case.classes)).transpose()?;
    let truth = match (&hard, &soft) {
        (Some(hard), None) => Truth::Labels(hard),
        (None, Some(soft)) => Truth::Soft(soft),
        _ => panic!("{}: labels or soft targets", case.name),
    };
    let targets = Targets { truth, sample_weights: sample_weights.as_deref() };
    let criterion = Criterion::new(loss).with_label_smoothing(V::Scalar::from_f64(case.label_smoothing))?;
    let criterion = match &class_weights {
        Some(weights) => criterion.with_class_weights(weights)?,
        None => criterion,
    };
    let logits = scalars::<V::Scalar>(&case.logits);
    assert_eq!(logits.len(), case.n * case.classes);

    let what =
        |part: &str| format!("{} in {} lanes of {}: {part}", case.name, V::WIDTH, std::any::type_name::<V::Scalar>());
    let reduction = match case.reduction.as_str() {
        "mean_by_weight" => Some(Reduction::MeanByWeight),
        "mean_by_count" => Some(Reduction::MeanByCount),
        "sum" => Some(Reduction::Sum),
        "none" => None,
        other => panic!("{}: a reduction {other}", case.name),
    };
    let evaluated = match reduction {
        Some(reduction) => reduce_in::<V, _>(t, &criterion, reduction, &logits, &targets),
        None => each_in::<V, _>(t, &criterion, &logits, &targets),
    };
    let (Some(expected), Some(gradient)) = (&case.expected, &case.gradient) else {
        assert_eq!(evaluated, Err(Error::Empty), "{}", what("a mean over nothing"));
        return Ok(());
    };
    let evaluated = evaluated?;
    let expected = match expected {
        Expected::Reduced(expected) => std::slice::from_ref(expected),
        Expected::Each(expected) => expected,
    };
    assert_eq!((evaluated.losses.len(), evaluated.gradient.len()), (expected.len(), gradient.len()));
    for (i, (&loss, &expected)) in evaluated.losses.iter().zip(expected).enumerate() {
        close(&what(&format!("loss {i}")), loss, expected, expected);
    }
    let floor = Bound::of(Quantity::Gradient, V::Scalar::SCALAR).floor;
    for (i, magnitudes) in gradient_magnitudes(case)?.chunks(case.classes).enumerate() {
        for (k, &magnitude) in magnitudes.iter().enumerate() {
            let at = i * case.classes + k;
            let magnitude = magnitude + floor / V::Scalar::RELATIVE;
            close(
                &what(&format!("gradient of sample {i}, class {k}")),
                evaluated.gradient[at],
                gradient[at],
                magnitude,
            );
        }
    }
    Ok(())
}

/// What the error of each entry of a case's gradient is relative to: the sum of its terms before they cancel.
fn gradient_magnitudes(case: &LossCase) -> Result<Vec<f64>, Error> {
    let classes = case.classes;
    let similarity = match similarities::<f64>(case)?.pop() {
        Some(similarity) => similarity,
        None => AnySimilarity::Identity(Identity::new(classes)?),
    };
    let weight = |weights: &Option<Vec<f64>>, k: usize| weights.as_ref().map_or(1.0, |weights| weights[k]);
    let target = |i: usize, y: usize| match (&case.soft_targets, &case.labels) {
        (Some(soft), _) => soft[i * classes + y],
        (None, Some(labels)) if labels[i] == Some(y) => 1.0,
        _ => 0.0,
    };
    let kept: Vec<usize> = (0..case.n).filter(|&i| case.labels.as_ref().is_none_or(|y| y[i].is_some())).collect();
    let of_sample = |i| weight(&case.sample_weights, i);
    let of_target = |i| (0..classes).map(|y| weight(&case.class_weights, y) * target(i, y)).sum::<f64>();
    let omega = match case.reduction.as_str() {
        "mean_by_weight" => kept.iter().map(|&i| of_sample(i) * of_target(i)).sum(),
        "mean_by_count" => kept.len() as f64,
        _ => 1.0,
    };
    let mut magnitudes = vec![0.0; case.n * classes];
    for &i in &kept {
        for y in 0..classes {
            let smoothed = (1.0 - case.label_smoothing) * target(i, y) + case.label_smoothing / classes as f64;
            let weight = of_sample(i) * weight(&case.class_weights, y) * smoothed / omega;
            let sample = simloss(&case.logits[i * classes..][..classes], &similarity.stored_row(y)?);
            (0..classes).for_each(|k| magnitudes[i * classes + k] += weight * sample.terms(k));
        }
    }
    Ok(magnitudes)
}

fn losses<V: Value<Scalar: Tolerance>>(t: V::Token) -> Outcome {
    let cases = loss_cases()?;
    assert!(cases.len() >= 31);
    for case in &cases {
        let similarities = similarities::<V::Scalar>(case)?;
        assert_eq!(case.kind == "simloss", !similarities.is_empty(), "{}", case.name);
        if similarities.is_empty() {
            evaluate::<V>(t, case, CrossEntropy::new(case.classes)?)?;
        }
        for similarity in &similarities {
            evaluate::<V>(t, case, SimLoss::new(similarity))?;
        }
    }
    Ok(())
}

#[test]
fn losses_in_f64() -> Outcome {
    losses::<f64>(())?;
    losses::<Array<f64, 4>>(Token::new())
}

#[test]
fn losses_in_f32() -> Outcome {
    losses::<f32>(())?;
    losses::<Array<f32, 4>>(Token::new())
}

#[test]
fn order_without_reduction_is_cross_entropy() -> Outcome {
    let cases = loss_cases()?;
    let of = |name: &str| cases.iter().find(|case| case.name == name).ok_or(format!("no case {name}"));
    let (cross_entropy, order) = (of("cce_shared_with_order_0")?, of("order_0_is_cce")?);
    let y = labels(cross_entropy.labels.as_deref().unwrap_or_default(), cross_entropy.classes)?;
    assert_eq!((&cross_entropy.logits, &cross_entropy.labels), (&order.logits, &order.labels));
    let (logits, targets) = (scalars::<f32>(&order.logits), Targets::labels(&y));
    let first = Criterion::new(CrossEntropy::new(cross_entropy.classes)?);
    let second = Criterion::new(SimLoss::new(AnySimilarity::order(order.classes, 0.0f32)?));
    let Evaluated { losses, gradient } = reduce_in::<f32, _>((), &first, Reduction::MeanByWeight, &logits, &targets)?;
    let same = reduce_in::<f32, _>((), &second, Reduction::MeanByWeight, &logits, &targets)?;
    assert_eq!((bits(&losses), bits(&gradient)), (bits(&same.losses), bits(&same.gradient)));
    Ok(())
}

// ---------------------------------------------------------------------------------------------------------- the layers

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LayerCase {
    name: String,
    kind: String,
    exact: bool,
    n: usize,
    dims: Option<Dims>,
    layers: Option<Vec<Named>>,
    input_shape: Vec<usize>,
    output_shape: Vec<usize>,
    input: Vec<f64>,
    parameters: Vec<f64>,
    dy: Vec<f64>,
    output: Vec<f64>,
    dx: Vec<f64>,
    dparameters: Vec<f64>,
}

#[derive(Debug, Deserialize)]
struct Named {
    kind: String,
    #[serde(flatten)]
    dims: Dims,
}

/// The sizes of a layer of any kind; those of other kinds are 0.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Dims {
    inputs: usize,
    outputs: usize,
    in_channels: usize,
    out_channels: usize,
    kernel: usize,
    channels: usize,
    height: usize,
    width: usize,
    size: usize,
}

impl Dims {
    fn dense(self) -> Dense {
        Dense::new(self.inputs, self.outputs)
    }

    fn conv(self) -> Conv2d {
        let Dims { in_channels, out_channels, kernel, height, width, .. } = self;
        Conv2d { channels: in_channels, height, width, outputs: out_channels, kernel }
    }

    fn pool(self) -> MaxPool {
        MaxPool::new(self.channels, self.height, self.width)
    }
}

/// A case in the lanes of `V`.
fn layer<V: Value<Scalar: Tolerance>, N: Layer<V::Scalar>>(t: V::Token, case: &LayerCase, layer: N) {
    let [parameters, x, dy] = [&case.parameters, &case.input, &case.dy].map(|numbers| scalars::<V::Scalar>(numbers));
    let inputs: usize = case.input_shape.iter().product();
    let outputs: usize = case.output_shape.iter().product();
    assert_eq!((layer.shape().inputs, layer.shape().outputs), (inputs, outputs), "{}", case.name);
    assert_eq!(x.len(), case.n * inputs, "{}", case.name);
    let found = passes::<V, N>(t, layer, &parameters, &x, &dy);
    compare(case, V::WIDTH, &found);
}

fn compare<T: Tolerance>(case: &LayerCase, lanes: usize, found: &Passes<T>) {
    let parts = [
        ("y", &found.y, &case.output),
        ("dx", &found.dx, &case.dx),
        ("parameters", &found.dparameters, &case.dparameters),
    ];
    for (part, found, expected) in parts {
        let what = format!("{} in {lanes} lanes of {}: {part}", case.name, std::any::type_name::<T>());
        if case.exact {
            assert_eq!(&doubles(found), expected, "{what}");
        } else {
            // Sums of products of either sign: relative to the largest of the array.
            let magnitude = expected.iter().fold(0.0, |most, x| x.abs().max(most));
            assert_eq!(found.len(), expected.len(), "{what}");
            found.iter().zip(expected).for_each(|(&got, &expected)| close(&what, got, expected, magnitude));
        }
    }
}

/// A relu alone: over a dense layer that passes its inputs on.
fn relu<V: Value<Scalar: Tolerance>>(t: V::Token, case: &LayerCase, size: usize) {
    let identity =
        (0..size).flat_map(|o| (0..size).map(move |i| if i == o { 1.0 } else { 0.0 })).chain(vec![0.0; size]);
    let parameters = scalars::<V::Scalar>(&identity.collect::<Vec<f64>>());
    let relu: Relu<Dense> = Layer::<V::Scalar>::relu(Dense::new(size, size));
    let [x, dy] = [&case.input, &case.dy].map(|numbers| scalars::<V::Scalar>(numbers));
    let Passes { y, dx, dparameters } = passes::<V, _>(t, relu, &parameters, &x, &dy);
    // The gradient of the biases is the masked gradient, summed over the samples.
    let biases: Vec<f64> = (0..size).map(|k| case.dx.iter().skip(k).step_by(size).sum()).collect();
    assert_eq!(doubles(&dparameters[size * size..]), biases, "{}", case.name);
    assert!(case.exact && case.dparameters.is_empty());
    compare(case, V::WIDTH, &Passes { y, dx, dparameters: vec![] });
}

fn layers<V: Value<Scalar: Tolerance>>(t: V::Token) -> Outcome {
    let cases: Vec<LayerCase> = golden_cases(include_str!("golden/layers.json"))?;
    assert!(cases.len() >= 20);
    for case in &cases {
        let dims = case.dims.unwrap_or_default();
        match case.kind.as_str() {
            "dense" => layer::<V, _>(t, case, dims.dense()),
            "conv2d" => layer::<V, _>(t, case, dims.conv()),
            "max_pool2" => layer::<V, _>(t, case, dims.pool()),
            "relu" => relu::<V>(t, case, dims.size),
            "network" => {
                let layers = case.layers.as_deref().unwrap_or_default();
                let kinds: Vec<&str> = layers.iter().map(|layer| layer.kind.as_str()).collect();
                let expected = ["conv2d", "relu", "max_pool2", "conv2d", "relu", "dense", "relu", "dense"];
                assert_eq!(kinds, expected, "{}", case.name);
                let dims: Vec<Dims> = layers.iter().map(|layer| layer.dims).collect();
                let first = then::<V, _, _>(rectified::<V, _>(dims[0].conv()), dims[2].pool());
                let second = then::<V, _, _>(rectified::<V, _>(dims[3].conv()), rectified::<V, _>(dims[5].dense()));
                // Chains grouped to the left, in the middle and to the right are one network.
                let last = dims[7].dense();
                layer::<V, _>(t, case, then::<V, _, _>(then::<V, _, _>(first, second), last));
                layer::<V, _>(t, case, then::<V, _, _>(first, then::<V, _, _>(second, last)));
            }
            other => panic!("{}: a layer of the kind {other}", case.name),
        }
    }
    Ok(())
}

fn rectified<V: Value, N: Layer<V::Scalar>>(layer: N) -> Relu<N> {
    layer.relu()
}

fn then<V: Value, A: Layer<V::Scalar>, B: Layer<V::Scalar>>(a: A, b: B) -> simloss_core::layers::Chain<A, B> {
    a.then(b)
}

#[test]
fn layers_in_f64() -> Outcome {
    layers::<f64>(())?;
    layers::<Array<f64, 2>>(Token::new())
}

#[test]
fn layers_in_f32() -> Outcome {
    layers::<f32>(())?;
    layers::<Array<f32, 16>>(Token::new())
}

// ------------------------------------------------------------------------------------------------------ the optimizers

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OptimizerCase {
    name: String,
    kind: String,
    f32_exact: bool,
    steps: usize,
    width: usize,
    rate: f64,
    momentum: Option<f64>,
    weight_decay: f64,
    beta1: Option<f64>,
    beta2: Option<f64>,
    eps: Option<f64>,
    initial: Vec<f64>,
    gradients: Vec<f64>,
    expected: Vec<f64>,
}

/// All steps of a case in the lanes of `V`.
fn follow<V: Value<Scalar: Tolerance>, O: Optimizer<V::Scalar>>(
    t: V::Token,
    case: &OptimizerCase,
    optimizer: O,
) -> Outcome {
    let mut parameters = scalars::<V::Scalar>(&case.initial);
    let mut moments = vec![V::Scalar::ZERO; O::MOMENTS * case.width];
    assert_eq!((case.gradients.len(), case.expected.len()), (case.steps * case.width, case.steps * case.width));
    // Each parameter is the sum of its start and all moves: relative to the largest that it has been.
    let mut magnitude: Vec<f64> = case.initial.iter().map(|w| w.abs()).collect();
    for (step, (gradient, expected)) in
        case.gradients.chunks(case.width).zip(case.expected.chunks(case.width)).enumerate()
    {
        let constants = optimizer.begin(step as u64 + 1);
        // Twice the gradient at half the scale: the scale counts, and costs no bit.
        let twice: Vec<V::Scalar> = gradient.iter().map(|g| V::Scalar::from_f64(2.0 * g)).collect();
        apply::<V, O>(t, &constants, V::Scalar::HALF, &twice, &mut parameters, &mut moments)?;
        for (k, &expected) in expected.iter().enumerate() {
            magnitude[k] = magnitude[k].max(expected.abs());
            let what = format!("{} in {}: step {}, parameter {k}", case.name, std::any::type_name::<V>(), step + 1);
            close(&what, parameters[k], expected, magnitude[k]);
        }
    }
    Ok(())
}

fn optimizers<V: Value<Scalar: Tolerance>>(t: V::Token, decimals: bool) -> Outcome {
    let cases: Vec<OptimizerCase> = golden_cases(include_str!("golden/optimizers.json"))?;
    assert!(cases.len() >= 9);
    for case in cases.iter().filter(|case| decimals || case.f32_exact) {
        let given = |x: Option<f64>| V::Scalar::from_f64(x.unwrap_or(f64::NAN));
        // 1 - beta is exact for beta above 1/2.
        let complement = |beta: Option<f64>| V::Scalar::ONE.sub(given(beta));
        let (rate, decay) = (given(Some(case.rate)), given(Some(case.weight_decay)));
        let adam = || Adam::with_settings(rate, complement(case.beta1), complement(case.beta2), given(case.eps));
        match (case.kind.as_str(), case.weight_decay > 0.0) {
            ("sgd", false) => follow::<V, _>(t, case, Sgd::new(rate)?)?,
            ("sgd", true) => follow::<V, _>(t, case, L2::new(Sgd::new(rate)?, decay)?)?,
            ("momentum", false) => follow::<V, _>(t, case, Momentum::new(rate, given(case.momentum))?)?,
            ("momentum", true) => follow::<V, _>(t, case, L2::new(Momentum::new(rate, given(case.momentum))?, decay)?)?,
            ("adam", false) => follow::<V, _>(t, case, adam()?)?,
            ("adam", true) => follow::<V, _>(t, case, L2::new(adam()?, decay)?)?,
            ("adamw", _) => follow::<V, _>(t, case, DecoupledDecay::new(adam()?, decay)?)?,
            (other, _) => panic!("{}: an optimizer of the kind {other}", case.name),
        }
        if case.name == "adam_decimal_defaults" {
            follow::<V, _>(t, case, Adam::new(rate)?)?;
        }
    }
    Ok(())
}

#[test]
fn optimizers_in_f64() -> Outcome {
    optimizers::<f64>((), true)?;
    optimizers::<Array<f64, 4>>(Token::new(), true)
}

#[test]
fn optimizers_in_f32() -> Outcome {
    optimizers::<f32>((), false)?;
    optimizers::<Array<f32, 16>>(Token::new(), false)
}
