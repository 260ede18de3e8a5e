//! Reads beyond the end of a row, found by the effect of the next activation row on the results.

use qk256::format::{QK256, ScaleRule, StorageVariant};

use super::super::hypothesis::{Guess, Hypothesis};
use super::super::number::Number;
use super::super::subject::Subject;
use super::super::work::Work;
use crate::case::{Case, Input};
use crate::cause::Fault;
use crate::tolerance::PREDICTION;

/// Row lengths that end inside a block.
const LENGTHS: [usize; 4] = [128, 300, 384, 640];

pub(super) fn hypotheses(subject: &Subject<'_>) -> Vec<Hypothesis> {
    let variants = [subject.format.native_variant(), StorageVariant::PaddedRows];
    let lengths = LENGTHS
        .iter()
        .flat_map(|&cols| variants.map(|variant| (variant, cols)));
    let read: Vec<(usize, usize)> = lengths
        .filter_map(|(variant, cols)| Some((cols, columns(subject, variant, cols)?)))
        .collect();
    let Some(&(cols, columns)) = read.iter().find(|(cols, read)| read > cols) else {
        return Vec::new();
    };
    let runs = (2..10).map(|power| 1usize << power);
    let holds = |run: &usize| {
        let beyond = |(cols, read): &&(usize, usize)| read > cols;
        let mut shown = read.iter().filter(beyond);
        shown.all(|(cols, read)| cols.next_multiple_of(*run) == *read)
    };
    runs.filter(holds)
        .take(1)
        .map(|run| Hypothesis {
            fault: Fault::ReadPastEnd {
                cols,
                read: columns,
            },
            predict: Box::new(move |work, batch, row| predict(work, batch, row, run)),
        })
        .collect()
}

/// Number of columns read, from pairs of activation rows: the first has a 1 in its first column, and the second has a
/// single 1.
fn columns(subject: &Subject<'_>, variant: StorageVariant, cols: usize) -> Option<usize> {
    let rows = 2 * subject.panel();
    if !subject.serves(variant, rows, cols) {
        return None;
    }
    let beyond = QK256.min(cols);
    let mut activations = vec![0; 2 * beyond * cols];
    for (k, pair) in activations.chunks_exact_mut(2 * cols).enumerate() {
        pair[0] = 1;
        pair[cols + k] = 1;
    }
    let input = Input::Codes(activations);
    let case = subject.case_in(variant, rows, cols, vec![2; rows * cols], input);
    let work = subject.answer(case)?;
    let reaches = |k: &usize| work.is_wrong(2 * k, 0);
    let farthest = (0..beyond).rfind(reaches);
    Some(cols + farthest.map_or(0, |k| k + 1))
}

/// Predicts that the start of the next activation row is multiplied with the bytes that follow the row: the next weight
/// row, if rows are adjacent.
fn predict(work: &Work, batch: usize, row: usize, run: usize) -> Guess {
    let Case {
        rows, cols, format, ..
    } = work.case;
    let beyond = cols.next_multiple_of(run) - cols;
    if beyond == 0 || batch + 1 == work.case.batch || !work.is_finite() {
        return Guess::Right;
    }
    let rows_touch =
        work.case.variant != StorageVariant::PaddedRows && format.layout.panel_rows() == 1;
    if row + 1 == rows || !rows_touch || format.scale != ScaleRule::Tensor || beyond > cols {
        return Guess::Anything;
    }
    let weights = work.weights();
    let term = |col: usize| {
        let raw = i64::from(format.codebook.raw(weights.code(row + 1, col)));
        raw * i64::from(work.activation(batch + 1, col))
    };
    let extra = (0..beyond).map(term).sum::<i64>() as f64;
    let factor = if work.is_dots() {
        1.0
    } else {
        f64::from(weights.scale(0)) * work.factor(batch, 0)
    };
    let value = work.truth(batch, row) + extra * factor;
    let magnitude = value.abs() + work.truth(batch, row).abs();
    Guess::OneOf(vec![Number {
        value,
        tolerance: PREDICTION * magnitude,
    }])
}
