//! Errors of shapes and buffer lengths.

use thiserror::Error;

use super::StorageVariant;

/// Why a shape cannot be stored in a format and storage variant, or why bytes do not fit a shape.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ShapeError {
    /// A matrix needs at least one row and one column.
    #[error("{rows} x {cols}: a matrix needs at least one row and one column")]
    Empty {
        /// Rows requested.
        rows: usize,
        /// Columns requested.
        cols: usize,
    },
    /// A row is so long that an integer dot product over it could overflow 32 bits.
    #[error("{cols} columns are more than {max}, beyond which an i32 sum could overflow")]
    TooManyColumns {
        /// Columns requested.
        cols: usize,
        /// [`Storage::MAX_COLS`](super::Storage::MAX_COLS).
        max: usize,
    },
    /// `rows * cols` does not fit the address space.
    #[error("{rows} x {cols} weights are more than this machine can address")]
    Overflow {
        /// Rows requested.
        rows: usize,
        /// Columns requested.
        cols: usize,
    },
    /// A row is not a whole number of groups of the layout.
    #[error(
        "{cols} columns are no multiple of {multiple}, as {format} stored as {variant} needs{}",
        if *padded { "; padded rows may have any length" } else { "" }
    )]
    Columns {
        /// Format id.
        format: &'static str,
        /// Storage variant requested.
        variant: StorageVariant,
        /// Columns requested.
        cols: usize,
        /// The number of columns must be a multiple of this.
        multiple: usize,
        /// Whether the format also has a storage variant with padded rows.
        padded: bool,
    },
    /// The layout interleaves rows, and the rows are not a whole number of panels.
    #[error("{rows} rows are no multiple of {multiple}, the rows that share bytes in {format}")]
    Rows {
        /// Format id.
        format: &'static str,
        /// Rows requested.
        rows: usize,
        /// Rows in a panel.
        multiple: usize,
    },
    /// The format has no such storage variant.
    #[error("{format} is never stored as {variant}")]
    StorageVariant {
        /// Format id.
        format: &'static str,
        /// Storage variant requested.
        variant: StorageVariant,
    },
    /// The length of a buffer does not match the shape.
    #[error("{what}: {found} where {needed} are needed")]
    Length {
        /// Which buffer, with its unit.
        what: &'static str,
        /// Length found.
        found: usize,
        /// Length needed.
        needed: usize,
    },
    /// The requested rows are outside the matrix.
    #[error("rows {start}..{end} of a matrix with {rows} rows")]
    RowRange {
        /// First row requested.
        start: usize,
        /// One past the last row requested.
        end: usize,
        /// Rows of the matrix.
        rows: usize,
    },
    /// A code is too large for a digit of the layout.
    #[error("code {code} of weight {index} is more than {max}, the largest that {format} holds")]
    Code {
        /// Format id.
        format: &'static str,
        /// Position in the flat, row-major matrix.
        index: usize,
        /// The code.
        code: u8,
        /// The largest code.
        max: u8,
    },
}

impl ShapeError {
    /// An error unless `found == needed`.
    pub(crate) fn check(what: &'static str, found: usize, needed: usize) -> Result<(), ShapeError> {
        if found == needed {
            Ok(())
        } else {
            Err(ShapeError::Length {
                what,
                found,
                needed,
            })
        }
    }
}
