//! The report of the model bench.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bench::doubt::{self, Conditions, Doubt};
use crate::bench::timing::{Roofs, Timed, TimedReport, Timing, Versus, timed};
use crate::outcome::Omission;

/// The results of a run of the model bench.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelReport {
    /// `optimized` or `checked`.
    pub build: String,
    /// The model.
    pub model: BenchedModel,
    /// One row for each phase and number of threads.
    pub rows: Vec<ModelRow>,
    /// Participants and cases that were omitted.
    pub omitted: Vec<Omission>,
}

/// The model of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BenchedModel {
    /// The recipe or the file, as named on the command line.
    pub name: String,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// Value of `general.architecture`.
    pub architecture: String,
    /// Ids of the kernels that multiply the ternary matrices.
    pub kernels: Vec<String>,
    /// Size in bytes of the matrices that every decode reads.
    pub weight_bytes: usize,
}

/// The timed phases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// A prompt evaluated at once.
    Prefill,
    /// One token after the prompt.
    Decode,
}

/// A phase with a number of threads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelRow {
    /// The phase.
    pub phase: Phase,
    /// Number of tokens in a call.
    pub tokens: usize,
    /// Number of positions in the context before the call.
    pub context: usize,
    /// Number of threads.
    pub threads: usize,
    /// The time of the Rust implementation.
    pub time: Timing,
    /// Tokens per second of the Rust implementation.
    pub tokens_per_second: f64,
    /// Comparisons with the oracles.
    pub oracles: Vec<Versus>,
    /// Limits of the machine for this row.
    pub roofs: Roofs,
    /// Reasons why the times are unreliable, if any.
    pub doubts: Vec<Doubt>,
}

impl Phase {
    /// All phases, in the order of a run.
    pub const ALL: [Phase; 2] = [Phase::Prefill, Phase::Decode];

    /// `prefill` or `decode`.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Prefill => "prefill",
            Phase::Decode => "decode",
        }
    }
}

impl ModelReport {
    /// The speed-up over one thread, if that was measured: of the Rust implementation, and of reading alone. These
    /// samples were not interleaved, so there is no interval.
    pub fn scaling(&self, row: &ModelRow) -> Option<(f64, f64)> {
        let is_single = |other: &&ModelRow| other.threads == 1 && other.phase == row.phase;
        let single = self.rows.iter().find(is_single)?;
        let speedup = |a: &Timing, b: &Timing| a.seconds.value / b.seconds.value;
        (row.threads > 1).then(|| {
            let read = |row: &ModelRow| row.roofs.read_roof.time.clone();
            (
                speedup(&single.time, &row.time),
                speedup(&read(single), &read(row)),
            )
        })
    }
}

timed!(ModelReport, ModelRow, |report, row, conditions| {
    doubt::of_row(row, &report.build, conditions)
});
