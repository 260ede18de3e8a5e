//! The participants of a run.

use cpp_shim::Description;
use qk256::format::Format;
use qk256::kernel::{self, Isa};

use super::worker::{WorkerParams, Workers};
use super::{KernelImplementation, OracleImplementation};
use crate::implementation::Implementation;
use crate::inference::Engine;
use crate::probe::{DerivedLut, Luts};

/// The participants of a run.
pub struct Participants {
    /// Oracles. The distance between the first and each other one is the noise floor.
    pub references: Vec<Reference>,
    /// Candidates of the kernel levels.
    pub candidates: Vec<Candidate>,
    /// Candidates of the levels that run a model.
    pub engines: Vec<Box<dyn Engine>>,
}

/// An implementation that candidates are compared with, usually an oracle.
pub struct Reference {
    /// The implementation.
    pub implementation: Box<dyn Implementation>,
    /// Whether candidates are compared with it. Otherwise it is only used for the noise floor.
    pub compared: bool,
    /// Provenance, if it is an oracle.
    pub description: Option<Description>,
    /// The engine that runs models, if there is one.
    pub engine: Option<Box<dyn Engine>>,
    /// Tables derived from it so far.
    pub luts: Luts,
}

/// An implementation under test.
pub struct Candidate {
    /// The implementation.
    pub implementation: Box<dyn Implementation>,
    /// The format of its weights.
    pub format: &'static Format,
    /// Whether it works weight by weight, so that it gets only excerpts of large tensors.
    pub slow: bool,
}

impl Candidate {
    /// The kernels of the registry that `wanted` selects.
    pub fn kernels(wanted: impl Fn(&kernel::Kernel) -> bool) -> Vec<Candidate> {
        kernel::all()
            .iter()
            .filter(|kernel| wanted(kernel))
            .map(|kernel| Candidate {
                implementation: Box::new(KernelImplementation::new(kernel)),
                format: kernel.format(),
                slow: kernel.isa() == Isa::Naive,
            })
            .collect()
    }
}

impl Reference {
    /// Wraps a loaded oracle.
    pub fn oracle(implementation: OracleImplementation, compared: bool) -> Reference {
        let description = Some(implementation.oracle().description().clone());
        Reference {
            engine: Some(Box::new(implementation.clone())),
            implementation: Box::new(implementation),
            compared,
            description,
            luts: Luts::default(),
        }
    }

    /// The table of a format, derived from the implementation.
    pub fn lut(&self, format: &'static Format) -> DerivedLut {
        self.luts.of(self.implementation.as_ref(), format)
    }

    /// Moves the running of models, if there is an engine, to worker processes.
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
