//! The words of the repository: links and anchors lead somewhere, README is short, retired phrases stay away.
//!
//! `./tests/run.sh words` runs this and the spell checker.

use pulldown_cmark::{BrokenLink, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd};
use simloss_tests::{
    Outcome,
    documents::{path, read},
};
use std::{collections::BTreeSet, error::Error, fs, path::Path};

/// Whatever people read: the pages at the root, in `docs` and beside the benches.
fn documents() -> Result<Vec<String>, Box<dyn Error>> {
    let mut names = vec![];
    for folder in ["", "docs/", "simloss-bench/candle/", "simloss-bench/peers/"] {
        for entry in fs::read_dir(path(folder))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.ends_with(".md") {
                names.push(format!("{folder}{name}"));
            }
        }
    }
    assert!(names.len() >= 11, "{names:?}");
    Ok(names)
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Where a document leads, and where one can be led to in it.
#[derive(Debug, Default)]
struct Page {
    links: Vec<String>,
    anchors: BTreeSet<String>,
    /// References such as `[text][name]` without a definition.
    undefined: Vec<String>,
}

fn parse(text: &str) -> Page {
    let mut page = Page::default();
    let mut undefined = vec![];
    let mut heading: Option<String> = None;
    let callback = |link: BrokenLink<'_>| {
        // `[t >= y]` is text; `[text][name]` and `[text][]` want to be links.
        if matches!(link.link_type, LinkType::Reference | LinkType::Collapsed) {
            undefined.push(link.reference.to_string());
        }
        None::<(CowStr<'_>, CowStr<'_>)>
    };
    for event in Parser::new_with_broken_link_callback(text, Options::ENABLE_TABLES, Some(callback)) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                page.links.push(dest_url.to_string());
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let slug = anchor(&heading.take().unwrap_or_default());
                // The second of the same name gets a number.
                let mut unique = slug.clone();
                let mut count = 0;
                while !page.anchors.insert(unique.clone()) {
                    count += 1;
                    unique = format!("{slug}-{count}");
                }
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            _ => {}
        }
    }
    page.undefined = undefined;
    page
}

/// What is wrong with the links of a document.
fn dead_links(document: &str, text: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let page = parse(text);
    let mut dead: Vec<String> =
        page.undefined.iter().map(|name| format!("{document}: [{name}] is defined nowhere")).collect();
    for link in &page.links {
        if link.starts_with("https://") || link.starts_with("http://") {
            continue;
        }
        let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
        let folder = Path::new(document).parent().unwrap_or(Path::new(""));
        let target = if file.is_empty() { Path::new(document).to_path_buf() } else { folder.join(file) };
        let target_file = path(&target.to_string_lossy());
        if !target_file.exists() {
            dead.push(format!("{document}: no file {link}"));
        } else if !fragment.is_empty() && !parse(&fs::read_to_string(&target_file)?).anchors.contains(fragment) {
            dead.push(format!("{document}: no heading for {link}"));
        }
    }
    Ok(dead)
}

#[test]
fn links_and_anchors_lead_somewhere() -> Outcome {
    let mut dead = vec![];
    for document in documents()? {
        dead.extend(dead_links(&document, &read(&document)?)?);
    }
    assert!(dead.is_empty(), "{}", dead.join("\n"));
    Ok(())
}

#[test]
fn dead_links_and_anchors_are_found() -> Outcome {
    let text = "# A `b`, c\n[x](#limits) ![y](docs/none.svg) [z](docs/numerics.md#none) [w][nowhere] [t >= y]\n";
    let dead = dead_links("README.md", text)?;
    assert_eq!(
        dead,
        [
            "README.md: [nowhere] is defined nowhere",
            "README.md: no file docs/none.svg",
            "README.md: no heading for docs/numerics.md#none"
        ]
    );
    Ok(())
}

#[test]
fn readme_has_at_most_140_lines() -> Outcome {
    let lines = read("README.md")?.lines().count();
    assert!(lines <= 140, "README.md has {lines} lines");
    Ok(())
}

/// A line of `words/retired.txt`.
#[derive(Debug, PartialEq)]
struct Retired<'a> {
    place: &'a str,
    phrase: &'a str,
    instead: &'a str,
}

fn retired(list: &str) -> Result<Vec<Retired<'_>>, Box<dyn Error>> {
    let lines = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let parsed = lines.map(|line| match line.split(" | ").collect::<Vec<_>>()[..] {
        [place @ ("docs" | "code"), phrase, instead] => Ok(Retired { place, phrase, instead }),
        _ => Err(format!("tests/words/retired.txt: '{line}' is not 'docs | phrase | instead'").into()),
    });
    parsed.collect()
}

/// Whether the phrase stands in the text, not as a part of longer words.
fn stands_in(text: &str, phrase: &str) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(phrase)
        .any(|(at, _)| !is_word(text[..at].chars().next_back()) && !is_word(text[at + phrase.len()..].chars().next()))
}

/// Sources and scripts, but for the list itself.
fn sources(folder: &Path, found: &mut Vec<(String, String)>) -> Outcome {
    for entry in fs::read_dir(folder)? {
        let (file, name) = entry.map(|entry| (entry.path(), entry.file_name().to_string_lossy().into_owned()))?;
        if file.is_dir() {
            if !name.starts_with('.') && !["target", "records", "corpus", "out"].contains(&name.as_str()) {
                sources(&file, found)?;
            }
        } else if [".rs", ".sh", ".py", ".toml", ".html"].iter().any(|end| name.ends_with(end)) {
            found.push((file.display().to_string(), fs::read_to_string(&file)?));
        }
    }
    Ok(())
}

#[test]
fn retired_phrases_stay_away() -> Outcome {
    let list = read("tests/words/retired.txt")?;
    let list = retired(&list)?;
    assert!(list.len() >= 20);
    let mut texts = vec![];
    for document in documents()? {
        let text = read(&document)?.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        texts.push(("docs", document, text));
    }
    let mut code = vec![];
    sources(&path(""), &mut code)?;
    assert!(code.len() > 100, "{} sources", code.len());
    texts.extend(code.into_iter().map(|(name, text)| ("code", name, text)));
    let mut back = vec![];
    for Retired { place, phrase, instead } in list {
        let phrase = if place == "docs" { phrase.to_lowercase() } else { phrase.to_owned() };
        let found = texts.iter().filter(|(of, _, text)| *of == place && stands_in(text, &phrase));
        back.extend(found.map(|(_, name, _)| format!("{name}: '{phrase}' is retired; write: {instead}")));
    }
    assert!(back.is_empty(), "{}", back.join("\n"));
    Ok(())
}

#[test]
fn a_retired_phrase_is_found_as_whole_words() {
    assert!(stands_in("the epoch kept is", "epoch kept") && stands_in("Judged", "Judged"));
    assert!(!stands_in("Judged_by", "Judged") && !stands_in("WellJudged", "Judged"));
    assert!(retired("docs | a | b\n# c\n").is_ok_and(|list| list.len() == 1) && retired("a | b").is_err());
}
