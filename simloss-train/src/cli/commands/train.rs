//! `simloss demo`, `train`, `sweep` and `report`: losses compared on a table or on images.
//!
//! They are one: a [`Plan`] is made of the command line, and a [`Purpose`] says what to do with it.

use super::{
    load::{self, Images, note},
    understood,
};
use crate::{
    Error,
    cli::{
        Ages, Baseline, Baselines, CompareArgs, ImageCompareArgs, List, LossArgs, LossName, Losses, NetworkArg,
        OutArgs, ReportCommand, ReportedCommand, TableCommand, TrainAgeCommand, TrainCifar100Command, TrainCommand,
        TrainFolderCommand, commands::classes,
    },
    compare::{
        analysis::Analysis,
        comparison::Comparison,
        manifest::named,
        metric,
        plan::{Existing, Plan, Proper},
        schedule::{compare, gather, one},
    },
    compute::{network::Kind as Network, task::Task},
    data::{
        images::ImageSet,
        read::{
            csv::{self, Columns},
            images::cifar,
            wine,
        },
        table::Table,
    },
    input,
    report::{self, records, terminal},
    run::{
        progress::Progress,
        record::{Selection, Settings},
    },
    similarity::{
        AnySimilarity, Candidate, Kind, LinkKind, Loaded, Request, Source, decimal, is_identity,
        names::Unnamed,
        proper::{self, AnyProper},
        spec::{LossDescription, LossKind, Truth},
    },
};
use simloss_core::similarity::Identity;
use std::{fmt::Write, path::Path, path::PathBuf, sync::atomic::AtomicBool};

/// What a plan is made for.
#[derive(Clone, Copy, Default)]
struct Purpose<'a> {
    /// Whether it is a sweep: with baselines, and going on with what is there.
    sweep: bool,
    /// To report what is finished, where it is not to train.
    report: Option<Reported<'a>>,
}

/// Where to report from, and the record to write, with the name of the comparison in it.
#[derive(Clone, Copy)]
struct Reported<'a> {
    dir: &'a Path,
    record: Option<&'a Path>,
    called: Option<&'a str>,
}

pub(super) fn train(command: TrainCommand, stop: &AtomicBool) -> Result<String, Error> {
    of(command, Purpose::default(), stop)
}

pub(super) fn sweep(command: TrainCommand, stop: &AtomicBool) -> Result<String, Error> {
    of(command, Purpose { sweep: true, report: None }, stop)
}

pub(super) fn report(command: ReportCommand, stop: &AtomicBool) -> Result<String, Error> {
    let ReportCommand { dir, record, called, asked } = command;
    let (dir, record) = (absolute(&dir)?, record.map(|path| absolute(&path)).transpose()?);
    let reported = Reported { dir: &dir, record: record.as_deref(), called: called.as_deref() };
    match asked {
        Some(ReportedCommand::Train(command)) => {
            return of(command, Purpose { sweep: false, report: Some(reported) }, stop);
        }
        Some(ReportedCommand::Sweep(command)) => {
            return of(command, Purpose { sweep: true, report: Some(reported) }, stop);
        }
        None => {}
    }
    reported.said(&Comparison::read(&dir)?)
}

impl Reported<'_> {
    /// Writes the report and the record, and says what stands in them.
    fn said(&self, comparison: &Comparison) -> Result<String, Error> {
        if let Some(path) = self.record {
            records::record(comparison, path, self.called)?;
        }
        said(comparison)
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(Error::file("find", path))
}

fn of(command: TrainCommand, purpose: Purpose<'_>, stop: &AtomicBool) -> Result<String, Error> {
    match command {
        TrainCommand::Table(command) => of_table(command, purpose, stop),
        TrainCommand::Cifar100(command) => cifar100(command, purpose, stop),
        TrainCommand::Age(command) => age(command, purpose, stop),
        TrainCommand::Folder(command) => folder(command, purpose, stop),
    }
}

pub(super) fn demo(args: CompareArgs, stop: &AtomicBool) -> Result<String, Error> {
    demo_for(args, Purpose::default(), stop)
}

fn demo_for(args: CompareArgs, purpose: Purpose<'_>, stop: &AtomicBool) -> Result<String, Error> {
    let default = args.out.out.is_none();
    let out = args.out.out.clone().unwrap_or_else(|| "out/demo".into());
    let existing = match existing(&args.out, purpose) {
        // What the demo wrote to its own folder comes back in a minute; a list brings nothing back.
        Existing::Keep if default => Existing::Replace,
        other => other,
    };
    table_comparison(wine::table()?, args, (out, existing), purpose, stop)
}

fn of_table(command: TableCommand, purpose: Purpose<'_>, stop: &AtomicBool) -> Result<String, Error> {
    let TableCommand { file, label, order, ignore, categories, form, compare: args } = command;
    let out = out(&args.out, file.file_stem().map_or(&*file, Path::new), purpose);
    let order = order.map(|order| load::names(order, "--order")).transpose()?;
    let all = |lists: Vec<List>| lists.into_iter().flat_map(|list| list.0).collect::<Vec<_>>();
    let (ignore, categories, missing) = (all(ignore), all(categories), form.missing.into());
    let table = csv::read(&file, &Columns { label, order, ignore, categories, missing, form: form.form() })?;
    table.notes.iter().for_each(|text| note(text));
    table_comparison(table, args, out, purpose, stop)
}

fn existing(args: &OutArgs, purpose: Purpose<'_>) -> Existing {
    match (args.overwrite, args.resume || args.list || args.only.is_some() || purpose.sweep) {
        (true, _) => Existing::Replace,
        (false, true) => Existing::Resume,
        (false, false) => Existing::Keep,
    }
}

/// The folder that was asked for, else one with the name of the data, and what to do with what it holds.
fn out(args: &OutArgs, name: &Path, purpose: Purpose<'_>) -> (PathBuf, Existing) {
    let named = || PathBuf::from("out").join(name.file_name().unwrap_or("images".as_ref()));
    (args.out.clone().unwrap_or_else(named), existing(args, purpose))
}

fn table_comparison(
    table: Table,
    args: CompareArgs,
    out: (PathBuf, Existing),
    purpose: Purpose<'_>,
    stop: &AtomicBool,
) -> Result<String, Error> {
    let given = args.similarity.similarity.is_some();
    let request = args.similarity.request(Kind::Order);
    request.check()?;
    if matches!(request.kind, Kind::Order | Kind::Circular) && !table.data.is_ordered() {
        return Err(Error::Usage(format!(
            "the classes of {} are names without an order, and --similarity {} needs one: give it with --order \
             low,middle,high, or choose --similarity superclass, a file, or none",
            table.data.name(),
            request.kind.name()
        )));
    }
    let loaded = request.load(Some(table.data.class_names()), None)?;
    let train = args.train;
    let settings = |customary: Selection| Settings {
        epochs: train.epochs,
        batch: train.batch,
        rate: train.rate,
        patience: train.patience.0,
        seed: train.seed,
        hidden: train.hidden.0,
        augmentation: None,
        selection: train.selection.map_or_else(|| customary, Into::into),
        threads: load::threads(train.threads),
    };
    let (seed, seeds) = (train.seed, train.seeds.unwrap_or(10));
    let asked = Asked { request, given, seed, losses: args.losses, seeds, out, asked: args.out, purpose };
    asked.comparison(Task::Table(table), loaded, settings, stop)
}

/// What the command line says of a comparison of any data.
struct Asked<'a> {
    request: Request,
    /// Whether the command line names the similarity.
    given: bool,
    /// The first seed.
    seed: u64,
    losses: LossArgs,
    seeds: usize,
    out: (PathBuf, Existing),
    asked: OutArgs,
    purpose: Purpose<'a>,
}

/// The share of `--losses smoothing`.
const SMOOTHING: f32 = 0.1;

/// What is compared with cross entropy.
#[derive(Default)]
struct Compared {
    candidates: Vec<Candidate>,
    proper: Vec<Proper>,
    baselines: Vec<Candidate>,
}

impl Asked<'_> {
    /// The losses that were named, or else those that are customary; and whether they were named.
    fn wanted(&self) -> (Vec<LossName>, bool) {
        match (&self.losses.losses, &self.losses.baselines) {
            (Some(Losses(given)), _) => (given.clone(), true),
            (None, None) if self.purpose.sweep => (LossName::ALL.to_vec(), false),
            (None, _) => (vec![LossName::SimLoss, LossName::Proper], false),
        }
    }

    /// Every loss that is asked for, of similarities that are none of them the identity.
    fn compared(&self, task: &Task, source: &Source, candidates: &[Candidate]) -> Result<Compared, Error> {
        let (wanted, by_name) = self.wanted();
        let kind = &self.request.kind;
        let classes = task.data().class_names().len();
        let mut found = Compared::default();
        for loss in wanted {
            let problem = match loss {
                LossName::SimLoss | LossName::Proper | LossName::Sord if *kind == Kind::None => {
                    Some("needs a similarity, which --similarity gives")
                }
                LossName::Emd if !task.ordered() => {
                    Some("needs classes in an order: classes that are numbers, or a table with --order")
                }
                LossName::Emd if *kind == Kind::Circular => {
                    Some("needs classes in an order with two ends, not in a circle")
                }
                _ => None,
            };
            match problem {
                Some(problem) if by_name => {
                    let name = loss.name();
                    return Err(Error::Usage(format!("--losses {name} {problem}; or leave {name} out")));
                }
                Some(_) => continue,
                None => {}
            }
            match loss {
                LossName::SimLoss => found.candidates = candidates.to_vec(),
                LossName::Proper => found.proper = self.proper(task, source, candidates, by_name)?,
                LossName::Sord => found.baselines.extend(candidates.iter().map(|c| Candidate {
                    description: LossDescription { truth: Truth::Soft, ..c.description.clone() },
                    similarity: c.similarity.clone(),
                })),
                LossName::Smoothing => {
                    found.baselines.extend(self.baseline(source, classes, Baseline::Smoothing(SMOOTHING))?);
                }
                LossName::Emd => found.baselines.push(Candidate {
                    description: LossDescription::squared_emd(),
                    similarity: AnySimilarity::None(Identity::new(classes)?),
                }),
            }
        }
        let Baselines(more) = self.losses.baselines.clone().unwrap_or_default();
        for baseline in more {
            for new in self.baseline(source, classes, baseline)? {
                if found.baselines.iter().any(|other| other.description == new.description) {
                    let (title, ..) = named(kind, &new.description);
                    return Err(Error::Usage(format!(
                        "{title} is asked for by --losses and by --baselines; leave one of them out"
                    )));
                }
                found.baselines.push(new);
            }
        }
        Ok(found)
    }

    /// Proper SimLoss of each similarity that has one. Of others it says why not; it is an error where that is all of them,
    /// and they were asked for.
    fn proper(
        &self,
        task: &Task,
        source: &Source,
        candidates: &[Candidate],
        by_name: bool,
    ) -> Result<Vec<Proper>, Error> {
        let names = task.data().class_names();
        let needs = AnyProper::is_checked(source) && !candidates.is_empty();
        if needs && names.len() > proper::MOST_CHECKED {
            if !by_name {
                note(&format!(
                    "proper SimLoss is left out: of {} classes the check whether a similarity is proper takes minutes or \
                     hours; ask for it with --losses",
                    names.len()
                ));
                return Ok(vec![]);
            }
            note(&format!("checking whether the similarity of {} classes is proper; this takes a while", names.len()));
        }
        let (mut found, mut refused) = (vec![], vec![]);
        for candidate in candidates {
            match AnyProper::of(source, candidate) {
                Ok(similarity) => {
                    let description = LossDescription { loss: LossKind::Proper, ..candidate.description.clone() };
                    found.push(Proper { description, similarity });
                }
                Err(error @ Error::Core(_)) => refused.push((candidate, proper::because(&error, names))),
                Err(error) => return Err(error),
            }
        }
        let Some((first, why)) = refused.first() else { return Ok(found) };
        let parameters: Vec<String> = refused.iter().filter_map(|(c, _)| c.description.parameter()).collect();
        let (at, of) = match &parameters[..] {
            [] => (String::new(), String::new()),
            [one] => (format!(" at {one}"), String::new()),
            several => (format!(" at {}", several.join(", ")), format!(" at {}", parameters[0])),
        };
        let advice = match (&self.request.kind, self.request.link) {
            (Kind::Circular, _) => "choose another -r, or --similarity order",
            (_, LinkKind::Threshold) => "use --link exp or --link hull",
            (_, LinkKind::Exp) => "use another -b, or --link hull",
            (_, LinkKind::Hull) => "use another -l",
        };
        let said = format!("{} is not proper{at}, by the check ({why}{of}); {advice}", first.description.similarity);
        match found.is_empty() && by_name {
            true => Err(Error::Usage(format!("{said}; or leave proper out of --losses"))),
            false => {
                note(&format!("{said}; proper SimLoss is left out there"));
                Ok(found)
            }
        }
    }

    /// Cross entropy with another truth.
    fn baseline(&self, source: &Source, classes: usize, baseline: Baseline) -> Result<Vec<Candidate>, Error> {
        let kind = &self.request.kind;
        let (truth, request) = match baseline {
            Baseline::Smoothing(share) => (Truth::Smoothed(decimal(share)), Request::new(Kind::None)),
            Baseline::Soft(_) if *kind == Kind::None => {
                return Err(Error::Usage("soft labels need a similarity, which --similarity gives".into()));
            }
            Baseline::Soft(_) if self.request.link == LinkKind::Exp => {
                let other = "soft=L has no meaning with --link exp, which has no lower bound; use --losses sord";
                return Err(Error::Usage(other.into()));
            }
            Baseline::Soft(bound) => {
                let [mut reduction_factors, mut lower_bounds] = [vec![], vec![]];
                match kind {
                    Kind::File(_) | Kind::Vectors => lower_bounds.push(bound),
                    _ => reduction_factors.push(bound),
                }
                (Truth::Soft, Request { reduction_factors, lower_bounds, ..self.request.clone() })
            }
        };
        let source = if request.kind == Kind::None { &Source::None } else { source };
        let candidates = request.candidates(source, classes)?.into_iter();
        let with = |Candidate { description, similarity }| Candidate {
            description: LossDescription { truth, ..description },
            similarity,
        };
        Ok(candidates.map(with).collect())
    }

    fn comparison(
        self,
        task: Task,
        loaded: Loaded,
        settings: impl FnOnce(Selection) -> Settings,
        stop: &AtomicBool,
    ) -> Result<String, Error> {
        if self.purpose.report.is_none() && self.asked.only.is_none() {
            eprint!("{}", understood::of(&task, &self.request, self.given, self.seed)?);
        }
        let Loaded { source, notes, .. } = loaded;
        let classes = task.data().class_names().len();
        let mut candidates = self.request.candidates(&source, classes)?;
        notes.iter().for_each(|text| note(text));
        let none = candidates.iter().map(|c| is_identity(&c.similarity)).collect::<Result<Vec<_>, _>>()?;
        let mut none = none.into_iter();
        candidates.retain(|Candidate { description, .. }| {
            let none = none.next().unwrap_or(false);
            let parameter = description.parameter();
            if let (true, Some(parameter)) = (none, &parameter) {
                note(&format!(
                    "{parameter} leaves no two classes similar: that is cross entropy, which is trained anyway"
                ));
            }
            // To the bits, and once is enough.
            !none || parameter.is_none()
        });
        let Compared { candidates: of_simloss, proper, baselines } = self.compared(&task, &source, &candidates)?;
        let Asked { request, seeds, out: (out, existing), asked, purpose, .. } = self;

        let settings = settings(metric::selection(&request.kind, task.ordered()));
        let (kind, command) = (request.kind, words());
        let candidates = of_simloss;
        let plan = Plan { task, kind, source, candidates, proper, baselines, settings, seeds, out, existing, command };
        let progress = Progress::new(stop);
        if let Some(reported) = purpose.report {
            return reported.said(&gather(Plan { out: reported.dir.to_owned(), ..plan })?);
        }
        if asked.list {
            let [folder, program] = [std::env::current_dir(), std::env::current_exe()].map(|path| {
                let path = path.map_err(Error::file("find", Path::new("the folder and the program")))?;
                Ok::<_, Error>(quoted(&path.to_string_lossy()))
            });
            let words: Vec<String> = plan.command.iter().map(|word| quoted(word)).collect();
            let before = format!("cd {} && {} {} --only", folder?, program?, words.join(" "));
            return Ok(plan.list()?.iter().map(|name| format!("{before} {}\n", quoted(name))).collect());
        }
        if let Some(name) = &asked.only {
            let record = one(&plan, name, &progress)?;
            let best = record.result.map_or(0, |result| result.best_epoch);
            return Ok(format!("{name}: {} epochs, the best is {best}\n", record.epochs.len()));
        }
        said(&compare(plan, &progress)?)
    }
}

/// The words of the command line that make a plan, after the program's name.
fn words() -> Vec<String> {
    // What is not text cannot be said again; the rest of the line is as good as nothing then.
    let words = std::env::args_os().skip(1).map(|word| word.into_string().ok()).collect::<Option<Vec<_>>>();
    let mut words = words.unwrap_or_default();
    words.retain(|word| word != "--list" && word != "--overwrite");
    words
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Writes the report and returns what to print.
fn said(comparison: &Comparison) -> Result<String, Error> {
    let analysis = Analysis::of(comparison)?;
    report::write(&analysis, &comparison.out)?;
    let mut text = terminal::render(&analysis);
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

fn cifar100(command: TrainCifar100Command, purpose: Purpose<'_>, stop: &AtomicBool) -> Result<String, Error> {
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
    let out = out(&args.out, Path::new("cifar100"), purpose);
    let loading =
        Images { size: [cifar::SIDE; 2], threads: load::threads(args.train.threads), cache: &images.cache, stop };
    image_comparison(loading.cifar100(&images.path, false)?, &protocol, args, out, purpose, stop)
}

fn age(command: TrainAgeCommand, purpose: Purpose<'_>, stop: &AtomicBool) -> Result<String, Error> {
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
    let out = out(&args.out, Path::new("age"), purpose);
    let loading = Images { size: [60; 2], threads: load::threads(args.train.threads), cache: &images.cache, stop };
    let ages = images.ages.unwrap_or(Ages::PUBLISHED);
    let set = loading.ages(&images.folder, ages.range(), images.labels.as_deref())?;
    image_comparison(set, &protocol, args, out, purpose, stop)
}

fn folder(command: TrainFolderCommand, purpose: Purpose<'_>, stop: &AtomicBool) -> Result<String, Error> {
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
    let out = out(&args.out, &images.folder, purpose);
    let loading = Images { size, threads: load::threads(args.train.threads), cache: &images.cache, stop };
    let set = loading.classes(&images.folder)?;
    let ordered = input::numbers_in_order(set.class_names()).is_some();
    let similarity = match set.tree() {
        _ if ordered => Kind::Order,
        Some(_) => Kind::Superclass,
        None => Kind::None,
    };
    image_comparison(set, &protocol(ordered, similarity), args, out, purpose, stop)
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
    purpose: Purpose<'_>,
    stop: &AtomicBool,
) -> Result<String, Error> {
    let request = protocol.request(&args);
    let request = if purpose.sweep { request } else { request.with_one_value() };
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
    let settings = |customary: Selection| Settings {
        epochs: train.epochs.unwrap_or(protocol.epochs),
        batch: train.batch,
        rate: train.rate,
        patience: train.patience.map_or(Some(protocol.patience), |asked| asked.0),
        seed: train.seed,
        hidden: vec![],
        augmentation,
        selection: train.selection.map_or_else(|| customary, Into::into),
        threads: load::threads(train.threads),
    };
    let network = (protocol.network)(set.classes());
    let task = Task::Images { set, network, ordered: protocol.ordered };
    let seeds = train.seeds.unwrap_or(if purpose.sweep { 10 } else { 1 });
    let (given, seed) = (args.similarity.similarity.is_some(), train.seed);
    let asked = Asked { request, given, seed, losses: args.losses, seeds, out, asked: args.out, purpose };
    asked.comparison(task, loaded, settings, stop)
}
