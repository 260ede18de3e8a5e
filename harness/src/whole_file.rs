//! Files that are written atomically.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::scratch::ScratchFile;

/// A file that is written under a temporary name and renamed when it is complete. Dropping it earlier removes it.
#[derive(Debug)]
pub struct WholeFile {
    path: PathBuf,
    sink: BufWriter<ScratchFile>,
}

impl WholeFile {
    /// Creates a temporary file that will be renamed to `path`.
    ///
    /// # Errors
    ///
    /// The operating system's error.
    pub fn create(path: &Path) -> io::Result<WholeFile> {
        Ok(WholeFile {
            path: path.into(),
            sink: BufWriter::new(ScratchFile::beside(path)?),
        })
    }

    /// Renames the file to its path and replaces an existing file.
    ///
    /// # Errors
    ///
    /// The operating system's error.
    pub fn finish(self) -> io::Result<()> {
        let file = self.sink.into_inner().map_err(|error| error.into_error())?;
        // Some file systems report a full disk only here.
        file.as_file().sync_all()?;
        file.persist(&self.path)
    }

    /// Renames the file to its path, which must not exist.
    ///
    /// # Errors
    ///
    /// The operating system's error.
    pub fn finish_new(self) -> io::Result<()> {
        let file = self.sink.into_inner().map_err(|error| error.into_error())?;
        file.as_file().sync_all()?;
        file.persist_noclobber(&self.path)
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sink.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}
