//! Rows of activations in whole blocks, and the sink of their results.

use std::ops::Range;

use super::decode::{Codes, steps};
use crate::format::QK256;
use crate::kernel::vector::STEP;

/// Receives `(row, b, results)`: the results of the rows from `row` on with activation row `b`.
pub(in super::super) type Sink<'a, R> = dyn FnMut(usize, usize, &[R]) + 'a;

/// int8 activations, `rows x cols`. A partial last block of a row is padded with zeros.
pub(in super::super) struct Batch<'a> {
    codes: &'a [i8],
    cols: usize,
    tails: Vec<Codes<i8>>,
}

/// A row of a [`Batch`].
#[derive(Clone, Copy)]
pub(super) struct BatchRow<'a> {
    pub(super) blocks: &'a [Codes<i8>],
    /// Present if the row is not a whole number of blocks.
    pub(super) tail: Option<&'a Codes<i8>>,
}

impl<'a> Batch<'a> {
    /// `codes` holds whole rows of `cols` activations.
    pub(super) fn new(codes: &'a [i8], cols: usize) -> Batch<'a> {
        let tail = |row: &[i8]| {
            let rest = row.as_chunks::<QK256>().1;
            let mut tail = [0; QK256];
            tail[..rest.len()].copy_from_slice(rest);
            tail
        };
        let tails = if cols.is_multiple_of(QK256) {
            Vec::new()
        } else {
            codes.chunks_exact(cols).map(tail).collect()
        };
        Batch { codes, cols, tails }
    }

    pub(super) fn rows(&self) -> usize {
        self.codes.len() / self.cols
    }

    #[inline(always)]
    pub(super) fn row(&self, row: usize) -> BatchRow<'_> {
        BatchRow {
            blocks: self.codes[row * self.cols..][..self.cols].as_chunks().0,
            tail: self.tails.get(row),
        }
    }

    /// Divides a row into runs of nearly equal numbers of blocks, at most `most` each. A partial block is a run of its
    /// own and the last.
    pub(super) fn runs(&self, most: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let whole = self.cols / QK256;
        let count = whole.div_ceil(most);
        let tail = (!self.tails.is_empty()).then_some(whole..whole + 1);
        let runs = (0..count).map(move |run| whole * run / count..whole * (run + 1) / count);
        runs.chain(tail)
    }

    /// The steps of one of the [`runs`](Batch::runs) of row `row`.
    #[inline(always)]
    pub(super) fn steps(&self, row: usize, run: Range<usize>) -> &[[i8; STEP]] {
        let BatchRow { blocks, tail } = self.row(row);
        let partial = || tail.map_or(&[][..], std::slice::from_ref);
        steps(blocks.get(run).unwrap_or_else(partial))
    }
}
