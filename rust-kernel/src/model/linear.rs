//! A linear layer with a matrix of any supported type.

use crate::activation::{ActivationError, Activations};
use crate::dense::{Dense, DenseError, Operand};
use crate::format::{ActivationKind, Weights};
use crate::kernel::Kernel;
use crate::matmul::{MatmulError, matmul_quantized};
use crate::threads::Threads;

use super::error::ModelError;

/// A linear layer. Its matrix is borrowed from the bytes of the file.
#[derive(Debug)]
pub(super) struct Linear<'a> {
    name: String,
    matrix: Matrix<'a>,
    scale: Option<f32>,
    bias: Option<Vec<f32>>,
}

/// The matrix of a linear layer.
#[derive(Debug)]
pub(super) enum Matrix<'a> {
    /// Ternary weights and the kernel that multiplies them.
    Ternary(Weights<'a>, &'static Kernel),
    /// Floats or a block format.
    Dense(Dense<'a>),
}

/// The input of linear layers: `batch x cols`, quantized at most once for each kind of activations.
pub(super) struct Input<'x> {
    values: &'x [f32],
    cols: usize,
    quantized: Vec<Activations>,
}

impl<'x> Input<'x> {
    pub(super) fn new(values: &'x [f32], cols: usize) -> Input<'x> {
        Input {
            values,
            cols,
            quantized: Vec::new(),
        }
    }

    fn rows(&self) -> usize {
        self.values.len() / self.cols
    }

    fn quantized(&mut self, kind: ActivationKind) -> Result<&Activations, ActivationError> {
        let known = self.quantized.iter().position(|known| known.kind() == kind);
        let index = match known {
            Some(index) => index,
            None => {
                let quantized = Activations::quantize(kind, self.cols, self.values)?;
                self.quantized.push(quantized);
                self.quantized.len() - 1
            }
        };
        Ok(&self.quantized[index])
    }
}

impl<'a> Linear<'a> {
    /// `scale` is an additional factor of every result: the companion tensor `.scale` of some BitNet files.
    pub(super) fn new(name: String, matrix: Matrix<'a>, scale: Option<f32>) -> Linear<'a> {
        Linear {
            name,
            matrix,
            scale,
            bias: None,
        }
    }

    /// The same layer with a bias, which the graph adds as a separate operation.
    pub(super) fn with_bias(mut self, bias: Vec<f32>) -> Linear<'a> {
        self.bias = Some(bias);
        self
    }

    /// The bias.
    pub(super) fn bias(&self) -> Option<&[f32]> {
        self.bias.as_deref()
    }

    /// The scale in the companion tensor, which the graph applies as a separate operation.
    pub(super) fn scale(&self) -> Option<f32> {
        self.scale
    }

    /// The kernel, if the matrix is ternary.
    pub(super) fn kernel(&self) -> Option<&'static Kernel> {
        match self.matrix {
            Matrix::Ternary(_, kernel) => Some(kernel),
            Matrix::Dense(_) => None,
        }
    }

    fn rows(&self) -> usize {
        match &self.matrix {
            Matrix::Ternary(weights, _) => weights.rows(),
            Matrix::Dense(dense) => dense.rows(),
        }
    }

    /// The product with each row of `x`: `batch x rows`, row-major. The scale in the companion tensor is not applied.
    pub(super) fn product(
        &self,
        x: &mut Input<'_>,
        threads: &Threads,
    ) -> Result<Vec<f32>, ModelError> {
        let mut out = vec![0.0; x.rows() * self.rows()];
        match &self.matrix {
            Matrix::Ternary(weights, kernel) => x
                .quantized(weights.format().activation)
                .map_err(MatmulError::from)
                .and_then(|x| matmul_quantized(kernel, weights, x, threads, &mut out))
                .map_err(|source| ModelError::Product {
                    tensor: self.name.clone(),
                    source,
                })?,
            Matrix::Dense(dense) => {
                let operand = match dense.activation() {
                    Some(kind) => x.quantized(kind).map(Operand::Quantized),
                    None => Ok(dense.rounded(x.values)),
                };
                operand
                    .map_err(DenseError::from)
                    .and_then(|operand| dense.matmul(&operand, threads, &mut out))
                    .map_err(|source| ModelError::DenseProduct {
                        tensor: self.name.clone(),
                        source,
                    })?
            }
        }
        Ok(out)
    }

    /// The product, with the scale in the companion tensor applied if there is one.
    pub(super) fn forward(
        &self,
        x: &mut Input<'_>,
        threads: &Threads,
    ) -> Result<Vec<f32>, ModelError> {
        let mut out = self.product(x, threads)?;
        if let Some(scale) = self.scale {
            out.iter_mut().for_each(|value| *value *= scale);
        }
        Ok(out)
    }
}
