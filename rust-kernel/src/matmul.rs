//! GEMV and GEMM: a kernel spread over the rows of a matrix and over threads.

use std::ops::Range;

use rayon::prelude::*;
use thiserror::Error;

use crate::activation::{ActivationError, Activations};
use crate::format::{ShapeError, Weights};
use crate::kernel::{Kernel, KernelError};

/// Rows that one task multiplies: few enough to spread evenly, and a whole number of panels in every layout.
const ROWS_PER_TASK: usize = 16;

/// Why a matrix product did not run.
#[derive(Debug, Error)]
pub enum MatmulError {
    /// The activations cannot be quantized.
    #[error(transparent)]
    Activation(#[from] ActivationError),
    /// The kernel refused.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The operating system gave no threads.
    #[error("cannot start {threads} threads: {reason}")]
    Threads {
        /// Threads asked for.
        threads: usize,
        /// What the thread pool said.
        reason: String,
    },
}

impl From<ShapeError> for MatmulError {
    fn from(error: ShapeError) -> Self {
        MatmulError::Kernel(error.into())
    }
}

/// The threads that a matrix product runs on. Results never depend on how many there are.
#[derive(Debug)]
pub struct Threads(Option<rayon::ThreadPool>);

impl Threads {
    /// The calling thread alone.
    pub const ONE: Threads = Threads(None);

    /// `threads` threads, started now.
    ///
    /// # Errors
    ///
    /// [`MatmulError::Threads`] if they cannot be started.
    pub fn new(threads: usize) -> Result<Threads, MatmulError> {
        if threads <= 1 {
            return Ok(Threads::ONE);
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|error| MatmulError::Threads {
            threads,
            reason: error.to_string(),
        })?;
        Ok(Threads(Some(pool)))
    }

    /// Runs `task` for each run of rows and gives the results in order.
    fn each_task<R: Send>(&self, rows: usize, task: impl Fn(Range<usize>) -> R + Sync) -> Vec<R> {
        let starts = (0..rows).step_by(ROWS_PER_TASK);
        let range = |start: usize| start..(start + ROWS_PER_TASK).min(rows);
        match &self.0 {
            None => starts.map(|start| task(range(start))).collect(),
            Some(pool) => {
                let starts: Vec<usize> = starts.collect();
                pool.install(|| {
                    starts
                        .into_par_iter()
                        .map(|start| task(range(start)))
                        .collect()
                })
            }
        }
    }
}

/// `out[b * rows + r]`: products of all rows with each row of f32 activations, quantized as the format wants them.
///
/// `activations` is `batch x cols`, `out` is `batch x rows`, both row-major.
///
/// # Errors
///
/// [`MatmulError`] if lengths do not fit, an activation is not finite, or the kernel cannot run.
pub fn matmul(
    kernel: &Kernel,
    weights: &Weights<'_>,
    activations: &[f32],
    threads: &Threads,
    out: &mut [f32],
) -> Result<(), MatmulError> {
    let kind = weights.format().activation;
    let quantized = Activations::quantize(kind, weights.cols(), activations)?;
    spread(weights, quantized.rows(), threads, out, |rows, tile| {
        kernel.products(weights, rows, &quantized, tile)
    })
}

/// As [`matmul`], with the f32 activations taken as they are.
///
/// # Errors
///
/// As [`matmul`]; activations may be any f32.
pub fn matmul_f32(
    kernel: &Kernel,
    weights: &Weights<'_>,
    activations: &[f32],
    threads: &Threads,
    out: &mut [f32],
) -> Result<(), MatmulError> {
    let batch = activations.len() / weights.cols();
    spread(weights, batch, threads, out, |rows, tile| {
        kernel.products_f32(weights, rows, activations, tile)
    })
}

/// Computes tiles of `batch x ROWS_PER_TASK` results and lays them out as `batch x rows`.
fn spread(
    weights: &Weights<'_>,
    batch: usize,
    threads: &Threads,
    out: &mut [f32],
    products: impl Fn(Range<usize>, &mut [f32]) -> Result<(), KernelError> + Sync,
) -> Result<(), MatmulError> {
    let all_rows = weights.rows();
    ShapeError::check("results", out.len(), batch * all_rows)?;
    let tiles = threads.each_task(all_rows, |rows| {
        let mut tile = vec![0.0; batch * rows.len()];
        products(rows.clone(), &mut tile).map(|()| (rows, tile))
    });
    for tile in tiles {
        let (rows, tile) = tile?;
        for (out, tile) in out
            .chunks_exact_mut(all_rows)
            .zip(tile.chunks_exact(rows.len()))
        {
            out[rows.clone()].copy_from_slice(tile);
        }
    }
    Ok(())
}
