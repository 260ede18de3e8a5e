//! What the two processes say to each other.

use serde::{Deserialize, Serialize};

use crate::inference::{InferenceError, InferenceParams, TracedNode};

/// What the worker is asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Comes first, and once. Body: the bytes of the model's path.
    Open {
        /// Id of the oracle.
        oracle: String,
        /// How to open the model.
        params: InferenceParams,
    },
    /// Body: tokens, `u32`.
    Decode {
        /// Whether nodes are wanted.
        traced: bool,
    },
    /// Body: the text.
    Tokenize,
}

/// What the worker answers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// The model is open.
    Opened {
        /// Tokens in the vocabulary.
        vocabulary: usize,
        /// Who put its graph together.
        graph: String,
    },
    /// A node of the decode that is running. Body: its values, `f32`.
    Node(TracedNode),
    /// The logits of one position, after all nodes; one such answer for every token. Body: `f32`.
    Logits,
    /// The decode is over.
    Decoded,
    /// Body: the tokens of the text, `u32`.
    Tokens,
    /// The request was refused; a worker whose model did not open ends.
    Failed(InferenceError),
}
