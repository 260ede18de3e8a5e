//! A wrong multiple of the activation sum, found by comparing products with dots.

use qk256::format::QK256;

use super::super::hypothesis::Hypothesis;
use super::super::steps::Steps;
use super::super::subject::Subject;
use crate::case::Input;
use crate::cause::Fault;

pub(super) fn hypotheses(subject: &Subject<'_>) -> Vec<Hypothesis> {
    let hypothesis = |subtracted| {
        let steps = Steps {
            subtracted,
            ..Steps::right(subject.format)
        };
        Hypothesis::by_steps(Fault::ActivationSum { subtracted }, steps)
    };
    subtracted(subject)
        .filter(|&times| times != 1)
        .map(hypothesis)
        .into_iter()
        .collect()
}

/// How many times the sum is subtracted, if that is an integer.
fn subtracted(subject: &Subject<'_>) -> Option<i64> {
    let codebook = subject.format.codebook;
    if codebook.offset() == 0 {
        return None;
    }
    // 127 quantizes to itself, so the product is an integer.
    let mut activations = vec![0.0; 2 * QK256];
    activations[0] = 127.0;
    let product = subject.first(subject.constant(2, Input::Values(activations)))? / 127.0;
    let times = (f64::from(codebook.raw(2)) - product) / f64::from(codebook.offset());
    let whole = times.round();
    (times.is_finite() && (times - whole).abs() < 1e-6).then_some(whole as i64)
}
