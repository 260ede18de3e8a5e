use std::path::{Path, PathBuf};

use super::*;
use crate::inference::InferenceParams;

/// An engine that computes the same nodes in every decode, and fails in the decode after `survives` successful ones.
struct Script {
    nodes: Vec<&'static str>,
    survives: usize,
}

struct Reading<'s> {
    script: &'s Script,
    decodes: usize,
}

impl Engine for Script {
    fn id(&self) -> &str {
        "script"
    }

    fn with_model(
        &self,
        _: &Path,
        _: &InferenceParams,
        work: &mut dyn FnMut(&mut dyn Inference),
    ) -> Result<(), InferenceError> {
        if self.survives == 0 {
            return Err(refused());
        }
        work(&mut Reading {
            script: self,
            decodes: 0,
        });
        Ok(())
    }
}

impl Inference for Reading<'_> {
    fn id(&self) -> &str {
        "script"
    }

    fn vocabulary(&self) -> usize {
        1
    }

    fn graph(&self) -> &str {
        "script"
    }

    fn decode(
        &mut self,
        tokens: &[u32],
        sink: Option<&mut dyn FnMut(TracedNode)>,
    ) -> Result<Vec<f32>, InferenceError> {
        let sink = sink.expect("the stream passes a sink");
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for &name in &self.script.nodes {
            let occurrence = seen.entry(name).or_default();
            sink(TracedNode {
                name: name.into(),
                occurrence: *occurrence,
                op: None,
                inputs: vec!["a".into(), "w".into()],
                ne: [1; 4],
                values: vec![0.0],
            });
            *occurrence += 1;
        }
        self.decodes += 1;
        if self.decodes > self.script.survives {
            return Err(refused());
        }
        Ok(vec![0.0; tokens.len()])
    }

    fn tokenize(&mut self, _: &str) -> Result<Vec<u32>, InferenceError> {
        Err(refused())
    }
}

fn refused() -> InferenceError {
    InferenceError::Refused {
        implementation: "script".into(),
        reason: "enough".into(),
    }
}

fn script(nodes: &[&'static str], survives: usize) -> Script {
    Script {
        nodes: nodes.to_vec(),
        survives,
    }
}

/// All joins with the decode and the slots as text, and whether each engine failed.
fn joins(scripts: &[Script]) -> (Vec<(usize, String)>, Vec<bool>) {
    let decoding = Decoding::new(PathBuf::new(), vec![0; 2], 1);
    let engines: Vec<&dyn Engine> = scripts.iter().map(|script| script as _).collect();
    let mut joined = Vec::new();
    let on_join = |join: Join| {
        let slot = |slot: &Slot| match slot {
            Slot::Present(arrived) => format!("{}{}", arrived.node.name, arrived.node.occurrence),
            Slot::Lacking => "lacking".into(),
            Slot::Stopped => "stopped".into(),
        };
        let slots: Vec<String> = join.slots.iter().map(slot).collect();
        joined.push((join.decode, slots.join(" ")));
    };
    let ran = stream(&engines, &decoding, on_join, || ());
    for (ran, script) in ran.iter().zip(scripts) {
        let opened = script.survives > 0;
        assert_eq!(ran.graph.as_deref(), opened.then_some("script"));
    }
    (
        joined,
        ran.iter().map(|ran| ran.failure.is_some()).collect(),
    )
}

fn in_both_decodes(joins: &[&str]) -> Vec<(usize, String)> {
    let of = |decode| joins.iter().map(move |&joined| (decode, joined.to_owned()));
    of(0).chain(of(1)).collect()
}

#[test]
fn nodes_are_joined_by_name_in_any_order() {
    let scripts = [script(&["a", "b", "a"], 9), script(&["b", "a", "a"], 9)];
    let (joined, failed) = joins(&scripts);
    assert_eq!(joined, in_both_decodes(&["b0 b0", "a0 a0", "a1 a1"]));
    assert_eq!(failed, [false, false]);
}

#[test]
fn a_node_that_one_engine_lacks_is_joined_after_the_others() {
    let scripts = [script(&["a", "b"], 9), script(&["b", "c"], 9)];
    let (joined, _) = joins(&scripts);
    assert_eq!(
        joined,
        in_both_decodes(&["b0 b0", "a0 lacking", "lacking c0"])
    );
}

#[test]
fn a_node_waits_for_a_limited_number_of_others() {
    let many: Vec<&str> = std::iter::once("a").chain(["n"; 3 * MAX_WAITING]).collect();
    let (joined, _) = joins(&[script(&many, 9), script(&many[1..], 9)]);
    assert_eq!(joined[3 * MAX_WAITING], (0, "a0 lacking".into()));
    let late: Vec<&str> = ["n"; MAX_WAITING + 2].into_iter().chain(["a"]).collect();
    let (joined, _) = joins(&[script(&["a"], 9), script(&late, 9)]);
    assert_eq!(joined[0], (0, "a0 lacking".into()));
}

#[test]
fn the_other_engines_continue_after_one_fails() {
    let scripts = [script(&["a"], 9), script(&["a"], 0), script(&["a"], 1)];
    let (joined, failed) = joins(&scripts);
    // The last engine sends its node in the decode in which it fails.
    let wanted = [
        (0, "a0 stopped a0".to_owned()),
        (1, "a0 stopped a0".to_owned()),
    ];
    assert_eq!(joined, wanted);
    assert_eq!(failed, [false, true, true]);
}

#[test]
fn inputs_that_are_nodes_have_their_occurrence() {
    let decoding = Decoding::new(PathBuf::new(), vec![0], 1);
    let mut inputs = Vec::new();
    let on_join = |join: Join| {
        inputs.push(join.slots[0].present().unwrap().inputs.clone());
    };
    stream(&[&script(&["a", "a", "b"], 9)], &decoding, on_join, || ());
    let of = |occurrence| vec![("a".to_owned(), occurrence), ("w".to_owned(), None)];
    assert_eq!(inputs, [of(None), of(Some(0)), of(Some(1))]);
}
