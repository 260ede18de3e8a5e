//! Planted mistakes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cause::Fault;
use crate::finding::NodeFinding;
use crate::mistaken::{Catches, KillMatrix, ModelKillMatrix};
use crate::tolerance::COSINE_FLOOR;
use crate::verdict::{Blame, Verdict};

/// The kill matrix: which measure catches which mistake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MistakesSection {
    /// What runs it again.
    pub parameters: MistakesParameters,
    /// `exact` if every mistake was caught and named, and those in a model were located; else `divergent`.
    pub verdict: Verdict,
    /// Mistakes planted, each format counted.
    pub planted: u64,
    /// How many of them were caught.
    pub caught: u64,
    /// Of how many the diagnosis names the cause.
    pub named: u64,
    /// Mistakes of kernels, a row for each format.
    pub kernels: Vec<KernelMistake>,
    /// Mistakes in running a model.
    pub models: Vec<ModelMistakeRecord>,
    /// Oracles that cannot run where it ran, and why models were not run, if they were not.
    pub not_available: Vec<String>,
}

/// What runs the mistakes again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MistakesParameters {
    /// Oracles that were asked for; all that can run if none.
    pub oracles: Vec<String>,
    /// Seed of pseudo-random inputs.
    pub seed: u64,
}

/// A mistake in a kernel of one format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KernelMistake {
    /// Name of the mistake.
    pub mistake: String,
    /// How it comes about.
    pub story: String,
    /// Format id.
    pub format: String,
    /// The lowest cosine similarity of products.
    pub cosine_similarity: f64,
    /// What each measure alone says.
    pub caught: Caught,
    /// Who is wrong, by the findings.
    pub blames: Vec<Blame>,
    /// Why, by the findings, each cause once; `null` for those whose cause is not shown.
    pub causes: Vec<Option<Fault>>,
    /// Whether the mistake itself is the only cause.
    pub named: bool,
}

/// Whether each measure, taken alone, notices a mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Caught {
    /// Cosine similarity of products below 0.99.
    pub cosine: bool,
    /// Normalised mean square error of products above what llama.cpp's own tests allow.
    pub nmse: bool,
    /// Products with other bits.
    pub ulp: bool,
    /// Other integer dots.
    pub integers: bool,
    /// Another table of codes, slots and scale.
    pub lut: bool,
    /// All rungs together.
    pub gate: bool,
}

/// A mistake in running a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelMistakeRecord {
    /// Name of the mistake.
    pub mistake: String,
    /// How it comes about.
    pub story: String,
    /// Cosine similarity of the logits.
    pub cosine_similarity: f64,
    /// Mean divergence of the distributions, in nats.
    pub kl_divergence: f64,
    /// Share of positions with the same likeliest token.
    pub top1_agree: f64,
    /// The first node that differs.
    pub first_node: Option<NodeFinding>,
    /// Whether that is the node that the mistake is in.
    pub located: bool,
    /// Why, by the first finding of each rung.
    pub causes: Vec<Option<Fault>>,
    /// Whether the mistake itself is the only cause.
    pub named: bool,
    /// Whether the ladder says divergent.
    pub gate: bool,
}

impl MistakesSection {
    /// The section of both matrices.
    pub fn new(
        parameters: MistakesParameters,
        of_kernels: &KillMatrix,
        of_models: &ModelKillMatrix,
        mut not_available: Vec<String>,
    ) -> MistakesSection {
        not_available.extend(of_models.skipped.iter().cloned());
        let mut kernels = Vec::new();
        for (mistake, catches) in &of_kernels.rows {
            kernels.extend(catches.iter().map(|catches| KernelMistake {
                mistake: mistake.name.into(),
                story: mistake.story.into(),
                format: catches.format.into(),
                cosine_similarity: catches.cosine.0,
                caught: Caught::from(catches),
                blames: catches.blames.clone(),
                causes: catches.causes.clone(),
                named: catches.named(mistake),
            }));
        }
        let models = of_models
            .rows
            .iter()
            .map(|(mistake, catches)| ModelMistakeRecord {
                mistake: mistake.name.into(),
                story: mistake.story.into(),
                cosine_similarity: catches.cosine,
                kl_divergence: catches.kl_divergence,
                top1_agree: catches.top1_agree,
                first_node: catches.first.clone(),
                located: catches.located(mistake),
                causes: catches.causes.clone(),
                named: catches.named(mistake),
                gate: catches.gate,
            });
        let mut section = MistakesSection {
            parameters,
            verdict: Verdict::Skipped,
            planted: 0,
            caught: 0,
            named: 0,
            kernels,
            models: models.collect(),
            not_available,
        };
        section.add_up();
        section
    }

    /// Sets the totals, and what follows from figures, by the rows.
    pub fn add_up(&mut self) {
        for row in &mut self.kernels {
            row.caught.cosine = row.cosine_similarity < COSINE_FLOOR;
        }
        let of_kernels = self.kernels.iter().filter(|row| row.caught.gate).count();
        let of_models = self.models.iter().filter(|row| row.caught()).count();
        self.planted = (self.kernels.len() + self.models.len()) as u64;
        self.caught = (of_kernels + of_models) as u64;
        let named = self.kernels.iter().map(|row| row.named);
        let named = named.chain(self.models.iter().map(|row| row.named));
        self.named = named.filter(|named| *named).count() as u64;
        self.verdict = match self.planted {
            0 => Verdict::Skipped,
            all if self.caught == all && self.named == all => Verdict::Exact,
            _ => Verdict::Divergent,
        };
    }
}

impl ModelMistakeRecord {
    /// Whether the gate caught it where it is.
    pub fn caught(&self) -> bool {
        self.gate && self.located
    }
}

impl From<&Catches> for Caught {
    fn from(catches: &Catches) -> Caught {
        Caught {
            cosine: catches.cosine.1,
            nmse: catches.nmse,
            ulp: catches.ulp,
            integers: catches.integers,
            lut: catches.lut,
            gate: catches.gate,
        }
    }
}
