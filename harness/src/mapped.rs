//! Model files, each mapped into memory once, however many look at it, and held to be what they were.

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

/// The files that somebody has open.
static OPEN: Mutex<Vec<Weak<Mapped>>> = Mutex::new(Vec::new());

/// Bytes that are hashed at a time.
const PIECE: usize = 1 << 20;

/// What makes two files the same, as far as the system tells: a file that was written again is another one.
///
/// The time of the last change of its metadata is no part of it: that moves when its name goes to another file.
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

/// What happened to a file while it was in use, after which nothing that was computed from it counts.
#[derive(Debug, Error)]
pub enum Change {
    /// It was cut short.
    #[error("became shorter while it was in use, {now} bytes in place of {was}")]
    Shorter {
        /// Bytes when it was opened.
        was: u64,
        /// Bytes now.
        now: u64,
    },
    /// It was written to.
    #[error("was written to while it was in use")]
    Written,
    /// Nobody knows.
    #[error("cannot be looked at again: {0}")]
    Unknown(#[from] io::Error),
}

/// A model file in memory.
#[derive(Debug)]
pub(crate) struct Mapped {
    gguf: GgufFile,
    identity: Identity,
}

impl Mapped {
    /// The path that it was opened by.
    pub(crate) fn path(&self) -> &Path {
        self.gguf.path()
    }

    /// Metadata and tensors.
    pub(crate) fn view(&self) -> Gguf<'_> {
        self.gguf.view()
    }

    /// SHA-256 of the bytes that are mapped, in hexadecimal, whatever lies at the path by now.
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

    /// An error unless the mapped bytes are what they were, as far as the system tells.
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

    /// Has somebody open the file who knows no descriptors: by its path, and if that has come to lead elsewhere, by a
    /// path that leads to the descriptor, also from other processes.
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

/// Opens a GGUF file, or shares it with whoever has it open: a model of which several rungs read every byte takes its
/// size in memory once.
///
/// # Errors
///
/// [`GgufError`] if it cannot be read, or is none.
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

/// The file that was opened by this path last and is still open: what a run began with, it goes on with.
pub(crate) fn opened(path: &Path) -> Option<Arc<Mapped>> {
    let open = lock();
    let mut latest_first = open.iter().rev().filter_map(Weak::upgrade);
    latest_first.find(|file| file.path() == path)
}

fn lock() -> MutexGuard<'static, Vec<Weak<Mapped>>> {
    // Entries are added whole.
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
    fn what_is_mapped_is_hashed_and_opened_by_others_wherever_its_path_leads() {
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
        // Replaced while somebody is about to open it.
        let replaced = open(&path).unwrap();
        write(&other, "third");
        let read = |path: &Path| {
            _ = fs::rename(&other, path);
            fs::read(path).unwrap()
        };
        assert_eq!(replaced.opened_by(read), replaced.view().bytes());
    }

    #[test]
    fn what_happens_to_a_file_in_use_is_told() {
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
