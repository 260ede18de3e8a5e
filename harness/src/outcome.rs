//! The outcome of a candidate and an oracle on a level.

use std::fmt;

use qk256::format::Format;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::finding::{Finding, Observed};
use crate::implementation::{Implementation, ImplementationError};
use crate::levels::Level;
use crate::measure::{Counter, LogitMeasures, Measures};
use crate::rerun::Rerun;
use crate::tolerance::NOISE_FACTOR;
use crate::verdict::{Attribution, Verdict};

/// The outcome of one candidate and one oracle on one level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Level.
    pub level: Level,
    /// Format id of the candidate, if it is a kernel.
    pub format: Option<String>,
    /// Id of the candidate.
    pub candidate: String,
    /// Id of the oracle.
    pub reference: String,
    /// Verdict.
    pub verdict: Verdict,
    /// Measures of candidate against oracle.
    pub measures: Measures,
    /// Noise floor: measures of the first oracle against this one on the same inputs, if both exist.
    pub noise_floor: Option<Measures>,
    /// The first findings, at most [`MAX_FINDINGS`].
    pub findings: Vec<Finding>,
    /// On levels that run the model, the code that builds the oracle's graph: llama.cpp, or its substitute if it has no
    /// graph for the architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<String>,
    /// On the node level, a summary of each kind of node, in the order of computation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeSummary>,
    /// On the logits level, the measures of logits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logits: Option<LogitComparison>,
    /// Why nothing or not everything was compared.
    pub omitted: Option<Omission>,
    /// Ids of participants that died or stopped answering. Differences found before that are not evidence of a cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// The system limit that ended one of them, with its last output. No receipt is written for such a run.
    #[serde(skip)]
    pub limit: Option<String>,
}

/// Why something was not compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Omission {
    /// Whether the machine or a participant is the reason.
    pub kind: OmissionKind,
    /// The participant, if the reason concerns only one: its id, or a description such as `oracle llama.cpp/strict`.
    pub who: Option<String>,
    /// The reason as text.
    pub reason: String,
}

impl fmt::Display for Omission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.who {
            Some(who) => write!(f, "{who}: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

/// The kind of reason for an omission.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OmissionKind {
    /// The machine or the run lacks a requirement, such as a CPU feature.
    Skipped,
    /// A participant does not support the comparison.
    Unsupported,
}

impl OmissionKind {
    /// Stable name used in tables and receipts.
    pub const fn name(self) -> &'static str {
        match self {
            OmissionKind::Skipped => "skipped",
            OmissionKind::Unsupported => "unsupported",
        }
    }
}

impl fmt::Display for OmissionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Omission {
    /// An omission because of the machine or the run.
    pub fn skipped(reason: impl Into<String>) -> Omission {
        Omission {
            kind: OmissionKind::Skipped,
            who: None,
            reason: reason.into(),
        }
    }

    /// An omission because a participant does not support the comparison.
    pub fn unsupported(reason: impl Into<String>) -> Omission {
        Omission {
            kind: OmissionKind::Unsupported,
            who: None,
            reason: reason.into(),
        }
    }

    /// The same omission, attributed to one participant.
    #[must_use]
    pub fn of(self, who: impl Into<String>) -> Omission {
        Omission {
            who: Some(who.into()),
            ..self
        }
    }

    /// The verdict if nothing else was compared.
    const fn verdict(&self) -> Verdict {
        match self.kind {
            OmissionKind::Skipped => Verdict::Skipped,
            OmissionKind::Unsupported => Verdict::Unsupported,
        }
    }
}

impl Outcome {
    /// Whether the pair must be identical. Products against another build of the oracle than the first may differ by
    /// the noise floor.
    pub fn held_to_identity(&self) -> bool {
        self.noise_floor.is_none()
    }

    /// Derives the verdict from measures, noise floor and omission.
    ///
    /// Identical results are `exact`. Otherwise every measure of the distance must lie within the noise floor. A model
    /// that was not run to its end does not agree, even if all results until then do.
    pub fn derived_verdict(&self) -> Verdict {
        let Measures {
            comparisons,
            mismatches,
            ..
        } = self.measures;
        let omitted = self.omitted.as_ref().map(Omission::verdict);
        let ended_early = omitted.filter(|_| Level::OF_MODELS.contains(&self.level));
        match (comparisons, mismatches) {
            (0, _) => omitted.unwrap_or(Verdict::Skipped),
            (_, 0) => ended_early.unwrap_or(Verdict::Exact),
            _ if !self.is_within_noise() => Verdict::Divergent,
            _ => ended_early.unwrap_or(Verdict::WithinNoiseFloor),
        }
    }

    /// Whether the distance lies within the noise floor.
    fn is_within_noise(&self) -> bool {
        let floor = self.noise_floor.as_ref();
        floor.is_some_and(|floor| is_within_noise(&self.measures, floor))
    }
}

/// Whether the measures lie within the noise floor. Pairs without a distance never do. Where a sum overflows, another
/// order of additions gives infinity in place of NaN.
pub(crate) fn is_within_noise(measures: &Measures, floor: &Measures) -> bool {
    let within = |distance: Option<f64>, floor: Option<f64>| {
        distance.unwrap_or_default() <= NOISE_FACTOR * floor.unwrap_or_default()
    };
    let Measures {
        non_finite,
        unmeasured,
        max_abs,
        rmse,
        ..
    } = *measures;
    let is_as_finite = non_finite <= floor.non_finite;
    is_as_finite && unmeasured == 0 && within(max_abs, floor.max_abs) && within(rmse, floor.rmse)
}

/// The nodes of one kind in all layers and decodes. Nodes of the same name outside a layer are a kind of their own,
/// because the output normalization may have the name of a node in each layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeSummary {
    /// Name without the layer number, such as `attn_norm`.
    pub kind: String,
    /// The operation, if the oracle reports it.
    pub op: Option<String>,
    /// Number of nodes.
    pub nodes: u64,
    /// Number of identical nodes.
    pub identical: u64,
    /// Number of nodes that one of the two lacks, which is a difference.
    pub lacking: u64,
    /// Number of nodes that one of the two lacks, which is none: another node includes the operation, or graphs of
    /// different vintages are compared.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unmatched: u64,
    /// Measures of the values.
    pub measures: Measures,
    /// A summary of each layer in ascending order. Empty if the nodes belong to no layer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerSummary>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The nodes of one kind in one layer and all decodes, with the [`Measures`] that show where a difference begins and
/// how it grows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LayerSummary {
    /// Index of the layer.
    pub layer: usize,
    /// Number of compared pairs of values.
    pub comparisons: u64,
    /// Number of pairs that are not identical.
    pub mismatches: u64,
    /// Number of pairs in which one value is NaN or infinite and the other is not the same.
    pub non_finite: u64,
    /// Normalised mean square error of the layer, if it is finite.
    pub nmse: Option<f64>,
    /// Largest distance in units in the last place.
    pub max_ulp: Option<u64>,
}

impl LayerSummary {
    /// Selects the measures of a layer.
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

/// Difference of the predictions of the next token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogitComparison {
    /// Measures of candidate against oracle.
    pub measures: LogitMeasures,
    /// First oracle against this one, if both exist.
    pub noise_floor: Option<LogitMeasures>,
}

/// Maximal number of findings in an outcome. The measures count all differences.
pub const MAX_FINDINGS: usize = 4;

/// Accumulates the outcome of a pair.
pub(crate) struct PairAccumulator {
    /// The outcome so far. Measures and verdict are set at the end.
    pub(crate) outcome: Outcome,
    /// Measures of candidate against oracle.
    pub(crate) counter: Counter,
    /// Measures of the first oracle against this one.
    pub(crate) floor: Option<Counter>,
}

impl PairAccumulator {
    /// An empty accumulator for a kernel of this format.
    pub(crate) fn of_kernel(
        level: Level,
        format: &Format,
        candidate: &dyn Implementation,
        reference: &str,
    ) -> PairAccumulator {
        let mut accumulator = PairAccumulator::new(level, candidate.id(), reference);
        accumulator.outcome.format = Some(format.id.into());
        accumulator
    }

    /// An empty accumulator for two implementations, given by their ids.
    pub(crate) fn new(level: Level, candidate: &str, reference: &str) -> PairAccumulator {
        PairAccumulator {
            outcome: Outcome {
                level,
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
                omitted: None,
                lost: Vec::new(),
                limit: None,
            },
            counter: Counter::default(),
            floor: None,
        }
    }

    /// Whether there is room for another finding.
    pub(crate) fn wants_finding(&self) -> bool {
        self.outcome.findings.len() < MAX_FINDINGS
    }

    /// Whether nothing was compared.
    pub(crate) fn is_empty(&self) -> bool {
        self.counter.measures().comparisons == 0
    }

    /// Whether nothing was compared and nothing was omitted.
    pub(crate) fn is_untouched(&self) -> bool {
        self.is_empty() && self.outcome.omitted.is_none()
    }

    /// Appends the contents of another accumulator of the same pair.
    pub(crate) fn absorb(&mut self, other: PairAccumulator) {
        self.counter.merge(&other.counter);
        if let Some(floor) = &other.floor {
            self.floor.get_or_insert_default().merge(floor);
        }
        let room = MAX_FINDINGS - self.outcome.findings.len();
        self.outcome
            .findings
            .extend(other.outcome.findings.into_iter().take(room));
        self.outcome.omitted = self.outcome.omitted.take().or(other.outcome.omitted);
    }

    /// Adds a finding if there is room for it.
    pub(crate) fn find(&mut self, finding: Finding) {
        if self.wants_finding() {
            self.outcome.findings.push(finding);
        }
    }

    /// Records an omission, unless one is recorded already.
    pub(crate) fn omit(&mut self, omission: Omission) {
        self.outcome.omitted.get_or_insert(omission);
    }

    /// Records that participants died or stopped answering, and drops earlier findings. These may be consequences of
    /// the loss, which must be examined first.
    pub(crate) fn lose(&mut self, lost: Vec<String>, finding: Finding) {
        self.counter.add_same(false);
        self.outcome.lost = lost;
        self.outcome.findings = vec![finding];
    }

    /// Records that an implementation returned no result for `subject`. A failure on a supported input is a divergence.
    pub(crate) fn refuse(&mut self, error: &ImplementationError, subject: &str, reproduce: &Rerun) {
        let ImplementationError::Failed { implementation, .. } = error else {
            return self.omit(error.into());
        };
        self.counter.add_same(false);
        let attribution = if *implementation == self.outcome.reference {
            Attribution::ReferenceWrong
        } else {
            Attribution::CandidateWrong
        };
        let answer = |of: &str| {
            let failure = (of == implementation).then(|| error.to_string());
            Observed::from(failure.unwrap_or_else(|| "an answer".into()))
        };
        self.find(Finding {
            attribution,
            ..Finding::new(
                subject,
                "the whole answer",
                answer(&self.outcome.reference),
                answer(&self.outcome.candidate),
                reproduce,
            )
        });
    }

    /// The outcome, with measures, noise floor and verdict.
    pub(crate) fn finish(mut self) -> Outcome {
        self.outcome.measures = self.counter.measures();
        self.outcome.noise_floor = self.floor.map(|floor| floor.measures());
        self.outcome.verdict = self.outcome.derived_verdict();
        self.outcome
    }
}

impl From<&ImplementationError> for Omission {
    /// The omission for an error that is not a failure.
    fn from(error: &ImplementationError) -> Omission {
        match error {
            ImplementationError::Unavailable {
                implementation,
                reason,
            } => Omission::skipped(reason).of(implementation),
            ImplementationError::Undefined {
                implementation,
                reason,
            } => Omission::unsupported(reason).of(implementation),
            ImplementationError::Failed { implementation, .. } => {
                Omission::unsupported(error.to_string()).of(implementation)
            }
        }
    }
}
