//! The messages between harness and worker.

use serde::{Deserialize, Serialize};

use crate::inference::{InferenceError, InferenceParams, TracedNode};

/// A request to the worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Sent first and only once. Body: the bytes of the model's path.
    Open {
        /// Id of the oracle.
        oracle: String,
        /// Parameters for opening the model.
        params: InferenceParams,
    },
    /// Body: tokens, `u32`.
    Decode {
        /// Whether nodes are requested.
        traced: bool,
    },
    /// Body: the text.
    Tokenize,
}

/// An answer of the worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// The model is open.
    Opened {
        /// Number of tokens in the vocabulary.
        vocabulary: usize,
        /// The code that builds the graph.
        graph: String,
    },
    /// A node of the current decode. Body: its values, `f32`.
    Node(TracedNode),
    /// The logits of one position, sent after all nodes, one answer for every token. Body: `f32`.
    Logits,
    /// The decode has ended.
    Decoded,
    /// Body: the tokens of the text, `u32`.
    Tokens,
    /// The request was refused. If the model could not be opened, the worker ends.
    Failed(InferenceError),
}
