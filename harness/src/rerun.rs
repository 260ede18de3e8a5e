//! Commands that reproduce differences.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::levels::Level;

/// A command that reproduces a difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Rerun {
    /// `harness check` of one level.
    Check {
        /// The model as named on the command line; empty for the default model.
        model: String,
        /// The level.
        level: Level,
        /// Seed of the inputs, if they are pseudo-random.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seed: Option<u64>,
        /// Parameters of the model's run, on a level that runs it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decoding: Option<RerunDecoding>,
    },
    /// `harness replay` of a case.
    Replay {
        /// The file of the case.
        file: String,
    },
    /// The command line of the program that found it, such as one with its own candidates.
    Program {
        /// The command line.
        arguments: Vec<String>,
    },
}

impl Rerun {
    /// Checks the default model on a level without pseudo-random inputs.
    pub fn of_level(level: Level) -> Rerun {
        Rerun::Check {
            model: String::new(),
            level,
            seed: None,
            decoding: None,
        }
    }
}

/// Parameters of a model's run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RerunDecoding {
    /// Tokens to decode.
    pub tokens: Vec<u32>,
    /// Number of threads of each implementation.
    pub threads: usize,
}
