//! Instruction sets.

use thiserror::Error;

/// What a kernel is written for, the slowest first: the order in which [`best`](super::best) prefers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// The definition, one weight at a time.
    Naive,
    /// Portable Rust that compilers vectorize for the target's baseline.
    Scalar,
}

impl Isa {
    /// Stable name, the last part of a kernel's id.
    pub const fn name(self) -> &'static str {
        match self {
            Isa::Naive => "naive",
            Isa::Scalar => "scalar",
        }
    }
}

/// What this CPU lacks for a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no {feature}")]
pub struct Unavailable {
    /// The missing CPU feature, as the compiler names it.
    pub feature: &'static str,
}
