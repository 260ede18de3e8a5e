//! An oracle that runs every model in a process of its own.

use std::path::Path;

use super::client::Worker;
use super::process::WorkerParams;
use crate::inference::{Engine, Inference, InferenceError, InferenceParams};
use crate::mapped;

/// An oracle whose models are run by workers, one for each.
#[derive(Debug, Clone)]
pub struct Workers {
    oracle: String,
    params: WorkerParams,
}

impl Workers {
    /// Workers of the oracle of this id.
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
