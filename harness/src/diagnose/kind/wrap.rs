//! Accumulators that wrap: results are off by multiples of two to the power of their width.

use qk256::format::ScaleRule;

use super::super::hypothesis::{Guess, Hypothesis};
use super::super::subject::Subject;
use super::super::work::Work;
use crate::case::Input;
use crate::cause::Fault;

/// Width in bits of the accumulators tested for. Narrower ones would wrap everywhere, wider ones nowhere.
const BITS: u32 = 16;

/// Results are off by multiples of this number.
const MODULUS: f64 = (1u64 << BITS) as f64;

/// Step of the tried row lengths in columns.
const STEP: usize = 128;

/// The longest row tried, in columns.
const LONGEST: usize = 8704;

pub(super) fn hypotheses(subject: &Subject<'_>, works: &[Work]) -> Vec<Hypothesis> {
    let off = works
        .iter()
        .filter(|work| work.is_finite())
        .find_map(|work| {
            let off = |(batch, row)| {
                let off = work.actual(batch, row) - work.truth(batch, row);
                wrapped(off / unit(work, batch)?)
            };
            Some((work.case.cols, work.places().find_map(off)?))
        });
    // The fault was seen in some row. The shortest row shows where it begins.
    let shown = off.map(|seen| shortest(subject).unwrap_or(seen));
    let hypothesis = |(cols, difference)| Hypothesis {
        fault: Fault::AccumulatorWraps {
            bits: BITS,
            cols,
            difference,
        },
        predict: Box::new(predict),
    };
    shown.map(hypothesis).into_iter().collect()
}

/// Columns and error of the shortest row of codes 2 and activations 127 that is off by a multiple.
fn shortest(subject: &Subject<'_>) -> Option<(usize, i64)> {
    let rows = subject.panel();
    let lengths = (STEP..=LONGEST).step_by(STEP);
    lengths
        .filter(|&cols| subject.serves(subject.format.native_variant(), rows, cols))
        .find_map(|cols| {
            let input = Input::Codes(vec![127; cols]);
            let work = subject.answer(subject.case(rows, cols, vec![2; rows * cols], input))?;
            Some((cols, wrapped(work.actual(0, 0) - work.truth(0, 0))?))
        })
}

/// Only a sum that exceeds the accumulator can wrap.
fn predict(work: &Work, batch: usize, row: usize) -> Guess {
    let weights = work.weights();
    let term = |col: usize| {
        let raw = i64::from(work.case.format.codebook.raw(weights.code(row, col)));
        raw.unsigned_abs() * i64::from(work.activation(batch, col)).unsigned_abs()
    };
    let fits = (0..work.case.cols).map(term).sum::<u64>() < 1 << (BITS - 1);
    match unit(work, batch) {
        Some(unit) if !fits && work.is_finite() => Guess::OffByMultipleOf(MODULUS * unit),
        _ => Guess::Right,
    }
}

/// The error of a result, if it is a multiple of the modulus.
fn wrapped(off: f64) -> Option<i64> {
    let nearest = (off / MODULUS).round() * MODULUS;
    (nearest != 0.0 && (off - nearest).abs() < 1.0).then_some(nearest as i64)
}

/// The error of a result whose integer is off by 1, if the result depends on one integer.
fn unit(work: &Work, batch: usize) -> Option<f64> {
    match work.case.format.scale {
        _ if work.is_dots() => Some(1.0),
        ScaleRule::Tensor => Some(f64::from(work.weights().scale(0)) * work.factor(batch, 0)),
        ScaleRule::Block { .. } => None,
    }
}
