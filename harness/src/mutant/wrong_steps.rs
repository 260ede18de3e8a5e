//! Wrong steps of mutants that take more than a line.

use half::f16;
use qk256::activation::{ActivationError, ActivationKind};
use qk256::format::{Digit, Layout, ScaleRule, StorageVariant, Weights};

use super::hooks::{Hooks, Product, QuantizedBatch};

pub(super) fn read_as(layout: Layout, weights: &Weights<'_>, row: usize, col: usize) -> u8 {
    let group = layout.group();
    let slot = layout.slot(0, col % group.weights);
    let byte = col / group.weights * group.bytes + slot.byte;
    let panel = weights.panel(row);
    slot.digit.read(panel[byte % panel.len()])
}

pub(super) fn reversed_shifts(weights: &Weights<'_>, row: usize, col: usize) -> u8 {
    let slot = weights.storage().slot(row, col);
    let digit = match slot.digit {
        Digit::Bits { shift } => Digit::Bits { shift: 6 - shift },
        trit => trit,
    };
    digit.read(weights.bytes()[slot.byte])
}

pub(super) fn early_scale(weights: &Weights<'_>, index: usize) -> f32 {
    let storage = weights.storage();
    let Some(first) = storage.scale_offset() else {
        return weights.scale(index);
    };
    let bytes = weights.bytes();
    match (storage.format().scale, storage.variant()) {
        (ScaleRule::Block { .. }, StorageVariant::Blocks) => {
            let at = first + index * storage.unit_bytes() - 4;
            f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
        }
        _ => f32::from_le_bytes(std::array::from_fn(|i| bytes[first - 4 + i])),
    }
}

pub(super) fn zero_row_without_scale(
    kind: ActivationKind,
    cols: usize,
    values: &[f32],
) -> Result<QuantizedBatch, ActivationError> {
    let mut quantized = (Hooks::RIGHT.quantize)(kind, cols, values)?;
    for (scale, row) in quantized.scales.iter_mut().zip(values.chunks(cols)) {
        if row.iter().all(|&value| value == 0.0) {
            *scale = 0.0;
        }
    }
    Ok(quantized)
}

pub(super) fn any_value(
    kind: ActivationKind,
    cols: usize,
    values: &[f32],
) -> Result<QuantizedBatch, ActivationError> {
    let finite = |&value: &f32| if value.is_finite() { value } else { 0.0 };
    (Hooks::RIGHT.quantize)(kind, cols, &values.iter().map(finite).collect::<Vec<_>>())
}

pub(super) fn dropped_at_borders(product: &Product, batch: usize, row: usize) -> Option<usize> {
    let share = product.rows.div_ceil(product.threads);
    let lost = row % share == share - 1 && row + 1 < product.rows;
    (!lost || product.threads == 1).then_some(batch * product.rows + row)
}
