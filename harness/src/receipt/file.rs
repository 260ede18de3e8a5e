//! Reads and writes receipts.

use std::ffi::OsStr;
use std::fs::DirEntry;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::derive;
use super::document::{Receipt, SCHEMA_VERSION, Work};
use super::error::{ReceiptError, ReceiptFault};
use super::run::Run;
use super::subject::{ModelInfo, OracleInfo};
use super::validation::{self, ValidationError};
use super::verify;
use crate::destination::Destination;
use crate::input;

/// Maximal length of a receipt in bytes. A wrong path, such as a model file, must not fill the memory.
pub(super) const MOST_BYTES: u64 = 256 << 20;

/// Name of folders that contain inputs of findings and no receipts.
pub const FINDINGS: &str = "findings";

/// The receipts at a path: the path itself, or for a folder every `*.json` in it at any depth, sorted by name, except
/// in folders named [`FINDINGS`].
///
/// # Errors
///
/// [`ReceiptFault::Read`] for the first folder that cannot be read.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, ReceiptError> {
    let mut files = Vec::new();
    if path.is_dir() {
        in_folder(path, &mut files)?;
    } else {
        files.push(path.into());
    }
    Ok(files)
}

fn in_folder(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), ReceiptError> {
    let failed = |error| ReceiptFault::Read(error).of(folder);
    let entries = folder.read_dir().map_err(failed)?;
    let mut entries = entries.collect::<io::Result<Vec<_>>>().map_err(failed)?;
    entries.sort_by_key(DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // Links are not followed, because folders behind them may form a cycle.
        if entry.file_type().map_err(failed)?.is_dir() {
            if entry.file_name() != FINDINGS {
                in_folder(&path, files)?;
            }
        } else if path.extension() == Some(OsStr::new("json")) {
            files.push(path);
        }
    }
    Ok(())
}

impl Receipt {
    /// Creates the receipt of one run, with its digest.
    ///
    /// # Errors
    ///
    /// [`ReceiptError::CommitUnknown`].
    pub fn new(
        run: Run,
        work: Work,
        model_info: Option<ModelInfo>,
        oracles: Vec<OracleInfo>,
    ) -> Result<Receipt, ReceiptError> {
        derive::receipt_of(run, work, model_info, oracles)
    }

    /// Checks the consistency of the receipt: counts are possible and add up, verdicts match the measures, the commit
    /// is known, and the digest matches the contents.
    ///
    /// # Errors
    ///
    /// The first inconsistent field.
    pub fn verify(&self) -> Result<(), ValidationError> {
        verify::verify(self)?;
        verify::finite(self)
    }

    /// Computes the digest of the receipt. The stored digest is ignored.
    pub fn hash(&self) -> String {
        derive::digest(self)
    }

    /// Sets all derived fields and the digest.
    pub fn renew_digest(&mut self) {
        derive::derive(self);
        self.harness.digest = derive::digest(self);
    }

    /// Reads a receipt and verifies it.
    ///
    /// # Errors
    ///
    /// [`ReceiptError`], which contains the path of the file.
    pub fn read(path: &Path) -> Result<Receipt, ReceiptError> {
        let file = input::open(path).map_err(|error| ReceiptFault::Read(error).of(path))?;
        Receipt::read_from(file, path)
    }

    /// Reads a receipt, the contents of the file at `path`, and verifies it.
    ///
    /// # Errors
    ///
    /// As [`Receipt::read`].
    pub fn read_from(reader: impl Read, path: &Path) -> Result<Receipt, ReceiptError> {
        let text = || {
            let mut text = Vec::new();
            match reader.take(MOST_BYTES + 1).read_to_end(&mut text)? as u64 {
                ..=MOST_BYTES => Ok(text),
                _ => Err(ReceiptFault::TooLong),
            }
        };
        let receipt = text().and_then(|text| parsed(&text));
        receipt.map_err(|fault| fault.of(path))
    }

    /// Parses and verifies the receipt in `text`, the contents of the file at `path`.
    ///
    /// # Errors
    ///
    /// As [`Receipt::read`].
    pub fn parse(text: &[u8], path: &Path) -> Result<Receipt, ReceiptError> {
        parsed(text).map_err(|fault| fault.of(path))
    }

    /// Verifies the receipt and converts it to JSON. `path` is used in errors only.
    ///
    /// # Errors
    ///
    /// [`ReceiptFault::NotANumber`] if a number is NaN or infinite, [`ReceiptFault::Unsound`] if the receipt is
    /// inconsistent.
    pub fn to_json(&self, path: &Path) -> Result<String, ReceiptError> {
        verify::verify(self).map_err(|error| ReceiptFault::Unsound(error).of(path))?;
        verify::finite(self).map_err(|error| ReceiptFault::NotANumber(error).of(path))?;
        let text = serde_json::to_string_pretty(self).expect("finite receipts become JSON");
        Ok(text + "\n")
    }

    /// Writes the receipt to a file. The file is written completely or not at all.
    ///
    /// # Errors
    ///
    /// As [`Receipt::to_json`], and [`ReceiptError::Write`].
    pub fn write(&self, path: &Path) -> Result<(), ReceiptError> {
        self.write_to(Destination::replacing(path)?)
    }

    /// Writes the receipt to a reserved destination.
    ///
    /// # Errors
    ///
    /// As [`Receipt::write`].
    pub fn write_to(&self, destination: Destination) -> Result<(), ReceiptError> {
        let text = self.to_json(destination.path())?;
        Ok(destination.write_text(&text)?)
    }
}

/// The fields that identify a receipt and its version. They are read before all others.
#[derive(Deserialize)]
struct Header {
    schema_version: Option<String>,
    harness: Option<HarnessHeader>,
    /// Receipts of version 1 have this field in place of `harness`.
    #[serde(rename = "rungs")]
    of_version_1: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct HarnessHeader {
    runs: Option<IgnoredAny>,
}

fn parsed(text: &[u8]) -> Result<Receipt, ReceiptFault> {
    let header: Header = serde_json::from_slice(text).map_err(|error| match error.is_data() {
        true => ReceiptFault::Foreign("schema_version"),
        false => ReceiptFault::Syntax(error),
    })?;
    header.require_current()?;
    let receipt: Receipt = validation::parsed(text).map_err(ReceiptFault::Invalid)?;
    // All numbers are finite, because JSON has no others.
    verify::verify(&receipt).map_err(ReceiptFault::Invalid)?;
    Ok(receipt)
}

impl Header {
    /// Returns an error unless a receipt of this version has such a header.
    fn require_current(self) -> Result<(), ReceiptFault> {
        let Some(version) = self.schema_version else {
            return Err(ReceiptFault::Foreign("schema_version"));
        };
        let is_old = self.of_version_1.is_some() && version.starts_with("1.");
        match self.harness.and_then(|harness| harness.runs) {
            None if !is_old => Err(ReceiptFault::Foreign("harness.runs")),
            Some(_) if version == SCHEMA_VERSION => Ok(()),
            _ => Err(of_another_version(version)),
        }
    }
}

fn of_another_version(found: String) -> ReceiptFault {
    let numbers = |text: &str| -> Option<Vec<u64>> {
        text.split('.').map(|number| number.parse().ok()).collect()
    };
    let (origin, remedy) = match numbers(&found) {
        Some(found) if Some(&found) > numbers(SCHEMA_VERSION).as_ref() => {
            ("written by a newer version", "use that version")
        }
        Some(_) => ("written by an older version", "run it again"),
        None => ("no version", "run it again"),
    };
    ReceiptFault::Version {
        found,
        origin,
        remedy,
    }
}
