//! Products of weights with block scales (TQ2_0 and TQ1_0) and `Q8_K` activations.
//!
//! The integer sums of a block stay in eight lanes. The lanes are scaled and added as floats, block by block; see
//! [`BlockSum`]. Rows are whole blocks.

use std::ops::Range;

use super::batch::Sink;
use super::decode::{Codes, Decode, Row, STEPS, steps};
use super::gemm::{TILE_COLUMNS, multiply};
use super::gemv::{AHEAD, mul_add_half};
use super::panel::{PAIR, Panel};
use crate::activation::ActivationsRef;
use crate::format::{QK256, Weights};
use crate::kernel::arithmetic::INT_LANES;
use crate::kernel::vector::Vector;
use crate::prefetch;

/// `Q8_K` activations, with the correction for the codebook offset of each lane of a block. The correction is the same
/// for all weight rows.
pub(in super::super) struct Quantized<'a> {
    activations: ActivationsRef<'a>,
    blocks: &'a [Codes<i8>],
    offsets: Vec<[i32; INT_LANES]>,
    row_blocks: usize,
}

impl<'a> Quantized<'a> {
    /// Each lane covers two of the sixteen partial sums of a block.
    pub(super) fn new(activations: ActivationsRef<'a>, offset: i32) -> Quantized<'a> {
        let lanes = |sums: &[i32; 16]| {
            std::array::from_fn(|lane| offset * (sums[2 * lane] + sums[2 * lane + 1]))
        };
        Quantized {
            activations,
            blocks: activations.codes().as_chunks().0,
            offsets: activations.sums().as_chunks().0.iter().map(lanes).collect(),
            row_blocks: activations.cols() / QK256,
        }
    }

    fn rows(&self) -> usize {
        self.activations.rows()
    }

    /// Codes of row `b`.
    #[inline(always)]
    fn codes(&self, b: usize) -> &'a [Codes<i8>] {
        &self.blocks[b * self.row_blocks..][..self.row_blocks]
    }

    /// Offsets of row `b`.
    #[inline(always)]
    fn offsets(&self, b: usize) -> &[[i32; INT_LANES]] {
        &self.offsets[b * self.row_blocks..][..self.row_blocks]
    }

    /// Scales of row `b`.
    #[inline(always)]
    fn scales(&self, b: usize) -> &'a [f32] {
        &self.activations.scales()[b * self.row_blocks..][..self.row_blocks]
    }
}

/// Products of rows with few activation rows. Codes are decoded in registers and not stored.
#[inline(always)]
pub(in super::super) fn block_gemv<V: Vector, D: Decode>(
    v: V,
    weights: &Weights<'_>,
    rows: Range<usize>,
    batch: &Quantized<'_>,
    sink: &mut Sink<'_, f32>,
) {
    for row in rows {
        let blocks = Row::<D>::new(weights, row).blocks;
        for b in 0..batch.rows() {
            let mut sum = v.scaled();
            let a = batch
                .codes(b)
                .iter()
                .zip(batch.offsets(b))
                .zip(batch.scales(b));
            for (block, ((a, offsets), scale)) in blocks.iter().zip(a) {
                prefetch::line(std::ptr::from_ref(block).cast::<u8>().wrapping_add(AHEAD));
                let narrow = mul_add_half::<V, D>(v, [v.narrow(); 2], block, a, 0);
                let [even, odd] = mul_add_half::<V, D>(v, narrow, block, a, 1);
                let wide = [v.widen(v.wide(), even), v.widen(v.wide(), odd)];
                let wide = v.join(wide, D::SHIFTS[0], D::SHIFTS[1]);
                sum = v.add_scaled(sum, wide, offsets, scale * D::scale(v, block));
            }
            sink(row, b, &[v.finish(sum)]);
        }
    }
}

/// Products of a panel with all activation rows.
#[inline(always)]
pub(in super::super) fn block_gemm<V: Vector>(
    v: V,
    panel: &Panel,
    batch: &Quantized<'_>,
    sink: &mut Sink<'_, f32>,
) {
    let rows = panel.rows();
    let mut column = 0;
    while column < batch.rows() {
        let wide = column + TILE_COLUMNS <= batch.rows();
        let mut row = 0;
        while row < rows.len() {
            // Odd last rows and columns are rare, so the smallest tile computes both.
            if wide && row + PAIR <= rows.len() {
                tile::<V, PAIR, TILE_COLUMNS>(v, panel, row, batch, column, sink);
                row += PAIR;
                continue;
            }
            let columns = if wide { TILE_COLUMNS } else { 1 };
            for column in column..column + columns {
                tile::<V, 1, 1>(v, panel, row, batch, column, sink);
            }
            row += 1;
        }
        column += if wide { TILE_COLUMNS } else { 1 };
    }
}

#[inline(always)]
fn tile<V: Vector, const R: usize, const C: usize>(
    v: V,
    panel: &Panel,
    row: usize,
    batch: &Quantized<'_>,
    column: usize,
    sink: &mut Sink<'_, f32>,
) {
    let mut sums = [[v.scaled(); R]; C];
    let codes: [_; R] = std::array::from_fn(|r| panel.codes(row + r));
    let row_scales: [_; R] = std::array::from_fn(|r| panel.scales(row + r));
    let a: [_; C] = std::array::from_fn(|c| steps(batch.codes(column + c)));
    let offsets: [_; C] = std::array::from_fn(|c| batch.offsets(column + c));
    let scales: [_; C] = std::array::from_fn(|c| batch.scales(column + c));
    for block in 0..batch.row_blocks {
        let mut narrow = [[v.narrow(); R]; C];
        for step in block * STEPS..(block + 1) * STEPS {
            narrow = multiply(v, narrow, codes, a, step);
        }
        for c in 0..C {
            for r in 0..R {
                let wide = v.widen(v.wide(), narrow[c][r]);
                let scale = scales[c][block] * row_scales[r][block];
                sums[c][r] = v.add_scaled(sums[c][r], wide, &offsets[c][block], scale);
            }
        }
    }
    for (c, sums) in sums.into_iter().enumerate() {
        let mut products = [0.0; R];
        for (product, sum) in products.iter_mut().zip(sums) {
            *product = v.finish(sum);
        }
        sink(panel.rows().start + row, column + c, &products);
    }
}
