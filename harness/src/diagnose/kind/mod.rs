//! The kinds of causes that results can show. A new kind is a file and a line in [`ALL`].

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

use super::subject::Subject;
use super::suspect::Suspect;
use super::work::Work;

/// A kind of cause, by where its marks are found.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// In what a side answers to probes made for this kind.
    Probed(fn(&Subject<'_>) -> Vec<Suspect>),
    /// In the dots that a side answers to probes, or in products of the same, one activation row at a time or many.
    ProbedInEachPath(fn(&Subject<'_>) -> Vec<Suspect>),
    /// In the results of any case: those of the exam, or of a finding.
    Seen(fn(&Subject<'_>, &[Work]) -> Vec<Suspect>),
}

use Kind::{Probed, ProbedInEachPath, Seen};

/// Every kind: what predicts each number before what predicts that there is some, and of those the most specific first.
pub(super) const ALL: &[Kind] = &[
    ProbedInEachPath(code_three::suspects),
    // Before the codebook, for which products of a side with one of these faults can be taken.
    Probed(activation_sum::suspects),
    Probed(scale::suspects),
    ProbedInEachPath(codebook::suspects),
    ProbedInEachPath(layout::suspects),
    ProbedInEachPath(columns::suspects),
    Probed(activation_code::suspects),
    Seen(rows::suspects),
    Seen(batch_order::suspects),
    Seen(batch_stride::suspects),
    Seen(wrap::suspects),
    ProbedInEachPath(overread::suspects),
    Probed(zero_activations::suspects),
    Probed(not_finite::suspects),
    Probed(threads::suspects),
];

#[cfg(test)]
mod tests {
    use super::super::exam;
    use super::*;
    use crate::mistaken::MISTAKES;

    /// A kind without a planted mistake that has it would be believed untried.
    #[test]
    fn every_kind_suspects_a_planted_mistake_of_what_it_is() {
        for (index, kind) in ALL.iter().enumerate() {
            let suspected = MISTAKES.iter().any(|mistake| {
                let candidate = mistake.candidates().next().expect("a mistake has a format");
                let subject = Subject {
                    side: candidate.side.as_ref(),
                    format: candidate.format,
                };
                let suspects = match kind {
                    Probed(suspects) | ProbedInEachPath(suspects) => suspects(&subject),
                    Seen(suspects) => suspects(&subject, &exam::sit(&subject)),
                };
                let declared = mistake.fault_in(candidate.format.id);
                suspects.iter().any(|suspect| suspect.fault == declared)
            });
            assert!(suspected, "kind {index} names no planted mistake");
        }
    }
}
