//! Rows that are not computed, so their results stay zero.

use super::super::hypothesis::{Guess, Hypothesis};
use super::super::number::Number;
use super::super::subject::Subject;
use super::super::work::Work;
use crate::cause::Fault;

const ZERO: Number = Number {
    value: 0.0,
    tolerance: 0.0,
};

pub(super) fn hypotheses(_subject: &Subject<'_>, works: &[Work]) -> Vec<Hypothesis> {
    let tallest = works
        .iter()
        .filter(|work| work.is_finite())
        .max_by_key(|work| (zeroed(work).len(), work.case.rows));
    let Some(work) = tallest else {
        return Vec::new();
    };
    let (zeroed, rows) = (zeroed(work), work.case.rows);
    let steps: Vec<usize> = zeroed.windows(2).map(|pair| pair[1] - pair[0]).collect();
    match (&zeroed[..], steps.first()) {
        ([], _) => Vec::new(),
        (&[first], _) => vec![single(first, rows), last(first, rows)],
        (&[first, ..], Some(&every))
            if every > 1 && first < every && steps.iter().all(|&s| s == every) =>
        {
            vec![periodic(first, every, rows)]
        }
        _ => Vec::new(),
    }
}

/// The rows whose results are wrongly zero for every activation row.
fn zeroed(work: &Work) -> Vec<usize> {
    let is_zeroed = |&row: &usize| {
        let batches = || 0..work.case.batch;
        batches().all(|batch| work.actual(batch, row) == 0.0)
            && batches().any(|batch| work.is_wrong(batch, row))
    };
    (0..work.case.rows).filter(is_zeroed).collect()
}

fn stay_zero(
    fault: Fault,
    is_zero: impl Fn(usize, usize) -> bool + Send + Sync + 'static,
) -> Hypothesis {
    let predict = move |work: &Work, _batch: usize, row: usize| {
        if work.is_finite() && is_zero(row, work.case.rows) {
            Guess::OneOf(vec![ZERO])
        } else {
            Guess::Right
        }
    };
    Hypothesis {
        fault,
        predict: Box::new(predict),
    }
}

fn periodic(first: usize, every: usize, rows: usize) -> Hypothesis {
    let fault = Fault::RowsZeroed {
        first,
        every: Some(every),
        rows,
    };
    stay_zero(fault, move |row, _| row % every == first)
}

fn single(first: usize, rows: usize) -> Hypothesis {
    let every = None;
    stay_zero(Fault::RowsZeroed { first, every, rows }, move |row, _| {
        row == first
    })
}

/// Like [`single`], but the row is counted from the end.
fn last(first: usize, rows: usize) -> Hypothesis {
    let every = None;
    let from_end = rows - first;
    stay_zero(Fault::RowsZeroed { first, every, rows }, move |row, of| {
        row + from_end == of
    })
}
