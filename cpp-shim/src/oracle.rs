//! A loaded oracle.

use std::path::Path;
use std::sync::Arc;

use crate::check;
use crate::describe::{Description, Format};
use crate::error::OracleError;
use crate::session::{Session, SessionParams};
use crate::table::Table;

/// A loaded oracle that has passed its known-answer check. Clones are handles to the same one.
#[derive(Clone)]
pub struct Oracle {
    pub(crate) table: Arc<Table>,
    description: Arc<Description>,
}

impl Oracle {
    pub(crate) fn new(table: Table) -> Result<Self, OracleError> {
        let description = table.describe()?;
        check::known_answers(&table, &description)?;
        Ok(Self {
            table: Arc::new(table),
            description: Arc::new(description),
        })
    }

    /// Such as `bitnet.cpp/strict`.
    pub fn id(&self) -> &str {
        &self.description.id
    }

    /// What the oracle says about itself.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Size of a `rows x cols` tensor in bytes, scales and padding included.
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

    /// The oracle's own quantizer over `rows x cols` values. Bytes that it does not write are zero.
    ///
    /// # Errors
    ///
    /// [`OracleError::Refused`] for a shape that the format cannot hold or that is not that of
    /// `values`.
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

    /// What a matmul with weights of `format` makes of activations: rows of `cols`, as many as
    /// `values` has.
    ///
    /// # Errors
    ///
    /// [`OracleError::Refused`] for incomplete rows, for columns that the format cannot hold, and
    /// for formats whose activations stay floats.
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

    /// The integers of the oracle's dot kernel: `out[b * rows + r]` = sum over c of code\[r\]\[c\]
    /// * `activations[b * cols + c]`, codes unsigned, scales left out.
    ///
    /// Row `r` of the weights starts at `r * row_stride`. `activations` is a batch of rows of
    /// `cols`; `out` has a value for each of them and each row of weights. The slices reach the
    /// kernel as they are, whatever their alignment. I2_S takes any `cols`, and what its kernel
    /// makes of those beyond the last group of 128 is the answer; its integers are exact up to
    /// 2^24.
    ///
    /// # Errors
    ///
    /// [`OracleError::Refused`] for shapes and lengths that do not fit, with [`Status::NoAnswer`]
    /// if the kernel wrote nothing, and with [`Status::Unsupported`] for formats without such a
    /// kernel.
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

    /// The product of a `rows x cols` tensor and a batch of activations (rows of `cols`), through
    /// the oracle's graph executor with `threads` threads: `out[b * rows + r]`.
    ///
    /// # Errors
    ///
    /// [`OracleError::Refused`] for shapes and lengths that do not fit, and for weights that are
    /// not aligned for the scalars in them (4 bytes for F32, 2 for formats with f16).
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
    /// [`OracleError::Refused`] with [`Status::File`](crate::Status::File) for a file that is no
    /// model, or with the reason why it cannot be opened. A damaged file may make the oracle abort
    /// the process.
    pub fn open(&self, model: &Path, params: &SessionParams) -> Result<Session, OracleError> {
        Session::open(Arc::clone(&self.table), model, params)
    }
}

impl std::fmt::Debug for Oracle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Oracle").field(&self.id()).finish()
    }
}

/// Quantized activations, rows of codes.
///
/// For I2_S, a row has one scale (`value = code / scale`) and one sum; for the 256-blocked formats,
/// each block of 256 has one scale (`value = code * scale`) and each 16 codes one sum.
#[derive(Clone, Debug, PartialEq)]
pub struct Activations {
    /// `rows x cols`.
    pub codes: Vec<i8>,
    /// Per row, or per 256 codes.
    pub scales: Vec<f32>,
    /// Of the codes: per row, or per 16 codes.
    pub sums: Vec<i32>,
}
