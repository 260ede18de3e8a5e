//! Rung 4: which operation of the forward pass diverges first?
//!
//! All engines decode the same tokens, and every node that has a name and values of its own is compared as it is
//! computed: name, shape and bits. A node that one side lacks is a difference. Against a second build of the reference
//! nodes may be as far off as the builds are from each other.

use super::cast::Cast;
use super::ledger::Ledger;
use super::stream::{Arrived, Meeting, Share, stream};
use crate::measure::Meter;
use crate::outcome::{Outcome, Rung};
use crate::side::Sides;
use crate::task::Task;

pub(super) fn steps(task: &Task<'_>) -> u64 {
    let decodes = |decoding: &crate::decoding::Decoding| decoding.decodes().len() as u64;
    task.decoding.as_ref().map_or(0, decodes)
}

pub(super) fn climb(sides: &Sides, task: &Task<'_>) -> Vec<Outcome> {
    let mut cast = match Cast::of(Rung::Node, sides, task) {
        Ok(cast) => cast,
        Err(skipped) => return skipped,
    };
    let mut ledgers: Vec<Ledger> = cast.pairs.iter().map(|_| Ledger::default()).collect();
    let meet = |meeting: Meeting| {
        for (pair, ledger) in cast.pairs.iter_mut().zip(&mut ledgers) {
            // Against another build than the first, a node without a noise floor has no verdict.
            let engines = [0, pair.reference, pair.candidate];
            let engines = &engines[usize::from(pair.reference == 0)..];
            let shares = engines.iter().map(|&engine| &meeting.shares[engine]);
            if shares.clone().any(|share| matches!(share, Share::Gone)) {
                continue;
            }
            let nodes: Vec<Option<&Arrived>> = shares.map(Share::here).collect();
            let [floor @ .., reference, candidate] = nodes.as_slice() else {
                unreachable!("a pair has a reference and a candidate");
            };
            let meter = ledger.note(meeting.decode, *reference, *candidate);
            pair.tally.meter.merge(&meter);
            if let ([Some(first)], Some(reference)) = (floor, reference) {
                let floor = pair.tally.floor.get_or_insert_default();
                floor.merge(&distance(first, reference));
            }
        }
    };
    let ran = stream(&cast.engines, cast.decoding, meet, || task.progress.inc(1));
    let pairs = cast.pairs.into_iter().zip(ledgers);
    pairs
        .map(|(mut pair, ledger)| {
            pair.tally.outcome.nodes = ledger.summaries();
            for finding in ledger.findings(&cast.reproduce) {
                pair.tally.find(finding);
            }
            pair.settle(&ran, &cast.reproduce);
            pair.tally.finish()
        })
        .collect()
}

/// How far two references are apart in a node.
fn distance(first: &Arrived, other: &Arrived) -> Meter {
    let mut meter = Meter::default();
    if first.node.ne == other.node.ne {
        meter.add(&first.node.values, &other.node.values);
    }
    meter
}
