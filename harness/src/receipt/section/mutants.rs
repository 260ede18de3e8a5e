//! The section with the mutation matrix.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use serde_json::Value;

use super::Contents;
use crate::levels::Level;
use crate::mutant::{KernelMutant, ModelMutantRecord};
use crate::outcome::Omission;
use crate::receipt::run::{Run, Section};
use crate::tolerance::COSINE_FLOOR;
use crate::verdict::Verdict;

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

impl MutantsSection {
    /// Creates the section from the rows of all mutants.
    pub fn new(
        parameters: MutantsParameters,
        kernels: Vec<KernelMutant>,
        models: Vec<ModelMutantRecord>,
        omitted: Vec<Omission>,
    ) -> MutantsSection {
        let mut section = MutantsSection {
            parameters,
            verdict: Verdict::Skipped,
            planted: 0,
            caught: 0,
            named: 0,
            kernels,
            models,
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
}
