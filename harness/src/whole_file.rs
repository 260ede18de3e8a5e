//! Files that are whole or not there.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that is written beside its place, and takes it when it is finished. Dropped before, it leaves nothing behind.
#[derive(Debug)]
pub struct WholeFile {
    path: PathBuf,
    sink: BufWriter<NamedTempFile>,
}

impl WholeFile {
    /// A file that will be at `path`.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub fn create(path: &Path) -> io::Result<WholeFile> {
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        Ok(WholeFile {
            path: path.into(),
            sink: BufWriter::new(beside(folder)?),
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
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }
}

/// A file for all that may read new files here, which those of `tempfile` are not. Opened by hand, its error is the
/// operating system's alone; that of `tempfile` names the path a second time.
fn beside(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().make_in(folder, |path| File::create_new(path))
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sink.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}
