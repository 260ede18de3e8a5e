//! The side under examination, and the cases that it is asked.

use std::sync::Arc;

use qk256::format::{Digit, Flavour, Format, QK256, Storage};

use super::work::{Question, Work};
use crate::case::{Case, Input};
use crate::implementation::Implementation;

/// A side in one format.
pub(super) struct Subject<'a> {
    pub(super) side: &'a dyn Implementation,
    pub(super) format: &'static Format,
}

impl Subject<'_> {
    /// Rows that share bytes: matrices have a multiple of them.
    pub(super) fn panel(&self) -> usize {
        self.format.layout.panel_rows()
    }

    /// How many codes can be stored.
    pub(super) fn storable_codes(&self) -> u8 {
        match self.format.layout.slot(0, 0).digit {
            Digit::Bits { .. } => 4,
            Digit::Trit { .. } => 3,
        }
    }

    /// Whether the side serves matrices of this shape.
    pub(super) fn serves(&self, flavour: Flavour, rows: usize, cols: usize) -> bool {
        Storage::new(*self.format, flavour, rows, cols)
            .is_ok_and(|storage| self.side.defined_on(&storage).is_ok())
    }

    /// A case in the native flavour with scales of 1, whose batch follows from the number of activations.
    pub(super) fn case(&self, rows: usize, cols: usize, codes: Vec<u8>, input: Input) -> Case {
        self.case_in(self.format.native_flavour(), rows, cols, codes, input)
    }

    /// As [`Subject::case`], in any flavour.
    pub(super) fn case_in(
        &self,
        flavour: Flavour,
        rows: usize,
        cols: usize,
        codes: Vec<u8>,
        input: Input,
    ) -> Case {
        let storage = Storage::new(*self.format, flavour, rows, cols);
        Case {
            format: self.format,
            flavour,
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

    /// One panel of two blocks a row, all of whose weights have this code. Codes that are all the same are read alike
    /// in every layout.
    pub(super) fn constant(&self, code: u8, input: Input) -> Case {
        let (rows, cols) = (self.panel(), 2 * QK256);
        self.case(rows, cols, vec![code; rows * cols], input)
    }

    /// Runs a case. None if the side does not serve it or fails at it.
    pub(super) fn answer(&self, case: Case) -> Option<Work> {
        Work::of(self.side, Arc::new(Question::new(case)?))
    }

    /// The first result of a case, as the side has it.
    pub(super) fn first(&self, case: Case) -> Option<f64> {
        Some(self.answer(case)?.actual(0, 0))
    }
}
