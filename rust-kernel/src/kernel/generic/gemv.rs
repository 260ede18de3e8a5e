//! Few activation rows: codes go from memory through registers into the products.

use std::ops::Range;

use super::batch::{Batch, BatchRow};
use super::facade::Sink;
use super::{Codes, Decode, Row, load_activations};
use crate::format::Weights;
use crate::kernel::vector::Vector;

/// Rows that are multiplied together, and the most rows of a panel of the layout.
const STRIP: usize = 4;

/// Exact integer dots of rows with each activation row.
#[inline(always)]
pub(in super::super) fn dots<V: Vector, D: Decode>(
    v: V,
    weights: &Weights<'_>,
    rows: Range<usize>,
    batch: &Batch<'_>,
    sink: &mut Sink<'_, i32>,
) {
    let mut row = rows.start;
    while row < rows.end {
        // Rows that share bytes are multiplied together, whether all of them are asked for or not.
        let first = row - row % D::PANEL_ROWS;
        let end = first + STRIP;
        if D::PANEL_ROWS == STRIP {
            let end = rows.end.min(end);
            for b in 0..batch.rows() {
                let dots = panel::<V, D>(v, weights, first, batch.row(b));
                sink(row, b, &dots[row - first..end - first]);
            }
            row = end;
        } else if end <= rows.end {
            for b in 0..batch.rows() {
                let strip = std::array::from_fn(|i| Row::new(weights, row + i));
                sink(row, b, &several::<V, D, STRIP>(v, strip, batch.row(b)));
            }
            row = end;
        } else {
            for b in 0..batch.rows() {
                let dots = several::<V, D, 1>(v, [Row::new(weights, row)], batch.row(b));
                sink(row, b, &dots);
            }
            row += 1;
        }
    }
}

#[inline(always)]
fn several<V: Vector, D: Decode, const R: usize>(
    v: V,
    rows: [Row<'_, D>; R],
    a: BatchRow<'_>,
) -> [i32; R] {
    let mut dots = blocks::<V, D, R>(v, std::array::from_fn(|r| rows[r].blocks), a.blocks);
    if let Some(a) = a.tail {
        let tails = std::array::from_fn(|r| rows[r].tail.as_slice());
        for (dot, tail) in dots
            .iter_mut()
            .zip(blocks::<V, D, R>(v, tails, std::slice::from_ref(a)))
        {
            *dot += tail;
        }
    }
    dots
}

/// Dots of whole blocks. `rows` have as many as `a`.
#[inline(always)]
fn blocks<V: Vector, D: Decode, const R: usize>(
    v: V,
    rows: [&[D::Block]; R],
    a: &[Codes<i8>],
) -> [i32; R] {
    let mut wide = [[v.wide(); 2]; R];
    let mut start = 0;
    while start < a.len() {
        let end = a.len().min(start.saturating_add(V::SCALED_BLOCKS));
        let mut narrow = [[v.narrow(); 2]; R];
        let a = &a[start..end];
        let mut parts = [&rows[0][..0]; R];
        for r in 0..R {
            parts[r] = &rows[r][start..end][..a.len()];
        }
        for i in 0..a.len() {
            let [a0, a1, a2, a3] = load_activations(v, &a[i]);
            for r in 0..R {
                let [c0, c1, c2, c3] = D::scaled(v, &parts[r][i]);
                narrow[r] = v.mul_add_group(narrow[r], [c0, c1], [a0, a1]);
                narrow[r] = v.mul_add_group(narrow[r], [c2, c3], [a2, a3]);
            }
        }
        for r in 0..R {
            for half in 0..2 {
                wide[r][half] = v.widen(wide[r][half], narrow[r][half]);
            }
        }
        start = end;
    }
    let mut dots = [0; R];
    for r in 0..R {
        dots[r] = v.sum(v.join(wide[r], D::SHIFTS[0], D::SHIFTS[1]));
    }
    dots
}

/// Dots of the four rows of a panel that share bytes, one digit each.
#[inline(always)]
fn panel<V: Vector, D: Decode>(
    v: V,
    weights: &Weights<'_>,
    first: usize,
    a: BatchRow<'_>,
) -> [i32; STRIP] {
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
fn panel_blocks<V: Vector, D: Decode>(v: V, row: &[D::Block], a: &[Codes<i8>]) -> [i32; STRIP] {
    let mut wide = [v.wide(); STRIP];
    let mut start = 0;
    while start < a.len() {
        let end = a.len().min(start.saturating_add(V::BLOCKS));
        let mut narrow = [v.narrow(); STRIP];
        for (block, a) in row[start..end].iter().zip(&a[start..end]) {
            let a = load_activations(v, a);
            for (r, narrow) in narrow.iter_mut().enumerate() {
                let codes = D::codes(v, block, r);
                for step in 0..4 {
                    *narrow = v.mul_add(*narrow, codes[step], a[step]);
                }
            }
        }
        for r in 0..STRIP {
            wide[r] = v.widen(wide[r], narrow[r]);
        }
        start = end;
    }
    let mut dots = [0; STRIP];
    for r in 0..STRIP {
        dots[r] = v.sum(wide[r]);
    }
    dots
}
