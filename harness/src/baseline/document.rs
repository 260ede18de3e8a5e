//! The baseline itself: maps all through, so that a file has one order, and a line for each fact.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::speed::{DoubtfulSpeed, Speed};
use crate::outcome::Rung;

/// Version of the baseline's fields. The first number changes when a reader of the old ones would be misled.
pub const BASELINE_VERSION: &str = "1.1.0";

/// What receipts have to cover, and the speed that they are held to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Version of the fields.
    pub baseline_version: String,
    /// By architecture, such as `x86_64`.
    pub targets: BTreeMap<String, Target>,
}

/// What was covered on one architecture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The commit whose receipts were accepted last.
    pub commit: String,
    /// The oracles, by id.
    pub oracles: BTreeMap<String, OracleBuild>,
    /// Kernels that executed, by the dispatcher's count.
    pub kernels: BTreeSet<String>,
    /// Models that the ladder was climbed on, by the SHA-256 of the file.
    pub models: BTreeMap<String, CoveredModel>,
    /// Random cases, if there was a campaign.
    pub fuzz: Option<Campaign>,
    /// Planted mistakes, with the formats of those in kernels; those in a model have none.
    pub mistakes: BTreeMap<String, BTreeSet<String>>,
    /// Times of kernels and models against oracles, in ascending order.
    pub speed: Vec<Speed>,
    /// Rows that cannot be relied on; held to by nobody.
    #[serde(skip)]
    pub doubtful: Vec<DoubtfulSpeed>,
}

/// Which build an oracle was. Counts and times of different builds are not comparable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OracleBuild {
    /// Version of the source.
    pub version: String,
    /// SHA-256 of the source.
    pub checksum: String,
    /// Compiler.
    pub compiler: String,
    /// Flags of the files that hold the arithmetic.
    pub flags: String,
    /// CPU features that it was compiled for, apart by spaces.
    pub instruction_set: String,
}

/// Comparisons of each candidate with each oracle, by their ids.
pub type Pairs = BTreeMap<String, BTreeMap<String, u64>>;

/// A model that the ladder was climbed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CoveredModel {
    /// The recipe, or the name of the file.
    pub name: String,
    /// How each ternary tensor was read: format, flavour and shape.
    pub tensors: BTreeMap<String, String>,
    /// What was compared on each rung.
    pub rungs: BTreeMap<Rung, Pairs>,
}

/// Random cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    /// Cases of campaigns that had a number to try. How many a campaign tries in some time depends on the machine.
    pub cases: u64,
    /// Cases of campaigns that had a time; not held to.
    #[serde(skip)]
    pub timed: u64,
}

impl Baseline {
    /// Of nothing.
    pub fn empty() -> Baseline {
        Baseline {
            baseline_version: BASELINE_VERSION.into(),
            targets: BTreeMap::new(),
        }
    }
}

impl Target {
    /// Nothing yet, of a commit.
    pub fn empty(commit: &str) -> Target {
        Target {
            commit: commit.into(),
            oracles: BTreeMap::new(),
            kernels: BTreeSet::new(),
            models: BTreeMap::new(),
            fuzz: None,
            mistakes: BTreeMap::new(),
            speed: Vec::new(),
            doubtful: Vec::new(),
        }
    }
}

/// The JSON Schema (draft 2020-12) of baselines, generated from their types.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator();
    let mut schema = generator.into_root_schema_for::<Baseline>();
    schema.insert(
        "title".into(),
        format!("Baseline {BASELINE_VERSION}").into(),
    );
    schema.to_value()
}
