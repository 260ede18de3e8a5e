//! Times, and what they are compared with.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::statistics::Median;
use crate::tolerance::NMSE_CEILING;

/// The time of a product so small that starting and joining threads dominates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallCost {
    /// Id of the implementation.
    pub implementation: String,
    /// Number of threads.
    pub threads: usize,
    /// Seconds per call.
    pub seconds: Median,
}

/// Seconds per call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// Median of the samples.
    pub seconds: Median,
    /// Number of calls in each sample.
    pub calls: usize,
}

/// A comparison of the Rust implementation with an oracle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Versus {
    /// Oracle id.
    pub oracle: String,
    /// The oracle's time.
    pub time: Timing,
    /// The oracle's time divided by that of the Rust implementation, sample by sample. Above 1 the Rust implementation
    /// is faster.
    pub ratio: Median,
    /// Normalised mean square error of the results against the oracle's. None if a value is not finite or if only the
    /// oracle's are all zero.
    pub nmse: Option<f64>,
}

/// The limits of this machine for some work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Roofs {
    /// The time for only reading the weights.
    pub read_roof: ReadRoof,
    /// The time for only multiplying and adding, if it was measured for the kernel's instruction set.
    pub multiply_add_roof: Option<MultiplyAddRoof>,
}

/// The read roof: reading the weights without computing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadRoof {
    /// Time to read the weights once.
    pub time: Timing,
    /// Bandwidth in bytes per second.
    pub bytes_per_second: f64,
    /// The roof's time divided by the kernel's, sample by sample.
    pub share: Median,
}

/// The multiply-add roof: computing without reading memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MultiplyAddRoof {
    /// The executed instructions.
    pub instruction: String,
    /// int8 products accumulated per second, by all threads together.
    pub per_second: f64,
    /// The time that the product needs at this rate divided by the kernel's time, sample by sample.
    pub share: Median,
}

/// The kinds of roofs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Roof {
    /// Reading the weights.
    Read,
    /// Multiplying and adding.
    MultiplyAdd,
}

impl Roof {
    /// `read` or `multiply-add`.
    pub const fn name(self) -> &'static str {
        match self {
            Roof::Read => "read",
            Roof::MultiplyAdd => "multiply-add",
        }
    }
}

impl Versus {
    /// Whether the results agree within the limit of llama.cpp's own tests. Otherwise the times are meaningless.
    pub fn agrees(&self) -> bool {
        self.nmse.is_some_and(|nmse| nmse <= NMSE_CEILING)
    }
}

impl Roofs {
    /// The tighter roof, and the fraction of it that the work reaches.
    pub fn nearest(&self) -> (Roof, Median) {
        let read = self.read_roof.share;
        match &self.multiply_add_roof {
            Some(roof) if roof.share.value > read.value => (Roof::MultiplyAdd, roof.share),
            _ => (Roof::Read, read),
        }
    }
}
