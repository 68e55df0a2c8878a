//! What each command does: read, check, run, write, and return what to print.

mod check;
pub mod classes;
mod convert;
mod eval;
mod load;
mod loss;
mod plot;
mod predict;
mod train;
mod understood;

use crate::{
    Error,
    cli::{Cli, Command, Names, SimilarityCommand},
    error::Expected,
    files,
    report::html,
    similarity::{Candidate, Kind, Loaded, Source, describe::Description, proper},
};
use std::{error::Error as _, fmt::Write, sync::atomic::AtomicBool};

/// Does what the command line says. `stop` ends it once it is set.
///
/// # Errors
/// Whatever went wrong.
pub fn run(cli: Cli, stop: &AtomicBool) -> Result<String, Error> {
    match cli.command {
        None => train::demo(cli.demo, stop),
        Some(Command::Demo(args)) => train::demo(args, stop),
        Some(Command::Train(command)) => train::train(command, stop),
        Some(Command::Sweep(command)) => train::sweep(command, stop),
        Some(Command::Report(command)) => train::report(command, stop),
        Some(Command::Plot(command)) => plot::plot(command),
        Some(Command::Predict(command)) => predict::predict(command, stop),
        Some(Command::Check(command)) => check::check(command, stop),
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

fn similarity(command: SimilarityCommand) -> Result<String, Error> {
    let SimilarityCommand { similarity, classes, names, unnamed, out } = command;
    let (table, page) = (out.join("similarity.csv"), out.join("similarity.html"));
    let list = if let Some(Names::File(list)) = &names { Some(&**list) } else { None };
    for output in [&table, &page] {
        files::keep(output, similarity.files().chain(list))?;
    }
    let mut request = similarity.request(Kind::Order);
    request.check_single()?;
    if let Some(unnamed) = unnamed.unnamed {
        if matches!(request.kind, Kind::None | Kind::Order | Kind::Circular) || names.is_none() {
            let needs =
                "--missing-classes has an effect with --names and a similarity that names classes; leave it out";
            return Err(Error::Usage(needs.into()));
        }
        request.unnamed = unnamed.into();
    }
    let names = names.map(|names| load::names(names, "--names")).transpose()?;
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
    let Some(candidate) = candidates.first() else { return Ok(String::new()) };
    let Candidate { description: asked, similarity } = candidate;

    let found = Description::of(similarity)?;
    let title = [Some(asked.similarity.clone()), asked.parameter()];
    let title = title.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let mut facts = found.facts(&names);
    facts.push(("Proper".to_owned(), proper::verdict(&source, candidate, &names)));
    std::fs::create_dir_all(&out).map_err(Error::file("create", &out))?;
    let csv = found.csv(&names).map_err(|e| Error::format(&table, Expected::written("a table"))(&e))?;
    files::replace(&table, &[&csv])?;
    html::write_similarity(&page, &title, &names, &found, facts.clone())?;

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
