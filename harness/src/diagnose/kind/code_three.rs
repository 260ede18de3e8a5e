//! Code 3, which no quantizer writes, and which arithmetic takes for what it takes it for.

use super::super::subject::Subject;
use super::super::suspect::Suspect;
use super::codebook::Read;
use crate::cause::Fault;

pub(super) fn suspects(subject: &Subject<'_>) -> Vec<Suspect> {
    let suspect = |read: Read| {
        let fault = Fault::CodeThree {
            value: read.values[3],
            declared: read.declared[3],
        };
        Suspect::by_steps(fault, read.steps(subject))
    };
    Read::of(subject)
        .filter(Read::only_three_differs)
        .map(suspect)
        .into_iter()
        .collect()
}
