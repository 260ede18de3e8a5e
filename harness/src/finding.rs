//! A difference, with everything that is needed to believe and to reproduce it.

use serde::{Deserialize, Serialize};

use crate::verdict::Blame;

/// One number as a side gave it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// In decimal, or in words where it is no number.
    pub value: String,
    /// Its bits in hexadecimal, where it is one.
    pub bits: Option<String>,
}

impl From<f32> for Observed {
    fn from(value: f32) -> Self {
        Observed {
            value: format!("{value:?}"),
            bits: Some(format!("{:08x}", value.to_bits())),
        }
    }
}

impl From<i64> for Observed {
    fn from(value: i64) -> Self {
        Observed {
            value: value.to_string(),
            bits: Some(format!("{value:016x}")),
        }
    }
}

impl From<String> for Observed {
    fn from(value: String) -> Self {
        Observed { value, bits: None }
    }
}

/// A difference between a candidate and a reference; which ones, and on which rung, the outcome says that holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What was computed: a tensor of the model, or a generated case.
    pub subject: String,
    /// Where the first difference is: a row, a weight, a position.
    pub place: String,
    /// What the reference says.
    pub expected: Observed,
    /// What the candidate says.
    pub actual: Observed,
    /// What the arbiter says, where it was asked.
    pub truth: Option<f64>,
    /// Who is wrong.
    pub blame: Blame,
    /// One command that shows it again.
    pub reproduce: String,
}
