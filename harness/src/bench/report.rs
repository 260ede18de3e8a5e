//! What a run of the bench comes to, as data: tables and JSON are made from it alone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::doubt::{self, Conditions, Doubt};
use super::statistics::Median;
use crate::tolerance::NMSE_CEILING;

/// The build whose times mean something.
pub const OPTIMIZED: &str = "optimized";

/// [`OPTIMIZED`], or `checked` where overflow checks and debug assertions slow the Rust side down.
pub(super) fn build() -> &'static str {
    if cfg!(debug_assertions) {
        "checked"
    } else {
        OPTIMIZED
    }
}

/// What a run of the bench measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// `optimized` or `checked`.
    pub build: String,
    /// Size of the last-level cache in bytes, if the operating system tells it.
    pub last_level_cache: Option<usize>,
    /// What a call costs before any arithmetic.
    pub call_costs: Vec<CallCost>,
    /// One row for each operation, shape, number of threads and kernel.
    pub rows: Vec<Row>,
    /// What could not take part, with reasons.
    pub skipped: Vec<String>,
}

/// The time of a product so small that starting and joining threads is all that counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallCost {
    /// Id of the side.
    pub side: String,
    /// Threads.
    pub threads: usize,
    /// Seconds a call.
    pub seconds: Median,
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
    /// Columns of activations.
    pub batch: usize,
    /// Threads.
    pub threads: usize,
    /// Kernel id.
    pub kernel: String,
    /// Bytes of the weights.
    pub weight_bytes: usize,
    /// Copies of the weights that were multiplied in turn.
    pub copies: usize,
    /// Where the weights lie when a call starts.
    pub residence: Residence,
    /// The kernel's time.
    pub time: Timing,
    /// Against each oracle.
    pub oracles: Vec<Versus>,
    /// What no kernel can beat.
    pub roofs: Roofs,
    /// Why the times cannot be relied on, if anything speaks against them.
    pub doubts: Vec<Doubt>,
}

/// Where weights lie when a call starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Residence {
    /// They fit into the last-level cache, and nothing else was read in between.
    Cache,
    /// At least twice as many bytes as the last-level cache holds were read since.
    Memory,
}

/// Seconds a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// Median over the samples.
    pub seconds: Median,
    /// Calls in each sample.
    pub calls: usize,
}

/// The Rust side against an oracle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Versus {
    /// Oracle id.
    pub oracle: String,
    /// The oracle's time.
    pub time: Timing,
    /// The oracle's time over that of the Rust side, sample by sample: above 1 the Rust side is faster.
    pub ratio: Median,
    /// How far the results are from the oracle's: normalised mean square error. None where a value is not
    /// finite or only the oracle's are all zero.
    pub nmse: Option<f64>,
}

/// What nobody can beat on this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Roofs {
    /// What reading the weights alone takes.
    pub read_roof: ReadRoof,
    /// What multiplying and adding alone takes, if the kernel's instruction set has a roof here.
    pub multiply_add_roof: Option<MultiplyAddRoof>,
}

/// The read roof.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadRoof {
    /// Time to read the weights once.
    pub time: Timing,
    /// The same as a bandwidth.
    pub bytes_per_second: f64,
    /// The roof's time over the kernel's, sample by sample.
    pub share: Median,
}

/// The multiply-add roof.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MultiplyAddRoof {
    /// What was executed.
    pub instruction: String,
    /// Products of int8 added up in a second, by all threads together.
    pub per_second: f64,
    /// The time that the product needs at this rate over the kernel's time, sample by sample.
    pub share: Median,
}

/// A roof by name.
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

impl Roofs {
    /// Every median in it.
    fn medians(&self) -> impl Iterator<Item = &Median> {
        let multiply_add = self.multiply_add_roof.iter().map(|roof| &roof.share);
        [&self.read_roof.time.seconds, &self.read_roof.share]
            .into_iter()
            .chain(multiply_add)
    }
}

/// Every median of a row: of its times, of its ratios to oracles, of its shares of roofs.
pub(crate) fn medians<'a>(
    time: &'a Timing,
    oracles: &'a [Versus],
    roofs: &'a Roofs,
) -> impl Iterator<Item = &'a Median> {
    let of_oracles = oracles.iter().flat_map(|o| [&o.time.seconds, &o.ratio]);
    std::iter::once(&time.seconds)
        .chain(of_oracles)
        .chain(roofs.medians())
}

impl Versus {
    /// Whether both computed the same, within what llama.cpp's own tests allow; times of anything else mean nothing.
    pub fn agrees(&self) -> bool {
        self.nmse.is_some_and(|nmse| nmse <= NMSE_CEILING)
    }
}

impl Roofs {
    /// The lower of both roofs, which the work is nearer to, and its share of it.
    pub fn nearest(&self) -> (Roof, Median) {
        let read = self.read_roof.share;
        match &self.multiply_add_roof {
            Some(roof) if roof.share.value > read.value => (Roof::MultiplyAdd, roof.share),
            _ => (Roof::Read, read),
        }
    }
}

impl Row {
    /// `rows x cols`, and the columns of activations of a GEMM.
    pub fn shape(&self) -> String {
        let matrix = format!("{}x{}", self.rows, self.cols);
        match self.batch {
            1 => matrix,
            batch => format!("{matrix}x{batch}"),
        }
    }

    /// Whether the other row is the same work by the same kernel on one thread.
    pub fn is_single_of(&self, other: &Row) -> bool {
        let work = |row: &Row| (row.rows, row.cols, row.batch, row.copies);
        self.threads == 1
            && other.threads > 1
            && self.kernel == other.kernel
            && work(self) == work(other)
    }
}

impl Report {
    /// Sets the doubts of every row.
    pub fn doubt(&mut self, conditions: Conditions) {
        for row in &mut self.rows {
            row.doubts = doubt::of_kernel(row, &self.build, &self.call_costs, conditions);
        }
    }

    /// How many times faster the row is than the same work on one thread, if that was measured: the kernel, and
    /// reading alone. Samples were not taken in turn, so there is no interval.
    pub fn scaling(&self, row: &Row) -> Option<(f64, f64)> {
        let single = self.rows.iter().find(|single| single.is_single_of(row))?;
        let speedup = |a: &Timing, b: &Timing| a.seconds.value / b.seconds.value;
        Some((
            speedup(&single.time, &row.time),
            speedup(&single.roofs.read_roof.time, &row.roofs.read_roof.time),
        ))
    }

    /// Rows whose kernel and oracle computed different things.
    pub fn disagreements(&self) -> impl Iterator<Item = (&Row, &Versus)> {
        self.rows
            .iter()
            .flat_map(|row| row.oracles.iter().map(move |versus| (row, versus)))
            .filter(|(_, versus)| !versus.agrees())
    }
}
