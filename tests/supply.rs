//! What the crates depend on, and what their packages hold. Without another tool than cargo, so that it is always asked;
//! `./tests/run.sh supply` asks cargo-deny too.

use serde_json::Value;
use simloss_tests::Outcome;
use spdx::{Expression, ParseMode};
use std::{collections::BTreeSet, env, error::Error, fs, path::Path, process::Command};

/// What the core names itself, without features.
const DIRECT: [&str; 4] = ["crc", "heapless", "libm", "nalgebra"];
/// What they need: whoever depends on the core builds these, and nothing else.
const NEEDED: [&str; 12] = [
    "approx",
    "byteorder",
    "crc-catalog",
    "hash32",
    "num-complex",
    "num-integer",
    "num-rational",
    "num-traits",
    "simba",
    "stable_deref_trait",
    "typenum",
    "autocfg", // num-traits' build script
];
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

fn cargo(arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let output = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()?;
    if !output.status.success() {
        return Err(format!("cargo {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// All packages of the workspace, and all that they depend on here.
fn packages() -> Result<Vec<Value>, Box<dyn Error>> {
    let about = Command::new(env::var("RUSTC").unwrap_or_else(|_| "rustc".into())).arg("-vV").output()?;
    let about = String::from_utf8(about.stdout)?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc names no host")?;
    let text = cargo(&["metadata", "--format-version", "1", "--locked", "--all-features", "--filter-platform", host])?;
    let metadata: Value = serde_json::from_str(&text)?;
    let used: BTreeSet<&str> =
        metadata["resolve"]["nodes"].as_array().into_iter().flatten().filter_map(|node| node["id"].as_str()).collect();
    let packages = metadata["packages"].as_array().into_iter().flatten();
    Ok(packages.filter(|package| package["id"].as_str().is_some_and(|id| used.contains(id))).cloned().collect())
}

#[test]
fn the_core_depends_on_little() -> Outcome {
    let packages = packages()?;
    let core = packages.iter().find(|package| package["name"] == "simloss-core").ok_or("no core")?;
    let all = core["dependencies"].as_array().into_iter().flatten();
    let default = all.filter(|dependency| dependency["kind"].is_null() && dependency["optional"] == false);
    let mut names = BTreeSet::new();
    for dependency in default {
        let name = dependency["name"].as_str().unwrap_or_default();
        assert!(dependency["uses_default_features"] == false || name == "libm", "{name}: default features");
        names.insert(name);
    }
    assert_eq!(names, BTreeSet::from(DIRECT), "what is not for everybody is optional");
    let tree = cargo(&["tree", "-p", "simloss-core", "-e", "normal,build", "--prefix", "none", "--locked"])?;
    let names: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    let known: BTreeSet<&str> = DIRECT.into_iter().chain(NEEDED).chain(["simloss-core"]).collect();
    assert_eq!(names, known, "below the core");
    Ok(())
}

#[test]
fn dependencies_are_permissive_and_from_crates_io() -> Outcome {
    let permitted = include_str!("../deny.toml").lines().find_map(|line| line.strip_prefix("allow = "));
    let permitted: Vec<String> = serde_json::from_str(permitted.ok_or("deny.toml permits nothing")?)?;
    let packages = packages()?;
    let mut others = 0;
    for package in &packages {
        let name = package["name"].as_str().unwrap_or_default();
        let license = package["license"].as_str().ok_or(format!("{name} states no license"))?;
        let expression = Expression::parse_mode(license, ParseMode::LAX)?;
        let allowed = expression.evaluate(|license| permitted.contains(&license.to_string()));
        assert!(allowed, "{name} is under {license}, which deny.toml does not permit");
        match package["source"].as_str() {
            None => assert!(name.starts_with("simloss-"), "{name} is a path"),
            Some(source) => {
                assert_eq!(source, REGISTRY, "{name}");
                others += 1;
            }
        }
    }
    assert!(others > 100, "{others}");
    Ok(())
}

/// The names of the sources below a folder of the workspace that some line of theirs is of.
fn sources(folder: &str, is_of: &dyn Fn(&str) -> bool) -> Result<Vec<String>, Box<dyn Error>> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut found = vec![];
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let name = format!("{folder}/{}", entry.file_name().display());
        if entry.file_type()?.is_dir() {
            found.extend(sources(&name, is_of)?);
        } else if name.ends_with(".rs") && fs::read_to_string(entry.path())?.lines().any(is_of) {
            found.push(name);
        }
    }
    Ok(found)
}

#[test]
fn one_file_uses_transcendental_functions() -> Outcome {
    let names_it = |line: &str| !line.trim_start().starts_with("//") && line.contains("libm::");
    let found = ["simloss-core/src", "simloss-train/src", "simloss-bench/src"].map(|folder| sources(folder, &names_it));
    let found: Vec<_> = found.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
    assert_eq!(found, ["simloss-core/src/number/scalar.rs"]);
    Ok(())
}

/// A file that no program has is compiled by nobody, and its tests pass.
#[test]
fn every_file_of_tests_is_part_of_a_program() -> Outcome {
    let roots =
        [include_str!("lib.rs"), include_str!("library.rs"), include_str!("pages.rs"), include_str!("program.rs")]
            .concat();
    let modules = roots.lines().filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod "));
    let mut expected: BTreeSet<String> = modules.map(|name| name.replace(';', ".rs")).collect();
    expected.extend(["lib.rs", "library.rs", "pages.rs", "program.rs", "story.rs", "draws.rs"].map(String::from));
    let files = fs::read_dir(env!("CARGO_MANIFEST_DIR"))?.map(|entry| Ok(entry?.file_name().display().to_string()));
    let files: BTreeSet<String> = files.collect::<std::io::Result<_>>()?;
    let files: BTreeSet<String> = files.into_iter().filter(|name| name.ends_with(".rs")).collect();
    assert_eq!(files, expected);
    // And every file in a folder of a module.
    for file in files {
        let module = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&file))?;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(file.trim_end_matches(".rs"));
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let name = entry?.file_name().display().to_string();
            let is_module = |name: &str| module.lines().any(|line| line == format!("mod {name};"));
            // `mistakes`, `snippets` and `golden` hold programs and values, which their tests read.
            let is_read = ["mistakes.rs", "snippets.rs", "golden.rs"].contains(&&*file);
            assert!(is_read || name.strip_suffix(".rs").is_none_or(is_module), "{file} has no module {name}");
        }
    }
    Ok(())
}

#[test]
fn the_core_forbids_unsafe_code() {
    let root = include_str!("../simloss-core/src/lib.rs");
    assert!(root.lines().any(|line| line == "#![forbid(unsafe_code)]"));
    assert!(root.lines().any(|line| line == "#![no_std]"));
}

/// That they compile by themselves is asked by `./tests/run.sh deep-package`.
#[test]
fn packages_hold_licenses_and_no_data() -> Outcome {
    for (package, most) in [("simloss-core", 100), ("simloss-train", 130), ("simloss-bench", 50)] {
        let list = cargo(&["package", "-p", package, "--list", "--allow-dirty", "--locked"])?;
        let files: BTreeSet<&str> = list.lines().collect();
        for file in ["LICENSE-MIT", "LICENSE-APACHE", "README.md", "Cargo.toml"] {
            assert!(files.contains(file), "{package} goes without {file}");
        }
        for file in &files {
            let source = [".rs", ".html", ".css", ".toml", ".md", ".orig", ".lock", ".cargo_vcs_info.json"];
            let known = source.iter().any(|end| file.ends_with(end));
            assert!(known || file.starts_with("LICENSE-") || file.starts_with("records/"), "{package} holds {file}");
        }
        assert!(files.len() < most, "{package} has {} files", files.len());
    }
    Ok(())
}
