//! A loaded oracle.

use std::path::Path;
use std::sync::Arc;

use crate::check;
use crate::describe::{Description, Format, FormatInfo, Refusal};
use crate::error::{OracleError, Status};
use crate::session::{Session, SessionParams};
use crate::table::Table;

/// A loaded oracle. The supported formats have passed the known-answer check; see [`FormatInfo::check`]. Clones are handles to the same oracle.
#[derive(Clone)]
pub struct Oracle {
    pub(crate) table: Arc<Table>,
    description: Arc<Description>,
}

impl Oracle {
    /// Checks the known answers of every format that `refused` does not have, and refuses those that fail. Formats
    /// without hand-made blocks must have passed [`check::known_answers`] before; no embedded build has them.
    ///
    /// # Errors
    ///
    /// [`OracleError::WrongAnswer`] if no format passes.
    pub(crate) fn new(table: Table, refused: &[Refusal]) -> Result<Self, OracleError> {
        let mut description = table.describe()?;
        for refusal in refused {
            description.refuse(refusal.clone());
        }
        let mut failed = None;
        for mut info in std::mem::take(&mut description.formats) {
            match check::answers_of_samples(&table, &info) {
                Ok(check) => {
                    info.check = check;
                    description.formats.push(info);
                }
                Err(error) => {
                    description.refuse(Refusal {
                        format: info.format,
                        reason: error.to_string(),
                    });
                    failed.get_or_insert(error);
                }
            }
        }
        match failed {
            Some(error) if description.formats.is_empty() => Err(error),
            _ => Ok(Self {
                table: Arc::new(table),
                description: Arc::new(description),
            }),
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

    /// The oracle's information about a format, or an error if it lacks or refuses the format.
    fn info(&self, operation: &'static str, format: Format) -> Result<&FormatInfo, OracleError> {
        let description = &self.description;
        description.format(format).ok_or_else(|| {
            let mut refused = description.refused.iter();
            let message = match refused.find(|refusal| refusal.format == format) {
                Some(refusal) => format!("type {format} is refused: {}", refusal.reason),
                None => format!("this library has no weights of type {format}"),
            };
            self.table.refused(operation, Status::Unsupported, message)
        })
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
        let info = self.info("tensor_bytes", format)?;
        self.table.tensor_bytes(info.file_type, rows, cols)
    }

    /// Quantizes `rows x cols` values, row-major, with the oracle's quantizer. Bytes that it does not write are zero.
    ///
    /// # Errors
    ///
    /// [`OracleError::Refused`] for a shape that the format cannot hold or that does not match `values`, and for formats
    /// that need importances or have no quantizer.
    pub fn quantize(
        &self,
        format: Format,
        rows: usize,
        cols: usize,
        values: &[f32],
    ) -> Result<Vec<u8>, OracleError> {
        self.quantize_any(format, rows, cols, values, None)
    }

    /// As [`Oracle::quantize`], with the weight of each column's error: `cols` importances.
    ///
    /// # Errors
    ///
    /// As [`Oracle::quantize`], and for another number of importances.
    pub fn quantize_with_importance(
        &self,
        format: Format,
        rows: usize,
        cols: usize,
        values: &[f32],
        importance: &[f32],
    ) -> Result<Vec<u8>, OracleError> {
        self.quantize_any(format, rows, cols, values, Some(importance))
    }

    fn quantize_any(
        &self,
        format: Format,
        rows: usize,
        cols: usize,
        values: &[f32],
        importance: Option<&[f32]>,
    ) -> Result<Vec<u8>, OracleError> {
        let file_type = self.info("quantize", format)?.file_type;
        let mut out = vec![0; self.table.tensor_bytes(file_type, rows, cols)?];
        let written = self
            .table
            .quantize(file_type, rows, cols, values, importance, &mut out)?;
        out.truncate(written);
        Ok(out)
    }

    /// `out[r * cols + c]`: the value of column c of row r, converted by the oracle's library.
    ///
    /// Row `r` of the weights starts at `r * row_stride`, with any alignment. `out` is `rows x cols`, row-major.
    ///
    /// # Errors
    ///
    /// [`OracleError::Refused`] for shapes and lengths that do not match, and with [`Status::Unsupported`] if the
    /// library does not convert rows of the format.
    pub fn dequantize(
        &self,
        format: Format,
        cols: usize,
        weights: &[u8],
        rows: usize,
        row_stride: usize,
        out: &mut [f32],
    ) -> Result<(), OracleError> {
        let info = self.info("dequantize", format)?;
        self.table
            .dequantize(info.file_type, cols, weights, rows, row_stride, out)
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
        let info = self.info("quantize_activations", format)?;
        let n = values.len();
        let rows = n.checked_div(cols).unwrap_or(0);
        let (scales, sums) = match info.activations.map(Format::name) {
            Some("i8_s") => (rows, rows),
            Some("q8_K") => (n / 256, n / 16),
            Some("q8_0") => (n / 32, 0),
            Some("q8_1") => (n / 32 * 2, 0),
            // Not supported.
            _ => (0, 0),
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
            .quantize_activations(info.file_type, rows, cols, values, codes, scales, sums)?;
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
        let format = self.info("code_dot", format)?.file_type;
        self.table
            .code_dot(format, cols, weights, rows, row_stride, activations, out)
    }

    /// The results of the oracle's dot kernel: `out[b * rows + r]` for row r of the weights and row b of quantized
    /// activations.
    ///
    /// Row `r` of the weights starts at `r * row_stride`, with any alignment. `codes` is `batch x cols`, `out` is `batch
    /// x rows`, both row-major. `scales` are those of [`Oracle::quantize_activations`]; the scales of q8_0 and q8_1 must
    /// be f16 numbers.
    ///
    /// # Errors
    ///
    /// [`OracleError::Refused`] for shapes and lengths that do not match, and with [`Status::Unsupported`] for formats
    /// whose activations are not q8_K, q8_0 or q8_1.
    #[allow(
        clippy::too_many_arguments,
        reason = "two matrices, their shape and the result"
    )]
    pub fn block_dots(
        &self,
        format: Format,
        cols: usize,
        weights: &[u8],
        rows: usize,
        row_stride: usize,
        codes: &[i8],
        scales: &[f32],
        out: &mut [f32],
    ) -> Result<(), OracleError> {
        let format = self.info("block_dot", format)?.file_type;
        self.table
            .block_dot(format, cols, weights, rows, row_stride, codes, scales, out)
    }

    /// `out[b * rows + r]`: the product of a `rows x cols` tensor and activations (`batch x cols`), computed by the
    /// oracle's graph executor with `threads` threads.
    ///
    /// # Errors
    ///
    /// [`OracleError::Refused`] for shapes and lengths that do not match, and for weights that are not aligned for
    /// their scalars (4 bytes for F32, 2 for blocks of an even number of bytes).
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
        let format = self.info("matmul", format)?.file_type;
        self.table
            .matmul(format, rows, cols, weights, activations, threads, out)
    }

    /// Opens a GGUF model for decoding.
    ///
    /// # Errors
    ///
    /// [`OracleError::Refused`] with [`Status::File`] for a file that is not a model, or with the
    /// reason why it cannot be opened. With a damaged file the oracle may abort the process.
    pub fn open(&self, model: &Path, params: &SessionParams) -> Result<Session, OracleError> {
        let kv_format = self.info("session_open", params.kv_format)?.file_type;
        Session::open(Arc::clone(&self.table), model, params, kv_format)
    }
}

impl std::fmt::Debug for Oracle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Oracle").field(&self.id()).finish()
    }
}

/// Rows of quantized activations.
///
/// They are of one of four types, [`FormatInfo::activations`]:
///
/// - `i8_s`: one scale (`value = code / scale`) and one sum of codes per row.
/// - `q8_K`: one scale (`value = code * scale`) per 256 codes, one sum per 16 codes.
/// - `q8_0`: one scale per 32 codes, no sums.
/// - `q8_1`: two scales per 32 codes, no sums: that of a code, then its product with the sum of the codes.
#[derive(Clone, Debug, PartialEq)]
pub struct Activations {
    /// Codes, `rows x cols`, row-major.
    pub codes: Vec<i8>,
    /// Scales.
    pub scales: Vec<f32>,
    /// Sums of codes.
    pub sums: Vec<i32>,
}
