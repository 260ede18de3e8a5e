//! The section with the results of random cases.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use serde_json::Value;

use super::Contents;
use super::shards::Shards;
use crate::finding::Finding;
use crate::fuzz::{Case, Difference, Summary};
use crate::levels::Level;
use crate::outcome::Omission;
use crate::receipt::error::MergeError;
use crate::receipt::figures;
use crate::receipt::run::{Run, Section};
use crate::receipt::validation::{At, ValidationError};
use crate::rerun::Rerun;
use crate::shard::Shard;
use crate::verdict::Verdict;

/// Results of a fuzz campaign.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FuzzSection {
    /// Parameters that repeat the run.
    pub parameters: FuzzParameters,
    /// The shards that the section has.
    pub shards: Shards,
    /// `divergent` if there is a finding, `skipped` if nothing was compared.
    pub verdict: Verdict,
    /// Number of cases.
    pub cases: u64,
    /// Number of compared blocks.
    pub comparisons: u64,
    /// Number of results of oracles that a known divergence explains.
    pub known_divergences: u64,
    /// Counts of each shard, in ascending order.
    pub parts: Vec<FuzzPart>,
    /// Differences, sorted by case.
    pub findings: Vec<FuzzFinding>,
    /// Oracles and kernels that the machine of the run cannot run.
    pub omitted: Vec<Omission>,
}

/// Parameters that repeat a fuzz campaign.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FuzzParameters {
    /// Seed of all cases.
    pub seed: u64,
    /// Index of the first case.
    pub start: u64,
    /// Requested number of cases of each shard.
    pub cases: Option<u64>,
    /// Requested duration of each shard in seconds.
    pub seconds: Option<f64>,
    /// Requested oracles. If empty, all that can run.
    pub oracles: Vec<String>,
    /// Requested kernels. If empty, all that can run.
    pub kernels: Vec<String>,
}

/// Counts of one shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FuzzPart {
    /// Number of the shard, from 1.
    pub shard: u64,
    /// Number of cases.
    pub cases: u64,
    /// Number of compared blocks.
    pub comparisons: u64,
    /// Number of results of oracles that a known divergence explains.
    pub known_divergences: u64,
}

/// A difference between two implementations, with the smallest case found that shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FuzzFinding {
    /// Index of the original case, before it was shrunk.
    pub case: u64,
    /// Id of the candidate.
    pub candidate: String,
    /// Id of the reference.
    pub reference: String,
    /// The difference.
    pub finding: Finding,
}

impl FuzzSection {
    /// Creates the section of a campaign of one shard. `files` are the paths of the findings, in the same order.
    pub fn new(
        parameters: FuzzParameters,
        shard: Shard,
        summary: &Summary,
        files: &[PathBuf],
        omitted: Vec<Omission>,
    ) -> FuzzSection {
        let finding = |((case, _, difference), file): (&(u64, Case, Difference), &PathBuf)| {
            let mut finding = difference.finding.clone();
            finding.reproduce = Rerun::Replay {
                file: file.display().to_string(),
            };
            FuzzFinding {
                case: *case,
                candidate: difference.candidate.clone(),
                reference: difference.reference.clone(),
                finding,
            }
        };
        let mut findings: Vec<FuzzFinding> =
            summary.findings.iter().zip(files).map(finding).collect();
        findings.sort_by(|a, b| a.order().cmp(&b.order()));
        let mut section = FuzzSection {
            parameters,
            shards: shard.into(),
            verdict: Verdict::Skipped,
            cases: 0,
            comparisons: 0,
            known_divergences: 0,
            parts: vec![FuzzPart {
                shard: shard.index,
                cases: summary.cases,
                comparisons: summary.comparisons,
                known_divergences: summary.known,
            }],
            findings,
            omitted,
        };
        section.derive(&[]);
        section
    }
}

impl FuzzFinding {
    /// The key by which findings are sorted.
    pub fn order(&self) -> (u64, &str, &str) {
        (self.case, &self.candidate, &self.reference)
    }
}

impl Contents for FuzzSection {
    fn section(&self) -> Section {
        Section::Fuzz
    }

    fn shards(&self) -> Shards {
        self.shards.clone()
    }

    fn parameters(&self) -> Value {
        super::json(&self.parameters)
    }

    fn verdict(&self) -> Verdict {
        self.verdict
    }

    fn comparisons(&self) -> u64 {
        self.comparisons
    }

    fn omissions(&self) -> Vec<(Option<Level>, &Omission)> {
        super::without_level(&self.omitted)
    }

    fn derive(&mut self, _runs: &[&Run]) {
        let sum = |of: fn(&FuzzPart) -> u64| {
            let parts = self.parts.iter().map(of);
            parts.fold(0, u64::saturating_add)
        };
        self.cases = sum(|part| part.cases);
        self.comparisons = sum(|part| part.comparisons);
        self.known_divergences = sum(|part| part.known_divergences);
        self.shards.held = self.parts.iter().map(|part| part.shard).collect();
        self.verdict = match (self.findings.len(), self.comparisons) {
            (1.., _) => Verdict::Divergent,
            (0, 0) => Verdict::Skipped,
            (0, _) => Verdict::Exact,
        };
    }

    fn unite(&mut self, other: FuzzSection) -> Result<(), MergeError> {
        self.parts.extend(other.parts);
        self.parts.sort_by_key(|part| part.shard);
        self.findings.extend(other.findings);
        self.findings.sort_by(|a, b| a.order().cmp(&b.order()));
        super::unite_omitted(&mut self.omitted, other.omitted);
        Ok(())
    }

    fn verify(&self, at: &At) -> Result<(), ValidationError> {
        let ordered = self
            .findings
            .windows(2)
            .all(|pair| pair[0].order() <= pair[1].order());
        at.field("findings").require(ordered, "are not in order")?;
        for (i, part) in self.parts.iter().enumerate() {
            let at = at.field("parts").item(i).field("cases");
            let most = self.parameters.cases.unwrap_or(u64::MAX);
            at.require(part.cases <= most, "are more than requested")?;
        }
        for (i, finding) in self.findings.iter().enumerate() {
            let at = at.field("findings").item(i);
            let tried = finding
                .case
                .checked_sub(self.parameters.start)
                .is_some_and(|offset| {
                    let count = self.shards.count.max(1);
                    let of_shard = self
                        .parts
                        .iter()
                        .find(|part| part.shard == offset % count + 1);
                    of_shard.is_some_and(|part| offset / count < part.cases)
                });
            at.field("case")
                .require(tried, "is not among the cases of the shards")?;
            figures::of_finding(&finding.finding, &at.field("finding"))?;
        }
        Ok(())
    }
}
