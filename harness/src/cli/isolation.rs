//! Options of commands that run models with oracles, which happens in worker processes.

use std::time::Duration;

use clap::Args;

use super::duration;
use crate::side::worker::WorkerParams;

/// How long an oracle is waited for.
#[derive(Debug, Args)]
pub(super) struct Isolation {
    /// Give up an oracle that says nothing for so many seconds, or a time such as 10m, while it runs the model
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration::parse)]
    patience: Duration,
}

impl Isolation {
    /// Workers that are this command once more.
    pub(super) fn workers(&self) -> WorkerParams {
        WorkerParams {
            limit: self.patience,
            ..WorkerParams::default()
        }
    }
}
