//! The portable fast path. A row is decoded once, group by group, and multiplied with every activation row in loops
//! that the compiler vectorizes.

use std::ops::Range;

use super::Compute;
use super::arithmetic::{
    BlockSum, F32_LANES, INT_LANES, SumOrder, TensorScaling, add_products, fold,
};
use crate::activation::{ActivationKind, ActivationsRef};
use crate::format::{Codebook, Layout, QK256, ScaleRule, Weights};

/// Works on every CPU and with every format.
pub(super) struct Scalar;

impl Compute for Scalar {
    fn dots(&self, weights: &Weights<'_>, rows: Range<usize>, activations: &[i8], out: &mut [i32]) {
        let cols = weights.cols();
        each_row(weights, rows, out, |_, raw, b| {
            dot(raw, &activations[b * cols..][..cols])
        });
    }

    fn products(
        &self,
        weights: &Weights<'_>,
        rows: Range<usize>,
        activations: ActivationsRef<'_>,
        out: &mut [f32],
    ) {
        let cols = weights.cols();
        let offset = i32::from(weights.format().codebook.offset());
        each_row(weights, rows, out, |row, raw, b| {
            let a = &activations.codes()[b * cols..][..cols];
            let scales = activations.row_scales(b);
            let sums = activations.row_sums(b);
            match (weights.format().scale, activations.kind()) {
                (ScaleRule::Tensor, _) => {
                    TensorScaling::new(offset * sums[0], scales[0], weights.scale(0))
                        .product(dot(raw, a))
                }
                (ScaleRule::Block { .. }, ActivationKind::Q8K) => {
                    let first = weights.storage().scale_index(row, 0);
                    let blocks = raw.chunks_exact(QK256).zip(a.chunks_exact(QK256));
                    let mut total = BlockSum::new(SumOrder::REFERENCE);
                    for (i, ((raw, a), sums)) in blocks.zip(sums.chunks_exact(16)).enumerate() {
                        let lanes = block_lanes(raw, a, sums, offset);
                        total.add(lanes, scales[i] * weights.scale(first + i));
                    }
                    total.finish()
                }
                // `i8_s`, the activations of BitNet32.
                (ScaleRule::Block { weights: block }, _) => {
                    let first = weights.storage().scale_index(row, 0);
                    let blocks = raw.chunks(block).zip(a.chunks(block)).enumerate();
                    let term = |(i, (raw, a))| dot(raw, a) as f32 * weights.scale(first + i);
                    blocks.map(term).fold(0.0, |total, term| total + term) / scales[0]
                }
            }
        });
    }

    fn products_f32(
        &self,
        weights: &Weights<'_>,
        rows: Range<usize>,
        activations: &[f32],
        out: &mut [f32],
    ) {
        let cols = weights.cols();
        let codebook = weights.format().codebook;
        let mut values = vec![0.0f32; cols];
        let mut decoded = None;
        each_row(weights, rows, out, |row, raw, b| {
            if decoded != Some(row) {
                for (value, raw) in values.iter_mut().zip(raw) {
                    *value = f32::from(raw - codebook.offset());
                }
                decoded = Some(row);
            }
            let x = &activations[b * cols..][..cols];
            match weights.format().scale {
                ScaleRule::Tensor => {
                    let mut lanes = [0.0; F32_LANES];
                    add_products(&mut lanes, &values, x);
                    fold(lanes) * weights.scale(0)
                }
                ScaleRule::Block { weights: block } => {
                    let first = weights.storage().scale_index(row, 0);
                    let mut lanes = [0.0; F32_LANES];
                    for (i, (values, x)) in values.chunks(block).zip(x.chunks(block)).enumerate() {
                        let mut block_lanes = [0.0; F32_LANES];
                        add_products(&mut block_lanes, values, x);
                        let scale = weights.scale(first + i);
                        for (lane, block_lane) in lanes.iter_mut().zip(block_lanes) {
                            *lane += block_lane * scale;
                        }
                    }
                    fold(lanes)
                }
            }
        });
    }

    fn unpack(&self, weights: &Weights<'_>, rows: Range<usize>, out: &mut [f32]) {
        let (cols, storage) = (weights.cols(), weights.storage());
        let offset = weights.format().codebook.offset();
        let block = match weights.format().scale {
            ScaleRule::Tensor => cols,
            ScaleRule::Block { weights } => weights,
        };
        let mut raw = vec![0; cols];
        for (row, out) in rows.zip(out.chunks_exact_mut(cols)) {
            decode_row(weights, row, &mut raw);
            let first = storage.scale_index(row, 0);
            for (i, (raw, out)) in raw.chunks(block).zip(out.chunks_mut(block)).enumerate() {
                let scale = weights.scale(first + i);
                for (out, raw) in out.iter_mut().zip(raw) {
                    *out = f32::from(raw - offset) * scale;
                }
            }
        }
    }
}

/// Decodes each row once and fills the results of the whole batch: `result(row, raw numbers of the row, batch index)`.
fn each_row<R>(
    weights: &Weights<'_>,
    rows: Range<usize>,
    out: &mut [R],
    mut result: impl FnMut(usize, &[i8], usize) -> R,
) {
    let mut raw = vec![0; weights.cols()];
    for (i, row) in rows.clone().enumerate() {
        decode_row(weights, row, &mut raw);
        for (b, out) in out.iter_mut().skip(i).step_by(rows.len()).enumerate() {
            *out = result(row, &raw, b);
        }
    }
}

fn dot(raw: &[i8], a: &[i8]) -> i32 {
    raw.iter()
        .zip(a)
        .map(|(&raw, &a)| i32::from(raw) * i32::from(a))
        .sum()
}

/// The integer sums of one block, in the lanes of [`SumOrder::Lanes8`]. A lane covers two of the sixteen partial sums.
fn block_lanes(raw: &[i8], a: &[i8], sums: &[i32], offset: i32) -> [i32; INT_LANES] {
    let mut lanes: [i32; INT_LANES] =
        std::array::from_fn(|lane| -offset * (sums[2 * lane] + sums[2 * lane + 1]));
    for (raw, a) in raw.chunks_exact(32).zip(a.chunks_exact(32)) {
        for (lane, (raw, a)) in lanes
            .iter_mut()
            .zip(raw.chunks_exact(4).zip(a.chunks_exact(4)))
        {
            *lane += dot(raw, a);
        }
    }
    lanes
}

/// The raw numbers of a row, `weights.cols()` of them.
fn decode_row(weights: &Weights<'_>, row: usize, raw: &mut [i8]) {
    let storage = weights.storage();
    let layout = storage.layout();
    let row_in_panel = row % layout.panel_rows();
    let units = weights.panel(row).chunks_exact(storage.unit_bytes());
    for (unit, raw) in units.zip(raw.chunks_mut(storage.unit_weights())) {
        decode_unit(layout, unit, row_in_panel, raw);
    }
    let codebook = weights.format().codebook;
    if codebook != Codebook::TERNARY {
        raw.iter_mut()
            .for_each(|raw| *raw = codebook.raw(*raw as u8));
    }
}

/// Decodes the codes of one unit. In a tail, `codes` is shorter than a whole unit.
fn decode_unit(layout: Layout, unit: &[u8], row_in_panel: usize, codes: &mut [i8]) {
    match layout {
        Layout::Group128 => bit_planes(unit, 32, [6, 4, 2, 0], codes),
        Layout::Group64 => bit_planes(unit, 16, [6, 4, 2, 0], codes),
        Layout::Rows4 => codes[0] = ((unit[0] >> (6 - 2 * row_in_panel)) & 3) as i8,
        Layout::Sequential => {
            for (i, code) in codes.iter_mut().enumerate() {
                *code = ((unit[i / 4] >> (2 * (i % 4))) & 3) as i8;
            }
        }
        Layout::Tq2_0 => {
            for (half, codes) in unit.chunks(32).zip(codes.chunks_mut(128)) {
                bit_planes(half, 32, [0, 2, 4, 6], codes);
            }
        }
        Layout::Tq1_0 => {
            let (wide, rest) = codes.split_at_mut(160);
            let (narrow, last) = rest.split_at_mut(80);
            trit_planes(&unit[..32], wide);
            trit_planes(&unit[32..48], narrow);
            trit_planes(&unit[48..52], last);
        }
    }
}

/// The first `width` bytes hold one plane of `width` codes at each shift.
fn bit_planes(bytes: &[u8], width: usize, shifts: [u8; 4], codes: &mut [i8]) {
    for (plane, shift) in codes.chunks_mut(width).zip(shifts) {
        for (code, byte) in plane.iter_mut().zip(&bytes[..width]) {
            *code = ((byte >> shift) & 3) as i8;
        }
    }
}

/// Each byte holds one base-3 digit for each plane, the most significant first.
fn trit_planes(bytes: &[u8], codes: &mut [i8]) {
    let mut power = 1u8;
    for plane in codes.chunks_mut(bytes.len()) {
        for (code, byte) in plane.iter_mut().zip(bytes) {
            *code = ((u16::from(byte.wrapping_mul(power)) * 3) >> 8) as i8;
        }
        power = power.wrapping_mul(3);
    }
}
