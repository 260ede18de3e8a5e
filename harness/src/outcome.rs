//! What a candidate and a reference come to on a rung.

use std::fmt;

use qk256::format::Format;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::finding::{Finding, Observed};
use crate::implementation::{Implementation, SideError};
use crate::measure::{LogitMeasures, Measures, Meter};
use crate::tolerance::NOISE_FACTOR;
use crate::verdict::{Blame, Verdict};

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
    pub omitted: Option<Omission>,
    /// Ids of participants that died or stopped answering: what was compared before says nothing of a cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// The limit of the system that one of them died of, with its last words. No receipt is written of such a run.
    #[serde(skip)]
    pub limit: Option<String>,
}

/// Why something was not compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Omission {
    /// Whether it is the machine or a participant.
    pub kind: OmissionKind,
    /// Id of the participant that this is about, if it is about one alone.
    pub who: Option<String>,
    /// In words.
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

/// What keeps something from being compared.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OmissionKind {
    /// This machine or this run lacks what it takes, such as a CPU feature.
    Skipped,
    /// A participant does not do this.
    Unsupported,
}

impl OmissionKind {
    /// Stable name, as tables and receipts show it.
    pub const fn name(self) -> &'static str {
        match self {
            OmissionKind::Skipped => "skipped",
            OmissionKind::Unsupported => "unsupported",
        }
    }
}

impl Omission {
    /// Not on this machine, or not in this run.
    pub fn skipped(reason: impl Into<String>) -> Omission {
        Omission {
            kind: OmissionKind::Skipped,
            who: None,
            reason: reason.into(),
        }
    }

    /// Not by this participant.
    pub fn unsupported(reason: impl Into<String>) -> Omission {
        Omission {
            kind: OmissionKind::Unsupported,
            who: None,
            reason: reason.into(),
        }
    }

    /// The same, about this participant alone.
    #[must_use]
    pub fn of(self, who: impl Into<String>) -> Omission {
        Omission {
            who: Some(who.into()),
            ..self
        }
    }

    /// The verdict where nothing else was compared.
    const fn verdict(&self) -> Verdict {
        match self.kind {
            OmissionKind::Skipped => Verdict::Skipped,
            OmissionKind::Unsupported => Verdict::Unsupported,
        }
    }
}

impl Outcome {
    /// Whether the pair must be identical. Against another build of the reference than the first, products may be
    /// as far off as the builds are from each other.
    pub fn held_to_identity(&self) -> bool {
        self.noise_floor.is_none()
    }

    /// The verdict that follows from measures, noise floor and omission.
    ///
    /// Identical is exact; otherwise every measure of the distance must lie within the noise floor. A model that was not
    /// run to its end does not agree, whatever agreed before.
    pub fn follows(&self) -> Verdict {
        let Measures {
            comparisons,
            mismatches,
            ..
        } = self.measures;
        let omitted = self.omitted.as_ref().map(Omission::verdict);
        let ended_early = omitted.filter(|_| Rung::OF_MODELS.contains(&self.rung));
        match (comparisons, mismatches) {
            (0, _) => omitted.unwrap_or(Verdict::Skipped),
            (_, 0) => ended_early.unwrap_or(Verdict::Exact),
            _ if !self.is_within_noise() => Verdict::Divergent,
            _ => ended_early.unwrap_or(Verdict::WithinNoiseFloor),
        }
    }

    /// Whether the distance is no larger than that of two builds of the reference.
    fn is_within_noise(&self) -> bool {
        let floor = self.noise_floor.as_ref();
        floor.is_some_and(|floor| is_within_noise(&self.measures, floor))
    }
}

/// Whether the distance is no larger than that of two builds of the reference. What has no distance is no noise.
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
    non_finite == 0 && unmeasured == 0 && within(max_abs, floor.max_abs) && within(rmse, floor.rmse)
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
    pub max_ulp: Option<u64>,
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
                omitted: None,
                lost: Vec::new(),
                limit: None,
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

    /// Whether nothing was compared and nothing was omitted.
    pub(crate) fn is_untouched(&self) -> bool {
        self.is_empty() && self.outcome.omitted.is_none()
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
        self.outcome.omitted = self.outcome.omitted.take().or(other.outcome.omitted);
    }

    /// Keeps a finding, if there is room for it.
    pub(crate) fn find(&mut self, finding: Finding) {
        if self.wants_finding() {
            self.outcome.findings.push(finding);
        }
    }

    /// Notes the first reason for not comparing everything.
    pub(crate) fn omit(&mut self, omission: Omission) {
        self.outcome.omitted.get_or_insert(omission);
    }

    /// Notes that participants died or stopped answering. What was found before is no longer kept: it may be a
    /// consequence, and the loss is what has to be looked at.
    pub(crate) fn lose(&mut self, lost: Vec<String>, finding: Finding) {
        self.meter.add_same(false);
        self.outcome.lost = lost;
        self.outcome.findings = vec![finding];
    }

    /// Notes that an implementation gave no answer for `subject`. To fail at what it says it can do is a divergence.
    pub(crate) fn refuse(&mut self, error: &SideError, subject: &str, reproduce: &str) {
        let SideError::Failed { side, .. } = error else {
            return self.omit(error.into());
        };
        self.meter.add_same(false);
        let blame = if *side == self.outcome.reference {
            Blame::ReferenceWrong
        } else {
            Blame::CandidateWrong
        };
        let answer = |of: &str| {
            let failure = (of == side).then(|| error.to_string());
            Observed::from(failure.unwrap_or_else(|| "an answer".into()))
        };
        self.find(Finding {
            subject: subject.into(),
            place: "the whole answer".into(),
            expected: answer(&self.outcome.reference),
            actual: answer(&self.outcome.candidate),
            truth: None,
            blame,
            node: None,
            cause: None,
            input: None,
            case: None,
            reproduce: reproduce.into(),
        });
    }

    pub(crate) fn finish(mut self) -> Outcome {
        self.outcome.measures = self.meter.measures();
        self.outcome.noise_floor = self.floor.map(|floor| floor.measures());
        self.outcome.verdict = self.outcome.follows();
        self.outcome
    }
}

impl From<&SideError> for Omission {
    /// What an error means that is no failure.
    fn from(error: &SideError) -> Omission {
        match error {
            SideError::Unavailable { side, reason } => Omission::skipped(reason).of(side),
            SideError::Undefined { side, reason } => Omission::unsupported(reason).of(side),
            SideError::Failed { side, .. } => Omission::unsupported(error.to_string()).of(side),
        }
    }
}
