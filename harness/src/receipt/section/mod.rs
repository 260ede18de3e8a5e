//! The sections of a receipt, with one file for each kind of work.
//!
//! A section has the parameters that repeat the run, the recorded entries, and the totals derived from them.

mod bench;
mod check;
mod fuzz;
mod mutants;
mod shards;

use serde_json::Value;

use super::run::{Run, Section};
use super::validation::ValidationError;
use crate::levels::Level;
use crate::outcome::Omission;
use crate::shard::Shard;
use crate::verdict::Verdict;

pub use bench::{BenchParameters, BenchSection, ModelBenchParameters, ModelBenchSection};
pub use check::{CheckParameters, CheckPart, CheckSection, DECLARED, FormatLut};
pub use fuzz::{FuzzFinding, FuzzParameters, FuzzPart, FuzzSection};
pub use mutants::{Caught, KernelMutant, ModelMutantRecord, MutantsParameters, MutantsSection};
pub use shards::Shards;

/// The common interface of all sections.
pub trait Contents {
    /// The kind of work.
    fn section(&self) -> Section;

    /// The shards that the section has. Work that cannot be split is a single shard.
    fn shards(&self) -> Shards {
        Shard::WHOLE.into()
    }

    /// The parameters that repeat the run.
    fn parameters(&self) -> Value;

    /// The verdict.
    fn verdict(&self) -> Verdict;

    /// Number of comparisons.
    fn comparisons(&self) -> u64;

    /// The omissions, with the level if a pair of a level was omitted.
    fn omissions(&self) -> Vec<(Option<Level>, &Omission)>;

    /// Sets all derived fields. `runs` are the runs of this section.
    fn derive(&mut self, runs: &[&Run]);

    /// Checks the fields that are not derived. `at` is the path of the section.
    ///
    /// # Errors
    ///
    /// The first field that is impossible.
    fn verify(&self, at: &str) -> Result<(), ValidationError>;
}

/// Parameters as JSON.
fn json(parameters: &impl serde::Serialize) -> Value {
    serde_json::to_value(parameters).expect("the keys of parameters are strings")
}

/// Omissions of whole implementations, which have no level.
fn without_level(omitted: &[Omission]) -> Vec<(Option<Level>, &Omission)> {
    omitted.iter().map(|omission| (None, omission)).collect()
}
