//! Models from elsewhere, and for elsewhere.

use super::{load, loss::Wanted};
use crate::{
    Error, VERSION,
    cli::{ExportCommand, ImportCommand, LossArg, Names, SimilarityArgs},
    compute::network::Kind as Network,
    files, input,
    model::{
        self, Model,
        checkpoint::{self, Checkpoint},
        firmware::{self, Frozen, Head, HeadLoss, SLOT},
    },
    similarity::{Candidate, Kind, Loaded, spec::LossDescription},
};
use simloss_core::device::checkpoint::Header;
use std::path::Path;

pub(super) fn export(command: ExportCommand) -> Result<String, Error> {
    let ExportCommand { checkpoint, out, head, similarity, loss } = command;
    let outputs = if head.is_some() { firmware::files(&out).to_vec() } else { vec![out.clone()] };
    for output in &outputs {
        files::keep(output, [&*checkpoint].into_iter().chain(similarity.files()))?;
    }
    if let Some(layers) = head {
        return export_head(&checkpoint, &out, usize::from(layers), &similarity, loss);
    }
    if similarity.is_given() {
        return Err(Error::Usage("a similarity has no effect without --head: it is the device's".to_owned()));
    }
    if loss.is_some() {
        return Err(Error::Usage("--loss has no effect without --head: it is the device's".to_owned()));
    }
    let Checkpoint { network, parameters, standardiser, .. } = checkpoint::read(&checkpoint)?;
    checkpoint::write_scaled(&out, &network, &parameters, standardiser.as_ref())?;
    if standardiser.is_some() {
        let [mean, deviation] = checkpoint::STANDARDISER;
        load::note(&format!(
            "two more tensors say how features are scaled before they enter: (x - {mean}) / {deviation}"
        ));
    }
    Ok(format!("{} parameters in PyTorch's layout: {}\n", parameters.len(), out.display()))
}

/// What a firmware includes: the head's parameters and the module that includes them, the same of what lies before it, and
/// what it all takes.
fn export_head(
    path: &Path,
    out: &Path,
    layers: usize,
    similarity: &SimilarityArgs,
    loss: Option<LossArg>,
) -> Result<String, Error> {
    let Checkpoint { network, parameters, standardiser, model, notes } = checkpoint::read(path)?;
    notes.iter().for_each(|text| load::note(text));
    let wanted = Wanted::of(similarity, loss, model.as_ref(), Kind::None)?;
    let head = Head::of(&network, layers)?.of_base(&network, &parameters, standardiser.as_ref());
    let names = model.as_ref().map(|model| &model.class_names[..]);
    let groups = model.as_ref().map(|model| &model.groups[..]).filter(|groups| !groups.is_empty());
    let Loaded { source, .. } = wanted.request.load(names, groups)?;
    let candidates = wanted.request.candidates(&source, network.classes())?;
    let [candidate] = &candidates[..] else {
        return Err(Error::Usage("one similarity is needed".to_owned()));
    };
    let description = wanted.describe(candidate.description.clone());
    let candidate = Candidate { description, similarity: candidate.similarity.clone() };
    let loss = HeadLoss::of(&candidate, &source)?;
    let frozen = Frozen::of(&network, &head, standardiser.as_ref())?;
    let sizes = head.sizes(&frozen, &loss)?;
    let (blob, frozen_blob) = (head.blob(&parameters)?, frozen.blob(&parameters)?);
    let (module, frozen_module) = (head.module(&loss, names)?, frozen.module());
    std::fs::create_dir_all(out).map_err(Error::file("create", out))?;
    let [to_blob, to_module, to_frozen_blob, to_frozen_module, to_sizes] = firmware::files(out);
    // The blobs last: what includes them does not build without them.
    files::replace(&to_sizes, &[sizes.as_bytes()])?;
    files::replace(&to_frozen_module, &[frozen_module.as_bytes()])?;
    files::replace(&to_module, &[module.as_bytes()])?;
    match frozen_blob {
        Some(bytes) => files::replace(&to_frozen_blob, &[&bytes])?,
        None => files::remove(&to_frozen_blob)?,
    }
    files::replace(&to_blob, &[&blob])?;
    let widths: Vec<String> = head.widths.iter().map(usize::to_string).collect();
    let loss = candidate.description.words();
    Ok(format!("a head of {} in {}, trained on with {loss}; bytes:\n{sizes}", widths.join(" -> "), out.display()))
}

/// A slot of a device back into the model whose head it is.
fn import_slot(path: &Path, base: &Path, out: &Path) -> Result<String, Error> {
    let Checkpoint { network, mut parameters, standardiser, model, notes } = checkpoint::read(base)?;
    notes.iter().for_each(|text| load::note(text));
    let slot = model::bytes(path, SLOT)?;
    // One dense layer, or two: the slot's shape says which.
    let head = |layers| Ok(Head::of(&network, layers)?.of_base(&network, &parameters, standardiser.as_ref()));
    let (one, two): (Result<Head, Error>, Result<Head, Error>) = (head(1), head(2));
    let header = match (one?.put(path, &slot, &mut parameters), two) {
        (Err(_), Ok(two)) if Header::read(&slot).is_ok_and(|found| Some(found.parameters) == two.parameters()) => {
            two.put(path, &slot, &mut parameters)?
        }
        (result, _) => result?,
    };
    match model {
        Some(model) => Model { version: VERSION.to_owned(), parameters, ..model }.save(out)?,
        None => checkpoint::write_scaled(out, &network, &parameters, standardiser.as_ref())?,
    }
    let Header { sequence, steps, .. } = header;
    Ok(format!("{} parameters after {steps} steps, save {sequence}: {}\n", header.parameters, out.display()))
}

pub(super) fn import(command: ImportCommand) -> Result<String, Error> {
    let ImportCommand { checkpoint, out, base, ages, names } = command;
    let list = if let Some(Names::File(list)) = &names { Some(&**list) } else { None };
    files::keep(&out, [&*checkpoint].into_iter().chain(base.as_deref()).chain(list))?;
    if let Some(base) = base {
        return import_slot(&checkpoint, &base, &out);
    }
    let Checkpoint { network, parameters, standardiser, notes, .. } = checkpoint::read(&checkpoint)?;
    notes.iter().for_each(|text| load::note(text));
    if let (Network::Table { .. }, None) = (&network, &standardiser) {
        let names = checkpoint::STANDARDISER.join(" and ");
        load::note(&format!("the file holds no {names}: features enter the network as they are"));
    }
    let classes = network.classes();
    let class_names = match (ages, names) {
        (Some(ages), _) => ages.range().map(|age| age.to_string()).collect(),
        (None, Some(names)) => load::names(names, "--names")?,
        (None, None) => (0..classes).map(|class| class.to_string()).collect::<Vec<_>>(),
    };
    if class_names.len() != classes {
        let found = class_names.len();
        return Err(Error::Usage(format!("the network has {classes} classes, but {found} are named")));
    }
    // Names that are all numbers are what their classes stand for.
    let values: Option<Vec<f64>> = class_names.iter().map(|name| input::class_number(name)).collect();
    let model = Model {
        version: VERSION.to_owned(),
        class_values: values.unwrap_or_else(|| (0..classes).map(|class| class as f64).collect()),
        class_names,
        ordered: false,
        features: vec![],
        columns: vec![],
        standardiser,
        loss: LossDescription { similarity: "unknown".to_owned(), ..LossDescription::cross_entropy() },
        groups: vec![],
        network,
        parameters,
    };
    model.save(&out)?;
    Ok(format!("{} parameters of {:?}: {}\n", model.parameters.len(), model.network, out.display()))
}
