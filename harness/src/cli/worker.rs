//! `harness worker`, which only the harness itself calls: see [`participant::worker`](crate::participant::worker).

use std::path::Path;

use clap::Args;
use cpp_shim::Oracle;

use super::CliError;
use crate::exit::Exit;
use crate::inference::{Inference, InferenceError, InferenceParams};
use crate::model::Model;
use crate::oracles;
use crate::participant::worker::serve;
use crate::participant::{OracleImplementation, missing_types};

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
    let build = oracles::find(oracle).map_err(|error| refused(error.to_string()))?;
    let build = build.ok_or_else(|| refused("there is no such oracle".into()))?;
    let loaded = build.load().map_err(|error| refused(error.to_string()))?;
    if let Some(reason) = refused_type(&loaded, model) {
        return Err(InferenceError::Unsupported {
            implementation: oracle.to_owned(),
            reason,
        });
    }
    OracleImplementation::new(loaded).open_inference(model, params)
}

/// The reason why the oracle must not run a model: a type that it does not have, on which old vintages abort, or whose
/// known answer was wrong. A model that cannot be read is left to the oracle.
fn refused_type(oracle: &Oracle, path: &Path) -> Option<String> {
    let model = Model::open(path).ok()?;
    let gguf = model.gguf();
    let refused = gguf.tensors().find_map(|tensor| {
        let name = tensor.ggml_type().to_string();
        let reason = oracles::refused_model(oracle.id(), &name)?;
        Some(format!("type {name} is refused: {reason}"))
    });
    refused.or_else(|| {
        let missing = missing_types(oracle.description(), &model);
        (!missing.is_empty()).then(|| format!("it has no type {}", missing.join(", ")))
    })
}
