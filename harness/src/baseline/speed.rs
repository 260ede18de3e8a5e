//! How fast a kernel or a model was against an oracle.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bench::model::report::ModelReport;
use crate::bench::report::{Report, Residence};
use crate::bench::statistics::Median;

/// A row of a bench against one oracle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Speed {
    /// Whose, where, and at what.
    #[serde(flatten)]
    pub key: SpeedKey,
    /// The oracle's time over that of the Rust side, in turn in one process: above 1 the Rust side is faster.
    pub ratio: Median,
}

/// What has to be the same for two ratios to be compared.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct SpeedKey {
    /// Name of the CPU.
    pub cpu: String,
    /// What was computed, with its shape.
    pub work: String,
    /// Threads of each side.
    pub threads: usize,
    /// Kernel id, or those that a model ran on.
    pub kernel: String,
    /// Oracle id.
    pub oracle: String,
}

/// The rows of a bench of kernels; none of a build whose checks slow the Rust side down.
pub(super) fn of_kernels(cpu: &str, report: &Report) -> Vec<Speed> {
    let mut speeds = Vec::new();
    for row in report.rows.iter().filter(|_| is_optimized(&report.build)) {
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
            speeds.push(Speed {
                key: SpeedKey {
                    cpu: cpu.into(),
                    work: work.clone(),
                    threads: row.threads,
                    kernel: row.kernel.clone(),
                    oracle: versus.oracle.clone(),
                },
                ratio: versus.ratio,
            });
        }
    }
    speeds
}

/// The rows of a bench of a model; none of a build whose checks slow the Rust side down.
pub(super) fn of_model(cpu: &str, report: &ModelReport) -> Vec<Speed> {
    let mut speeds = Vec::new();
    for row in report.rows.iter().filter(|_| is_optimized(&report.build)) {
        let (phase, tokens, context) = (row.phase.name(), row.tokens, row.context);
        let model = report.model.sha256.get(..12).unwrap_or_default();
        let work = format!("{phase} of {tokens} after {context}, model {model}");
        for versus in row.oracles.iter().filter(|versus| versus.agrees()) {
            speeds.push(Speed {
                key: SpeedKey {
                    cpu: cpu.into(),
                    work: work.clone(),
                    threads: row.threads,
                    kernel: report.model.kernels.join(" "),
                    oracle: versus.oracle.clone(),
                },
                ratio: versus.ratio,
            });
        }
    }
    speeds
}

fn is_optimized(build: &str) -> bool {
    build == crate::bench::report::OPTIMIZED
}

impl SpeedKey {
    /// Everything but the CPU.
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
