//! The interface of all engines, which run whole models: oracles, the Rust forward pass and mutants.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::limit;

/// Why an implementation could not open or run a model.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum InferenceError {
    /// The implementation does not support this model or call. Reported as `unsupported`, which is no fault.
    #[error("{implementation}: {reason}")]
    Unsupported {
        /// Id of the implementation.
        implementation: String,
        /// The unsupported operation and model.
        reason: String,
    },
    /// The implementation returned an error for the model or the tokens.
    #[error("{implementation}: {reason}")]
    Refused {
        /// Id of the implementation.
        implementation: String,
        /// The implementation's error.
        reason: String,
    },
    /// The implementation's process died or stopped answering.
    #[error("{implementation} {how} {at}{}", said(stderr))]
    Lost {
        /// Id of the implementation.
        implementation: String,
        /// What happened, such as `died (signal: 6 (SIGABRT))` or `gave no answer in 60s`.
        how: String,
        /// The call in progress, such as `while decoding 3 tokens`.
        at: String,
        /// The last lines of its standard error; empty if none.
        stderr: String,
    },
}

impl InferenceError {
    /// The id of the implementation, if its process died or stopped answering.
    pub fn lost_participant(&self) -> Option<&str> {
        match self {
            InferenceError::Lost { implementation, .. } => Some(implementation),
            InferenceError::Unsupported { .. } | InferenceError::Refused { .. } => None,
        }
    }

    /// The system limit that ended the implementation's process, if that is known.
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            InferenceError::Lost { how, stderr, .. } => {
                limit::behind(how).or_else(|| limit::behind(stderr))
            }
            InferenceError::Unsupported { .. } | InferenceError::Refused { .. } => None,
        }
    }
}

fn said(stderr: &str) -> String {
    match stderr.trim_end() {
        "" => String::new(),
        text => format!("; last output: {text}"),
    }
}

/// A named intermediate tensor of the forward pass, copied right after it was computed.
///
/// The values are not serialized. They may be millions, and a worker sends them as raw bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TracedNode {
    /// Name in llama.cpp, such as `attn_norm-0`.
    pub name: String,
    /// Occurrence of this name in the same decode, from 0.
    pub occurrence: usize,
    /// The operation, such as `MUL_MAT`, if the implementation reports it.
    pub op: Option<String>,
    /// Names of the operation's inputs, weights included, if the implementation reports them.
    pub inputs: Vec<String>,
    /// Elements along each dimension, the contiguous one first.
    pub ne: [usize; 4],
    /// All elements, in the order of `ne`.
    #[serde(skip)]
    pub values: Vec<f32>,
}

/// An open model with a context for decoding.
pub trait Inference: Send {
    /// Stable id of the implementation, used in reports and receipts.
    fn id(&self) -> &str;

    /// Number of tokens in the vocabulary.
    fn vocabulary(&self) -> usize;

    /// Name of the code that builds the model's graph: the implementation itself or its substitute.
    fn graph(&self) -> &str;

    /// Decodes tokens at the next positions and returns the logits of each, `tokens.len() x vocabulary`, row-major.
    /// `sink` receives every node that has a name and f32 values of its own.
    ///
    /// # Errors
    ///
    /// [`InferenceError`].
    fn decode(
        &mut self,
        tokens: &[u32],
        sink: Option<&mut dyn FnMut(TracedNode)>,
    ) -> Result<Vec<f32>, InferenceError>;

    /// Tokenizes a text with the model's vocabulary and adds the special tokens that the model requires.
    ///
    /// # Errors
    ///
    /// [`InferenceError::Unsupported`] if the implementation or the model has no tokenizer.
    fn tokenize(&mut self, text: &str) -> Result<Vec<u32>, InferenceError>;
}

/// An implementation that can open models.
pub trait Engine: Send + Sync {
    /// Stable id of the implementation, which is also the id of its open models.
    fn id(&self) -> &str;

    /// Whether it is compared with oracles of this upstream.
    fn is_compared_with(&self, _upstream: Option<&str>) -> bool {
        true
    }

    /// Opens the model at `path`, calls `work` with it once and closes it. `work` keeps its own errors.
    ///
    /// # Errors
    ///
    /// [`InferenceError`] if the model cannot be opened. `work` is not called then.
    fn with_model(
        &self,
        path: &Path,
        params: &InferenceParams,
        work: &mut dyn FnMut(&mut dyn Inference),
    ) -> Result<(), InferenceError>;
}

/// Parameters for opening a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InferenceParams {
    /// Size of the context in positions, at least 1.
    pub n_ctx: usize,
    /// Maximal number of tokens computed at once, at least 1.
    pub n_ubatch: usize,
    /// Number of threads, at least 1.
    pub threads: usize,
}

impl Default for InferenceParams {
    /// 512 positions, computed at once on one thread.
    fn default() -> Self {
        InferenceParams {
            n_ctx: 512,
            n_ubatch: 512,
            threads: 1,
        }
    }
}
