//! Who did the work of a receipt, when, where, and what executed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Instant, SystemTime};

use qk256::kernel;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::environment::Environment;
use crate::ladder::Timing;
use crate::shard::Shard;

/// A section of a receipt: what kind of work.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// The ladder on a model.
    Check,
    /// Random cases.
    Fuzz,
    /// Planted mistakes.
    Mistakes,
    /// Times of kernels.
    Bench,
    /// Times of a whole model.
    BenchModel,
}

impl Section {
    /// Every section, in the order of a receipt.
    pub const ALL: [Section; 5] = [
        Section::Check,
        Section::Fuzz,
        Section::Mistakes,
        Section::Bench,
        Section::BenchModel,
    ];

    /// Stable name, as receipts and the command line show it.
    pub const fn name(self) -> &'static str {
        match self {
            Section::Check => "check",
            Section::Fuzz => "fuzz",
            Section::Mistakes => "mistakes",
            Section::Bench => "bench",
            Section::BenchModel => "bench_model",
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One run: a command on a machine. A receipt that was merged has several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// What it worked on.
    pub section: Section,
    /// Which part of that.
    pub shard: Shard,
    /// The command line.
    pub command: Vec<String>,
    /// How the model was named, if there was one; empty for the default model.
    pub model: Option<String>,
    /// Ids of the oracles that took part, and of the first available one, which is there for the noise floor.
    pub oracles: Vec<String>,
    /// The kernels that executed, with how often: the dispatcher's own counts.
    pub calls: BTreeMap<String, u64>,
    /// When it ended, RFC 3339, UTC.
    pub timestamp: String,
    /// How long it took.
    pub seconds: f64,
    /// How long its steps took.
    pub timings: Vec<Timing>,
    /// Where it ran.
    pub environment: Environment,
}

/// Watches a run from its start, for what its receipt says of it.
#[derive(Debug)]
pub struct Recorder {
    started: Instant,
    calls: Vec<u64>,
}

impl Recorder {
    /// From now on.
    pub fn start() -> Recorder {
        Recorder {
            started: Instant::now(),
            calls: kernel::all().iter().map(|kernel| kernel.calls()).collect(),
        }
    }

    /// The run, which ends now.
    pub fn finish(
        &self,
        section: Section,
        shard: Shard,
        model: Option<String>,
        oracles: Vec<String>,
        timings: Vec<Timing>,
    ) -> Run {
        let called = kernel::all().iter().zip(&self.calls);
        let calls =
            called.map(|(kernel, before)| (kernel.id().to_owned(), kernel.calls() - before));
        Run {
            section,
            shard,
            command: std::env::args().collect(),
            model,
            oracles,
            calls: calls.filter(|&(_, calls)| calls > 0).collect(),
            timestamp: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            seconds: self.started.elapsed().as_secs_f64(),
            timings,
            environment: Environment::here(),
        }
    }
}
