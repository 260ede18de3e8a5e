//! A wrong distance between the results of activation rows.

use super::super::hypothesis::{Guess, Hypothesis};
use super::super::number::Number;
use super::super::subject::Subject;
use super::super::work::Work;
use crate::case::Case;
use crate::cause::Fault;

/// Strides that an implementation may use instead of the number of rows.
const STRIDES: [fn(&Case) -> usize; 5] = [
    |case| case.cols,
    |case| case.rows.next_multiple_of(4),
    |case| case.rows.next_multiple_of(16),
    |case| case.rows.next_multiple_of(64),
    |case| case.rows.next_multiple_of(256),
];

pub(super) fn hypotheses(_subject: &Subject<'_>, works: &[Work]) -> Vec<Hypothesis> {
    let shown = |stride: &fn(&Case) -> usize| {
        let shows = |work: &&Work| shows(work, stride(&work.case));
        let work = works.iter().find(shows)?;
        Some(hypothesis(*stride, &work.case))
    };
    STRIDES.iter().filter_map(shown).collect()
}

/// Whether a wrong result is that of another place at this stride. Zeros are ignored, because they are in many places.
fn shows(work: &Work, stride: usize) -> bool {
    let displaced = |(batch, row): (usize, usize)| {
        let actual = work.actual(batch, row);
        work.is_wrong(batch, row)
            && actual != 0.0
            && stored(work, batch, row, stride).any(|number| number.is(actual))
    };
    stride != work.case.rows && work.is_finite() && work.places().any(displaced)
}

/// The results that this stride stores in the place of an activation row and a weight row.
fn stored(work: &Work, batch: usize, row: usize, stride: usize) -> impl Iterator<Item = Number> {
    let place = work.index(batch, row);
    (0..work.case.batch).filter_map(move |batch| {
        let row = place.checked_sub(batch * stride)?;
        (row < work.case.rows).then(|| Number {
            value: work.truth(batch, row),
            tolerance: work.tolerance(batch, row),
        })
    })
}

fn hypothesis(stride: fn(&Case) -> usize, shown: &Case) -> Hypothesis {
    let predict = move |work: &Work, batch: usize, row: usize| {
        if !work.is_finite() {
            return Guess::Right;
        }
        // If several results share a place, the order of the loops decides which one remains.
        let mut numbers: Vec<Number> = stored(work, batch, row, stride(&work.case)).collect();
        if numbers.is_empty() {
            numbers.push(Number {
                value: 0.0,
                tolerance: 0.0,
            });
        }
        Guess::OneOf(numbers)
    };
    Hypothesis {
        fault: Fault::BatchStride {
            stride: stride(shown),
            rows: shown.rows,
            cols: shown.cols,
        },
        predict: Box::new(predict),
    }
}
