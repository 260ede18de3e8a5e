//! A difference, with everything that is needed to believe and to reproduce it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::case::Case;
use crate::case_record::CaseRecord;
use crate::cause::Cause;
use crate::measure::Measures;
use crate::verdict::Blame;

/// One number as a side gave it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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
    /// The node of a model's graph that it was found in, where it was in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeFinding>,
    /// Why, where the evidence shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// One command that shows it again.
    pub reproduce: String,
    /// The smallest input found that shows it, for `harness replay`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<CaseRecord>,
    /// What was multiplied, before it is made smaller; not part of receipts.
    #[serde(skip)]
    pub case: Option<Case>,
}

/// Where in a model's graph a difference is, and what it was computed from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeFinding {
    /// As the reference names it, such as `kq-3`.
    pub name: String,
    /// How often this name came before in the same decode.
    pub occurrence: usize,
    /// Which decode: 0 for the prefill.
    pub decode: usize,
    /// The layer that the name tells.
    pub layer: Option<usize>,
    /// The operation, where the reference tells.
    pub op: Option<String>,
    /// How far both sides are apart in this node. Nothing was compared if one side lacks it.
    pub measures: Measures,
    /// What it was computed from, views, copies and tensors without a name looked through.
    pub inputs: Vec<NodeInput>,
    /// Whether the operation itself is to blame: its inputs are known and agree.
    pub op_blamed: bool,
}

/// An input of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeInput {
    /// Its name.
    pub name: String,
    /// How often this name came before in the same decode, if it is a node itself.
    pub occurrence: Option<usize>,
    /// Whether both sides agree on it.
    pub agreement: Agreement,
}

/// Whether two sides agree on an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// A node with the same bits on both sides.
    Identical,
    /// A node that differs, or that one side lacks.
    Differs,
    /// No node, but a leaf of the graph that both sides take from the same file or the same tokens.
    Given,
}

impl Agreement {
    /// Stable name, as reports and receipts show it.
    pub const fn name(self) -> &'static str {
        match self {
            Agreement::Identical => "identical",
            Agreement::Differs => "differs",
            Agreement::Given => "given",
        }
    }
}
