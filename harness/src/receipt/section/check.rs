//! The section with the results of the levels on a model.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use serde_json::Value;

use super::Contents;
use super::shards::Shards;
use crate::check::{self, LevelReport};
use crate::levels::Level;
use crate::outcome::Omission;
use crate::probe::Lut;
use crate::receipt::error::{MergeError, same};
use crate::receipt::figures;
use crate::receipt::pool::pool;
use crate::receipt::run::{Run, Section};
use crate::receipt::subject::InferenceInfo;
use crate::receipt::validation::{At, ValidationError};
use crate::verdict::Verdict;

/// Results of a check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckSection {
    /// Parameters that repeat the run.
    pub parameters: CheckParameters,
    /// The shards that the section has.
    pub shards: Shards,
    /// The first NaN or infinity of the model file, if there is one and a level that runs the model does not agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_fault: Option<String>,
    /// Verdict over all levels.
    pub verdict: Verdict,
    /// Results of each level, the lowest level first.
    pub levels: Vec<LevelReport>,
    /// In a merged check, the results of each shard in ascending order, from which `levels` is derived.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<CheckPart>,
    /// How the model was run, if a level runs it.
    pub inference: Option<InferenceInfo>,
    /// For each format of the model, the declared table and the table derived from each oracle, if level `lut` was run.
    pub layouts: Vec<FormatLut>,
    /// Oracles that the machine of the run cannot run, and types of the model that oracles lack.
    pub omitted: Vec<Omission>,
}

/// Parameters that repeat a check, apart from the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckParameters {
    /// Levels, the lowest first.
    pub levels: Vec<Level>,
    /// Requested oracles. If empty, all that can run.
    pub oracles: Vec<String>,
    /// Requested kernels. If empty, all for the types of the model.
    pub kernels: Vec<String>,
    /// The oracle that was checked in place of kernels and the forward pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<String>,
    /// Requested tokens.
    pub tokens: Option<Vec<u32>>,
    /// Requested text.
    pub prompt: Option<String>,
    /// Number of threads with which each implementation decodes.
    pub threads: usize,
    /// Seed of pseudo-random inputs.
    pub seed: u64,
}

/// The implementation of a [`FormatLut`] that is declared by the format, not derived from an oracle.
pub const DECLARED: &str = "declared";

/// The table of a format: codes, slots and scale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FormatLut {
    /// Format id.
    pub format: String,
    /// [`DECLARED`], or the id of the oracle that the table was derived from.
    pub implementation: String,
    /// The table.
    pub lut: Lut,
}

impl FormatLut {
    /// The key by which tables are sorted.
    pub fn key(&self) -> (&str, &str) {
        (&self.format, &self.implementation)
    }
}

/// Results of one shard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckPart {
    /// Number of the shard, from 1.
    pub shard: u64,
    /// Results of each level.
    pub levels: Vec<LevelReport>,
}

impl CheckSection {
    /// Number and results of each shard, in ascending order.
    pub fn results(&self) -> Vec<(u64, &[LevelReport])> {
        if self.parts.is_empty() {
            let shard = self.shards.held.first().copied().unwrap_or(1);
            return vec![(shard, self.levels.as_slice())];
        }
        let parts = self.parts.iter();
        parts
            .map(|part| (part.shard, part.levels.as_slice()))
            .collect()
    }

    /// Results of each shard, in ascending order.
    pub fn parts(&self) -> Vec<CheckPart> {
        let results = self.results().into_iter();
        results
            .map(|(shard, levels)| CheckPart {
                shard,
                levels: levels.to_vec(),
            })
            .collect()
    }
}

impl Contents for CheckSection {
    fn section(&self) -> Section {
        Section::Check
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
        let outcomes = self.levels.iter().flat_map(|report| &report.outcomes);
        let comparisons = outcomes.map(|outcome| outcome.measures.comparisons);
        comparisons.fold(0, u64::saturating_add)
    }

    fn omissions(&self) -> Vec<(Option<Level>, &Omission)> {
        let outcomes = self.levels.iter().flat_map(|report| &report.outcomes);
        let mut omissions = super::without_level(&self.omitted);
        omissions.extend(outcomes.flat_map(|outcome| {
            let omitted = outcome.omitted.iter();
            omitted.map(|omission| (Some(outcome.level), omission))
        }));
        omissions
    }

    fn derive(&mut self, runs: &[&Run]) {
        let derive = |report: &mut LevelReport| {
            *report = LevelReport::new(report.level, std::mem::take(&mut report.outcomes));
        };
        if self.parts.is_empty() {
            self.levels.iter_mut().for_each(derive);
        } else {
            let levels = self.parts.iter_mut().flat_map(|part| &mut part.levels);
            levels.for_each(derive);
            self.shards.held = self.parts.iter().map(|part| part.shard).collect();
            let all = self.parts.iter().flat_map(|part| &part.levels);
            self.levels = pool(&all.collect::<Vec<_>>());
        }
        let model = runs.iter().find_map(|run| run.model.as_deref());
        self.verdict = check::verdict(&self.levels, model.unwrap_or_default());
    }

    fn unite(&mut self, other: CheckSection) -> Result<(), MergeError> {
        same("how the model was run", &self.inference, &other.inference)?;
        self.parts = self.parts();
        self.parts.extend(other.parts());
        self.parts.sort_by_key(|part| part.shard);
        for layout in other.layouts {
            let mut known = self.layouts.iter();
            match known.find(|known| known.key() == layout.key()) {
                Some(known) => same("a layout", known, &layout)?,
                None => self.layouts.push(layout),
            }
        }
        self.layouts.sort_by(|a, b| a.key().cmp(&b.key()));
        self.input_fault = self.input_fault.take().or(other.input_fault);
        super::unite_omitted(&mut self.omitted, other.omitted);
        Ok(())
    }

    fn verify(&self, at: &At) -> Result<(), ValidationError> {
        let parts = self.parts.iter().enumerate();
        let lists =
            parts.map(|(i, part)| (at.field("parts").item(i).field("levels"), &part.levels));
        for (at, levels) in lists.chain([(at.field("levels"), &self.levels)]) {
            let run = levels.iter().map(|report| report.level);
            let requested = self.parameters.levels.iter().copied();
            at.require(run.eq(requested), "are not the requested ones")?;
            for (i, report) in levels.iter().enumerate() {
                for (j, outcome) in report.outcomes.iter().enumerate() {
                    let at = at.item(i).field("outcomes").item(j);
                    at.field("level").require(
                        outcome.level == report.level,
                        "differs from the level of its report",
                    )?;
                    figures::of_outcome(outcome, &at)?;
                }
            }
        }
        Ok(())
    }
}
