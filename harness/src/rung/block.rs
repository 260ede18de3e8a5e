//! Rung 2: does a block give the same integer?
//!
//! Cases are matrices of short rows with int8 activations; see [`block_cases`]. A candidate whose layout no reference
//! writes gets the same codes, packed in its own layout. Where no reference is defined the arbiter is the reference.

use qk256::format::{ShapeError, Storage, Weights, codes, pack};
use rayon::prelude::*;

use crate::finding::{Finding, Observed};
use crate::implementation::{Implementation, SideError};
use crate::outcome::{Outcome, Rung, Tally};
use crate::probe::{Case, block_cases};
use crate::side::{Arbiter, Candidate, Sides, reference_format};
use crate::task::Task;

pub(super) fn steps(sides: &Sides) -> u64 {
    sides.candidates.len() as u64
}

pub(super) fn climb(sides: &Sides, task: &Task<'_>) -> Vec<Outcome> {
    let outcomes = sides.candidates.par_iter().map(|candidate| {
        let outcomes = climb_one(candidate, sides, task);
        task.progress.inc(1);
        outcomes
    });
    outcomes.flatten_iter().collect()
}

fn climb_one(candidate: &Candidate, sides: &Sides, task: &Task<'_>) -> Vec<Outcome> {
    let arbiter: &dyn Implementation = &Arbiter;
    let oracles = sides
        .references
        .iter()
        .filter(|r| r.compared)
        .map(|r| r.side.as_ref());
    let mut pairs: Vec<(&dyn Implementation, Tally)> = oracles
        .chain([arbiter])
        .map(|reference| {
            let side = candidate.side.as_ref();
            (
                reference,
                Tally::new(Rung::Block, candidate.format, side, reference.id()),
            )
        })
        .collect();
    match block_cases(candidate.format, task.seed) {
        Ok(cases) => cases
            .iter()
            .for_each(|case| run(candidate, case, &mut pairs, task)),
        Err(error) => pairs
            .iter_mut()
            .for_each(|(_, tally)| tally.skip(error.to_string())),
    }
    // The arbiter is the reference of last resort: where oracles served every case, it has nothing to say.
    let spoke = |(_, tally): &(_, Tally)| tally.reference() != arbiter.id() || !tally.is_empty();
    pairs
        .into_iter()
        .filter(spoke)
        .map(|(_, tally)| tally.finish())
        .collect()
}

/// Runs a case on the candidate and on every reference that is defined on it, or else on the arbiter.
fn run(
    candidate: &Candidate,
    case: &Case,
    pairs: &mut [(&dyn Implementation, Tally)],
    task: &Task<'_>,
) {
    let same = Packed {
        storage: case.storage,
        bytes: case.bytes.clone(),
    };
    let actual = same.dots(candidate.side.as_ref(), &case.activations);
    let theirs = repack(case);
    let (arbiter, oracles) = pairs.split_last_mut().expect("the arbiter is always there");
    let mut served = false;
    for (reference, tally) in oracles {
        if let Ok(theirs) = &theirs
            && !case.beyond_i16
            && reference.defined_on(&theirs.storage).is_ok()
        {
            served = true;
            compare(
                case,
                &actual,
                &theirs.dots(*reference, &case.activations),
                tally,
                task,
            );
        }
    }
    if !served {
        let (reference, tally) = arbiter;
        compare(
            case,
            &actual,
            &same.dots(*reference, &case.activations),
            tally,
            task,
        );
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
    expected: &Result<Vec<i64>, SideError>,
    tally: &mut Tally,
    task: &Task<'_>,
) {
    let (actual, expected) = match (actual, expected) {
        (Ok(actual), Ok(expected)) => (actual, expected),
        (Err(error), _) | (_, Err(error)) => return tally.refuse(error),
    };
    tally.meter.add_integers(expected, actual);
    let differs = |&i: &usize| actual[i] != expected[i];
    let Some(i) = (0..actual.len())
        .find(differs)
        .filter(|_| tally.wants_finding())
    else {
        return;
    };
    let (rows, cols) = (case.storage.rows(), case.storage.cols());
    let (batch, row) = (i / rows, i % rows);
    let weights = Weights::new(case.storage, &case.bytes).expect("cases are packed whole");
    let truth = Arbiter.dot(&weights, row, &case.activations[batch * cols..][..cols]);
    tally.find(Finding {
        subject: case.name.clone(),
        place: format!("row {row}, activation row {batch}"),
        expected: Observed::from(expected[i]),
        actual: Observed::from(actual[i]),
        truth: Some(truth as f64),
        blame: Arbiter.judge_dot(truth, expected[i], actual[i]),
        reproduce: format!(
            "harness check {} --rung block --seed {}",
            task.model, task.seed
        ),
    });
}
