//! The types of a baseline. They consist of sorted maps, so that a file has a single order and one line for each entry.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::speed::{DoubtfulSpeed, Speed};
use crate::levels::Level;
use crate::receipt;

/// Schema version of baselines. The major number changes if a program for older baselines would misread a field.
pub const BASELINE_VERSION: &str = "2.0.0";

/// The entries that receipts must cover, and the speed that they must reach.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Schema version.
    pub baseline_version: String,
    /// The targets by architecture, such as `x86_64`.
    pub targets: BTreeMap<String, Target>,
}

/// The entries of one architecture.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Commit of the receipts that were accepted last.
    pub commit: String,
    /// The oracles, by id.
    pub oracles: BTreeMap<String, OracleBuild>,
    /// Kernels that executed, as counted by the dispatcher.
    pub kernels: BTreeSet<String>,
    /// Models on which levels were run, by the SHA-256 of the file.
    pub models: BTreeMap<String, CoveredModel>,
    /// Random cases, if there was a fuzz campaign.
    pub fuzz: Option<Campaign>,
    /// Mutants with their formats. A mutant of the forward pass has no formats.
    pub mutants: BTreeMap<String, BTreeSet<String>>,
    /// Times of kernels and models against oracles, in ascending order.
    pub speed: Vec<Speed>,
    /// Rows with doubts. They are not compared and not part of the file.
    #[serde(skip)]
    pub doubtful: Vec<DoubtfulSpeed>,
}

/// The build of an oracle. Counts and times of different builds are not comparable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OracleBuild {
    /// Version of the source.
    pub version: String,
    /// SHA-256 of the source.
    pub checksum: String,
    /// Compiler.
    pub compiler: String,
    /// Compiler flags of the files with the arithmetic.
    pub flags: String,
    /// CPU features that it was compiled for, separated by spaces.
    pub instruction_set: String,
}

/// Number of comparisons, by the id of the candidate and the id of the oracle.
pub type Pairs = BTreeMap<String, BTreeMap<String, u64>>;

/// A model on which levels were run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CoveredModel {
    /// The recipe, or the name of the file.
    pub name: String,
    /// Format, storage variant and shape of each ternary tensor, by name.
    pub tensors: BTreeMap<String, String>,
    /// Compared pairs of each level.
    pub levels: BTreeMap<Level, Pairs>,
}

/// Numbers of random cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    /// Cases of campaigns with a fixed number of cases. With a fixed duration, the number depends on the machine.
    pub cases: u64,
    /// Cases of campaigns with a fixed duration. They are not required.
    #[serde(skip)]
    pub timed: u64,
}

impl Default for Baseline {
    fn default() -> Baseline {
        Baseline {
            baseline_version: BASELINE_VERSION.into(),
            targets: BTreeMap::new(),
        }
    }
}

/// The JSON Schema (draft 2020-12) of baselines, generated from their types.
pub fn schema() -> Value {
    receipt::schema_of::<Baseline>(format!("Baseline {BASELINE_VERSION}"))
}
