//! Accumulators that wrap: what is lost is a multiple of two to the power of their bits.

use qk256::format::ScaleRule;

use super::super::subject::Subject;
use super::super::suspect::{Guess, Suspect};
use super::super::work::Work;
use crate::case::Input;
use crate::cause::Fault;

/// Bits of the accumulators that are suspected. Narrower ones would wrap everywhere, wider ones nowhere.
const BITS: u32 = 16;

/// What results are off by multiples of.
const MODULUS: f64 = (1u64 << BITS) as f64;

/// Row lengths are tried in steps of so many columns.
const STEP: usize = 128;

/// The longest row tried.
const LONGEST: usize = 8704;

pub(super) fn suspects(subject: &Subject<'_>, works: &[Work]) -> Vec<Suspect> {
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
    // Seen in some row; the shortest one tells how soon it happens.
    let shown = off.map(|seen| shortest(subject).unwrap_or(seen));
    let suspect = |(cols, difference)| Suspect {
        fault: Fault::AccumulatorWraps {
            bits: BITS,
            cols,
            difference,
        },
        predict: Box::new(predict),
    };
    shown.map(suspect).into_iter().collect()
}

/// The shortest row of codes 2 and activations 127 that is off by a multiple, and by how much.
fn shortest(subject: &Subject<'_>) -> Option<(usize, i64)> {
    let rows = subject.panel();
    let lengths = (STEP..=LONGEST).step_by(STEP);
    lengths
        .filter(|&cols| subject.serves(subject.format.native_flavour(), rows, cols))
        .find_map(|cols| {
            let input = Input::Codes(vec![127; cols]);
            let work = subject.answer(subject.case(rows, cols, vec![2; rows * cols], input))?;
            Some((cols, wrapped(work.actual(0, 0) - work.truth(0, 0))?))
        })
}

/// Only sums that do not fit can wrap.
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

/// What a result is off by, if that is what wrapping leaves.
fn wrapped(off: f64) -> Option<i64> {
    let nearest = (off / MODULUS).round() * MODULUS;
    (nearest != 0.0 && (off - nearest).abs() < 1.0).then_some(nearest as i64)
}

/// What a result is off by if its integer is off by 1, where one integer makes the result.
fn unit(work: &Work, batch: usize) -> Option<f64> {
    match work.case.format.scale {
        _ if work.is_dots() => Some(1.0),
        ScaleRule::Tensor => Some(f64::from(work.weights().scale(0)) * work.factor(batch, 0)),
        ScaleRule::Block { .. } => None,
    }
}
