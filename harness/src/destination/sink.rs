//! Writes a document to its destination.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use super::place::Place;
use super::{Destination, DestinationError};
use crate::existing::{Existing, FileExists};
use crate::whole_file::WholeFile;

/// An open output document. If it is dropped before it is finished, no file is left.
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
    /// Appends the complete text at the end.
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

    /// Completes the document and makes it visible at its path.
    ///
    /// # Errors
    ///
    /// [`DestinationError::Write`], and [`DestinationError::Exists`] if a file that must not be replaced was created
    /// meanwhile.
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

/// Appends all of the text or nothing.
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

/// A pipe or a device. After the reader closes the pipe, the rest is discarded without an error.
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
