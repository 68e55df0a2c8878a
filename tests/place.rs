//! A folder of its own for each test of the binary `simloss`.

use assert_cmd::{Command, assert::Assert};
use predicates::{prelude::PredicateBooleanExt, str::contains};
use std::{
    collections::BTreeMap,
    error::Error,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;

pub type Outcome = Result<(), Box<dyn Error>>;

/// A folder of its own for each test, where `simloss` runs.
pub struct Place(pub TempDir);

impl Place {
    pub fn new() -> Result<Self, Box<dyn Error>> {
        Ok(Place(TempDir::new()?))
    }

    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> Result<&Self, Box<dyn Error>> {
        fs::write(self.path(name), text)?;
        Ok(self)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn read(&self, name: &str) -> Result<String, Box<dyn Error>> {
        fs::read_to_string(self.path(name)).map_err(|e| format!("{name}: {e}").into())
    }

    /// `simloss`, with arguments as one would type them (no blanks inside an argument).
    pub fn simloss(&self, line: &str) -> Assert {
        let mut command = Command::new(env!("CARGO_BIN_EXE_simloss"));
        command.current_dir(self.0.path()).args(line.split_whitespace()).timeout(Duration::from_secs(300)).assert()
    }

    /// Refused as bad input: exit code 2, that message, and no new file.
    pub fn refuses(&self, line: &str, message: &str) -> Outcome {
        let before = files(self.0.path())?;
        self.simloss(line).code(2).stdout("").stderr(contains("error: ").and(contains(message)));
        assert_eq!(files(self.0.path())?, before, "{line}");
        Ok(())
    }
}

/// Four grades that one column tells apart, most of the time; always the same.
pub fn grades() -> String {
    let mut text = "length,width,grade\n".to_owned();
    for i in 0..80u32 {
        let (grade, jitter) = (i % 4, f64::from(i * 7919 % 31) / 31.0 - 0.5);
        let _ = writeln!(text, "{:.4},{:.4},{}", f64::from(grade) + 1.5 * jitter, jitter, grade + 1);
    }
    text
}

/// All files below a folder but the empty ones that are locked, by name.
pub fn contents(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>, Box<dyn Error>> {
    let all = files(folder)?.into_iter().filter(|path| !path.ends_with("lock"));
    all.map(|path| Ok((path.strip_prefix(folder)?.to_owned(), fs::read(&path)?))).collect()
}

/// Every file below a folder, in order.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = vec![];
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    found.sort();
    Ok(found)
}
