//! Generates the bytes of a tensor in pieces of whole rows. Pieces are generated in parallel and written in order.

use std::io::{self, Write};
use std::ops::Range;

use half::f16;
use half::slice::HalfFloatSliceExt;
use qk256::format::{Layout, ShapeError, Storage, pack};
use rayon::prelude::*;

use super::distribution::{bell, scale};
use super::plan::{Content, PlannedTensor, TernaryContent};
use super::q6_k;
use super::recipe::{Bell, DenseType};
use super::stream::Key;

/// Approximate number of weights in a piece: enough to hide its overhead, and few enough to fit a core's cache.
const PIECE_WEIGHTS: usize = 1 << 16;

/// Number of pieces in memory for each thread.
const PIECES_PER_THREAD: usize = 8;

/// Writes all bytes of a tensor to `sink`. Calls `written` with the number of bytes of each piece.
pub(super) fn fill(
    seed: u64,
    tensor: &PlannedTensor,
    sink: &mut impl Write,
    written: &mut dyn FnMut(u64),
) -> io::Result<()> {
    let key = Key::new(seed, &tensor.name);
    let step = piece_rows(tensor.cols());
    let starts: Vec<usize> = (0..tensor.rows()).step_by(step).collect();
    for batch in starts.chunks(PIECES_PER_THREAD * rayon::current_num_threads()) {
        let pieces: Vec<Vec<u8>> = batch
            .par_iter()
            .map(|&start| piece(tensor, &key, start..tensor.rows().min(start + step)))
            .collect::<Result<_, ShapeError>>()
            .map_err(io::Error::other)?;
        for piece in pieces {
            sink.write_all(&piece)?;
            written(piece.len() as u64);
        }
    }
    Ok(())
}

/// Number of rows in a piece, a multiple of the panels of every layout.
fn piece_rows(cols: usize) -> usize {
    let panel = Layout::ALL
        .into_iter()
        .map(Layout::panel_rows)
        .max()
        .unwrap_or(1);
    (PIECE_WEIGHTS / cols).max(1).next_multiple_of(panel)
}

fn piece(tensor: &PlannedTensor, key: &Key, rows: Range<usize>) -> Result<Vec<u8>, ShapeError> {
    match tensor.content {
        Content::Dense { element, bell } => Ok(dense(element, bell, key, rows, tensor.cols())),
        Content::Ternary(ternary) => ternary_rows(&ternary, key, rows),
        Content::Scale(range) => {
            let mut stream = key.whole_tensor();
            let mut one = |_| scale(range, &mut stream).to_le_bytes();
            Ok((0..tensor.cols()).flat_map(&mut one).collect())
        }
    }
}

fn dense(element: DenseType, of: Bell, key: &Key, rows: Range<usize>, cols: usize) -> Vec<u8> {
    let block = element.block();
    let mut bytes = Vec::with_capacity(rows.len() * cols / block.weights * block.bytes);
    let mut values = Vec::with_capacity(cols);
    let mut halves = vec![f16::ZERO; cols];
    for row in rows {
        let mut stream = key.row(row);
        values.clear();
        values.extend((0..cols).map(|_| bell(of, &mut stream)));
        match element {
            DenseType::F32 => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
            DenseType::Q6K => q6_k::pack(&values, &mut bytes),
            DenseType::F16 => {
                halves.convert_from_f32_slice(&values);
                bytes.extend(halves.iter().flat_map(|value| value.to_le_bytes()));
            }
        }
    }
    bytes
}

/// The codes of a row come first in its stream, so that formats with and without block scales have the same codes.
fn ternary_rows(
    ternary: &TernaryContent,
    key: &Key,
    rows: Range<usize>,
) -> Result<Vec<u8>, ShapeError> {
    let whole = &ternary.storage;
    let storage = Storage::new(*whole.format(), whole.variant(), rows.len(), whole.cols())?;
    let row_scales = storage.scale_count() / rows.len();
    let mut codes = Vec::with_capacity(rows.len() * whole.cols());
    let mut scales = Vec::new();
    let mut scratch = Vec::new();
    for row in rows.clone() {
        let mut stream = key.row(row);
        ternary
            .codes
            .draw(&mut stream, whole.cols(), &mut scratch, &mut codes);
        if ternary.scale_per_block {
            scales.extend((0..row_scales).map(|_| scale(ternary.scale, &mut stream)));
        }
    }
    if !ternary.scale_per_block {
        let shared = scale(ternary.scale, &mut key.whole_tensor());
        scales.resize(storage.scale_count(), shared);
    }
    let mut bytes = pack(&storage, &codes, &scales)?;
    if rows.end < whole.rows() {
        // The bytes after the panels belong to the end of the tensor, which only the last piece has.
        bytes.truncate(rows.len() / whole.layout().panel_rows() * whole.panel_stride());
    }
    Ok(bytes)
}
