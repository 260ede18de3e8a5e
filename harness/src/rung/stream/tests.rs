use std::path::{Path, PathBuf};

use super::*;
use crate::inference::InferenceParams;

/// Says the same nodes in every decode, and fails in the decode after the last one that it survives.
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
        let sink = sink.expect("the stream wants nodes");
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
        side: "script".into(),
        reason: "enough".into(),
    }
}

fn script(nodes: &[&'static str], survives: usize) -> Script {
    Script {
        nodes: nodes.to_vec(),
        survives,
    }
}

/// What came of every node: its decode, and a letter for each engine.
fn meetings(scripts: &[Script]) -> (Vec<(usize, String)>, Vec<bool>) {
    let decoding = Decoding::new(PathBuf::new(), vec![0; 2], 1);
    let engines: Vec<&dyn Engine> = scripts.iter().map(|script| script as _).collect();
    let mut met = Vec::new();
    let meet = |meeting: Meeting| {
        let share = |share: &Share| match share {
            Share::Here(arrived) => format!("{}{}", arrived.node.name, arrived.node.occurrence),
            Share::Lacking => "lacking".into(),
            Share::Gone => "gone".into(),
        };
        let shares: Vec<String> = meeting.shares.iter().map(share).collect();
        met.push((meeting.decode, shares.join(" ")));
    };
    let ran = stream(&engines, &decoding, meet, || ());
    for (ran, script) in ran.iter().zip(scripts) {
        let opened = script.survives > 0;
        assert_eq!(ran.graph.as_deref(), opened.then_some("script"));
    }
    (met, ran.iter().map(|ran| ran.failure.is_some()).collect())
}

fn in_both_decodes(meetings: &[&str]) -> Vec<(usize, String)> {
    let of = |decode| meetings.iter().map(move |&met| (decode, met.to_owned()));
    of(0).chain(of(1)).collect()
}

#[test]
fn namesakes_meet_whatever_the_order() {
    let scripts = [script(&["a", "b", "a"], 9), script(&["b", "a", "a"], 9)];
    let (met, failed) = meetings(&scripts);
    assert_eq!(met, in_both_decodes(&["b0 b0", "a0 a0", "a1 a1"]));
    assert_eq!(failed, [false, false]);
}

#[test]
fn what_one_engine_lacks_is_told_after_the_others() {
    let scripts = [script(&["a", "b"], 9), script(&["b", "c"], 9)];
    let (met, _) = meetings(&scripts);
    assert_eq!(met, in_both_decodes(&["b0 b0", "a0 lacking", "lacking c0"]));
}

#[test]
fn a_node_waits_for_so_many_others_and_no_longer() {
    let many: Vec<&str> = std::iter::once("a").chain(["n"; 3 * WAITING]).collect();
    let (met, _) = meetings(&[script(&many, 9), script(&many[1..], 9)]);
    assert_eq!(met[3 * WAITING], (0, "a0 lacking".into()));
    let late: Vec<&str> = ["n"; WAITING + 2].into_iter().chain(["a"]).collect();
    let (met, _) = meetings(&[script(&["a"], 9), script(&late, 9)]);
    assert_eq!(met[0], (0, "a0 lacking".into()));
}

#[test]
fn an_engine_that_fails_is_gone_and_the_others_go_on() {
    let scripts = [script(&["a"], 9), script(&["a"], 0), script(&["a"], 1)];
    let (met, failed) = meetings(&scripts);
    // The last engine still has its node in the decode in which it fails.
    let wanted = [(0, "a0 gone a0".to_owned()), (1, "a0 gone a0".to_owned())];
    assert_eq!(met, wanted);
    assert_eq!(failed, [false, true, true]);
}

#[test]
fn inputs_that_are_nodes_are_told_with_their_occurrence() {
    let decoding = Decoding::new(PathBuf::new(), vec![0], 1);
    let mut inputs = Vec::new();
    let meet = |meeting: Meeting| {
        inputs.push(meeting.shares[0].here().unwrap().inputs.clone());
    };
    stream(&[&script(&["a", "a", "b"], 9)], &decoding, meet, || ());
    let of = |occurrence| vec![("a".to_owned(), occurrence), ("w".to_owned(), None)];
    assert_eq!(inputs, [of(None), of(Some(0)), of(Some(1))]);
}
