//! What a candidate and a reference come to on a rung.

use std::fmt;

use qk256::format::Format;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::finding::Finding;
use crate::implementation::{Implementation, SideError};
use crate::measure::{LogitMeasures, Measures, Meter};
use crate::tolerance::NOISE_FACTOR;
use crate::verdict::Verdict;

/// A rung: what is compared.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// What each code means, where each weight sits, where the scale is.
    Lut,
    /// Integer dots of blocks and short rows.
    Block,
    /// f32 products of the tensors of a model.
    Tensor,
    /// Every named intermediate result of a model's forward pass.
    Node,
    /// What a model says: the logits of every position.
    Logits,
}

impl Rung {
    /// Every rung, the lowest first.
    pub const ALL: [Rung; 5] = [
        Rung::Lut,
        Rung::Block,
        Rung::Tensor,
        Rung::Node,
        Rung::Logits,
    ];

    /// The rungs that compare kernels.
    pub const OF_KERNELS: [Rung; 3] = [Rung::Lut, Rung::Block, Rung::Tensor];

    /// The rungs that run a model.
    pub const OF_MODELS: [Rung; 2] = [Rung::Node, Rung::Logits];

    /// Stable name, as the command line, tables and receipts show it.
    pub const fn name(self) -> &'static str {
        match self {
            Rung::Lut => "lut",
            Rung::Block => "block",
            Rung::Tensor => "tensor",
            Rung::Node => "node",
            Rung::Logits => "logits",
        }
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What one candidate and one reference came to on one rung.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Rung.
    pub rung: Rung,
    /// Format id of the candidate, where it is a kernel.
    pub format: Option<String>,
    /// Id of the candidate.
    pub candidate: String,
    /// Id of the reference.
    pub reference: String,
    /// Verdict.
    pub verdict: Verdict,
    /// How far they are apart.
    pub measures: Measures,
    /// How far this reference and the first one are apart on the same work, where both are.
    pub noise_floor: Option<Measures>,
    /// The first differences, at most [`MAX_FINDINGS`].
    pub findings: Vec<Finding>,
    /// On rungs that run the model, who put the reference's graph together: llama.cpp, or what stands in where
    /// it has no graph for the architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<String>,
    /// On the node rung, what each kind of node came to, in the order of computation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeSummary>,
    /// On the logits rung, what only logits have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logits: Option<LogitComparison>,
    /// Why nothing, or not everything, was compared.
    pub skipped: Option<String>,
}

impl Outcome {
    /// Whether the pair must be identical. Against another build of the reference than the first, products may be
    /// as far off as the builds are from each other.
    pub fn held_to_identity(&self) -> bool {
        self.noise_floor.is_none()
    }

    /// The verdict that follows from measures and noise floor.
    pub fn follows(&self) -> Verdict {
        verdict(&self.measures, self.noise_floor.as_ref())
    }
}

/// The nodes of one kind, those of all layers and decodes. Nodes of the same name that belong to no layer are a kind of
/// their own: what normalises the output is no part of a layer, though each layer may have a node of that name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeSummary {
    /// The name without the layer, such as `attn_norm`.
    pub kind: String,
    /// The operation, where the reference tells.
    pub op: Option<String>,
    /// How many there were.
    pub nodes: u64,
    /// How many of them were identical.
    pub identical: u64,
    /// How many one side lacked.
    pub lacking: u64,
    /// How far the values are apart.
    pub measures: Measures,
    /// What each layer came to, in ascending order; empty if the nodes belong to no layer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerSummary>,
}

/// The nodes of one kind in one layer, those of all decodes: of [`Measures`] what shows where a difference begins and
/// how it grows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LayerSummary {
    /// Number of the layer, from 0.
    pub layer: usize,
    /// Pairs of values that were compared.
    pub comparisons: u64,
    /// Pairs that are not identical.
    pub mismatches: u64,
    /// Pairs of which one side is NaN or infinite and the other is not the same.
    pub non_finite: u64,
    /// Normalised mean square error of the layer, where it has a finite value.
    pub nmse: Option<f64>,
    /// Largest distance in units in the last place.
    pub max_ulp: u64,
}

impl LayerSummary {
    /// What is kept of the measures of a layer.
    pub fn new(layer: usize, measures: &Measures) -> LayerSummary {
        LayerSummary {
            layer,
            comparisons: measures.comparisons,
            mismatches: measures.mismatches,
            non_finite: measures.non_finite,
            nmse: measures.nmse,
            max_ulp: measures.max_ulp,
        }
    }
}

/// How far two sides' opinions of the next token are apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogitComparison {
    /// Candidate against reference.
    pub measures: LogitMeasures,
    /// First reference against this one, where both are.
    pub noise_floor: Option<LogitMeasures>,
}

/// How many findings an outcome keeps; the measures count all of them.
pub const MAX_FINDINGS: usize = 4;

/// Collects what a pair comes to.
pub(crate) struct Tally {
    /// What is known so far; measures and verdict come last.
    pub(crate) outcome: Outcome,
    /// Candidate against reference.
    pub(crate) meter: Meter,
    /// First reference against this one.
    pub(crate) floor: Option<Meter>,
}

impl Tally {
    /// Nothing yet, of a kernel of this format.
    pub(crate) fn of_kernel(
        rung: Rung,
        format: &Format,
        candidate: &dyn Implementation,
        reference: &str,
    ) -> Tally {
        let mut tally = Tally::new(rung, candidate.id(), reference);
        tally.outcome.format = Some(format.id.into());
        tally
    }

    /// Nothing yet, of two sides by their ids.
    pub(crate) fn new(rung: Rung, candidate: &str, reference: &str) -> Tally {
        Tally {
            outcome: Outcome {
                rung,
                format: None,
                candidate: candidate.into(),
                reference: reference.into(),
                verdict: Verdict::Skipped,
                measures: Measures::default(),
                noise_floor: None,
                findings: Vec::new(),
                graph: None,
                nodes: Vec::new(),
                logits: None,
                skipped: None,
            },
            meter: Meter::default(),
            floor: None,
        }
    }

    /// Whether another finding would be kept.
    pub(crate) fn wants_finding(&self) -> bool {
        self.outcome.findings.len() < MAX_FINDINGS
    }

    /// Whether nothing was compared.
    pub(crate) fn is_empty(&self) -> bool {
        self.meter.measures().comparisons == 0
    }

    /// Whether nothing was compared and nothing was skipped.
    pub(crate) fn is_untouched(&self) -> bool {
        self.is_empty() && self.outcome.skipped.is_none()
    }

    /// Adds what another tally of the same pair has collected, as if it came after.
    pub(crate) fn absorb(&mut self, other: Tally) {
        self.meter.merge(&other.meter);
        if let Some(floor) = &other.floor {
            self.floor.get_or_insert_default().merge(floor);
        }
        let room = MAX_FINDINGS - self.outcome.findings.len();
        self.outcome
            .findings
            .extend(other.outcome.findings.into_iter().take(room));
        self.outcome.skipped = self.outcome.skipped.take().or(other.outcome.skipped);
    }

    /// Keeps a finding.
    pub(crate) fn find(&mut self, finding: Finding) {
        self.outcome.findings.push(finding);
    }

    /// Notes the first reason for not comparing everything.
    pub(crate) fn skip(&mut self, reason: String) {
        self.outcome.skipped.get_or_insert(reason);
    }

    /// A side that gave no answer: undefined is a skip, a failure of the candidate is a divergence.
    pub(crate) fn refuse(&mut self, error: &SideError) {
        if matches!(error, SideError::Failed { .. }) {
            self.meter.add_same(false);
        }
        self.skip(error.to_string());
    }

    pub(crate) fn finish(mut self) -> Outcome {
        let measures = self.meter.measures();
        let floor = self.floor.map(|floor| floor.measures());
        self.outcome.verdict = verdict(&measures, floor.as_ref());
        self.outcome.measures = measures;
        self.outcome.noise_floor = floor;
        self.outcome
    }
}

/// Identical is exact; otherwise the distance must lie within the noise floor in every measure.
fn verdict(measures: &Measures, floor: Option<&Measures>) -> Verdict {
    let within = |floor: &Measures| {
        measures.non_finite == 0
            && measures.max_abs <= NOISE_FACTOR * floor.max_abs
            && measures.rmse <= NOISE_FACTOR * floor.rmse
    };
    match (measures.comparisons, measures.mismatches) {
        (0, _) => Verdict::Skipped,
        (_, 0) => Verdict::Exact,
        _ if floor.is_some_and(within) => Verdict::WithinNoiseFloor,
        _ => Verdict::Divergent,
    }
}
