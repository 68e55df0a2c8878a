//! What the crates depend on, and what their packages hold. Without another tool than cargo, so that it is always asked;
//! `./tests/run.sh supply` asks cargo-deny too.

use serde_json::Value;
use simloss_tests::Outcome;
use spdx::{Expression, ParseMode};
use std::{collections::BTreeSet, env, error::Error, process::Command};

/// What the core names itself, without features.
const DIRECT: [&str; 5] = ["crc", "heapless", "libm", "nalgebra", "rand_core"];
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
    for dependency in core["dependencies"].as_array().into_iter().flatten() {
        let default = dependency["kind"].is_null() && dependency["optional"] == false;
        let name = dependency["name"].as_str().unwrap_or_default();
        assert!(!default || DIRECT.contains(&name), "{name} is not for the core; make it optional");
        assert!(!default || dependency["uses_default_features"] == false || name == "libm", "{name}: default features");
    }
    let tree = cargo(&["tree", "-p", "simloss-core", "-e", "normal,build", "--prefix", "none", "--locked"])?;
    let names: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    for name in names {
        let known = name == "simloss-core" || DIRECT.contains(&name) || NEEDED.contains(&name);
        assert!(known, "{name} is new below the core");
    }
    Ok(())
}

#[test]
fn everything_is_permissive_and_from_the_registry() -> Outcome {
    let permitted = include_str!("../deny.toml").lines().find_map(|line| line.strip_prefix("allow = "));
    let permitted: Vec<String> = serde_json::from_str(permitted.ok_or("deny.toml permits nothing")?)?;
    let packages = packages()?;
    let mut others = 0;
    for package in &packages {
        let name = package["name"].as_str().unwrap_or_default();
        let licence = package["license"].as_str().ok_or(format!("{name} states no licence"))?;
        let expression = Expression::parse_mode(licence, ParseMode::LAX)?;
        let allowed = expression.evaluate(|licence| permitted.contains(&licence.to_string()));
        assert!(allowed, "{name} is under {licence}, which deny.toml does not permit");
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

#[test]
fn the_core_forbids_unsafe_code_whatever_is_asked_for() {
    let root = include_str!("../simloss-core/src/lib.rs");
    assert!(root.lines().any(|line| line == "#![forbid(unsafe_code)]"));
    assert!(root.lines().any(|line| line == "#![no_std]"));
}

/// That they compile by themselves is asked by `./tests/run.sh deep-package`.
#[test]
fn packages_hold_licences_and_no_data() -> Outcome {
    for (package, most) in [("simloss-core", 100), ("simloss-train", 100), ("simloss-bench", 50)] {
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
