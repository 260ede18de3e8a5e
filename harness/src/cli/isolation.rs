//! Options of commands that run models with oracles, which happens in worker processes.

use std::time::Duration;

use clap::Args;

use crate::side::worker::WorkerParams;

/// How long an oracle is waited for.
#[derive(Debug, Args)]
pub(super) struct Isolation {
    /// Give up an oracle that says nothing for so long while it runs the model, such as 90s
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration)]
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
