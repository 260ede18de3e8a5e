//! Rung 4: which operation of the forward pass diverges first?
//!
//! All engines decode the same tokens, and every node that has a name and values of its own is compared as it is
//! computed: name, shape and bits. A node that one side lacks is a difference. Against a second build of the reference
//! nodes may be as far off as the builds are from each other. The arbiter judges products of ternary tensors.

use std::collections::VecDeque;

use super::cast::Cast;
use super::ledger::Ledger;
use super::stream::{Arrived, Meeting, Share, stream};
use crate::inference::TracedNode;
use crate::measure::Meter;
use crate::outcome::{Outcome, Rung};
use crate::side::{Arbiter, Judged, Sides};
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
    let mut recent = Recent::default();
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
            let floor = match (floor, reference) {
                ([Some(first)], Some(reference)) => Some(distance(first, reference)),
                _ => None,
            };
            let judge = |at| judge(&recent, task, (*reference)?, (*candidate)?, at);
            let meter = ledger.note(
                meeting.decode,
                *reference,
                *candidate,
                floor.as_ref(),
                judge,
            );
            pair.tally.meter.merge(&meter);
            if let Some(floor) = floor {
                pair.tally.floor.get_or_insert_default().merge(&floor);
            }
        }
        recent.keep(meeting);
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

/// The latest nodes of the first engine that has them, whose values are inputs of nodes to come.
#[derive(Default)]
struct Recent {
    decode: usize,
    nodes: VecDeque<TracedNode>,
}

impl Recent {
    /// More than lie between a node and the last product with it.
    const KEPT: usize = 32;

    fn keep(&mut self, meeting: Meeting) {
        if meeting.decode != self.decode {
            self.nodes.clear();
            self.decode = meeting.decode;
        }
        let here = meeting.shares.into_iter().find_map(|share| match share {
            Share::Here(arrived) => Some(arrived.node),
            Share::Lacking | Share::Gone => None,
        });
        self.nodes.extend(here);
        if self.nodes.len() > Self::KEPT {
            self.nodes.pop_front();
        }
    }

    fn find(&self, name: &str, occurrence: usize) -> Option<&TracedNode> {
        let mut nodes = self.nodes.iter();
        nodes.find(|node| node.name == name && node.occurrence == occurrence)
    }
}

/// Who is wrong in element `at` of a node, if it is a product of a ternary tensor with finite activations.
fn judge(
    recent: &Recent,
    task: &Task<'_>,
    reference: &Arrived,
    candidate: &Arrived,
    at: usize,
) -> Option<Judged> {
    let node = &reference.node;
    if node.op.as_deref() != Some("MUL_MAT") {
        return None;
    }
    let input = |(name, occurrence): &(String, Option<usize>)| recent.find(name, (*occurrence)?);
    let activations = reference.inputs.iter().find_map(input)?;
    let is_multiplied = |name: &str| reference.inputs.iter().any(|(input, _)| input == name);
    let mut tensors = task.tensors.iter();
    let weights = &tensors.find(|tensor| is_multiplied(tensor.name))?.weights;
    let (row, batch) = (at % weights.rows(), at / weights.rows());
    if node.ne[0] != weights.rows() || activations.ne[0] != weights.cols() {
        return None;
    }
    let activations = activations.values.chunks_exact(weights.cols()).nth(batch)?;
    let finite = activations.iter().all(|value| value.is_finite());
    finite.then(|| {
        let (expected, actual) = (node.values[at], candidate.node.values[at]);
        Arbiter.judge_product(weights, row, activations, expected, actual)
    })
}
