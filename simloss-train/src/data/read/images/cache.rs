//! Decoded and resized images in one file, so that a folder is decoded once.
//!
//! The file is used as long as its key fits: a hash over the size of the images and the path, length and time of change
//! of every file. Its contents have a checksum; a file that is damaged or of another version counts as absent.

use crate::{Error, data::hex, files};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

const MAGIC: &[u8; 16] = b"simloss pixels 1";
const HEADER: usize = 16 + 32 + 32;

/// Where the images of a folder are cached, and what they must have been decoded from.
pub(super) struct Cache {
    path: PathBuf,
    key: [u8; 32],
}

impl Cache {
    /// In the folder `folder`, for `files` below `root`.
    ///
    /// # Errors
    /// [`Error::File`] for files that are not there.
    pub(super) fn new(folder: &Path, root: &Path, files: &[PathBuf], size: [usize; 2]) -> Result<Self, Error> {
        let whole = fs::canonicalize(root).map_err(Error::file("read", root))?;
        let mut hash = Sha256::new();
        for n in size.into_iter().chain([files.len()]) {
            hash.update((n as u64).to_le_bytes());
        }
        for file in files {
            let path = root.join(file);
            let about = fs::metadata(&path).map_err(Error::file("read", &path))?;
            let changed = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let name = file.as_os_str().as_encoded_bytes();
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name);
            hash.update(about.len().to_le_bytes());
            hash.update(changed.map_or(0, |time| time.as_nanos()).to_le_bytes());
        }
        let place = hex(&Sha256::digest(whole.as_os_str().as_encoded_bytes())[..8]);
        let path = folder.join(format!("{place}-{}x{}.pixels", size[1], size[0]));
        Ok(Cache { path, key: hash.finalize().into() })
    }

    /// The pixels, if there are `length` bytes of them for this key.
    pub(super) fn load(&self, length: usize) -> Option<Vec<u8>> {
        let mut file = File::open(&self.path).ok()?;
        if file.metadata().ok()?.len() != (HEADER + length) as u64 {
            return None;
        }
        let mut header = [0; HEADER];
        file.read_exact(&mut header).ok()?;
        if &header[..16] != MAGIC || header[16..48] != self.key {
            return None;
        }
        let mut pixels = vec![];
        pixels.try_reserve_exact(length).ok()?;
        file.read_to_end(&mut pixels).ok()?;
        let checksum: [u8; 32] = Sha256::digest(&pixels).into();
        (pixels.len() == length && header[48..] == checksum).then_some(pixels)
    }

    /// Writes them, whole or not at all.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(super) fn save(&self, pixels: &[u8]) -> Result<(), Error> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
        }
        files::replace(&self.path, &[MAGIC, &self.key, &Sha256::digest(pixels), pixels])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_folder_or_file_is_noticed() -> Result<(), Box<dyn std::error::Error>> {
        let (root, folder) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let names: Vec<PathBuf> = vec!["a.png".into(), "b.png".into()];
        for name in &names {
            fs::write(root.path().join(name), b"1")?;
        }
        let cache = |names: &[PathBuf], size| Cache::new(&folder.path().join("new"), root.path(), names, size);
        assert_eq!(cache(&names, [1, 1])?.load(6), None);
        cache(&names, [1, 1])?.save(&[1, 2, 3, 4, 5, 6])?;
        assert_eq!(cache(&names, [1, 1])?.load(6), Some(vec![1, 2, 3, 4, 5, 6]));
        assert_eq!(cache(&names[..1], [1, 1])?.load(6), None);
        assert_eq!(cache(&names, [1, 2])?.load(6), None);
        assert_eq!(cache(&names, [1, 1])?.load(5), None);
        // Another length, another time, other bytes in the cache.
        fs::write(root.path().join("a.png"), b"22")?;
        assert_eq!(cache(&names, [1, 1])?.load(6), None);
        let now = cache(&names, [1, 1])?;
        now.save(&[7; 6])?;
        File::options().write(true).open(root.path().join("b.png"))?.set_modified(UNIX_EPOCH)?;
        assert_eq!(cache(&names, [1, 1])?.load(6), None);
        let mut bytes = fs::read(&now.path)?;
        assert!(now.load(6).is_some());
        bytes[HEADER + 2] ^= 1;
        fs::write(&now.path, bytes)?;
        assert_eq!(now.load(6), None);
        assert!(cache(&["c.png".into()], [1, 1]).is_err());
        Ok(())
    }
}
