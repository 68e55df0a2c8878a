//! `simloss eval`: a trained network on data, by every measure.

use super::{
    load::{Images, note, threads},
    loss::Wanted,
};
use crate::{
    Error,
    cli::{AgeArgs, Ages, Cifar100Args, EvalArgs, EvalCommand, FolderArgs},
    compute::{
        loss::AnyLoss,
        network::Kind as Network,
        samples::{Samples, Scaled},
    },
    data::{
        images::{ImageSet, Part},
        read::{csv, images::cifar},
        table::Table,
    },
    error::{Expected, place::list},
    eval::{
        infer::{self, Prediction, Summary, evaluate},
        scores::Answers,
    },
    files, input,
    model::{
        Model,
        checkpoint::{self, Checkpoint},
    },
    report::format::columns,
    similarity::{
        Kind,
        proper::{self, AnyProper},
        spec::{LossDescription, LossKind, Truth},
    },
};
use serde::Serialize;
use std::{
    fmt::Write,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

pub(super) fn eval(command: EvalCommand, stop: &AtomicBool) -> Result<String, Error> {
    let (eval, data) = match &command {
        EvalCommand::Age { images, eval } => (eval, images.labels.as_deref()),
        EvalCommand::Cifar100 { images, eval } => (eval, Some(&*images.path)),
        EvalCommand::Folder { eval, .. } => (eval, None),
        EvalCommand::Table { file, eval, .. } => (eval, Some(&**file)),
    };
    if let Some(out) = &eval.predictions {
        files::keep(out, [&*eval.checkpoint].into_iter().chain(data).chain(eval.similarity.files()))?;
    }
    match command {
        EvalCommand::Age { images, eval } => age(images, eval, stop),
        EvalCommand::Cifar100 { images, eval } => cifar100(images, eval, stop),
        EvalCommand::Folder { images, eval } => folder(images, eval, stop),
        EvalCommand::Table { file, label, ignore, form, eval } => {
            let ignore = ignore.into_iter().flat_map(|list| list.0).collect();
            let (missing, form) = (form.missing.into(), form.form());
            let columns = csv::Columns { label, ignore, missing, form, ..csv::Columns::default() };
            of_table(&file, &columns, eval, stop)
        }
    }
}

fn age(images: AgeArgs, eval: EvalArgs, stop: &AtomicBool) -> Result<String, Error> {
    let (trained, loading) = for_images(&eval, &images.cache, stop)?;
    let given = trained.model.as_ref().and_then(|model| ages_of(&model.class_values));
    let ages = images.ages.or(given).unwrap_or(Ages::PUBLISHED);
    let (found, classes) = (ages.range().len(), trained.network.classes());
    if found != classes {
        let Ages { first, last } = ages;
        return Err(Error::Usage(format!(
            "--ages {first}..{last} are {found} classes, but the network of {} has {classes}",
            eval.checkpoint.display()
        )));
    }
    let set = loading.ages(&images.folder, ages.range(), images.labels.as_deref())?;
    judge_images(&set, true, &trained, eval, stop)
}

/// Values that are one age after the other.
fn ages_of(values: &[f64]) -> Option<Ages> {
    let age = |value: f64| (0.0..=150.0).contains(&value).then_some(value as u16);
    let ages = Ages { first: age(*values.first()?)?, last: age(*values.last()?)? };
    ages.range().map(f64::from).eq(values.iter().copied()).then_some(ages)
}

fn cifar100(images: Cifar100Args, eval: EvalArgs, stop: &AtomicBool) -> Result<String, Error> {
    let (trained, loading) = for_images(&eval, &images.cache, stop)?;
    let set = loading.cifar100(&images.path, true)?;
    let set = match &trained.model {
        Some(model) => only(set, &model.class_names)?,
        None if trained.network.classes() == set.classes() => set,
        None => cifar::published(set)?,
    };
    judge_images(&set, false, &trained, eval, stop)
}

/// The images of the classes `names`, in their order.
fn only(set: ImageSet, names: &[String]) -> Result<ImageSet, Error> {
    let place = |name: &String| {
        set.class_names().iter().position(|other| other == name).ok_or_else(|| {
            let problem = format!("there is no class {name:?}, which the network has");
            Error::Data { data: set.name().to_owned(), problem }
        })
    };
    let kept = names.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    set.keep_classes(&kept)
}

fn folder(images: FolderArgs, eval: EvalArgs, stop: &AtomicBool) -> Result<String, Error> {
    let (trained, loading) = for_images(&eval, &images.cache, stop)?;
    let set = loading.classes(&images.folder)?;
    let set = match &trained.model {
        Some(model) => set.with_classes(&model.class_names, &model.class_values)?,
        None => set,
    };
    let ordered =
        trained.model.as_ref().map_or_else(|| input::numbers_in_order(set.class_names()).is_some(), Model::is_ordered);
    judge_images(&set, ordered, &trained, eval, stop)
}

fn of_table(file: &Path, columns: &csv::Columns, eval: EvalArgs, stop: &AtomicBool) -> Result<String, Error> {
    let trained = checkpoint::read(&eval.checkpoint)?;
    trained.notes.iter().for_each(|text| note(text));
    let model = trained.model.as_ref();
    let Table { data, notes, .. } = csv::read_to_judge(file, columns, model.map(Model::known))?;
    notes.iter().for_each(|text| note(text));
    if model.is_none_or(|model| model.features.is_empty()) {
        let names = list(data.feature_names());
        note(&format!(
            "the network does not name its features: they are the columns in the order of the file, {names}"
        ));
    }
    let all: Vec<u32> = (0..data.samples() as u32).collect();
    let samples = Scaled::new(&data, trained.standardiser.as_ref());
    judge(
        Judged { samples: &samples, chosen: &all, fingerprint: data.fingerprint(), ordered: data.is_ordered() },
        &trained,
        eval,
        stop,
    )
}

/// The network, and how its images are read.
fn for_images<'a>(
    eval: &EvalArgs,
    cache: &'a crate::cli::CacheArgs,
    stop: &'a AtomicBool,
) -> Result<(Checkpoint, Images<'a>), Error> {
    let trained = checkpoint::read(&eval.checkpoint)?;
    trained.notes.iter().for_each(|text| note(text));
    let size = trained.network.image_size().ok_or_else(|| {
        let problem = format!("it takes tables of {} features, not images", trained.network.inputs());
        Error::format(&eval.checkpoint, Expected::new("a network for images", "use `simloss eval table`"))(&problem)
    })?;
    Ok((trained, Images { size, threads: threads(eval.threads), cache, stop }))
}

/// What a network is judged on.
struct Judged<'a> {
    samples: &'a dyn Samples,
    chosen: &'a [u32],
    fingerprint: &'a str,
    ordered: bool,
}

/// On the part `test` of some images, else on all of them.
fn judge_images(
    set: &ImageSet,
    ordered: bool,
    trained: &Checkpoint,
    eval: EvalArgs,
    stop: &AtomicBool,
) -> Result<String, Error> {
    let test = set.part(Part::Test);
    let chosen = if test.is_empty() { set.all() } else { test };
    judge(Judged { samples: set, chosen: &chosen, fingerprint: set.fingerprint(), ordered }, trained, eval, stop)
}

fn judge(judged: Judged<'_>, trained: &Checkpoint, eval: EvalArgs, stop: &AtomicBool) -> Result<String, Error> {
    let Judged { samples, chosen, fingerprint, ordered } = judged;
    let classes = samples.class_names().len();
    if classes != trained.network.classes() {
        let problem = format!("there are {classes} classes, but the network has {}", trained.network.classes());
        return Err(Error::Data { data: samples.name().to_owned(), problem });
    }
    let default = if ordered { Kind::Order } else { Kind::None };
    let wanted = Wanted::or_cross_entropy(&eval.similarity, eval.loss, trained.model.as_ref(), default)?;
    let Wanted { formula, truth, request } = &wanted;
    if *formula == LossKind::Emd && !ordered {
        let needs = "squared EMD needs classes in an order, which these are not; choose another --loss";
        return Err(Error::Usage(needs.to_owned()));
    }
    let groups = trained.model.as_ref().map(|model| &model.groups).filter(|groups| !groups.is_empty()).cloned();
    let loaded = request.load(Some(samples.class_names()), groups.or(samples.superclasses()).as_deref())?;
    if !loaded.unnamed.is_empty() {
        let names = list(&loaded.unnamed);
        return Err(Error::Usage(format!("the network has classes that the similarity does not name: {names}")));
    }
    loaded.notes.iter().for_each(|text| note(text));
    let candidate = request.candidates(&loaded.source, classes)?.into_iter().next();
    let candidate = candidate.ok_or(simloss_core::Error::Empty)?;
    let description = match truth {
        Truth::Class => wanted.describe(candidate.description.clone()),
        Truth::Soft | Truth::Smoothed(_) => {
            note(&format!(
                "the loss below is cross entropy of the classes; the network was trained with {}",
                wanted.describe(candidate.description.clone()).words()
            ));
            LossDescription::cross_entropy()
        }
    };

    let mut table = eval.predictions.as_ref().map(|_| infer::Table::new(samples));
    let threads = threads(eval.threads);
    let (network, parameters) = (&trained.network, &trained.parameters[..]);
    let mut each = |prediction: Prediction<'_>| {
        if let Some(table) = &mut table {
            table.add(prediction);
        }
        if stop.load(Ordering::Relaxed) { Err(Error::Interrupted { folder: None }) } else { Ok(()) }
    };
    let loss = match (formula, truth) {
        (LossKind::Emd, _) => AnyLoss::squared_emd(classes)?,
        (LossKind::Proper, _) => {
            let similarity = AnyProper::of(&loaded.source, &candidate).map_err(|error| {
                let why = proper::because(&error, samples.class_names());
                let of = &candidate.description.similarity;
                Error::Usage(format!("{of} is not proper, by the check ({why}); choose another, or --loss simloss"))
            })?;
            AnyLoss::proper(similarity)?
        }
        (LossKind::SimLoss, Truth::Class) => AnyLoss::simloss(candidate.similarity),
        (LossKind::SimLoss, _) => AnyLoss::cross_entropy(classes)?,
    };
    let mut summary = evaluate(network, parameters, loss, samples, chosen, threads, &mut each)?;
    if !ordered {
        summary.forget_distances();
    }
    if let (Some(table), Some(path)) = (table, &eval.predictions) {
        table.save(path)?;
    }
    if eval.json {
        return json(samples, fingerprint, &trained.network, &description, &summary).map_err(|e| {
            Error::format(&eval.checkpoint, Expected::written("a network whose figures can be written"))(&e)
        });
    }
    let mut text = text(samples, &trained.network, &description, ordered, &summary);
    if let Some(path) = &eval.predictions {
        let _ = writeln!(text, "\nPredictions: {}", path.display());
    }
    Ok(text)
}

/// What `--json` prints.
#[derive(Serialize)]
struct Printed<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    images: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    samples: Option<usize>,
    #[serde(flatten)]
    summary: &'a Summary,
    data: &'a str,
    fingerprint: &'a str,
    network: &'a Network,
    similarity: &'a LossDescription,
}

fn json(
    samples: &dyn Samples,
    fingerprint: &str,
    network: &Network,
    similarity: &LossDescription,
    summary: &Summary,
) -> Result<String, serde_json::Error> {
    let images = samples.what() == "images";
    let count = Some(summary.samples);
    let printed = Printed {
        images: count.filter(|_| images),
        samples: count.filter(|_| !images),
        summary,
        data: samples.name(),
        fingerprint,
        network,
        similarity,
    };
    Ok(serde_json::to_string(&printed)? + "\n")
}

fn text(
    samples: &dyn Samples,
    network: &Network,
    similarity: &LossDescription,
    ordered: bool,
    summary: &Summary,
) -> String {
    let percent = |share: Option<f64>| share.map_or(String::new(), |share| format!("{:.2} %", 100.0 * share));
    let number = |x: Option<f64>| x.map_or(String::new(), |x| format!("{x:.4}"));
    let mut out = format!(
        "{}: {} {}, {} classes, {} parameters\n\n",
        samples.name(),
        summary.samples,
        samples.what(),
        network.classes(),
        network.tensors().iter().map(|tensor| tensor.shape.iter().product::<usize>()).sum::<usize>(),
    );
    let scores = &summary.scores;
    let mut rows = vec![["", "accuracy", "within 1", "MAE", "MSE", "kappa"].map(str::to_owned).to_vec()];
    let mut row = |name: &str, answers: &Answers| {
        let Answers { accuracy, within_one, mae, mse, kappa } = answers;
        rows.push(vec![
            name.to_owned(),
            percent(*accuracy),
            percent(*within_one),
            number(*mae),
            number(*mse),
            number(*kappa),
        ]);
    };
    row("most probable class", &scores.scores.argmax);
    if ordered {
        row("expected value", &scores.expectation);
        row("median class", &scores.median);
        row("least expected distance", &scores.minimum_risk);
    } else {
        rows.iter_mut().for_each(|row| row.truncate(2));
    }
    out.push_str(&columns(&rows));
    let of = [Some(similarity.similarity.clone()), similarity.parameter()].into_iter().flatten();
    let of = of.collect::<Vec<_>>().join(", ");
    let loss = match similarity.loss {
        LossKind::SimLoss => of,
        LossKind::Proper => format!("proper, {of}"),
        LossKind::Emd => "squared EMD".to_owned(),
    };
    let named = [
        (format!("loss ({loss})"), number(scores.scores.loss)),
        ("negative log-likelihood".into(), number(scores.scores.likelihood)),
        ("Brier score".into(), number(scores.scores.brier)),
        ("ranked probability score".into(), number(scores.scores.ranked)),
        ("expected calibration error".into(), number(scores.scores.calibration)),
        ("superclass accuracy".into(), percent(summary.superclass_accuracy)),
        ("failed superclass accuracy".into(), percent(summary.failed_superclass_accuracy)),
    ];
    let rows: Vec<Vec<String>> =
        named.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| vec![name, value]).collect();
    out.push('\n');
    out.push_str(&columns(&rows));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read_from_class_values() {
        assert_eq!(ages_of(&[15.0, 16.0, 17.0]), Some(Ages { first: 15, last: 17 }));
        for values in [&[][..], &[1.0, 3.0], &[1.5, 2.5], &[-1.0, 0.0], &[f64::NAN, 1.0], &[2.0, 1.0]] {
            assert_eq!(ages_of(values), None, "{values:?}");
        }
    }
}
