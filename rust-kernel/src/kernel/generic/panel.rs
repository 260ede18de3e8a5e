//! Decoded rows that are multiplied with many activation rows.

use std::ops::Range;

use super::decode::{Decode, Decoded, Row, STEPS, decode};
use crate::format::Weights;
use crate::kernel::vector::{STEP, Vector};

/// Rows of a panel. There are enough rows to reuse activations from the L1 cache, and few enough to fit there
/// themselves.
pub(in super::super) const PANEL: usize = 16;

/// Rows that are multiplied together.
pub(super) const PAIR: usize = 2;

/// A range of blocks of decoded rows: the codes of each row, and the scales of its blocks.
pub(in super::super) struct Panel {
    codes: Vec<Decoded>,
    scales: Vec<f32>,
    blocks: usize,
    rows: Range<usize>,
}

impl Panel {
    /// Allocates memory for `blocks` blocks of `rows` rows, or of [`PANEL`] rows if that is less.
    pub(super) fn new(rows: usize, blocks: usize) -> Panel {
        let room = rows.next_multiple_of(PAIR).min(PANEL) * blocks;
        Panel {
            codes: vec![Decoded([0; STEP]); room * STEPS],
            scales: vec![0.0; room],
            blocks,
            rows: 0..0,
        }
    }

    /// Decodes blocks of `rows`. They must fit in the allocated memory.
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

    /// The decoded rows of the matrix.
    pub(super) fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// The codes of row `row` of the panel, [`STEPS`] per block.
    #[inline(always)]
    pub(super) fn codes(&self, row: usize) -> &[Decoded] {
        let steps = self.blocks * STEPS;
        &self.codes[row * steps..][..steps]
    }

    /// The codes of pairs of rows. If the number of rows is odd, the second row of the last pair has arbitrary codes.
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
