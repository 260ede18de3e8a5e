//! Counts the nodes that agree, and locates the first difference and the wrong operation.

use std::collections::{BTreeMap, HashMap};

use super::stream::{Arrived, NodeKey};
use crate::finding::{Agreement, Finding, NodeFinding, NodeInput, Observed};
use crate::measure::{Counter, Measures};
use crate::outcome::{LayerSummary, MAX_FINDINGS, NodeSummary, is_within_noise};
use crate::participant::{Judged, is_fused, kind_and_layer};
use crate::rerun::Rerun;
use crate::verdict::Attribution;

/// The results of a pair of implementations for all nodes. Values are not kept.
#[derive(Default)]
pub(super) struct NodeCounter {
    agreed: HashMap<(usize, NodeKey), bool>,
    divergences: Vec<Divergence>,
    kinds: Vec<Kind>,
    /// Whether both must have the same nodes. Otherwise a node that one lacks is counted, but is no difference.
    same_graph: bool,
}

/// A node in both graphs.
#[derive(Clone, Copy)]
enum Presence {
    Identical,
    Different,
    /// One lacks it, which is a difference.
    Lacking,
    /// One lacks it, which is none.
    Unmatched,
}

struct Kind {
    summary: NodeSummary,
    /// Counters by layer. Nodes outside a layer are a kind of their own with a single counter.
    counters: BTreeMap<Option<usize>, Counter>,
}

struct Divergence {
    /// Index of the decode and order within it.
    at: (usize, usize),
    name: String,
    occurrence: usize,
    op: Option<String>,
    inputs: Vec<(String, Option<usize>)>,
    measures: Measures,
    lacking: bool,
    /// Whether the difference lies within the noise floor of the node.
    within_noise: bool,
    judged: Option<Judged>,
    difference: Difference,
}

/// The first difference of two nodes.
struct Difference {
    /// Index of the element, if the shapes are equal.
    at: Option<usize>,
    place: String,
    expected: Observed,
    actual: Observed,
}

impl NodeCounter {
    /// A counter without nodes. If `same_graph`, a node that one lacks is a difference.
    pub(super) fn new(same_graph: bool) -> NodeCounter {
        NodeCounter {
            same_graph,
            ..NodeCounter::default()
        }
    }

    /// Compares a node of both implementations, one of which may lack it, and returns the counter. `floor` is the
    /// difference between two builds of the oracle in this node. `judge` attributes the difference of an element if the
    /// reference model defines it.
    pub(super) fn note(
        &mut self,
        decode: usize,
        reference: Option<&Arrived>,
        candidate: Option<&Arrived>,
        floor: Option<&Counter>,
        judge: impl FnOnce(usize) -> Option<Judged>,
    ) -> Counter {
        let mut counter = Counter::default();
        // The description of the node is the oracle's, if it has the node.
        let Some(printed) = reference.or(candidate) else {
            return counter;
        };
        let is_fused = is_fused(kind_and_layer(&printed.node.name).0);
        let difference = match (reference, candidate) {
            (Some(reference), Some(candidate)) => difference(&mut counter, reference, candidate),
            _ if is_fused || !self.same_graph => {
                self.count(printed, Presence::Unmatched, &counter);
                return counter;
            }
            _ => {
                counter.add_same(false);
                let words = |there: bool| if there { "a node" } else { "no such node" };
                Some(Difference {
                    at: None,
                    place: "the whole node".into(),
                    expected: Observed::from(words(reference.is_some()).to_owned()),
                    actual: Observed::from(words(candidate.is_some()).to_owned()),
                })
            }
        };
        let lacking = reference.is_none() || candidate.is_none();
        let key = (printed.node.name.clone(), printed.node.occurrence);
        self.agreed.insert((decode, key), difference.is_none());
        let presence = match (&difference, lacking) {
            (_, true) => Presence::Lacking,
            (None, _) => Presence::Identical,
            (Some(_), _) => Presence::Different,
        };
        self.count(printed, presence, &counter);
        if let Some(difference) = difference {
            self.divergences.push(Divergence {
                at: (decode, printed.order),
                name: printed.node.name.clone(),
                occurrence: printed.node.occurrence,
                op: printed.node.op.clone(),
                inputs: printed.inputs.clone(),
                measures: counter.measures(),
                lacking,
                within_noise: floor
                    .is_some_and(|floor| is_within_noise(&counter.measures(), &floor.measures())),
                judged: difference.at.and_then(judge),
                difference,
            });
        }
        counter
    }

    fn count(&mut self, printed: &Arrived, presence: Presence, counter: &Counter) {
        let (name, layer) = kind_and_layer(&printed.node.name);
        let is_of_it = |kind: &Kind| {
            kind.summary.kind == name && kind.counters.contains_key(&None) == layer.is_none()
        };
        let at = self.kinds.iter().position(is_of_it);
        let at = at.unwrap_or_else(|| {
            self.kinds.push(Kind {
                summary: NodeSummary {
                    kind: name.to_owned(),
                    op: printed.node.op.clone(),
                    nodes: 0,
                    identical: 0,
                    lacking: 0,
                    unmatched: 0,
                    measures: Measures::default(),
                    layers: Vec::new(),
                },
                counters: BTreeMap::new(),
            });
            self.kinds.len() - 1
        });
        let kind = &mut self.kinds[at];
        kind.summary.nodes += 1;
        match presence {
            Presence::Identical => kind.summary.identical += 1,
            Presence::Different => {}
            Presence::Lacking => kind.summary.lacking += 1,
            Presence::Unmatched => kind.summary.unmatched += 1,
        }
        kind.counters.entry(layer).or_default().merge(counter);
    }

    /// Summaries of the kinds of nodes in the order of computation.
    pub(super) fn summaries(&self) -> Vec<NodeSummary> {
        let summary = |kind: &Kind| {
            let mut all = Counter::default();
            kind.counters
                .values()
                .for_each(|counter| all.merge(counter));
            let of_layer = |(layer, counter): (&Option<usize>, &Counter)| {
                Some(LayerSummary::new((*layer)?, &counter.measures()))
            };
            NodeSummary {
                measures: all.measures(),
                layers: kind.counters.iter().filter_map(of_layer).collect(),
                ..kind.summary.clone()
            }
        };
        self.kinds.iter().map(summary).collect()
    }

    /// The first difference, and those of the others that are no consequences of it: nodes that one implementation
    /// lacks, and nodes whose inputs agree. Differences within the noise floor are used only if there are no others.
    pub(super) fn findings(mut self, reproduce: &Rerun) -> Vec<Finding> {
        let mut divergences = std::mem::take(&mut self.divergences);
        divergences.sort_by_key(|divergence| divergence.at);
        if divergences
            .iter()
            .any(|divergence| !divergence.within_noise)
        {
            divergences.retain(|divergence| !divergence.within_noise);
        }
        let mut findings = Vec::new();
        for (index, divergence) in divergences.into_iter().enumerate() {
            let lacking = divergence.lacking;
            let node = self.locate(&divergence);
            if index > 0 && !lacking && !node.op_attributed {
                continue;
            }
            let Difference {
                place,
                expected,
                actual,
                ..
            } = divergence.difference;
            let judged = divergence.judged;
            findings.push(Finding {
                truth: judged.map(|judged| judged.truth),
                attribution: judged.map_or(Attribution::Unjudged, |judged| judged.attribution),
                node: Some(node),
                ..Finding::new(divergence.name, place, expected, actual, reproduce)
            });
            if findings.len() == MAX_FINDINGS {
                break;
            }
        }
        findings
    }

    fn locate(&self, divergence: &Divergence) -> NodeFinding {
        let decode = divergence.at.0;
        let agreement = |name: &String, occurrence: Option<usize>| match occurrence {
            None => Agreement::Given,
            Some(occurrence) => match self.agreed.get(&(decode, (name.clone(), occurrence))) {
                Some(true) => Agreement::Identical,
                _ => Agreement::Differs,
            },
        };
        let inputs: Vec<NodeInput> = divergence
            .inputs
            .iter()
            .map(|(name, occurrence)| NodeInput {
                name: name.clone(),
                occurrence: *occurrence,
                agreement: agreement(name, *occurrence),
            })
            .collect();
        let differs = |input: &NodeInput| input.agreement == Agreement::Differs;
        NodeFinding {
            name: divergence.name.clone(),
            occurrence: divergence.occurrence,
            decode,
            layer: kind_and_layer(&divergence.name).1,
            op: divergence.op.clone(),
            measures: divergence.measures,
            op_attributed: !inputs.is_empty() && !inputs.iter().any(differs),
            inputs,
        }
    }
}

/// Compares both nodes and returns their first difference.
fn difference(
    counter: &mut Counter,
    reference: &Arrived,
    candidate: &Arrived,
) -> Option<Difference> {
    let (reference, candidate) = (&reference.node, &candidate.node);
    if reference.ne != candidate.ne || reference.values.len() != candidate.values.len() {
        counter.add_same(false);
        return Some(Difference {
            at: None,
            place: "the shape".into(),
            expected: Observed::from(format!("{:?}", reference.ne)),
            actual: Observed::from(format!("{:?}", candidate.ne)),
        });
    }
    counter.add(&reference.values, &candidate.values);
    let first = counter.measures().first_mismatch?;
    let at = usize::try_from(first).expect("an index of values in memory");
    Some(Difference {
        at: Some(at),
        place: format!(
            "element {:?} of {:?}",
            index(at, reference.ne),
            reference.ne
        ),
        expected: Observed::from(reference.values[at]),
        actual: Observed::from(candidate.values[at]),
    })
}

/// Splits the index of an element into its dimensions.
fn index(mut at: usize, ne: [usize; 4]) -> [usize; 4] {
    ne.map(|extent| {
        let index = at % extent.max(1);
        at /= extent.max(1);
        index
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::TracedNode;
    use crate::levels::Level;

    /// Names of inputs, with the occurrence of those that are nodes.
    type Inputs<'a> = &'a [(&'a str, Option<usize>)];

    fn arrived(order: usize, name: &str, inputs: Inputs<'_>, values: &[f32]) -> Arrived {
        Arrived {
            node: TracedNode {
                name: name.into(),
                occurrence: 0,
                op: Some("ADD".into()),
                inputs: Vec::new(),
                ne: [values.len(), 1, 1, 1],
                values: values.to_vec(),
            },
            order,
            inputs: inputs.iter().map(|&(name, o)| (name.into(), o)).collect(),
        }
    }

    /// Records nodes, each with its order, its inputs, and whether both implementations differ in it.
    fn node_counter<'a>(
        nodes: impl IntoIterator<Item = (usize, &'a str, Inputs<'a>, bool)>,
    ) -> NodeCounter {
        let mut node_counter = NodeCounter::new(true);
        for (order, name, inputs, differs) in nodes {
            let reference = arrived(order, name, inputs, &[1.0, 2.0]);
            let candidate = arrived(order, name, &[], &[1.0, if differs { 2.5 } else { 2.0 }]);
            node_counter.note(0, Some(&reference), Some(&candidate), None, |_| None);
        }
        node_counter
    }

    fn located(node_counter: NodeCounter) -> Vec<(String, bool)> {
        let node = |finding: Finding| {
            finding
                .node
                .map(|node| (node.name, node.op_attributed))
                .unwrap()
        };
        node_counter
            .findings(&Rerun::of_level(Level::Node))
            .into_iter()
            .map(node)
            .collect()
    }

    #[test]
    fn an_operation_is_attributed_only_if_its_inputs_agree() {
        let weight = ("w", None);
        let (of_a, of_b) = ([("a-0", Some(0)), weight], [("b-0", Some(0))]);
        let of_c_and_d = [("c-0", Some(0)), ("d-0", Some(0))];
        let nodes = [
            (0, "a-0", &[weight][..], false),
            (1, "b-0", &of_a[..], true),
            (2, "c-0", &of_b[..], true),
            (3, "d-0", &of_a[..1], true),
            (4, "e-0", &of_c_and_d[..], false),
        ];
        // b is the first difference, c is its consequence, and d has another fault.
        let wanted = [("b-0".to_owned(), true), ("d-0".to_owned(), true)];
        assert_eq!(located(node_counter(nodes)), wanted);
        // Nodes may be joined in another order than that of computation.
        assert_eq!(located(node_counter(nodes.into_iter().rev())), wanted);
    }

    #[test]
    fn noise_is_no_finding_next_to_a_real_difference() {
        let node = |order, name: &str, value| arrived(order, name, &[("w", None)], &[value]);
        let mut floor = Counter::default();
        floor.add(&[1.0], &[1.5]);
        let noted = |values: &[(usize, &str, f32)]| {
            let mut node_counter = NodeCounter::new(true);
            for &(order, name, value) in values {
                let (reference, candidate) = (node(order, name, 1.0), node(order, name, value));
                node_counter.note(0, Some(&reference), Some(&candidate), Some(&floor), |_| {
                    None
                });
            }
            located(node_counter)
        };
        let (noise, difference) = ((0, "a", 1.75), (1, "b", 3.0));
        assert_eq!(noted(&[noise, difference]), [("b".to_owned(), true)]);
        assert_eq!(noted(&[noise]), [("a".to_owned(), true)]);
    }

    #[test]
    fn without_inputs_the_first_difference_is_found_and_not_attributed() {
        let node_counter = node_counter([(0, "a", &[][..], true), (1, "b", &[][..], true)]);
        assert_eq!(located(node_counter), [("a".to_owned(), false)]);
    }

    #[test]
    fn a_node_that_one_implementation_lacks_is_a_finding() {
        let mut node_counter = NodeCounter::new(true);
        let node = arrived(0, "a-4", &[("w", None)], &[1.0]);
        let counter = node_counter.note(0, Some(&node), None, None, |_| None);
        assert_eq!(counter.measures().mismatches, 1);
        let extra = arrived(1, "b-4", &[], &[1.0]);
        node_counter.note(0, None, Some(&extra), None, |_| None);
        let summary = node_counter.summaries();
        assert_eq!((summary[0].nodes, summary[0].lacking), (1, 1));
        let findings = node_counter.findings(&Rerun::of_level(Level::Node));
        assert_eq!(findings.len(), 2);
        assert_eq!(findings[0].node.as_ref().unwrap().layer, Some(4));
        assert_eq!(findings[0].actual.value, "no such node");
        assert_eq!(findings[1].expected.value, "no such node");
    }

    #[test]
    fn a_kind_sums_its_layers_and_nodes_outside_layers_are_separate() {
        let nodes = [
            (0, "norm-10", &[][..], true),
            (1, "norm-2", &[][..], false),
            (2, "norm", &[][..], true),
            (3, "norm-10", &[][..], true),
        ];
        let summaries = node_counter(nodes).summaries();
        let layer = |layer, comparisons, mismatches| (layer, comparisons, mismatches);
        let printed = |summary: &NodeSummary| {
            let layers = summary.layers.iter();
            layers
                .map(|of| layer(of.layer, of.comparisons, of.mismatches))
                .collect::<Vec<_>>()
        };
        assert_eq!(printed(&summaries[0]), [layer(2, 2, 0), layer(10, 4, 2)]);
        assert_eq!(summaries[0].measures.comparisons, 6);
        assert_eq!(summaries[0].measures.mismatches, 2);
        assert_eq!(summaries[0].layers[0].nmse, Some(0.0));
        assert_eq!(summaries[0].layers[1].nmse, Some(0.25 / 5.0));
        assert_eq!(
            summaries[0].layers[1].max_ulp,
            summaries[0].measures.max_ulp
        );
        assert_eq!(
            (summaries[1].kind.as_str(), summaries[1].nodes),
            ("norm", 1)
        );
        assert_eq!(printed(&summaries[1]), []);
    }

    #[test]
    fn shapes_are_part_of_a_node() {
        let mut node_counter = NodeCounter::new(true);
        let mut turned = arrived(0, "a", &[], &[1.0, 2.0]);
        turned.node.ne = [1, 2, 1, 1];
        let upright = arrived(0, "a", &[], &[1.0, 2.0]);
        node_counter.note(0, Some(&upright), Some(&turned), None, |_| None);
        assert_eq!(
            node_counter.findings(&Rerun::of_level(Level::Node))[0].place,
            "the shape"
        );
    }

    #[test]
    fn the_first_difference_has_its_index() {
        let mut node_counter = NodeCounter::new(true);
        let shaped = |values: [f32; 6]| {
            let mut arrived = arrived(0, "a", &[], &values);
            arrived.node.ne = [3, 2, 1, 1];
            arrived
        };
        let (a, b) = (shaped([0.0; 6]), shaped([0.0, 0.0, 0.0, 0.0, 9.0, 9.0]));
        node_counter.note(2, Some(&a), Some(&b), None, |_| None);
        let finding = &node_counter.findings(&Rerun::of_level(Level::Node))[0];
        assert_eq!(finding.place, "element [1, 1, 0, 0] of [3, 2, 1, 1]");
        assert_eq!(finding.node.as_ref().unwrap().decode, 2);
    }
}
