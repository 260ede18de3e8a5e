//! Files on disk, memory-mapped.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use super::error::GgufError;
use super::parse::Index;
use super::problem::Problem;
use super::reader::Gguf;

/// A memory-mapped GGUF file that was checked when it was opened.
///
/// Metadata and names are copied, so later writes to the file cannot invalidate the checks. Tensor data is borrowed
/// from the map, and its pages are read on first access.
#[derive(Debug)]
pub struct GgufFile {
    path: PathBuf,
    file: File,
    map: Mmap,
    /// A copy of the bytes before the tensor data.
    head: Vec<u8>,
    index: Index,
}

/// Bytes that are copied at first. Most files without a vocabulary have fewer bytes before the tensor data.
const FIRST_HEAD: usize = 1 << 16;

impl GgufFile {
    /// Opens, maps and checks the file at `path`; see [`of`](Self::of).
    ///
    /// # Errors
    ///
    /// [`GgufError::Io`] if the file cannot be opened, and as [`of`](Self::of).
    pub fn open(path: &Path) -> Result<Self, GgufError> {
        let file = File::open(path).map_err(|cause| GgufError::Io {
            path: path.to_owned(),
            cause,
        })?;
        Self::of(file, path)
    }

    /// Maps and checks an open file. Errors report `path`.
    ///
    /// The file must not be modified or truncated while it is mapped, and a reader cannot prevent that on any operating
    /// system. Replacing the file by renaming another one over it is safe.
    ///
    /// # Errors
    ///
    /// [`GgufError::Io`] if the file is not a regular file or cannot be mapped, [`GgufError::InFile`] with a
    /// [`GgufError::Malformed`] if it is not a valid GGUF file.
    pub fn of(file: File, path: &Path) -> Result<Self, GgufError> {
        let io = |cause| GgufError::Io {
            path: path.to_owned(),
            cause,
        };
        if !file.metadata().map_err(io)?.is_file() {
            let no_file = io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
            return Err(io(no_file));
        }
        // SAFETY: the map is read-only and its bytes are borrowed from it, so it outlives every borrow. The
        // documentation requires that the file is not modified while it is mapped.
        let map = unsafe { Mmap::map(&file) }.map_err(io)?;
        let (head, index) = read_head(&map).map_err(|cause| GgufError::InFile {
            path: path.to_owned(),
            cause: Box::new(cause),
        })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            map,
            head,
            index,
        })
    }

    /// The path under which the file was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open file. The path may refer to another file by now.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Metadata and tensors. The call only borrows and is cheap.
    pub fn view(&self) -> Gguf<'_> {
        Gguf::of_index(&self.map, &self.head, &self.index)
    }
}

/// Copies the bytes before the tensor data and checks the copy.
fn read_head(file: &[u8]) -> Result<(Vec<u8>, Index), GgufError> {
    let mut length = file.len().min(FIRST_HEAD);
    loop {
        let mut head = file[..length].to_vec();
        match Index::parse_head(&head, file.len()) {
            Ok(index) => {
                head.truncate(index.data_start);
                head.shrink_to_fit();
                return Ok((head, index));
            }
            Err(GgufError::Malformed {
                problem: Problem::Truncated { .. } | Problem::Count { .. },
                ..
            }) if length < file.len() => length = length.saturating_mul(2).min(file.len()),
            Err(error) => return Err(error),
        }
    }
}
