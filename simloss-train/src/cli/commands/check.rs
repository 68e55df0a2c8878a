//! `simloss check`: everything that is wrong with data, at once.

use super::load::{self, threads};
use crate::{
    Error,
    cli::{CheckCommand, List},
    data::read::{
        csv::{self, Columns},
        images::folder::{self, Loading},
    },
};
use std::{
    fmt::Write,
    sync::atomic::{AtomicBool, Ordering},
};

pub(super) fn check(command: CheckCommand, stop: &AtomicBool) -> Result<String, Error> {
    let CheckCommand { path, label, order, ignore, categories, form, threads: asked } = command;
    let (problems, notes) = if path.is_dir() {
        let progress = |_, _| !stop.load(Ordering::Relaxed);
        let loading =
            Loading { size: [1, 1], threads: threads(asked), cache: None, skip_bad: true, progress: &progress };
        let loaded = folder::classes(&path, loading)?;
        let bad = loaded.left_out.bad.iter().map(|[image, problem]| format!("{image}: {problem}")).collect();
        let left_out = folder::LeftOut { bad: vec![], ..loaded.left_out };
        let mut notes: Vec<String> = loaded.notes.into_iter().chain(left_out.sentences()).collect();
        let set = &loaded.set;
        let mut counts = vec![0usize; set.classes()];
        set.labels().iter().for_each(|y| counts[y.index()] += 1);
        let counts = set.class_names().iter().zip(counts).map(|(name, n)| format!("{name} ({n})"));
        notes.push(format!("{} classes: {}", set.classes(), counts.collect::<Vec<_>>().join(", ")));
        (bad, notes)
    } else {
        let Some(label) = label else {
            return Err(Error::Usage("a table needs --label, the column of its classes".to_owned()));
        };
        let order = order.map(|order| load::names(order, "--order")).transpose()?;
        let all = |lists: Vec<List>| lists.into_iter().flat_map(|list| list.0).collect::<Vec<_>>();
        let (ignore, categories, missing) = (all(ignore), all(categories), form.missing.into());
        csv::check(&path, &Columns { label, order, ignore, categories, missing, form: form.form() })?
    };
    let path = path.display().to_string();
    if !problems.is_empty() {
        notes.iter().for_each(|text| load::note(text));
        return Err(Error::Checked { path, problems });
    }
    let mut text = format!("{path} can be used as it is\n");
    for note in notes {
        let _ = writeln!(text, "- {note}");
    }
    Ok(text)
}
