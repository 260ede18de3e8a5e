//! A wrong value of code 3, which no quantizer writes.

use super::super::hypothesis::Hypothesis;
use super::super::subject::Subject;
use super::codebook::Read;
use crate::cause::Fault;

pub(super) fn hypotheses(subject: &Subject<'_>) -> Vec<Hypothesis> {
    let hypothesis = |read: Read| {
        let fault = Fault::CodeThree {
            value: read.values[3],
            declared: read.declared[3],
        };
        Hypothesis::by_steps(fault, read.steps(subject))
    };
    Read::of(subject)
        .filter(Read::only_three_differs)
        .map(hypothesis)
        .into_iter()
        .collect()
}
