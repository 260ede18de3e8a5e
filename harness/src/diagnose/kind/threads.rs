//! Results that depend on the number of threads.

use qk256::format::QK256;

use super::super::hypothesis::{Guess, Hypothesis};
use super::super::subject::Subject;
use super::super::work::Work;
use crate::case::{Case, Input};
use crate::cause::Fault;
use crate::probe::Random;

/// Number of rows, so that each thread has several panels.
const ROWS: usize = 64;

/// Number of attempts for each number of threads, because a race does not always show.
const TRIES: usize = 3;

pub(super) fn hypotheses(subject: &Subject<'_>) -> Vec<Hypothesis> {
    let mut random = Random::new(1, "threads");
    let cols = 2 * QK256;
    let codes = (0..ROWS * cols).map(|_| random.below(3) as u8).collect();
    let values = (0..2 * cols)
        .map(|_| random.below(255) as f32 - 127.0)
        .collect();
    let case = subject.case(ROWS, cols, codes, Input::Values(values));
    let with = |threads| {
        let case = Case {
            threads,
            ..case.clone()
        };
        subject.answer(case)
    };
    let Some(alone) = with(1) else {
        return Vec::new();
    };
    let differ = |other: &Work| {
        let differs = |&(batch, row): &(usize, usize)| {
            alone.actual(batch, row).to_bits() != other.actual(batch, row).to_bits()
        };
        alone.places().filter(differs).count()
    };
    let tries = (2..=4).flat_map(|threads| std::iter::repeat_n(threads, TRIES));
    let shown = tries
        .filter_map(|threads| Some((threads, differ(&with(threads)?))))
        .find(|&(_, differ)| differ > 0);
    let hypothesis = |(threads, differ)| Hypothesis {
        fault: Fault::Threads {
            threads,
            differ,
            of: alone.len(),
        },
        predict: Box::new(predict),
    };
    shown.map(hypothesis).into_iter().collect()
}

/// The effect of a race on a result is unpredictable.
fn predict(work: &Work, _batch: usize, _row: usize) -> Guess {
    if work.case.threads > 1 && !work.is_dots() && work.is_finite() {
        Guess::Anything
    } else {
        Guess::Right
    }
}
