//! Parameters in safetensors files: trained models, and states to continue a run from.
//!
//! Tensors are named and shaped as PyTorch would (`dense1.weight` of `[outputs, inputs]`), so other tools can read them.
//! What else is needed stands in the file's metadata, as JSON under the one key `simloss`: with more keys the format's
//! library would write them in any order, and equal runs would write different bytes.
//!
//! A file is read as what a stranger sent: no more than [`LIMIT`] bytes, its header checked against its length by the
//! safetensors library, names and shapes against the network, numbers for NaN, before anything is used.

pub mod checkpoint;
pub mod firmware;

use crate::{
    Error, VERSION,
    compute::network::{Kind, Tensor},
    data::{
        Standardiser,
        table::{Column, Known},
    },
    error::Expected,
    files::{self, Safe},
    input,
    similarity::spec::LossDescription,
};
use safetensors::{Dtype, SafeTensorError, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{collections::HashMap, path::Path};

/// The largest file that is read: 1 GiB.
pub const LIMIT: u64 = 1 << 30;

const KEY: &str = "simloss";
const MODEL: Expected =
    Expected::new("a model", "give another; that of a run comes back when it is removed and the run continued");

/// A trained network with what is needed to use it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The version of the program that wrote it.
    pub version: String,
    /// Which network.
    pub network: Kind,
    /// Names of the classes.
    pub class_names: Vec<String>,
    /// What the classes stand for.
    pub class_values: Vec<f64>,
    /// Whether the data said that their classes are in an order; see [`is_ordered`](Self::is_ordered).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ordered: bool,
    /// The name of each feature of a table; none of images, and in files of versions that did not keep them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// The columns of a table that these are made of: its categories too. None where all are numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<Column>,
    /// How features are scaled before they enter the network.
    pub standardiser: Option<Standardiser>,
    /// The loss it was trained with.
    pub loss: LossDescription,
    /// The superclass of each class, where that loss is of superclasses; none in files of versions that did not keep them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<u16>,
    /// The parameters, in the order of [`Kind::tensors`].
    #[serde(skip)]
    pub parameters: Vec<f32>,
}

impl Model {
    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// [`Error::File`]; [`Error::Format`] for a parameter that is not finite, or another number of them than the network
    /// has.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        self.save_safe(Safe::FromPowerCut, path)
    }

    pub(crate) fn save_safe(&self, safe: Safe, path: &Path) -> Result<(), Error> {
        let tensors = parts(&self.network, &self.parameters).map_err(|e| Error::format(path, MODEL)(&e))?;
        save(safe, path, MODEL, Some(self), &tensors, &[])
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`Error::File`]; [`Error::Format`] for a file that is not a model, too large, cut short or of another network,
    /// naming the tensor where there is one, and for parameters that are not finite.
    pub fn load(path: &Path) -> Result<Self, Error> {
        Self::of(path, &bytes(path, MODEL)?)
    }

    /// What it knows of the tables it judges.
    pub fn known(&self) -> Known<'_> {
        let (features, class_names, class_values) = (&self.features, &self.class_names, &self.class_values);
        let fills = self.standardiser.as_ref().is_some_and(|scale| !scale.median().is_empty());
        Known { features, columns: &self.columns, fills, class_names, class_values, ordered: self.is_ordered() }
    }

    /// Whether its classes are in an order, so that distances between them mean something: the data said so, their names
    /// are numbers, or the loss takes them to be.
    pub fn is_ordered(&self) -> bool {
        self.ordered
            || input::numbers_in_order(&self.class_names).is_some()
            || matches!(self.loss.similarity.as_str(), "order" | "circular")
    }

    /// The model in the bytes of the file `path`.
    pub(crate) fn of(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let (mut model, tensors) = load(path, bytes, MODEL, |model: &Model| {
            let classes = model.network.classes();
            let wrong = match &model.standardiser {
                _ if model.class_names.len() != classes || model.class_values.len() != classes => "classes",
                Some(scale) if !scale.is_valid() || scale.width() != model.network.inputs() => "standardiser",
                _ if ![0, model.network.inputs()].contains(&model.features.len()) => "features",
                _ if !model.columns.is_empty()
                    && !model.columns.iter().flat_map(Column::features).eq(model.features.iter().cloned()) =>
                {
                    "columns"
                }
                _ if ![0, classes].contains(&model.groups.len()) => "superclasses",
                _ => return Ok(model.network.tensors()),
            };
            Err(format!("its {wrong} do not fit its network"))
        })?;
        model.parameters = tensors.concat();
        Ok(model)
    }
}

/// All that is needed to go on with a run after an epoch, beside its record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// The version of the program that wrote it.
    pub(crate) version: String,
    /// Fingerprint of what the run was asked to do.
    pub(crate) run: String,
    /// Whole epochs.
    pub(crate) epoch: usize,
    /// The best of them, counted from 1; 0 before the first.
    pub(crate) best_epoch: usize,
    /// Steps.
    pub(crate) steps: u64,
    /// How many parameters.
    count: usize,
    #[serde(skip)]
    pub(crate) parameters: Vec<f32>,
    /// The optimizer's, two for each parameter.
    #[serde(skip)]
    pub(crate) moments: Vec<f32>,
    /// The parameters of the best epoch.
    #[serde(skip)]
    pub(crate) best: Vec<f32>,
}

pub(crate) const STATE: Expected = Expected::new("a training state", "remove it to start this run again");

impl State {
    /// Before the first epoch.
    pub(crate) fn new(run: String, parameters: Vec<f32>, moments: usize) -> Self {
        State {
            version: VERSION.to_owned(),
            run,
            epoch: 0,
            best_epoch: 0,
            steps: 0,
            count: parameters.len(),
            moments: vec![0.0; moments * parameters.len()],
            best: parameters.clone(),
            parameters,
        }
    }

    fn tensors(count: usize) -> [Tensor; 3] {
        [("best", 1), ("moments", 2), ("parameters", 1)]
            .map(|(name, times)| Tensor { name: name.to_owned(), shape: vec![times, count] })
    }

    pub(crate) fn save(&self, safe: Safe, path: &Path) -> Result<(), Error> {
        let numbers = [&self.best[..], &self.moments, &self.parameters];
        let tensors: Vec<_> = Self::tensors(self.count).into_iter().zip(numbers).collect();
        save(safe, path, STATE, Some(self), &tensors, &[])
    }

    /// Reads the state of the run that `is_run` recognizes by its fingerprint, and of a network of so many parameters.
    pub(crate) fn load(path: &Path, is_run: impl Fn(&str) -> bool, count: usize) -> Result<Self, Error> {
        let (mut state, tensors) = load(path, &bytes(path, STATE)?, STATE, |state: &State| {
            if is_run(&state.run) && state.count == count {
                Ok(Self::tensors(count).to_vec())
            } else {
                Err("it belongs to another run".to_owned())
            }
        })?;
        if let Ok([best, moments, parameters]) = <[Vec<f32>; 3]>::try_from(tensors) {
            (state.best, state.moments, state.parameters) = (best, moments, parameters);
        }
        Ok(state)
    }
}

impl Tensor {
    /// How many numbers it holds, if that can be counted.
    pub(crate) fn numbers(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size))
    }
}

/// The parameters of a network, tensor by tensor.
pub(crate) fn parts<'a>(network: &Kind, parameters: &'a [f32]) -> Result<Vec<(Tensor, &'a [f32])>, String> {
    let mut rest = parameters;
    let mut parts = vec![];
    for tensor in network.tensors() {
        let n = tensor.numbers().unwrap_or(usize::MAX);
        let Some((numbers, after)) = rest.split_at_checked(n) else { break };
        parts.push((tensor, numbers));
        rest = after;
    }
    if rest.is_empty() && parts.len() == network.tensors().len() {
        Ok(parts)
    } else {
        Err(format!("{} parameters do not fit the network", parameters.len()))
    }
}

/// Writes tensors, and what is said of them, if anything; `wide` are tensors of one dimension and 64 bits.
pub(crate) fn save<A: Serialize>(
    safe: Safe,
    path: &Path,
    expected: Expected,
    about: Option<&A>,
    tensors: &[(Tensor, &[f32])],
    wide: &[(&str, &[f64])],
) -> Result<(), Error> {
    let wrong = Error::format(path, expected);
    let mut bytes = vec![];
    for (tensor, numbers) in tensors {
        finite(&tensor.name, numbers).map_err(|problem| wrong(&problem))?;
        bytes.push(numbers.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>());
    }
    let views = tensors.iter().zip(&bytes).map(|((tensor, _), bytes)| {
        Ok((tensor.name.as_str(), TensorView::new(Dtype::F32, tensor.shape.clone(), bytes)?))
    });
    let wide: Vec<(&str, Vec<u8>)> =
        wide.iter().map(|(name, numbers)| (*name, numbers.iter().flat_map(|x| x.to_le_bytes()).collect())).collect();
    let wide = wide.iter().map(|(name, bytes)| Ok((*name, TensorView::new(Dtype::F64, vec![bytes.len() / 8], bytes)?)));
    let views = views.chain(wide).collect::<Result<Vec<_>, SafeTensorError>>().map_err(|e| wrong(&e))?;
    let about = about.map(|about| serde_json::to_string(about)).transpose().map_err(|e| wrong(&e))?;
    let metadata = about.map(|about| HashMap::from([(KEY.to_owned(), about)]));
    let file = safetensors::serialize(views, metadata).map_err(|e| wrong(&e))?;
    files::replace_safe(safe, path, &[&file])
}

/// The whole file, if it is no larger than [`LIMIT`].
pub(crate) fn bytes(path: &Path, expected: Expected) -> Result<Vec<u8>, Error> {
    let bytes = input::bytes(path, LIMIT)?;
    bytes.ok_or_else(|| Error::format(path, expected)(&format!("it is larger than {LIMIT} bytes")))
}

/// What this program says of the tensors of a file, if it wrote it.
pub(crate) fn about(bytes: &[u8]) -> Result<Option<String>, SafeTensorError> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    Ok(header.metadata().as_ref().and_then(|map| map.get(KEY)).cloned())
}

/// Reads the metadata, asks `tensors` which tensors a file with such metadata has, and reads them, in that order.
fn load<A: DeserializeOwned>(
    path: &Path,
    bytes: &[u8],
    expected: Expected,
    tensors: impl Fn(&A) -> Result<Vec<Tensor>, String>,
) -> Result<(A, Vec<Vec<f32>>), Error> {
    let wrong = Error::format(path, expected);
    let about = about(bytes).map_err(|e| wrong(&e))?;
    let about =
        about.ok_or_else(|| wrong(&format!("its metadata has no entry `{KEY}`; this program did not write it")))?;
    let about: A = serde_json::from_str(&about).map_err(|e| wrong(&e))?;
    let tensors = tensors(&about).map_err(|problem| wrong(&problem))?;
    let file = SafeTensors::deserialize(bytes).map_err(|e| wrong(&e))?;
    let numbers = numbers(&file, tensors).map_err(|problem| wrong(&problem))?;
    Ok((about, numbers))
}

/// The numbers of `tensors`, which must be all that the file holds.
fn numbers(file: &SafeTensors<'_>, tensors: Vec<Tensor>) -> Result<Vec<Vec<f32>>, String> {
    let known = |name: &str| tensors.iter().any(|tensor| tensor.name == name);
    if let Some(name) = file.names().into_iter().find(|name| !known(name)) {
        return Err(format!("it has a tensor {name}, which its network has not"));
    }
    let mut found = vec![];
    for Tensor { name, shape } in tensors {
        let view = file.tensor(&name).map_err(|_| format!("tensor {name} is missing"))?;
        if view.dtype() != Dtype::F32 || view.shape() != shape {
            let (dtype, other) = (view.dtype(), view.shape());
            return Err(format!("tensor {name} is {dtype:?} of {other:?}, not F32 of {shape:?}"));
        }
        // The library has checked that a tensor of this shape is what its part of the file holds.
        let words = view.data().chunks_exact(4);
        let numbers: Vec<f32> = words.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        finite(&name, &numbers)?;
        found.push(numbers);
    }
    Ok(found)
}

pub(crate) fn finite(name: &str, numbers: &[f32]) -> Result<(), String> {
    match numbers.iter().position(|x| !x.is_finite()) {
        Some(at) => Err(format!("number {at} of tensor {name} is {}", numbers[at])),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Model {
        Model {
            version: VERSION.to_owned(),
            network: Kind::Table { inputs: 2, hidden: vec![3], classes: 2 },
            class_names: vec!["a".to_owned(), "b".to_owned()],
            class_values: vec![0.0, 1.5],
            ordered: true,
            features: vec!["x".to_owned(), "y".to_owned()],
            columns: vec![],
            standardiser: Some(Standardiser::fit(&[1.0, 2.0, 3.0, 5.0], 2, &[0, 1])),
            loss: LossDescription {
                similarity: "order".to_owned(),
                reduction_factor: Some(0.1),
                ..LossDescription::cross_entropy()
            },
            groups: vec![],
            parameters: (0..17).map(|i| i as f32 / 3.0).collect(),
        }
    }

    #[test]
    fn models_come_back_as_they_went() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        model().save(&one)?;
        assert_eq!(Model::load(&one)?, model());
        model().save(&other)?;
        assert_eq!(std::fs::read(&one)?, std::fs::read(&other)?);

        // Weight, then bias, layer by layer.
        let bytes = std::fs::read(&one)?;
        let file = SafeTensors::deserialize(&bytes)?;
        assert_eq!(file.tensor("dense1.weight")?.shape(), [3, 2]);
        assert_eq!(file.tensor("dense1.bias")?.data()[..4], (6.0f32 / 3.0).to_le_bytes());
        assert_eq!(file.tensor("dense2.bias")?.shape(), [2]);
        Ok(())
    }

    #[test]
    fn what_is_not_a_model_is_refused() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("model.safetensors");
        let refused = |path: &Path| Model::load(path).err().map(|e| e.to_string()).unwrap_or_default();

        for (change, message) in [
            ((|m| m.parameters[7] = f32::NAN) as fn(&mut Model), "number 1 of tensor dense1.bias is NaN"),
            (|m| m.parameters.truncate(16), "16 parameters do not fit"),
            (|m| m.parameters.push(0.0), "18 parameters do not fit"),
        ] {
            let mut changed = model();
            change(&mut changed);
            let error = changed.save(&path).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(error.contains(message), "{error}");
            assert!(!path.exists());
        }

        // Metadata that promise other tensors than the file has.
        for (change, message) in [
            ((|m| m.network = Kind::LeNet { classes: 2 }) as fn(&mut Model), "standardiser"),
            (
                |m| m.network = Kind::Table { inputs: 2, hidden: vec![4], classes: 2 },
                "dense1.weight is F32 of [3, 2], not F32 of [4, 2]",
            ),
            (|m| m.network = Kind::Table { inputs: 2, hidden: vec![3, 3], classes: 2 }, "dense2.weight is"),
            (|m| m.network = Kind::Table { inputs: 2, hidden: vec![usize::MAX], classes: 2 }, "not F32 of"),
            (|m| m.class_values = vec![], "classes"),
            (|m| m.features.truncate(1), "features"),
            (|m| m.groups = vec![0], "superclasses"),
        ] {
            let mut changed = model();
            change(&mut changed);
            let original = model();
            let mut rest = &original.parameters[..];
            let tensors: Vec<_> = original
                .network
                .tensors()
                .into_iter()
                .map(|tensor| {
                    let (numbers, after) = rest.split_at(tensor.numbers().unwrap_or(0));
                    rest = after;
                    (tensor, numbers)
                })
                .collect();
            save(Safe::FromKill, &path, MODEL, Some(&changed), &tensors, &[])?;
            let error = refused(&path);
            assert!(error.contains(message) && error.contains("model.safetensors"), "{error}");
        }

        model().save(&path)?;
        let whole = std::fs::read(&path)?;
        for length in [0, 4, 8, 100, whole.len() - 1] {
            std::fs::write(&path, &whole[..length])?;
            assert!(refused(&path).contains("is not a model"), "{length}");
        }
        // A NaN in the file, and a header that promises more than there is.
        let mut poisoned = whole.clone();
        let end = poisoned.len();
        poisoned[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        std::fs::write(&path, &poisoned)?;
        assert!(refused(&path).contains("is NaN"));
        let mut huge = whole.clone();
        huge[..8].copy_from_slice(&(1u64 << 60).to_le_bytes());
        std::fs::write(&path, &huge)?;
        assert!(refused(&path).contains("is not a model"));
        std::fs::write(&path, safetensors::serialize(Vec::<(&str, TensorView<'_>)>::new(), None)?)?;
        assert!(refused(&path).contains("did not write it"));
        assert!(matches!(Model::load(&folder.path().join("missing")), Err(Error::File { action: "read", .. })));
        Ok(())
    }

    #[test]
    fn states_belong_to_their_run() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("state");
        let mut state = State::new("abc".to_owned(), vec![1.0, 2.0], 2);
        state.moments = vec![3.0, 4.0, 5.0, 6.0];
        state.best = vec![7.0, 8.0];
        state.steps = u64::MAX;
        state.save(Safe::FromKill, &path)?;
        assert_eq!(State::load(&path, |run| run == "abc", 2)?, state);
        assert!(State::load(&path, |run| run == "abd", 2).is_err());
        assert!(State::load(&path, |run| run == "abc", 3).is_err());
        Ok(())
    }
}
