//! Parameters in PyTorch's layout, without anything else: what other programs write and read.
//!
//! A safetensors file with the names and shapes of [`Kind::tensors`] (`conv1.weight` of `[outputs, channels, rows,
//! columns]`, `dense1.weight` of `[outputs, inputs]`); metadata are ignored. PyTorch writes one with
//! `safetensors.torch.save_file(model.state_dict(), path)`.
//!
//! A file is read as what a stranger sent: no more than [`LIMIT`] bytes, its header checked against its length by the
//! safetensors library, names and shapes against the network, numbers for NaN.

use crate::{Error, files, model::LIMIT, network::Kind};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::{fs::File, io::Read, path::Path};

const EXPECTED: &str = "a file of parameters";

fn bytes(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![];
    let read = |bytes: &mut Vec<u8>| File::open(path)?.take(LIMIT + 1).read_to_end(bytes);
    read(&mut bytes).map_err(Error::file("read", path))?;
    if bytes.len() as u64 > LIMIT {
        return Err(Error::format(path, EXPECTED)(&format!("it is larger than {LIMIT} bytes")));
    }
    Ok(bytes)
}

/// The parameters of the network `kind`, in the order of [`Kind::tensors`].
///
/// # Errors
/// [`Error::File`]; [`Error::Format`] for a file that is cut short, no safetensors file or of another network, naming
/// the tensor, and for parameters that are not finite.
pub fn read(path: &Path, kind: &Kind) -> Result<Vec<f32>, Error> {
    let wrong = Error::format(path, EXPECTED);
    let bytes = bytes(path)?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| wrong(&e))?;
    let tensors = kind.tensors();
    if let Some(name) = file.names().into_iter().find(|name| tensors.iter().all(|tensor| tensor.name != **name)) {
        return Err(wrong(&format!("it has a tensor {name}, which the network has not; is it of another network?")));
    }
    let mut parameters = vec![];
    for tensor in tensors {
        let name = &tensor.name;
        let view = file.tensor(name).map_err(|_| wrong(&format!("tensor {name} is missing")))?;
        if view.dtype() != Dtype::F32 || view.shape() != tensor.shape {
            let (dtype, other, shape) = (view.dtype(), view.shape(), &tensor.shape);
            return Err(wrong(&format!("tensor {name} is {dtype:?} of {other:?}, not F32 of {shape:?}")));
        }
        for (at, b) in view.data().chunks_exact(4).enumerate() {
            let x = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
            if !x.is_finite() {
                return Err(wrong(&format!("number {at} of tensor {name} is {x}")));
            }
            parameters.push(x);
        }
    }
    Ok(parameters)
}

/// Writes the parameters of the network `kind`, whole or not at all.
///
/// # Errors
/// [`Error::File`]; [`Error::Format`] for another number of parameters than the network has.
pub fn write(path: &Path, kind: &Kind, parameters: &[f32]) -> Result<(), Error> {
    let wrong = Error::format(path, EXPECTED);
    let tensors = kind.tensors();
    let numbers = tensors.iter().map(|tensor| tensor.shape.iter().product::<usize>());
    if numbers.clone().sum::<usize>() != parameters.len() {
        return Err(wrong(&format!("{} parameters do not fit the network", parameters.len())));
    }
    let mut rest = parameters;
    let mut parts = vec![];
    for n in numbers {
        let (part, after) = rest.split_at(n.min(rest.len()));
        parts.push(part.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>());
        rest = after;
    }
    let views = tensors
        .iter()
        .zip(&parts)
        .map(|(tensor, bytes)| Ok((tensor.name.as_str(), TensorView::new(Dtype::F32, tensor.shape.clone(), bytes)?)));
    let views = views.collect::<Result<Vec<_>, safetensors::SafeTensorError>>().map_err(|e| wrong(&e))?;
    files::replace(path, &[&safetensors::serialize(views, None).map_err(|e| wrong(&e))?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_come_back_and_others_are_refused() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("p.safetensors");
        let kind = |classes| Kind::Table { inputs: 2, hidden: vec![3], classes };
        let parameters: Vec<f32> = (0..17).map(|i| i as f32).collect();
        write(&path, &kind(2), &parameters)?;
        assert_eq!(read(&path, &kind(2))?, parameters);
        let refused = |kind: &Kind| read(&path, kind).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(
            refused(&kind(3)).contains("dense2.weight is F32 of [2, 3], not F32 of [3, 3]"),
            "{}",
            refused(&kind(3))
        );
        assert!(refused(&Kind::LeNet { classes: 2 }).contains("conv1.weight is missing"));
        let deep = Kind::Table { inputs: 2, hidden: vec![3, 2], classes: 2 };
        assert!(refused(&deep).contains("dense3.weight is missing"));
        assert!(write(&path, &kind(2), &parameters[1..]).is_err());

        let whole = std::fs::read(&path)?;
        for length in [0, 7, 8, 60, whole.len() - 1] {
            std::fs::write(&path, &whole[..length])?;
            assert!(refused(&kind(2)).contains("is not a file of parameters"), "{length}");
        }
        let mut changed = whole.clone();
        changed[..8].copy_from_slice(&(4u64 << 30).to_le_bytes());
        std::fs::write(&path, &changed)?;
        assert!(refused(&kind(2)).contains("is not a file of parameters"), "{}", refused(&kind(2)));
        let mut changed = whole.clone();
        let end = changed.len();
        changed[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        std::fs::write(&path, &changed)?;
        assert!(refused(&kind(2)).contains("is NaN"), "{}", refused(&kind(2)));
        assert!(matches!(read(&folder.path().join("missing"), &kind(2)), Err(Error::File { .. })));
        Ok(())
    }
}
