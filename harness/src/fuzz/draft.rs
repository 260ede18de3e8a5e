//! A draft: the small numbers from which a case is made.

#[cfg(test)]
use qk256::format::FORMATS;
use qk256::format::{Digit, Format, QK256, Storage, StorageVariant};

use super::values;
use crate::case::{ALIGNMENT, Case, CaseError, Input};
use crate::probe::Random;

/// Small numbers that determine a case. All values are valid, because each is reduced modulo the number of choices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draft {
    /// Index of the format among those allowed.
    pub format: usize,
    /// Index of the storage variant.
    pub variant: usize,
    /// Number of rows in panels, minus one.
    pub panels: usize,
    /// Number of columns in the smallest steps that the storage allows, minus one.
    pub steps: usize,
    /// Number of activation rows minus one.
    pub batch: usize,
    /// Number of threads minus one.
    pub threads: usize,
    /// Offset of the weights in bytes from an alignment of 64.
    pub weight_shift: usize,
    /// Offset of the activations in bytes from an alignment of 64.
    pub activation_shift: usize,
    /// Distribution of codes.
    pub codes: usize,
    /// Distribution of activations.
    pub activations: usize,
    /// Distribution of scales.
    pub scales: usize,
    /// Whether activations are f32 instead of int8.
    pub products: bool,
    /// Seed of the values.
    pub seed: u64,
}

impl Draft {
    /// Upper limit of the number of rows in panels, minus one.
    pub const MAX_PANELS: usize = 8;
    /// Upper limit of the number of columns.
    pub const MAX_COLS: usize = 4608;
    /// Upper limit of the number of activation rows, minus one.
    pub const MAX_BATCH: usize = 32;
    /// Upper limit of the number of threads, minus one.
    pub const MAX_THREADS: usize = 3;

    /// The draft with an index. It is the same on every machine for the same seed.
    pub fn of(seed: u64, index: u64) -> Draft {
        let mut random = Random::new(seed, "fuzz");
        // Neighbouring indices start the generator at different states, and its mixing makes the streams independent.
        let mut random = Random::new(
            random.bits() ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            "",
        );
        // Most rows are short, so that many tails are tried. Some are long enough to wrap an accumulator.
        let cols = match random.below(16) {
            0 => random.below(Draft::MAX_COLS),
            1..4 => random.below(1200),
            _ => random.below(400),
        };
        let batch = match random.below(32) {
            0 => Draft::MAX_BATCH - random.below(2),
            1 => 15,
            2..8 => random.below(9),
            _ => random.below(3),
        };
        // A product costs as much as many dots, because the oracle's executor must start.
        let products = random.below(16) == 0;
        Draft {
            format: random.below(1 << 16),
            variant: random.below(1 << 16),
            panels: random.below(5) * random.below(3),
            steps: cols,
            batch,
            threads: random.below(1 + Draft::MAX_THREADS),
            weight_shift: random.below(ALIGNMENT),
            activation_shift: random.below(ALIGNMENT),
            codes: random.below(2 * values::CODE_KINDS),
            activations: random.below(2 * values::ACTIVATION_KINDS),
            scales: random.below(2 * values::SCALE_KINDS),
            products,
            seed: random.bits(),
        }
    }

    /// Makes the case in one of these formats.
    ///
    /// # Errors
    ///
    /// [`CaseError`] if the format cannot hold the shape. No such draft is known.
    ///
    /// # Panics
    ///
    /// If `formats` is empty.
    pub fn case(&self, formats: &[&'static Format]) -> Result<Case, CaseError> {
        let format = formats[self.format % formats.len()];
        let variant = format.variants[self.variant % format.variants.len()];
        let rows = (1 + self.panels % (1 + Draft::MAX_PANELS)) * format.layout.panel_rows();
        let step = step(format, variant, rows);
        // The draft's steps are columns, rounded up to what the storage allows.
        let cols = (1 + self.steps % Draft::MAX_COLS).next_multiple_of(step);
        let storage = Storage::new(*format, variant, rows, cols)?;
        let batch = 1 + self.batch % (1 + Draft::MAX_BATCH);
        let mut random = Random::new(self.seed, "case");
        let holds_three = !matches!(storage.slot(0, 0).digit, Digit::Trit { .. });
        // Half of the values stand for the plain kind.
        let kind = |kind: usize, kinds: usize| if kind < kinds { kind } else { 0 };
        let codes = values::codes(
            kind(self.codes, values::CODE_KINDS),
            if holds_three { 4 } else { 3 },
            rows * cols,
            &mut random,
        );
        let scale_kind = if self.products {
            kind(self.scales, values::SCALE_KINDS)
        } else {
            0
        };
        let scales = values::scales(scale_kind, storage.scale_count(), &mut random);
        let activations = kind(self.activations, values::ACTIVATION_KINDS);
        let n = batch * cols;
        let input = if self.products {
            Input::Values(values::activation_values(activations, n, cols, &mut random))
        } else {
            Input::Codes(values::activation_codes(activations, n, &mut random))
        };
        Ok(Case {
            format,
            variant,
            rows,
            cols,
            batch,
            threads: 1 + self.threads % (1 + Draft::MAX_THREADS),
            shift: [
                self.weight_shift % ALIGNMENT,
                self.activation_shift % ALIGNMENT,
            ],
            codes,
            scales,
            input,
        })
    }
}

/// The smallest step of the number of columns.
pub(super) fn step(format: &Format, variant: StorageVariant, rows: usize) -> usize {
    let fits = |cols: &usize| Storage::new(*format, variant, rows, *cols).is_ok();
    // A step that fits for itself and for its sum with a block fits for every multiple.
    [1, 4, 32, 64, 128, QK256]
        .into_iter()
        .find(|step| fits(step) && fits(&(QK256 + step)))
        .unwrap_or(QK256)
}

/// All formats.
#[cfg(test)]
pub(super) fn all_formats() -> Vec<&'static Format> {
    FORMATS.iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_index_give_the_same_case_and_neighbours_differ() {
        let formats = all_formats();
        // Compared as text, in which a NaN equals itself.
        let text = |case: Case| format!("{case:?}");
        for index in 0..200 {
            let case = Draft::of(1, index).case(&formats).unwrap();
            let again = Draft::of(1, index).case(&formats).unwrap();
            assert_eq!(text(case), text(again));
            assert_ne!(Draft::of(1, index), Draft::of(1, index + 1));
            assert_ne!(Draft::of(1, index), Draft::of(2, index));
        }
    }

    #[test]
    fn drafts_reach_every_format_variant_operation_and_tail() {
        use std::collections::HashSet;
        let formats = all_formats();
        let (mut kinds, mut tails, mut batches) = (HashSet::new(), HashSet::new(), HashSet::new());
        for index in 0..40_000 {
            let draft = Draft::of(3, index);
            // Only shapes are checked here, which depend on the draft alone.
            let format = formats[draft.format % formats.len()];
            let variant = format.variants[draft.variant % format.variants.len()];
            kinds.insert((format.id, variant.name(), draft.products));
            if variant == StorageVariant::PaddedRows {
                tails.insert((1 + draft.steps) % QK256);
            }
            batches.insert(1 + draft.batch);
        }
        let variants: usize = formats.iter().map(|format| format.variants.len()).sum();
        assert_eq!(kinds.len(), 2 * variants);
        assert_eq!(tails.len(), QK256);
        for batch in (1..=9).chain([16, 32, 33]) {
            assert!(batches.contains(&batch), "batch {batch}");
        }
    }
}
