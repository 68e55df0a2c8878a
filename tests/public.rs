//! `firmware/everything` names every public function of the core: it is what says that none of them can panic.

use simloss_tests::Outcome;
use std::{error::Error, fs, path::Path};

/// The text of all sources below a folder, without their tests.
fn sources(folder: &Path, each: &mut dyn FnMut(&str)) -> Outcome {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, each)?;
        } else {
            let text = fs::read_to_string(&path)?;
            each(text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default());
        }
    }
    Ok(())
}

/// Without what stands between angle brackets.
fn plain(text: &str) -> String {
    let (mut depth, mut kept) = (0, String::new());
    for c in text.replace("->", "  ").chars() {
        match c {
            '<' => depth += 1,
            '>' if depth > 0 => depth -= 1,
            _ if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    kept
}

fn word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// What a function belongs to, in the lines behind the one that says so.
enum Owner {
    Type(String),
    Trait(String),
    /// What it has is not public, or named with its trait.
    Other,
}

/// The public functions of a source: `Share::update`, `Loss::value`, `softmax`. By its lines, which rustfmt has put where
/// they are; the compiler's own list needs a compiler that is not stable.
fn public(source: &str, found: &mut Vec<String>) {
    let mut owner = Owner::Other;
    for line in source.lines() {
        if let Some(of) = line.strip_prefix("impl") {
            let of = plain(of);
            let of = of.trim();
            owner = if of.contains(" for ") { Owner::Other } else { Owner::Type(word(of).to_owned()) };
        } else if let Some(name) = line.strip_prefix("pub trait ") {
            owner = Owner::Trait(word(name).to_owned());
        } else if ["trait ", "pub(", "macro_rules!"].iter().any(|start| line.starts_with(start)) {
            owner = Owner::Other;
        }
        let name_after =
            |starts: [&str; 2]| starts.iter().find_map(|start| Some(word(line.strip_prefix(start)?).to_owned()));
        let free = name_after(["pub fn ", "pub const fn "]);
        let inherent = name_after(["    pub fn ", "    pub const fn "]);
        let of_trait = name_after(["    fn ", "    const fn "]);
        match (&owner, free, inherent, of_trait) {
            (_, Some(name), ..) => found.push(name),
            (Owner::Type(owner), _, Some(name), _) | (Owner::Trait(owner), _, _, Some(name)) => {
                found.push(format!("{owner}::{name}"));
            }
            _ => {}
        }
    }
}

/// A program in which a function stands as in its list: `Calibration::<4>::new(` as `Calibration::new(`.
fn named(program: &str) -> String {
    let lines = program.lines().map(|line| {
        let line = ["Value", "Scalar"]
            .iter()
            .fold(line.to_owned(), |line, name| line.replace(&format!("<f32 as {name}>"), name));
        let of_type = |line: String, name: &str| match (line.find(" as "), line.find(&format!(" as {name}<f32"))) {
            (Some(_), Some(at)) => match (line[..at].rfind('<'), line[at..].find(">>::")) {
                (Some(from), Some(to)) => format!("{}{name}{}", &line[..from], &line[at + to + 2..]),
                _ => line,
            },
            _ => line,
        };
        let traits = ["Optimizer", "Objective", "HeadLayers", "Table", "SquareRoot"];
        plain(&traits.iter().fold(line, |line, name| of_type(line, name))).replace("::::", "::") + "\n"
    });
    lines.collect()
}

/// Whether such a program names a function.
fn names(program: &str, function: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    program.match_indices(function).any(|(at, _)| {
        let (before, after) = (&program[..at], &program[at + function.len()..]);
        let alone = !before.ends_with(is_word) && !before.ends_with([':', '.']) && !before.ends_with("fn ");
        alone && (after.starts_with('(') || after.starts_with("::("))
    })
}

#[test]
fn every_public_function_is_checked_for_panics() -> Outcome {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut functions, mut program) = (vec![], String::new());
    sources(&folder.join("../simloss-core/src"), &mut |source| public(source, &mut functions))?;
    sources(&folder.join("firmware/everything/src"), &mut |source| program += source)?;
    let program = named(&program);
    let missing: Vec<_> = functions.iter().filter(|function| !names(&program, function)).collect();
    assert!(missing.is_empty(), "tests/firmware/everything does not name {missing:?}");
    assert!(functions.len() > 250, "{}", functions.len());
    Ok(())
}

/// Every type that is a loss, a similarity, a layer, an optimizer, a sink or features goes through all that its trait has.
#[test]
fn every_implementation_is_checked_for_panics() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut types, mut program) = (vec![], String::new());
    sources(&folder.join("../simloss-core/src"), &mut |source| {
        for line in source.lines().filter(|line| line.starts_with("impl")) {
            let line = plain(line.trim_start_matches("impl"));
            if let Some((of, name)) = line.trim().split_once(" for ") {
                let public =
                    ["Loss", "Similarity", "Layer", "Sliced", "Optimizer", "GradientSink", "Features", "Engine"];
                if public.contains(&of.trim()) && !name.starts_with('&') {
                    types.push(word(name).to_owned());
                }
            }
        }
    })?;
    sources(&folder.join("firmware/everything/src"), &mut |source| program += source)?;
    types.retain(|name| name != "Looks"); // a step's own
    let missing: Vec<_> = types
        .iter()
        .filter(|name| ["::", "(", " {", "<"].iter().all(|next| !program.contains(&format!("{name}{next}"))))
        .collect();
    assert!(missing.is_empty(), "tests/firmware/everything does not make {missing:?}");
    assert!(types.len() > 25, "{}", types.len());
    Ok(())
}
