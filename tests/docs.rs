//! Documents have the figures of their records: a module a subject gives the sections that one test holds.

mod claims;
mod drift;
mod firmware;
mod grids;
mod images;
mod numerics;
mod performance;

use simloss_tests::{
    Outcome,
    documents::{self, Section},
};
use std::{collections::BTreeSet, error::Error, fs};

type Sections = Result<Vec<Section>, Box<dyn Error>>;

/// Generated from data that may not be redistributed, by `tests/real.rs`.
const FROM_DATA: (&str, &str) = ("docs/reproduction.md", "similarities");

fn sections() -> Sections {
    let subjects =
        [numerics::sections, firmware::sections, drift::sections, images::sections, grids::sections, claims::sections];
    let mut all = performance::sections()?;
    for sections in subjects {
        all.extend(sections()?);
    }
    Ok(all)
}

/// `UPDATE=1 cargo test -p simloss-tests --test pages docs::` writes the sections.
#[test]
fn documents_have_the_figures_of_their_records() -> Outcome {
    let held = documents::hold(&sections()?).map_err(|error| error.to_string());
    assert!(held.is_ok(), "{}", held.err().unwrap_or_default());
    Ok(())
}

#[test]
fn every_marked_section_is_generated() -> Outcome {
    let sections = sections()?;
    let generated: BTreeSet<(&str, &str)> =
        sections.iter().map(|section| (section.document, section.name)).chain([FROM_DATA]).collect();
    assert_eq!(generated.len(), sections.len() + 1, "a section is generated twice");
    let mut pages = vec!["README.md".to_owned()];
    for entry in fs::read_dir(documents::path("docs"))? {
        let name = entry?.file_name().display().to_string();
        pages.extend(name.ends_with(".md").then(|| format!("docs/{name}")));
    }
    assert!(pages.len() >= 9, "{pages:?}");
    for document in pages {
        let text = documents::read(&document)?;
        for name in documents::names(&text) {
            assert!(generated.contains(&(&*document, name)), "{document}: nothing generates the section '{name}'");
        }
    }
    Ok(())
}

/// Sentences outside of a section that quote a record: the document must have each, however its lines are broken.
fn says(document: &str, sentences: &[String]) -> Outcome {
    let in_one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = in_one_line(&documents::read(document)?);
    for sentence in sentences {
        assert!(text.contains(&in_one_line(sentence)), "{document} should say: {sentence}");
    }
    Ok(())
}
