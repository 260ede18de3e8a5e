//! Errors of receipts.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use thiserror::Error;

use super::document::SCHEMA_VERSION;
use super::file::MOST_BYTES;
use super::run::Section;
use super::validation::ValidationError;
use crate::destination::DestinationError;
use crate::shard::Shard;

/// An error in writing, reading or verifying a receipt.
#[derive(Debug, Error)]
pub enum ReceiptError {
    /// The commit of the sources is unknown.
    #[error(
        "the commit that this program was built from is unknown, and a receipt requires it: build the program inside \
         its git repository, or set HARNESS_COMMIT to the full hash"
    )]
    CommitUnknown,
    /// The file is not a receipt of this version.
    #[error("{path}: {fault}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: ReceiptFault,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] DestinationError),
}

/// What is wrong with a receipt, and what to do about it.
#[derive(Debug, Error)]
pub enum ReceiptFault {
    /// The receipt of the run has a number that is NaN or infinite.
    #[error("not written: {0}, and JSON cannot represent it; this is an error of the harness")]
    NotANumber(ValidationError),
    /// The receipt of the run fails its verification.
    #[error("not written: {0}; this is an error of the harness, please report it")]
    Unsound(ValidationError),
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// The file is longer than any receipt.
    #[error("more than {MOST_BYTES} bytes, which is the maximum for a receipt")]
    TooLong,
    /// The file is not JSON.
    #[error("not JSON, or cut off: {0}; copy it again, or repeat the run")]
    Syntax(serde_json::Error),
    /// The file is JSON, but lacks a field that every receipt has.
    #[error("not a receipt of this harness: it has no `{0}`; `--receipt FILE` writes a receipt")]
    Foreign(&'static str),
    /// The receipt has another schema version.
    #[error("schema version {found}, but this harness reads {SCHEMA_VERSION}: {origin}: {remedy}")]
    Version {
        /// Its version.
        found: String,
        /// Whether an older or a newer version wrote it.
        origin: &'static str,
        /// What the user can do.
        remedy: &'static str,
    },
    /// A field has a wrong type, is missing, unknown, or inconsistent.
    #[error("{0}; the receipt was edited or damaged: repeat the run")]
    Invalid(ValidationError),
}

impl ReceiptFault {
    /// The error that a file has this fault.
    pub(super) fn of(self, path: &Path) -> ReceiptError {
        ReceiptError::File {
            path: path.into(),
            fault: self,
        }
    }
}

/// The reason why two receipts cannot be merged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MergeError {
    /// They differ in something that must be the same.
    #[error("they differ in {what}: {values}; merge only receipts of the same work")]
    Different {
        /// What differs.
        what: String,
        /// Its values in both receipts.
        values: String,
    },
    /// They contain the same work.
    #[error("both contain {section} {shard}; omit one of them")]
    Overlap {
        /// The section.
        section: Section,
        /// The shard of the section.
        shard: Shard,
    },
}

/// Returns an error unless both values are equal. It names the first field that differs.
///
/// # Errors
///
/// [`MergeError::Different`].
pub(super) fn same<T: PartialEq + Serialize>(
    what: &str,
    left: &T,
    right: &T,
) -> Result<(), MergeError> {
    if left == right {
        return Ok(());
    }
    let json = |value: &T| serde_json::to_value(value).unwrap_or_default();
    let words = |left: &str, right: &str| format!("{left} and {right}");
    let difference = ValidationError::between(&json(left), &json(right), &words);
    let values = difference.map_or("a number that is not finite".into(), |difference| {
        let ValidationError { at, what } = difference;
        if at.is_empty() {
            what
        } else {
            format!("{at}: {what}")
        }
    });
    let what = what.into();
    Err(MergeError::Different { what, values })
}
