//! The ladder on a model.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shards::Shards;
use crate::ladder::RungReport;
use crate::outcome::Rung;
use crate::receipt::layouts::LayoutRecord;
use crate::receipt::subject::InferenceInfo;
use crate::verdict::Verdict;

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckSection {
    /// What runs it again.
    pub parameters: CheckParameters,
    /// Which parts of it are here.
    pub shards: Shards,
    /// The first number of the file that is NaN or infinite, if a level that runs the model does not agree and there is
    /// one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_fault: Option<String>,
    /// Verdict over all rungs.
    pub verdict: Verdict,
    /// What each rung came to.
    pub rungs: Vec<RungReport>,
    /// Of a check that was merged, what each shard found, in ascending order; the rungs follow from that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<CheckPart>,
    /// How the model was run, if a rung asked for that.
    pub inference: Option<InferenceInfo>,
    /// Of each format of the model, what is declared and what each oracle does, if rung `lut` was climbed.
    pub layouts: Vec<LayoutRecord>,
    /// Oracles that cannot run where it ran, with reasons.
    pub not_available: Vec<String>,
}

/// What runs a check again, beside the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckParameters {
    /// Rungs, the lowest first.
    pub rungs: Vec<Rung>,
    /// Oracles that were asked for; all that can run if none.
    pub oracles: Vec<String>,
    /// Kernels that were asked for; all of the model's types if none.
    pub kernels: Vec<String>,
    /// Tokens that were asked for.
    pub tokens: Option<Vec<u32>>,
    /// Text that was asked for.
    pub prompt: Option<String>,
    /// Threads that each side decodes with.
    pub threads: usize,
    /// Seed of pseudo-random inputs.
    pub seed: u64,
}

/// What one shard found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckPart {
    /// Which, counted from 1.
    pub shard: u64,
    /// What each rung came to.
    pub rungs: Vec<RungReport>,
}

impl CheckSection {
    /// What each shard found, in ascending order.
    pub fn parts(&self) -> Vec<CheckPart> {
        if self.parts.is_empty() {
            let shard = self.shards.held.first().copied().unwrap_or(1);
            let rungs = self.rungs.clone();
            return vec![CheckPart { shard, rungs }];
        }
        self.parts.clone()
    }
}
