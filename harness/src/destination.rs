//! Output files of commands. They are checked before the work starts and are written completely or not at all.
//!
//! [`Destinations`] holds the inputs and outputs of a command. Before any work is done it refuses an output that is
//! also an input, that is named twice, or that cannot be written. How a [`Destination`] is written depends on its path:
//!
//! - nothing or a regular file: the file is replaced atomically when the document is complete;
//! - a link: the link stays, and its target is written;
//! - a device or a pipe: the document is written to it directly, as a shell does;
//! - `-`, or a path of this process' standard output: the document is written there, and the command's other output
//!   goes to standard error.

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

/// Path that means standard output.
pub const STDOUT: &str = "-";

/// Why a command cannot write its output.
#[derive(Debug, Error)]
pub enum DestinationError {
    /// The output is also an input.
    #[error(
        "{} would overwrite {}, which is an input; name another file", path.display(), input.display()
    )]
    IsInput {
        /// Path of the output.
        path: PathBuf,
        /// Path of the input.
        input: PathBuf,
    },
    /// Two outputs are the same file.
    #[error("{} is named for two outputs; name another file for one of them", path.display())]
    Twice {
        /// Path of the second output.
        path: PathBuf,
    },
    /// A file exists and must not be replaced.
    #[error(transparent)]
    Exists(#[from] FileExists),
    /// The output cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Path of the file or folder.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
}

/// Device and inode, which identify a file under any name.
type Identity = (u64, u64);

fn identity(metadata: &fs::Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

/// Inputs and outputs of a command.
#[derive(Debug, Default)]
pub struct Destinations {
    inputs: Vec<(Identity, PathBuf)>,
    /// Paths of the outputs, with links resolved.
    claimed: Vec<PathBuf>,
    takes_stdout: bool,
}

impl Destinations {
    /// Destinations of a command that reads `inputs`. Names that are no files, such as the name of a recipe, are
    /// ignored.
    pub fn of_reading(inputs: impl IntoIterator<Item = impl AsRef<Path>>) -> Destinations {
        let known = |path: &Path| {
            let metadata = fs::metadata(path).ok()?;
            // A terminal may be an input and an output.
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

    /// Claims a file that is replaced if it exists.
    ///
    /// # Errors
    ///
    /// [`DestinationError`] if the file is already an input or an output, or cannot be written.
    pub fn file(&mut self, path: &Path) -> Result<Destination, DestinationError> {
        self.claim(path, Existing::Replace)
    }

    /// Claims a file and handles an existing one as `existing` says.
    ///
    /// # Errors
    ///
    /// As [`Destinations::file`], and [`DestinationError::Exists`] if the file exists and [`Existing::Refuse`] was
    /// given.
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

    /// Checks that files can be written in a folder. A missing folder must be possible to create.
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

    /// Whether standard output is one of the destinations.
    pub fn takes_stdout(&self) -> bool {
        self.takes_stdout
    }
}

/// A checked output path. See the [module](self) for what is written where.
#[derive(Debug)]
pub struct Destination {
    path: PathBuf,
    place: Place,
    existing: Existing,
}

impl Destination {
    /// A destination that replaces an existing file. Commands use [`Destinations`] instead.
    ///
    /// # Errors
    ///
    /// [`DestinationError::Write`] if the file cannot be written.
    pub fn replacing(path: &Path) -> Result<Destination, DestinationError> {
        Destination::at(path, Existing::Replace)
    }

    /// A destination at this path.
    ///
    /// # Errors
    ///
    /// [`DestinationError::Write`] if the file cannot be written, and [`DestinationError::Exists`] if it exists and
    /// [`Existing::Refuse`] was given.
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

    /// The path as given on the command line.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the destination for writing.
    ///
    /// # Errors
    ///
    /// [`DestinationError::Write`].
    pub fn start(self) -> Result<Sink, DestinationError> {
        Sink::start(self)
    }

    /// Writes a text document and escapes its [hidden characters](printable).
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
