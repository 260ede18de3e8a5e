//! Files on disk, memory-mapped.

use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use super::error::GgufError;
use super::parse::Index;
use super::reader::Gguf;

/// A memory-mapped GGUF file, checked when it was opened.
///
/// The bytes are those of the file: nothing is copied, and pages are read when they are touched.
#[derive(Debug)]
pub struct GgufFile {
    path: PathBuf,
    map: Mmap,
    index: Index,
}

impl GgufFile {
    /// Maps and checks the file at `path`.
    ///
    /// The file must not be changed or cut short while it is open here; no operating system lets a
    /// reader rule that out. Replacing it by renaming another file over it is safe.
    ///
    /// # Errors
    ///
    /// [`GgufError::Io`] if the file cannot be opened or mapped, [`GgufError::InFile`] with the
    /// [`GgufError::Malformed`] in it if it is no valid GGUF file.
    pub fn open(path: &Path) -> Result<Self, GgufError> {
        let io = |cause| GgufError::Io {
            path: path.to_owned(),
            cause,
        };
        let file = File::open(path).map_err(io)?;
        // SAFETY: the map is read-only and its bytes are borrowed from it, so it outlives every
        // borrow. That nobody changes the file meanwhile is the documented duty of whoever opens it.
        let map = unsafe { Mmap::map(&file) }.map_err(io)?;
        let index = Index::parse(&map).map_err(|cause| GgufError::InFile {
            path: path.to_owned(),
            cause: Box::new(cause),
        })?;
        Ok(Self {
            path: path.to_owned(),
            map,
            index,
        })
    }

    /// The path that the file was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Metadata and tensors; costs nothing, so call it as often as convenient.
    pub fn view(&self) -> Gguf<'_> {
        Gguf::of_index(&self.map, &self.index)
    }
}
