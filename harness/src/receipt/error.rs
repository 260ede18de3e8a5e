//! Why there is no receipt.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::document::SCHEMA_VERSION;
use super::flaw::Flaw;
use crate::destination::DestinationError;

/// Why a receipt cannot be written, read or believed.
#[derive(Debug, Error)]
pub enum ReceiptError {
    /// Nobody knows what was built.
    #[error(
        "this program does not know the commit that it was built from, without which no receipt is written: build it \
         inside its git repository, or with HARNESS_COMMIT set to the full hash"
    )]
    CommitUnknown,
    /// A figure would be lost.
    #[error(
        "{path}: not written: {flaw}, a figure that JSON cannot hold; this is an error of the harness"
    )]
    NotANumber {
        /// The file.
        path: PathBuf,
        /// Where.
        flaw: Flaw,
    },
    /// The run made a receipt that nobody would believe.
    #[error("{path}: not written: {flaw}; this is an error of the harness, please report it")]
    Unsound {
        /// The file.
        path: PathBuf,
        /// Where, and what.
        flaw: Flaw,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] DestinationError),
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is longer than any receipt.
    #[error("{path}: {bytes} bytes are no receipt; at most {most} are read")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
        /// The limit.
        most: u64,
    },
    /// The file is no JSON.
    #[error("{path}: no JSON, or cut off: {source}; copy it again, or repeat the run")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line and column.
        source: serde_json::Error,
    },
    /// The file is JSON of something else.
    #[error(
        "{path}: no receipt of this harness: it has no `{lacks}`; receipts are made with `--receipt FILE`"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What every receipt has.
        lacks: &'static str,
    },
    /// The receipt is of another time.
    #[error(
        "{path}: schema version {found} is {when}; this harness reads {SCHEMA_VERSION}: {remedy}"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: String,
        /// Older or newer.
        when: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A field is not of its type, is missing, or should not be there.
    #[error("{path}: {field}: {reason}; the receipt was edited or damaged: repeat the run")]
    Field {
        /// The file.
        path: PathBuf,
        /// The field, with its parents.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The receipt contradicts itself.
    #[error("{path}: {flaw}; the receipt was edited or damaged: repeat the run")]
    Flawed {
        /// The file.
        path: PathBuf,
        /// Where, and what.
        flaw: Flaw,
    },
}
