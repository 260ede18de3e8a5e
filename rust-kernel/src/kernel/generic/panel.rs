//! Rows decoded once, to be multiplied often.

use std::ops::Range;

use super::decode::{Decode, Decoded, Row, STEPS, decode};
use crate::format::Weights;
use crate::kernel::vector::{STEP, Vector};

/// Rows of a panel: enough to use activations often while they are in the first cache, few enough to stay there too.
pub(in super::super) const PANEL: usize = 16;

/// Rows that are multiplied together.
pub(super) const PAIR: usize = 2;

/// Some blocks of decoded rows: the codes of each row, and the blocks' scales.
pub(in super::super) struct Panel {
    codes: Vec<Decoded>,
    scales: Vec<f32>,
    blocks: usize,
    rows: Range<usize>,
}

impl Panel {
    /// Room for `blocks` blocks of `rows` rows, or of [`PANEL`] if that is less.
    pub(super) fn new(rows: usize, blocks: usize) -> Panel {
        let room = rows.next_multiple_of(PAIR).min(PANEL) * blocks;
        Panel {
            codes: vec![Decoded([0; STEP]); room * STEPS],
            scales: vec![0.0; room],
            blocks,
            rows: 0..0,
        }
    }

    /// Decodes blocks of `rows`, at most as many as there is room for.
    #[inline(always)]
    pub(in super::super) fn fill<V: Vector, D: Decode>(
        v: V,
        panel: &mut Panel,
        weights: &Weights<'_>,
        rows: Range<usize>,
        blocks: Range<usize>,
    ) {
        panel.rows = rows.clone();
        panel.blocks = blocks.len();
        let codes = panel.codes.chunks_exact_mut(panel.blocks * STEPS);
        let scales = panel.scales.chunks_exact_mut(panel.blocks);
        for ((row, codes), scales) in rows.zip(codes).zip(scales) {
            let whole = Row::<D>::new(weights, row);
            let blocks = whole.blocks.iter().chain(&whole.tail).skip(blocks.start);
            for ((block, codes), scale) in blocks.zip(codes.as_chunks_mut().0).zip(scales) {
                decode::<V, D>(v, block, row % D::PANEL_ROWS, codes);
                *scale = D::scale(v, block);
            }
        }
    }

    /// The rows of the matrix that are decoded.
    pub(super) fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// The codes of row `row` of the panel, [`STEPS`] a block.
    #[inline(always)]
    pub(super) fn codes(&self, row: usize) -> &[Decoded] {
        let steps = self.blocks * STEPS;
        &self.codes[row * steps..][..steps]
    }

    /// The codes of two rows at a time. The last may be of a row that was not asked for, with codes of any kind.
    #[inline(always)]
    pub(super) fn pairs(&self) -> impl Iterator<Item = [&[Decoded]; PAIR]> {
        let pairs = self.codes.chunks_exact(PAIR * self.blocks * STEPS);
        pairs
            .take(self.rows.len().div_ceil(PAIR))
            .map(|pair| pair.split_at(pair.len() / PAIR).into())
    }

    /// The scales of row `row` of the panel.
    #[inline(always)]
    pub(super) fn scales(&self, row: usize) -> &[f32] {
        &self.scales[row * self.blocks..][..self.blocks]
    }
}
