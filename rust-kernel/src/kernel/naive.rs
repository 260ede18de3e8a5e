//! The definition: one weight at a time, directly from the layout. All other kernels are tested against it.

use std::ops::Range;

use super::Compute;
use super::arithmetic::{BlockSum, F32_LANES, INT_LANES, SumOrder, TensorScaling, fold};
use crate::activation::{ActivationKind, ActivationsRef};
use crate::format::{QK256, ScaleRule, Weights};

/// Works on every CPU and with every format.
pub(super) struct Naive;

impl Compute for Naive {
    fn dots(&self, weights: &Weights<'_>, rows: Range<usize>, activations: &[i8], out: &mut [i32]) {
        let batch = activations.chunks_exact(weights.cols());
        each_result(rows, batch, out, |row, a| {
            dot(weights, row, 0..weights.cols(), a)
        });
    }

    fn products(
        &self,
        weights: &Weights<'_>,
        rows: Range<usize>,
        activations: ActivationsRef<'_>,
        out: &mut [f32],
    ) {
        each_result(rows, 0..activations.rows(), out, |row, b| {
            product(weights, row, activations, b)
        });
    }

    fn products_f32(
        &self,
        weights: &Weights<'_>,
        rows: Range<usize>,
        activations: &[f32],
        out: &mut [f32],
    ) {
        let batch = activations.chunks_exact(weights.cols());
        each_result(rows, batch, out, |row, x| product_f32(weights, row, x));
    }

    fn unpack(&self, weights: &Weights<'_>, rows: Range<usize>, out: &mut [f32]) {
        let (codebook, storage) = (weights.format().codebook, weights.storage());
        for (row, out) in rows.zip(out.chunks_exact_mut(weights.cols())) {
            for (col, out) in out.iter_mut().enumerate() {
                let value = f32::from(codebook.value(weights.code(row, col)));
                *out = value * weights.scale(storage.scale_index(row, col));
            }
        }
    }
}

/// Fills `out` batch-major with `result(row, activations)`.
pub(super) fn each_result<A: Copy, R>(
    rows: Range<usize>,
    batch: impl Iterator<Item = A>,
    out: &mut [R],
    mut result: impl FnMut(usize, A) -> R,
) {
    let mut out = out.iter_mut();
    for activations in batch {
        for (row, out) in rows.clone().zip(&mut out) {
            *out = result(row, activations);
        }
    }
}

fn raw(weights: &Weights<'_>, row: usize, col: usize) -> i32 {
    i32::from(weights.format().codebook.raw(weights.code(row, col)))
}

/// The integer dot over some columns; `a` is a whole activation row.
fn dot(weights: &Weights<'_>, row: usize, cols: Range<usize>, a: &[i8]) -> i32 {
    cols.map(|col| raw(weights, row, col) * i32::from(a[col]))
        .sum()
}

fn product(weights: &Weights<'_>, row: usize, activations: ActivationsRef<'_>, b: usize) -> f32 {
    let cols = weights.cols();
    let a = &activations.codes()[b * cols..][..cols];
    let scales = activations.row_scales(b);
    let sums = activations.row_sums(b);
    let offset = i32::from(weights.format().codebook.offset());
    match (weights.format().scale, activations.kind()) {
        (ScaleRule::Tensor, _) => {
            let dot = dot(weights, row, 0..cols, a);
            TensorScaling::new(offset * sums[0], scales[0], weights.scale(0)).product(dot)
        }
        (ScaleRule::Block { .. }, ActivationKind::Q8K) => {
            let mut total = BlockSum::new(SumOrder::REFERENCE);
            for (block, &activation_scale) in scales.iter().enumerate() {
                let mut lanes = [0; INT_LANES];
                for weight in 0..QK256 {
                    let col = block * QK256 + weight;
                    lanes[weight % 32 / 4] += raw(weights, row, col) * i32::from(a[col]);
                }
                for (sum, lane) in lanes.iter_mut().enumerate() {
                    let first = block * QK256 / 16 + 2 * sum;
                    *lane -= offset * (sums[first] + sums[first + 1]);
                }
                let scale = weights.scale(weights.storage().scale_index(row, block * QK256));
                total.add(lanes, activation_scale * scale);
            }
            total.finish()
        }
        // `i8_s`, the activations of BitNet32.
        (ScaleRule::Block { weights: block }, _) => {
            let mut total = 0.0f32;
            for start in (0..cols).step_by(block) {
                let dot = dot(weights, row, start..(start + block).min(cols), a);
                total += dot as f32 * weights.scale(weights.storage().scale_index(row, start));
            }
            total / scales[0]
        }
    }
}

fn product_f32(weights: &Weights<'_>, row: usize, x: &[f32]) -> f32 {
    let (codebook, storage) = (weights.format().codebook, weights.storage());
    let value = |col| f32::from(codebook.value(weights.code(row, col)));
    let mut lanes = [0.0; F32_LANES];
    match weights.format().scale {
        ScaleRule::Tensor => {
            for (col, x) in x.iter().enumerate() {
                lanes[col % F32_LANES] += value(col) * x;
            }
            fold(lanes) * weights.scale(0)
        }
        ScaleRule::Block { weights: block } => {
            for start in (0..x.len()).step_by(block) {
                let mut block_lanes = [0.0; F32_LANES];
                for col in start..(start + block).min(x.len()) {
                    block_lanes[col % F32_LANES] += value(col) * x[col];
                }
                let scale = weights.scale(storage.scale_index(row, start));
                for (lane, block_lane) in lanes.iter_mut().zip(block_lanes) {
                    *lane += block_lane * scale;
                }
            }
            fold(lanes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activations;
    use crate::format::{I2_S_GROUP128, Storage, TQ2_0, pack};
    use crate::kernel;

    #[test]
    fn a_dot_by_hand() {
        let storage = Storage::native(I2_S_GROUP128, 2, 128).unwrap();
        let mut codes = vec![1; 256];
        (codes[0], codes[1], codes[128]) = (2, 0, 3);
        let bytes = pack(&storage, &codes, &[0.5]).unwrap();
        let weights = Weights::new(storage, &bytes).unwrap();
        let mut a = [0i8; 128];
        (a[0], a[1], a[2]) = (10, 20, -3);
        let kernel = kernel::by_id("i2_s.group128.naive").unwrap();
        let mut dots = [0; 2];
        kernel.dots(&weights, 0..2, &a, &mut dots).unwrap();
        assert_eq!(dots, [2 * 10 - 3, 3 * 10 + 20 - 3]);

        // Row 0 is (+1, -1, 0, ...) * 0.5. These activations are quantized without loss.
        let values: Vec<f32> = a.iter().map(|&a| f32::from(a) * 127.0 / 20.0).collect();
        let quantized = Activations::quantize(ActivationKind::I8S, 128, &values).unwrap();
        let mut products = [0.0; 1];
        kernel
            .products(&weights, 0..1, &quantized, &mut products)
            .unwrap();
        assert!(
            (products[0] - (63.5 - 127.0) * 0.5).abs() < 0.5,
            "{products:?}"
        );
    }

    #[test]
    fn block_scales_are_applied_block_by_block() {
        let storage = Storage::native(TQ2_0, 1, 512).unwrap();
        let bytes = pack(&storage, &[2; 512], &[0.5, -2.0]).unwrap();
        let weights = Weights::new(storage, &bytes).unwrap();
        let kernel = kernel::by_id("tq2_0.naive").unwrap();
        let mut out = [0.0; 1];
        kernel
            .products_f32(&weights, 0..1, &[1.0; 512], &mut out)
            .unwrap();
        assert_eq!(out, [0.5 * 256.0 - 2.0 * 256.0]);
    }
}
