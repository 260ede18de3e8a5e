//! Activations of zeros, whose scale has no inverse.

use qk256::format::QK256;

use super::super::hypothesis::{Guess, Hypothesis};
use super::super::subject::Subject;
use super::super::work::Work;
use crate::case::Input;
use crate::cause::Fault;

pub(super) fn hypotheses(subject: &Subject<'_>) -> Vec<Hypothesis> {
    let result = subject.first(subject.constant(2, Input::Values(vec![0.0; 2 * QK256])));
    let hypothesis = |result: f64| Hypothesis {
        fault: Fault::ZeroActivations {
            result: result.to_string(),
        },
        predict: Box::new(predict),
    };
    result
        .filter(|result| !result.is_finite())
        .map(hypothesis)
        .into_iter()
        .collect()
}

/// Activations that share a scale are quantized independently of others.
fn predict(work: &Work, batch: usize, _row: usize) -> Guess {
    let Input::Values(values) = &work.case.input else {
        return Guess::Right;
    };
    let cols = work.case.cols;
    let run = work.case.format.activation.run(cols);
    let is_zero = |values: &[f32]| values.iter().all(|&value| value == 0.0);
    if values[batch * cols..][..cols].chunks(run).any(is_zero) {
        Guess::NotFinite
    } else {
        Guess::Right
    }
}
