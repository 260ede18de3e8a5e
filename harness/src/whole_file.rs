//! Files that are whole or not there.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::scratch::ScratchFile;

/// A file that is written beside its place, and takes it when it is finished. Dropped before, it leaves nothing behind.
#[derive(Debug)]
pub struct WholeFile {
    path: PathBuf,
    sink: BufWriter<ScratchFile>,
}

impl WholeFile {
    /// A file that will be at `path`.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub fn create(path: &Path) -> io::Result<WholeFile> {
        Ok(WholeFile {
            path: path.into(),
            sink: BufWriter::new(ScratchFile::beside(path)?),
        })
    }

    /// Puts the file in its place, over what was there.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub fn finish(self) -> io::Result<()> {
        let file = self.sink.into_inner().map_err(|error| error.into_error())?;
        // A disk may notice only now that it is full.
        file.as_file().sync_all()?;
        file.persist(&self.path)
    }

    /// Puts the file in its place, where no file may be.
    ///
    /// # Errors
    ///
    /// What the operating system says.
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
