//! `harness worker`, which only the harness itself calls: see [`participant::worker`](crate::participant::worker).

use std::path::Path;

use clap::Args;

use super::CliError;
use crate::exit::Exit;
use crate::inference::{Inference, InferenceError, InferenceParams};
use crate::participant::OracleImplementation;
use crate::participant::worker::serve;

/// Open a model for another harness process, which communicates through standard input and output
#[derive(Debug, Args)]
pub(super) struct WorkerArgs {
    /// Id of that process
    #[arg(long, value_name = "PID")]
    parent: u32,
}

pub(super) fn run(args: &WorkerArgs) -> Result<Exit, CliError> {
    serve(args.parent, &open).map_err(CliError::Worker)?;
    Ok(Exit::Agreement)
}

fn open(
    oracle: &str,
    model: &Path,
    params: &InferenceParams,
) -> Result<Box<dyn Inference>, InferenceError> {
    let refused = |reason: String| InferenceError::Refused {
        implementation: oracle.to_owned(),
        reason,
    };
    let build = cpp_shim::builds().iter().find(|build| build.id() == oracle);
    let build = build.ok_or_else(|| refused("no such oracle is compiled in".into()))?;
    let loaded = build.load().map_err(|error| refused(error.to_string()))?;
    OracleImplementation::new(loaded).open_inference(model, params)
}
