//! The receipt itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::environment::Environment;
use super::run::{Run, Section};
use super::section::{
    BenchSection, CheckSection, FuzzSection, MistakesSection, ModelBenchSection, Shards,
};
use super::subject::{ModelInfo, OracleInfo};
use crate::outcome::{Outcome, Rung};
use crate::shard::Shard;
use crate::verdict::Verdict;

/// Version of the receipt's fields. The first number changes when a reader of the old ones would be misled, the second
/// when something is added.
pub const SCHEMA_VERSION: &str = "3.0.0";

/// The receipt of a run, or of several that were merged.
///
/// Field names at this level are those that other tools read; everything else is in `harness`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Version of the fields.
    pub schema_version: String,
    /// When the last run ended, RFC 3339, UTC.
    pub timestamp: String,
    /// Always `real`: nothing in a run is simulated.
    pub compute_path: String,
    /// What computed: always `rust`, the side under test.
    pub backend: String,
    /// Ids of the kernels that executed; how often, each run says.
    pub kernels: Vec<String>,
    /// Whether the same command gives the same receipt, times and places aside.
    pub deterministic: bool,
    /// Where the first run ran.
    pub environment: Environment,
    /// What it ran on, if it was a model.
    pub model_info: Option<ModelInfo>,
    /// Agreement in the terms that other tools read.
    pub parity: Parity,
    /// What it was compared with.
    pub validation: Validation,
    /// Everything else.
    pub harness: Harness,
}

/// Agreement in the terms that other tools read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parity {
    /// Whether a C++ reference took part.
    pub cpp_available: bool,
    /// The lowest cosine similarity of all rungs, if any was climbed.
    pub cosine_similarity: Option<f64>,
    /// Identical pairs over all pairs of all rungs, if any was climbed.
    pub exact_match_rate: Option<f64>,
    /// The verdict.
    pub status: Verdict,
}

/// What the candidates were compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// Always `cpp`.
    pub backend: String,
    /// The oracles, by id.
    pub oracles: Vec<OracleInfo>,
}

/// What other tools do not know of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Harness {
    /// The commit that the program was built from, `-dirty` after it if its sources were not what was committed.
    pub commit: String,
    /// Verdict over all sections.
    pub verdict: Verdict,
    /// The runs, by section and shard.
    pub runs: Vec<Run>,
    /// What did not take part, with reasons and how often.
    pub skips: Vec<Skip>,
    /// The ladder on a model.
    pub check: Option<CheckSection>,
    /// Random cases.
    pub fuzz: Option<FuzzSection>,
    /// Planted mistakes.
    pub mistakes: Option<MistakesSection>,
    /// Times of kernels.
    pub bench: Option<BenchSection>,
    /// Times of a whole model.
    pub bench_model: Option<ModelBenchSection>,
    /// SHA-256 over the receipt in compact JSON with this field empty, hexadecimal.
    pub seal: String,
}

/// Something that did not take part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Skip {
    /// Of which work.
    pub section: Section,
    /// On which rung; on none if an oracle or a kernel was not there at all.
    pub rung: Option<Rung>,
    /// Why.
    pub reason: String,
    /// How many pairs, or sides, this concerns.
    pub count: u64,
}

/// One section by itself: what a run makes.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// A check.
    Check(CheckSection),
    /// A campaign.
    Fuzz(FuzzSection),
    /// The kill matrix.
    Mistakes(MistakesSection),
    /// A bench of kernels.
    Bench(BenchSection),
    /// A bench of a model.
    BenchModel(Box<ModelBenchSection>),
}

impl Harness {
    /// The pairs of all rungs of its check, the lowest rung first.
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        let rungs = self.check.iter().flat_map(|check| &check.rungs);
        rungs.flat_map(|report| &report.outcomes)
    }

    /// Which shards of each section are here, those that cannot be split as a whole.
    pub fn sections(&self) -> Vec<(Section, Shards)> {
        let whole = || Shards::from(Shard::WHOLE);
        let check = self.check.as_ref().map(|check| check.shards.clone());
        let fuzz = self.fuzz.as_ref().map(|fuzz| fuzz.shards.clone());
        let sections = [
            (Section::Check, check),
            (Section::Fuzz, fuzz),
            (Section::Mistakes, self.mistakes.as_ref().map(|_| whole())),
            (Section::Bench, self.bench.as_ref().map(|_| whole())),
            (
                Section::BenchModel,
                self.bench_model.as_ref().map(|_| whole()),
            ),
        ];
        let there = sections.into_iter();
        there
            .filter_map(|(section, shards)| Some((section, shards?)))
            .collect()
    }

    /// What a section comes to, if it is here.
    pub fn verdict_of(&self, section: Section) -> Option<Verdict> {
        // A bench asks no more of products than to be near: how near they have to be, the rungs say.
        let near = |verdict| match verdict {
            Verdict::WithinNoiseFloor => Verdict::Exact,
            verdict => verdict,
        };
        match section {
            Section::Check => self.check.as_ref().map(|check| check.verdict),
            Section::Fuzz => self.fuzz.as_ref().map(|fuzz| fuzz.verdict),
            Section::Mistakes => self.mistakes.as_ref().map(|mistakes| mistakes.verdict),
            Section::Bench => self.bench.as_ref().map(|bench| near(bench.verdict)),
            Section::BenchModel => self.bench_model.as_ref().map(|bench| near(bench.verdict)),
        }
    }
}

impl Receipt {
    /// The shards that are missing until all sections are whole, such as `check 2/4`.
    pub fn missing(&self) -> Vec<String> {
        let missing = |(section, shards): (Section, Shards)| {
            let missing = shards.missing().into_iter();
            missing.map(move |shard| format!("{section} {shard}"))
        };
        self.harness
            .sections()
            .into_iter()
            .flat_map(missing)
            .collect()
    }
}
