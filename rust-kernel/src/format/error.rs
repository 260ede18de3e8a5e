//! Shapes and bytes that do not fit together.

use thiserror::Error;

use super::Flavour;

/// Why a shape cannot be stored in a format and flavour, or why bytes do not fit a shape.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ShapeError {
    /// A matrix needs at least one row and one column.
    #[error("{rows} x {cols}: a matrix needs at least one row and one column")]
    Empty {
        /// Rows asked for.
        rows: usize,
        /// Columns asked for.
        cols: usize,
    },
    /// A row is so long that an integer dot product over it could leave 32 bits.
    #[error("{cols} columns are more than {max}, beyond which an i32 sum could overflow")]
    TooManyColumns {
        /// Columns asked for.
        cols: usize,
        /// [`Storage::MAX_COLS`](super::Storage::MAX_COLS).
        max: usize,
    },
    /// `rows * cols` does not fit the address space.
    #[error("{rows} x {cols} weights are more than this machine can address")]
    Overflow {
        /// Rows asked for.
        rows: usize,
        /// Columns asked for.
        cols: usize,
    },
    /// The layout has no whole number of groups in a row.
    #[error(
        "{cols} columns are no multiple of {multiple}, as {format} stored as {flavour} needs{}",
        if *padded { "; padded rows may have any length" } else { "" }
    )]
    Columns {
        /// Format id.
        format: &'static str,
        /// Flavour asked for.
        flavour: Flavour,
        /// Columns asked for.
        cols: usize,
        /// What they must be a multiple of.
        multiple: usize,
        /// Whether the format also comes with padded rows.
        padded: bool,
    },
    /// The layout interleaves rows and there is no whole number of panels.
    #[error("{rows} rows are no multiple of {multiple}, the rows that share bytes in {format}")]
    Rows {
        /// Format id.
        format: &'static str,
        /// Rows asked for.
        rows: usize,
        /// Rows in a panel.
        multiple: usize,
    },
    /// The format never comes in this flavour.
    #[error("{format} is never stored as {flavour}")]
    Flavour {
        /// Format id.
        format: &'static str,
        /// Flavour asked for.
        flavour: Flavour,
    },
    /// A buffer does not have the length that the shape needs.
    #[error("{what}: {found} where {needed} are needed")]
    Length {
        /// Which buffer, with its unit.
        what: &'static str,
        /// Length found.
        found: usize,
        /// Length needed.
        needed: usize,
    },
    /// Rows beyond the end of the matrix were asked for.
    #[error("rows {start}..{end} of a matrix with {rows} rows")]
    RowRange {
        /// First row asked for.
        start: usize,
        /// One past the last row asked for.
        end: usize,
        /// Rows of the matrix.
        rows: usize,
    },
    /// A code that the layout's digits cannot hold.
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
