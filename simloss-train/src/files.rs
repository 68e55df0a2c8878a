//! Files that are written whole or not at all.

use crate::Error;
use std::{fs, io::Write, path::Path};

/// Puts `parts`, one after the other, in the place of `path`.
///
/// They go to a temporary file beside it, to the disk, and then to their name: whoever reads `path`, at any time, also
/// after a power cut, finds the old contents or the new ones. After an error the old ones stay, and nothing else.
///
/// # Errors
/// [`Error::File`], such as a full disk or a folder that cannot be written.
pub(crate) fn replace(path: &Path, parts: &[&[u8]]) -> Result<(), Error> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    let write = || {
        let mut file = fs::File::create(&temporary)?;
        for part in parts {
            file.write_all(part)?;
        }
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(|source| {
        // Best effort: the error that matters is the first one.
        let _ = fs::remove_file(&temporary);
        Error::File { action: "write", path: path.to_owned(), source }
    })
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
        replace(&path, &[b"new"])?;
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
