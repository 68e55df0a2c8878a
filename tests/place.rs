//! A folder of its own for each test of the binary `simloss`.

use assert_cmd::{Command, assert::Assert};
use predicates::{prelude::PredicateBooleanExt, str::contains};
use std::{
    error::Error,
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
