//! The implementation to diagnose, and cases for it.

use std::sync::Arc;

use qk256::format::{Digit, Format, QK256, Storage, StorageVariant};

use super::work::{Question, Work};
use crate::case::{Case, Input};
use crate::implementation::Implementation;

/// An implementation in one format.
pub(super) struct Subject<'a> {
    pub(super) implementation: &'a dyn Implementation,
    pub(super) format: &'static Format,
}

impl Subject<'_> {
    /// Number of rows that share bytes. Matrices have a multiple of it.
    pub(super) fn panel(&self) -> usize {
        self.format.layout.panel_rows()
    }

    /// Number of storable codes.
    pub(super) fn storable_codes(&self) -> u8 {
        match self.format.layout.slot(0, 0).digit {
            Digit::Bits { .. } => 4,
            Digit::Trit { .. } => 3,
        }
    }

    /// Whether the implementation supports matrices of this shape.
    pub(super) fn serves(&self, variant: StorageVariant, rows: usize, cols: usize) -> bool {
        Storage::new(*self.format, variant, rows, cols)
            .is_ok_and(|storage| self.implementation.defined_on(&storage).is_ok())
    }

    /// A case in the native storage variant with scales of 1. The batch size is derived from the number of activations.
    pub(super) fn case(&self, rows: usize, cols: usize, codes: Vec<u8>, input: Input) -> Case {
        self.case_in(self.format.native_variant(), rows, cols, codes, input)
    }

    /// Like [`Subject::case`], in any storage variant.
    pub(super) fn case_in(
        &self,
        variant: StorageVariant,
        rows: usize,
        cols: usize,
        codes: Vec<u8>,
        input: Input,
    ) -> Case {
        let storage = Storage::new(*self.format, variant, rows, cols);
        Case {
            format: self.format,
            variant,
            rows,
            cols,
            batch: input.len() / cols,
            threads: 1,
            shift: [0, 0],
            codes,
            scales: vec![1.0; storage.map_or(0, |storage| storage.scale_count())],
            input,
        }
    }

    /// One panel with two blocks in each row, in which all weights have this code. Equal codes are read alike in every
    /// layout.
    pub(super) fn constant(&self, code: u8, input: Input) -> Case {
        let (rows, cols) = (self.panel(), 2 * QK256);
        self.case(rows, cols, vec![code; rows * cols], input)
    }

    /// Runs a case. None if the implementation does not support it or fails.
    pub(super) fn answer(&self, case: Case) -> Option<Work> {
        Work::of(self.implementation, Arc::new(Question::new(case)?))
    }

    /// The implementation's first result of a case.
    pub(super) fn first(&self, case: Case) -> Option<f64> {
        Some(self.answer(case)?.actual(0, 0))
    }
}
