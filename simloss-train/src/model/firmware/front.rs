//! The part of an exported module that firmware uses: the named type of the head, its loss, factory weights, and class names.

use super::{BLOB, Head, HeadLoss, statics};
use crate::similarity::{
    Source,
    spec::{Link, LossKind, Truth},
    superclasses,
};

/// The type of the loss, what comes before its settings, and its settings.
struct Objective {
    name: String,
    before: String,
    settings: String,
}

/// The similarity as a table of a head.
fn table(loss: &HeadLoss<'_>) -> Objective {
    let description = loss.description;
    let [r, l] = [description.reduction_factor, description.lower_bound].map(|x| x.map(|x| x as f32));
    let r = r.unwrap_or(0.0);
    let named = |kind: &str| format!("::simloss_core::similarity::{kind}<f32, CLASSES>");
    let order = |kind: &str| Objective { name: named(kind), before: String::new(), settings: format!("{r:?}") };
    let dense = |entries: &[f32], constructor: &str, rest: &str| Objective {
        name: named("DenseSimilarity"),
        before: statics(entries),
        settings: format!(
            "|table| ::simloss_core::similarity::DenseTable::{constructor}(table, CLASSES, |i, j| S[i * CLASSES + j]{rest})"
        ),
    };
    match loss.source {
        Source::Order | Source::None => order("ClassOrder"),
        Source::Circular => order("CircularOrder"),
        Source::Superclass(groups) => {
            let s = |i: usize, j: usize| match (i == j, groups[i] == groups[j]) {
                (true, _) => 1.0,
                (_, true) => r,
                _ => 0.0,
            };
            let n = groups.len();
            dense(&(0..n * n).map(|k| s(k / n, k % n)).collect::<Vec<_>>(), "in_memory", "")
        }
        Source::Matrix(matrix) => match (description.link, l) {
            (Link::Exp(b), _) => dense(&matrix.entries, "exponential_in_memory", &format!(", {:?}", b as f32)),
            (_, None) => dense(&matrix.entries, "in_memory", ""),
            (_, Some(l)) => dense(&matrix.entries, "lower_bounded_in_memory", &format!(", {l:?}")),
        },
    }
}

fn objective(loss: &HeadLoss<'_>) -> Objective {
    let description = loss.description;
    let of_loss = |kind: &str| format!("::simloss_core::loss::{kind}");
    let plain = |name: String| Objective { name, before: String::new(), settings: "()".to_owned() };
    match (description.loss, description.truth, loss.source) {
        (LossKind::Emd, ..) => plain(of_loss("SquaredEmd")),
        (LossKind::SimLoss, Truth::Smoothed(share), _) => {
            let inner = of_loss("CrossEntropy");
            let name = format!("::simloss_core::device::Smoothed<{inner}>");
            Objective { settings: format!("({:?}, ())", share as f32), ..plain(name) }
        }
        (LossKind::SimLoss, Truth::Soft, _) => {
            let table = table(loss);
            Objective { name: format!("::simloss_core::device::Sord<{}>", table.name), ..table }
        }
        (LossKind::Proper, _, Source::Superclass(groups)) => {
            let parents = superclasses::parents(groups);
            let list: Vec<String> = parents.iter().map(u16::to_string).collect();
            let (scalars, values) = (loss.scratch.scalars, loss.scratch.values);
            let tree = "::simloss_core::similarity::Taxonomy";
            let r = description.reduction_factor.unwrap_or(0.0) as f32;
            Objective {
                name: format!(
                    "::simloss_core::device::Given<::simloss_core::loss::ProperSimLoss<{tree}<f32, &'static [u16], [f32; 3]>>, \
                     {scalars}, {values}>"
                ),
                before: format!("    static PARENTS: [u16; {}] = [{}];\n", parents.len(), list.join(", ")),
                settings: format!(
                    "::simloss_core::loss::ProperSimLoss::new({tree}::new(&PARENTS[..], [1.0, {r:?}, 0.0], CLASSES)?)"
                ),
            }
        }
        (LossKind::Proper, ..) => {
            let table = table(loss);
            Objective { name: format!("{}<{}>", of_loss("ProperSimLoss"), table.name), ..table }
        }
        (LossKind::SimLoss, Truth::Class, Source::None) => plain(of_loss("CrossEntropy")),
        (LossKind::SimLoss, Truth::Class, _) => table(loss),
    }
}

/// What the module says of the head.
pub(super) fn text(head: &Head, loss: &HeadLoss<'_>, names: Option<&[String]>) -> String {
    let Objective { name, before, settings } = objective(loss);
    let layers = match head.widths[..] {
        [_, hidden, _] => format!("Hidden<{hidden}>"),
        _ => "OneLayer".to_owned(),
    };
    let classes = loss.similarity_classes();
    let names: Vec<String> = match names {
        Some(names) => names.to_vec(),
        None => (0..classes).map(|class| class.to_string()).collect(),
    };
    let fingerprint = head.fingerprint;
    format!(
        "
/// The loss that the head goes on learning with.
pub type Objective = {name};

/// The head, by plain SGD. Its memory is `[f32; Head::NUMBERS]`.
pub type Head<'m> = HeadBy<'m, ::simloss_core::optimizer::Sgd<f32>>;

/// The head, by any optimizer.
pub type HeadBy<'m, O> =
    ::simloss_core::device::Head<'m, FEATURES, CLASSES, Objective, O, ::simloss_core::device::{layers}>;

/// Fingerprint of the layers before the head and of the scale of its features; `frozen::FINGERPRINT` is the same.
pub const FINGERPRINT: u64 = {fingerprint:#018x};

/// Names of the classes.
pub static CLASS_NAMES: [&str; CLASSES] = {names:?};

/// The weights and biases to begin with, checked when this is compiled; they stay in flash.
#[allow(long_running_const_eval)] // a checksum of all bytes
pub static FACTORY: [f32; PARAMETERS] = match ::simloss_core::device::checkpoint::constant(include_bytes!(\"{BLOB}\")) {{
    Ok(parameters) => parameters,
    Err(_) => panic!(\"{BLOB} is not the file that was exported with head.rs\"),
}};

/// What the loss is made from.
///
/// # Errors
/// None, for what was exported.
pub fn settings()
-> Result<<Objective as ::simloss_core::device::Objective<f32, CLASSES>>::Settings, ::simloss_core::Error> {{
{before}    Ok({settings})
}}

/// The head in `memory`, of `HeadBy::<O>::NUMBERS` numbers, with its factory weights.
///
/// # Errors
/// Those of the optimizer.
pub fn head<O: ::simloss_core::optimizer::Optimizer<f32>, const M: usize>(
    memory: &mut [f32; M],
    optimizer: O,
) -> Result<HeadBy<'_, O>, ::simloss_core::Error> {{
    let mut head = HeadBy::<'_, O>::new(memory, settings()?, optimizer)?.with_fingerprint(FINGERPRINT);
    head.reset_to_factory(&FACTORY)?;
    Ok(head)
}}

/// The name of the predicted class.
///
/// # Errors
/// Those of `Head::predict`.
pub fn predict<O: ::simloss_core::optimizer::Optimizer<f32>>(
    head: &mut HeadBy<'_, O>,
    x: &::simloss_core::nalgebra::SVector<f32, FEATURES>,
) -> Result<&'static str, ::simloss_core::Error> {{
    let class = head.predict(x)?;
    Ok(CLASS_NAMES.get(class.index()).copied().unwrap_or_default())
}}
"
    )
}
