//! A cache of compiled objects, indexed by keys.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::BuildError;
use crate::progress::{Event, Report};
use crate::prune::prune;

pub(crate) struct Cache {
    folder: PathBuf,
    /// Held while the cache is open, so that two cargo processes do not compile the same file twice.
    _lock: File,
}

impl Cache {
    /// Opens the cache in a folder, which is created if it does not exist.
    pub(crate) fn open(folder: &Path, report: &Report<'_>) -> Result<Self, BuildError> {
        let folder = folder.to_path_buf();
        fs::create_dir_all(&folder).map_err(BuildError::io("create", &folder))?;
        let path = folder.join("lock");
        let lock = File::create(&path).map_err(BuildError::io("create", &path))?;
        if lock.try_lock().is_err() {
            report(&Event::Waiting);
            lock.lock().map_err(BuildError::io("lock", &path))?;
        }
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    /// The path of the file with this key.
    pub(crate) fn path(&self, key: &str, extension: &str) -> PathBuf {
        self.folder.join(format!("{key}.{extension}"))
    }

    /// Removes all compiled files except those that the build for `target` needs, and those of other targets.
    /// Errors are printed and ignored, since leftover files only use disk space.
    pub(crate) fn keep<'a>(
        &self,
        target: &str,
        needed: impl Iterator<Item = &'a PathBuf>,
        report: &Report<'_>,
    ) {
        let names: BTreeSet<String> = needed
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .collect();
        if let Err(error) = prune(&self.folder, target, &names) {
            report(&Event::NotPruned {
                reason: error.to_string(),
            });
        }
    }
}

/// Calls `make` to write a temporary file and renames it to `path`. A file that exists is therefore complete.
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

/// A hash of the inputs of a file. Each part is prefixed with its length, so that different lists of parts have
/// different hashes.
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
