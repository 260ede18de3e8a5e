//! Errors of single fields: what was found, what was expected, and a hint.

use super::ggml_type::GgmlType;
use super::value_type::ValueType;

/// Why a field is invalid. [`GgufError::Malformed`](super::GgufError::Malformed) adds the position. The writer reports
/// the same problems for declarations.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file does not start with the magic bytes.
    #[error("found \"{}\", expected \"GGUF\": this is not a GGUF file", found.escape_ascii())]
    Magic {
        /// The first four bytes.
        found: [u8; 4],
    },
    /// The version is unknown: it is 0 or later than 3.
    #[error("found GGUF version {found}, expected version 2 or 3")]
    Version {
        /// The version number.
        found: u32,
    },
    /// The file has version 1, whose lengths are 32 bits wide.
    #[error("found GGUF version 1, expected version 2 or 3: convert the model again")]
    Version1,
    /// The version number is byte-swapped.
    #[error(
        "found big-endian GGUF version {version}, expected little-endian: \
         convert the file's byte order first"
    )]
    BigEndian {
        /// The version number after swapping.
        version: u32,
    },
    /// The file ends inside the field.
    #[error(
        "found {remaining} bytes, expected {needed}: the file is cut short or a length before is wrong"
    )]
    Truncated {
        /// Bytes that the field takes.
        needed: u64,
        /// Bytes from the start of the field to the end of the section that may contain it.
        remaining: u64,
    },
    /// A count is larger than the rest of the file can hold.
    #[error(
        "found a count of {found}, expected at most {most}: no more fit into the bytes that follow"
    )]
    Count {
        /// The count.
        found: u64,
        /// The greatest count that the remaining bytes allow.
        most: u64,
    },
    /// A string is not UTF-8.
    #[error("found bytes that are not UTF-8 after {valid} valid ones, expected UTF-8")]
    NotUtf8 {
        /// Number of valid bytes before the first invalid one.
        valid: usize,
    },
    /// The type of a metadata value is unknown.
    #[error("found value type {found}, expected 0 to 12")]
    ValueType {
        /// The type's id.
        found: u32,
    },
    /// A boolean is neither 0 nor 1.
    #[error("found the boolean {found}, expected 0 or 1")]
    Bool {
        /// The byte.
        found: u8,
    },
    /// Arrays are nested too deeply.
    #[error("found arrays nested deeper than {limit} levels, expected at most {limit}")]
    ArrayDepth {
        /// The maximum depth.
        limit: usize,
    },
    /// A key or a tensor name is already used by an earlier entry.
    #[error("found a name that entry {first} has already, expected names to be unique")]
    Duplicate {
        /// Index of the earlier entry.
        first: usize,
    },
    /// `general.alignment` is not a `uint32`.
    #[error("found an alignment of type {found}, expected uint32")]
    AlignmentType {
        /// The type of the value.
        found: ValueType,
    },
    /// `general.alignment` is not a valid alignment.
    #[error("found alignment {found}, expected a power of two and a multiple of 8")]
    Alignment {
        /// The value.
        found: u32,
    },
    /// A tensor has no dimensions, or too many.
    #[error("found {found} dimensions, expected 1 to {most}")]
    DimensionCount {
        /// The number of dimensions.
        found: u64,
        /// The maximum number of dimensions.
        most: usize,
    },
    /// A dimension has zero elements.
    #[error("found a dimension of 0, expected at least 1")]
    ZeroDimension,
    /// The product of the dimensions, or the size in bytes, does not fit in memory.
    #[error(
        "found dimensions whose product is too large, expected fewer than 2^63 elements and bytes"
    )]
    DimensionOverflow,
    /// A row is not a whole number of blocks.
    #[error(
        "found {columns} columns, expected a multiple of {block}, the block of type {ggml_type}"
    )]
    PartialBlock {
        /// Elements of a row.
        columns: usize,
        /// Weights in a block.
        block: usize,
        /// The type.
        ggml_type: GgmlType,
    },
    /// The tensor type is unknown.
    #[error("found tensor type id {found}, expected the id of a known type")]
    UnknownType {
        /// The type's id.
        found: u32,
    },
    /// Tensor data does not start at a multiple of the alignment.
    #[error("found data offset {found}, expected a multiple of the alignment {alignment}")]
    Misaligned {
        /// Offset from the start of the data section.
        found: u64,
        /// The file's alignment.
        alignment: usize,
    },
    /// Tensor data starts past the end of the file.
    #[error(
        "found data offset {found}, expected less than the {available} bytes of tensor data: \
         the file is cut short or the offset is wrong"
    )]
    OutsideFile {
        /// Offset from the start of the data section.
        found: u64,
        /// Bytes from the start of the data section to the end of the file.
        available: u64,
    },
    /// Two tensors share bytes.
    #[error(
        "found {span} bytes before the data of tensor {next:?}, expected at least {needed}: \
         the two tensors overlap"
    )]
    Overlap {
        /// The tensor whose data starts next, or at the same offset.
        next: String,
        /// Bytes between the starts of the two tensors.
        span: usize,
        /// Bytes that it needs.
        needed: usize,
    },
    /// A tensor is too short for its type, and forks use the id of the type for another one.
    #[error(
        "found {span} bytes, expected {needed} for type {ggml_type}: id {} is also {also}, and the tensor can be of that \
         type, which is not supported", ggml_type.0
    )]
    OtherType {
        /// Bytes between the start of the tensor and the next one, or the end of the file.
        span: usize,
        /// Bytes that its shape and type take.
        needed: usize,
        /// The type.
        ggml_type: GgmlType,
        /// The type of another fork with this id.
        also: &'static str,
    },
    /// The file ends inside the last tensor's data.
    #[error(
        "found {span} bytes up to the end of the file, expected {needed}: the file is cut short"
    )]
    DataCutShort {
        /// Bytes from the tensor's start to the end of the file.
        span: usize,
        /// Bytes that its shape and type take.
        needed: usize,
    },
}
