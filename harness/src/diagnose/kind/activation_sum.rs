//! How many times the sum of the activations is subtracted: what products make of a code beside what dots make of it.

use qk256::format::QK256;

use super::super::steps::Steps;
use super::super::subject::Subject;
use super::super::suspect::Suspect;
use crate::case::Input;
use crate::cause::Fault;

pub(super) fn suspects(subject: &Subject<'_>) -> Vec<Suspect> {
    let suspect = |subtracted| {
        let steps = Steps {
            subtracted,
            ..Steps::right(subject.format)
        };
        Suspect::by_steps(Fault::ActivationSum { subtracted }, steps)
    };
    subtracted(subject)
        .filter(|&times| times != 1)
        .map(suspect)
        .into_iter()
        .collect()
}

/// How many times the sum is subtracted, if that is a whole number.
fn subtracted(subject: &Subject<'_>) -> Option<i64> {
    let codebook = subject.format.codebook;
    if codebook.offset() == 0 {
        return None;
    }
    // 127 is quantized to itself, so that the product is an integer.
    let mut activations = vec![0.0; 2 * QK256];
    activations[0] = 127.0;
    let product = subject.first(subject.constant(2, Input::Values(activations)))? / 127.0;
    let times = (f64::from(codebook.raw(2)) - product) / f64::from(codebook.offset());
    let whole = times.round();
    (times.is_finite() && (times - whole).abs() < 1e-6).then_some(whole as i64)
}
