//! Quantized activations, as the formats' dot products take them.

mod i8_s;
mod q8_k;

use thiserror::Error;

use crate::format::{QK256, ShapeError};

/// How a row of activations is quantized to 8 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActivationKind {
    /// bitnet.cpp's `i8_s`: one scale and one sum a row. `code = value * scale`.
    I8S,
    /// llama.cpp's `Q8_K`: one scale a block of 256 and a sum for every 16. `value = code * scale`.
    Q8K,
}

impl ActivationKind {
    /// Stable name.
    pub const fn name(self) -> &'static str {
        match self {
            ActivationKind::I8S => "i8_s",
            ActivationKind::Q8K => "q8_k",
        }
    }

    /// Scales and sums that a row of `cols` activations has.
    fn counts(self, cols: usize) -> (usize, usize) {
        match self {
            ActivationKind::I8S => (1, 1),
            ActivationKind::Q8K => (cols / QK256, cols / q8_k::SUM_RUN),
        }
    }
}

/// Why activations cannot be quantized.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ActivationError {
    /// The values are no whole number of rows.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// Q8_K has whole blocks only.
    #[error("{cols} activations a row are no multiple of {QK256}, as Q8_K needs")]
    Columns {
        /// Columns asked for.
        cols: usize,
    },
    /// A NaN or an infinity. The reference would turn it into finite numbers without a word.
    #[error("activation {col} of row {row} is {value}: only finite activations can be quantized")]
    NotFinite {
        /// Row (position in the batch).
        row: usize,
        /// Column.
        col: usize,
        /// The value.
        value: f32,
    },
}

/// A batch of quantized activation rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Activations {
    kind: ActivationKind,
    cols: usize,
    codes: Vec<i8>,
    scales: Vec<f32>,
    sums: Vec<i32>,
}

impl Activations {
    /// Quantizes `values`, one or more rows of `cols` activations.
    ///
    /// # Errors
    ///
    /// [`ActivationError::Shape`] unless `values` is a whole number of rows, at least one;
    /// [`ActivationError::Columns`] for Q8_K rows that are not whole blocks; [`ActivationError::NotFinite`].
    pub fn quantize(
        kind: ActivationKind,
        cols: usize,
        values: &[f32],
    ) -> Result<Activations, ActivationError> {
        if cols == 0 || values.is_empty() {
            return Err(ShapeError::Empty {
                rows: values.len(),
                cols,
            }
            .into());
        }
        if kind == ActivationKind::Q8K && !cols.is_multiple_of(QK256) {
            return Err(ActivationError::Columns { cols });
        }
        let rows = values.len() / cols;
        ShapeError::check("activations of whole rows", values.len(), rows * cols)?;
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            let (row, col, value) = (index / cols, index % cols, values[index]);
            return Err(ActivationError::NotFinite { row, col, value });
        }

        let (scales, sums) = kind.counts(cols);
        let mut out = Activations {
            kind,
            cols,
            codes: vec![0; values.len()],
            scales: vec![0.0; rows * scales],
            sums: vec![0; rows * sums],
        };
        for (row, values) in values.chunks_exact(cols).enumerate() {
            let codes = &mut out.codes[row * cols..][..cols];
            match kind {
                ActivationKind::I8S => {
                    (out.scales[row], out.sums[row]) = i8_s::quantize_row(values, codes);
                }
                ActivationKind::Q8K => q8_k::quantize_row(
                    values,
                    codes,
                    &mut out.scales[row * scales..][..scales],
                    &mut out.sums[row * sums..][..sums],
                ),
            }
        }
        Ok(out)
    }

    /// How they are quantized.
    pub fn kind(&self) -> ActivationKind {
        self.kind
    }

    /// Activations in a row.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Rows: the batch.
    pub fn rows(&self) -> usize {
        self.codes.len() / self.cols
    }

    /// The codes of all rows, row-major.
    pub fn codes(&self) -> &[i8] {
        &self.codes
    }

    /// The scales of all rows: one a row (`i8_s`) or one a block (`Q8_K`).
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// The sums of all rows: one a row (`i8_s`) or one for every 16 codes (`Q8_K`).
    pub fn sums(&self) -> &[i32] {
        &self.sums
    }

    /// The scales of one row.
    pub(crate) fn row_scales(&self, row: usize) -> &[f32] {
        let (scales, _) = self.kind.counts(self.cols);
        &self.scales[row * scales..][..scales]
    }

    /// The sums of one row.
    pub(crate) fn row_sums(&self, row: usize) -> &[i32] {
        let (_, sums) = self.kind.counts(self.cols);
        &self.sums[row * sums..][..sums]
    }
}

/// Rounds to the nearest integer, halves to even, by adding 1.5 * 2^23 and reading the mantissa: ggml's
/// `nearest_int`, bit for bit also where the magnitude is beyond 2^22.
fn nearest_int(value: f32) -> i32 {
    const SHIFT: f32 = 12_582_912.0;
    ((value + SHIFT).to_bits() & 0x007f_ffff) as i32 - 0x0040_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_to_nearest_even() {
        let rounded = [0.5, 1.5, 2.5, -0.5, -1.5, 126.5, 127.49].map(nearest_int);
        assert_eq!(rounded, [0, 2, 2, 0, -2, 126, 127]);
    }

    #[test]
    fn what_cannot_be_quantized_is_refused_by_place() {
        use ActivationKind::{I8S, Q8K};
        let mut values = vec![0.0; 512];
        values[300] = f32::NAN;
        let error = Activations::quantize(I8S, 256, &values).unwrap_err();
        assert!(
            matches!(
                error,
                ActivationError::NotFinite {
                    row: 1,
                    col: 44,
                    ..
                }
            ),
            "{error}"
        );
        let error = Activations::quantize(Q8K, 100, &[0.0; 100]).unwrap_err();
        assert_eq!(error, ActivationError::Columns { cols: 100 });
        assert!(Activations::quantize(I8S, 100, &[0.0; 150]).is_err());
        assert!(Activations::quantize(I8S, 0, &[]).is_err());
    }
}
