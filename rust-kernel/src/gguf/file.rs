//! Files on disk, memory-mapped.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use super::error::GgufError;
use super::parse::Index;
use super::problem::Problem;
use super::reader::Gguf;

/// A memory-mapped GGUF file, checked when it was opened.
///
/// Metadata and names are copied, so that they stay as they were checked whatever is written to the
/// file. Tensor data is that of the file, and pages of it are read when they are touched.
#[derive(Debug)]
pub struct GgufFile {
    path: PathBuf,
    file: File,
    map: Mmap,
    /// A copy of what is in front of the tensors' data.
    head: Vec<u8>,
    index: Index,
}

/// Bytes that are copied at first: what most files without a vocabulary have in front of the data.
const FIRST_HEAD: usize = 1 << 16;

impl GgufFile {
    /// Opens, maps and checks the file at `path`, as [`of`](Self::of) does an open one.
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

    /// Maps and checks an open file, which errors call `path`.
    ///
    /// The file must not be changed or cut short while it is open here; no operating system lets a
    /// reader rule that out. Replacing it by renaming another file over it is safe.
    ///
    /// # Errors
    ///
    /// [`GgufError::Io`] if the file is no regular one or cannot be mapped, [`GgufError::InFile`]
    /// with the [`GgufError::Malformed`] in it if it is no valid GGUF file.
    pub fn of(file: File, path: &Path) -> Result<Self, GgufError> {
        let io = |cause| GgufError::Io {
            path: path.to_owned(),
            cause,
        };
        if !file.metadata().map_err(io)?.is_file() {
            let no_file = io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
            return Err(io(no_file));
        }
        // SAFETY: the map is read-only and its bytes are borrowed from it, so it outlives every
        // borrow. That nobody changes the file meanwhile is the documented duty of whoever opens it.
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

    /// The path that the file was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file itself, whatever has become of the path since.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Metadata and tensors; costs nothing, so call it as often as convenient.
    pub fn view(&self) -> Gguf<'_> {
        Gguf::of_index(&self.map, &self.head, &self.index)
    }
}

/// Copies as much of the file as is in front of the tensors' data, and checks the copy.
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
