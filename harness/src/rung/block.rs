//! Rung 2: does a block give the same integer?
//!
//! Cases are matrices of short rows with int8 activations; see [`block_cases`]. A candidate whose layout no reference
//! writes gets the same codes, packed in its own layout. Where no reference is defined the arbiter is the reference.

use qk256::format::{ShapeError, Storage, Weights, codes, pack};
use rayon::prelude::*;

use super::known::Seen;
use crate::case::Input;
use crate::finding::{Finding, Observed};
use crate::implementation::{Implementation, SideError};
use crate::interrupt;
use crate::outcome::{Omission, Outcome, Rung, Tally};
use crate::probe::{Case, block_cases};
use crate::shard::Shard;
use crate::side::{Arbiter, Candidate, Sides, reference_format};
use crate::task::Task;

/// A finding's case has a multiple of so many rows.
const EXCERPT_ROWS: usize = 16;

pub(super) fn steps(sides: &Sides) -> u64 {
    sides.candidates.len() as u64
}

pub(super) fn climb(sides: &Sides, task: &Task<'_>) -> Vec<Outcome> {
    let climbed: Vec<(Vec<Outcome>, Vec<Seen>)> = sides
        .candidates
        .par_iter()
        .map(|candidate| {
            let climbed = climb_one(candidate, sides, task);
            task.progress.inc(1);
            climbed
        })
        .collect();
    let (mut outcomes, mut known) = (Vec::new(), Vec::<Seen>::new());
    for (of_candidate, seen) in climbed {
        outcomes.extend(of_candidate);
        for seen in seen {
            match known.iter_mut().find(|known| known.is_of(&seen)) {
                Some(known) => known.meter.merge(&seen.meter),
                None => known.push(seen),
            }
        }
    }
    for seen in known {
        let reference = sides
            .references
            .iter()
            .find(|r| r.side.id() == seen.reference);
        // Every shard meets cases that an entry explains; one of them tries the entry itself.
        let tried = task.shard.owns(0);
        outcomes.extend(reference.and_then(|reference| seen.finish(reference, tried)));
    }
    outcomes
}

/// A reference, what the candidate comes to with it, and the reference's own known divergences.
struct Pair<'a> {
    reference: &'a dyn Implementation,
    tally: Tally,
    known: Vec<Seen>,
}

fn climb_one(candidate: &Candidate, sides: &Sides, task: &Task<'_>) -> (Vec<Outcome>, Vec<Seen>) {
    let side = candidate.side.as_ref();
    let tally = |reference: &dyn Implementation| {
        Tally::of_kernel(Rung::Block, candidate.format, side, reference.id())
    };
    let compared = sides.references.iter().filter(|r| r.compared);
    let mut oracles: Vec<Pair<'_>> = compared
        .map(|r| Pair {
            reference: r.side.as_ref(),
            tally: tally(r.side.as_ref()),
            known: Seen::nothing(r, candidate.format),
        })
        .collect();
    let mut arbiter = Pair {
        reference: &Arbiter,
        tally: tally(&Arbiter),
        known: Vec::new(),
    };
    match block_cases(candidate.format, task.seed) {
        Ok(cases) => task
            .shard
            .part(&cases)
            .take_while(|_| !interrupt::asked())
            .for_each(|case| run(candidate, case, &mut oracles, &mut arbiter, task)),
        Err(error) => oracles
            .iter_mut()
            .for_each(|pair| pair.tally.omit(Omission::unsupported(error.to_string()))),
    }
    let (mut outcomes, mut known) = (Vec::new(), Vec::new());
    let answers = oracles.iter().any(|pair| !pair.tally.is_empty());
    for pair in oracles {
        // A shard that has no case of a pair has nothing to say of it, as long as another one has.
        if task.shard == Shard::WHOLE || !pair.tally.is_untouched() {
            outcomes.push(pair.tally.finish());
        }
        known.extend(pair.known);
    }
    // The arbiter is the reference of last resort: where oracles served every case, it has nothing to say. A candidate
    // that answers elsewhere and not there has left these cases out.
    if !arbiter.tally.is_empty() || answers && !arbiter.tally.is_untouched() {
        outcomes.push(arbiter.tally.finish());
    }
    (outcomes, known)
}

/// Runs a case on the candidate and on every reference that is defined on it, or else on the arbiter.
fn run(
    candidate: &Candidate,
    case: &Case,
    oracles: &mut [Pair<'_>],
    arbiter: &mut Pair<'_>,
    task: &Task<'_>,
) {
    let same = Packed {
        storage: case.storage,
        bytes: case.bytes.clone(),
    };
    let actual = same.dots(candidate.side.as_ref(), &case.activations);
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
        let expected = same.dots(arbiter.reference, &case.activations);
        compare(case, &actual, expected, arbiter, task);
    }
}

/// Packed weights of a case.
struct Packed {
    storage: Storage,
    bytes: Vec<u8>,
}

impl Packed {
    fn dots(&self, side: &dyn Implementation, activations: &[i8]) -> Result<Vec<i64>, SideError> {
        side.defined_on(&self.storage)?;
        let weights = Weights::new(self.storage, &self.bytes).expect("cases are packed whole");
        let batch = activations.len() / self.storage.cols();
        let mut out = vec![0; batch * self.storage.rows()];
        side.dots(&weights, activations, &mut out)?;
        Ok(out)
    }
}

/// The case in the layout of the references: the very bytes if it is the same, else the same codes.
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
        case.storage.flavour(),
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
    actual: &Result<Vec<i64>, SideError>,
    expected: Result<Vec<i64>, SideError>,
    pair: &mut Pair<'_>,
    task: &Task<'_>,
) {
    let (actual, mut expected) = match (actual, expected) {
        (Ok(actual), Ok(expected)) => (actual, expected),
        (actual, expected) => {
            let reproduce = reproduce(task);
            let errors = [actual.as_ref().err(), expected.as_ref().err()];
            for error in errors.into_iter().flatten() {
                pair.tally.refuse(error, &case.name, &reproduce);
            }
            return;
        }
    };
    set_known_apart(case, actual, &mut expected, &mut pair.known);
    let tally = &mut pair.tally;
    tally.meter.add_integers(&expected, actual);
    let differs = |&i: &usize| actual[i] != expected[i];
    let Some(i) = (0..actual.len())
        .find(differs)
        .filter(|_| tally.wants_finding())
    else {
        return;
    };
    let (batch, row) = (i / case.storage.rows(), i % case.storage.rows());
    let weights = Weights::new(case.storage, &case.bytes).expect("cases are packed whole");
    let truth = Arbiter.dot(&weights, row, case.activation_row(batch));
    tally.find(Finding {
        subject: case.name.clone(),
        place: format!("row {row}, activation row {batch}"),
        expected: Observed::from(expected[i]),
        actual: Observed::from(actual[i]),
        truth: Some(truth as f64),
        blame: Arbiter.judge_dot(truth, expected[i], actual[i]),
        node: None,
        cause: None,
        input: None,
        case: excerpt(case, row),
        reproduce: reproduce(task),
    });
}

/// One command that runs all cases again.
fn reproduce(task: &Task<'_>) -> String {
    task.command(&format!("--rung block --seed {}", task.seed))
}

/// The case up to the row that differs, with the rows that kernels decode together with it.
fn excerpt(case: &Case, row: usize) -> Option<crate::case::Case> {
    let end = (row + 1).next_multiple_of(EXCERPT_ROWS);
    let weights = Weights::new(case.storage, &case.bytes).ok()?;
    let input = Input::Codes(case.activations.clone());
    crate::case::Case::of_rows(&weights, 0..end.min(case.storage.rows()), input)
}

/// Where the reference is wrong by the very number that a known divergence predicts, the truth takes its place, and the
/// difference is counted for the entry.
fn set_known_apart(case: &Case, actual: &[i64], expected: &mut [i64], known: &mut [Seen]) {
    if known.is_empty() {
        return;
    }
    let weights = Weights::new(case.storage, &case.bytes).expect("cases are packed whole");
    let (rows, cols) = (case.storage.rows(), case.storage.cols());
    for (i, expected) in expected.iter_mut().enumerate() {
        // Where lanes wrap, a candidate that agrees has the defect too.
        if !case.beyond_i16 && actual[i] == *expected {
            continue;
        }
        let (batch, row) = (i / rows, i % rows);
        let activations = case.activation_row(batch);
        let truth = Arbiter.dot(&weights, row, activations);
        if *expected == truth {
            continue;
        }
        let codes: Vec<u8> = (0..cols).map(|col| weights.code(row, col)).collect();
        let seen = known
            .iter_mut()
            .find(|seen| seen.known.dot(&codes, activations) == *expected);
        if let Some(seen) = seen {
            seen.meter.add_integers(&[*expected], &[truth]);
            *expected = truth;
        }
    }
}
