//! Codes read from wrong slots, found by one-hot probing.

use std::panic::{AssertUnwindSafe, catch_unwind};

use qk256::format::{Format, QK256, Slot, Storage, Weights};

use super::super::hypothesis::Hypothesis;
use super::super::steps::Steps;
use super::super::subject::Subject;
use crate::cause::{DisplacedSlot, Fault};
use crate::probe::{Lut, SlotReading, derive};

/// Maximal number of displaced slots reported.
const MAX_REPORTED: usize = 4;

pub(super) fn hypotheses(subject: &Subject<'_>) -> Vec<Hypothesis> {
    let derived = || {
        derive(
            subject.implementation,
            subject.implementation,
            subject.format,
        )
        .ok()
    };
    let derived = catch_unwind(AssertUnwindSafe(derived)).ok().flatten();
    derived
        .and_then(|derived| hypothesis(subject, derived))
        .into_iter()
        .collect()
}

fn hypothesis(subject: &Subject<'_>, derived: Lut) -> Option<Hypothesis> {
    let declared = Lut::declared(subject.format).ok()?;
    let displaced = displaced(&derived, &declared);
    let is_read = |slot: &SlotReading| matches!(slot, SlotReading::At(_));
    if displaced.is_empty() || !derived.slots.iter().all(is_read) {
        return None;
    }
    let named = derived.layout(subject.format).map(|layout| Format {
        layout,
        ..*subject.format
    });
    let fault = match named {
        Some(format) => Fault::Layout {
            read: format.layout.name().into(),
            declared: subject.format.layout.name().into(),
            displaced: displaced.len(),
        },
        None => Fault::Slots {
            displaced: displaced.len(),
            first: displaced.into_iter().take(MAX_REPORTED).collect(),
        },
    };
    // If the known layout cannot hold a shape, such as a tail of half its block, the derived slots are used.
    let slots = derived.slots;
    let code = move |weights: &Weights<'_>, row, col| {
        let named = named.and_then(|format| in_format(&format, weights, row, col));
        named.or_else(|| in_slots(&slots, weights, row, col))
    };
    let steps = Steps {
        code: Box::new(code),
        ..Steps::right(subject.format)
    };
    Some(Hypothesis::by_steps(fault, steps))
}

fn displaced(derived: &Lut, declared: &Lut) -> Vec<DisplacedSlot> {
    let slots = derived.slots.iter().zip(&declared.slots).enumerate();
    slots
        .filter(|(_, (read, declared))| read != declared)
        .map(|(weight, (read, declared))| DisplacedSlot {
            weight,
            read: read.to_string(),
            declared: declared.to_string(),
        })
        .collect()
}

/// The code of a weight if the bytes are read in another format. None if that format cannot hold the shape.
fn in_format(format: &Format, weights: &Weights<'_>, row: usize, col: usize) -> Option<u8> {
    let (rows, cols) = (weights.rows(), weights.cols());
    let storage = Storage::new(*format, weights.storage().variant(), rows, cols).ok()?;
    let slot = storage.slot(row, col);
    let byte = weights.bytes().get(slot.byte)?;
    Some(slot.digit.read(*byte))
}

/// The code of a weight if each block is read like the probed one. Slots are those of the first row of a panel.
fn in_slots(slots: &[SlotReading], weights: &Weights<'_>, row: usize, col: usize) -> Option<u8> {
    let storage = weights.storage();
    let block = col / QK256 * (QK256 / storage.unit_weights()) * storage.unit_bytes();
    let panel = row / storage.layout().panel_rows() * storage.panel_stride();
    let SlotReading::At(Slot { byte, digit }) = slots[col % QK256] else {
        return None;
    };
    let byte = weights.bytes().get(panel + block + byte)?;
    Some(digit.read(*byte))
}
