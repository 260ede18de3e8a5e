//! Errors of baselines.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::document::BASELINE_VERSION;
use super::file::MOST_BYTES;
use crate::destination::DestinationError;
use crate::receipt::ValidationError;

/// An error in reading, verifying or writing a baseline.
#[derive(Debug, Error)]
pub enum BaselineError {
    /// The file is not a baseline of this version.
    #[error("{path}: {fault}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: BaselineFault,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] DestinationError),
}

/// What is wrong with a file, and what to do about it.
#[derive(Debug, Error)]
pub enum BaselineFault {
    /// The file cannot be read.
    #[error("{0}; `harness baseline accept RECEIPT...` writes a baseline")]
    Read(#[from] io::Error),
    /// The file is longer than any baseline.
    #[error("more than {MOST_BYTES} bytes, which is the maximum for a baseline")]
    TooLong,
    /// The file is not JSON.
    #[error("not JSON, or cut off: {0}; restore it from version control")]
    Syntax(serde_json::Error),
    /// The file is JSON, but not a baseline.
    #[error(
        "not a baseline: it has no `baseline_version`; `harness baseline accept RECEIPT...` writes one"
    )]
    Foreign,
    /// The baseline has another schema version.
    #[error(
        "baseline version {0}, but this harness reads {BASELINE_VERSION}: create it again with `harness baseline accept \
         RECEIPT...`"
    )]
    Version(String),
    /// A field has a wrong type, is missing, unknown, or inconsistent.
    #[error(
        "{0}; restore it from version control, or create it again with `harness baseline accept RECEIPT...`"
    )]
    Invalid(ValidationError),
}
