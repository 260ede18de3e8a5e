//! The types of a receipt.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::environment::Environment;
use super::run::{Run, Section};
use super::section::{BenchSection, CheckSection, Contents, FuzzSection, MutantsSection, Shards};
use super::subject::{ModelInfo, OracleInfo, name_of};
use crate::levels::Level;
use crate::outcome::{Omission, Outcome};
use crate::verdict::Verdict;

/// Schema version of receipts. The major number changes if a program for older receipts would misread a field. The
/// minor number changes if fields are added.
pub const SCHEMA_VERSION: &str = "6.0.0";

/// The receipt of one run or of several merged runs.
///
/// The field names at this level are those that the tools of BitNet-rs read. All other fields are in `harness`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Schema version.
    pub schema_version: String,
    /// End of the last run (RFC 3339, UTC).
    pub timestamp: String,
    /// Always `real`: nothing in a run is simulated.
    pub compute_path: String,
    /// Implementation under test: always `rust`.
    pub backend: String,
    /// Ids of the kernels that executed. Each run has the numbers of calls.
    pub kernels: Vec<String>,
    /// Whether the same command gives the same receipt, apart from times and environment.
    pub deterministic: bool,
    /// Environment of the first run.
    pub environment: Environment,
    /// The model, if the receipt has a check.
    pub model_info: Option<ModelInfo>,
    /// Summary of the agreement.
    pub parity: Parity,
    /// The oracles.
    pub validation: Validation,
    /// All other fields.
    pub harness: Harness,
}

/// Summary of the agreement, with the field names that other tools read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parity {
    /// Whether a C++ oracle took part.
    pub cpp_available: bool,
    /// Lowest cosine similarity of the outcomes that must be identical, if values were compared.
    pub cosine_similarity: Option<f64>,
    /// Fraction of identical values in these outcomes, if values were compared.
    pub exact_match_rate: Option<f64>,
    /// Verdict over all sections.
    pub status: Verdict,
}

/// The oracles that candidates were compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// Always `cpp`.
    pub backend: String,
    /// The oracles, sorted by id.
    pub oracles: Vec<OracleInfo>,
}

/// The fields that only this harness reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Harness {
    /// Commit that the program was built from, with the suffix `-dirty` if the sources differ from it.
    pub commit: String,
    /// Verdict over all sections.
    pub verdict: Verdict,
    /// The runs, sorted by section and shard.
    pub runs: Vec<Run>,
    /// What was omitted, with reasons and counts.
    pub skips: Vec<Skip>,
    /// Results of the levels on a model.
    pub check: Option<CheckSection>,
    /// Results of random cases.
    pub fuzz: Option<FuzzSection>,
    /// The mutation matrix.
    pub mutants: Option<MutantsSection>,
    /// Times of kernels.
    pub bench: Option<BenchSection>,
    /// Times of a whole model.
    pub bench_model: Option<BenchSection>,
    /// SHA-256 of the receipt as compact JSON with this field empty, in hexadecimal.
    pub digest: String,
}

/// An omitted comparison or implementation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Skip {
    /// Section.
    pub section: Section,
    /// Level, or none if an oracle or a kernel was not available at all.
    pub level: Option<Level>,
    /// Reason.
    pub omission: Omission,
    /// Number of pairs or implementations.
    pub count: u64,
}

/// The section that a run creates.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// A check.
    Check(Box<CheckSection>),
    /// A fuzz campaign.
    Fuzz(FuzzSection),
    /// The mutation matrix.
    Mutants(MutantsSection),
    /// A bench of kernels or of a model.
    Bench(Box<BenchSection>),
}

/// The sections of a `Harness` as trait objects, borrowed with `as_ref` or `as_mut`.
macro_rules! sections {
    ($harness:expr, $borrow:ident, $contents:ty) => {{
        let all: [Option<$contents>; 5] = [
            $harness.check.$borrow().map(|section| section as _),
            $harness.fuzz.$borrow().map(|section| section as _),
            $harness.mutants.$borrow().map(|section| section as _),
            $harness.bench.$borrow().map(|section| section as _),
            $harness.bench_model.$borrow().map(|section| section as _),
        ];
        all.into_iter().flatten()
    }};
}

impl Harness {
    /// The outcomes of all levels of the check, the lowest level first.
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        let levels = self.check.iter().flat_map(|check| &check.levels);
        levels.flat_map(|report| &report.outcomes)
    }

    /// The benches of kernels and of a model that the receipt has.
    pub fn benches(&self) -> impl Iterator<Item = &BenchSection> {
        self.bench.iter().chain(&self.bench_model)
    }

    /// The sections that the receipt has, in the order of [`Section::ALL`].
    pub fn contents(&self) -> impl Iterator<Item = &dyn Contents> {
        sections!(self, as_ref, &dyn Contents)
    }

    /// Sets the derived fields of all sections.
    pub(super) fn derive_contents(&mut self) {
        for contents in sections!(self, as_mut, &mut dyn Contents) {
            let section = contents.section();
            let runs = self.runs.iter().filter(|run| run.section == section);
            contents.derive(&runs.collect::<Vec<_>>());
        }
    }

    /// The shards of each section that the receipt has.
    pub fn sections(&self) -> impl Iterator<Item = (Section, Shards)> {
        let shards = |contents: &dyn Contents| (contents.section(), contents.shards());
        self.contents().map(shards)
    }

    /// The contents of a section, if the receipt has it.
    pub fn contents_of(&self, section: Section) -> Option<&dyn Contents> {
        self.contents()
            .find(|contents| contents.section() == section)
    }

    /// The verdict of a section, if the receipt has it.
    pub fn verdict_of(&self, section: Section) -> Option<Verdict> {
        self.contents_of(section).map(Contents::verdict)
    }
}

impl Receipt {
    /// The name of the model of a section: the recipe, or the name of the file. Empty if the section has no model.
    pub fn model_of(&self, section: Section) -> String {
        match section {
            Section::Check => self.model_info.iter().map(ModelInfo::name).collect(),
            Section::BenchModel => {
                let models = self.harness.bench_model.iter();
                let models = models.filter_map(|bench| bench.report.model.as_ref());
                models.map(|model| name_of(&model.name)).collect()
            }
            Section::Fuzz | Section::Mutants | Section::Bench => String::new(),
        }
    }

    /// The environment of the first run of a section.
    pub fn environment_of(&self, section: Section) -> &Environment {
        let run = self.harness.runs.iter().find(|run| run.section == section);
        run.map_or(&self.environment, |run| &run.environment)
    }

    /// The missing shards of all sections, such as `check 2/4`.
    pub fn missing(&self) -> Vec<String> {
        let missing = |(section, shards): (Section, Shards)| {
            let missing = shards.missing().into_iter();
            missing.map(move |shard| format!("{section} {shard}"))
        };
        self.harness.sections().flat_map(missing).collect()
    }
}
