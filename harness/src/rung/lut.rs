//! Rung 1: what does each code mean, where does each weight sit, where is the scale?
//!
//! Each side is probed by itself. A candidate is then held against what each reference was found to do, if that
//! reference writes its layout, and else against what its format declares.

use qk256::format::{Format, QK256, Storage};
use rayon::prelude::*;

use crate::finding::{Finding, Observed};
use crate::interrupt;
use crate::outcome::{Omission, Outcome, Rung, Tally};
use crate::probe::{Lut, ProbeError, derive};
use crate::side::{Arbiter, Candidate, Reference, Sides, reference_format};
use crate::task::Task;
use crate::verdict::Blame;

/// The name under which outcomes show a format's own declaration as the reference.
const DECLARATION: &str = "declaration";

/// What is probed.
const BLOCK: &str = "one block of 256 weights";

pub(super) fn steps(sides: &Sides, task: &Task<'_>) -> u64 {
    task.shard.part(&sides.candidates).count() as u64
}

pub(super) fn climb(sides: &Sides, task: &Task<'_>) -> Vec<Outcome> {
    let compared: Vec<&Reference> = sides.references.iter().filter(|r| r.compared).collect();
    let candidates: Vec<&Candidate> = task.shard.part(&sides.candidates).collect();
    let outcomes = candidates.into_par_iter().map(|candidate| {
        if interrupt::asked() {
            return Vec::new();
        }
        let outcomes = climb_one(candidate, &compared, task);
        task.progress.inc(1);
        outcomes
    });
    outcomes.flatten_iter().collect()
}

fn climb_one(candidate: &Candidate, references: &[&Reference], task: &Task<'_>) -> Vec<Outcome> {
    let side = candidate.side.as_ref();
    let derived = derive(side, side, candidate.format);
    let tally = |reference: &str| Tally::of_kernel(Rung::Lut, candidate.format, side, reference);
    let defined: Vec<&&Reference> = references
        .iter()
        .filter(|reference| writes(reference, candidate.format))
        .collect();
    if defined.is_empty() {
        let declared = Lut::declared(candidate.format).map_err(ProbeError::from);
        return vec![judge(
            tally(DECLARATION),
            &derived,
            &declared,
            |()| None,
            task,
        )];
    }
    let judged = defined.into_iter().map(|reference| {
        let reference = reference.side.as_ref();
        let expected = derive(reference, reference, candidate.format);
        // Asked only when the sides differ: the arbiter takes its time.
        let truth = |format: &Format| derive(&Arbiter, reference, format).ok();
        judge(
            tally(reference.id()),
            &derived,
            &expected,
            |()| truth(candidate.format),
            task,
        )
    });
    judged.collect()
}

/// Whether the reference itself writes the format, in this layout.
fn writes(reference: &Reference, format: &Format) -> bool {
    let block = Storage::native(*format, format.layout.panel_rows(), QK256);
    reference_format(format) == format
        && block.is_ok_and(|storage| reference.side.defined_on(&storage).is_ok())
}

fn judge(
    mut tally: Tally,
    actual: &Result<Lut, ProbeError>,
    expected: &Result<Lut, ProbeError>,
    truth: impl FnOnce(()) -> Option<Lut>,
    task: &Task<'_>,
) -> Outcome {
    let (actual, expected) = match (actual, expected) {
        (Ok(actual), Ok(expected)) => (facts(actual), facts(expected)),
        (actual, expected) => {
            let errors = [actual.as_ref().err(), expected.as_ref().err()];
            for error in errors.into_iter().flatten() {
                match error {
                    ProbeError::Side(error) => {
                        tally.refuse(error, BLOCK, &task.command("--rung lut"));
                    }
                    ProbeError::Shape(error) => {
                        tally.omit(Omission::unsupported(error.to_string()));
                    }
                }
            }
            return tally.finish();
        }
    };
    let differs = actual != expected;
    let truth = if differs {
        truth(()).map(|lut| facts(&lut))
    } else {
        None
    };
    for (i, ((place, expected), (_, actual))) in expected.iter().zip(&actual).enumerate() {
        tally.meter.add_same(expected == actual);
        if expected != actual && tally.wants_finding() {
            let truth = truth.as_ref().map(|truth| &truth[i].1);
            tally.find(Finding {
                subject: BLOCK.into(),
                place: place.clone(),
                expected: Observed::from(expected.clone()),
                actual: Observed::from(actual.clone()),
                truth: None,
                // Without an arbiter the reference is the format's declaration.
                blame: truth.map_or(Blame::CandidateWrong, |truth| {
                    Blame::from_truth(actual == truth, expected == truth)
                }),
                node: None,
                cause: None,
                input: None,
                case: None,
                reproduce: task.command("--rung lut"),
            });
        }
    }
    tally.finish()
}

/// A table as named facts: the slot of each weight, the value of each of four codes, the scale.
fn facts(lut: &Lut) -> Vec<(String, String)> {
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
