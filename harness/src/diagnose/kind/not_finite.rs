//! NaN or infinite activations that are accepted.

use qk256::format::QK256;

use super::super::hypothesis::{Guess, Hypothesis};
use super::super::subject::Subject;
use crate::case::Input;
use crate::cause::Fault;

pub(super) fn hypotheses(subject: &Subject<'_>) -> Vec<Hypothesis> {
    let accepted = |activation: f32| {
        let mut values = vec![1.0; 2 * QK256];
        values[1] = activation;
        let result = subject.first(subject.constant(2, Input::Values(values)))?;
        (!result.is_nan()).then_some((activation, result))
    };
    let hypothesis = |(activation, result): (f32, f64)| Hypothesis {
        fault: Fault::NotFiniteAccepted {
            activation: activation.to_string(),
            result: (result as f32).to_string(),
        },
        predict: Box::new(|work, _, _| {
            if work.is_finite() {
                Guess::Right
            } else {
                Guess::Anything
            }
        }),
    };
    [f32::NAN, f32::INFINITY, f32::NEG_INFINITY]
        .into_iter()
        .filter_map(accepted)
        .take(1)
        .map(hypothesis)
        .collect()
}
