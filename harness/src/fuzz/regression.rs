//! A case as a file: one line for each of its arrays, exact to the bit.

use std::io;
use std::path::{Path, PathBuf};

use qk256::format::Format;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::case::{ALIGNMENT, Case, Input};
use super::trial::Difference;
use crate::finding::Finding;

/// Longest file that is read: another file by mistake must not fill the memory.
const MOST_BYTES: u64 = 16 << 20;

/// Why a file holds no case.
#[derive(Debug, Error)]
pub enum RegressionError {
    /// It cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It is no JSON of a case.
    #[error("{path}: {source}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where, and what was expected.
        source: serde_json::Error,
    },
    /// A field does not mean anything here.
    #[error("{path}: {field}: {reason}")]
    Field {
        /// The file.
        path: PathBuf,
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// A file of `corpus/regressions`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regression {
    /// What it shows, in words.
    pub story: String,
    /// Format id.
    pub format: String,
    /// Flavour.
    pub flavour: String,
    /// Weight rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// Activation rows.
    pub batch: usize,
    /// Threads.
    pub threads: usize,
    /// Bytes by which weights and activations lie beyond an alignment of 64.
    pub shift: [usize; 2],
    /// A digit for each code.
    pub codes: String,
    /// The bits of each scale: 8 hexadecimal digits.
    pub scales: String,
    /// int8 activations: 2 hexadecimal digits each.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub activation_codes: Option<String>,
    /// The bits of f32 activations: 8 hexadecimal digits each.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub activation_values: Option<String>,
    /// The candidate that failed, the reference, and the difference, when it was found.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub found: Option<Found>,
}

/// The difference for which a file was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Id of the candidate.
    pub candidate: String,
    /// Id of the reference.
    pub reference: String,
    /// The difference.
    pub finding: Finding,
}

impl Regression {
    /// The file of a case.
    pub fn new(story: String, case: &Case, found: Option<&Difference>) -> Regression {
        let (activation_codes, activation_values) = match &case.input {
            Input::Codes(codes) => (
                Some(codes.iter().map(|a| format!("{a:02x}")).collect()),
                None,
            ),
            Input::Values(values) => (None, Some(bits(values))),
        };
        Regression {
            story,
            format: case.format.id.into(),
            flavour: case.flavour.name().into(),
            rows: case.rows,
            cols: case.cols,
            batch: case.batch,
            threads: case.threads,
            shift: case.shift,
            codes: case
                .codes
                .iter()
                .map(|&code| char::from(b'0' + code))
                .collect(),
            scales: bits(&case.scales),
            activation_codes,
            activation_values,
            found: found.map(|difference| Found {
                candidate: difference.candidate.clone(),
                reference: difference.reference.clone(),
                finding: difference.finding.clone(),
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
        let length = std::fs::metadata(path).map_err(io)?.len();
        if length > MOST_BYTES {
            let kind = io::ErrorKind::FileTooLarge;
            return Err(io(io::Error::new(
                kind,
                format!("more than {MOST_BYTES} bytes"),
            )));
        }
        let text = std::fs::read_to_string(path).map_err(io)?;
        serde_json::from_str(&text).map_err(|source| RegressionError::Syntax {
            path: path.into(),
            source,
        })
    }

    /// Writes the file into `folder`, which is made if it is not there, under a name of format, operation and content.
    ///
    /// # Errors
    ///
    /// [`RegressionError::Io`].
    pub fn write(&self, folder: &Path) -> Result<PathBuf, RegressionError> {
        let text = serde_json::to_string_pretty(self).expect("text and numbers become JSON") + "\n";
        let hash = text.bytes().fold(0x811c_9dc5u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        let operation = if self.activation_codes.is_some() {
            "dots"
        } else {
            "products"
        };
        let path = folder.join(format!("{}-{operation}-{hash:08x}.json", self.format));
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|source| RegressionError::Io {
                path: path.clone(),
                source,
            })?;
        Ok(path)
    }

    /// The case in the file that was read from `path`.
    ///
    /// # Errors
    ///
    /// [`RegressionError::Field`] with the first field that does not fit the others.
    pub fn case(&self, path: &Path) -> Result<Case, RegressionError> {
        let wrong = |field, reason: String| RegressionError::Field {
            path: path.into(),
            field,
            reason,
        };
        let format = Format::by_id(&self.format)
            .ok_or_else(|| wrong("format", format!("there is no `{}`", self.format)))?;
        let flavour = format
            .flavours
            .iter()
            .find(|flavour| flavour.name() == self.flavour);
        let flavour = *flavour.ok_or_else(|| {
            wrong(
                "flavour",
                format!("{} has no `{}`", format.id, self.flavour),
            )
        })?;
        if self.shift.iter().any(|&shift| shift >= ALIGNMENT) {
            return Err(wrong("shift", format!("not below {ALIGNMENT}")));
        }
        if !(1..=64).contains(&self.threads) {
            return Err(wrong("threads", "not between 1 and 64".into()));
        }
        let code = |c: char| c.to_digit(4).map(|digit| digit as u8);
        let codes: Option<Vec<u8>> = self.codes.chars().map(code).collect();
        let input = match (&self.activation_codes, &self.activation_values) {
            (Some(codes), None) => words(codes, 2)
                .map(|words| words.into_iter().map(|word| word as u8 as i8).collect())
                .map(Input::Codes)
                .ok_or_else(|| wrong("activation_codes", "no pairs of digits".into()))?,
            (None, Some(values)) => floats(values)
                .map(Input::Values)
                .ok_or_else(|| wrong("activation_values", "no eights of digits".into()))?,
            _ => {
                let reason = "exactly one of activation_codes and activation_values is needed";
                return Err(wrong("activation_codes", reason.into()));
            }
        };
        let case = Case {
            format,
            flavour,
            rows: self.rows,
            cols: self.cols,
            batch: self.batch,
            threads: self.threads,
            shift: self.shift,
            codes: codes.ok_or_else(|| wrong("codes", "a digit is not below 4".into()))?,
            scales: floats(&self.scales)
                .ok_or_else(|| wrong("scales", "no eights of digits".into()))?,
            input,
        };
        case.pack()
            .map_err(|error| wrong("codes", error.to_string()))?;
        Ok(case)
    }
}

fn bits(values: &[f32]) -> String {
    values
        .iter()
        .map(|value| format!("{:08x}", value.to_bits()))
        .collect()
}

fn floats(text: &str) -> Option<Vec<f32>> {
    Some(words(text, 8)?.into_iter().map(f32::from_bits).collect())
}

/// Numbers of `digits` hexadecimal digits each.
fn words(text: &str, digits: usize) -> Option<Vec<u32>> {
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) || !text.len().is_multiple_of(digits) {
        return None;
    }
    let word = |at: usize| u32::from_str_radix(&text[at..at + digits], 16).ok();
    (0..text.len()).step_by(digits).map(word).collect()
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
            // As text with bits, since a NaN does not equal itself.
            let text = |case: &Case| {
                let values = match &case.input {
                    Input::Values(values) => bits(values),
                    Input::Codes(_) => String::new(),
                };
                format!("{case:?} {} {values}", bits(&case.scales))
            };
            assert_eq!(text(&read), text(&case));
        }
    }

    #[test]
    fn broken_files_are_refused_by_field() {
        let case = Draft::of(5, 1).case(&all_formats()).unwrap();
        let good = Regression::new(String::new(), &case, None);
        let refused = |change: fn(&mut Regression)| {
            let mut broken = good.clone();
            change(&mut broken);
            broken.case(Path::new("x.json")).unwrap_err().to_string()
        };
        assert!(refused(|r| r.format = "i9_s".into()).contains("i9_s"));
        assert!(refused(|r| r.flavour = "vanilla".into()).contains("vanilla"));
        assert!(refused(|r| r.codes.push('7')).contains("codes"));
        assert!(refused(|r| r.codes.push('1')).contains("codes"));
        assert!(refused(|r| r.rows = 0).contains("codes"));
        assert!(refused(|r| r.batch = usize::MAX).contains("activations"));
        assert!(refused(|r| r.threads = 1 << 40).contains("threads"));
        assert!(refused(|r| r.shift = [64, 0]).contains("shift"));
        assert!(refused(|r| r.scales = "é".into()).contains("scales"));
        assert!(
            refused(|r| r.activation_codes = r.activation_values.take()).contains("activation")
        );
    }
}
