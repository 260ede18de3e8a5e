//! The inputs of a run: the model, the oracles, and how the model was run.

use std::path::Path;

use cpp_shim::Description;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::inference::InferenceParams;
use crate::model::{Model, ModelError, TernaryTensor};
use crate::oracles;
use crate::participant::Forward;
use crate::synth::DEFAULT_RECIPE;
use crate::task::Task;

/// The model file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelInfo {
    /// The path as named in the first run; empty for the default model.
    pub path: String,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// Number of bytes that belong to no tensor and were not checked.
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
    /// Format id, which determines the layout of the codes.
    pub format: String,
    /// Storage variant, which determines where padding and scales are stored.
    pub variant: String,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
}

/// An oracle, from the description that it returns through the C ABI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OracleInfo {
    /// Id.
    pub id: String,
    /// Project of the source.
    pub upstream: String,
    /// Version of the source: of the package, or the commit of a checkout.
    pub version: String,
    /// SHA-256 of the source.
    pub checksum: String,
    /// Compiler.
    pub compiler: String,
    /// Compiler flags of the files with the arithmetic.
    pub flags: String,
    /// CPU features that it was compiled for.
    pub instruction_set: Vec<String>,
    /// Which of the upstream's code for the same products it uses.
    pub arithmetic: String,
}

/// How a model was run on the Rust implementation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InferenceInfo {
    /// The CPU feature for which the oracles were compiled whose bits the forward pass has on every CPU.
    pub arithmetic: String,
    /// The decoded tokens and the parameters, if the model was run.
    pub decoding: Option<DecodingInfo>,
    /// The reason why the model was not run, if it was not.
    pub not_run: Option<String>,
}

/// The decoded tokens and the parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecodingInfo {
    /// All tokens.
    pub tokens: Vec<u32>,
    /// Number of tokens of each decode.
    pub decodes: Vec<usize>,
    /// Parameters with which the model was opened.
    pub params: InferenceParams,
}

impl ModelInfo {
    /// The recipe, or the name of the file without folder and extension.
    pub fn name(&self) -> String {
        name_of(&self.path)
    }

    /// The model of a task.
    ///
    /// # Errors
    ///
    /// [`ModelError::Io`] if the file can no longer be read.
    pub fn of(model: &Model, task: &Task<'_>) -> Result<ModelInfo, ModelError> {
        let tensor = |tensor: &TernaryTensor<'_>| TensorInfo {
            name: tensor.name.into(),
            format: tensor.weights.format().id.into(),
            variant: tensor.weights.storage().variant().name().into(),
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

/// The name of a model: the recipe, or the name of the file without folder and extension.
pub(super) fn name_of(path: &str) -> String {
    if path.is_empty() {
        return DEFAULT_RECIPE.into();
    }
    let stem = Path::new(path).file_stem();
    stem.map_or_else(|| path.into(), |stem| stem.to_string_lossy().into())
}

fn is_zero(bytes: &u64) -> bool {
    *bytes == 0
}

impl InferenceInfo {
    /// How the model of a task is run.
    pub fn of(task: &Task<'_>) -> InferenceInfo {
        let decoding = task.decoding.as_ref();
        InferenceInfo {
            arithmetic: Forward::FEATURE.into(),
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
            arithmetic: oracles::arithmetic(&description.id).into(),
        }
    }
}
