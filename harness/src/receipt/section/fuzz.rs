//! Random cases.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shards::Shards;
use crate::finding::Finding;
use crate::fuzz::{Case, Difference, Summary};
use crate::shard::Shard;
use crate::verdict::Verdict;

/// What a campaign came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FuzzSection {
    /// What runs it again.
    pub parameters: FuzzParameters,
    /// Which parts of it are here.
    pub shards: Shards,
    /// `divergent` if there is a finding, `skipped` if nothing was compared.
    pub verdict: Verdict,
    /// Cases tried.
    pub cases: u64,
    /// Block comparisons.
    pub comparisons: u64,
    /// Results of oracles that a known divergence explains.
    pub known_divergences: u64,
    /// What each shard did, in ascending order.
    pub parts: Vec<FuzzPart>,
    /// Differences, by case.
    pub findings: Vec<FuzzFinding>,
    /// Oracles and kernels that cannot run where it ran, with reasons.
    pub not_available: Vec<String>,
}

/// What runs a campaign again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FuzzParameters {
    /// Seed of all cases.
    pub seed: u64,
    /// Index of the first case.
    pub start: u64,
    /// Cases that were asked for, of each shard.
    pub cases: Option<u64>,
    /// Seconds that were asked for, of each shard.
    pub seconds: Option<f64>,
    /// Oracles that were asked for; all that can run if none.
    pub oracles: Vec<String>,
    /// Kernels that were asked for; all that can run if none.
    pub kernels: Vec<String>,
}

/// What one shard did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FuzzPart {
    /// Which, counted from 1.
    pub shard: u64,
    /// Cases tried.
    pub cases: u64,
    /// Block comparisons.
    pub comparisons: u64,
    /// Results of oracles that a known divergence explains.
    pub known_divergences: u64,
}

/// A difference between two sides, in the smallest case that shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FuzzFinding {
    /// Index of the case that it was shrunk from.
    pub case: u64,
    /// Id of the candidate.
    pub candidate: String,
    /// Id of the reference.
    pub reference: String,
    /// The difference.
    pub finding: Finding,
}

impl FuzzSection {
    /// What a campaign of one shard came to. `files` are those that its findings were written to.
    pub fn new(
        parameters: FuzzParameters,
        shard: Shard,
        summary: &Summary,
        files: &[PathBuf],
        not_available: Vec<String>,
    ) -> FuzzSection {
        let finding = |((case, _, difference), file): (&(u64, Case, Difference), &PathBuf)| {
            let mut finding = difference.finding.clone();
            finding.reproduce = format!("harness replay {}", file.display());
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
            not_available,
        };
        section.add_up();
        section
    }

    /// Sets the totals by parts and findings.
    pub fn add_up(&mut self) {
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
}

impl FuzzFinding {
    /// The order in which findings stand.
    pub fn order(&self) -> (u64, &str, &str) {
        (self.case, &self.candidate, &self.reference)
    }
}
