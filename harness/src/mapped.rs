//! Memory maps of model files. Each file is mapped once for all users, and changes to it are detected.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use qk256::gguf::{Gguf, GgufError, GgufFile};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::input;

/// The files that are open.
static OPEN: Mutex<Vec<Weak<Mapped>>> = Mutex::new(Vec::new());

/// Number of bytes hashed at once.
const PIECE: usize = 1 << 20;

/// Identity of a file, as far as the system reports it. Writing to a file changes its identity.
///
/// The time of the last metadata change is excluded, because renaming another file over this one updates it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl From<Metadata> for Identity {
    fn from(metadata: Metadata) -> Identity {
        Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// A change of a file while it was in use. Results computed from it are void.
#[derive(Debug, Error)]
pub enum Change {
    /// The file was truncated.
    #[error("became shorter while it was in use, {now} bytes in place of {was}")]
    Shorter {
        /// Size in bytes when it was opened.
        was: u64,
        /// Size in bytes now.
        now: u64,
    },
    /// The file was written to.
    #[error("was written to while it was in use")]
    Written,
    /// The file could not be examined.
    #[error("cannot be examined again: {0}")]
    Unknown(#[from] io::Error),
}

/// A mapped model file.
#[derive(Debug)]
pub(crate) struct Mapped {
    gguf: GgufFile,
    identity: Identity,
}

impl Mapped {
    /// The path used for opening it.
    pub(crate) fn path(&self) -> &Path {
        self.gguf.path()
    }

    /// Metadata and tensors.
    pub(crate) fn view(&self) -> Gguf<'_> {
        self.gguf.view()
    }

    /// SHA-256 of the mapped bytes in hexadecimal, also if another file has taken the path.
    pub(crate) fn sha256(&self) -> io::Result<String> {
        // Read rather than mapped, so that hashing does not count as resident memory.
        let mut hasher = Sha256::new();
        let mut piece = vec![0; PIECE];
        let mut at = 0;
        loop {
            match self.gguf.file().read_at(&mut piece, at) {
                Ok(0) => break,
                Ok(read) => {
                    hasher.update(&piece[..read]);
                    at += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let hash = hasher.finalize();
        Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Returns an error if the file changed since it was opened, as far as the system reports it.
    pub(crate) fn require_unchanged(&self) -> Result<(), Change> {
        let now = Identity::from(self.gguf.file().metadata()?);
        let was = &self.identity;
        match now {
            _ if now == *was => Ok(()),
            Identity { bytes, .. } if bytes < was.bytes => Err(Change::Shorter {
                was: was.bytes,
                now: bytes,
            }),
            _ => Err(Change::Written),
        }
    }

    /// Calls `open` with a path of this file, for code that cannot use a descriptor. If the original path now names
    /// another file, the path is one of the descriptor, which works from other processes too.
    pub(crate) fn opened_by<T>(&self, open: impl Fn(&Path) -> T) -> T {
        if self.is_in_place() {
            let opened = open(self.path());
            if self.is_in_place() {
                return opened;
            }
        }
        let (process, descriptor) = (std::process::id(), self.gguf.file().as_raw_fd());
        open(Path::new(&format!("/proc/{process}/fd/{descriptor}")))
    }

    fn is_in_place(&self) -> bool {
        let there = fs::metadata(self.path()).map(Identity::from);
        there.is_ok_and(|there| there == self.identity)
    }
}

/// Opens a GGUF file or shares the map that is already open. A model that several levels read takes its size in memory
/// once.
///
/// # Errors
///
/// [`GgufError`] if the file cannot be read or is no GGUF file.
pub(crate) fn open(path: &Path) -> Result<Arc<Mapped>, GgufError> {
    let io = |cause| GgufError::Io {
        path: path.to_owned(),
        cause,
    };
    let file: File = input::open(path).map_err(io)?;
    let identity = Identity::from(file.metadata().map_err(io)?);
    let mut open = lock();
    open.retain(|file| file.strong_count() > 0);
    let same = |file: &Arc<Mapped>| file.path() == path && file.identity == identity;
    if let Some(shared) = open.iter().filter_map(Weak::upgrade).find(same) {
        return Ok(shared);
    }
    let gguf = GgufFile::of(file, path)?;
    let mapped = Arc::new(Mapped { gguf, identity });
    open.push(Arc::downgrade(&mapped));
    Ok(mapped)
}

/// The file last opened by this path that is still open, so that a run keeps using the file that it began with.
pub(crate) fn opened(path: &Path) -> Option<Arc<Mapped>> {
    let open = lock();
    let mut latest_first = open.iter().rev().filter_map(Weak::upgrade);
    latest_first.find(|file| file.path() == path)
}

fn lock() -> MutexGuard<'static, Vec<Weak<Mapped>>> {
    // Every change is a single insertion, so a poisoned lock holds a valid list.
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use qk256::gguf::Builder;

    use super::*;

    fn write(path: &Path, name: &str) {
        let mut file = Builder::default();
        file.metadata("general.name", name).unwrap();
        let mut bytes = Vec::new();
        file.start(&mut bytes).unwrap().finish().unwrap();
        fs::write(path, bytes).unwrap();
    }

    #[test]
    fn a_file_is_mapped_once_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        write(&path, "first");
        let first = open(&path).unwrap();
        assert!(Arc::ptr_eq(&first, &open(&path).unwrap()));
        write(&path, "another");
        let second = open(&path).unwrap();
        assert!(!Arc::ptr_eq(&first, &second));
        assert!(Arc::ptr_eq(&second, &opened(&path).unwrap()));
        drop(second);
        assert!(fs::remove_file(&path).is_ok() && open(&path).is_err());
    }

    #[test]
    fn the_mapped_file_is_hashed_and_opened_after_its_path_is_reused() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a.gguf"), folder.path().join("b.gguf"));
        write(&path, "first");
        write(&other, "second");
        let mapped = open(&path).unwrap();
        let bytes = fs::read(&path).unwrap();
        let hash = mapped.sha256().unwrap();
        assert_eq!(mapped.opened_by(Path::to_owned), path);
        fs::rename(&other, &path).unwrap();
        assert!(mapped.require_unchanged().is_ok());
        assert_eq!(mapped.sha256().unwrap(), hash);
        assert_eq!(mapped.opened_by(|path| fs::read(path).unwrap()), bytes);
        assert_eq!(mapped.view().str("general.name").unwrap(), "first");
        // The file is replaced before it is opened again.
        let replaced = open(&path).unwrap();
        write(&other, "third");
        let read = |path: &Path| {
            _ = fs::rename(&other, path);
            fs::read(path).unwrap()
        };
        assert_eq!(replaced.opened_by(read), replaced.view().bytes());
    }

    #[test]
    fn changes_of_a_file_in_use_are_reported() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        write(&path, "first");
        let mapped = open(&path).unwrap();
        let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"more").unwrap();
        assert!(matches!(mapped.require_unchanged(), Err(Change::Written)));
        file.set_len(10).unwrap();
        let error = mapped.require_unchanged().unwrap_err();
        assert!(matches!(error, Change::Shorter { now: 10, .. }), "{error}");
    }
}
