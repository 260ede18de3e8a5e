//! GEMM for many activation rows: tiles of a decoded panel and activations. The sums of a tile stay in registers.

use std::ops::Range;

use super::batch::Batch;
use super::decode::Decoded;
use super::panel::{PAIR, PANEL, Panel};
use crate::kernel::vector::{STEP, Vector};

/// Activation rows of a tile. With a pair of weight rows a tile has eight accumulators, which hide the latency of a
/// product.
pub(super) const TILE_COLUMNS: usize = 4;

/// Maximum number of blocks of a panel. Decoded rows and the activations of a tile then fit in the L1 cache together.
const MOST_BLOCKS: usize = 5;

/// Blocks of a panel in [`gemm`]. One narrow accumulator must be able to hold their sum.
pub(super) fn panel_blocks<V: Vector>() -> usize {
    V::BLOCKS.min(MOST_BLOCKS)
}

/// Adds the exact integer dots of the blocks of a panel with all activation rows to
/// `sums[activation row][row of the panel]`.
#[inline(always)]
pub(in super::super) fn gemm<V: Vector>(
    v: V,
    panel: &Panel,
    batch: &Batch<'_>,
    blocks: Range<usize>,
    sums: &mut [[i32; PANEL]],
) {
    let (tiles, rest) = sums.as_chunks_mut::<TILE_COLUMNS>();
    let whole = tiles.len() * TILE_COLUMNS;
    for (column, sums) in (0..whole).step_by(TILE_COLUMNS).zip(tiles) {
        let mut a: [&[_]; TILE_COLUMNS] = [&[]; TILE_COLUMNS];
        for (c, a) in a.iter_mut().enumerate() {
            *a = batch.steps(column + c, blocks.clone());
        }
        for (pair, codes) in panel.pairs().enumerate() {
            let [[a0, b0], [a1, b1], [a2, b2], [a3, b3]] = tile(v, codes, a);
            let dots = v.horizontal_sums([a0, b0, a1, b1, a2, b2, a3, b3]);
            for (sums, dots) in sums.iter_mut().zip(dots.as_chunks::<PAIR>().0) {
                add(sums, pair, *dots);
            }
        }
    }
    for (column, sums) in (whole..).zip(rest) {
        let a = batch.steps(column, blocks.clone());
        for (pair, codes) in panel.pairs().enumerate() {
            let [[first, second]] = tile(v, codes, [a]);
            add(
                sums,
                pair,
                [v.horizontal_sum(first), v.horizontal_sum(second)],
            );
        }
    }
}

/// Adds the dots of a pair of rows.
#[inline(always)]
fn add(sums: &mut [i32; PANEL], pair: usize, [first, second]: [i32; PAIR]) {
    let (pairs, _) = sums.as_chunks_mut();
    let [a, b]: &mut [i32; PAIR] = &mut pairs[pair];
    *a += first;
    *b += second;
}

/// Dots of two rows of codes with `C` activation rows, `[activation row][row]`. All have the same number of steps, at
/// most as many as one narrow accumulator can hold.
#[inline(always)]
fn tile<V: Vector, const C: usize>(
    v: V,
    mut codes: [&[Decoded]; PAIR],
    mut a: [&[[i8; STEP]]; C],
) -> [[V::Wide; PAIR]; C] {
    let steps = a[0].len();
    // Equal lengths let the compiler hoist the bounds checks.
    for codes in &mut codes {
        *codes = &codes[..steps];
    }
    for a in &mut a {
        *a = &a[..steps];
    }
    let mut narrow = [[v.narrow(); PAIR]; C];
    for step in 0..steps {
        narrow = multiply(v, narrow, codes, a, step);
    }
    let mut wide = [[v.wide(); PAIR]; C];
    for c in 0..C {
        for r in 0..PAIR {
            wide[c][r] = v.widen(wide[c][r], narrow[c][r]);
        }
    }
    wide
}

/// Adds the products of step `step`.
#[inline(always)]
pub(super) fn multiply<V: Vector, const R: usize, const C: usize>(
    v: V,
    mut sums: [[V::Narrow; R]; C],
    codes: [&[Decoded]; R],
    a: [&[[i8; STEP]]; C],
    step: usize,
) -> [[V::Narrow; R]; C] {
    let mut loaded = [v.load(&codes[0][step].0); R];
    for r in 1..R {
        loaded[r] = v.load(&codes[r][step].0);
    }
    for c in 0..C {
        let a = v.load_signed(&a[c][step]);
        for r in 0..R {
            sums[c][r] = v.mul_add(sums[c][r], loaded[r], a);
        }
    }
    sums
}
