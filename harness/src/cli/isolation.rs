//! Options of commands that run models on oracles, which happens in worker processes.

use std::time::Duration;

use clap::Args;

use super::duration;
use crate::participant::worker::WorkerParams;

/// The time limit of oracles.
#[derive(Debug, Args)]
pub(super) struct Isolation {
    /// Stop waiting for an oracle that runs the model and gives no answer for this time: a number of seconds, or for
    /// example 10m
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration::parse)]
    patience: Duration,
}

impl Default for Isolation {
    fn default() -> Isolation {
        Isolation {
            patience: WorkerParams::default().limit,
        }
    }
}

impl Isolation {
    /// Parameters for workers that run this executable.
    pub(super) fn workers(&self) -> WorkerParams {
        WorkerParams {
            limit: self.patience,
            ..WorkerParams::default()
        }
    }
}
