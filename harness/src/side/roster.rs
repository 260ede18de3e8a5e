//! Who takes part in a run.

use cpp_shim::Description;
use qk256::format::{FORMATS, Format, Layout};
use qk256::kernel::{self, Isa};

use super::{KernelSide, OracleSide};
use crate::implementation::Implementation;

/// The sides of a run.
pub struct Sides {
    /// References; distances between the first and each other one are the noise floor.
    pub references: Vec<Reference>,
    /// Candidates.
    pub candidates: Vec<Candidate>,
}

/// A side that candidates are compared with.
pub struct Reference {
    /// The implementation.
    pub side: Box<dyn Implementation>,
    /// Whether candidates are compared with it, or whether it is here for the noise floor only.
    pub compared: bool,
    /// What it says of itself, if it is an oracle.
    pub description: Option<Description>,
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
            side: Box::new(side),
            compared,
            description,
        }
    }
}

/// The format in which references write weights of this type and codebook: the same, in the reference's own layout.
pub fn reference_format(format: &Format) -> &'static Format {
    FORMATS
        .iter()
        .find(|other| other.type_name == format.type_name && other.codebook == format.codebook)
        .expect("a format is in the list of formats")
}

/// The layout in which references write I2_S.
pub fn reference_layout() -> Layout {
    reference_format(&qk256::format::I2_S_SEQUENTIAL).layout
}
