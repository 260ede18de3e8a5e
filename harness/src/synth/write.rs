//! Writes the model of a plan to a file. Bytes are streamed and hashed, and the file is renamed to its path when it is
//! complete.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use qk256::gguf::WriteError;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::error::SynthError;
use super::fill::fill;
use super::plan::Plan;
use crate::destination::Destination;
use crate::existing::Existing;
use crate::progress::Progress;

/// A written file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Path of the file.
    pub path: PathBuf,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the bytes in hexadecimal.
    pub sha256: String,
}

/// Writes all bytes of the model to `sink` in order. Uses a few megabytes of memory.
///
/// # Errors
///
/// [`SynthError::Container`] if the sink returns an error.
pub fn write_to<W: Write>(plan: &Plan, sink: W) -> Result<W, SynthError> {
    stream(plan, sink, &Progress::silent()).map_err(|source| SynthError::Container {
        what: plan.recipe().origin.clone(),
        source,
    })
}

/// Writes the model to a file at `path`.
///
/// The bytes are written to a temporary file in the same folder, which is renamed to `path` when it is complete. A run
/// that ends early removes the temporary file. After a run that was killed, the next run removes it. There is never an
/// incomplete file at `path`.
///
/// # Errors
///
/// [`SynthError::Exists`], [`SynthError::Create`], or [`SynthError::Container`] if the bytes cannot be written.
pub fn create(plan: &Plan, path: &Path, existing: Existing) -> Result<Written, SynthError> {
    write_file(plan, Destination::at(path, existing)?, &Progress::silent())
}

/// Writes the model to a claimed destination, like [`create`].
///
/// # Errors
///
/// As [`create`].
pub fn write_file(
    plan: &Plan,
    destination: Destination,
    progress: &Progress,
) -> Result<Written, SynthError> {
    let path = destination.path().to_owned();
    progress.set_length(plan.file_bytes());
    progress.set_part(plan.recipe().name());
    let sink = Hashing {
        inner: destination.start()?,
        hasher: Sha256::new(),
        bytes: 0,
    };
    let Hashing {
        inner,
        hasher,
        bytes,
    } = stream(plan, sink, progress).map_err(|source| SynthError::Container {
        what: path.display().to_string(),
        source,
    })?;
    progress.finish();
    inner.finish()?;
    let sha256 = hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(Written {
        path,
        bytes,
        sha256,
    })
}

fn stream<W: Write>(plan: &Plan, sink: W, progress: &Progress) -> Result<W, WriteError> {
    let mut writer = plan.builder()?.start(sink)?;
    for tensor in plan.tensors() {
        writer = writer.stream(&tensor.name, |sink| {
            fill(plan.recipe().seed, tensor, sink, &mut |bytes| {
                progress.inc(bytes)
            })
        })?;
    }
    writer.finish()
}

/// A writer that hashes and counts the bytes.
struct Hashing<W> {
    inner: W,
    hasher: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(data)?;
        self.hasher.update(&data[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
