//! Files that are written whole or not at all.

use crate::Error;
use std::{
    fs,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

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
/// Links are followed to what they name. What is there and no file (a pipe, a device) stays what it is, and gets the parts
/// as they come. All others go to a temporary file beside it and then to their name: whoever reads `path`, at any time,
/// finds the old contents or the new ones. After an error the old ones stay, and nothing else. Processes that replace the
/// same file at the same time do so one after the other; what a killed one left behind, the next one takes over.
///
/// # Errors
/// [`Error::File`], such as a full disk or a folder that cannot be written.
pub(crate) fn replace(path: &Path, parts: &[&[u8]]) -> Result<(), Error> {
    replace_safe(Safe::FromPowerCut, path, parts)
}

/// As [`replace`], as safe as wanted.
pub(crate) fn replace_safe(safe: Safe, path: &Path, parts: &[&[u8]]) -> Result<(), Error> {
    write(safe, path, |file| parts.iter().try_for_each(|part| file.write_all(part)).map_err(Error::file("write", path)))
}

/// As [`replace`], by what `new` makes of the contents, which are `None` where there is no file. Processes that change
/// the same file at the same time do so one after the other, so none undoes what another did.
///
/// # Errors
/// As [`replace`]; [`Error::File`] for a file that cannot be read; those of `new`.
pub(crate) fn change(path: &Path, new: impl FnOnce(Option<Vec<u8>>) -> Result<Vec<u8>, Error>) -> Result<(), Error> {
    write(Safe::FromPowerCut, path, |file| {
        let old = match fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            read => Some(read.map_err(Error::file("read", path))?),
        };
        file.write_all(&new(old)?).map_err(Error::file("write", path))
    })
}

/// As [`replace`], with what `fill` writes piece by piece.
///
/// # Errors
/// As [`replace`]; those of `fill`.
pub(crate) fn stream(path: &Path, fill: impl FnOnce(&mut fs::File) -> Result<(), Error>) -> Result<(), Error> {
    write(Safe::FromPowerCut, path, fill)
}

/// Puts what `fill` writes in the place of `path`.
fn write(safe: Safe, path: &Path, fill: impl FnOnce(&mut fs::File) -> Result<(), Error>) -> Result<(), Error> {
    let failed = |source| Error::File { action: "write", path: path.to_owned(), source };
    let path = &target(path).map_err(failed)?;
    if fs::metadata(path).is_ok_and(|about| !about.is_file() && !about.is_dir()) {
        return fill(&mut fs::File::options().write(true).open(path).map_err(failed)?);
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    let mut file = own(&temporary).map_err(failed)?;
    let write = || {
        fill(&mut file)?;
        if safe == Safe::FromPowerCut {
            file.sync_all().map_err(failed)?;
        }
        fs::rename(&temporary, path).map_err(failed)
    };
    // Best effort: the error that matters is the first one.
    write().inspect_err(|_| drop(fs::remove_file(&temporary)))?;
    #[cfg(unix)]
    if let (Safe::FromPowerCut, Some(folder)) = (safe, path.parent()) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::file("write", folder))?;
    }
    Ok(())
}

/// Where `path` leads, through all links; there may be nothing there.
fn target(path: &Path) -> io::Result<PathBuf> {
    // As many as Linux follows.
    const MOST: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MOST {
        match fs::read_link(&path) {
            Ok(link) => path = path.parent().unwrap_or(Path::new("")).join(link),
            // No link, or nothing.
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("its links lead to each other"))
}

/// Refuses to write a file over one of those that are read.
///
/// # Errors
/// [`Error::Usage`].
pub(crate) fn keep<'a>(output: &Path, inputs: impl IntoIterator<Item = &'a Path>) -> Result<(), Error> {
    let file = |path: &Path| fs::canonicalize(path).ok().filter(|path| path.is_file());
    let Some(found) = file(output) else { return Ok(()) };
    match inputs.into_iter().find(|input| file(input).as_ref() == Some(&found)) {
        Some(input) => Err(Error::Usage(format!(
            "the output {} would replace the input {}; write elsewhere",
            output.display(),
            input.display()
        ))),
        None => Ok(()),
    }
}

/// An empty file of this name that nobody else writes as long as it is open.
fn own(path: &Path) -> io::Result<fs::File> {
    loop {
        // Not emptied yet: another process may be writing it.
        let file = fs::File::options().write(true).create(true).truncate(false).open(path)?;
        match file.lock() {
            // Where nothing can be locked, nothing is.
            Err(error) if error.kind() != ErrorKind::Unsupported => return Err(error),
            _ => {}
        }
        // The other one may have renamed or removed it meanwhile.
        if is_at(&file, path)? {
            if file.metadata()?.len() > 0 {
                file.set_len(0)?;
            }
            return Ok(file);
        }
    }
}

#[cfg(unix)]
fn is_at(file: &fs::File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let place = |about: fs::Metadata| (about.dev(), about.ino());
    match fs::metadata(path) {
        Ok(found) => Ok(place(found) == place(file.metadata()?)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// A file that is open keeps its name here.
#[cfg(not(unix))]
fn is_at(_: &fs::File, _: &Path) -> io::Result<bool> {
    Ok(true)
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
        // What a killed process left is taken over.
        fs::write(folder.path().join("a.json.tmp"), b"half of something longer")?;
        replace(&path, &[b"newer"])?;
        assert_eq!((fs::read(&path)?, fs::read_dir(folder.path())?.count()), (b"newer".to_vec(), 2));
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn links_and_devices_stay_what_they_are() -> Result<(), Box<dyn std::error::Error>> {
        use std::os::unix::fs::{FileTypeExt, symlink};
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("inner"))?;
        // Through two links, to a file that is not there yet.
        symlink("inner/b", at("a"))?;
        symlink("c", at("inner/b"))?;
        for text in ["first", "second"] {
            replace(&at("a"), &[text.as_bytes()])?;
            assert_eq!(fs::read_to_string(at("inner/c"))?, text);
            assert!(at("a").is_symlink() && at("inner/b").is_symlink());
        }
        symlink("/dev/null", at("null"))?;
        replace(&at("null"), &[b"nothing"])?;
        assert!(fs::metadata("/dev/null")?.file_type().is_char_device());
        symlink("round", at("round"))?;
        let error = replace(&at("round"), &[b""]).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains("links lead to each other"), "{error}");
        // A file is known through its links.
        fs::write(at("data"), b"")?;
        symlink("data", at("same"))?;
        let data = at("data");
        assert!(keep(&at("same"), [&*data]).is_err_and(|e| e.to_string().contains("would replace the input")));
        assert!(keep(&at("other"), [&*data]).is_ok() && keep(&at("null"), [Path::new("/dev/null")]).is_ok());
        Ok(())
    }

    #[test]
    fn nobody_undoes_a_change() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.json");
        let one_more = |old: Option<Vec<u8>>| Ok(vec![b'a'; old.map_or(0, |old| old.len()) + 1]);
        std::thread::scope(|scope| {
            let writers: Vec<_> =
                (0..4).map(|_| scope.spawn(|| (0..25).try_for_each(|_| change(&path, one_more)))).collect();
            writers
                .into_iter()
                .try_for_each(|writer| writer.join().map_err(|_| "a writer panicked")?.map_err(|e| e.to_string()))
        })?;
        assert_eq!(fs::read(&path)?.len(), 100);
        // What cannot be changed stays as it is, alone.
        let refused = change(&path, |_| Err(Error::Usage("no".into())));
        assert!(refused.is_err_and(|error| error.to_string() == "no"));
        assert_eq!((fs::read(&path)?.len(), fs::read_dir(folder.path())?.count()), (100, 1));
        Ok(())
    }

    #[test]
    fn many_writers_of_one_file_take_turns() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.json");
        let long = |n: usize| vec![b'a' + n as u8; 70_000 * (n + 1)];
        replace_safe(Safe::FromKill, &path, &[&long(0)])?;
        std::thread::scope(|scope| {
            let writers: Vec<_> = (0..4)
                .map(|n| {
                    let (path, part) = (&path, long(n));
                    scope.spawn(move || {
                        (0..50).try_for_each(|_| {
                            let (a, b) = part.split_at(part.len() / 2);
                            replace_safe(Safe::FromKill, path, &[a, b])?;
                            let found = fs::read(path).map_err(Error::file("read", path))?;
                            assert!((0..4).any(|n| found == long(n)), "{} bytes of several writers", found.len());
                            Ok::<_, Error>(())
                        })
                    })
                })
                .collect();
            writers
                .into_iter()
                .try_for_each(|writer| writer.join().map_err(|_| "a writer panicked")?.map_err(|e| e.to_string()))
        })?;
        assert_eq!(fs::read_dir(folder.path())?.count(), 1);
        Ok(())
    }
}
