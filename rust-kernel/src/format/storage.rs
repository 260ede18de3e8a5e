//! Sizes and positions, computed from a format, a storage variant and a shape.

use super::{Format, Layout, QK256, ScaleRule, ShapeError, Slot, StorageVariant};

/// The arrangement of a matrix of `rows x cols` weights in bytes.
///
/// The order is row-major: panels of rows are consecutive, and so are the *units* within a panel. A unit is the
/// smallest run of bytes that holds whole groups and, if scales are inline, their scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storage {
    format: Format,
    variant: StorageVariant,
    rows: usize,
    cols: usize,
    unit_weights: usize,
    unit_bytes: usize,
    panel_stride: usize,
    bytes: usize,
}

impl Storage {
    /// Columns of the longest row. The magnitude of a raw product is at most `3 * 128`, so an i32 can hold the sum of
    /// 2^22 products.
    pub const MAX_COLS: usize = 1 << 22;

    /// Bytes of an f32 tensor scale and of the padding that bitnet.cpp writes after it.
    const TENSOR_SCALE_BYTES: usize = 32;

    /// Bytes of an inline f16 scale.
    const INLINE_SCALE_BYTES: usize = 2;

    /// Checks that the format can hold the shape in this storage variant.
    ///
    /// # Errors
    ///
    /// [`ShapeError`] if the matrix is empty or too large, if a row is not a whole number of groups (unless rows are
    /// padded), if the rows are not a whole number of panels, or if the format has no such storage variant.
    pub fn new(
        format: Format,
        variant: StorageVariant,
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
        if !format.variants.contains(&variant) {
            return Err(ShapeError::StorageVariant {
                format: format.id,
                variant,
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

        let (unit_weights, unit_bytes) = unit(&format, variant);
        let padded_rows = variant == StorageVariant::PaddedRows;
        // The last unit of a single row may be partly filled. With several rows, no reference defines where a row would
        // then end.
        let partial_tail = variant.pads_last_unit() && rows == 1;
        if !cols.is_multiple_of(unit_weights) && !padded_rows && !partial_tail {
            return Err(ShapeError::Columns {
                format: format.id,
                variant,
                cols,
                multiple: unit_weights,
                padded: format.variants.contains(&StorageVariant::PaddedRows),
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
            .and_then(|codes| match variant {
                StorageVariant::Qk256 => codes.checked_add(Self::TENSOR_SCALE_BYTES),
                _ => Some(codes),
            })
            .filter(|_| rows.checked_mul(cols).is_some())
            .ok_or(ShapeError::Overflow { rows, cols })?;
        Ok(Storage {
            format,
            variant,
            rows,
            cols,
            unit_weights,
            unit_bytes,
            panel_stride,
            bytes,
        })
    }

    /// The storage of this shape in the format's [native variant](Format::native_variant).
    ///
    /// # Errors
    ///
    /// As [`Storage::new`].
    pub fn native(format: Format, rows: usize, cols: usize) -> Result<Storage, ShapeError> {
        Storage::new(format, format.native_variant(), rows, cols)
    }

    /// Format.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// Layout of the format.
    pub fn layout(&self) -> Layout {
        self.format.layout
    }

    /// Storage variant.
    pub fn variant(&self) -> StorageVariant {
        self.variant
    }

    /// Rows of the matrix.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of the matrix: the length of a dot product.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Exact size of the tensor in bytes, including the scales inside it.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes from the start of one panel of rows to the start of the next.
    pub fn panel_stride(&self) -> usize {
        self.panel_stride
    }

    /// Weights in a unit of a row.
    pub fn unit_weights(&self) -> usize {
        self.unit_weights
    }

    /// Bytes of a unit, including an inline scale.
    pub fn unit_bytes(&self) -> usize {
        self.unit_bytes
    }

    /// The slot of a weight's code, with the byte counted from the start of the tensor.
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

    /// Byte offset of the first scale in the tensor, if scales are inside it.
    pub fn scale_offset(&self) -> Option<usize> {
        match self.variant {
            StorageVariant::Qk256 => Some(self.bytes - Self::TENSOR_SCALE_BYTES),
            StorageVariant::Blocks | StorageVariant::Bitnet32Inline => {
                Some(self.unit_bytes - Self::INLINE_SCALE_BYTES)
            }
            StorageVariant::Bare | StorageVariant::PaddedRows | StorageVariant::Bitnet32Split => {
                None
            }
        }
    }

    /// Number of scales of the matrix, inside the tensor or in a companion tensor.
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
            // A unit is one block with its inline scale, and a row is a whole number of units.
            ScaleRule::Block { .. } => Some(first + index * self.unit_bytes),
        }
    }
}

/// Weights and bytes of a unit.
fn unit(format: &Format, variant: StorageVariant) -> (usize, usize) {
    let group = format.layout.group();
    match format.scale {
        ScaleRule::Tensor => (group.weights, group.bytes),
        ScaleRule::Block { weights } => {
            let codes = weights / group.weights * group.bytes;
            let inline = if variant == StorageVariant::Bitnet32Split {
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

    fn bytes(format: Format, variant: StorageVariant, rows: usize, cols: usize) -> usize {
        Storage::new(format, variant, rows, cols).unwrap().bytes()
    }

    #[test]
    fn sizes_are_those_of_the_reference() {
        assert_eq!(
            bytes(I2_S_GROUP128, StorageVariant::Qk256, 3, 384),
            3 * 384 / 4 + 32
        );
        assert_eq!(
            bytes(I2_S_GROUP128, StorageVariant::Bare, 3, 384),
            3 * 384 / 4
        );
        assert_eq!(
            bytes(I2_S_SEQUENTIAL, StorageVariant::PaddedRows, 3, 300),
            3 * 2 * 64
        );
        assert_eq!(bytes(I2_S_ROWS4, StorageVariant::Qk256, 8, 37), 2 * 37 + 32);
        assert_eq!(bytes(TQ2_0, StorageVariant::Blocks, 2, 512), 4 * 66);
        assert_eq!(bytes(TQ1_0, StorageVariant::Blocks, 2, 512), 4 * 54);
        assert_eq!(
            bytes(BITNET32, StorageVariant::Bitnet32Inline, 2, 64),
            4 * 10
        );
        assert_eq!(
            bytes(BITNET32, StorageVariant::Bitnet32Inline, 1, 65),
            3 * 10
        );
        assert_eq!(bytes(BITNET32, StorageVariant::Bitnet32Split, 2, 64), 4 * 8);
    }

    #[test]
    fn shapes_that_a_layout_cannot_hold_are_refused() {
        let refused = |format, variant, rows, cols| {
            Storage::new(format, variant, rows, cols).expect_err("should not fit")
        };
        let error = refused(I2_S_GROUP128, StorageVariant::Qk256, 4, 200);
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
        let error = refused(TQ2_0, StorageVariant::Blocks, 1, 128);
        assert!(matches!(
            error,
            ShapeError::Columns {
                multiple: 256,
                padded: false,
                ..
            }
        ));
        assert!(matches!(
            refused(I2_S_ROWS4, StorageVariant::Qk256, 6, 64),
            ShapeError::Rows { .. }
        ));
        assert!(matches!(
            refused(TQ1_0, StorageVariant::Qk256, 1, 256),
            ShapeError::StorageVariant { .. }
        ));
        assert!(matches!(
            refused(TQ1_0, StorageVariant::Blocks, 0, 256),
            ShapeError::Empty { .. }
        ));
        assert!(matches!(
            refused(BITNET32, StorageVariant::Bitnet32Inline, 2, 65),
            ShapeError::Columns { multiple: 32, .. }
        ));
        assert!(matches!(
            refused(
                I2_S_SEQUENTIAL,
                StorageVariant::PaddedRows,
                usize::MAX / 2,
                512
            ),
            ShapeError::Overflow { .. }
        ));
        assert!(matches!(
            refused(
                I2_S_SEQUENTIAL,
                StorageVariant::PaddedRows,
                1,
                Storage::MAX_COLS + 1
            ),
            ShapeError::TooManyColumns { .. }
        ));
    }

    #[test]
    fn every_weight_has_a_slot_of_its_own_inside_the_tensor() {
        for format in FORMATS {
            for &variant in format.variants {
                let Ok(storage) = Storage::new(*format, variant, 4, 512) else {
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
