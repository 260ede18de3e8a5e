//! Many activation rows: tiles of a decoded panel and activations, whose sums stay in registers.

use super::batch::{Batch, BatchRow, Sink};
use super::decode::{Codes, Decoded, load_activations, load_codes};
use super::panel::Panel;
use crate::kernel::vector::Vector;

/// Weight rows of a tile.
pub(super) const TILE_ROWS: usize = 2;

/// Activation rows of a tile. With two weight rows that is eight accumulators, which hide the latency of a product.
pub(super) const TILE_COLUMNS: usize = 4;

/// Exact integer dots of a panel with all activation rows.
#[inline(always)]
pub(in super::super) fn gemm<V: Vector>(
    v: V,
    panel: &Panel,
    batch: &Batch<'_>,
    sink: &mut Sink<'_, i32>,
) {
    let mut column = 0;
    while column + TILE_COLUMNS <= batch.rows() {
        column_dots::<V, TILE_COLUMNS>(v, panel, batch, column, sink);
        column += TILE_COLUMNS;
    }
    while column < batch.rows() {
        column_dots::<V, 1>(v, panel, batch, column, sink);
        column += 1;
    }
}

/// Dots of a panel with `C` activation rows.
#[inline(always)]
fn column_dots<V: Vector, const C: usize>(
    v: V,
    panel: &Panel,
    batch: &Batch<'_>,
    column: usize,
    sink: &mut Sink<'_, i32>,
) {
    let rows = panel.rows();
    let mut row = 0;
    while row + TILE_ROWS <= rows.len() {
        let dots = tile::<V, TILE_ROWS, C>(v, panel, row, batch, column);
        for (c, dots) in dots.iter().enumerate() {
            sink(rows.start + row, column + c, dots);
        }
        row += TILE_ROWS;
    }
    if row < rows.len() {
        let dots = tile::<V, 1, C>(v, panel, row, batch, column);
        for (c, dots) in dots.iter().enumerate() {
            sink(rows.start + row, column + c, dots);
        }
    }
}

/// Dots of `R` rows of a panel, from `row`, with `C` activation rows, from `column`: `[activation row][row]`.
#[inline(always)]
fn tile<V: Vector, const R: usize, const C: usize>(
    v: V,
    panel: &Panel,
    row: usize,
    batch: &Batch<'_>,
    column: usize,
) -> [[i32; R]; C] {
    let a: [BatchRow<'_>; C] = std::array::from_fn(|c| batch.row(column + c));
    let whole = a[0].blocks.len();
    let mut codes = [panel.codes(row); R];
    let mut tails = codes;
    let mut blocks = [a[0].blocks; C];
    for r in 0..R {
        (codes[r], tails[r]) = panel.codes(row + r).split_at(whole);
    }
    for c in 0..C {
        blocks[c] = a[c].blocks;
    }
    let mut dots = tile_blocks(v, codes, blocks);
    if a[0].tail.is_some() {
        for c in 0..C {
            blocks[c] = a[c].tail.map_or(&[], std::slice::from_ref);
        }
        let rest = tile_blocks(v, tails, blocks);
        for c in 0..C {
            for r in 0..R {
                dots[c][r] += rest[c][r];
            }
        }
    }
    dots
}

/// All slices have the same number of blocks.
#[inline(always)]
fn tile_blocks<V: Vector, const R: usize, const C: usize>(
    v: V,
    codes: [&[Decoded]; R],
    a: [&[Codes<i8>]; C],
) -> [[i32; R]; C] {
    let blocks = a[0].len();
    let mut wide = [[v.wide(); R]; C];
    let mut start = 0;
    while start < blocks {
        let end = blocks.min(start.saturating_add(V::BLOCKS));
        let (mut codes, mut a) = (codes, a);
        for codes in &mut codes {
            *codes = &codes[start..end];
        }
        for a in &mut a {
            *a = &a[start..end];
        }
        let mut narrow = [[v.narrow(); R]; C];
        for i in 0..end - start {
            narrow = multiply_block(v, narrow, codes, a, i);
        }
        for c in 0..C {
            for r in 0..R {
                wide[c][r] = v.widen(wide[c][r], narrow[c][r]);
            }
        }
        start = end;
    }
    let mut dots = [[0; R]; C];
    for c in 0..C {
        for r in 0..R {
            dots[c][r] = v.sum(wide[c][r]);
        }
    }
    dots
}

/// Adds the products of block `i`.
#[inline(always)]
pub(super) fn multiply_block<V: Vector, const R: usize, const C: usize>(
    v: V,
    mut sums: [[V::Narrow; R]; C],
    codes: [&[Decoded]; R],
    a: [&[Codes<i8>]; C],
    i: usize,
) -> [[V::Narrow; R]; C] {
    for step in 0..4 {
        let mut steps = [load_codes(v, &codes[0][i].0, step); R];
        for r in 1..R {
            steps[r] = load_codes(v, &codes[r][i].0, step);
        }
        for c in 0..C {
            let a = load_activations(v, &a[c][i], step);
            for r in 0..R {
                sums[c][r] = v.mul_add(sums[c][r], steps[r], a);
            }
        }
    }
    sums
}
