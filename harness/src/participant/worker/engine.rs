//! Oracles that run every model in a worker process.

use std::path::Path;

use super::client::Worker;
use super::process::WorkerParams;
use crate::inference::{Engine, Inference, InferenceError, InferenceParams};
use crate::mapped;

/// An oracle with a worker process for each open model.
#[derive(Debug, Clone)]
pub struct Workers {
    oracle: String,
    params: WorkerParams,
}

impl Workers {
    /// Creates the engine for the oracle with this id.
    pub fn new(oracle: impl Into<String>, params: WorkerParams) -> Workers {
        Workers {
            oracle: oracle.into(),
            params,
        }
    }
}

impl Engine for Workers {
    fn id(&self) -> &str {
        &self.oracle
    }

    fn with_model(
        &self,
        path: &Path,
        params: &InferenceParams,
        work: &mut dyn FnMut(&mut dyn Inference),
    ) -> Result<(), InferenceError> {
        let open = |path: &Path| Worker::open(&self.oracle, path, params, &self.params);
        let worker = match mapped::opened(path) {
            Some(file) => file.opened_by(open),
            None => open(path),
        };
        work(&mut worker?);
        Ok(())
    }
}
