//! Receipts: one JSON file a run, that says what ran, on what, by whom, where, and what came out.

mod environment;

use std::time::SystemTime;

use cpp_shim::Description;
use qk256::kernel;
use serde::{Deserialize, Serialize};

pub use crate::whole_file::write_json;
pub use environment::Environment;

use crate::decoding::Decoding;
use crate::ladder::{Climb, RungReport};
use crate::model::{Model, ModelError};
use crate::outcome::Rung;
use crate::side::{Forward, Sides};
use crate::task::Task;
use crate::verdict::Verdict;

/// Version of the receipt's fields; the first number changes when a reader of the old ones would be misled.
pub const SCHEMA_VERSION: &str = "1.1.0";

/// The receipt of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// [`SCHEMA_VERSION`].
    pub schema_version: String,
    /// When the run ended, RFC 3339, UTC.
    pub timestamp: String,
    /// Always `real`: nothing in a run is simulated.
    pub compute_path: String,
    /// What computed: always `rust`, the side under test.
    pub backend: String,
    /// The kernels that executed, with how often.
    pub kernels: Vec<KernelCalls>,
    /// Whether the same command gives the same receipt, times aside.
    pub deterministic: bool,
    /// Where it ran.
    pub environment: Environment,
    /// What it ran on.
    pub model_info: ModelInfo,
    /// Agreement in the terms that other tools read.
    pub parity: Parity,
    /// What it was compared with.
    pub validation: Validation,
    /// Verdict over all rungs.
    pub verdict: Verdict,
    /// What each rung came to.
    pub rungs: Vec<RungReport>,
    /// How the model was run, if a rung asked for that.
    pub inference: Option<InferenceInfo>,
    /// Seed of the pseudo-random inputs.
    pub seed: u64,
    /// The command line.
    pub command: Vec<String>,
    /// What could not take part, with reasons.
    pub skipped: Vec<String>,
}

/// A kernel that executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelCalls {
    /// Kernel id.
    pub id: String,
    /// Calls.
    pub calls: u64,
}

/// The model file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// As given; empty for the default model.
    pub path: String,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// `general.architecture`, if the file has it.
    pub architecture: Option<String>,
    /// Its ternary tensors.
    pub tensors: Vec<TensorInfo>,
}

/// A ternary tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorInfo {
    /// Name in the file.
    pub name: String,
    /// Format id, which names the layout that its codes were read in.
    pub format: String,
    /// How the tensor keeps padding and scales.
    pub flavour: String,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
}

/// How a model was run on the Rust side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InferenceInfo {
    /// Whose arithmetic the forward pass follows to the bit, on any CPU.
    pub arithmetic: String,
    /// What was decoded, and how.
    pub decoding: Option<Decoding>,
    /// How many of the tokens each decode took.
    pub decodes: Vec<usize>,
    /// Why the model was not run, if it was not.
    pub not_run: Option<String>,
}

/// Agreement in the terms that other tools read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parity {
    /// Whether a C++ reference took part.
    pub cpp_available: bool,
    /// The lowest cosine similarity of all rungs.
    pub cosine_similarity: f64,
    /// Identical pairs over all pairs.
    pub exact_match_rate: f64,
    /// The verdict.
    pub status: Verdict,
}

/// What the candidates were compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Always `cpp`.
    pub backend: String,
    /// The oracles.
    pub oracles: Vec<OracleInfo>,
}

/// An oracle, as it describes itself through the C ABI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OracleInfo {
    /// Id.
    pub id: String,
    /// The project that the source is from.
    pub upstream: String,
    /// Version of the source.
    pub version: String,
    /// SHA-256 of the source.
    pub checksum: String,
    /// Compiler.
    pub compiler: String,
    /// Flags of the files that hold the arithmetic.
    pub flags: String,
    /// CPU features that it was compiled for.
    pub instruction_set: Vec<String>,
}

impl Receipt {
    /// The receipt of a check.
    ///
    /// # Errors
    ///
    /// [`ModelError::Io`] if the model can no longer be read.
    pub fn of_check(
        climb: &Climb,
        sides: &Sides,
        task: &Task<'_>,
        model: &Model,
        skipped: &[String],
    ) -> Result<Receipt, ModelError> {
        let executed = kernel::all().iter().filter(|kernel| kernel.calls() > 0);
        let compared: u64 = climb
            .rungs
            .iter()
            .map(|rung| rung.measures.comparisons)
            .sum();
        let differ: u64 = climb
            .rungs
            .iter()
            .map(|rung| rung.measures.mismatches)
            .sum();
        let measured = climb
            .rungs
            .iter()
            .filter(|rung| rung.measures.comparisons > 0);
        Ok(Receipt {
            schema_version: SCHEMA_VERSION.into(),
            timestamp: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            compute_path: "real".into(),
            backend: "rust".into(),
            kernels: executed
                .map(|kernel| KernelCalls {
                    id: kernel.id().into(),
                    calls: kernel.calls(),
                })
                .collect(),
            deterministic: true,
            environment: Environment::here(),
            model_info: ModelInfo::of(model, task)?,
            parity: Parity {
                cpp_available: !sides.references.is_empty(),
                cosine_similarity: measured
                    .map(|rung| rung.measures.cosine_similarity)
                    .reduce(f64::min)
                    .unwrap_or_default(),
                exact_match_rate: (compared - differ) as f64 / (compared.max(1) as f64),
                status: climb.verdict,
            },
            validation: Validation {
                backend: "cpp".into(),
                oracles: oracles(sides),
            },
            verdict: climb.verdict,
            rungs: climb.rungs.clone(),
            inference: climb
                .rungs
                .iter()
                .any(|report| Rung::OF_MODELS.contains(&report.rung))
                .then(|| InferenceInfo::of(task)),
            seed: task.seed,
            command: std::env::args().collect(),
            skipped: skipped.to_vec(),
        })
    }
}

impl InferenceInfo {
    fn of(task: &Task<'_>) -> InferenceInfo {
        let decoding = task.decoding.as_ref();
        InferenceInfo {
            arithmetic: format!("{} {}", Forward::FOLLOWS, Forward::FEATURE),
            decodes: decoding.map_or_else(
                |_| Vec::new(),
                |decoding| decoding.decodes().iter().map(|d| d.len()).collect(),
            ),
            decoding: decoding.ok().cloned(),
            not_run: decoding.err().cloned(),
        }
    }
}

impl ModelInfo {
    fn of(model: &Model, task: &Task<'_>) -> Result<ModelInfo, ModelError> {
        let tensor = |tensor: &crate::model::TernaryTensor<'_>| TensorInfo {
            name: tensor.name.into(),
            format: tensor.weights.format().id.into(),
            flavour: tensor.weights.storage().flavour().name().into(),
            rows: tensor.weights.rows(),
            cols: tensor.weights.cols(),
        };
        Ok(ModelInfo {
            path: task.model.clone(),
            sha256: model.sha256()?,
            bytes: model.gguf().bytes().len() as u64,
            architecture: model
                .gguf()
                .str("general.architecture")
                .ok()
                .map(String::from),
            tensors: task.tensors.iter().map(tensor).collect(),
        })
    }
}

fn oracles(sides: &Sides) -> Vec<OracleInfo> {
    let descriptions = sides
        .references
        .iter()
        .filter_map(|reference| reference.description.as_ref());
    descriptions.map(OracleInfo::from).collect()
}

impl From<&Description> for OracleInfo {
    fn from(description: &Description) -> OracleInfo {
        OracleInfo {
            id: description.id.clone(),
            upstream: description.upstream.clone(),
            version: description.version.clone(),
            checksum: description.checksum.clone(),
            compiler: description.compiler.clone(),
            flags: description.flags.join(" "),
            instruction_set: description.instruction_set.clone(),
        }
    }
}
