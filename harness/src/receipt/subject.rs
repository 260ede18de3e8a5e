//! What a run was about: the model, the oracles, how the model was run.

use cpp_shim::Description;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::inference::InferenceParams;
use crate::model::{Model, ModelError, TernaryTensor};
use crate::side::Forward;
use crate::task::Task;

/// The model file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelInfo {
    /// As given in the first run; empty for the default model.
    pub path: String,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// How many of them belong to no tensor and were not looked at.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unused_bytes: u64,
    /// `general.architecture`, if the file has it.
    pub architecture: Option<String>,
    /// Its ternary tensors.
    pub tensors: Vec<TensorInfo>,
}

/// A ternary tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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

/// An oracle, as it describes itself through the C ABI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OracleInfo {
    /// Id.
    pub id: String,
    /// The project that the source is from.
    pub upstream: String,
    /// Version of the source; `local` and a commit for a checkout.
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

/// How a model was run on the Rust side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InferenceInfo {
    /// Whose arithmetic the forward pass follows to the bit, on any CPU.
    pub arithmetic: String,
    /// What was decoded, and how.
    pub decoding: Option<DecodingInfo>,
    /// Why the model was not run, if it was not.
    pub not_run: Option<String>,
}

/// What was decoded, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecodingInfo {
    /// All tokens.
    pub tokens: Vec<u32>,
    /// How many of the tokens each decode took.
    pub decodes: Vec<usize>,
    /// How the model was opened.
    pub params: InferenceParams,
}

impl ModelInfo {
    /// The model of a task.
    ///
    /// # Errors
    ///
    /// [`ModelError::Io`] if the file can no longer be read.
    pub fn of(model: &Model, task: &Task<'_>) -> Result<ModelInfo, ModelError> {
        let tensor = |tensor: &TernaryTensor<'_>| TensorInfo {
            name: tensor.name.into(),
            format: tensor.weights.format().id.into(),
            flavour: tensor.weights.storage().flavour().name().into(),
            rows: tensor.weights.rows(),
            cols: tensor.weights.cols(),
        };
        let architecture = model.gguf().str("general.architecture").ok();
        Ok(ModelInfo {
            path: task.model.clone(),
            sha256: model.sha256()?,
            bytes: model.gguf().bytes().len() as u64,
            unused_bytes: model.unused_bytes(),
            architecture: architecture.map(String::from),
            tensors: task.tensors.iter().map(tensor).collect(),
        })
    }
}

fn is_zero(bytes: &u64) -> bool {
    *bytes == 0
}

impl InferenceInfo {
    /// How the model of a task is run.
    pub fn of(task: &Task<'_>) -> InferenceInfo {
        let decoding = task.decoding.as_ref();
        InferenceInfo {
            arithmetic: format!("{} {}", Forward::FOLLOWS, Forward::FEATURE),
            decoding: decoding.ok().map(|decoding| DecodingInfo {
                tokens: decoding.tokens.clone(),
                decodes: decoding.decodes().iter().map(|d| d.len()).collect(),
                params: decoding.params,
            }),
            not_run: decoding.err().cloned(),
        }
    }
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
