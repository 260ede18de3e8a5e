//! Which nodes agree, where the first difference is, and which operation is to blame for it.

use std::collections::{BTreeMap, HashMap};

use super::stream::{Arrived, NodeKey};
use crate::finding::{Agreement, Finding, NodeFinding, NodeInput, Observed};
use crate::measure::{Measures, Meter};
use crate::outcome::{LayerSummary, MAX_FINDINGS, NodeSummary, is_within_noise};
use crate::side::Judged;
use crate::verdict::Blame;

/// What a pair of sides has come to, node by node. Of the values nothing is kept.
#[derive(Default)]
pub(super) struct Ledger {
    agreed: HashMap<(usize, NodeKey), bool>,
    divergences: Vec<Divergence>,
    kinds: Vec<Kind>,
}

struct Kind {
    summary: NodeSummary,
    /// By layer. Nodes of no layer are a kind of their own, which has a single meter.
    meters: BTreeMap<Option<usize>, Meter>,
}

struct Divergence {
    /// Decode, and order in it.
    at: (usize, usize),
    name: String,
    occurrence: usize,
    op: Option<String>,
    inputs: Vec<(String, Option<usize>)>,
    measures: Measures,
    lacking: bool,
    /// Whether it is no farther off than two builds of the reference are from each other in this node.
    within_noise: bool,
    judged: Option<Judged>,
    difference: Difference,
}

/// Where two nodes differ first, and how.
struct Difference {
    /// The index of the element, where both have the same.
    at: Option<usize>,
    place: String,
    expected: Observed,
    actual: Observed,
}

impl Ledger {
    /// Compares a node of both sides, one of which may lack it, and gives what was measured. `floor` is how far two builds
    /// of the reference are apart in it; `judge` says who is wrong in an element, where somebody can tell.
    pub(super) fn note(
        &mut self,
        decode: usize,
        reference: Option<&Arrived>,
        candidate: Option<&Arrived>,
        floor: Option<&Meter>,
        judge: impl FnOnce(usize) -> Option<Judged>,
    ) -> Meter {
        let mut meter = Meter::default();
        // What is told of the node itself, the reference tells.
        let Some(told) = reference.or(candidate) else {
            return meter;
        };
        let difference = match (reference, candidate) {
            (Some(reference), Some(candidate)) => difference(&mut meter, reference, candidate),
            _ => {
                meter.add_same(false);
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
        let key = (told.node.name.clone(), told.node.occurrence);
        self.agreed.insert((decode, key), difference.is_none());
        self.count(told, difference.is_none(), lacking, &meter);
        if let Some(difference) = difference {
            self.divergences.push(Divergence {
                at: (decode, told.order),
                name: told.node.name.clone(),
                occurrence: told.node.occurrence,
                op: told.node.op.clone(),
                inputs: told.inputs.clone(),
                measures: meter.measures(),
                lacking,
                within_noise: floor
                    .is_some_and(|floor| is_within_noise(&meter.measures(), &floor.measures())),
                judged: difference.at.and_then(judge),
                difference,
            });
        }
        meter
    }

    fn count(&mut self, told: &Arrived, identical: bool, lacking: bool, meter: &Meter) {
        let (name, layer) = kind_and_layer(&told.node.name);
        let is_of_it = |kind: &Kind| {
            kind.summary.kind == name && kind.meters.contains_key(&None) == layer.is_none()
        };
        let at = self.kinds.iter().position(is_of_it);
        let at = at.unwrap_or_else(|| {
            self.kinds.push(Kind {
                summary: NodeSummary {
                    kind: name.to_owned(),
                    op: told.node.op.clone(),
                    nodes: 0,
                    identical: 0,
                    lacking: 0,
                    measures: Measures::default(),
                    layers: Vec::new(),
                },
                meters: BTreeMap::new(),
            });
            self.kinds.len() - 1
        });
        let kind = &mut self.kinds[at];
        kind.summary.nodes += 1;
        kind.summary.identical += u64::from(identical);
        kind.summary.lacking += u64::from(lacking);
        kind.meters.entry(layer).or_default().merge(meter);
    }

    /// Each kind of node, in the order of computation.
    pub(super) fn summaries(&self) -> Vec<NodeSummary> {
        let summary = |kind: &Kind| {
            let mut all = Meter::default();
            kind.meters.values().for_each(|meter| all.merge(meter));
            let of_layer = |(layer, meter): (&Option<usize>, &Meter)| {
                Some(LayerSummary::new((*layer)?, &meter.measures()))
            };
            NodeSummary {
                measures: all.measures(),
                layers: kind.meters.iter().filter_map(of_layer).collect(),
                ..kind.summary.clone()
            }
        };
        self.kinds.iter().map(summary).collect()
    }

    /// The first difference, and of the others, which may be its consequences, those that are not: nodes that one side
    /// lacks, and those whose inputs agree. Differences within the noise count if there are no others.
    pub(super) fn findings(mut self, reproduce: &str) -> Vec<Finding> {
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
            if index > 0 && !lacking && !node.op_blamed {
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
                subject: divergence.name,
                place,
                expected,
                actual,
                truth: judged.map(|judged| judged.truth),
                blame: judged.map_or(Blame::Unjudged, |judged| judged.blame),
                node: Some(node),
                cause: None,
                input: None,
                case: None,
                reproduce: reproduce.into(),
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
            op_blamed: !inputs.is_empty() && !inputs.iter().any(differs),
            inputs,
        }
    }
}

/// Measures both nodes, and where they differ first.
fn difference(meter: &mut Meter, reference: &Arrived, candidate: &Arrived) -> Option<Difference> {
    let (reference, candidate) = (&reference.node, &candidate.node);
    if reference.ne != candidate.ne || reference.values.len() != candidate.values.len() {
        meter.add_same(false);
        return Some(Difference {
            at: None,
            place: "the shape".into(),
            expected: Observed::from(format!("{:?}", reference.ne)),
            actual: Observed::from(format!("{:?}", candidate.ne)),
        });
    }
    meter.add(&reference.values, &candidate.values);
    let first = meter.measures().first_mismatch?;
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

/// The index of an element in each dimension.
fn index(mut at: usize, ne: [usize; 4]) -> [usize; 4] {
    ne.map(|extent| {
        let index = at % extent.max(1);
        at /= extent.max(1);
        index
    })
}

/// `attn_norm-3` is `attn_norm` of layer 3.
fn kind_and_layer(name: &str) -> (&str, Option<usize>) {
    let layered = name.rsplit_once('-');
    match layered.and_then(|(kind, layer)| Some((kind, layer.parse().ok()?))) {
        Some((kind, layer)) => (kind, Some(layer)),
        None => (name, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::TracedNode;

    /// Inputs by name, with the occurrence of those that are nodes.
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

    /// Notes nodes, each with its order, its inputs, and whether both sides differ in it.
    fn ledger<'a>(nodes: impl IntoIterator<Item = (usize, &'a str, Inputs<'a>, bool)>) -> Ledger {
        let mut ledger = Ledger::default();
        for (order, name, inputs, differs) in nodes {
            let reference = arrived(order, name, inputs, &[1.0, 2.0]);
            let candidate = arrived(order, name, &[], &[1.0, if differs { 2.5 } else { 2.0 }]);
            ledger.note(0, Some(&reference), Some(&candidate), None, |_| None);
        }
        ledger
    }

    fn located(ledger: Ledger) -> Vec<(String, bool)> {
        let node = |finding: Finding| {
            finding
                .node
                .map(|node| (node.name, node.op_blamed))
                .unwrap()
        };
        ledger.findings("").into_iter().map(node).collect()
    }

    #[test]
    fn an_operation_is_blamed_only_if_its_inputs_agree() {
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
        // b is the first; c is its consequence; d has a fault of its own.
        let wanted = [("b-0".to_owned(), true), ("d-0".to_owned(), true)];
        assert_eq!(located(ledger(nodes)), wanted);
        // The order in which nodes meet is not the order of computation.
        assert_eq!(located(ledger(nodes.into_iter().rev())), wanted);
    }

    #[test]
    fn noise_is_no_finding_beside_a_difference_that_is_none() {
        let node = |order, name: &str, value| arrived(order, name, &[("w", None)], &[value]);
        let mut floor = Meter::default();
        floor.add(&[1.0], &[1.5]);
        let noted = |values: &[(usize, &str, f32)]| {
            let mut ledger = Ledger::default();
            for &(order, name, value) in values {
                let (reference, candidate) = (node(order, name, 1.0), node(order, name, value));
                ledger.note(0, Some(&reference), Some(&candidate), Some(&floor), |_| {
                    None
                });
            }
            located(ledger)
        };
        let (noise, difference) = ((0, "a", 1.75), (1, "b", 3.0));
        assert_eq!(noted(&[noise, difference]), [("b".to_owned(), true)]);
        assert_eq!(noted(&[noise]), [("a".to_owned(), true)]);
    }

    #[test]
    fn where_no_inputs_are_told_nothing_is_blamed_but_the_first_is_found() {
        let ledger = ledger([(0, "a", &[][..], true), (1, "b", &[][..], true)]);
        assert_eq!(located(ledger), [("a".to_owned(), false)]);
    }

    #[test]
    fn a_node_that_one_side_lacks_is_a_finding() {
        let mut ledger = Ledger::default();
        let node = arrived(0, "a-4", &[("w", None)], &[1.0]);
        let meter = ledger.note(0, Some(&node), None, None, |_| None);
        assert_eq!(meter.measures().mismatches, 1);
        let extra = arrived(1, "b-4", &[], &[1.0]);
        ledger.note(0, None, Some(&extra), None, |_| None);
        let summary = ledger.summaries();
        assert_eq!((summary[0].nodes, summary[0].lacking), (1, 1));
        let findings = ledger.findings("");
        assert_eq!(findings.len(), 2);
        assert_eq!(findings[0].node.as_ref().unwrap().layer, Some(4));
        assert_eq!(findings[0].actual.value, "no such node");
        assert_eq!(findings[1].expected.value, "no such node");
    }

    #[test]
    fn a_kind_is_the_sum_of_its_layers_and_what_belongs_to_no_layer_stands_apart() {
        let nodes = [
            (0, "norm-10", &[][..], true),
            (1, "norm-2", &[][..], false),
            (2, "norm", &[][..], true),
            (3, "norm-10", &[][..], true),
        ];
        let summaries = ledger(nodes).summaries();
        let layer = |layer, comparisons, mismatches| (layer, comparisons, mismatches);
        let told = |summary: &NodeSummary| {
            let layers = summary.layers.iter();
            layers
                .map(|of| layer(of.layer, of.comparisons, of.mismatches))
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&summaries[0]), [layer(2, 2, 0), layer(10, 4, 2)]);
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
        assert_eq!(told(&summaries[1]), []);
    }

    #[test]
    fn shapes_are_part_of_a_node() {
        let mut ledger = Ledger::default();
        let mut turned = arrived(0, "a", &[], &[1.0, 2.0]);
        turned.node.ne = [1, 2, 1, 1];
        let upright = arrived(0, "a", &[], &[1.0, 2.0]);
        ledger.note(0, Some(&upright), Some(&turned), None, |_| None);
        assert_eq!(ledger.findings("")[0].place, "the shape");
    }

    #[test]
    fn the_first_difference_is_told_by_its_index() {
        let mut ledger = Ledger::default();
        let shaped = |values: [f32; 6]| {
            let mut arrived = arrived(0, "a", &[], &values);
            arrived.node.ne = [3, 2, 1, 1];
            arrived
        };
        let (a, b) = (shaped([0.0; 6]), shaped([0.0, 0.0, 0.0, 0.0, 9.0, 9.0]));
        ledger.note(2, Some(&a), Some(&b), None, |_| None);
        let finding = &ledger.findings("")[0];
        assert_eq!(finding.place, "element [1, 1, 0, 0] of [3, 2, 1, 1]");
        assert_eq!(finding.node.as_ref().unwrap().decode, 2);
    }
}
