//! The levels of comparison.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A level of comparison. Each rests on the one before, the lowest first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The value of each code, the slot of each weight and the place of the scale.
    Lut,
    /// Integer dots of single blocks and short rows.
    Block,
    /// f32 products of the tensors of a model.
    Tensor,
    /// Every named intermediate result of a model's forward pass.
    Node,
    /// The logits of every position.
    Logits,
}

impl Level {
    /// All levels, the lowest first.
    pub const ALL: [Level; 5] = [
        Level::Lut,
        Level::Block,
        Level::Tensor,
        Level::Node,
        Level::Logits,
    ];

    /// The kernel levels, which compare kernels.
    pub const OF_KERNELS: [Level; 3] = [Level::Lut, Level::Block, Level::Tensor];

    /// The levels that run a model.
    pub const OF_MODELS: [Level; 2] = [Level::Node, Level::Logits];

    /// Description of what the level compares.
    pub const fn compared(self) -> &'static str {
        match self {
            Level::Lut => {
                "The value of each code, the slot of each weight and the place of the scale"
            }
            Level::Block => "Integer dots of single blocks and short rows",
            Level::Tensor => "f32 products of the tensors of a model",
            Level::Node => "Every named intermediate result of a model's forward pass",
            Level::Logits => "The logits of every position",
        }
    }

    /// Stable name used on the command line, in tables and in receipts.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Lut => "lut",
            Level::Block => "block",
            Level::Tensor => "tensor",
            Level::Node => "node",
            Level::Logits => "logits",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
