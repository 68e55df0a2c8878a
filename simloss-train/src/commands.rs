//! What each command does: read, check, run, write, and return what to print.

mod convert;
mod eval;
mod load;

use crate::{
    Error,
    cli::{Cli, Command, CompareArgs, SimilarityCommand, TableCommand, TrainCommand},
    compare::{Existing, Plan, compare},
    files,
    measure::Measures,
    progress::Progress,
    record::Settings,
    report,
    similarity::{Candidate, Kind, Loaded, Source, describe::Description},
    summary,
    table::{self, Columns, Table},
    wine,
};
use std::{error::Error as _, fmt::Write, path::PathBuf, sync::atomic::AtomicBool};

/// Does what the command line says. `stop` ends it once it is set.
///
/// # Errors
/// Whatever went wrong.
pub fn run(cli: Cli, stop: &AtomicBool) -> Result<String, Error> {
    match cli.command {
        None => demo(cli.demo, stop),
        Some(Command::Demo(args)) => demo(args, stop),
        Some(Command::Train(TrainCommand::Table(command))) => train_table(command, stop),
        Some(Command::Eval(command)) => eval::eval(command, stop),
        Some(Command::Export(command)) => convert::export(command),
        Some(Command::Import(command)) => convert::import(command),
        Some(Command::Similarity(command)) => similarity(command),
    }
}

/// The message of an error with those of its causes that it does not already repeat.
pub fn with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            let _ = write!(text, "\n  because: {message}");
        }
        cause = error.source();
    }
    text
}

fn demo(args: CompareArgs, stop: &AtomicBool) -> Result<String, Error> {
    let default = args.out.out.is_none();
    let out = args.out.out.clone().unwrap_or_else(|| "out/demo".into());
    let existing = match existing(&args) {
        // What the demo wrote to its own folder comes back in a minute.
        Existing::Keep if default => Existing::Replace,
        other => other,
    };
    comparison(wine::table()?, args, out, existing, stop)
}

fn train_table(command: TableCommand, stop: &AtomicBool) -> Result<String, Error> {
    let TableCommand { file, label, order, ignore, compare: args } = command;
    let existing = existing(&args);
    let out = args.out.out.clone().unwrap_or_else(|| {
        let stem = file.file_stem().unwrap_or(file.as_os_str());
        PathBuf::from("out").join(stem)
    });
    let table = table::read(&file, &Columns { label, order, ignore })?;
    comparison(table, args, out, existing, stop)
}

fn existing(args: &CompareArgs) -> Existing {
    match (args.out.resume, args.out.overwrite) {
        (true, _) => Existing::Resume,
        (false, true) => Existing::Replace,
        (false, false) => Existing::Keep,
    }
}

fn comparison(
    table: Table,
    args: CompareArgs,
    out: PathBuf,
    existing: Existing,
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
    let Loaded { source, notes, .. } = request.load(Some(table.data.class_names()), None)?;
    let candidates = request.candidates(&source, table.data.classes())?;
    notes.iter().for_each(|text| load::note(text));

    let train = args.train;
    let measures = Measures::new(table.ordered, &request.kind, &source, &candidates);
    let settings = Settings {
        epochs: train.epochs,
        batch: train.batch,
        rate: train.rate,
        patience: train.patience.0,
        seed: train.seed,
        hidden: train.hidden.0,
        selection: train.selection.map_or_else(|| measures.selection(), Into::into),
        threads: load::threads(train.threads),
    };
    let plan = Plan { table, kind: request.kind, source, candidates, settings, seeds: train.seeds, out, existing };
    let progress = Progress::new(stop);
    let comparison = compare(plan, &progress)?;
    report::write(&comparison)?;
    let mut text = summary::text(&comparison)?;
    let _ = writeln!(text, "\nReport:             {}", comparison.report().display());
    let _ = writeln!(text, "Records and models: {}", comparison.runs().display());
    Ok(text)
}

fn similarity(command: SimilarityCommand) -> Result<String, Error> {
    let SimilarityCommand { similarity, classes, names, unnamed, out } = command;
    let mut request = similarity.request(Kind::Order);
    request.check_single()?;
    if let Some(unnamed) = unnamed.unnamed {
        if matches!(request.kind, Kind::None | Kind::Order | Kind::Circular) || names.is_none() {
            let needs = "--unnamed has an effect with --names and a similarity that names classes; leave it out";
            return Err(Error::Usage(needs.into()));
        }
        request.unnamed = unnamed.into();
    }
    let names = names.map(load::names).transpose()?;
    let Loaded { source, names, notes, .. } = request.load(names.as_deref(), None)?;
    let names: Vec<String> = match (names, classes, &source) {
        (Some(names), None, _) => names,
        (Some(names), Some(n), _) if names.len() == n => names,
        (Some(names), Some(n), _) => {
            return Err(Error::Usage(format!(
                "the similarity is for {} classes, not {n}; leave out --classes",
                names.len()
            )));
        }
        (None, n, Source::Matrix(matrix)) => {
            let found = matrix.classes();
            if let Some(n) = n.filter(|&n| n != found) {
                return Err(Error::Usage(format!("the matrix is for {found} classes, not {n}; leave out --classes")));
            }
            (0..found).map(|i| i.to_string()).collect()
        }
        (None, Some(n), _) => (0..n).map(|i| i.to_string()).collect(),
        (None, None, _) => {
            let kind = request.kind.name();
            return Err(Error::Usage(format!(
                "--similarity {kind} needs the number of classes, --classes N, or their names, --names low,middle,high"
            )));
        }
    };
    let candidates = request.candidates(&source, names.len())?;
    notes.iter().for_each(|text| load::note(text));
    let Some(Candidate { description: asked, similarity }) = candidates.first() else { return Ok(String::new()) };

    let found = Description::of(similarity)?;
    let title = [
        Some(asked.similarity.clone()),
        asked.reduction_factor.map(|r| format!("r = {r}")),
        asked.lower_bound.map(|l| format!("l = {l}")),
    ];
    let title = title.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let facts = found.facts(&names);
    std::fs::create_dir_all(&out).map_err(Error::file("create", &out))?;
    let (table, page) = (out.join("similarity.csv"), out.join("similarity.html"));
    let csv = found.csv(&names).map_err(|e| Error::format(&table, "a table")(&e))?;
    files::replace(&table, &[&csv])?;
    report::write_similarity(&page, &title, &names, &found, facts.clone())?;

    let mut rows = vec![vec!["similarity".to_owned(), title]];
    rows.extend(facts.into_iter().map(|(name, value)| vec![name.to_lowercase(), value]));
    let width = rows.iter().map(|row| row[0].chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for row in rows {
        let _ = writeln!(text, "{:<width$}  {}", row[0], row[1]);
    }
    let _ = writeln!(text, "\nMatrix:   {}\nHeat map: {}", table.display(), page.display());
    Ok(text)
}
