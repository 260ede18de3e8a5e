//! The section with the mutation matrix.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use serde_json::Value;

use super::Contents;
use crate::cause::Fault;
use crate::finding::NodeFinding;
use crate::levels::Level;
use crate::mutant::{Catches, ModelMutationMatrix, MutationMatrix};
use crate::outcome::Omission;
use crate::receipt::run::{Run, Section};
use crate::receipt::validation::ValidationError;
use crate::tolerance::COSINE_FLOOR;
use crate::verdict::{Attribution, Verdict};

/// The mutation matrix: which measure catches which mutant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MutantsSection {
    /// Parameters that repeat the run.
    pub parameters: MutantsParameters,
    /// `exact` if every mutant was caught and its cause named, and those in a model were located; else `divergent`.
    pub verdict: Verdict,
    /// Number of mutants. A mutant of several formats counts once for each.
    pub planted: u64,
    /// Number of caught mutants.
    pub caught: u64,
    /// Number of mutants whose cause the diagnosis names.
    pub named: u64,
    /// Mutants of kernels, one row for each format.
    pub kernels: Vec<KernelMutant>,
    /// Mutants of the forward pass.
    pub models: Vec<ModelMutantRecord>,
    /// Oracles that the machine of the run cannot run, and models that were not run.
    pub omitted: Vec<Omission>,
}

/// Parameters that repeat the run of the mutants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MutantsParameters {
    /// Requested oracles. If empty, all that can run.
    pub oracles: Vec<String>,
    /// Seed of pseudo-random inputs.
    pub seed: u64,
}

/// A mutant of a kernel of one format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KernelMutant {
    /// Name of the mutant.
    pub mutant: String,
    /// Description of the fault.
    pub description: String,
    /// Format id.
    pub format: String,
    /// Lowest cosine similarity of products.
    pub cosine_similarity: f64,
    /// The measures that catch the mutant.
    pub caught: Caught,
    /// Attributions of the findings.
    pub attributions: Vec<Attribution>,
    /// Causes of the findings without duplicates; `null` for findings without a known cause.
    pub causes: Vec<Option<Fault>>,
    /// Whether the mutant itself is the only cause.
    pub named: bool,
}

/// Whether each measure alone catches a mutant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Caught {
    /// Whether the cosine similarity of products is below 0.99.
    pub cosine: bool,
    /// Whether the normalised mean square error of products is above the limit of llama.cpp's own tests.
    pub nmse: bool,
    /// Whether bits of products differ.
    pub ulp: bool,
    /// Whether integer dots differ.
    pub integers: bool,
    /// Whether the table of codes, slots and scale differs.
    pub lut: bool,
    /// Whether any of the levels diverges.
    pub gate: bool,
}

/// A mutant of the forward pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelMutantRecord {
    /// Name of the mutant.
    pub mutant: String,
    /// Description of the fault.
    pub description: String,
    /// Cosine similarity of the logits.
    pub cosine_similarity: f64,
    /// Mean Kullback-Leibler divergence of the distributions, in nats.
    pub kl_divergence: f64,
    /// Fraction of positions with the same most likely token.
    pub top1_agree: f64,
    /// The first node that differs.
    pub first_node: Option<NodeFinding>,
    /// Whether the mutant is in this node.
    pub located: bool,
    /// Causes of the first finding of each level.
    pub causes: Vec<Option<Fault>>,
    /// Whether the mutant itself is the only cause.
    pub named: bool,
    /// Whether any of the levels diverges.
    pub gate: bool,
}

impl MutantsSection {
    /// Creates the section from both matrices.
    pub fn new(
        parameters: MutantsParameters,
        of_kernels: &MutationMatrix,
        of_models: &ModelMutationMatrix,
        mut omitted: Vec<Omission>,
    ) -> MutantsSection {
        omitted.extend(of_models.omitted.iter().cloned());
        let mut kernels = Vec::new();
        for (mutant, catches) in &of_kernels.rows {
            kernels.extend(catches.iter().map(|catches| KernelMutant {
                mutant: mutant.name.into(),
                description: mutant.description.into(),
                format: catches.format.into(),
                cosine_similarity: catches.cosine.0,
                caught: Caught::from(catches),
                attributions: catches.attributions.clone(),
                causes: catches.causes.clone(),
                named: catches.named(mutant),
            }));
        }
        let models = of_models
            .rows
            .iter()
            .map(|(mutant, catches)| ModelMutantRecord {
                mutant: mutant.name.into(),
                description: mutant.description.into(),
                cosine_similarity: catches.cosine,
                kl_divergence: catches.kl_divergence,
                top1_agree: catches.top1_agree,
                first_node: catches.first.clone(),
                located: catches.located(mutant),
                causes: catches.causes.clone(),
                named: catches.named(mutant),
                gate: catches.gate,
            });
        let mut section = MutantsSection {
            parameters,
            verdict: Verdict::Skipped,
            planted: 0,
            caught: 0,
            named: 0,
            kernels,
            models: models.collect(),
            omitted,
        };
        section.derive(&[]);
        section
    }
}

impl Contents for MutantsSection {
    fn section(&self) -> Section {
        Section::Mutants
    }

    fn parameters(&self) -> Value {
        super::json(&self.parameters)
    }

    fn verdict(&self) -> Verdict {
        self.verdict
    }

    fn comparisons(&self) -> u64 {
        self.planted
    }

    fn omissions(&self) -> Vec<(Option<Level>, &Omission)> {
        super::without_level(&self.omitted)
    }

    fn derive(&mut self, _runs: &[&Run]) {
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

    fn verify(&self, _at: &str) -> Result<(), ValidationError> {
        Ok(())
    }
}

impl ModelMutantRecord {
    /// Whether a level diverges and the first differing node is that of the mutant.
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
