//! From a plan to a file: streamed, hashed on the way, and put in its place only when whole.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use qk256::gguf::WriteError;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::error::SynthError;
use super::fill::fill;
use super::plan::Plan;
use crate::destination::Destination;
use crate::existing::Existing;
use crate::printable;

/// Files from this size on take long enough to show progress.
const SHOW_PROGRESS_FROM: u64 = 64 << 20;

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// Writes the model to `sink`, all its bytes in order, with a few megabytes of memory.
///
/// # Errors
///
/// [`SynthError::Container`] if the sink refuses bytes.
pub fn write_to<W: Write>(plan: &Plan, sink: W) -> Result<W, SynthError> {
    stream(plan, sink, &ProgressBar::hidden()).map_err(|source| SynthError::Container {
        what: plan.recipe().origin.clone(),
        source,
    })
}

/// Writes the model to a file at `path`.
///
/// The bytes go to a temporary file in the same folder, which takes the name `path` when it is
/// whole. A run that ends early removes it, and after one that was killed the next one does; there is
/// never a half file at `path`. Progress of a large file is shown on stderr if that is a terminal.
///
/// # Errors
///
/// [`SynthError::Exists`], [`SynthError::Create`], or [`SynthError::Container`] if the disk refuses
/// bytes.
pub fn create(plan: &Plan, path: &Path, existing: Existing) -> Result<Written, SynthError> {
    write_file(plan, Destination::at(path, existing)?)
}

/// Writes the model to where it was promised, as [`create`].
///
/// # Errors
///
/// As [`create`].
pub fn write_file(plan: &Plan, destination: Destination) -> Result<Written, SynthError> {
    let path = destination.path().to_owned();
    let progress = progress(plan);
    let sink = Hashing {
        inner: destination.start()?,
        hasher: Sha256::new(),
        bytes: 0,
    };
    let Hashing {
        inner,
        hasher,
        bytes,
    } = stream(plan, sink, &progress).map_err(|source| SynthError::Container {
        what: path.display().to_string(),
        source,
    })?;
    progress.finish_and_clear();
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

fn stream<W: Write>(plan: &Plan, sink: W, progress: &ProgressBar) -> Result<W, WriteError> {
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

/// A bar on stderr, which indicatif hides where stderr is no terminal.
fn progress(plan: &Plan) -> ProgressBar {
    if plan.file_bytes() < SHOW_PROGRESS_FROM {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(plan.file_bytes()), crate::supervisor::progress());
    match ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}") {
        Ok(style) => bar
            .with_style(style)
            .with_message(printable::line(plan.recipe().name()).into_owned()),
        Err(_) => bar,
    }
}

/// Hashes and counts what it passes on.
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
