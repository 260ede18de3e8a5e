//! Level `lut`: compares the value of each code, the slot of each weight and the place of the scale.
//!
//! Each implementation is probed separately. A candidate is compared with the table of each oracle that uses its
//! layout, or otherwise with the declaration of its format.

use qk256::format::{Format, QK256, Storage};
use rayon::prelude::*;

use crate::finding::{Finding, Observed};
use crate::interrupt;
use crate::levels::Level;
use crate::outcome::{Omission, Outcome, PairAccumulator};
use crate::participant::{Candidate, Participants, Reference, ReferenceModel, reference_format};
use crate::probe::{Lut, ProbeError, derive};
use crate::task::Task;
use crate::verdict::Attribution;

/// Name of the format's declaration as the reference of an outcome.
const DECLARATION: &str = "declaration";

/// Description of the probed tensor.
const BLOCK: &str = "one block of 256 weights";

pub(super) fn steps(participants: &Participants, task: &Task<'_>) -> u64 {
    task.shard.part(&participants.candidates).count() as u64
}

pub(super) fn run(participants: &Participants, task: &Task<'_>) -> Vec<Outcome> {
    let compared: Vec<&Reference> = participants
        .references
        .iter()
        .filter(|r| r.compared)
        .collect();
    let candidates: Vec<&Candidate> = task.shard.part(&participants.candidates).collect();
    let outcomes = candidates.into_par_iter().map(|candidate| {
        if interrupt::asked() {
            return Vec::new();
        }
        let outcomes = compare_one(candidate, &compared, task);
        task.progress.inc(1);
        outcomes
    });
    outcomes.flatten_iter().collect()
}

fn compare_one(candidate: &Candidate, references: &[&Reference], task: &Task<'_>) -> Vec<Outcome> {
    let implementation = candidate.implementation.as_ref();
    let derived = derive(implementation, implementation, candidate.format);
    let accumulator = |reference: &str| {
        PairAccumulator::of_kernel(Level::Lut, candidate.format, implementation, reference)
    };
    let defined: Vec<&&Reference> = references
        .iter()
        .filter(|reference| writes(reference, candidate.format))
        .collect();
    if defined.is_empty() {
        let declared = Lut::declared(candidate.format).map_err(ProbeError::from);
        return vec![judge(
            accumulator(DECLARATION),
            &derived,
            &declared,
            |()| None,
            task,
        )];
    }
    let judged = defined.into_iter().map(|reference| {
        let expected = reference.lut(candidate.format);
        let reference = reference.implementation.as_ref();
        // Computed only if the implementations differ, because the reference model is slow.
        let truth = |format: &Format| derive(&ReferenceModel, reference, format).ok();
        judge(
            accumulator(reference.id()),
            &derived,
            &expected,
            |()| truth(candidate.format),
            task,
        )
    });
    judged.collect()
}

/// Whether the oracle uses the format in this layout.
fn writes(reference: &Reference, format: &Format) -> bool {
    let block = Storage::native(*format, format.layout.panel_rows(), QK256);
    reference_format(format) == format
        && block.is_ok_and(|storage| reference.implementation.defined_on(&storage).is_ok())
}

fn judge(
    mut accumulator: PairAccumulator,
    actual: &Result<Lut, ProbeError>,
    expected: &Result<Lut, ProbeError>,
    truth: impl FnOnce(()) -> Option<Lut>,
    task: &Task<'_>,
) -> Outcome {
    let (actual, expected) = match (actual, expected) {
        (Ok(actual), Ok(expected)) => (entries(actual), entries(expected)),
        (actual, expected) => {
            let errors = [actual.as_ref().err(), expected.as_ref().err()];
            for error in errors.into_iter().flatten() {
                match error {
                    ProbeError::Implementation(error) => {
                        accumulator.refuse(error, BLOCK, &task.rerun(Level::Lut));
                    }
                    ProbeError::Shape(error) => {
                        accumulator.omit(Omission::unsupported(error.to_string()));
                    }
                }
            }
            return accumulator.finish();
        }
    };
    let differs = actual != expected;
    let truth = if differs {
        truth(()).map(|lut| entries(&lut))
    } else {
        None
    };
    for (i, ((place, expected), (_, actual))) in expected.iter().zip(&actual).enumerate() {
        accumulator.counter.add_same(expected == actual);
        if expected != actual && accumulator.wants_finding() {
            let truth = truth.as_ref().map(|truth| &truth[i].1);
            accumulator.find(Finding {
                // Without a result of the reference model, the declaration is taken to be right.
                attribution: truth.map_or(Attribution::CandidateWrong, |truth| {
                    Attribution::from_truth(actual == truth, expected == truth)
                }),
                ..Finding::new(
                    BLOCK,
                    place.clone(),
                    Observed::from(expected.clone()),
                    Observed::from(actual.clone()),
                    &task.rerun(Level::Lut),
                )
            });
        }
    }
    accumulator.finish()
}

/// A table as named entries: the slot of each weight, the value of each code, and the scale.
fn entries(lut: &Lut) -> Vec<(String, String)> {
    let slots = lut.slots.iter().enumerate();
    let slots = slots.map(|(weight, slot)| (format!("slot of weight {weight}"), slot.to_string()));
    let codes = (0..4).map(|code| {
        let value = lut
            .codebook
            .get(code)
            .map_or("cannot be stored".into(), i8::to_string);
        (format!("value of code {code}"), value)
    });
    slots
        .chain(codes)
        .chain([("scale".into(), lut.scale.to_string())])
        .collect()
}
