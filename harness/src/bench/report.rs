//! The report of a bench of kernels or of a model. Tables and JSON are made from it alone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::doubt::{self, Conditions, Doubt};
use super::statistics::Median;
use super::timing::{CallCost, Roofs, Timing, Versus};
use crate::outcome::Omission;

/// The build with meaningful times.
pub const OPTIMIZED: &str = "optimized";

/// [`OPTIMIZED`], or `checked` if overflow checks and debug assertions slow the Rust implementation down.
pub(crate) fn build() -> &'static str {
    if cfg!(debug_assertions) {
        "checked"
    } else {
        OPTIMIZED
    }
}

/// The results of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// `optimized` or `checked`.
    pub build: String,
    /// Size of the last-level cache in bytes, if the operating system reports it.
    pub last_level_cache: Option<usize>,
    /// The model, if the bench is of a model and not of kernels.
    pub model: Option<BenchedModel>,
    /// The fixed costs of a call, if they were measured.
    pub call_costs: Vec<CallCost>,
    /// One row for each computation and number of threads.
    pub rows: Vec<Row>,
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

/// The times of one computation on a number of threads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The computation.
    pub computation: Computation,
    /// Number of threads.
    pub threads: usize,
    /// The time of the Rust implementation.
    pub time: Timing,
    /// Comparisons with the oracles.
    pub oracles: Vec<Versus>,
    /// Limits of the machine for this row.
    pub roofs: Roofs,
    /// Reasons why the times are unreliable, if any.
    pub doubts: Vec<Doubt>,
}

/// A timed computation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Computation {
    /// A product by a kernel.
    Product(Product),
    /// An evaluation of the model.
    Evaluation(Evaluation),
}

/// A product by a kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// `gemv` or `gemm`.
    pub operation: String,
    /// Format id of the weights.
    pub format: String,
    /// Rows of the matrix.
    pub rows: usize,
    /// Columns of the matrix.
    pub cols: usize,
    /// Number of activation columns.
    pub batch: usize,
    /// Kernel id.
    pub kernel: String,
    /// Size of the weights in bytes.
    pub weight_bytes: usize,
    /// Number of copies of the weights that rotate.
    pub copies: usize,
    /// Memory that holds the weights when a call starts.
    pub residence: Residence,
}

/// The memory that holds the weights when a call starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Residence {
    /// The last-level cache: the weights fit, and nothing else was read in between.
    Cache,
    /// Main memory: at least twice the size of the last-level cache was read since the last use.
    Memory,
}

/// An evaluation of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// The phase.
    pub phase: Phase,
    /// Number of tokens in a call.
    pub tokens: usize,
    /// Number of positions in the context before the call.
    pub context: usize,
}

/// The timed phases of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// A prompt evaluated at once.
    Prefill,
    /// One token after the prompt.
    Decode,
}

impl Residence {
    /// `cache` or `memory`.
    pub const fn name(self) -> &'static str {
        match self {
            Residence::Cache => "cache",
            Residence::Memory => "memory",
        }
    }
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

impl Product {
    /// The shape as text: `rows x cols`, and the activation columns of a GEMM.
    pub fn shape(&self) -> String {
        let matrix = format!("{}x{}", self.rows, self.cols);
        match self.batch {
            1 => matrix,
            batch => format!("{matrix}x{batch}"),
        }
    }
}

impl Row {
    /// The kind of computation: `kernels`, or a phase of a model.
    pub fn kind(&self) -> &'static str {
        match &self.computation {
            Computation::Product(_) => "kernels",
            Computation::Evaluation(evaluation) => evaluation.phase.name(),
        }
    }

    /// The computation as text, with its shape and without the kernel.
    pub fn words(&self) -> String {
        match &self.computation {
            Computation::Product(product) => {
                let (operation, format) = (&product.operation, &product.format);
                let (shape, residence) = (product.shape(), product.residence.name());
                format!("{operation} {format} {shape} in {residence}")
            }
            Computation::Evaluation(evaluation) => {
                let (phase, tokens) = (evaluation.phase.name(), evaluation.tokens);
                format!("{phase} of {tokens} after {}", evaluation.context)
            }
        }
    }

    /// The comparison with an oracle, if there is one.
    pub fn against(&self, oracle: &str) -> Option<&Versus> {
        self.oracles.iter().find(|versus| versus.oracle == oracle)
    }

    /// Tokens per second of the Rust implementation, if the row is of a model.
    pub fn tokens_per_second(&self) -> Option<f64> {
        match &self.computation {
            Computation::Product(_) => None,
            Computation::Evaluation(of) => Some(of.tokens as f64 / self.time.seconds.value),
        }
    }

    /// All medians: of times, ratios to oracles and fractions of roofs.
    pub fn medians(&self) -> impl Iterator<Item = &Median> {
        let of_oracles = self.oracles.iter();
        let roofs = &self.roofs;
        let multiply_add = roofs.multiply_add_roof.iter().map(|roof| &roof.share);
        [
            &self.time.seconds,
            &roofs.read_roof.time.seconds,
            &roofs.read_roof.share,
        ]
        .into_iter()
        .chain(of_oracles.flat_map(|versus| [&versus.time.seconds, &versus.ratio]))
        .chain(multiply_add)
    }
}

impl Report {
    /// The id of the kernel of a row, or the ids of the kernels of the model.
    pub fn kernel(&self, row: &Row) -> String {
        match &row.computation {
            Computation::Product(product) => product.kernel.clone(),
            Computation::Evaluation(_) => {
                let model = self.model.iter();
                model.map(|model| model.kernels.join(" ")).collect()
            }
        }
    }

    /// The speed-up over one thread, if that was measured: of the row, and of reading alone. These samples were not
    /// interleaved, so there is no interval.
    pub fn scaling(&self, row: &Row) -> Option<(f64, f64)> {
        let is_single = |other: &&Row| other.threads == 1 && other.computation == row.computation;
        let single = self.rows.iter().find(is_single)?;
        let speedup = |a: &Timing, b: &Timing| a.seconds.value / b.seconds.value;
        let read = |row: &Row| row.roofs.read_roof.time.clone();
        (row.threads > 1).then(|| {
            (
                speedup(&single.time, &row.time),
                speedup(&read(single), &read(row)),
            )
        })
    }

    /// Rows in which the results of the Rust implementation and of an oracle disagree.
    pub fn disagreements(&self) -> impl Iterator<Item = (&Row, &Versus)> {
        let rows = self.rows.iter();
        rows.flat_map(|row| row.oracles.iter().map(move |versus| (row, versus)))
            .filter(|(_, versus)| !versus.agrees())
    }

    /// Sets the doubts of every row.
    pub fn doubt(&mut self, conditions: Conditions) {
        for row in &mut self.rows {
            row.doubts = doubt::of_row(row, &self.build, &self.call_costs, conditions);
        }
    }
}
