//! A format, a flavour and a shape: every size and position that follows from them.

use super::{Flavour, Format, Layout, QK256, ScaleRule, ShapeError, Slot};

/// How a matrix of `rows x cols` weights lies in bytes.
///
/// Row-major throughout: panels of rows follow each other, and within a panel *units*, the smallest pieces that hold
/// whole groups and, where scales are inline, their scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storage {
    format: Format,
    flavour: Flavour,
    rows: usize,
    cols: usize,
    unit_weights: usize,
    unit_bytes: usize,
    panel_stride: usize,
    bytes: usize,
}

impl Storage {
    /// The longest row. Raw products are at most `3 * 128`, so an i32 holds the sum of 2^22 of them.
    pub const MAX_COLS: usize = 1 << 22;

    /// Bytes of an f32 tensor scale together with the padding that bitnet.cpp writes after it.
    const TENSOR_SCALE_BYTES: usize = 32;

    /// Bytes of an inline f16 scale.
    const INLINE_SCALE_BYTES: usize = 2;

    /// Checks that the format can hold the shape in this flavour.
    ///
    /// # Errors
    ///
    /// [`ShapeError`] if the matrix is empty or too large, if a row is no whole number of groups (unless rows are
    /// padded), if rows are no whole number of panels, or if the format never comes in this flavour.
    pub fn new(
        format: Format,
        flavour: Flavour,
        rows: usize,
        cols: usize,
    ) -> Result<Storage, ShapeError> {
        if rows == 0 || cols == 0 {
            return Err(ShapeError::Empty { rows, cols });
        }
        if cols > Self::MAX_COLS {
            return Err(ShapeError::TooManyColumns {
                cols,
                max: Self::MAX_COLS,
            });
        }
        if !format.flavours.contains(&flavour) {
            return Err(ShapeError::Flavour {
                format: format.id,
                flavour,
            });
        }
        let panel_rows = format.layout.panel_rows();
        if !rows.is_multiple_of(panel_rows) {
            return Err(ShapeError::Rows {
                format: format.id,
                rows,
                multiple: panel_rows,
            });
        }

        let (unit_weights, unit_bytes) = unit(&format, flavour);
        let padded_rows = flavour == Flavour::PaddedRows;
        // The last unit of a single row may be partly filled; between rows nobody has defined that.
        let partial_tail = flavour.pads_last_unit() && rows == 1;
        if !cols.is_multiple_of(unit_weights) && !padded_rows && !partial_tail {
            return Err(ShapeError::Columns {
                format: format.id,
                flavour,
                cols,
                multiple: unit_weights,
                padded: format.flavours.contains(&Flavour::PaddedRows),
            });
        }
        let row_weights = if padded_rows {
            cols.next_multiple_of(QK256)
        } else {
            cols
        };
        let panel_stride = row_weights.div_ceil(unit_weights) * unit_bytes;
        let bytes = panel_stride
            .checked_mul(rows / panel_rows)
            .and_then(|codes| match flavour {
                Flavour::Qk256 => codes.checked_add(Self::TENSOR_SCALE_BYTES),
                _ => Some(codes),
            })
            .filter(|_| rows.checked_mul(cols).is_some())
            .ok_or(ShapeError::Overflow { rows, cols })?;
        Ok(Storage {
            format,
            flavour,
            rows,
            cols,
            unit_weights,
            unit_bytes,
            panel_stride,
            bytes,
        })
    }

    /// The format's own reference flavour of this shape.
    ///
    /// # Errors
    ///
    /// As [`Storage::new`].
    pub fn native(format: Format, rows: usize, cols: usize) -> Result<Storage, ShapeError> {
        Storage::new(format, format.native_flavour(), rows, cols)
    }

    /// Format.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// Layout of the format.
    pub fn layout(&self) -> Layout {
        self.format.layout
    }

    /// Flavour.
    pub fn flavour(&self) -> Flavour {
        self.flavour
    }

    /// Rows of the matrix.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of the matrix: the length of a dot product.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Exact bytes of the tensor, scales inside it included.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes from one panel of rows to the next.
    pub fn panel_stride(&self) -> usize {
        self.panel_stride
    }

    /// Weights in a unit of a row.
    pub fn unit_weights(&self) -> usize {
        self.unit_weights
    }

    /// Bytes of a unit, an inline scale included.
    pub fn unit_bytes(&self) -> usize {
        self.unit_bytes
    }

    /// The absolute slot of a weight's code.
    ///
    /// # Panics
    ///
    /// If the row or the column lies outside the matrix.
    pub fn slot(&self, row: usize, col: usize) -> Slot {
        assert!(
            row < self.rows && col < self.cols,
            "weight ({row}, {col}) of {self:?}"
        );
        let panel_rows = self.layout().panel_rows();
        let slot = self
            .layout()
            .slot(row % panel_rows, col % self.unit_weights);
        let unit = row / panel_rows * self.panel_stride + col / self.unit_weights * self.unit_bytes;
        Slot {
            byte: unit + slot.byte,
            ..slot
        }
    }

    /// Where the first scale sits in the tensor, if scales are inside it.
    pub fn scale_offset(&self) -> Option<usize> {
        match self.flavour {
            Flavour::Qk256 => Some(self.bytes - Self::TENSOR_SCALE_BYTES),
            Flavour::Blocks | Flavour::Bitnet32Inline => {
                Some(self.unit_bytes - Self::INLINE_SCALE_BYTES)
            }
            Flavour::Bare | Flavour::PaddedRows | Flavour::Bitnet32Split => None,
        }
    }

    /// How many scales the matrix has, wherever they are kept.
    pub fn scale_count(&self) -> usize {
        match self.format.scale {
            ScaleRule::Tensor => 1,
            ScaleRule::Block { weights } => self.rows * self.cols.div_ceil(weights),
        }
    }

    /// The index of the scale of a weight, from 0 to [`Storage::scale_count`].
    pub fn scale_index(&self, row: usize, col: usize) -> usize {
        match self.format.scale {
            ScaleRule::Tensor => 0,
            ScaleRule::Block { weights } => row * self.cols.div_ceil(weights) + col / weights,
        }
    }

    /// Byte offset of scale `index` inside the tensor, if scales are inside it.
    pub(super) fn scale_at(&self, index: usize) -> Option<usize> {
        let first = self.scale_offset()?;
        match self.format.scale {
            ScaleRule::Tensor => Some(first),
            // Blocks with inline scales are units, and rows hold whole units.
            ScaleRule::Block { .. } => Some(first + index * self.unit_bytes),
        }
    }
}

/// Weights and bytes of the piece that a row repeats.
fn unit(format: &Format, flavour: Flavour) -> (usize, usize) {
    let group = format.layout.group();
    match format.scale {
        ScaleRule::Tensor => (group.weights, group.bytes),
        ScaleRule::Block { weights } => {
            let codes = weights / group.weights * group.bytes;
            let inline = if flavour == Flavour::Bitnet32Split {
                0
            } else {
                Storage::INLINE_SCALE_BYTES
            };
            (weights, codes + inline)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;

    fn bytes(format: Format, flavour: Flavour, rows: usize, cols: usize) -> usize {
        Storage::new(format, flavour, rows, cols).unwrap().bytes()
    }

    #[test]
    fn sizes_are_those_of_the_reference() {
        assert_eq!(
            bytes(I2_S_GROUP128, Flavour::Qk256, 3, 384),
            3 * 384 / 4 + 32
        );
        assert_eq!(bytes(I2_S_GROUP128, Flavour::Bare, 3, 384), 3 * 384 / 4);
        assert_eq!(
            bytes(I2_S_SEQUENTIAL, Flavour::PaddedRows, 3, 300),
            3 * 2 * 64
        );
        assert_eq!(bytes(I2_S_ROWS4, Flavour::Qk256, 8, 37), 2 * 37 + 32);
        assert_eq!(bytes(TQ2_0, Flavour::Blocks, 2, 512), 4 * 66);
        assert_eq!(bytes(TQ1_0, Flavour::Blocks, 2, 512), 4 * 54);
        assert_eq!(bytes(BITNET32, Flavour::Bitnet32Inline, 2, 64), 4 * 10);
        assert_eq!(bytes(BITNET32, Flavour::Bitnet32Inline, 1, 65), 3 * 10);
        assert_eq!(bytes(BITNET32, Flavour::Bitnet32Split, 2, 64), 4 * 8);
    }

    #[test]
    fn shapes_that_a_layout_cannot_hold_are_refused() {
        let refused = |format, flavour, rows, cols| {
            Storage::new(format, flavour, rows, cols).expect_err("should not fit")
        };
        let error = refused(I2_S_GROUP128, Flavour::Qk256, 4, 200);
        assert!(
            matches!(
                error,
                ShapeError::Columns {
                    multiple: 128,
                    padded: true,
                    ..
                }
            ),
            "{error}"
        );
        let error = refused(TQ2_0, Flavour::Blocks, 1, 128);
        assert!(matches!(
            error,
            ShapeError::Columns {
                multiple: 256,
                padded: false,
                ..
            }
        ));
        assert!(matches!(
            refused(I2_S_ROWS4, Flavour::Qk256, 6, 64),
            ShapeError::Rows { .. }
        ));
        assert!(matches!(
            refused(TQ1_0, Flavour::Qk256, 1, 256),
            ShapeError::Flavour { .. }
        ));
        assert!(matches!(
            refused(TQ1_0, Flavour::Blocks, 0, 256),
            ShapeError::Empty { .. }
        ));
        assert!(matches!(
            refused(BITNET32, Flavour::Bitnet32Inline, 2, 65),
            ShapeError::Columns { multiple: 32, .. }
        ));
        assert!(matches!(
            refused(I2_S_SEQUENTIAL, Flavour::PaddedRows, usize::MAX / 2, 512),
            ShapeError::Overflow { .. }
        ));
        assert!(matches!(
            refused(
                I2_S_SEQUENTIAL,
                Flavour::PaddedRows,
                1,
                Storage::MAX_COLS + 1
            ),
            ShapeError::TooManyColumns { .. }
        ));
    }

    #[test]
    fn every_weight_has_a_slot_of_its_own_inside_the_tensor() {
        for format in FORMATS {
            for &flavour in format.flavours {
                let Ok(storage) = Storage::new(*format, flavour, 4, 512) else {
                    continue;
                };
                let mut seen = std::collections::HashSet::new();
                for row in 0..4 {
                    for col in 0..512 {
                        let slot = storage.slot(row, col);
                        assert!(slot.byte < storage.bytes());
                        assert!(seen.insert(slot), "{storage:?} ({row}, {col})");
                    }
                }
            }
        }
    }
}
