//! Errors of loading and of decoding.

use thiserror::Error;

use crate::dense::DenseError;
use crate::format::FlavourError;
use crate::gguf::{GgmlType, GgufError};
use crate::matmul::MatmulError;
use crate::threads::ThreadsError;

/// Why a model cannot be loaded or decoded. Nothing has been computed when it concerns the file, a token or the
/// context.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A metadata key or a tensor that the architecture needs is missing or has the wrong type.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// No graph for this architecture.
    #[error("architecture {found:?} is not supported; there are {known}")]
    Architecture {
        /// `general.architecture` of the file.
        found: String,
        /// Names of the supported ones.
        known: String,
    },
    /// The file is one part of a model that was split into several.
    #[error(
        "part {part} of {parts} of a split file: a model is run from a file that holds all of it"
    )]
    Split {
        /// Which part, counted from 1.
        part: u64,
        /// How many there are.
        parts: u64,
    },
    /// A metadata value that cannot be.
    #[error("metadata key {key:?} is {found}: {wanted}")]
    Metadata {
        /// The key.
        key: String,
        /// Its value.
        found: String,
        /// What it must be.
        wanted: String,
    },
    /// A tensor has other dimensions than the metadata asks for.
    #[error("tensor {tensor:?} is {found:?} (columns first), but the metadata asks for {wanted:?}")]
    Shape {
        /// The tensor.
        tensor: String,
        /// Its dimensions.
        found: Vec<usize>,
        /// The dimensions it must have.
        wanted: Vec<usize>,
    },
    /// A tensor has a type that its role does not allow.
    #[error("tensor {tensor:?} is {found}, but must be {wanted}")]
    Type {
        /// The tensor.
        tensor: String,
        /// Its type.
        found: GgmlType,
        /// The types that it may have.
        wanted: &'static str,
    },
    /// The bytes of a ternary tensor cannot be read.
    #[error("tensor {tensor:?}: {source}")]
    Ternary {
        /// The tensor.
        tensor: String,
        /// What is wrong with it.
        source: FlavourError,
    },
    /// None of the kernels that were asked for multiplies a tensor here.
    #[error(
        "tensor {tensor:?} is {format}, which no kernel that was asked for multiplies on this CPU"
    )]
    NoKernel {
        /// The tensor.
        tensor: String,
        /// Format id of its weights.
        format: &'static str,
    },
    /// The file has a tensor that the graph has no place for, so that its result would be another model's.
    #[error("tensor {tensor:?} has no place in the graph of {architecture}")]
    Unused {
        /// The tensor.
        tensor: String,
        /// The architecture.
        architecture: &'static str,
    },
    /// A context parameter that cannot be.
    #[error("{parameter} is {found}, but must be {wanted}")]
    Parameter {
        /// Name of the parameter.
        parameter: &'static str,
        /// Its value.
        found: usize,
        /// What it must be.
        wanted: &'static str,
    },
    /// The key-value cache does not fit in memory.
    #[error("a cache of {positions} positions does not fit in memory; open a shorter context")]
    Memory {
        /// Positions asked for.
        positions: usize,
    },
    /// A token outside the vocabulary.
    #[error("token {index} is {token}, but the vocabulary has {vocabulary} tokens")]
    Token {
        /// Position in the tokens given.
        index: usize,
        /// The token.
        token: u32,
        /// Size of the vocabulary.
        vocabulary: usize,
    },
    /// No token was given.
    #[error("nothing to decode: give at least one token")]
    NoTokens,
    /// The context is full.
    #[error("{tokens} tokens after {decoded} decoded ones do not fit in a context of {positions}")]
    ContextFull {
        /// Tokens given.
        tokens: usize,
        /// Positions decoded before.
        decoded: usize,
        /// Positions that fit.
        positions: usize,
    },
    /// A ternary matrix product failed, as it does for activations that are not finite.
    #[error("product with tensor {tensor:?}: {source}")]
    Product {
        /// The tensor.
        tensor: String,
        /// What went wrong.
        source: MatmulError,
    },
    /// A product with an F32, F16 or Q6_K matrix failed.
    #[error("product with tensor {tensor:?}: {source}")]
    DenseProduct {
        /// The tensor.
        tensor: String,
        /// What went wrong.
        source: DenseError,
    },
    /// The operating system gave no threads.
    #[error(transparent)]
    Threads(#[from] ThreadsError),
}
