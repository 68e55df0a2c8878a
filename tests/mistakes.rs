//! What the compiler says to the likeliest mistakes: `mistakes/*.rs`, each a program that must not compile, whose lines `//~`
//! must be in what the compiler says.
//!
//! Only these lines: the rest of a message is another with each version of the compiler. The programs are compiled against
//! the library that is there already, which takes a fraction of a second each.

use simloss_tests::Outcome;
use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The core as a library, built if it is not.
fn library() -> Result<PathBuf, Box<dyn Error>> {
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "-q", "-p", "simloss-core", "--locked", "--message-format=json"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    for line in output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let message: serde_json::Value = serde_json::from_slice(line)?;
        if message["target"]["name"] == "simloss_core" {
            let files = message["filenames"].as_array().into_iter().flatten().filter_map(|file| file.as_str());
            if let Some(file) = files.into_iter().find(|file| file.ends_with(".rlib")) {
                return Ok(file.into());
            }
        }
    }
    Err("cargo names no library".into())
}

/// Compiles a program, all the way: some mistakes are found only when generic code gets its types. Returns whether it
/// compiles, and what the compiler says.
fn compile(program: &Path, library: &Path, folder: &Path) -> Result<(bool, String), Box<dyn Error>> {
    let others = library.parent().unwrap_or(Path::new("")).join("deps");
    let output = Command::new(env::var("RUSTC").unwrap_or_else(|_| "rustc".into()))
        .args(["--edition", "2024", "--crate-type", "bin", "--crate-name", "mistake", "--emit", "obj"])
        .args(["-A", "warnings", "--error-format", "human", "--diagnostic-width", "200"])
        .arg("--extern")
        .arg(format!("simloss_core={}", library.display()))
        .arg("-L")
        .arg(format!("dependency={}", others.display()))
        .arg("-o")
        .arg(folder.join("mistake.o"))
        .arg(program)
        .output()?;
    Ok((output.status.success(), String::from_utf8(output.stderr)?))
}

#[test]
fn likely_mistakes_do_not_compile_and_say_why() -> Outcome {
    let (library, folder) = (library()?, tempfile::tempdir()?);
    let mut mistakes = 0;
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/mistakes"))? {
        let program = entry?.path();
        let source = fs::read_to_string(&program)?;
        let expected: Vec<&str> = source.lines().filter_map(|line| line.strip_prefix("//~ ")).collect();
        let (compiles, said) = compile(&program, &library, folder.path())?;
        assert_eq!(compiles, expected.is_empty(), "{}: {said}", program.display());
        for line in &expected {
            assert!(said.contains(line), "{} should say: {line}\nand says: {said}", program.display());
        }
        mistakes += usize::from(!compiles);
    }
    assert_eq!(mistakes, 9);
    Ok(())
}

/// The first program of `docs/microcontroller.md`, but for its entry and its panic handler, which a desktop has already.
#[test]
fn the_first_head_of_a_microcontroller_compiles() -> Outcome {
    const PAGE: &str = include_str!("../docs/microcontroller.md");
    let part = |from: &str, to: &str| {
        let (_, after) = PAGE.split_once(from).ok_or(format!("docs/microcontroller.md has no {from}"))?;
        let (part, _) = after.split_once(to).ok_or(format!("docs/microcontroller.md has no {to}"))?;
        Ok::<_, Box<dyn Error>>(format!("{from}{part}"))
    };
    let parts = [part("use simloss_core::{\n", "#[cortex_m_rt::entry]")?, part("fn learn(", "#[panic_handler]")?];
    let (library, folder) = (library()?, tempfile::tempdir()?);
    let program = folder.path().join("head.rs");
    fs::write(&program, format!("{}fn main() {{\n    learn(&mut [0.0; BUDGET.parameters]);\n}}\n", parts.concat()))?;
    let (compiles, said) = compile(&program, &library, folder.path())?;
    assert!(compiles, "{said}");
    Ok(())
}
