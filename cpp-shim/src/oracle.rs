//! A loaded oracle.

use std::path::Path;
use std::sync::Arc;

use crate::check;
use crate::describe::{Description, Format, Refusal};
use crate::error::OracleError;
use crate::session::{Session, SessionParams};
use crate::table::Table;

/// A loaded oracle. The supported formats have passed the known-answer check. Clones are handles to the same oracle.
#[derive(Clone)]
pub struct Oracle {
    pub(crate) table: Arc<Table>,
    description: Arc<Description>,
}

impl Oracle {
    /// Checks the known answers of every format.
    pub(crate) fn new(table: Table) -> Result<Self, OracleError> {
        let description = table.describe()?;
        for info in &description.formats {
            check::known_answers(&table, info.format)?;
        }
        Ok(Self::of(table, description))
    }

    /// Checks the known answers of the formats that `refused` does not have, and refuses those that fail.
    pub(crate) fn refusing(table: Table, refused: &[Refusal]) -> Result<Self, OracleError> {
        let mut description = table.describe()?;
        for refusal in refused {
            description.refuse(refusal.clone());
        }
        for info in description.formats.clone() {
            if let Err(error) = check::known_answers(&table, info.format) {
                description.refuse(Refusal {
                    format: info.format,
                    reason: error.to_string(),
                });
            }
        }
        Ok(Self::of(table, description))
    }

    fn of(table: Table, description: Description) -> Self {
        Self {
            table: Arc::new(table),
            description: Arc::new(description),
        }
    }

    /// Id of the build, such as `bitnet.cpp/strict`.
    pub fn id(&self) -> &str {
        &self.description.id
    }

    /// The description of the oracle.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Size of a `rows x cols` tensor in bytes, including scales and padding.
    ///
    /// # Errors
    ///
    /// [`OracleError::Refused`] for a shape that the format cannot hold.
    pub fn tensor_bytes(
        &self,
        format: Format,
        rows: usize,
        cols: usize,
    ) -> Result<usize, OracleError> {
        self.table.tensor_bytes(format, rows, cols)
    }

    /// Quantizes `rows x cols` values, row-major, with the oracle's quantizer. Bytes that it does not write are zero.
    ///
    /// # Errors
    ///
    /// [`OracleError::Refused`] for a shape that the format cannot hold or that does not match `values`.
    pub fn quantize(
        &self,
        format: Format,
        rows: usize,
        cols: usize,
        values: &[f32],
    ) -> Result<Vec<u8>, OracleError> {
        let mut out = vec![0; self.tensor_bytes(format, rows, cols)?];
        let written = self.table.quantize(format, rows, cols, values, &mut out)?;
        out.truncate(written);
        Ok(out)
    }

    /// Quantizes activations as a matmul with weights of `format` does. `values` holds whole rows of `cols`.
    ///
    /// # Errors
    ///
    /// [`OracleError::Refused`] for incomplete rows, for columns that the format cannot hold, and for formats whose
    /// activations are not quantized.
    pub fn quantize_activations(
        &self,
        format: Format,
        cols: usize,
        values: &[f32],
    ) -> Result<Activations, OracleError> {
        let rows = values.len().checked_div(cols).unwrap_or(0);
        let (scales, sums) = match format {
            Format::I2S => (rows, rows),
            _ => (values.len() / 256, values.len() / 16),
        };
        let mut quantized = Activations {
            codes: vec![0; values.len()],
            scales: vec![0.0; scales],
            sums: vec![0; sums],
        };
        let Activations {
            codes,
            scales,
            sums,
        } = &mut quantized;
        self.table
            .quantize_activations(format, rows, cols, values, codes, scales, sums)?;
        Ok(quantized)
    }

    /// The integer results of the oracle's dot kernel: `out[b * rows + r]` = sum over c of code\[r\]\[c\] *
    /// `activations[b * cols + c]`, with unsigned codes and without scales.
    ///
    /// Row `r` of the weights starts at `r * row_stride`. `activations` is `batch x cols`, `out` is `batch x rows`,
    /// both row-major. The slices are passed to the kernel unchanged, with any alignment. I2_S accepts any `cols`; the
    /// result is what its kernel returns for columns after the last group of 128. Its integers are exact up to 2^24.
    ///
    /// # Errors
    ///
    /// [`OracleError::Refused`] for shapes and lengths that do not match, with [`Status::NoAnswer`] if the kernel wrote
    /// nothing, and with [`Status::Unsupported`] for formats without such a kernel.
    ///
    /// [`Status::NoAnswer`]: crate::Status::NoAnswer
    /// [`Status::Unsupported`]: crate::Status::Unsupported
    #[allow(
        clippy::too_many_arguments,
        reason = "two matrices, their shape and the result"
    )]
    pub fn code_dots(
        &self,
        format: Format,
        cols: usize,
        weights: &[u8],
        rows: usize,
        row_stride: usize,
        activations: &[i8],
        out: &mut [i64],
    ) -> Result<(), OracleError> {
        self.table
            .code_dot(format, cols, weights, rows, row_stride, activations, out)
    }

    /// `out[b * rows + r]`: the product of a `rows x cols` tensor and activations (`batch x cols`), computed by the
    /// oracle's graph executor with `threads` threads.
    ///
    /// # Errors
    ///
    /// [`OracleError::Refused`] for shapes and lengths that do not match, and for weights that are not aligned for
    /// their scalars (4 bytes for F32, 2 for formats with f16).
    #[allow(
        clippy::too_many_arguments,
        reason = "two matrices, their shape and the result"
    )]
    pub fn matmul(
        &self,
        format: Format,
        rows: usize,
        cols: usize,
        weights: &[u8],
        activations: &[f32],
        threads: usize,
        out: &mut [f32],
    ) -> Result<(), OracleError> {
        self.table
            .matmul(format, rows, cols, weights, activations, threads, out)
    }

    /// Opens a GGUF model for decoding.
    ///
    /// # Errors
    ///
    /// [`OracleError::Refused`] with [`Status::File`](crate::Status::File) for a file that is not a model, or with the
    /// reason why it cannot be opened. With a damaged file the oracle may abort the process.
    pub fn open(&self, model: &Path, params: &SessionParams) -> Result<Session, OracleError> {
        Session::open(Arc::clone(&self.table), model, params)
    }
}

impl std::fmt::Debug for Oracle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Oracle").field(&self.id()).finish()
    }
}

/// Rows of quantized activations.
///
/// For I2_S, each row has one scale (`value = code / scale`) and one sum. For formats with blocks of 256, each block
/// has one scale (`value = code * scale`), and each run of 16 codes has one sum.
#[derive(Clone, Debug, PartialEq)]
pub struct Activations {
    /// Codes, `rows x cols`, row-major.
    pub codes: Vec<i8>,
    /// Scales: one per row, or one per 256 codes.
    pub scales: Vec<f32>,
    /// Sums of codes: one per row, or one per 16 codes.
    pub sums: Vec<i32>,
}
