//! GEMV for few activation rows. Codes are decoded in registers and not stored.

use std::ops::Range;

use super::batch::{Batch, BatchRow, Sink};
use super::decode::{Codes, Decode, Row, load_activations};
use crate::format::Weights;
use crate::kernel::vector::Vector;
use crate::prefetch;

/// Prefetch distance in bytes. Hardware prefetchers stop at the end of each 4096-byte page.
pub(super) const AHEAD: usize = 16384;

/// Rows whose horizontal sums are computed together.
const SUMMED_ROWS: usize = 8;

/// Rows that share bytes in the `rows4` layout. In all other layouts rows do not share bytes.
const PANEL_ROWS: usize = 4;

/// Exact integer dots of rows with each activation row.
#[inline(always)]
pub(in super::super) fn gemv<V: Vector, D: Decode>(
    v: V,
    weights: &Weights<'_>,
    rows: Range<usize>,
    batch: &Batch<'_>,
    sink: &mut Sink<'_, i32>,
) {
    if D::PANEL_ROWS == PANEL_ROWS {
        return panels::<V, D>(v, weights, rows, batch, sink);
    }
    for first in rows.clone().step_by(SUMMED_ROWS) {
        let end = rows.end.min(first + SUMMED_ROWS);
        for b in 0..batch.rows() {
            let mut wide = [v.wide(); SUMMED_ROWS];
            for (wide, row) in wide.iter_mut().zip(first..end) {
                *wide = single::<V, D>(v, weights, row, batch.row(b));
            }
            sink(first, b, &v.horizontal_sums(wide)[..end - first]);
        }
    }
}

/// The dot of one row, as lanes. Several rows at a time would reuse activations, but would read from several streams of
/// memory.
#[inline(always)]
fn single<V: Vector, D: Decode>(
    v: V,
    weights: &Weights<'_>,
    row: usize,
    a: BatchRow<'_>,
) -> V::Wide {
    let row = Row::<D>::new(weights, row);
    let mut wide = blocks::<V, D>(v, [v.wide(); 2], row.blocks, a.blocks);
    if let (Some(tail), Some(a)) = (row.tail, a.tail) {
        wide = blocks::<V, D>(
            v,
            wide,
            std::slice::from_ref(&tail),
            std::slice::from_ref(a),
        );
    }
    v.join(wide, D::SHIFTS[0], D::SHIFTS[1])
}

/// Adds the products of whole blocks. `row` and `a` have the same number of blocks.
#[inline(always)]
fn blocks<V: Vector, D: Decode>(
    v: V,
    mut wide: [V::Wide; 2],
    row: &[D::Block],
    a: &[Codes<i8>],
) -> [V::Wide; 2] {
    // Two pairs of accumulators, one for each group of a block.
    for (row, a) in row.chunks(V::SCALED_GROUPS).zip(a.chunks(V::SCALED_GROUPS)) {
        let mut first = [v.narrow(); 2];
        let mut second = [v.narrow(); 2];
        for (block, a) in row.iter().zip(a) {
            prefetch::line(std::ptr::from_ref(block).cast::<u8>().wrapping_add(AHEAD));
            first = mul_add_half::<V, D>(v, first, block, a, 0);
            second = mul_add_half::<V, D>(v, second, block, a, 1);
        }
        for narrow in [first, second] {
            wide = [v.widen(wide[0], narrow[0]), v.widen(wide[1], narrow[1])];
        }
    }
    wide
}

/// Adds the products of half a block.
#[inline(always)]
pub(super) fn mul_add_half<V: Vector, D: Decode>(
    v: V,
    sums: [V::Narrow; 2],
    block: &D::Block,
    a: &Codes<i8>,
    half: usize,
) -> [V::Narrow; 2] {
    let a = [
        load_activations(v, a, 2 * half),
        load_activations(v, a, 2 * half + 1),
    ];
    v.mul_add_group(sums, D::scaled(v, block, half), a)
}

/// [`gemv`] for rows that share bytes. All rows of a panel are computed, even if only some are requested.
#[inline(always)]
fn panels<V: Vector, D: Decode>(
    v: V,
    weights: &Weights<'_>,
    rows: Range<usize>,
    batch: &Batch<'_>,
    sink: &mut Sink<'_, i32>,
) {
    let mut row = rows.start;
    while row < rows.end {
        let first = row - row % PANEL_ROWS;
        let end = rows.end.min(first + PANEL_ROWS);
        for b in 0..batch.rows() {
            let dots = panel::<V, D>(v, weights, first, batch.row(b));
            sink(row, b, &dots[row - first..end - first]);
        }
        row = end;
    }
}

/// Dots of the four rows of a panel. Each row is one digit of the shared bytes.
#[inline(always)]
fn panel<V: Vector, D: Decode>(
    v: V,
    weights: &Weights<'_>,
    first: usize,
    a: BatchRow<'_>,
) -> [i32; PANEL_ROWS] {
    let row = Row::<D>::new(weights, first);
    let mut dots = panel_blocks::<V, D>(v, row.blocks, a.blocks);
    if let (Some(tail), Some(a)) = (&row.tail, a.tail) {
        let (tail, a) = (std::slice::from_ref(tail), std::slice::from_ref(a));
        for (dot, tail) in dots.iter_mut().zip(panel_blocks::<V, D>(v, tail, a)) {
            *dot += tail;
        }
    }
    dots
}

#[inline(always)]
fn panel_blocks<V: Vector, D: Decode>(
    v: V,
    row: &[D::Block],
    a: &[Codes<i8>],
) -> [i32; PANEL_ROWS] {
    let mut wide = [v.wide(); PANEL_ROWS];
    let mut start = 0;
    while start < a.len() {
        let end = a.len().min(start.saturating_add(V::BLOCKS));
        let mut narrow = [v.narrow(); PANEL_ROWS];
        for (block, a) in row[start..end].iter().zip(&a[start..end]) {
            for (r, narrow) in narrow.iter_mut().enumerate() {
                let [c0, c1, c2, c3] = D::codes(v, block, r);
                let sum = v.mul_add(*narrow, c0, load_activations(v, a, 0));
                let sum = v.mul_add(sum, c1, load_activations(v, a, 1));
                let sum = v.mul_add(sum, c2, load_activations(v, a, 2));
                *narrow = v.mul_add(sum, c3, load_activations(v, a, 3));
            }
        }
        for r in 0..PANEL_ROWS {
            wide[r] = v.widen(wide[r], narrow[r]);
        }
        start = end;
    }
    let mut dots = [0; PANEL_ROWS];
    for r in 0..PANEL_ROWS {
        dots[r] = v.horizontal_sum(wide[r]);
    }
    dots
}
