//! Who takes part in a run.

use cpp_shim::Description;
use qk256::format::Format;
use qk256::kernel::{self, Isa};

use super::worker::{WorkerParams, Workers};
use super::{KernelSide, OracleSide};
use crate::implementation::Implementation;
use crate::inference::Engine;

/// The sides of a run.
pub struct Sides {
    /// References; distances between the first and each other one are the noise floor.
    pub references: Vec<Reference>,
    /// Candidates of the rungs that compare kernels.
    pub candidates: Vec<Candidate>,
    /// Candidates of the rungs that run a model.
    pub engines: Vec<Box<dyn Engine>>,
}

/// A side that candidates are compared with.
pub struct Reference {
    /// The implementation.
    pub side: Box<dyn Implementation>,
    /// Whether candidates are compared with it, or whether it is here for the noise floor only.
    pub compared: bool,
    /// What it says of itself, if it is an oracle.
    pub description: Option<Description>,
    /// What runs models with it, if anything does.
    pub engine: Option<Box<dyn Engine>>,
}

/// A side that is under test.
pub struct Candidate {
    /// The implementation.
    pub side: Box<dyn Implementation>,
    /// The format that it multiplies.
    pub format: &'static Format,
    /// Whether it works weight by weight, so that it sees excerpts of large tensors only.
    pub slow: bool,
}

impl Candidate {
    /// Every kernel of the registry that passes `wanted`.
    pub fn kernels(wanted: impl Fn(&kernel::Kernel) -> bool) -> Vec<Candidate> {
        kernel::all()
            .iter()
            .filter(|kernel| wanted(kernel))
            .map(|kernel| Candidate {
                side: Box::new(KernelSide::new(kernel)),
                format: kernel.format(),
                slow: kernel.isa() == Isa::Naive,
            })
            .collect()
    }
}

impl Reference {
    /// A loaded oracle.
    pub fn oracle(side: OracleSide, compared: bool) -> Reference {
        let description = Some(side.oracle().description().clone());
        Reference {
            engine: Some(Box::new(side.clone())),
            side: Box::new(side),
            compared,
            description,
        }
    }
    /// The same, running models in processes of their own if it runs any.
    #[must_use]
    pub fn in_workers(self, params: &WorkerParams) -> Reference {
        let workers = |engine: Box<dyn Engine>| -> Box<dyn Engine> {
            Box::new(Workers::new(engine.id(), params.clone()))
        };
        Reference {
            engine: self.engine.map(workers),
            ..self
        }
    }
}
