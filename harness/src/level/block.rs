//! Level `block`: compares the integer dots of single blocks and short rows.
//!
//! Cases are matrices of short rows with int8 activations, see [`block_cases`]. If no oracle uses a candidate's layout,
//! the candidate gets the same codes in its own layout. If no oracle supports a case, it is compared with the reference
//! model.

use qk256::format::{ShapeError, Storage, Weights, codes, pack};
use rayon::prelude::*;

use super::known::Seen;
use crate::case::Input;
use crate::finding::{Finding, Observed};
use crate::implementation::{Implementation, ImplementationError};
use crate::interrupt;
use crate::levels::Level;
use crate::outcome::{Omission, Outcome, PairAccumulator};
use crate::participant::{Candidate, Participants, ReferenceModel, reference_format};
use crate::probe::{Case, block_cases};
use crate::shard::Shard;
use crate::task::Task;

/// The number of rows in a finding's case is a multiple of this.
const EXCERPT_ROWS: usize = 16;

pub(super) fn steps(participants: &Participants) -> u64 {
    participants.candidates.len() as u64
}

pub(super) fn run(participants: &Participants, task: &Task<'_>) -> Vec<Outcome> {
    let run: Vec<(Vec<Outcome>, Vec<Seen>)> = participants
        .candidates
        .par_iter()
        .map(|candidate| {
            let run = compare_one(candidate, participants, task);
            task.progress.inc(1);
            run
        })
        .collect();
    let (mut outcomes, mut known) = (Vec::new(), Vec::<Seen>::new());
    for (of_candidate, seen) in run {
        outcomes.extend(of_candidate);
        for seen in seen {
            match known.iter_mut().find(|known| known.is_of(&seen)) {
                Some(known) => known.counter.merge(&seen.counter),
                None => known.push(seen),
            }
        }
    }
    for seen in known {
        let reference = participants
            .references
            .iter()
            .find(|r| r.implementation.id() == seen.reference);
        // Every shard has cases that an entry explains. One shard runs the entry's reproduction.
        let tried = task.shard.owns(0);
        outcomes.extend(reference.and_then(|reference| seen.finish(reference, tried)));
    }
    outcomes
}

/// An oracle, the candidate's outcome against it, and the oracle's known divergences.
struct Pair<'a> {
    reference: &'a dyn Implementation,
    accumulator: PairAccumulator,
    known: Vec<Seen>,
}

fn compare_one(
    candidate: &Candidate,
    participants: &Participants,
    task: &Task<'_>,
) -> (Vec<Outcome>, Vec<Seen>) {
    let implementation = candidate.implementation.as_ref();
    let accumulator = |reference: &dyn Implementation| {
        PairAccumulator::of_kernel(
            Level::Block,
            candidate.format,
            implementation,
            reference.id(),
        )
    };
    let compared = participants.compared_on(candidate.format).into_iter();
    let mut oracles: Vec<Pair<'_>> = compared
        .map(|index| {
            let reference = &participants.references[index];
            let mut pair = Pair {
                reference: reference.implementation.as_ref(),
                accumulator: accumulator(reference.implementation.as_ref()),
                known: Seen::nothing(reference, candidate.format),
            };
            if !reference.has(candidate.format) {
                let lacks = format!("has no type {}", candidate.format.type_name);
                pair.accumulator.omit(Omission::unsupported(lacks));
            }
            pair
        })
        .collect();
    let mut reference_model = Pair {
        reference: &ReferenceModel,
        accumulator: accumulator(&ReferenceModel),
        known: Vec::new(),
    };
    match block_cases(candidate.format, task.seed) {
        Ok(cases) => task
            .shard
            .part(&cases)
            .take_while(|_| !interrupt::asked())
            .for_each(|case| run_case(candidate, case, &mut oracles, &mut reference_model, task)),
        Err(error) => oracles.iter_mut().for_each(|pair| {
            pair.accumulator
                .omit(Omission::unsupported(error.to_string()))
        }),
    }
    let (mut outcomes, mut known) = (Vec::new(), Vec::new());
    let answers = oracles.iter().any(|pair| !pair.accumulator.is_empty());
    for pair in oracles {
        // A shard without cases for a pair gives no outcome, because another shard has cases for it.
        if task.shard == Shard::WHOLE || !pair.accumulator.is_untouched() {
            outcomes.push(pair.accumulator.finish());
        }
        known.extend(pair.known);
    }
    // The reference model is only used for cases that no oracle supports. If oracles support every case, it has no
    // outcome. A candidate that supports other cases but not these left them out.
    if !reference_model.accumulator.is_empty()
        || answers && !reference_model.accumulator.is_untouched()
    {
        outcomes.push(reference_model.accumulator.finish());
    }
    (outcomes, known)
}

/// Runs a case on the candidate and on every oracle that supports it, or else on the reference model.
fn run_case(
    candidate: &Candidate,
    case: &Case,
    oracles: &mut [Pair<'_>],
    reference_model: &mut Pair<'_>,
    task: &Task<'_>,
) {
    let same = Packed {
        storage: case.storage,
        bytes: case.bytes.clone(),
    };
    let actual = same.dots(candidate.implementation.as_ref(), &case.activations);
    let theirs = repack(case);
    let mut served = false;
    for pair in oracles {
        if let Ok(theirs) = &theirs
            && pair.reference.defined_on(&theirs.storage).is_ok()
        {
            served = true;
            let expected = theirs.dots(pair.reference, &case.activations);
            compare(case, &actual, expected, pair, task);
        }
    }
    if !served {
        let expected = same.dots(reference_model.reference, &case.activations);
        compare(case, &actual, expected, reference_model, task);
    }
}

/// The packed weights of a case.
struct Packed {
    storage: Storage,
    bytes: Vec<u8>,
}

impl Packed {
    fn dots(
        &self,
        implementation: &dyn Implementation,
        activations: &[i8],
    ) -> Result<Vec<i64>, ImplementationError> {
        implementation.defined_on(&self.storage)?;
        let weights = Weights::new(self.storage, &self.bytes).expect("cases are packed whole");
        let batch = activations.len() / self.storage.cols();
        let mut out = vec![0; batch * self.storage.rows()];
        implementation.dots(&weights, activations, &mut out)?;
        Ok(out)
    }
}

/// The case in the layout of the oracles: the same bytes if the layout is the same, otherwise the same codes.
fn repack(case: &Case) -> Result<Packed, ShapeError> {
    let format = reference_format(case.storage.format());
    if format == case.storage.format() {
        return Ok(Packed {
            storage: case.storage,
            bytes: case.bytes.clone(),
        });
    }
    let weights = Weights::new(case.storage, &case.bytes)?;
    let storage = Storage::new(
        *format,
        case.storage.variant(),
        case.storage.rows(),
        case.storage.cols(),
    )?;
    let bytes = pack(
        &storage,
        &codes(&weights),
        &vec![1.0; storage.scale_count()],
    )?;
    Ok(Packed { storage, bytes })
}

fn compare(
    case: &Case,
    actual: &Result<Vec<i64>, ImplementationError>,
    expected: Result<Vec<i64>, ImplementationError>,
    pair: &mut Pair<'_>,
    task: &Task<'_>,
) {
    let (actual, mut expected) = match (actual, expected) {
        (Ok(actual), Ok(expected)) => (actual, expected),
        (actual, expected) => {
            let reproduce = task.rerun(Level::Block);
            let errors = [actual.as_ref().err(), expected.as_ref().err()];
            for error in errors.into_iter().flatten() {
                pair.accumulator.refuse(error, &case.name, &reproduce);
            }
            return;
        }
    };
    count_known(case, actual, &mut expected, &mut pair.known);
    let accumulator = &mut pair.accumulator;
    accumulator.counter.add_integers(&expected, actual);
    let differs = |&i: &usize| actual[i] != expected[i];
    let Some(i) = (0..actual.len())
        .find(differs)
        .filter(|_| accumulator.wants_finding())
    else {
        return;
    };
    let (batch, row) = (i / case.storage.rows(), i % case.storage.rows());
    let weights = Weights::new(case.storage, &case.bytes).expect("cases are packed whole");
    let truth = ReferenceModel.dot(&weights, row, case.activation_row(batch));
    accumulator.find(Finding {
        truth: Some(truth as f64),
        attribution: ReferenceModel.judge_dot(truth, expected[i], actual[i]),
        case: excerpt(case, row),
        ..Finding::new(
            case.name.clone(),
            format!("row {row}, activation row {batch}"),
            Observed::from(expected[i]),
            Observed::from(actual[i]),
            &task.rerun(Level::Block),
        )
    });
}

/// The case up to the row that differs, including the rows that kernels decode together with it.
fn excerpt(case: &Case, row: usize) -> Option<crate::case::Case> {
    let end = (row + 1).next_multiple_of(EXCERPT_ROWS);
    let weights = Weights::new(case.storage, &case.bytes).ok()?;
    let input = Input::Codes(case.activations.clone());
    crate::case::Case::of_rows(&weights, 0..end.min(case.storage.rows()), input)
}

/// Replaces the oracle's results by the right ones if a known divergence predicts their exact values, and counts these
/// differences for the entry.
fn count_known(case: &Case, actual: &[i64], expected: &mut [i64], known: &mut [Seen]) {
    if known.is_empty() {
        return;
    }
    let weights = Weights::new(case.storage, &case.bytes).expect("cases are packed whole");
    let (rows, cols) = (case.storage.rows(), case.storage.cols());
    for (i, expected) in expected.iter_mut().enumerate() {
        // If lanes wrap, a candidate that agrees has the same defect.
        if !case.beyond_i16 && actual[i] == *expected {
            continue;
        }
        let (batch, row) = (i / rows, i % rows);
        let activations = case.activation_row(batch);
        let truth = ReferenceModel.dot(&weights, row, activations);
        if *expected == truth {
            continue;
        }
        let codes: Vec<u8> = (0..cols).map(|col| weights.code(row, col)).collect();
        let seen = known
            .iter_mut()
            .find(|seen| seen.known.dot(&codes, activations) == *expected);
        if let Some(seen) = seen {
            seen.counter.add_integers(&[*expected], &[truth]);
            *expected = truth;
        }
    }
}
