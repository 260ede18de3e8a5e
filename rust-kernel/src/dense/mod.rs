//! Matrices that are not ternary: F32, F16 and Q6_K. Models use them for embedding, output and norms.
//!
//! Products equal ggml's bit for bit, in the lane order of its AVX2 code; see `dots`. Matrices are not unpacked as a
//! whole: a few rows are converted at a time.

pub(crate) mod dots;
mod element;
pub(crate) mod fused;
pub(crate) mod libm;
mod q6_k;
#[cfg(test)]
mod samples;

use thiserror::Error;

use dots::dots;
pub use element::Element;
pub use q6_k::Q6KOffset;

use crate::activation::{ActivationError, ActivationKind, Activations};
use crate::format::ShapeError;
use crate::gguf::{GgmlType, Tensor};
use crate::threads::Threads;

/// Rows converted together. Each activation row is multiplied with them while both are in the cache.
const PANEL: usize = 4;

/// Why a dense matrix cannot be used.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum DenseError {
    /// The tensor has another type.
    #[error("type {0} is none of F32, F16 and Q6_K")]
    Type(GgmlType),
    /// Lengths do not fit together.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The activations cannot be quantized to Q8_K, which the dot product of Q6_K requires.
    #[error(transparent)]
    Activation(#[from] ActivationError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain(Element),
    Q6K(Q6KOffset),
}

/// A matrix of `rows x cols`, row-major, borrowed from the bytes of the file.
#[derive(Debug, Clone, Copy)]
pub struct Dense<'a> {
    kind: Kind,
    rows: usize,
    cols: usize,
    bytes: &'a [u8],
}

/// Activation rows, converted once to the operand of the dot product.
enum Prepared {
    Values(Vec<f32>),
    Quantized(Activations),
}

impl<'a> Dense<'a> {
    /// A view of the matrix in a tensor.
    ///
    /// # Errors
    ///
    /// [`DenseError::Type`] unless it is F32, F16 or Q6_K.
    pub fn from_tensor(tensor: &Tensor<'a>) -> Result<Dense<'a>, DenseError> {
        let kind = match tensor.ggml_type() {
            GgmlType::F32 => Kind::Plain(Element::F32),
            GgmlType::F16 => Kind::Plain(Element::F16),
            GgmlType::Q6_K => Kind::Q6K(Q6KOffset::default()),
            other => return Err(DenseError::Type(other)),
        };
        let bytes = tensor.data().ok_or(DenseError::Type(tensor.ggml_type()))?;
        Ok(Dense {
            kind,
            rows: tensor.rows(),
            cols: tensor.columns(),
            bytes,
        })
    }

    /// The same matrix, multiplied with this offset if it is of Q6_K.
    #[must_use]
    pub fn with_offset(mut self, offset: Q6KOffset) -> Dense<'a> {
        if let Kind::Q6K(of_matrix) = &mut self.kind {
            *of_matrix = offset;
        }
        self
    }

    /// Rows of the matrix.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of the matrix.
    pub fn cols(&self) -> usize {
        self.cols
    }

    fn row_bytes(&self, row: usize) -> &'a [u8] {
        let stride = self.bytes.len() / self.rows;
        &self.bytes[row * stride..][..stride]
    }

    /// Writes the values of a row to `out`, which has `cols` elements, as `ggml_get_rows` does.
    ///
    /// # Panics
    ///
    /// If the row lies outside the matrix or `out` is too short.
    pub fn read_row(&self, row: usize, out: &mut [f32]) {
        let out = &mut out[..self.cols];
        match self.kind {
            Kind::Plain(element) => element.read(self.row_bytes(row), out),
            Kind::Q6K(_) => q6_k::read(self.row_bytes(row), out),
        }
    }

    /// `out[b * rows + r]`: products of all rows with each row of `activations` (`batch x cols`).
    ///
    /// F16 rounds the activations to f16 and Q6_K quantizes them to Q8_K, as ggml does.
    ///
    /// # Errors
    ///
    /// [`DenseError::Shape`] if lengths do not fit, [`DenseError::Activation`] if activations cannot be quantized.
    pub(crate) fn matmul(
        &self,
        activations: &[f32],
        threads: &Threads,
        out: &mut [f32],
    ) -> Result<(), DenseError> {
        let batch = activations.len() / self.cols;
        ShapeError::check(
            "activations of whole rows",
            activations.len(),
            batch * self.cols,
        )?;
        ShapeError::check("results", out.len(), batch * self.rows)?;
        if batch == 0 {
            return Ok(());
        }
        let prepared = self.prepare(activations)?;
        if batch == 1 {
            threads.each_chunk_with(out, PANEL, |scratch, panel, out| {
                self.panel(panel * PANEL, &prepared, 1, scratch, out);
            });
            return Ok(());
        }
        // The rows of the matrix are outermost, so that each thread writes its own contiguous chunk.
        let mut by_panel = vec![0.0; out.len()];
        threads.each_chunk_with(&mut by_panel, PANEL * batch, |scratch, panel, out| {
            self.panel(panel * PANEL, &prepared, batch, scratch, out);
        });
        threads.each_chunk(out, self.rows, |b, out| {
            let panels = by_panel.chunks(PANEL * batch);
            for (out, panel) in out.chunks_mut(PANEL).zip(panels) {
                out.copy_from_slice(&panel[b * out.len()..][..out.len()]);
            }
        });
        Ok(())
    }

    fn prepare(&self, activations: &[f32]) -> Result<Prepared, DenseError> {
        Ok(match self.kind {
            Kind::Plain(element) => {
                let mut values = activations.to_vec();
                element.round(&mut values);
                Prepared::Values(values)
            }
            Kind::Q6K(_) => Prepared::Quantized(Activations::quantize(
                ActivationKind::Q8K,
                self.cols,
                activations,
            )?),
        })
    }

    /// `out[b * rows + r]` for up to [`PANEL`] rows from `start`; `panel` is scratch memory for them.
    fn panel(
        &self,
        start: usize,
        activations: &Prepared,
        batch: usize,
        panel: &mut Vec<f32>,
        out: &mut [f32],
    ) {
        let rows = out.len() / batch;
        match (self.kind, activations) {
            (Kind::Plain(element), Prepared::Values(values)) => {
                panel.resize(rows * self.cols, 0.0);
                for (row, values) in panel.chunks_exact_mut(self.cols).enumerate() {
                    element.read(self.row_bytes(start + row), values);
                }
                let batch = values.chunks_exact(self.cols);
                for (activations, out) in batch.zip(out.chunks_exact_mut(rows)) {
                    dots(panel, activations, element.rest(), out);
                }
            }
            (Kind::Q6K(offset), Prepared::Quantized(quantized)) => {
                let quantized = quantized.view();
                for (i, out) in out.iter_mut().enumerate() {
                    let (b, row) = (i / rows, start + i % rows);
                    let codes = &quantized.codes()[b * self.cols..][..self.cols];
                    let scales = quantized.row_scales(b);
                    *out = q6_k::dot(self.row_bytes(row), codes, scales, offset);
                }
            }
            (Kind::Q6K(_), Prepared::Values(_)) | (Kind::Plain(_), Prepared::Quantized(_)) => {
                unreachable!("`prepare` quantizes for Q6_K alone")
            }
        }
    }
}
