//! The participants of a run.

use std::path::Path;

use cpp_shim::Description;
use qk256::format::Format;
use qk256::kernel::{self, Isa};

use super::worker::{WorkerParams, Workers};
use super::{KernelImplementation, OracleImplementation, missing_types};
use crate::implementation::Implementation;
use crate::inference::Engine;
use crate::model::Model;
use crate::probe::{DerivedLut, Luts};

/// The participants of a run.
pub struct Participants {
    /// Oracles.
    pub references: Vec<Reference>,
    /// Candidates of the kernel levels.
    pub candidates: Vec<Candidate>,
    /// Candidates of the levels that run a model.
    pub engines: Vec<Box<dyn Engine>>,
    /// The upstream of the candidates, if they are those of an oracle.
    pub upstream: Option<String>,
}

/// An implementation that candidates are compared with, usually an oracle.
pub struct Reference {
    /// The implementation.
    pub implementation: Box<dyn Implementation>,
    /// Whether candidates are compared with it. Otherwise it is only used for the noise floor.
    pub compared: bool,
    /// Provenance, if it is an oracle.
    pub description: Option<Description>,
    /// What candidates must have in common with it.
    pub build: BuildKind,
    /// The engine that runs models, if there is one.
    pub engine: Option<Box<dyn Engine>>,
    /// Tables derived from it so far.
    pub luts: Luts,
}

/// The kinds of oracles, which differ in what candidates must have in common with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildKind {
    /// The kernels and the forward pass must have its bits.
    Identity,
    /// Another embedded build of the same source.
    Embedded,
    /// Added by the user.
    Added,
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

impl Participants {
    /// Two oracles, by their indices, whose distance is the noise floor of comparisons with oracle `reference`; none if
    /// candidates must have its bits.
    ///
    /// The kernels and the forward pass promise the arithmetic of the identity builds. Against another embedded build,
    /// its distance to the identity build of its upstream is allowed. Against an oracle that the user added, and if the
    /// candidate is an oracle, which promises nothing, the distance of two embedded builds is allowed. An added oracle may
    /// be of another vintage, so these are the ones that are farthest from each other.
    ///
    /// # Errors
    ///
    /// The reason why there is no noise floor: too few of these builds take part.
    pub fn noise_floor(&self, reference: usize) -> Result<Option<(usize, usize)>, String> {
        let of = &self.references[reference];
        let pair = match (of.build, &self.upstream) {
            (BuildKind::Identity, None) => return Ok(None),
            (BuildKind::Embedded, None) => {
                let base = self.identity_of(of.upstream());
                base.map(|base| (base, reference))
            }
            (BuildKind::Identity | BuildKind::Embedded, Some(_)) => self.siblings(reference).next(),
            (BuildKind::Added, _) => {
                let first = || self.references.iter().position(Reference::is_identity);
                let base = self.identity_of(of.upstream()).or_else(first);
                base.and_then(|base| self.siblings(base).last())
            }
        };
        pair.map(Some).ok_or_else(|| {
            format!(
                "no noise floor for {}: it is the distance between two embedded builds, and too few of them can be used \
                 here",
                of.implementation.id()
            )
        })
    }

    /// The oracles, by their indices, that a candidate for weights of a format is compared with: those that have its
    /// type, or all if none has it.
    pub(crate) fn compared_on(&self, format: &'static Format) -> Vec<usize> {
        let compared = |(_, reference): &(usize, &Reference)| reference.compared;
        let of = self.references.iter().enumerate().filter(compared);
        let having = of.clone().filter(|(_, reference)| reference.has(format));
        let having: Vec<usize> = having.map(|(index, _)| index).collect();
        if having.is_empty() {
            return of.map(|(index, _)| index).collect();
        }
        having
    }

    /// The oracles, by their indices, that run a model: those that have all of its types, or all if none that is
    /// compared does. A model that cannot be read is left to all of them.
    pub(crate) fn running(&self, model: &Path) -> Vec<usize> {
        let of = self.references.iter().enumerate();
        let of = of.filter(|(_, reference)| reference.engine.is_some());
        if let Ok(model) = Model::of_run(model) {
            let able = of
                .clone()
                .filter(|(_, r)| r.missing_types(&model).is_empty());
            if able.clone().any(|(_, reference)| reference.compared) {
                return able.map(|(index, _)| index).collect();
            }
        }
        of.map(|(index, _)| index).collect()
    }

    /// The identity build of an upstream.
    fn identity_of(&self, upstream: Option<&str>) -> Option<usize> {
        let mut references = self.references.iter();
        references.position(|other| other.is_identity() && other.upstream() == upstream)
    }

    /// An embedded build with each other one of the same upstream. The last one is the farthest: it adds in another
    /// order.
    fn siblings(&self, base: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        let upstream = self.references[base].upstream();
        let is_sibling = move |(index, other): &(usize, &Reference)| {
            *index != base && other.is_embedded() && other.upstream() == upstream
        };
        let siblings = self.references.iter().enumerate().filter(is_sibling);
        siblings.map(move |(index, _)| (base, index))
    }
}

impl Candidate {
    /// An oracle as a candidate for the weights of each format.
    pub fn oracle(
        implementation: &OracleImplementation,
        formats: &[&'static Format],
    ) -> Vec<Candidate> {
        let candidate = |&format: &&'static Format| Candidate {
            implementation: Box::new(implementation.clone()),
            format,
            slow: false,
        };
        formats.iter().map(candidate).collect()
    }

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
    pub fn oracle(
        implementation: OracleImplementation,
        compared: bool,
        build: BuildKind,
    ) -> Reference {
        let description = Some(implementation.oracle().description().clone());
        Reference {
            engine: Some(Box::new(implementation.clone())),
            implementation: Box::new(implementation),
            compared,
            description,
            build,
            luts: Luts::default(),
        }
    }

    /// Whether candidates must have its bits.
    pub fn is_identity(&self) -> bool {
        self.build == BuildKind::Identity
    }

    fn is_embedded(&self) -> bool {
        self.build != BuildKind::Added
    }

    /// The upstream of an oracle.
    pub fn upstream(&self) -> Option<&str> {
        self.description
            .as_ref()
            .map(|description| description.upstream.as_str())
    }

    /// Whether the implementation has the type of a format.
    pub fn has(&self, format: &Format) -> bool {
        self.description.as_ref().is_none_or(|description| {
            let theirs = cpp_shim::Format::named(format.type_name);
            description.format(theirs).is_some()
        })
    }

    /// The types of a model's tensors that the oracle lacks, as [`missing_types`].
    pub(crate) fn missing_types(&self, model: &Model) -> Vec<String> {
        self.description
            .as_ref()
            .map_or_else(Vec::new, |description| missing_types(description, model))
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
