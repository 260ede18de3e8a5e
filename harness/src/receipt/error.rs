//! Errors of receipts.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::document::SCHEMA_VERSION;
use super::validation::ValidationError;
use crate::destination::DestinationError;

/// An error in writing, reading or verifying a receipt.
#[derive(Debug, Error)]
pub enum ReceiptError {
    /// The commit of the sources is unknown.
    #[error(
        "the commit that this program was built from is unknown, and a receipt requires it: build the program inside \
         its git repository, or set HARNESS_COMMIT to the full hash"
    )]
    CommitUnknown,
    /// A number is NaN or infinite.
    #[error(
        "{path}: not written: {validation_error}, and JSON cannot represent it; this is an error of the harness"
    )]
    NotANumber {
        /// The file.
        path: PathBuf,
        /// The field.
        validation_error: ValidationError,
    },
    /// The receipt of the run fails its verification.
    #[error(
        "{path}: not written: {validation_error}; this is an error of the harness, please report it"
    )]
    Unsound {
        /// The file.
        path: PathBuf,
        /// The field and what is wrong with it.
        validation_error: ValidationError,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] DestinationError),
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The file is longer than any receipt.
    #[error("{path}: {bytes} bytes, but a receipt has at most {most}")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
        /// The limit.
        most: u64,
    },
    /// The file is not JSON.
    #[error("{path}: not JSON, or cut off: {source}; copy it again, or repeat the run")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line and column.
        source: serde_json::Error,
    },
    /// The file is JSON, but not a receipt.
    #[error(
        "{path}: not a receipt of this harness: it has no `{lacks}`; `--receipt FILE` writes a receipt"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// A field that every receipt has.
        lacks: &'static str,
    },
    /// The receipt has another schema version.
    #[error(
        "{path}: schema version {found}, but this harness reads {SCHEMA_VERSION}: {origin}: {remedy}"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: String,
        /// Whether an older or a newer version wrote it.
        origin: &'static str,
        /// What the user can do.
        remedy: &'static str,
    },
    /// A field has a wrong type, is missing, or is unknown.
    #[error("{path}: {field}: {reason}; the receipt was edited or damaged: repeat the run")]
    Field {
        /// The file.
        path: PathBuf,
        /// The field, with its parents.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The receipt fails its verification.
    #[error("{path}: {validation_error}; the receipt was edited or damaged: repeat the run")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The field and what is wrong with it.
        validation_error: ValidationError,
    },
}
