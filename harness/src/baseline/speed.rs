//! Speed of a kernel or a model relative to an oracle.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bench::doubt::Doubt;
use crate::bench::model::report::ModelReport;
use crate::bench::report::{Report, Residence, Versus};
use crate::bench::statistics::Median;

/// A row of a bench against one oracle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Speed {
    /// Identity of the row.
    #[serde(flatten)]
    pub key: SpeedKey,
    /// Time of the oracle divided by that of the Rust implementation. Both are timed alternately in one process. Above
    /// 1, the Rust implementation is faster.
    pub ratio: Median,
    /// Seconds for a call of the Rust implementation.
    pub seconds: f64,
    /// Seconds for a call of the oracle.
    pub oracle_seconds: f64,
}

/// A row that is not reliable.
#[derive(Debug, Clone, PartialEq)]
pub struct DoubtfulSpeed {
    /// Identity of the row.
    pub key: SpeedKey,
    /// Reasons why the row is not reliable.
    pub doubts: Vec<Doubt>,
}

/// The rows of receipts, with and without doubts.
#[derive(Debug, Default)]
pub(super) struct Speeds {
    pub(super) sound: Vec<Speed>,
    pub(super) doubtful: Vec<DoubtfulSpeed>,
}

impl Speeds {
    fn add(&mut self, key: SpeedKey, seconds: f64, versus: &Versus, doubts: &[Doubt]) {
        if doubts.is_empty() {
            self.sound.push(Speed {
                key,
                ratio: versus.ratio,
                seconds,
                oracle_seconds: versus.time.seconds.value,
            });
        } else {
            let doubts = doubts.to_vec();
            self.doubtful.push(DoubtfulSpeed { key, doubts });
        }
    }
}

/// Identity of a row. Only ratios with the same key are compared.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct SpeedKey {
    /// Name and features of the CPU.
    pub cpu: String,
    /// The computation, with its shape.
    pub work: String,
    /// Number of threads of each implementation.
    pub threads: usize,
    /// Kernel id, or the ids of the kernels that a model ran on.
    pub kernel: String,
    /// Oracle id.
    pub oracle: String,
}

/// Adds the rows of a bench of kernels.
pub(super) fn of_kernels(cpu: &str, report: &Report, speeds: &mut Speeds) {
    for row in &report.rows {
        let residence = match row.residence {
            Residence::Cache => "cache",
            Residence::Memory => "memory",
        };
        let work = format!(
            "{} {} {} in {residence}",
            row.operation,
            row.format,
            row.shape()
        );
        for versus in row.oracles.iter().filter(|versus| versus.agrees()) {
            let key = SpeedKey {
                cpu: cpu.into(),
                work: work.clone(),
                threads: row.threads,
                kernel: row.kernel.clone(),
                oracle: versus.oracle.clone(),
            };
            speeds.add(key, row.time.seconds.value, versus, &row.doubts);
        }
    }
}

/// Adds the rows of a bench of a model.
pub(super) fn of_model(cpu: &str, report: &ModelReport, speeds: &mut Speeds) {
    for row in &report.rows {
        let (phase, tokens, context) = (row.phase.name(), row.tokens, row.context);
        let model = report.model.sha256.get(..12).unwrap_or_default();
        let work = format!("{phase} of {tokens} after {context}, model {model}");
        for versus in row.oracles.iter().filter(|versus| versus.agrees()) {
            let key = SpeedKey {
                cpu: cpu.into(),
                work: work.clone(),
                threads: row.threads,
                kernel: report.model.kernels.join(" "),
                oracle: versus.oracle.clone(),
            };
            speeds.add(key, row.time.seconds.value, versus, &row.doubts);
        }
    }
}

impl SpeedKey {
    /// The key as text, without the CPU.
    pub fn words(&self) -> String {
        let SpeedKey {
            work,
            threads,
            kernel,
            oracle,
            ..
        } = self;
        let plural = if *threads == 1 { "" } else { "s" };
        format!("{work}, {threads} thread{plural}, {kernel} against {oracle}")
    }
}
