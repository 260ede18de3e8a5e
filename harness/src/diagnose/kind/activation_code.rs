//! Activations that are taken for other numbers, found by trying all 256 of them.

use qk256::format::QK256;

use super::super::steps::Steps;
use super::super::subject::Subject;
use super::super::suspect::Suspect;
use crate::case::Input;
use crate::cause::Fault;

pub(super) fn suspects(subject: &Subject<'_>) -> Vec<Suspect> {
    taken_for(subject)
        .and_then(|taken| suspect(subject, taken))
        .into_iter()
        .collect()
}

fn suspect(subject: &Subject<'_>, taken: Vec<i64>) -> Option<Suspect> {
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
    Some(Suspect::by_steps(fault, steps))
}

/// What each activation code is taken for, from -128 on.
fn taken_for(subject: &Subject<'_>) -> Option<Vec<i64>> {
    let codebook = subject.format.codebook;
    let one = (0..subject.storable_codes()).find(|&code| codebook.raw(code) == 1)?;
    let cols = 2 * QK256;
    // Each activation code in turn, in the first column of a row of its own.
    let mut activations = vec![0; 256 * cols];
    for (row, code) in activations.chunks_exact_mut(cols).zip(-128i16..) {
        row[0] = code as i8;
    }
    let work = subject.answer(subject.constant(one, Input::Codes(activations)))?;
    Some((0..256).map(|row| work.actual(row, 0) as i64).collect())
}
