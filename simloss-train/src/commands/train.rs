//! `simloss demo` and `simloss train`: losses compared on a table or on images.

use super::load::{self, Images, note};
use crate::{
    Error,
    cli::{
        Ages, CompareArgs, ImageCompareArgs, NetworkArg, OutArgs, TableCommand, TrainAgeCommand, TrainCifar100Command,
        TrainCommand, TrainFolderCommand,
    },
    compare::{Existing, Plan, compare},
    images::{ImageSet, cifar, classes},
    measure::Measures,
    network::Kind as Network,
    progress::Progress,
    record::Settings,
    report,
    similarity::{Candidate, Kind, Loaded, Request, names::Unnamed},
    summary,
    table::{self, Columns, Table},
    task::Task,
    wine,
};
use std::{fmt::Write, path::Path, path::PathBuf, sync::atomic::AtomicBool};

pub(super) fn train(command: TrainCommand, stop: &AtomicBool) -> Result<String, Error> {
    match command {
        TrainCommand::Table(command) => of_table(command, stop),
        TrainCommand::Cifar100(command) => cifar100(command, stop),
        TrainCommand::Age(command) => age(command, stop),
        TrainCommand::Folder(command) => folder(command, stop),
    }
}

pub(super) fn demo(args: CompareArgs, stop: &AtomicBool) -> Result<String, Error> {
    let default = args.out.out.is_none();
    let out = args.out.out.clone().unwrap_or_else(|| "out/demo".into());
    let existing = match existing(&args.out) {
        // What the demo wrote to its own folder comes back in a minute.
        Existing::Keep if default => Existing::Replace,
        other => other,
    };
    table_comparison(wine::table()?, args, (out, existing), stop)
}

fn of_table(command: TableCommand, stop: &AtomicBool) -> Result<String, Error> {
    let TableCommand { file, label, order, ignore, compare: args } = command;
    let out = out(&args.out, file.file_stem().map_or(&*file, Path::new));
    let table = table::read(&file, &Columns { label, order, ignore })?;
    table_comparison(table, args, out, stop)
}

fn existing(args: &OutArgs) -> Existing {
    match (args.resume, args.overwrite) {
        (true, _) => Existing::Resume,
        (false, true) => Existing::Replace,
        (false, false) => Existing::Keep,
    }
}

/// The folder that was asked for, else one with the name of the data, and what to do with what it holds.
fn out(args: &OutArgs, name: &Path) -> (PathBuf, Existing) {
    let named = || PathBuf::from("out").join(name.file_name().unwrap_or("images".as_ref()));
    (args.out.clone().unwrap_or_else(named), existing(args))
}

fn table_comparison(
    table: Table,
    args: CompareArgs,
    out: (PathBuf, Existing),
    stop: &AtomicBool,
) -> Result<String, Error> {
    let request = args.similarity.request(Kind::Order);
    request.check()?;
    if matches!(request.kind, Kind::Order | Kind::Circular) && !table.ordered {
        return Err(Error::Usage(format!(
            "the classes of {} are names without an order, and --similarity {} needs one: give it with --order \
             low,middle,high, or choose --similarity superclass, a file, or none",
            table.data.name(),
            request.kind.name()
        )));
    }
    let loaded = request.load(Some(table.data.class_names()), None)?;
    let train = args.train;
    let settings = |measures: &Measures| Settings {
        epochs: train.epochs,
        batch: train.batch,
        rate: train.rate,
        patience: train.patience.0,
        seed: train.seed,
        hidden: train.hidden.0,
        augmentation: None,
        selection: train.selection.map_or_else(|| measures.selection(), Into::into),
        threads: load::threads(train.threads),
    };
    comparison(Task::Table(table), request, loaded, settings, train.seeds, out, stop)
}

fn comparison(
    task: Task,
    request: Request,
    loaded: Loaded,
    settings: impl FnOnce(&Measures) -> Settings,
    seeds: usize,
    (out, existing): (PathBuf, Existing),
    stop: &AtomicBool,
) -> Result<String, Error> {
    let Loaded { source, notes, .. } = loaded;
    let mut candidates = request.candidates(&source, task.data().class_names().len())?;
    // r = 0 is cross entropy, to the bits, and that is there already.
    candidates.retain(|Candidate { description, .. }| description.reduction_factor != Some(0.0));
    notes.iter().for_each(|text| note(text));

    let settings = settings(&Measures::new(&task, &request.kind, &source, &candidates));
    let plan = Plan { task, kind: request.kind, source, candidates, settings, seeds, out, existing };
    let progress = Progress::new(stop);
    let comparison = compare(plan, &progress)?;
    report::write(&comparison)?;
    let mut text = summary::text(&comparison)?;
    let _ = writeln!(text, "\nReport:             {}", comparison.report().display());
    let _ = writeln!(text, "Records and models: {}", comparison.runs().display());
    Ok(text)
}

/// What is customary for some images, where the command line says nothing.
struct Protocol<'a> {
    network: &'a dyn Fn(usize) -> Network,
    /// Whether the classes are in an order.
    ordered: bool,
    similarity: Kind,
    unnamed: Unnamed,
    epochs: usize,
    patience: usize,
    augmentation: Option<usize>,
}

fn cifar100(command: TrainCifar100Command, stop: &AtomicBool) -> Result<String, Error> {
    let TrainCifar100Command { images, unnamed, compare: args } = command;
    let protocol = Protocol {
        network: &|classes| Network::LeNet { classes },
        ordered: false,
        similarity: Kind::Superclass,
        unnamed: unnamed.unnamed.map_or(Unnamed::Drop, Into::into),
        epochs: 1000,
        patience: 20,
        augmentation: Some(4),
    };
    protocol.request(&args).check()?;
    let out = out(&args.out, Path::new("cifar100"));
    let loading =
        Images { size: [cifar::SIDE; 2], threads: load::threads(args.train.threads), cache: &images.cache, stop };
    image_comparison(loading.cifar100(&images.path, false)?, &protocol, args, out, stop)
}

fn age(command: TrainAgeCommand, stop: &AtomicBool) -> Result<String, Error> {
    let TrainAgeCommand { images, compare: args } = command;
    let protocol = Protocol {
        network: &|classes| Network::Ages { classes },
        ordered: true,
        similarity: Kind::Order,
        unnamed: Unnamed::Error,
        epochs: 200,
        patience: 10,
        augmentation: None,
    };
    protocol.request(&args).check()?;
    let out = out(&args.out, Path::new("age"));
    let loading = Images { size: [60; 2], threads: load::threads(args.train.threads), cache: &images.cache, stop };
    let ages = images.ages.unwrap_or(Ages::PUBLISHED);
    let set = loading.ages(&images.folder, ages.range(), images.labels.as_deref())?;
    image_comparison(set, &protocol, args, out, stop)
}

fn folder(command: TrainFolderCommand, stop: &AtomicBool) -> Result<String, Error> {
    let TrainFolderCommand { images, network: which, size: asked, unnamed, compare: args } = command;
    let network: &dyn Fn(usize) -> Network = match which {
        NetworkArg::Small => &|classes| Network::Small { size: asked.unwrap_or(32), classes },
        NetworkArg::Lenet => &|classes| Network::LeNet { classes },
        NetworkArg::Age => &|classes| Network::Ages { classes },
    };
    // Its size does not depend on the number of classes.
    let size = network(2).image_size().unwrap_or([32; 2]);
    if asked.is_some_and(|asked| size != [asked; 2]) {
        let [_, size] = size;
        return Err(Error::Usage(format!("this network takes images of {size} x {size} pixels; leave out --size")));
    }
    let protocol = |ordered, similarity| Protocol {
        network,
        ordered,
        similarity,
        unnamed: unnamed.unnamed.map_or(Unnamed::Error, Into::into),
        epochs: 200,
        patience: 20,
        augmentation: None,
    };
    if args.similarity.similarity.is_some() {
        protocol(false, Kind::None).request(&args).check()?;
    }
    let out = out(&args.out, &images.folder);
    let loading = Images { size, threads: load::threads(args.train.threads), cache: &images.cache, stop };
    let set = loading.classes(&images.folder)?;
    // Names that are numbers are in their order.
    let ordered = set.class_names().iter().all(|name| name.parse::<f64>().is_ok());
    let similarity = match set.tree() {
        _ if ordered => Kind::Order,
        Some(_) => Kind::Superclass,
        None => Kind::None,
    };
    image_comparison(set, &protocol(ordered, similarity), args, out, stop)
}

impl Protocol<'_> {
    fn request(&self, args: &ImageCompareArgs) -> Request {
        Request { unnamed: self.unnamed, ..args.similarity.clone().request(self.similarity.clone()) }
    }
}

fn image_comparison(
    set: ImageSet,
    protocol: &Protocol<'_>,
    args: ImageCompareArgs,
    out: (PathBuf, Existing),
    stop: &AtomicBool,
) -> Result<String, Error> {
    let request = protocol.request(&args);
    if matches!(request.kind, Kind::Order | Kind::Circular) && !protocol.ordered {
        return Err(Error::Usage(format!(
            "the classes of {} are names without an order, and --similarity {} needs one: name all folders with \
             numbers, or choose --similarity superclass, vectors, a file, or none",
            set.name(),
            request.kind.name()
        )));
    }
    let (set, loaded) = classes::named(set, &request)?;
    let train = args.train;
    let augmentation = train.augmentation.map_or(protocol.augmentation, |asked| asked.0);
    let [height, width] = set.size();
    if let Some(padding) = augmentation.filter(|&padding| padding >= height.min(width)) {
        let domain = "a padding below the size of the images, or none";
        return Err(Error::Setting { name: "--augmentation", domain, found: padding.to_string() });
    }
    let settings = |measures: &Measures| Settings {
        epochs: train.epochs.unwrap_or(protocol.epochs),
        batch: train.batch,
        rate: train.rate,
        patience: train.patience.map_or(Some(protocol.patience), |asked| asked.0),
        seed: train.seed,
        hidden: vec![],
        augmentation,
        selection: train.selection.map_or_else(|| measures.selection(), Into::into),
        threads: load::threads(train.threads),
    };
    let network = (protocol.network)(set.classes());
    let task = Task::Images { set, network, ordered: protocol.ordered };
    comparison(task, request, loaded, settings, train.seeds, out, stop)
}
