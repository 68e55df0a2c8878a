//! The files of a run, which one process writes at a time.

use crate::{
    Error,
    files::Safe,
    model::{STATE, State},
    run::record::Record,
};
use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Makes the folder, and it this process's own as long as the file that is returned is open.
///
/// # Errors
/// [`Error::Busy`] where it is another process's, [`Error::File`].
pub(crate) fn lock(dir: &Path) -> Result<File, Error> {
    std::fs::create_dir_all(dir).map_err(Error::file("create", dir))?;
    let path = dir.join("lock");
    let lock = File::options().create(true).truncate(false).write(true).open(&path);
    let lock = lock.map_err(Error::file("create", &path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Error::Busy { path: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(Error::File { action: "lock", path, source }),
    }
}

/// The files of a run.
pub(super) struct Folder<'a> {
    dir: &'a Path,
    /// When all was on the disk.
    safe: Instant,
    /// Held as long as this run may write: another process with the same run is refused.
    _lock: File,
}

impl<'a> Folder<'a> {
    /// Makes the folder, and its files this process's own.
    pub(super) fn of(dir: &'a Path) -> Result<Self, Error> {
        Ok(Folder { dir, safe: Instant::now(), _lock: lock(dir)? })
    }

    /// How the files of this epoch are written. Changes no byte of them.
    pub(super) fn safety(&mut self) -> Safe {
        if self.safe.elapsed() < Duration::from_secs(1) {
            return Safe::FromKill;
        }
        self.safe = Instant::now();
        Safe::FromPowerCut
    }

    pub(super) fn record(&self) -> PathBuf {
        self.dir.join("record.json")
    }

    pub(super) fn model(&self) -> PathBuf {
        self.dir.join("model.safetensors")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.dir.join("state.safetensors")
    }

    /// Puts the record there, or continues with what is there: then `record` gets the epochs and
    /// `state` everything. Returns the record of a run that needs nothing more.
    pub(super) fn open(&self, resume: bool, record: &mut Record, state: &mut State) -> Result<Option<Record>, Error> {
        let path = self.record();
        if path.try_exists().map_err(Error::file("read", &path))? {
            if !resume {
                return Err(Error::Exists { path: self.dir.to_owned() });
            }
            let before = Record::load(&path)?;
            before.continues_as(&path, record)?;
            let model = self.model();
            let used = model.try_exists().map_err(Error::file("read", &model))?;
            if used && before.result.is_some() && before.settings.epochs == record.settings.epochs {
                return Ok(Some(before));
            }
            let path = self.state();
            if path.try_exists().map_err(Error::file("read", &path))? {
                let mut found = State::load(&path, |run| record.is_fingerprint(run), state.parameters.len())?;
                found.run.clone_from(&state.run);
                *state = found;
                record.epochs = before.epochs;
                if record.epochs.len() < state.epoch || state.best_epoch > state.epoch {
                    return Err(Error::format(&path, STATE)(&"it is ahead of the record beside it"));
                }
                record.epochs.truncate(state.epoch);
            }
        }
        // Finds out before the first epoch whether the folder can be written.
        record.save(&self.record())?;
        Ok(None)
    }
}
