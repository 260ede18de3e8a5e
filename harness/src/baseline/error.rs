//! Errors of baselines.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::document::BASELINE_VERSION;
use crate::destination::DestinationError;
use crate::receipt::ValidationError;

/// An error in reading, verifying or writing a baseline.
#[derive(Debug, Error)]
pub enum BaselineError {
    /// The file cannot be read.
    #[error("{path}: {source}; `harness baseline accept RECEIPT...` writes a baseline")]
    Read {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The file is longer than any baseline.
    #[error("{path}: more than {most} bytes, which is the maximum for a baseline")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The limit.
        most: u64,
    },
    /// The file is not JSON.
    #[error("{path}: not JSON, or cut off: {source}; restore it from version control")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line and column.
        source: serde_json::Error,
    },
    /// The file is JSON, but not a baseline.
    #[error(
        "{path}: not a baseline: it has no `baseline_version`; `harness baseline accept RECEIPT...` writes one"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The baseline has another schema version.
    #[error(
        "{path}: baseline version {found}, but this harness reads {BASELINE_VERSION}: create it again with `harness \
         baseline accept RECEIPT...`"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: String,
    },
    /// A field has a wrong type, is missing, unknown, or inconsistent.
    #[error(
        "{path}: {validation_error}; restore it from version control, or create it again with `harness baseline accept \
         RECEIPT...`"
    )]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The field and what is wrong with it.
        validation_error: ValidationError,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] DestinationError),
}
