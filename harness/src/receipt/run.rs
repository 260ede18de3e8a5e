//! A run of a receipt: its command, machine, times and kernel calls.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Instant, SystemTime};

use qk256::kernel;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::environment::Environment;
use crate::check::Timing;
use crate::shard::Shard;

/// A section of a receipt: one kind of work.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// The levels on a model.
    Check,
    /// Random cases.
    Fuzz,
    /// Mutants.
    Mutants,
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
        Section::Mutants,
        Section::Bench,
        Section::BenchModel,
    ];

    /// Stable name used in receipts and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Section::Check => "check",
            Section::Fuzz => "fuzz",
            Section::Mutants => "mutants",
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

/// One run: a command on a machine. A merged receipt has several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Section.
    pub section: Section,
    /// Shard of the section.
    pub shard: Shard,
    /// The command line.
    pub command: Vec<String>,
    /// The model as named on the command line, if the run used one; empty for the default model.
    pub model: Option<String>,
    /// Ids of the oracles that took part, including the first available one, which the noise floor requires.
    pub oracles: Vec<String>,
    /// Numbers of calls of the kernels that executed, counted by the dispatcher.
    pub calls: BTreeMap<String, u64>,
    /// End of the run (RFC 3339, UTC).
    pub timestamp: String,
    /// Duration in seconds.
    pub seconds: f64,
    /// Durations of the steps.
    pub timings: Vec<Timing>,
    /// The machine and the build.
    pub environment: Environment,
}

/// Records the start of a run, from which its duration and its numbers of kernel calls are computed.
#[derive(Debug)]
pub struct Recorder {
    started: Instant,
    calls: Vec<u64>,
}

impl Recorder {
    /// Starts the recording.
    pub fn start() -> Recorder {
        Recorder {
            started: Instant::now(),
            calls: kernel::all().iter().map(|kernel| kernel.calls()).collect(),
        }
    }

    /// The run from the start of the recording until now.
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
