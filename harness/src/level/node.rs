//! Level `node`: compares the nodes of the forward pass to find the first operation that diverges.
//!
//! All engines decode the same tokens. Every node with a name and values of its own is compared as it is computed:
//! name, shape and bits. A node that one engine lacks is a difference. Against a second build of the oracle, nodes may
//! differ by the noise floor. The reference model judges products of ternary tensors.

use std::collections::{BTreeSet, VecDeque};

use super::engine_pairs::EnginePairs;
use super::node_counter::NodeCounter;
use super::stream::{Arrived, Join, Slot, stream};
use crate::inference::TracedNode;
use crate::levels::Level;
use crate::measure::Counter;
use crate::outcome::Outcome;
use crate::participant::{Judged, Participants, ReferenceModel};
use crate::task::Task;

pub(super) fn steps(task: &Task<'_>) -> u64 {
    let decodes = |decoding: &crate::decoding::Decoding| decoding.decodes().len() as u64;
    task.decoding.as_ref().map_or(0, decodes)
}

pub(super) fn run(participants: &Participants, task: &Task<'_>) -> Vec<Outcome> {
    let mut engine_pairs = match EnginePairs::of(Level::Node, participants, task) {
        Ok(engine_pairs) => engine_pairs,
        Err(skipped) => return skipped,
    };
    let mut node_counters: Vec<NodeCounter> = engine_pairs
        .pairs
        .iter()
        .map(|pair| NodeCounter::new(pair.same_graph))
        .collect();
    let mut recent = Recent::of(task);
    let on_join = |join: Join| {
        for (pair, node_counter) in engine_pairs.pairs.iter_mut().zip(&mut node_counters) {
            let engines = pair.judged_by().chain([pair.candidate]);
            let mut slots = engines.map(|engine| &join.slots[engine]);
            if slots.any(|slot| matches!(slot, Slot::Stopped)) {
                continue;
            }
            let node = |engine: usize| join.slots[engine].present();
            let (reference, candidate) = (&node(pair.reference), &node(pair.candidate));
            let builds = pair.floor.map(|(a, b)| (node(a), node(b)));
            let floor = match builds {
                Some((Some(first), Some(second))) => Some(distance(first, second)),
                _ => None,
            };
            let judge = |at| judge(&recent, task, (*reference)?, (*candidate)?, at);
            let counter =
                node_counter.note(join.decode, *reference, *candidate, floor.as_ref(), judge);
            pair.accumulator.counter.merge(&counter);
            if let Some(floor) = floor {
                pair.accumulator.floor.get_or_insert_default().merge(&floor);
            }
        }
        recent.keep(join);
    };
    let ran = stream(
        &engine_pairs.engines,
        engine_pairs.decoding,
        on_join,
        || task.progress.inc(1),
    );
    let pairs = engine_pairs.pairs.into_iter().zip(node_counters);
    pairs
        .map(|(mut pair, node_counter)| {
            pair.accumulator.outcome.nodes = node_counter.summaries();
            for finding in node_counter.findings(&engine_pairs.reproduce) {
                pair.accumulator.find(finding);
            }
            pair.record_failures(&ran, &engine_pairs.reproduce);
            pair.accumulator.finish()
        })
        .collect()
}

/// The difference of a node between two oracles.
fn distance(first: &Arrived, other: &Arrived) -> Counter {
    let mut counter = Counter::default();
    if first.node.ne == other.node.ne {
        counter.add(&first.node.values, &other.node.values);
    }
    counter
}

/// The latest nodes that a ternary tensor of the task can multiply, each from the first engine that has it.
struct Recent {
    /// Columns of the ternary tensors. Other nodes, such as those of attention, can be large and are not kept.
    cols: BTreeSet<usize>,
    decode: usize,
    nodes: VecDeque<TracedNode>,
}

impl Recent {
    /// Number of nodes kept, greater than the distance between a node and the last product with it.
    const KEPT: usize = 32;

    fn of(task: &Task<'_>) -> Recent {
        let tensors = task.tensors.iter();
        Recent {
            cols: tensors.map(|tensor| tensor.weights.cols()).collect(),
            decode: 0,
            nodes: VecDeque::new(),
        }
    }

    fn keep(&mut self, join: Join) {
        if join.decode != self.decode {
            self.nodes.clear();
            self.decode = join.decode;
        }
        let present = join.slots.into_iter().find_map(|slot| match slot {
            Slot::Present(arrived) => Some(arrived.node),
            Slot::Lacking | Slot::Stopped => None,
        });
        self.nodes
            .extend(present.filter(|node| self.cols.contains(&node.ne[0])));
        if self.nodes.len() > Self::KEPT {
            self.nodes.pop_front();
        }
    }

    fn find(&self, name: &str, occurrence: usize) -> Option<&TracedNode> {
        let mut nodes = self.nodes.iter();
        nodes.find(|node| node.name == name && node.occurrence == occurrence)
    }
}

/// Judges element `at` of a node with the reference model, if the node is a product of a ternary tensor with finite
/// activations.
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
        ReferenceModel.judge_product(weights, row, activations, expected, actual)
    })
}
