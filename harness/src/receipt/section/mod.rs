//! The sections of a receipt, with one file for each kind of work.
//!
//! A section has the parameters that repeat the run, the recorded entries, and the totals derived from them.

mod bench;
mod check;
mod fuzz;
mod mutants;
mod shards;

use serde_json::Value;

use super::error::MergeError;
use super::run::{Run, Section};
use super::validation::{At, ValidationError};
use crate::levels::Level;
use crate::outcome::Omission;
use crate::shard::Shard;
use crate::verdict::Verdict;

pub use bench::{BenchParameters, BenchSection};
pub use check::{CheckParameters, CheckPart, CheckSection, DECLARED, FormatLut};
pub use fuzz::{FuzzFinding, FuzzParameters, FuzzPart, FuzzSection};
pub use mutants::{MutantsParameters, MutantsSection};
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

    /// Adds the entries of other shards of the same work. The derived fields are set later. Work that cannot be split
    /// has nothing to add.
    ///
    /// # Errors
    ///
    /// [`MergeError`] if both differ in something that must be the same.
    fn unite(&mut self, _other: Self) -> Result<(), MergeError>
    where
        Self: Sized,
    {
        Ok(())
    }

    /// Checks the fields that are not derived. `at` is the path of the section.
    ///
    /// # Errors
    ///
    /// The first field that is impossible.
    fn verify(&self, _at: &At) -> Result<(), ValidationError> {
        Ok(())
    }
}

/// Parameters as JSON.
fn json(parameters: &impl serde::Serialize) -> Value {
    serde_json::to_value(parameters).expect("the keys of parameters are strings")
}

/// Adds omissions, sorted and without duplicates.
fn unite_omitted(omitted: &mut Vec<Omission>, others: Vec<Omission>) {
    omitted.extend(others);
    omitted.sort_unstable();
    omitted.dedup();
}

/// Omissions of whole implementations, which have no level.
fn without_level(omitted: &[Omission]) -> Vec<(Option<Level>, &Omission)> {
    omitted.iter().map(|omission| (None, omission)).collect()
}
