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
use safetensors::{Dtype, SafeTensors};
use std::path::Path;

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
}

/// The tensors of a [`Standardiser`]: the means, and the deviations.
pub const STANDARDISER: [&str; 2] = ["standardise.mean", "standardise.deviation"];

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
    if model::about(&bytes).map_err(|e| wrong(&e))?.is_some() {
        let mut model = Model::of(path, &bytes)?;
        let parameters = std::mem::take(&mut model.parameters);
        let (network, standardiser) = (model.network.clone(), model.standardiser.clone());
        return Ok(Checkpoint { network, parameters, standardiser, model: Some(model) });
    }
    let file = SafeTensors::deserialize(&bytes).map_err(|e| wrong(&e))?;
    let mut tensors: Vec<Tensor> =
        file.iter().map(|(name, view)| Tensor { name: name.to_owned(), shape: view.shape().to_vec() }).collect();
    tensors.retain(|tensor| !STANDARDISER.contains(&tensor.name.as_str()));
    tensors.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    let network = Kind::of(&tensors).ok_or_else(|| {
        let listed: Vec<String> =
            tensors.iter().take(16).map(|tensor| format!("{} {:?}", tensor.name, tensor.shape)).collect();
        let more = if tensors.len() > listed.len() { ", ..." } else { "" };
        wrong(&format!("its tensors are those of no network that is known here: {}{more}", listed.join(", ")))
    })?;
    let parameters =
        model::numbers(&file, network.tensors(), &STANDARDISER).map_err(|problem| wrong(&problem))?.concat();
    let standardiser = standardiser(&file, network.inputs()).map_err(|problem| wrong(&problem))?;
    Ok(Checkpoint { network, parameters, standardiser, model: None })
}

/// The standardiser in a file, if there is one.
fn standardiser(file: &SafeTensors<'_>, inputs: usize) -> Result<Option<Standardiser>, String> {
    if STANDARDISER.iter().all(|name| file.tensor(name).is_err()) {
        return Ok(None);
    }
    let [mean, deviation] = STANDARDISER.map(|name| {
        let view = file.tensor(name).map_err(|_| format!("tensor {name} is missing"))?;
        if view.dtype() != Dtype::F64 || view.shape() != [inputs] {
            let (dtype, other) = (view.dtype(), view.shape());
            return Err(format!("tensor {name} is {dtype:?} of {other:?}, not F64 of {:?}", [inputs]));
        }
        Ok(view.data().as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect::<Vec<f64>>())
    });
    let found = Standardiser::of(mean?, deviation?);
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
    let scale: Vec<_> = STANDARDISER.into_iter().zip(scale.into_iter().flatten()).collect();
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
        let bare =
            Checkpoint { network: network.clone(), parameters: parameters.clone(), standardiser: None, model: None };
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
