//! GEMV and GEMM: matrix products with a kernel on several threads.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use thiserror::Error;

use crate::activation::{ActivationError, Activations};
use crate::format::{ShapeError, Weights};
use crate::kernel::{Kernel, KernelError};
use crate::threads::{PIECES_PER_THREAD, Threads};

/// The rows of a task are a multiple of this: whole panels of every layout, and whole panels of the decoded rows of
/// kernels.
const TASK_ROWS: usize = 16;

/// Maximum rows of a task with several activation rows. It keeps the results of a task close together, because kernels
/// do not write them in order. A row of results is three cache lines: an odd stride, which avoids conflicts in the sets
/// of a cache.
const MOST_TILE_ROWS: usize = 3 * TASK_ROWS;

/// Why a matrix product did not run.
#[derive(Debug, Error)]
pub enum MatmulError {
    /// The activations cannot be quantized.
    #[error(transparent)]
    Activation(#[from] ActivationError),
    /// The kernel cannot run.
    #[error(transparent)]
    Kernel(#[from] KernelError),
}

impl From<ShapeError> for MatmulError {
    fn from(error: ShapeError) -> Self {
        MatmulError::Kernel(error.into())
    }
}

/// `out[b * rows + r]`: products of all rows with each row of f32 activations, quantized as the format requires.
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
    matmul_quantized(kernel, weights, &quantized, threads, out)
}

/// As [`matmul`], with quantized activations. They can be quantized once and multiplied with several matrices.
///
/// # Errors
///
/// [`MatmulError::Kernel`] if lengths or the kind of activations do not fit, or the kernel cannot run.
pub fn matmul_quantized(
    kernel: &Kernel,
    weights: &Weights<'_>,
    activations: &Activations,
    threads: &Threads,
    out: &mut [f32],
) -> Result<(), MatmulError> {
    spread(weights, activations.rows(), threads, out, |rows, tile| {
        kernel.products(weights, rows, activations, tile)
    })
}

/// As [`matmul`], without quantization of the activations.
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

/// A run of rows, and for each activation row the slice for its results.
type Task<'a> = (Range<usize>, Vec<&'a mut [f32]>);

/// Calls `products` for runs of rows on all threads, and writes the results to `out[b * rows + r]`.
fn spread(
    weights: &Weights<'_>,
    batch: usize,
    threads: &Threads,
    out: &mut [f32],
    products: impl Fn(Range<usize>, &mut [f32]) -> Result<(), KernelError> + Sync,
) -> Result<(), MatmulError> {
    let rows = weights.rows();
    ShapeError::check("results", out.len(), batch * rows)?;
    if threads.count() == 1 && batch == 1 {
        return Ok(products(0..rows, out)?);
    }
    let result = Mutex::new(Ok(()));
    let tasks = tasks(rows, threads.count(), out).into_iter();
    threads.for_each(tasks, |tile, task| {
        if let Err(error) = run(task, tile, &products) {
            *result.lock().unwrap_or_else(PoisonError::into_inner) = Err(error);
        }
    });
    Ok(result
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)?)
}

/// Divides the rows of `out`, `batch x rows`, into tasks.
fn tasks(rows: usize, threads: usize, out: &mut [f32]) -> Vec<Task<'_>> {
    let most = if out.len() > rows {
        MOST_TILE_ROWS
    } else {
        usize::MAX
    };
    let run = rows
        .div_ceil(threads * PIECES_PER_THREAD)
        .next_multiple_of(TASK_ROWS)
        .min(most);
    let mut tasks: Vec<Task<'_>> = (0..rows)
        .step_by(run)
        .map(|start| (start..rows.min(start + run), Vec::new()))
        .collect();
    for out in out.chunks_exact_mut(rows) {
        for ((_, parts), part) in tasks.iter_mut().zip(out.chunks_mut(run)) {
            parts.push(part);
        }
    }
    tasks
}

/// Computes one task. `tile` is scratch memory of the thread. A single activation row is computed without it.
fn run(
    (rows, mut parts): Task<'_>,
    tile: &mut Vec<f32>,
    products: &impl Fn(Range<usize>, &mut [f32]) -> Result<(), KernelError>,
) -> Result<(), KernelError> {
    if let [part] = parts.as_mut_slice() {
        return products(rows, part);
    }
    tile.resize(parts.len() * rows.len(), 0.0);
    products(rows.clone(), tile)?;
    for (part, tile) in parts.into_iter().zip(tile.chunks_exact(rows.len())) {
        part.copy_from_slice(tile);
    }
    Ok(())
}
