//! Receipts as files.

use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::document::{Receipt, SCHEMA_VERSION, Work};
use super::error::ReceiptError;
use super::flaw::Flaw;
use super::follow;
use super::run::Run;
use super::subject::{ModelInfo, OracleInfo};
use super::verify;
use crate::destination::Destination;
use crate::input;

/// Longest file that is read: another file by mistake must not fill the memory.
pub const MOST_BYTES: u64 = 256 << 20;

impl Receipt {
    /// The sealed receipt of one run.
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
        follow::receipt_of(run, work, model_info, oracles)
    }

    /// Holds the receipt against itself: counts that are possible and add up, verdicts that follow from figures, a
    /// commit that is known, a seal that is whole.
    ///
    /// # Errors
    ///
    /// The first field that cannot be as it is.
    pub fn verify(&self) -> Result<(), Flaw> {
        verify::finite(self)?;
        verify::verify(self)
    }

    /// The hash of the receipt, whatever its seal says.
    pub fn hash(&self) -> String {
        follow::seal(self)
    }

    /// Computes again what follows from facts, and seals.
    pub fn reseal(&mut self) {
        follow::follow(self);
        self.harness.seal = follow::seal(self);
    }

    /// Reads a receipt and verifies it.
    ///
    /// # Errors
    ///
    /// [`ReceiptError`], which names the file.
    pub fn read(path: &Path) -> Result<Receipt, ReceiptError> {
        let io = |source| ReceiptError::Read {
            path: path.into(),
            source,
        };
        let file = input::open(path).map_err(io)?;
        let bytes = file.metadata().map_err(io)?.len();
        if bytes > MOST_BYTES {
            return Err(ReceiptError::TooLong {
                path: path.into(),
                bytes,
                most: MOST_BYTES,
            });
        }
        let mut text = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut text).map_err(io)?;
        Receipt::parse(&text, path)
    }

    /// The receipt in the text of the file at `path`, verified.
    ///
    /// # Errors
    ///
    /// [`ReceiptError`], which names the file.
    pub fn parse(text: &[u8], path: &Path) -> Result<Receipt, ReceiptError> {
        Known::of(text, path)?.require(path)?;
        let mut reader = serde_json::Deserializer::from_slice(text);
        let receipt: Receipt =
            serde_path_to_error::deserialize(&mut reader).map_err(|error| ReceiptError::Field {
                path: path.into(),
                field: error.path().to_string(),
                reason: error.into_inner().to_string(),
            })?;
        // What was read from JSON has no figure that is no number.
        verify::verify(&receipt).map_err(|flaw| ReceiptError::Flawed {
            path: path.into(),
            flaw,
        })?;
        Ok(receipt)
    }

    /// The text of the receipt, to be written to `path`, if it would be believed when it is read.
    ///
    /// # Errors
    ///
    /// [`ReceiptError::NotANumber`] if a figure cannot be written, [`ReceiptError::Unsound`] if the receipt contradicts
    /// itself.
    pub fn to_json(&self, path: &Path) -> Result<String, ReceiptError> {
        verify::finite(self).map_err(|flaw| ReceiptError::NotANumber {
            path: path.into(),
            flaw,
        })?;
        verify::verify(self).map_err(|flaw| ReceiptError::Unsound {
            path: path.into(),
            flaw,
        })?;
        let text = serde_json::to_string_pretty(self).expect("finite receipts become JSON");
        Ok(text + "\n")
    }

    /// Writes the receipt. It is whole in its place, or not there.
    ///
    /// # Errors
    ///
    /// As [`Receipt::to_json`], and [`ReceiptError::Write`].
    pub fn write(&self, path: &Path) -> Result<(), ReceiptError> {
        self.write_to(Destination::replacing(path)?)
    }

    /// Writes the receipt to where it was promised.
    ///
    /// # Errors
    ///
    /// As [`Receipt::write`].
    pub fn write_to(&self, destination: Destination) -> Result<(), ReceiptError> {
        let text = self.to_json(destination.path())?;
        Ok(destination.write_text(&text)?)
    }
}

/// What is looked at before anything else: whether the file is a receipt, and one that can be read.
#[derive(Deserialize)]
struct Known {
    schema_version: Option<String>,
    harness: Option<KnownHarness>,
    /// Receipts of the first version had no object of their own, and are told by another field.
    rungs: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct KnownHarness {
    runs: Option<IgnoredAny>,
}

impl Known {
    fn of(text: &[u8], path: &Path) -> Result<Known, ReceiptError> {
        serde_json::from_slice(text).map_err(|source| {
            let path = path.into();
            if source.is_data() {
                let lacks = "schema_version";
                return ReceiptError::Foreign { path, lacks };
            }
            ReceiptError::Syntax { path, source }
        })
    }

    fn require(&self, path: &Path) -> Result<(), ReceiptError> {
        let foreign = |lacks| ReceiptError::Foreign {
            path: path.into(),
            lacks,
        };
        let version = self.schema_version.as_deref();
        let version = version.ok_or_else(|| foreign("schema_version"))?;
        let runs = self
            .harness
            .as_ref()
            .and_then(|harness| harness.runs.as_ref());
        if runs.is_none() {
            let old = self.rungs.is_some() && version.starts_with("1.");
            return Err(if old {
                unreadable(path, version)
            } else {
                foreign("harness.runs")
            });
        }
        if version == SCHEMA_VERSION {
            Ok(())
        } else {
            Err(unreadable(path, version))
        }
    }
}

fn unreadable(path: &Path, version: &str) -> ReceiptError {
    let numbers = |text: &str| -> Option<Vec<u64>> {
        text.split('.').map(|number| number.parse().ok()).collect()
    };
    let (when, remedy) = match numbers(version) {
        Some(found) if Some(&found) > numbers(SCHEMA_VERSION).as_ref() => {
            ("newer", "use the harness that wrote it, or a newer one")
        }
        Some(_) => ("older", "use the harness that wrote it, or repeat the run"),
        None => ("no version", "repeat the run"),
    };
    ReceiptError::Version {
        path: path.into(),
        found: version.into(),
        when,
        remedy,
    }
}
