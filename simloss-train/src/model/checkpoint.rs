//! Trained networks from any source: models of this program, and bare parameters in PyTorch's layout.
//!
//! Bare parameters are a safetensors file with the names and shapes of [`Kind::tensors`] (`conv1.weight` of `[outputs,
//! channels, rows, columns]`, `dense1.weight` of `[outputs, inputs]`), which tell the network ([`Kind::of`]). PyTorch
//! writes one with `safetensors.torch.save_file(model.state_dict(), path)`. Where features are scaled before they enter,
//! two more tensors of 64 bits say how, `(x - mean) / deviation` for each feature: `standardise.mean` and
//! `standardise.deviation`, in PyTorch two buffers of a module `standardise`.
//!
//! A file is read as what a stranger sent: see [`model`].

use crate::{
    Error,
    compute::network::{Kind, Tensor},
    data::Standardiser,
    error::Expected,
    files::Safe,
    model::{self, Model},
};
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::{collections::BTreeSet, path::Path};

const EXPECTED: Expected = Expected::new(
    "a trained network",
    "give a model.safetensors of this program, or the parameters of one of its networks, saved from PyTorch",
);

/// A trained network.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Which.
    pub network: Kind,
    /// Its parameters, in the order of [`Kind::tensors`].
    pub parameters: Vec<f32>,
    /// How features are scaled before they enter it, where the file says so.
    pub standardiser: Option<Standardiser>,
    /// What else is known of it, where this program wrote it; without the parameters.
    pub model: Option<Model>,
    /// What was converted, and should be said.
    pub notes: Vec<String>,
}

/// The tensors of a [`Standardiser`]: the means, and the deviations.
pub const STANDARDISER: [&str; 2] = ["standardise.mean", "standardise.deviation"];
/// What missing values are filled in with, where they are.
pub const MEDIAN: &str = "standardise.median";
/// What PyTorch's wrappers put before names.
const PREFIXES: [&str; 2] = ["module.", "_orig_mod."];

/// Reads a model of this program, or bare parameters.
///
/// # Errors
/// [`Error::File`]; [`Error::Format`] for a file that is too large, cut short, no safetensors file or of no network that
/// is known here, naming a tensor where there is one, and for parameters that are not finite.
///
/// ```
/// use simloss_train::{compute::network::Kind, model::checkpoint};
/// let path = std::env::temp_dir().join("simloss-checkpoint-example.safetensors");
/// let network = Kind::Table { inputs: 2, hidden: vec![3], classes: 2 };
/// checkpoint::write(&path, &network, &[0.5; 17])?;
/// let found = checkpoint::read(&path)?;
/// assert_eq!((found.network, found.parameters, found.model), (network, vec![0.5; 17], None));
/// # std::fs::remove_file(&path).map_err(|_| "not removed")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read(path: &Path) -> Result<Checkpoint, Error> {
    let wrong = Error::format(path, EXPECTED);
    let bytes = model::bytes(path, EXPECTED)?;
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\x80\x02") {
        let pickle = "it is a pickle, as torch.save writes it; in Python, save it with safetensors.torch.save_file";
        return Err(wrong(&pickle));
    }
    if model::about(&bytes).map_err(|e| wrong(&e))?.is_some() {
        let mut model = Model::of(path, &bytes)?;
        let parameters = std::mem::take(&mut model.parameters);
        let (network, standardiser) = (model.network.clone(), model.standardiser.clone());
        return Ok(Checkpoint { network, parameters, standardiser, model: Some(model), notes: vec![] });
    }
    let file = SafeTensors::deserialize(&bytes).map_err(|e| wrong(&e))?;
    let is_scale = |name: &str| STANDARDISER.contains(&name) || name == MEDIAN;
    let (scale, mut views): (Vec<_>, Vec<_>) = file.iter().partition(|(name, _)| is_scale(name));
    let mut notes = vec![];
    for prefix in PREFIXES {
        if !views.is_empty() && views.iter().all(|(name, _)| name.starts_with(prefix)) {
            views.iter_mut().for_each(|(name, _)| *name = &name[prefix.len()..]);
            notes.push(format!("{prefix} is taken off the names of the tensors"));
        }
    }
    let mut tensors: Vec<Tensor> =
        views.iter().map(|(name, view)| Tensor { name: (*name).to_owned(), shape: view.shape().to_vec() }).collect();
    tensors.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    let network = Kind::of(&tensors).ok_or_else(|| {
        let (found, expected) = (listed(&tensors), listed(&expected(&tensors)));
        wrong(&format!(
            "its tensors are those of no network that is known here: {found}; a network such as this has {expected}"
        ))
    })?;
    let types: BTreeSet<String> = views
        .iter()
        .chain(&scale)
        .map(|(_, view)| view.dtype())
        .filter(|of| !matches!(of, Dtype::F32))
        .map(|of| format!("{of:?}"))
        .collect();
    let others: Vec<&str> = types
        .iter()
        .map(String::as_str)
        .filter(|of| *of != "F64" || views.iter().any(|(_, view)| view.dtype() == Dtype::F64))
        .collect();
    if !others.is_empty() {
        notes.push(format!("numbers of {} are read as 32 bits", others.join(" and ")));
    }
    let find = |name: &str| views.iter().find(|(other, _)| *other == name).map(|(_, view)| view);
    let mut parameters = vec![];
    for Tensor { name, .. } in network.tensors() {
        let view = find(&name).ok_or_else(|| wrong(&format!("tensor {name} is missing")))?;
        let numbers = wide(&name, view).map_err(|problem| wrong(&problem))?;
        let before = parameters.len();
        parameters.extend(numbers.iter().map(|&x| x as f32));
        model::finite(&name, &parameters[before..]).map_err(|problem| wrong(&problem))?;
    }
    let standardiser = standardiser(&file, network.inputs()).map_err(|problem| wrong(&problem))?;
    Ok(Checkpoint { network, parameters, standardiser, model: None, notes })
}

/// The numbers of a tensor, exactly.
fn wide(name: &str, view: &TensorView<'_>) -> Result<Vec<f64>, String> {
    let data = view.data();
    Ok(match view.dtype() {
        Dtype::F64 => data.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect(),
        Dtype::F32 => data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes).into()).collect(),
        Dtype::F16 => data.as_chunks().0.iter().map(|&bytes| f16::from_le_bytes(bytes).into()).collect(),
        Dtype::BF16 => data.as_chunks().0.iter().map(|&bytes| bf16::from_le_bytes(bytes).into()).collect(),
        other => return Err(format!("tensor {name} is {other:?}, not F32, F64, F16 or BF16")),
    })
}

fn listed(tensors: &[Tensor]) -> String {
    let listed: Vec<String> =
        tensors.iter().take(16).map(|tensor| format!("{} {:?}", tensor.name, tensor.shape)).collect();
    listed.join(", ") + if tensors.len() > listed.len() { ", ..." } else { "" }
}

/// The names and shapes that tensors should have: of dense layers with their shapes, or of the network for images with as
/// many tensors of as many dimensions.
fn expected(found: &[Tensor]) -> Vec<Tensor> {
    let of = |dimensions: usize| found.iter().filter(move |tensor| tensor.shape.len() == dimensions);
    let classes = of(2).next_back().and_then(|tensor| tensor.shape.first().copied()).unwrap_or(10);
    if of(4).next().is_some() {
        let kinds = [Kind::LeNet { classes }, Kind::Ages { classes }, Kind::Small { size: 32, classes }];
        let far = |kind: &Kind| {
            let tensors = kind.tensors();
            tensors
                .iter()
                .map(|tensor| tensor.shape.len())
                .sum::<usize>()
                .abs_diff(found.iter().map(|t| t.shape.len()).sum())
        };
        return kinds.iter().min_by_key(|kind| far(kind)).map(Kind::tensors).unwrap_or_default();
    }
    // Layers follow each other where outputs are inputs, whatever their names.
    let weights: Vec<[usize; 2]> = of(2).filter_map(|tensor| tensor.shape[..].try_into().ok()).collect();
    let first = weights.iter().find(|[_, inputs]| !weights.iter().any(|[outputs, _]| outputs == inputs));
    let mut chain: Vec<[usize; 2]> = first.into_iter().copied().collect();
    while let Some(&[outputs, _]) = chain.last()
        && chain.len() < weights.len()
        && let Some(&next) = weights.iter().find(|[_, inputs]| *inputs == outputs)
    {
        chain.push(next);
    }
    let [inputs, classes] = [chain.first().map_or(2, |of| of[1]), chain.last().map_or(2, |of| of[0])];
    let hidden = chain.iter().take(chain.len().saturating_sub(1)).map(|of| of[0]).collect();
    Kind::Table { inputs, hidden, classes }.tensors()
}

/// The standardiser in a file, if there is one.
fn standardiser(file: &SafeTensors<'_>, inputs: usize) -> Result<Option<Standardiser>, String> {
    if STANDARDISER.iter().all(|name| file.tensor(name).is_err()) {
        return Ok(None);
    }
    let numbers = |name: &str| {
        let view = file.tensor(name).map_err(|_| format!("tensor {name} is missing"))?;
        if view.shape() != [inputs] {
            return Err(format!("tensor {name} is of {:?}, not of {:?}", view.shape(), [inputs]));
        }
        wide(name, &view)
    };
    let [mean, deviation] = STANDARDISER.map(numbers);
    let median = if file.tensor(MEDIAN).is_ok() { numbers(MEDIAN)? } else { vec![] };
    let found = Standardiser::of(mean?, deviation?, median);
    found
        .map(Some)
        .ok_or_else(|| format!("{} must be finite numbers, the deviations above 0", STANDARDISER.join(" and ")))
}

/// Writes the parameters of `network` and nothing else, whole or not at all.
///
/// # Errors
/// [`Error::File`]; [`Error::Format`] for another number of parameters than the network has, and for parameters that are
/// not finite.
pub fn write(path: &Path, network: &Kind, parameters: &[f32]) -> Result<(), Error> {
    write_scaled(path, network, parameters, None)
}

/// The same with how features are scaled before they enter, if they are.
///
/// # Errors
/// As [`write()`]; [`Error::Format`] for a scale of another number of features too.
pub fn write_scaled(
    path: &Path,
    network: &Kind,
    parameters: &[f32],
    standardiser: Option<&Standardiser>,
) -> Result<(), Error> {
    let wrong = Error::format(path, EXPECTED);
    if standardiser.is_some_and(|scale| scale.width() != network.inputs()) {
        return Err(wrong(&"its standardiser does not fit its network"));
    }
    let tensors = model::parts(network, parameters).map_err(|problem| wrong(&problem))?;
    let scale = standardiser.map(|scale| [scale.mean(), scale.deviation()]);
    let median =
        standardiser.map(Standardiser::median).filter(|median| !median.is_empty()).map(|median| (MEDIAN, median));
    let scale: Vec<_> = STANDARDISER.into_iter().zip(scale.into_iter().flatten()).chain(median).collect();
    model::save(Safe::FromPowerCut, path, EXPECTED, None::<&Model>, &tensors, &scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_come_back_and_others_are_refused() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("p.safetensors");
        let network = Kind::Table { inputs: 2, hidden: vec![3], classes: 2 };
        let parameters: Vec<f32> = (0..17).map(|i| i as f32).collect();
        write(&path, &network, &parameters)?;
        let bare = Checkpoint {
            network: network.clone(),
            parameters: parameters.clone(),
            standardiser: None,
            model: None,
            notes: vec![],
        };
        assert_eq!(read(&path)?, bare);
        let refused = || read(&path).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(write(&path, &network, &parameters[1..]).is_err_and(|e| e.to_string().contains("16 parameters")));
        assert!(write(&path, &network, &[f32::NAN; 17]).is_err_and(|e| e.to_string().contains("is NaN")));

        // The scale of the features, to the bit.
        let scale = Standardiser::fit(&[1.0, 2.0, 3.0, 5.5], 2, &[0, 1]);
        write_scaled(&path, &network, &parameters, Some(&scale))?;
        assert_eq!(read(&path)?, Checkpoint { standardiser: Some(scale.clone()), ..bare });
        let scaled = std::fs::read(&path)?;
        let at = scaled.len() - 4 * parameters.len() - 4 * 8;
        let mut changed = scaled.clone();
        changed[at..at + 4 * 8].fill(0);
        std::fs::write(&path, &changed)?;
        assert!(refused().contains("must be finite numbers, the deviations above 0"), "{}", refused());
        let text = |bytes: &[u8], from: &[u8], to: &[u8]| {
            let at = bytes.windows(from.len()).position(|found| found == from)?;
            Some([&bytes[..at], to, &bytes[at + from.len()..]].concat())
        };
        std::fs::write(&path, text(&scaled, b"standardise.mean", b"standardise.main").ok_or("no mean")?)?;
        assert!(refused().contains("no network that is known here"), "{}", refused());
        let three = Standardiser::fit(&[1.0, 2.0, 3.0], 3, &[0]);
        assert!(write_scaled(&path, &network, &parameters, Some(&three)).is_err());
        write(&path, &network, &parameters)?;

        let whole = std::fs::read(&path)?;
        for length in [0, 7, 8, 60, whole.len() - 1] {
            std::fs::write(&path, &whole[..length])?;
            assert!(refused().contains("is not a trained network"), "{length}");
        }
        let mut changed = whole.clone();
        changed[..8].copy_from_slice(&(4u64 << 30).to_le_bytes());
        std::fs::write(&path, &changed)?;
        assert!(refused().contains("is not a trained network"), "{}", refused());
        let mut changed = whole.clone();
        let end = changed.len();
        changed[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        std::fs::write(&path, &changed)?;
        assert!(refused().contains("is NaN"), "{}", refused());
        // A tensor of another name.
        let at = whole.windows(6).position(|bytes| bytes == b"dense2").ok_or("no dense2")?;
        let mut changed = whole;
        changed[at] = b'D';
        std::fs::write(&path, &changed)?;
        assert!(refused().contains("no network that is known here: Dense2"), "{}", refused());
        assert!(matches!(read(&folder.path().join("missing")), Err(Error::File { .. })));
        Ok(())
    }
}
