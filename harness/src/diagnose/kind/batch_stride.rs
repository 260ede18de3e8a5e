//! Results of activation rows that lie another distance apart than the rows of the matrix.

use super::super::number::Number;
use super::super::subject::Subject;
use super::super::suspect::{Guess, Suspect};
use super::super::work::Work;
use crate::case::Case;
use crate::cause::Fault;

/// What a stride may be taken from instead of the rows.
const STRIDES: [fn(&Case) -> usize; 5] = [
    |case| case.cols,
    |case| case.rows.next_multiple_of(4),
    |case| case.rows.next_multiple_of(16),
    |case| case.rows.next_multiple_of(64),
    |case| case.rows.next_multiple_of(256),
];

pub(super) fn suspects(_subject: &Subject<'_>, works: &[Work]) -> Vec<Suspect> {
    let shown = |stride: &fn(&Case) -> usize| {
        let shows = |work: &&Work| shows(work, stride(&work.case));
        let work = works.iter().find(shows)?;
        Some(suspect(*stride, &work.case))
    };
    STRIDES.iter().filter_map(shown).collect()
}

/// Whether all results lie so far apart, and a wrong one is another's, which zeros alone would not be.
fn shows(work: &Work, stride: usize) -> bool {
    let displaced = |(batch, row): (usize, usize)| {
        let actual = work.actual(batch, row);
        work.is_wrong(batch, row)
            && actual != 0.0
            && stored(work, batch, row, stride).any(|number| number.is(actual))
    };
    stride != work.case.rows && work.is_finite() && work.places().any(displaced)
}

/// The results that are stored where the one of an activation row and a row belongs.
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

fn suspect(stride: fn(&Case) -> usize, shown: &Case) -> Suspect {
    let predict = move |work: &Work, batch: usize, row: usize| {
        if !work.is_finite() {
            return Guess::Right;
        }
        // Where several are stored in one place, the order of the loops says which one stays.
        let mut numbers: Vec<Number> = stored(work, batch, row, stride(&work.case)).collect();
        if numbers.is_empty() {
            numbers.push(Number {
                value: 0.0,
                tolerance: 0.0,
            });
        }
        Guess::OneOf(numbers)
    };
    Suspect {
        fault: Fault::BatchStride {
            stride: stride(shown),
            rows: shown.rows,
            cols: shown.cols,
        },
        predict: Box::new(predict),
    }
}
