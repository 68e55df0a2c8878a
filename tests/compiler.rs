//! Compiles a program against the core as it is built already, which takes a fraction of a second.

use std::{
    env,
    error::Error,
    path::{Path, PathBuf},
    process::Command,
};

/// The core as a library, built if it is not.
pub fn library() -> Result<PathBuf, Box<dyn Error>> {
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
pub fn compile(program: &Path, library: &Path, folder: &Path) -> Result<(bool, String), Box<dyn Error>> {
    let others = library.parent().unwrap_or(Path::new("")).join("deps");
    let output = Command::new(env::var("RUSTC").unwrap_or_else(|_| "rustc".into()))
        .args(["--edition", "2024", "--crate-type", "bin", "--crate-name", "program", "--emit", "obj"])
        .args(["-A", "warnings", "--error-format", "human", "--diagnostic-width", "200"])
        .arg("--extern")
        .arg(format!("simloss_core={}", library.display()))
        .arg("-L")
        .arg(format!("dependency={}", others.display()))
        .arg("-o")
        .arg(folder.join("program.o"))
        .arg(program)
        .output()?;
    Ok((output.status.success(), String::from_utf8(output.stderr)?))
}
