//! The f32 arithmetic of products: conversion of integer sums to floats, in the reference's order of operations.

/// Int32 lanes into which ggml's 256-bit kernels add the products of a block.
pub(super) const INT_LANES: usize = 8;

/// f32 accumulators of a product with f32 activations.
pub(super) const F32_LANES: usize = 32;

/// The order in which the reference adds the blocks of a row with block scales.
///
/// Both appear in `ggml_vec_dot_tq2_0_q8_K` and `ggml_vec_dot_tq1_0_q8_K` of `ggml-quants.c`, `bitnet-cpp-sys` 0.0.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SumOrder {
    /// AVX2: eight f32 lanes, with weights in lane `weight % 32 / 4`. Each lane is scaled and added separately. The
    /// lanes are folded at the end of the row.
    Lanes8,
    /// NEON and portable C: one integer per block is scaled and added to one f32.
    Chain,
}

impl SumOrder {
    /// The order of the reference as built for this target.
    pub const REFERENCE: SumOrder = if cfg!(target_arch = "x86_64") {
        SumOrder::Lanes8
    } else {
        SumOrder::Chain
    };

    /// Stable name, used in receipts.
    pub const fn name(self) -> &'static str {
        match self {
            SumOrder::Lanes8 => "lanes8",
            SumOrder::Chain => "chain",
        }
    }
}

/// Accumulates the scaled blocks of a row.
#[derive(Clone, Copy)]
pub(super) struct BlockSum {
    order: SumOrder,
    lanes: [f32; INT_LANES],
}

impl BlockSum {
    #[inline(always)]
    pub(super) const fn new(order: SumOrder) -> BlockSum {
        BlockSum {
            order,
            lanes: [0.0; INT_LANES],
        }
    }

    /// Adds a block, given its integer sums by lane and the product of both scales.
    #[inline(always)]
    pub(super) fn add(&mut self, block: [i32; INT_LANES], scale: f32) {
        match self.order {
            SumOrder::Lanes8 => {
                for (lane, integer) in self.lanes.iter_mut().zip(block) {
                    *lane += integer as f32 * scale;
                }
            }
            SumOrder::Chain => self.lanes[0] += block.iter().sum::<i32>() as f32 * scale,
        }
    }

    #[inline(always)]
    pub(super) fn finish(self) -> f32 {
        match self.order {
            SumOrder::Lanes8 => fold(self.lanes),
            SumOrder::Chain => self.lanes[0],
        }
    }
}

/// Sums lanes by folding halves: lane `i` and lane `i + N / 2` are added first. For eight lanes this is ggml's
/// `hsum_float_8`.
#[inline(always)]
pub(super) fn fold<const N: usize>(mut lanes: [f32; N]) -> f32 {
    let mut width = N / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Adds `values[i] * x[i]` to lane `i % 32`, in order. The slices have equal lengths and start at a multiple of 32
/// columns.
#[inline(always)]
pub(super) fn add_products(lanes: &mut [f32; F32_LANES], values: &[f32], x: &[f32]) {
    let (values, last_values) = values.as_chunks::<F32_LANES>();
    let (x, last_x) = x.as_chunks::<F32_LANES>();
    for (values, x) in values.iter().zip(x) {
        for lane in 0..F32_LANES {
            lanes[lane] += values[lane] * x[lane];
        }
    }
    for ((lane, value), x) in lanes.iter_mut().zip(last_values).zip(last_x) {
        *lane += value * x;
    }
}

/// Conversion of dots to products for formats with one scale per tensor: `ggml_compute_forward_mul_mat_one_chunk` in
/// `ggml.c`.
#[derive(Debug, Clone, Copy)]
pub(super) struct TensorScaling {
    sum: f32,
    activation_scale: f32,
    scale: f32,
}

impl TensorScaling {
    /// `sum` is subtracted from each dot. It is the offset of the codebook times the sum of the activations.
    #[inline(always)]
    pub(super) fn new(sum: i32, activation_scale: f32, scale: f32) -> TensorScaling {
        TensorScaling {
            sum: sum as f32,
            activation_scale,
            scale,
        }
    }

    /// The product of a row.
    #[inline(always)]
    pub(super) fn product(self, dot: i32) -> f32 {
        (dot as f32 - self.sum) / self.activation_scale * self.scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_pairs_halves() {
        // Folding adds 1e8 and -1e8 first. From left to right, 1e8 would absorb 1.
        let lanes = [1e8, 1.0, 0.0, 0.0, -1e8, 0.0, 0.0, 0.0];
        assert_eq!(fold(lanes), 1.0);
        assert_eq!(fold([3.0]), 3.0);
    }

    #[test]
    fn the_orders_differ_where_rounding_does() {
        let run = |order| {
            let mut sum = BlockSum::new(order);
            sum.add([1, 0, 0, 0, 0, 0, 0, 0], 1e8);
            sum.add([0, 1, 0, 0, 0, 0, 0, 0], 1.0);
            sum.add([-1, 0, 0, 0, 0, 0, 0, 0], 1e8);
            sum.finish()
        };
        assert_eq!(run(SumOrder::Lanes8), 1.0);
        assert_eq!(run(SumOrder::Chain), 0.0);
    }

    #[test]
    fn tensor_scaling_divides_before_it_multiplies() {
        assert_eq!(TensorScaling::new(3, 2.0, 0.5).product(7), 1.0);
        let (dot, sum, a, s) = (1_000_003, 17, 3.1, 0.7);
        let product = TensorScaling::new(sum, a, s).product(dot);
        assert_eq!(product, (dot - sum) as f32 / a * s);
    }
}
