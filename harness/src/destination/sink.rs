//! A document on its way to where it goes.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use super::place::Place;
use super::{Destination, DestinationError};
use crate::existing::{Existing, FileExists};
use crate::whole_file::WholeFile;

/// A document that is being written. Dropped before it is finished, it leaves no file.
#[derive(Debug)]
pub struct Sink {
    path: PathBuf,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Whole {
        file: WholeFile,
        existing: Existing,
    },
    /// What stands at its end when all of it is there.
    Append {
        file: File,
        text: Vec<u8>,
    },
    Stream(BufWriter<Stream>),
}

impl Sink {
    pub(super) fn start(destination: Destination) -> Result<Sink, DestinationError> {
        let Destination {
            path,
            place,
            existing,
        } = destination;
        let kind = match place {
            Place::Stdout(file) | Place::Stream(file) => {
                Ok(Kind::Stream(BufWriter::new(Stream(Some(file)))))
            }
            Place::File { at, .. } if existing == Existing::Append => {
                let file = OpenOptions::new().append(true).create(true).open(at);
                let text = Vec::new();
                file.map(|file| Kind::Append { file, text })
            }
            Place::File { at, .. } => {
                WholeFile::create(&at).map(|file| Kind::Whole { file, existing })
            }
        };
        match kind {
            Ok(kind) => Ok(Sink { path, kind }),
            Err(source) => Err(DestinationError::Write { path, source }),
        }
    }

    /// Writes bytes.
    ///
    /// # Errors
    ///
    /// [`DestinationError::Write`].
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), DestinationError> {
        self.write_all(bytes)
            .map_err(|source| DestinationError::Write {
                path: self.path.clone(),
                source,
            })
    }

    /// Ends the document: from here on it is in its place.
    ///
    /// # Errors
    ///
    /// [`DestinationError::Write`]; [`DestinationError::Exists`] if a file that is not to be replaced has come in between.
    pub fn finish(self) -> Result<(), DestinationError> {
        let Sink { path, kind } = self;
        let finished = match kind {
            Kind::Whole {
                file,
                existing: Existing::Refuse,
            } => file.finish_new(),
            Kind::Whole { file, .. } => file.finish(),
            Kind::Append { file, text } => append(file, &text),
            Kind::Stream(mut stream) => stream.flush(),
        };
        finished.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => FileExists { path }.into(),
            _ => DestinationError::Write { path, source },
        })
    }
}

/// All of the text, or nothing of it.
fn append(mut file: File, text: &[u8]) -> io::Result<()> {
    let before = file.metadata()?.len();
    let written = file.write_all(text).and_then(|()| file.sync_all());
    if written.is_err() {
        file.set_len(before)?;
    }
    written
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.kind {
            Kind::Whole { file, .. } => file.write(bytes),
            Kind::Append { text, .. } => text.write(bytes),
            Kind::Stream(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.kind {
            Kind::Whole { file, .. } => file.flush(),
            Kind::Append { .. } => Ok(()),
            Kind::Stream(stream) => stream.flush(),
        }
    }
}

/// A pipe or a device. A reader that has gone has seen enough: the rest is discarded, and that is no error.
#[derive(Debug)]
struct Stream(Option<File>);

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(file) = &mut self.0 else {
            return Ok(bytes.len());
        };
        match file.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.0 = None;
                Ok(bytes.len())
            }
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), File::flush)
    }
}
