//! Errors of loading and of decoding.

use thiserror::Error;

use crate::dense::DenseError;
use crate::format::StorageVariantError;
use crate::gguf::{GgmlType, GgufError};
use crate::matmul::MatmulError;
use crate::threads::ThreadsError;

/// Why a model cannot be loaded or decoded. Errors of the file, of a token or of the context are reported before
/// anything is computed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A metadata key or a tensor that the architecture needs is missing or has the wrong type.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// The architecture is not supported.
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
        /// Number of the part, counted from 1.
        part: u64,
        /// Number of parts.
        parts: u64,
    },
    /// A metadata value is invalid.
    #[error("metadata key {key:?} is {found}: {wanted}")]
    Metadata {
        /// The key.
        key: String,
        /// Its value.
        found: String,
        /// The constraint that it violates.
        wanted: String,
    },
    /// A tensor has other dimensions than the metadata requires.
    #[error("tensor {tensor:?} is {found:?} (columns first), but the metadata requires {wanted:?}")]
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
        /// The cause.
        source: StorageVariantError,
    },
    /// None of the requested kernels can multiply a tensor on this CPU.
    #[error(
        "tensor {tensor:?} is {format}, which no kernel that was asked for multiplies on this CPU"
    )]
    NoKernel {
        /// The tensor.
        tensor: String,
        /// Format id of its weights.
        format: &'static str,
    },
    /// The file has a tensor that the graph does not use. The results would be those of another model.
    #[error("tensor {tensor:?} has no place in the graph of {architecture}")]
    Unused {
        /// The tensor.
        tensor: String,
        /// The architecture.
        architecture: &'static str,
    },
    /// A context parameter is invalid.
    #[error("{parameter} is {found}, but must be {wanted}")]
    Parameter {
        /// Name of the parameter.
        parameter: &'static str,
        /// Its value.
        found: usize,
        /// The constraint that it violates.
        wanted: &'static str,
    },
    /// The key-value cache does not fit in memory.
    #[error("a cache of {positions} positions does not fit in memory; open a shorter context")]
    Memory {
        /// Positions requested.
        positions: usize,
    },
    /// A token is outside the vocabulary.
    #[error("token {index} is {token}, but the vocabulary has {vocabulary} tokens")]
    Token {
        /// Index in the given tokens.
        index: usize,
        /// The token.
        token: u32,
        /// Size of the vocabulary.
        vocabulary: usize,
    },
    /// No tokens were given.
    #[error("nothing to decode: give at least one token")]
    NoTokens,
    /// The context is full.
    #[error("{tokens} tokens after {decoded} decoded ones do not fit in a context of {positions}")]
    ContextFull {
        /// Number of given tokens.
        tokens: usize,
        /// Number of positions decoded before.
        decoded: usize,
        /// Maximum number of positions.
        positions: usize,
    },
    /// A product with a ternary matrix failed, for example because activations are not finite.
    #[error("product with tensor {tensor:?}: {source}")]
    Product {
        /// The tensor.
        tensor: String,
        /// The cause.
        source: MatmulError,
    },
    /// A product with an F32, F16 or Q6_K matrix failed.
    #[error("product with tensor {tensor:?}: {source}")]
    DenseProduct {
        /// The tensor.
        tensor: String,
        /// The cause.
        source: DenseError,
    },
    /// Threads cannot be started.
    #[error(transparent)]
    Threads(#[from] ThreadsError),
}
