//! Cases as JSON: one string for each array, exact to the bit.

use qk256::format::Format;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::case::{ALIGNMENT, Case, Input};

/// Why a record cannot be turned into a case.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field}: {reason}")]
pub struct CaseRecordError {
    /// The first inconsistent field.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

/// A [`Case`] with its arrays as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseRecord {
    /// Format id.
    pub format: String,
    /// Storage variant.
    pub variant: String,
    /// Weight rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// Activation rows.
    pub batch: usize,
    /// Number of threads.
    pub threads: usize,
    /// Offsets in bytes of weights and activations from an alignment of 64.
    pub shift: [usize; 2],
    /// Codes, `rows x cols`, row-major: one digit each.
    pub codes: String,
    /// Bits of the scales: 8 hexadecimal digits each.
    pub scales: String,
    /// int8 activations, `batch x cols`, row-major: 2 hexadecimal digits each.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub activation_codes: Option<String>,
    /// Bits of the f32 activations, `batch x cols`, row-major: 8 hexadecimal digits each.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub activation_values: Option<String>,
}

impl From<&Case> for CaseRecord {
    fn from(case: &Case) -> CaseRecord {
        let (activation_codes, activation_values) = match &case.input {
            Input::Codes(codes) => (
                Some(codes.iter().map(|a| format!("{a:02x}")).collect()),
                None,
            ),
            Input::Values(values) => (None, Some(bits(values))),
        };
        CaseRecord {
            format: case.format.id.into(),
            variant: case.variant.name().into(),
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
        }
    }
}

impl CaseRecord {
    /// Decodes the case.
    ///
    /// # Errors
    ///
    /// [`CaseRecordError`] with the first inconsistent field.
    pub fn case(&self) -> Result<Case, CaseRecordError> {
        let wrong = |field, reason: String| CaseRecordError { field, reason };
        let format = Format::by_id(&self.format)
            .ok_or_else(|| wrong("format", format!("there is no `{}`", self.format)))?;
        let variant = format
            .variants
            .iter()
            .find(|variant| variant.name() == self.variant);
        let variant = *variant.ok_or_else(|| {
            wrong(
                "storage variant",
                format!("{} has no `{}`", format.id, self.variant),
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
            variant,
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

/// Splits the text into numbers of `digits` hexadecimal digits each.
fn words(text: &str, digits: usize) -> Option<Vec<u32>> {
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) || !text.len().is_multiple_of(digits) {
        return None;
    }
    let word = |at: usize| u32::from_str_radix(&text[at..at + digits], 16).ok();
    (0..text.len()).step_by(digits).map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> Case {
        Case {
            format: &qk256::format::I2_S_GROUP128,
            variant: qk256::format::I2_S_GROUP128.native_variant(),
            rows: 1,
            cols: 128,
            batch: 1,
            threads: 1,
            shift: [0, 0],
            codes: vec![2; 128],
            scales: vec![0.5],
            input: Input::Values(vec![1.0; 128]),
        }
    }

    #[test]
    fn inconsistent_records_are_refused_with_the_field() {
        let good = CaseRecord::from(&case());
        assert_eq!(good.case().as_ref(), Ok(&case()));
        let refused = |change: fn(&mut CaseRecord)| {
            let mut broken = good.clone();
            change(&mut broken);
            broken.case().unwrap_err().to_string()
        };
        assert!(refused(|r| r.format = "i9_s".into()).contains("i9_s"));
        assert!(refused(|r| r.variant = "vanilla".into()).contains("vanilla"));
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
