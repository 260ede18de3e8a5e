//! The kinds of causes. A new kind is a file and a line in [`ALL`].

mod activation_code;
mod activation_sum;
mod batch_order;
mod batch_stride;
mod code_three;
mod codebook;
mod columns;
mod layout;
mod not_finite;
mod overread;
mod rows;
mod scale;
mod threads;
mod wrap;
mod zero_activations;

use super::hypothesis::Hypothesis;
use super::subject::Subject;
use super::work::Work;

/// A kind of cause, by the source of its evidence.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Evidence is in the results of probes made for this kind.
    Probed(fn(&Subject<'_>) -> Vec<Hypothesis>),
    /// Evidence is in the dots of probes, or in dots derived from products, with one activation row at a time or many.
    ProbedInEachPath(fn(&Subject<'_>) -> Vec<Hypothesis>),
    /// Evidence is in the results of any case: the common probes or the case of a finding.
    Seen(fn(&Subject<'_>, &[Work]) -> Vec<Hypothesis>),
}

use Kind::{Probed, ProbedInEachPath, Seen};

/// All kinds. Kinds that predict each number come before kinds that predict only an error, and more specific kinds come
/// first.
pub(super) const ALL: &[Kind] = &[
    ProbedInEachPath(code_three::hypotheses),
    // Before the codebook, because products with one of these faults resemble those with a wrong codebook.
    Probed(activation_sum::hypotheses),
    Probed(scale::hypotheses),
    ProbedInEachPath(codebook::hypotheses),
    ProbedInEachPath(layout::hypotheses),
    ProbedInEachPath(columns::hypotheses),
    Probed(activation_code::hypotheses),
    Seen(rows::hypotheses),
    Seen(batch_order::hypotheses),
    Seen(batch_stride::hypotheses),
    Seen(wrap::hypotheses),
    ProbedInEachPath(overread::hypotheses),
    Probed(zero_activations::hypotheses),
    Probed(not_finite::hypotheses),
    Probed(threads::hypotheses),
];

#[cfg(test)]
mod tests {
    use super::super::probes;
    use super::*;
    use crate::mutant::MUTANTS;

    /// Every kind must have a mutant that tests it.
    #[test]
    fn every_kind_has_a_hypothesis_for_its_mutant() {
        for (index, kind) in ALL.iter().enumerate() {
            let assumed = MUTANTS.iter().any(|mutant| {
                let candidate = mutant.candidates().next().expect("a mutant has a format");
                let subject = Subject {
                    implementation: candidate.implementation.as_ref(),
                    format: candidate.format,
                };
                let hypotheses = match kind {
                    Probed(hypotheses) | ProbedInEachPath(hypotheses) => hypotheses(&subject),
                    Seen(hypotheses) => hypotheses(&subject, &probes::run(&subject)),
                };
                let declared = mutant.fault_in(candidate.format.id);
                hypotheses
                    .iter()
                    .any(|hypothesis| hypothesis.fault == declared)
            });
            assert!(assumed, "kind {index} names no mutant");
        }
    }
}
