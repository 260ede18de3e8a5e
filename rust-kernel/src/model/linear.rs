//! A linear layer: a matrix of any supported type, multiplied by what its type calls for.

use crate::dense::Dense;
use crate::format::Weights;
use crate::kernel::Kernel;
use crate::matmul::matmul;
use crate::threads::Threads;

use super::error::ModelError;

/// The matrix of a linear layer, as raw bytes of the file.
#[derive(Debug)]
pub(super) struct Linear<'a> {
    name: String,
    matrix: Matrix<'a>,
    scale: Option<f32>,
}

/// What the bytes are.
#[derive(Debug)]
pub(super) enum Matrix<'a> {
    /// Ternary weights and the kernel that multiplies them.
    Ternary(Weights<'a>, &'static Kernel),
    /// F32, F16 or Q6_K.
    Dense(Dense<'a>),
}

impl<'a> Linear<'a> {
    /// `scale` multiplies every result once more: the `.scale` tensor of some BitNet files.
    pub(super) fn new(name: String, matrix: Matrix<'a>, scale: Option<f32>) -> Linear<'a> {
        Linear {
            name,
            matrix,
            scale,
        }
    }

    /// The scale beside the matrix, which the graph applies as an operation of its own.
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

    fn shape(&self) -> (usize, usize) {
        match &self.matrix {
            Matrix::Ternary(weights, _) => (weights.rows(), weights.cols()),
            Matrix::Dense(dense) => (dense.rows(), dense.cols()),
        }
    }

    /// The product with each row of `x`, row-major: `batch x rows`. The scale beside the matrix is not applied.
    pub(super) fn product(&self, x: &[f32], threads: &Threads) -> Result<Vec<f32>, ModelError> {
        let (rows, cols) = self.shape();
        let mut out = vec![0.0; x.len() / cols * rows];
        match &self.matrix {
            Matrix::Ternary(weights, kernel) => matmul(kernel, weights, x, threads, &mut out)
                .map_err(|source| ModelError::Product {
                    tensor: self.name.clone(),
                    source,
                })?,
            Matrix::Dense(dense) => {
                dense
                    .matmul(x, threads, &mut out)
                    .map_err(|source| ModelError::DenseProduct {
                        tensor: self.name.clone(),
                        source,
                    })?
            }
        }
        Ok(out)
    }

    /// The product with the scale beside the matrix applied, where there is one.
    pub(super) fn forward(&self, x: &[f32], threads: &Threads) -> Result<Vec<f32>, ModelError> {
        let mut out = self.product(x, threads)?;
        if let Some(scale) = self.scale {
            out.iter_mut().for_each(|value| *value *= scale);
        }
        Ok(out)
    }
}
