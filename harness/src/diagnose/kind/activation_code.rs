//! Wrong activation codes, found by trying all 256.

use qk256::format::QK256;

use super::super::hypothesis::Hypothesis;
use super::super::steps::Steps;
use super::super::subject::Subject;
use crate::case::Input;
use crate::cause::Fault;

pub(super) fn hypotheses(subject: &Subject<'_>) -> Vec<Hypothesis> {
    taken_for(subject)
        .and_then(|taken| hypothesis(subject, taken))
        .into_iter()
        .collect()
}

fn hypothesis(subject: &Subject<'_>, taken: Vec<i64>) -> Option<Hypothesis> {
    let wrong = || {
        (-128..128)
            .zip(&taken)
            .filter(|(code, taken)| code != *taken)
    };
    let (first, &taken_for) = wrong().next()?;
    let fault = Fault::ActivationCode {
        codes: wrong().count(),
        first,
        taken_for,
    };
    let steps = Steps {
        activation: Box::new(move |code| taken[(i64::from(code) + 128) as usize]),
        ..Steps::right(subject.format)
    };
    Some(Hypothesis::by_steps(fault, steps))
}

/// The number that each activation code is decoded to, from -128 on.
fn taken_for(subject: &Subject<'_>) -> Option<Vec<i64>> {
    let codebook = subject.format.codebook;
    let one = (0..subject.storable_codes()).find(|&code| codebook.raw(code) == 1)?;
    let cols = 2 * QK256;
    // One activation row for each code, which is in the first column.
    let mut activations = vec![0; 256 * cols];
    for (row, code) in activations.chunks_exact_mut(cols).zip(-128i16..) {
        row[0] = code as i8;
    }
    let work = subject.answer(subject.constant(one, Input::Codes(activations)))?;
    Some((0..256).map(|row| work.actual(row, 0) as i64).collect())
}
