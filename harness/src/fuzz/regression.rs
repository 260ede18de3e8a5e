//! Files with one case.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::trial::Difference;
use crate::case::{Case, DOTS, PRODUCTS};
use crate::case_record::{CaseRecord, CaseRecordError};
use crate::destination::{Destination, DestinationError};
use crate::finding::Finding;
use crate::input;

/// Upper limit of the file size in bytes, so that a wrong file does not fill the memory.
const MOST_BYTES: u64 = 16 << 20;

/// Why a file with a case cannot be read or written.
#[derive(Debug, Error)]
pub enum RegressionError {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] DestinationError),
    /// The file is no JSON of a case.
    #[error("{path}: {source}")]
    Syntax {
        /// Path of the file.
        path: PathBuf,
        /// The position and the expected syntax.
        source: serde_json::Error,
    },
    /// The case in the file is invalid.
    #[error("{path}: {source}")]
    Case {
        /// Path of the file.
        path: PathBuf,
        /// The reason.
        source: CaseRecordError,
    },
}

/// A file of `corpus/regressions`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regression {
    /// Description of what the case shows.
    pub description: String,
    /// The case.
    pub case: CaseRecord,
    /// The difference that was found, with its candidate and oracle.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub found: Option<Found>,
}

/// The difference for which a file was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Id of the candidate.
    pub candidate: String,
    /// Id of the oracle.
    pub reference: String,
    /// The difference.
    pub finding: Finding,
}

impl Regression {
    /// Creates the contents of the file for a case.
    pub fn new(description: String, case: &Case, found: Option<&Difference>) -> Regression {
        Regression {
            description,
            case: case.into(),
            found: found.map(|difference| Found {
                candidate: difference.candidate.clone(),
                reference: difference.reference.clone(),
                // The file itself holds the input.
                finding: Finding {
                    input: None,
                    ..difference.finding.clone()
                },
            }),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`RegressionError`].
    pub fn read(path: &Path) -> Result<Regression, RegressionError> {
        let io = |source| RegressionError::Io {
            path: path.into(),
            source,
        };
        let file = input::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        if length > MOST_BYTES {
            let kind = io::ErrorKind::FileTooLarge;
            return Err(io(io::Error::new(
                kind,
                format!("more than {MOST_BYTES} bytes"),
            )));
        }
        let mut text = String::new();
        let read = file.take(MOST_BYTES).read_to_string(&mut text);
        read.map_err(io)?;
        serde_json::from_str(&text).map_err(|source| RegressionError::Syntax {
            path: path.into(),
            source,
        })
    }

    /// Writes the file to `folder`, which is created if missing. The name consists of format, operation and a hash of
    /// the content.
    ///
    /// # Errors
    ///
    /// [`RegressionError::Io`].
    pub fn write(&self, folder: &Path) -> Result<PathBuf, RegressionError> {
        let text = serde_json::to_string_pretty(self).expect("text and numbers become JSON") + "\n";
        let hash = text.bytes().fold(0x811c_9dc5u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        let operation = if self.case.activation_codes.is_some() {
            DOTS
        } else {
            PRODUCTS
        };
        let path = folder.join(format!("{}-{operation}-{hash:08x}.json", self.case.format));
        std::fs::create_dir_all(folder).map_err(|source| RegressionError::Io {
            path: path.clone(),
            source,
        })?;
        Destination::replacing(&path)?.write_text(&text)?;
        Ok(path)
    }

    /// Decodes the case of a file that was read from `path`.
    ///
    /// # Errors
    ///
    /// [`RegressionError::Case`].
    pub fn case(&self, path: &Path) -> Result<Case, RegressionError> {
        self.case.case().map_err(|source| RegressionError::Case {
            path: path.into(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Draft;
    use super::super::draft::all_formats;
    use super::*;

    #[test]
    fn a_case_survives_its_file_to_the_bit() {
        let folder = tempfile::tempdir().unwrap();
        let formats = all_formats();
        for index in 0..200 {
            let case = Draft::of(5, index).case(&formats).unwrap();
            let path = Regression::new("a case".into(), &case, None)
                .write(folder.path())
                .unwrap();
            let read = Regression::read(&path).unwrap().case(&path).unwrap();
            // Compared as records, because a NaN does not equal itself.
            assert_eq!(CaseRecord::from(&read), CaseRecord::from(&case));
        }
    }
}
