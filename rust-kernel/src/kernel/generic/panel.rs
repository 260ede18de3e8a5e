//! Rows decoded once, to be multiplied often.

use std::ops::Range;

use super::decode::{Decode, Decoded, Row, decode};
use crate::format::{QK256, Weights};
use crate::kernel::vector::Vector;

/// Rows of a panel: enough to use activations often while they are in the first cache, few enough for the panel itself
/// to stay in the second.
pub(super) const PANEL: usize = 16;

/// Decoded rows: the codes of each in whole blocks, and the blocks' scales.
pub(in super::super) struct Panel {
    codes: Vec<Decoded>,
    scales: Vec<f32>,
    blocks: usize,
    rows: Range<usize>,
}

impl Panel {
    /// Room for `rows` rows, or for [`PANEL`] if that is less.
    pub(super) fn new(rows: usize, cols: usize) -> Panel {
        let blocks = cols.div_ceil(QK256);
        let room = rows.min(PANEL) * blocks;
        Panel {
            codes: vec![Decoded([0; QK256]); room],
            scales: vec![0.0; room],
            blocks,
            rows: 0..0,
        }
    }

    /// Decodes `rows`, at most as many as there is room for.
    #[inline(always)]
    pub(in super::super) fn fill<V: Vector, D: Decode>(
        v: V,
        panel: &mut Panel,
        weights: &Weights<'_>,
        rows: Range<usize>,
    ) {
        panel.rows = rows.clone();
        let codes = panel.codes.chunks_exact_mut(panel.blocks);
        let scales = panel.scales.chunks_exact_mut(panel.blocks);
        for ((row, codes), scales) in rows.zip(codes).zip(scales) {
            let Row { blocks, tail } = Row::<D>::new(weights, row);
            let blocks = blocks.iter().chain(&tail);
            for ((block, codes), scale) in blocks.zip(codes).zip(scales) {
                decode::<V, D>(v, block, row % D::PANEL_ROWS, &mut codes.0);
                *scale = D::scale(block);
            }
        }
    }

    /// The rows of the matrix that are decoded.
    pub(super) fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// The codes of row `row` of the panel.
    #[inline(always)]
    pub(super) fn codes(&self, row: usize) -> &[Decoded] {
        &self.codes[row * self.blocks..][..self.blocks]
    }

    /// The scales of row `row` of the panel.
    #[inline(always)]
    pub(super) fn scales(&self, row: usize) -> &[f32] {
        &self.scales[row * self.blocks..][..self.blocks]
    }
}
