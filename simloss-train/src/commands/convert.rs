//! Models from elsewhere, and for elsewhere.

use super::load;
use crate::{
    Error,
    checkpoint::{self, Checkpoint},
    cli::{ExportCommand, ImportCommand},
    model::Model,
    record::{LossDescription, VERSION},
};

pub(super) fn export(command: ExportCommand) -> Result<String, Error> {
    let ExportCommand { checkpoint, out } = command;
    let Checkpoint { network, parameters, .. } = checkpoint::read(&checkpoint)?;
    checkpoint::write(&out, &network, &parameters)?;
    Ok(format!("{} parameters in PyTorch's layout: {}\n", parameters.len(), out.display()))
}

pub(super) fn import(command: ImportCommand) -> Result<String, Error> {
    let ImportCommand { checkpoint, out, ages, names } = command;
    let Checkpoint { network, parameters, .. } = checkpoint::read(&checkpoint)?;
    let classes = network.classes();
    let class_names = match (ages, names) {
        (Some(ages), _) => ages.range().map(|age| age.to_string()).collect(),
        (None, Some(names)) => load::names(names)?,
        (None, None) => (0..classes).map(|class| class.to_string()).collect::<Vec<_>>(),
    };
    if class_names.len() != classes {
        let found = class_names.len();
        return Err(Error::Usage(format!("the network has {classes} classes, but {found} are named")));
    }
    // Names that are all numbers are what their classes stand for.
    let numbers: Option<Vec<f64>> = class_names.iter().map(|name| name.parse().ok()).collect();
    let values = numbers.filter(|numbers| numbers.iter().all(|&x| (x as f32).is_finite()));
    let model = Model {
        version: VERSION.to_owned(),
        class_values: values.unwrap_or_else(|| (0..classes).map(|class| class as f64).collect()),
        class_names,
        standardiser: None,
        loss: LossDescription {
            similarity: "unknown".to_owned(),
            reduction_factor: None,
            lower_bound: None,
            fingerprint: None,
        },
        network,
        parameters,
    };
    model.save(&out)?;
    Ok(format!("{} parameters of {:?}: {}\n", model.parameters.len(), model.network, out.display()))
}
