//! What can run a whole model: the one interface behind which oracles, the Rust forward pass and planted mistakes stand.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::limit;

/// Why a side could not open or run a model.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum InferenceError {
    /// The side cannot do this, and says so; no fault of it, and a skip in reports.
    #[error("{side}: {reason}")]
    Unsupported {
        /// Id of the side.
        side: String,
        /// What it cannot do, and for which model.
        reason: String,
    },
    /// The side refused the model or the tokens, or failed in an orderly way.
    #[error("{side}: {reason}")]
    Refused {
        /// Id of the side.
        side: String,
        /// What the side said.
        reason: String,
    },
    /// The side's process died or stopped answering.
    #[error("{side} {how} {at}{}", said(stderr))]
    Lost {
        /// Id of the side.
        side: String,
        /// Such as `died (signal: 6 (SIGABRT))` or `gave no answer in 60s`.
        how: String,
        /// When, such as `while decoding 3 tokens`.
        at: String,
        /// The last lines that it wrote to its standard error, empty if none.
        stderr: String,
    },
}

impl InferenceError {
    /// The id of the side, if its process died or stopped answering.
    pub fn lost_side(&self) -> Option<&str> {
        match self {
            InferenceError::Lost { side, .. } => Some(side),
            InferenceError::Unsupported { .. } | InferenceError::Refused { .. } => None,
        }
    }

    /// The limit of the system that the side's process died of, if that is known.
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
        text => format!(", having said: {text}"),
    }
}

/// A named intermediate tensor of the forward pass, right after it was computed.
///
/// Serialized without its values: a node may have millions, which whoever passes it on sends as the bytes they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TracedNode {
    /// As llama.cpp names it, such as `attn_norm-0`.
    pub name: String,
    /// How often this name came before in the same decode: 0 for the first.
    pub occurrence: usize,
    /// The operation that made it, such as `MUL_MAT`, where the side tells.
    pub op: Option<String>,
    /// Names of the tensors that it was made from, weights among them, where the side tells.
    pub inputs: Vec<String>,
    /// Elements along each dimension, the contiguous one first.
    pub ne: [usize; 4],
    /// All elements, in the order of `ne`.
    #[serde(skip)]
    pub values: Vec<f32>,
}

/// A model, opened, with a context to decode in.
pub trait Inference: Send {
    /// Stable id of the side, as reports and receipts show it.
    fn id(&self) -> &str;

    /// Tokens in the vocabulary.
    fn vocabulary(&self) -> usize;

    /// Who put the graph of the model together: the side itself, or whoever stands in for it.
    fn graph(&self) -> &str;

    /// Decodes tokens at the positions after those decoded so far and gives the logits of each, `tokens.len() x
    /// vocabulary`, row-major. `sink`, if there is one, takes every node that has a name and f32 values of its own.
    ///
    /// # Errors
    ///
    /// [`InferenceError`].
    fn decode(
        &mut self,
        tokens: &[u32],
        sink: Option<&mut dyn FnMut(TracedNode)>,
    ) -> Result<Vec<f32>, InferenceError>;

    /// Tokens of a text by the model's own vocabulary, with the special tokens that it wants around a text.
    ///
    /// # Errors
    ///
    /// [`InferenceError::Unsupported`] if the side or the model has no tokenizer.
    fn tokenize(&mut self, text: &str) -> Result<Vec<u32>, InferenceError>;
}

/// What can open models.
pub trait Engine: Send + Sync {
    /// Stable id of the side, that of everything it opens.
    fn id(&self) -> &str;

    /// Opens the model at `path` and calls `work` with it, once; the model is closed afterwards. What goes wrong inside
    /// `work` is its own to keep.
    ///
    /// # Errors
    ///
    /// [`InferenceError`] if the model cannot be opened; `work` was not called then.
    fn with_model(
        &self,
        path: &Path,
        params: &InferenceParams,
        work: &mut dyn FnMut(&mut dyn Inference),
    ) -> Result<(), InferenceError>;
}

/// How a model is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InferenceParams {
    /// Positions that fit, at least 1.
    pub n_ctx: usize,
    /// Tokens computed in one go, at least 1.
    pub n_ubatch: usize,
    /// Threads, at least 1.
    pub threads: usize,
}

impl Default for InferenceParams {
    /// 512 positions, computed in one go on one thread.
    fn default() -> Self {
        InferenceParams {
            n_ctx: 512,
            n_ubatch: 512,
            threads: 1,
        }
    }
}
