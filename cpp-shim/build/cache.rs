//! Compiled objects, kept under keys, shared by all cargo profiles of a target folder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::BuildError;
use crate::progress::Progress;

/// Files that cargo puts at the top of a target folder. It writes the first only into a folder that
/// it made itself.
const MARKS: [&str; 2] = ["CACHEDIR.TAG", ".rustc_info.json"];

pub(crate) struct Cache {
    folder: PathBuf,
    /// Held for as long as the cache is open, so that two cargo processes do not compile the same
    /// file twice.
    _lock: File,
}

impl Cache {
    /// Opens `<target dir>/oracles`; `out_dir` itself where no target folder is found above it.
    pub(crate) fn open(out_dir: &Path, progress: &Progress) -> Result<Self, BuildError> {
        let folder = out_dir
            .ancestors()
            .find(|ancestor| MARKS.iter().any(|mark| ancestor.join(mark).is_file()))
            .unwrap_or(out_dir)
            .join("oracles");
        fs::create_dir_all(&folder).map_err(BuildError::io("create", &folder))?;
        let path = folder.join("lock");
        let lock = File::create(&path).map_err(BuildError::io("create", &path))?;
        if lock.try_lock().is_err() {
            progress.say("oracles: waiting for another build of them");
            lock.lock().map_err(BuildError::io("lock", &path))?;
        }
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    /// Where the file of that key is, or will be.
    pub(crate) fn path(&self, key: &str, extension: &str) -> PathBuf {
        self.folder.join(format!("{key}.{extension}"))
    }
}

/// Has `make` write a file next to `path`, then moves it there: a file that exists is whole.
pub(crate) fn write_whole<E>(
    path: &Path,
    make: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E>
where
    E: From<BuildError>,
{
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    make(&partial)?;
    fs::rename(&partial, path).map_err(BuildError::io("rename", &partial))?;
    Ok(())
}

/// Collects what determines a file; each part is length-prefixed, so no two lists of parts look
/// alike.
#[derive(Clone, Default)]
pub(crate) struct Key(Sha256);

impl Key {
    pub(crate) fn with(mut self, part: impl AsRef<[u8]>) -> Self {
        let part = part.as_ref();
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
        self
    }

    pub(crate) fn with_all<T: AsRef<[u8]>>(self, parts: impl IntoIterator<Item = T>) -> Self {
        parts.into_iter().fold(self.with("["), Key::with).with("]")
    }

    pub(crate) fn with_file(self, path: &Path) -> Result<Self, BuildError> {
        Ok(self.with(fs::read(path).map_err(BuildError::io("read", path))?))
    }

    pub(crate) fn hex(self) -> String {
        self.0
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}
