//! Speed of a kernel or a model relative to an oracle.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bench::doubt::Doubt;
use crate::bench::report::Row;
use crate::bench::statistics::Median;
use crate::bench::timing::Versus;
use crate::receipt::{Contents, Receipt};

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
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DoubtfulSpeed {
    /// Identity of the row.
    #[serde(flatten)]
    pub key: SpeedKey,
    /// Reasons why the row is not reliable.
    pub doubts: Vec<Doubt>,
}

/// The rows of receipts, with and without doubts.
#[derive(Debug, Default)]
pub(super) struct Speeds {
    sound: Vec<Speed>,
    doubtful: Vec<DoubtfulSpeed>,
}

impl Speeds {
    /// Adds the rows of a receipt, against each oracle that agrees.
    pub(super) fn add(&mut self, receipt: &Receipt) {
        for bench in receipt.harness.benches() {
            let report = &bench.report;
            let cpu = receipt.environment_of(bench.section()).cpu_in_full();
            let model = report.model.iter().map(|model| {
                let sha256 = model.sha256.get(..12).unwrap_or_default();
                format!(", model {sha256}")
            });
            let model: String = model.collect();
            for row in &report.rows {
                for versus in row.oracles.iter().filter(|versus| versus.agrees()) {
                    let key = SpeedKey {
                        cpu: cpu.clone(),
                        work: row.words() + &model,
                        threads: row.threads,
                        kernel: report.kernel(row),
                        oracle: versus.oracle.clone(),
                    };
                    self.add_row(key, row, versus);
                }
            }
        }
    }

    fn add_row(&mut self, key: SpeedKey, row: &Row, versus: &Versus) {
        if row.doubts.is_empty() {
            self.sound.push(Speed {
                key,
                ratio: versus.ratio,
                seconds: row.time.seconds.value,
                oracle_seconds: versus.time.seconds.value,
            });
        } else {
            let doubts = row.doubts.clone();
            self.doubtful.push(DoubtfulSpeed { key, doubts });
        }
    }

    /// The fastest measurement of each row, because a single run at the old speed shows that nothing became slower, and
    /// the rows that are in doubt in every run.
    pub(super) fn distinct(self) -> (Vec<Speed>, Vec<DoubtfulSpeed>) {
        let (mut sound, mut doubtful) = (self.sound, self.doubtful);
        sound.sort_by(|a, b| {
            let faster = b.ratio.value.total_cmp(&a.ratio.value);
            a.key.cmp(&b.key).then(faster)
        });
        sound.dedup_by(|next, kept| next.key == kept.key);
        doubtful.retain(|row| sound.iter().all(|sound| sound.key != row.key));
        doubtful.sort_by(|a, b| a.key.cmp(&b.key));
        doubtful.dedup_by(|next, kept| next.key == kept.key);
        (sound, doubtful)
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

impl SpeedKey {
    /// The key as text, without the CPU.
    pub fn words(&self) -> String {
        let (work, threads, kernel, oracle) =
            (&self.work, self.threads, &self.kernel, &self.oracle);
        let plural = if threads == 1 { "" } else { "s" };
        format!("{work}, {threads} thread{plural}, {kernel} against {oracle}")
    }
}
