//! Model files, each mapped into memory once, however many look at it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use qk256::gguf::{GgufError, GgufFile};

/// The files that somebody has open.
static OPEN: Mutex<Vec<(Identity, Weak<GgufFile>)>> = Mutex::new(Vec::new());

/// What makes two files the same, as far as the system tells: a file that was written again is another one.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    path: PathBuf,
    device: u64,
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl Identity {
    fn of(path: &Path) -> Option<Identity> {
        let metadata = fs::metadata(path).ok()?;
        Some(Identity {
            path: path.into(),
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.size(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// Opens a GGUF file, or shares it with whoever has it open: a model of which several rungs read every byte takes its
/// size in memory once.
///
/// # Errors
///
/// [`GgufError`] if it cannot be read, or is none.
pub(crate) fn open(path: &Path) -> Result<Arc<GgufFile>, GgufError> {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|(_, file)| file.strong_count() > 0);
    let identity = Identity::of(path);
    let shared = open
        .iter()
        .find(|(other, _)| Some(other) == identity.as_ref())
        .and_then(|(_, file)| file.upgrade());
    if let Some(file) = shared {
        return Ok(file);
    }
    let file = Arc::new(GgufFile::open(path)?);
    open.extend(identity.map(|identity| (identity, Arc::downgrade(&file))));
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use qk256::gguf::Builder;

    #[test]
    fn a_file_is_mapped_once_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        let write = |name: &str| {
            let mut file = Builder::default();
            file.metadata("general.name", name).unwrap();
            let mut bytes = Vec::new();
            file.start(&mut bytes).unwrap().finish().unwrap();
            fs::write(&path, bytes).unwrap();
        };
        write("first");
        let first = open(&path).unwrap();
        assert!(Arc::ptr_eq(&first, &open(&path).unwrap()));
        write("another");
        let second = open(&path).unwrap();
        assert!(!Arc::ptr_eq(&first, &second));
        drop(second);
        assert!(fs::remove_file(&path).is_ok() && open(&path).is_err());
    }
}
