//! The report of the kernel bench. Tables and JSON are made from it alone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::doubt::{self, Conditions, Doubt};
pub(crate) use super::timing::build;
use super::timing::timed;
pub use super::timing::{
    CallCost, MultiplyAddRoof, OPTIMIZED, ReadRoof, Roof, Roofs, Timed, TimedReport, Timing, Versus,
};
use crate::outcome::Omission;

/// The results of a run of the kernel bench.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// `optimized` or `checked`.
    pub build: String,
    /// Size of the last-level cache in bytes, if the operating system reports it.
    pub last_level_cache: Option<usize>,
    /// The fixed costs of a call.
    pub call_costs: Vec<CallCost>,
    /// One row for each operation, shape, number of threads and kernel.
    pub rows: Vec<Row>,
    /// Participants and cases that were omitted.
    pub omitted: Vec<Omission>,
}

/// One kernel in one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Row {
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
    /// Number of threads.
    pub threads: usize,
    /// Kernel id.
    pub kernel: String,
    /// Size of the weights in bytes.
    pub weight_bytes: usize,
    /// Number of copies of the weights that rotate.
    pub copies: usize,
    /// Memory that holds the weights when a call starts.
    pub residence: Residence,
    /// The kernel's time.
    pub time: Timing,
    /// Comparisons with the oracles.
    pub oracles: Vec<Versus>,
    /// Limits of the machine for this row.
    pub roofs: Roofs,
    /// Reasons why the times are unreliable, if any.
    pub doubts: Vec<Doubt>,
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

impl Row {
    /// The shape as text: `rows x cols`, and the activation columns of a GEMM.
    pub fn shape(&self) -> String {
        let matrix = format!("{}x{}", self.rows, self.cols);
        match self.batch {
            1 => matrix,
            batch => format!("{matrix}x{batch}"),
        }
    }

    /// Whether the other row is the same work by the same kernel with one thread.
    pub fn is_single_of(&self, other: &Row) -> bool {
        let work = |row: &Row| (row.rows, row.cols, row.batch, row.copies);
        self.threads == 1
            && other.threads > 1
            && self.kernel == other.kernel
            && work(self) == work(other)
    }
}

impl Report {
    /// The speed-up over one thread, if that was measured: of the kernel, and of reading alone. These samples were not
    /// interleaved, so there is no interval.
    pub fn scaling(&self, row: &Row) -> Option<(f64, f64)> {
        let single = self.rows.iter().find(|single| single.is_single_of(row))?;
        let speedup = |a: &Timing, b: &Timing| a.seconds.value / b.seconds.value;
        Some((
            speedup(&single.time, &row.time),
            speedup(&single.roofs.read_roof.time, &row.roofs.read_roof.time),
        ))
    }
}

timed!(Report, Row, |report, row, conditions| doubt::of_kernel(
    row,
    &report.build,
    &report.call_costs,
    conditions
));
