//! Files that commands write: claimed before the work, and whole or untouched after it.
//!
//! [`Destinations`] holds what a command reads and writes. It refuses, before any work is done, an output that is also
//! an input, that is named twice, or that cannot be written. What a [`Destination`] then does depends on what is at its
//! path:
//!
//! - nothing, or a regular file: it is replaced as a whole when the document is complete;
//! - a link: it stays, and what it leads to is written;
//! - a device or a pipe: it is written to, as a shell would;
//! - `-`, or whatever leads to the standard output of this process: the document goes there, and what a command prints
//!   besides goes to standard error.

mod place;
mod sink;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use self::place::Place;
pub use self::sink::Sink;
use crate::existing::{Existing, FileExists};
use crate::printable;

/// What stands for standard output.
pub const STDOUT: &str = "-";

/// Why a command cannot write where it is told to.
#[derive(Debug, Error)]
pub enum DestinationError {
    /// It would destroy what it reads.
    #[error(
        "{} would be written over {}, which is read; name another file", path.display(), input.display()
    )]
    IsInput {
        /// The output.
        path: PathBuf,
        /// The input.
        input: PathBuf,
    },
    /// Two documents would mix, or one replace the other.
    #[error("{} is named for two outputs; name another file for one of them", path.display())]
    Twice {
        /// The second of the outputs.
        path: PathBuf,
    },
    /// A file is there that is not to be replaced.
    #[error(transparent)]
    Exists(#[from] FileExists),
    /// It cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// The same file has the same device and inode, under whatever name.
type Identity = (u64, u64);

fn identity(metadata: &fs::Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

/// What a command reads and writes.
#[derive(Debug, Default)]
pub struct Destinations {
    inputs: Vec<(Identity, PathBuf)>,
    /// The files that are written, without links.
    claimed: Vec<PathBuf>,
    takes_stdout: bool,
}

impl Destinations {
    /// Destinations of a command that reads these files. Names that are no files, such as that of a recipe, are left out.
    pub fn of_reading(inputs: impl IntoIterator<Item = impl AsRef<Path>>) -> Destinations {
        let known = |path: &Path| {
            let metadata = fs::metadata(path).ok()?;
            // A terminal may be read and written.
            let is_input = metadata.is_file() || metadata.is_dir();
            is_input.then(|| (identity(&metadata), path.to_owned()))
        };
        Destinations {
            inputs: inputs
                .into_iter()
                .filter_map(|path| known(path.as_ref()))
                .collect(),
            ..Destinations::default()
        }
    }

    /// Claims a file that is replaced.
    ///
    /// # Errors
    ///
    /// [`DestinationError`] if it is read or written already, or cannot be written.
    pub fn file(&mut self, path: &Path) -> Result<Destination, DestinationError> {
        self.claim(path, Existing::Replace)
    }

    /// Claims a file.
    ///
    /// # Errors
    ///
    /// As [`Destinations::file`]; [`DestinationError::Exists`] for a file that is there, where that is refused.
    pub fn claim(
        &mut self,
        path: &Path,
        existing: Existing,
    ) -> Result<Destination, DestinationError> {
        let destination = Destination::at(path, existing)?;
        let twice = || DestinationError::Twice { path: path.into() };
        if let Place::Stdout(_) = destination.place {
            if std::mem::replace(&mut self.takes_stdout, true) {
                return Err(twice());
            }
            return Ok(destination);
        }
        if let Place::File { at, there } = &destination.place {
            let mut inputs = self.inputs.iter();
            if let Some((_, input)) = inputs.find(|(input, _)| Some(*input) == *there) {
                let (path, input) = (path.into(), input.clone());
                return Err(DestinationError::IsInput { path, input });
            }
            if self.claimed.contains(at) {
                return Err(twice());
            }
            self.claimed.push(at.clone());
        }
        Ok(destination)
    }

    /// Looks whether files can be written in a folder. If it is not there, it can be made.
    ///
    /// # Errors
    ///
    /// [`DestinationError::Write`].
    pub fn folder(path: &Path) -> Result<(), DestinationError> {
        place::probe_folder(path).map_err(|source| DestinationError::Write {
            path: path.into(),
            source,
        })
    }

    /// Whether a document takes standard output.
    pub fn takes_stdout(&self) -> bool {
        self.takes_stdout
    }
}

/// A file that will be written, or what else is at its path: see the [module](self).
#[derive(Debug)]
pub struct Destination {
    path: PathBuf,
    place: Place,
    existing: Existing,
}

impl Destination {
    /// The file at this path, which is replaced. Commands claim theirs from [`Destinations`].
    ///
    /// # Errors
    ///
    /// [`DestinationError::Write`] if it cannot be written.
    pub fn replacing(path: &Path) -> Result<Destination, DestinationError> {
        Destination::at(path, Existing::Replace)
    }

    /// The file at this path.
    ///
    /// # Errors
    ///
    /// [`DestinationError::Write`] if it cannot be written, [`DestinationError::Exists`].
    pub fn at(path: &Path, existing: Existing) -> Result<Destination, DestinationError> {
        let place = Place::of(path).map_err(|source| DestinationError::Write {
            path: path.into(),
            source,
        })?;
        if existing == Existing::Refuse && matches!(place, Place::File { there: Some(_), .. }) {
            return Err(FileExists { path: path.into() }.into());
        }
        Ok(Destination {
            path: path.into(),
            place,
            existing,
        })
    }

    /// The path, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins to write.
    ///
    /// # Errors
    ///
    /// [`DestinationError::Write`].
    pub fn start(self) -> Result<Sink, DestinationError> {
        Sink::start(self)
    }

    /// Writes a document of text in which nothing is [hidden](printable).
    ///
    /// # Errors
    ///
    /// As [`Sink::finish`].
    pub fn write_text(self, text: &str) -> Result<(), DestinationError> {
        let mut sink = self.start()?;
        sink.put(printable::text(text).as_bytes())?;
        sink.finish()
    }
}
