//! What a run of the model bench comes to, as data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bench::doubt::{self, Conditions, Doubt};
use crate::bench::report::{Roofs, Timing, Versus};

/// What a run of the model bench measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelReport {
    /// `optimized` or `checked`.
    pub build: String,
    /// The model.
    pub model: BenchedModel,
    /// One row for each phase and number of threads.
    pub rows: Vec<ModelRow>,
    /// What could not take part, with reasons.
    pub skipped: Vec<String>,
}

/// The model of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BenchedModel {
    /// The recipe or the file, as it was asked for.
    pub name: String,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// Its `general.architecture`.
    pub architecture: String,
    /// Ids of the kernels that multiply its ternary matrices.
    pub kernels: Vec<String>,
    /// Bytes of the matrices that every decode reads.
    pub weight_bytes: usize,
}

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// A prompt in one go.
    Prefill,
    /// One token after the prompt.
    Decode,
}

/// A phase on so many threads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelRow {
    /// The phase.
    pub phase: Phase,
    /// Tokens of a call.
    pub tokens: usize,
    /// Positions decoded before.
    pub context: usize,
    /// Threads.
    pub threads: usize,
    /// The time of the Rust side.
    pub time: Timing,
    /// Tokens that the Rust side computes in a second.
    pub tokens_per_second: f64,
    /// Against each oracle.
    pub oracles: Vec<Versus>,
    /// What no forward pass can beat.
    pub roofs: Roofs,
    /// Why the times cannot be relied on, if anything speaks against them.
    pub doubts: Vec<Doubt>,
}

impl Phase {
    /// Both, in the order of a run.
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
    /// Sets the doubts of every row.
    pub fn doubt(&mut self, conditions: Conditions) {
        for row in &mut self.rows {
            row.doubts = doubt::of_model(row, &self.build, conditions);
        }
    }

    /// How many times faster the row is than the same phase on one thread, if that was measured: the Rust side, and
    /// reading alone. Samples were not taken in turn, so there is no interval.
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

    /// Rows in which the Rust side and an oracle computed different logits.
    pub fn disagreements(&self) -> impl Iterator<Item = (&ModelRow, &Versus)> {
        self.rows
            .iter()
            .flat_map(|row| row.oracles.iter().map(move |versus| (row, versus)))
            .filter(|(_, versus)| !versus.agrees())
    }
}
