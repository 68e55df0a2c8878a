//! Files that are written whole or not at all.

use crate::Error;
use std::{fs, io::Write, path::Path};

/// Whether a file must be on the disk before it takes its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Safe {
    /// From a killed process. The system writes it when it sees fit.
    FromKill,
    /// From a power cut too: takes some milliseconds.
    FromPowerCut,
}

/// Puts `parts`, one after the other, in the place of `path`, safe from a power cut.
///
/// They go to a temporary file beside it and then to their name: whoever reads `path`, at any time, finds the old
/// contents or the new ones. After an error the old ones stay, and nothing else.
///
/// # Errors
/// [`Error::File`], such as a full disk or a folder that cannot be written.
pub(crate) fn replace(path: &Path, parts: &[&[u8]]) -> Result<(), Error> {
    replace_safe(Safe::FromPowerCut, path, parts)
}

/// As [`replace`], as safe as wanted.
pub(crate) fn replace_safe(safe: Safe, path: &Path, parts: &[&[u8]]) -> Result<(), Error> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    let write = || {
        let mut file = fs::File::create(&temporary)?;
        for part in parts {
            file.write_all(part)?;
        }
        if safe == Safe::FromPowerCut {
            file.sync_all()?;
        }
        fs::rename(&temporary, path)
    };
    write().map_err(|source| {
        // Best effort: the error that matters is the first one.
        let _ = fs::remove_file(&temporary);
        Error::File { action: "write", path: path.to_owned(), source }
    })?;
    #[cfg(unix)]
    if let (Safe::FromPowerCut, Some(folder)) = (safe, path.parent()) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::file("write", folder))?;
    }
    Ok(())
}

/// Removes the file, if it is there.
///
/// # Errors
/// [`Error::File`].
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file("remove", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_or_not_at_all() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.json");
        replace(&path, &[b"old", b"er"])?;
        assert_eq!(fs::read(&path)?, b"older");
        replace_safe(Safe::FromKill, &path, &[b"new"])?;
        assert_eq!(fs::read(&path)?, b"new");

        // A folder in the place of the file: the rename fails, and the temporary file goes.
        let taken = folder.path().join("taken");
        fs::create_dir(&taken)?;
        fs::write(taken.join("inside"), b"")?;
        let error = replace(&taken, &[b"new"]).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains("cannot write") && error.contains("taken"), "{error}");
        assert_eq!(fs::read_dir(folder.path())?.count(), 2);
        assert!(replace(&folder.path().join("missing/a.json"), &[b"new"]).is_err());
        Ok(())
    }
}
