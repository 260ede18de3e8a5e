//! A finding: one difference with the data that reproduces it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::case::Case;
use crate::case_record::CaseRecord;
use crate::cause::Cause;
use crate::measure::Measures;
use crate::rerun::Rerun;
use crate::verdict::Attribution;

/// A number that an implementation computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// The number in decimal, or a description if there is no number.
    pub value: String,
    /// The bits in hexadecimal, if it is a number.
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

/// A difference between a candidate and an oracle. The enclosing outcome names both and the level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// What was computed: a tensor of the model, or a generated case.
    pub subject: String,
    /// Location of the first difference, such as a row, a weight or a position.
    pub place: String,
    /// Value of the oracle.
    pub expected: Observed,
    /// Value of the candidate.
    pub actual: Observed,
    /// Value of the reference model, if it was computed.
    pub truth: Option<f64>,
    /// Which of both is wrong.
    pub attribution: Attribution,
    /// The node of the model's graph, if the difference is in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeFinding>,
    /// The cause, if the evidence shows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The command that reproduces the difference.
    pub reproduce: Rerun,
    /// The smallest reproducing input found, for `harness replay`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<CaseRecord>,
    /// The original input, before it is shrunk. Not part of receipts.
    #[serde(skip)]
    pub case: Option<Case>,
}

impl Finding {
    /// A finding without an attribution and a cause.
    pub fn new(
        subject: impl Into<String>,
        place: impl Into<String>,
        expected: Observed,
        actual: Observed,
        reproduce: &Rerun,
    ) -> Finding {
        Finding {
            subject: subject.into(),
            place: place.into(),
            expected,
            actual,
            truth: None,
            attribution: Attribution::Unjudged,
            node: None,
            cause: None,
            reproduce: reproduce.clone(),
            input: None,
            case: None,
        }
    }
}

/// A node of a model's graph that differs, and its inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeFinding {
    /// Name in the oracle, such as `kq-3`.
    pub name: String,
    /// Occurrence of this name in the same decode, from 0.
    pub occurrence: usize,
    /// Index of the decode: 0 for the prefill.
    pub decode: usize,
    /// Layer number in the name, from 0.
    pub layer: Option<usize>,
    /// The operation, if the oracle reports it.
    pub op: Option<String>,
    /// Difference of the node between candidate and oracle. Without comparisons if one of them lacks the node.
    pub measures: Measures,
    /// The inputs, with views, copies and unnamed tensors replaced by their sources.
    pub inputs: Vec<NodeInput>,
    /// Whether the operation itself is wrong: all inputs are known and agree.
    pub op_attributed: bool,
}

/// An input of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeInput {
    /// Its name.
    pub name: String,
    /// Occurrence of this name in the same decode, from 0, if the input is a node.
    pub occurrence: Option<usize>,
    /// Whether candidate and oracle agree on it.
    pub agreement: Agreement,
}

/// Whether candidate and oracle agree on an input of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// A node with the same bits in both.
    Identical,
    /// A node that differs or that one of them lacks.
    Differs,
    /// A leaf of the graph, which both take from the same file or the same tokens.
    Given,
}

impl Agreement {
    /// Stable name used in reports and receipts.
    pub const fn name(self) -> &'static str {
        match self {
            Agreement::Identical => "identical",
            Agreement::Differs => "differs",
            Agreement::Given => "given",
        }
    }
}
