//! Every Rust block of the documents is compiled: those of README as documentation tests (`lib.rs`), those of `docs` here.
//!
//! A file in `snippets` frames one block. Its first line, `//~ DOCUMENT: LINE`, names the block by its first line. `//- FROM ...
//! TO` removes the text from FROM up to TO, or to the end without TO: what only the device has. The block takes the place of the
//! line `// SNIPPET`. A frame without that line says why its block cannot be compiled.

use crate::compiler::{compile, library};
use simloss_tests::{Outcome, documents};
use std::{collections::BTreeSet, error::Error, fs, path::Path};

/// The Rust blocks of a document: the words behind the fence, and the text.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    let fences = text.split("\n```rust").skip(1);
    fences
        .filter_map(|rest| rest.split_once('\n'))
        .map(|(info, rest)| (info, rest.split("\n```").next().unwrap_or(rest)))
        .collect()
}

/// The block in its frame; `None` for a block that cannot be compiled.
fn framed(frame: &str, block: &str) -> Result<Option<String>, Box<dyn Error>> {
    let mut block = block.to_owned();
    for cut in frame.lines().filter_map(|line| line.strip_prefix("//- ")) {
        let (from, to) = cut.split_once(" ...").ok_or(format!("'{cut}' is not FROM ... TO"))?;
        let (before, rest) = block.split_once(from).ok_or(format!("the block has no {from}"))?;
        let kept = match to.trim() {
            "" => String::new(),
            to => format!("{to}{}", rest.split_once(to).ok_or(format!("the block has no {to}"))?.1),
        };
        block = format!("{before}{kept}");
    }
    Ok(frame.split_once("// SNIPPET").map(|(before, after)| format!("{before}{block}{after}")))
}

/// A file of `snippets`.
struct Frame {
    document: String,
    first: String,
    text: String,
}

fn frames() -> Result<Vec<Frame>, Box<dyn Error>> {
    let mut all = vec![];
    for entry in fs::read_dir(documents::path("tests/snippets"))? {
        let text = fs::read_to_string(entry?.path())?;
        let head = text.lines().next().and_then(|line| line.strip_prefix("//~ ")?.split_once(": "));
        let (document, first) = head.ok_or("a frame begins with //~ DOCUMENT: LINE")?;
        all.push(Frame { document: document.to_owned(), first: first.to_owned(), text: text.clone() });
    }
    Ok(all)
}

/// A folder with what the blocks include, as `simloss export` writes it.
fn exported(folder: &Path) -> Outcome {
    fs::create_dir(folder.join("src"))?;
    fs::create_dir(folder.join("device"))?;
    for file in ["frozen.rs", "frozen.bin", "head.rs", "head.bin"] {
        fs::copy(documents::path("tests/golden").join(file), folder.join("device").join(file))?;
    }
    Ok(())
}

#[test]
fn every_rust_block_of_the_documents_compiles() -> Outcome {
    let (frames, library, folder) = (frames()?, library()?, tempfile::tempdir()?);
    exported(folder.path())?;
    let mut used = BTreeSet::new();
    for entry in fs::read_dir(documents::path("docs"))? {
        let document = format!("docs/{}", entry?.file_name().display());
        if !document.ends_with(".md") {
            continue;
        }
        for (_, block) in blocks(&documents::read(&document)?) {
            let first = block.lines().next().unwrap_or_default();
            let found = frames.iter().position(|frame| frame.document == document && frame.first == first);
            let found = found.ok_or(format!("{document}: no frame in tests/snippets for the block '{first}'"))?;
            used.insert(found);
            let Some(source) = framed(&frames[found].text, block)? else { continue };
            let program = folder.path().join("src/main.rs");
            fs::write(&program, source)?;
            let (compiles, said) = compile(&program, &library, folder.path())?;
            assert!(compiles, "{document}, the block '{first}':\n{said}");
        }
    }
    let unused: Vec<_> = (0..frames.len()).filter(|i| !used.contains(i)).map(|i| &frames[i].first).collect();
    assert!(unused.is_empty(), "no document has the blocks {unused:?}");
    Ok(())
}

/// The documentation test of `lib.rs` compiles and runs a block without such a word.
#[test]
fn no_rust_block_of_readme_is_ignored() -> Outcome {
    let text = documents::read("README.md")?;
    let blocks = blocks(&text);
    assert!(!blocks.is_empty() && blocks.iter().all(|(info, _)| info.is_empty()), "{blocks:?}");
    Ok(())
}
