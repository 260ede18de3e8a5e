//! Why there is no baseline.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::document::BASELINE_VERSION;
use crate::destination::DestinationError;
use crate::receipt::Flaw;

/// Why a baseline cannot be read, believed or written.
#[derive(Debug, Error)]
pub enum BaselineError {
    /// The file cannot be read.
    #[error("{path}: {source}; `harness baseline accept RECEIPT...` makes a baseline")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is longer than any baseline.
    #[error("{path}: more than {most} bytes are no baseline")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The limit.
        most: u64,
    },
    /// The file is no JSON.
    #[error("{path}: no JSON, or cut off: {source}; take it from version control again")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line and column.
        source: serde_json::Error,
    },
    /// The file is JSON of something else.
    #[error(
        "{path}: no baseline: it has no `baseline_version`; `harness baseline accept RECEIPT...` makes one"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The baseline is of another time.
    #[error(
        "{path}: baseline version {found}, this harness reads {BASELINE_VERSION}: accept it anew"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: String,
    },
    /// A field is not of its type, is missing, should not be there, or cannot be as it is.
    #[error("{path}: {flaw}; take it from version control again, or accept it anew")]
    Flawed {
        /// The file.
        path: PathBuf,
        /// Where, and what.
        flaw: Flaw,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] DestinationError),
}
