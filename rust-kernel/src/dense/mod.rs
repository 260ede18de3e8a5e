//! Matrices of floats (F32, F16, BF16) and of all block formats.
//!
//! Products equal ggml's bit for bit, in the order of its AVX2 code; see `dots` and [`BlockFormat::order`]. Matrices are
//! not unpacked as a whole: a few rows are converted at a time.

pub(crate) mod dots;
mod element;
pub(crate) mod fused;
pub(crate) mod libm;
#[cfg(test)]
pub(crate) mod samples;

use thiserror::Error;

use dots::dots;
pub use element::Element;

use crate::activation::{ActivationError, ActivationKind, Activations};
use crate::format::ShapeError;
use crate::format::block::BlockFormat;
use crate::gguf::{GgmlType, Tensor};
use crate::kernel::Vintage;
use crate::kernel::block::Dot;
use crate::threads::Threads;

/// Rows converted together. Each activation row is multiplied with them while both are in the cache.
const PANEL: usize = 4;

/// Why a dense matrix cannot be used.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum DenseError {
    /// The tensor has another type.
    #[error("type {0} is neither a type of floats nor a block format")]
    Type(GgmlType),
    /// Lengths do not fit together.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The activations cannot be quantized as the dot product of the type requires.
    #[error(transparent)]
    Activation(#[from] ActivationError),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Plain(Element),
    Blocks(Dot),
}

/// A matrix of `rows x cols`, row-major, borrowed from the bytes of the file.
#[derive(Debug, Clone, Copy)]
pub struct Dense<'a> {
    kind: Kind,
    rows: usize,
    cols: usize,
    bytes: &'a [u8],
}

/// Activation rows, `batch x cols`, converted once to the operand of the dot product.
pub(crate) enum Operand<'x> {
    Values(Vec<f32>),
    Quantized(&'x Activations),
}

impl<'a> Dense<'a> {
    /// A view of the matrix in a tensor.
    ///
    /// # Errors
    ///
    /// [`DenseError::Type`] unless its type is F32, F16, BF16 or a block format.
    pub fn from_tensor(tensor: &Tensor<'a>) -> Result<Dense<'a>, DenseError> {
        let ggml_type = tensor.ggml_type();
        let unknown = || DenseError::Type(ggml_type);
        let element = Element::ALL
            .into_iter()
            .find(|element| element.ggml_type() == ggml_type);
        let kind = match element {
            Some(element) => Kind::Plain(element),
            None => Kind::Blocks(Dot::new(
                BlockFormat::of(ggml_type).ok_or_else(unknown)?,
                Vintage::default(),
            )),
        };
        Ok(Dense {
            kind,
            rows: tensor.rows(),
            cols: tensor.columns(),
            bytes: tensor.data().ok_or_else(unknown)?,
        })
    }

    /// The same matrix, multiplied as this vintage of llama.cpp does.
    #[must_use]
    pub fn of_vintage(mut self, vintage: Vintage) -> Dense<'a> {
        if let Kind::Blocks(dot) = &mut self.kind {
            *dot = Dot::new(dot.format(), vintage);
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
        let (bytes, out) = (self.row_bytes(row), &mut out[..self.cols]);
        match self.kind {
            Kind::Plain(element) => element.read(bytes, out),
            Kind::Blocks(dot) => {
                let format = dot.format();
                let blocks = bytes.chunks_exact(format.bytes);
                for (block, out) in blocks.zip(out.chunks_exact_mut(format.weights)) {
                    format.dequantize(block, out);
                }
            }
        }
    }

    /// `out[b * rows + r]`: products of all rows with each row of `activations`, which is `batch x cols`, row-major, and is
    /// rounded or quantized as the type of the matrix requires.
    ///
    /// # Errors
    ///
    /// [`DenseError::Shape`] if lengths do not fit, [`DenseError::Activation`] if activations cannot be quantized.
    pub fn products(
        &self,
        activations: &[f32],
        threads: &Threads,
        out: &mut [f32],
    ) -> Result<(), DenseError> {
        match self.activation() {
            Some(kind) => {
                let quantized = Activations::quantize(kind, self.cols, activations)?;
                self.matmul(&Operand::Quantized(&quantized), threads, out)
            }
            None => self.matmul(&self.rounded(activations), threads, out),
        }
    }

    /// The kind of activations that the matrix is multiplied with, if they are quantized.
    pub(crate) fn activation(&self) -> Option<ActivationKind> {
        match self.kind {
            Kind::Plain(_) => None,
            Kind::Blocks(dot) => Some(dot.format().activation),
        }
    }

    /// Activations as an operand of a matrix of floats, rounded to its element type as ggml does.
    pub(crate) fn rounded(&self, activations: &[f32]) -> Operand<'static> {
        let mut values = activations.to_vec();
        if let Kind::Plain(element) = self.kind {
            element.round(&mut values);
        }
        Operand::Values(values)
    }

    /// `out[b * rows + r]`: products of all rows with each of `batch` rows of activations. They are quantized if the
    /// matrix has an [`activation`](Dense::activation).
    ///
    /// # Errors
    ///
    /// [`DenseError::Shape`] if lengths do not fit.
    pub(crate) fn matmul(
        &self,
        activations: &Operand<'_>,
        threads: &Threads,
        out: &mut [f32],
    ) -> Result<(), DenseError> {
        let len = match activations {
            Operand::Values(values) => values.len(),
            Operand::Quantized(quantized) => quantized.codes().len(),
        };
        let batch = len / self.cols;
        ShapeError::check("activations of whole rows", len, batch * self.cols)?;
        ShapeError::check("results", out.len(), batch * self.rows)?;
        if batch == 0 {
            return Ok(());
        }
        if batch == 1 {
            threads.each_chunk_with(out, PANEL, |scratch, panel, out| {
                self.panel(panel * PANEL, activations, 1, scratch, out);
            });
            return Ok(());
        }
        // The rows of the matrix are outermost, so that each thread writes its own contiguous chunk.
        let mut by_panel = vec![0.0; out.len()];
        threads.each_chunk_with(&mut by_panel, PANEL * batch, |scratch, panel, out| {
            self.panel(panel * PANEL, activations, batch, scratch, out);
        });
        threads.each_chunk(out, self.rows, |b, out| {
            let panels = by_panel.chunks(PANEL * batch);
            for (out, panel) in out.chunks_mut(PANEL).zip(panels) {
                out.copy_from_slice(&panel[b * out.len()..][..out.len()]);
            }
        });
        Ok(())
    }

    /// `out[b * rows + r]` for up to [`PANEL`] rows from `start`; `panel` is scratch memory for them.
    fn panel(
        &self,
        start: usize,
        activations: &Operand<'_>,
        batch: usize,
        panel: &mut Vec<f32>,
        out: &mut [f32],
    ) {
        let rows = out.len() / batch;
        match (self.kind, activations) {
            (Kind::Plain(element), Operand::Values(values)) => {
                panel.resize(rows * self.cols, 0.0);
                for (row, values) in panel.chunks_exact_mut(self.cols).enumerate() {
                    element.read(self.row_bytes(start + row), values);
                }
                let batch = values.chunks_exact(self.cols);
                for (activations, out) in batch.zip(out.chunks_exact_mut(rows)) {
                    dots(panel, activations, element.rest(), out);
                }
            }
            (Kind::Blocks(dot), Operand::Quantized(quantized)) => {
                panel.resize(batch, 0.0);
                for row in 0..rows {
                    dot.products(self.row_bytes(start + row), quantized.view(), panel);
                    for (out, product) in out.iter_mut().skip(row).step_by(rows).zip(&*panel) {
                        *out = *product;
                    }
                }
            }
            (Kind::Blocks(_), Operand::Values(_)) | (Kind::Plain(_), Operand::Quantized(_)) => {
                unreachable!("operands follow `activation`")
            }
        }
    }
}
