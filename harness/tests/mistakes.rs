//! The harness proves that it can fail: every planted mistake is caught, and blamed on the candidate.

mod common;

use common::{FOLLOWED, ORACLE, generate, harness, stdout};
use harness::decoding::{Decoding, default_tokens};
use harness::finding::Agreement;
use harness::ladder::{self, Climb};
use harness::mistaken::{Evaluator, Hooks, KillMatrix, MISTAKES, MODEL_MISTAKES, ModelKillMatrix};
use harness::model::Model;
use harness::outcome::{Outcome, Rung};
use harness::shard::Shard;
use harness::side::{Candidate, OracleSide, Reference, Sides, reference_layout};
use harness::synth::{self, DEFAULT_RECIPE};
use harness::task::Task;
use harness::verdict::{Blame, Verdict};
use indicatif::ProgressBar;
use qk256::format::{Format, I2_S_GROUP128, QK256, TQ1_0, TQ2_0};
use tempfile::tempdir;
use testing::test;

fn references() -> Vec<Reference> {
    let available = cpp_shim::builds()
        .iter()
        .filter(|build| build.availability().is_ok());
    available
        .map(|build| {
            let oracle = build.load().expect("an available oracle loads");
            Reference::oracle(OracleSide::new(oracle), true)
        })
        .collect()
}

/// Runs `work` on the tensors of the default model: every ternary type, with whole blocks and tails.
fn on_default_model<R>(work: impl FnOnce(&Task<'_>) -> R) -> R {
    let folder = tempdir().unwrap();
    let model = Model::open(&generate(DEFAULT_RECIPE, folder.path())).unwrap();
    work(&Task {
        model: String::new(),
        tensors: model.ternary_tensors(reference_layout()).unwrap(),
        decoding: Err("kernels only".into()),
        seed: 1,
        shard: Shard::WHOLE,
        progress: ProgressBar::hidden(),
    })
}

fn climb_unchanged() -> Climb {
    let formats: [&'static Format; 3] = [&I2_S_GROUP128, &TQ2_0, &TQ1_0];
    let candidates = formats.map(|format| Candidate {
        side: Box::new(Evaluator::new("right", format, Hooks::RIGHT)),
        format,
        slow: true,
    });
    let sides = Sides {
        references: references(),
        candidates: candidates.into(),
        engines: Vec::new(),
    };
    on_default_model(|task| ladder::climb(&Rung::OF_KERNELS, &sides, task))
}

/// A mistake that has become identical to the truth would look like this, so that it cannot hide among the caught.
#[test(needs(ORACLE))]
fn without_a_mistake_the_evaluator_is_exact() {
    let climb = climb_unchanged();
    // The lowest rung holds every weight of a block of the three formats against each oracle that runs here.
    let least = (3 * QK256 * references().len()) as u64;
    for outcome in climb.rungs.iter().flat_map(|report| &report.outcomes) {
        assert_ne!(outcome.verdict, Verdict::Divergent, "{outcome:#?}");
    }
    for report in &climb.rungs {
        assert!(
            report.verdict.agrees(),
            "{}: {}",
            report.rung,
            report.verdict
        );
        assert!(report.measures.comparisons >= least, "{}", report.rung);
    }
}

#[test(needs(ORACLE))]
fn every_mistake_is_caught_and_blamed_on_the_candidate() {
    let matrix = on_default_model(|task| KillMatrix::measure(references(), task));
    assert_eq!(matrix.survivors(), []);
    assert_eq!(matrix.misnamed(), []);
    for (mistake, catches) in &matrix.rows {
        for catch in catches {
            let case = format!("{} in {}: {catch:?}", mistake.name, catch.format);
            assert_eq!(catch.blames, [Blame::CandidateWrong], "{case}");
        }
    }
}

#[test(needs(FOLLOWED))]
fn every_mistake_in_a_model_is_caught_and_located_where_it_is() {
    let matrix = ModelKillMatrix::measure(references(), 1, &ProgressBar::hidden()).unwrap();
    assert_eq!(matrix.rows.len(), MODEL_MISTAKES.len());
    assert_eq!(matrix.skipped, [""; 0]);
    for (mistake, catches) in &matrix.rows {
        let case = format!("{}: {catches:?}", mistake.name);
        assert!(catches.gate && catches.located(mistake), "{case}");
        let node = catches.first.as_ref().unwrap();
        assert!(node.op_blamed && node.op.is_some(), "{case}");
        assert!(
            node.inputs
                .iter()
                .all(|input| input.agreement != Agreement::Differs),
            "{case}"
        );
    }
    assert_eq!(matrix.survivors(), [""; 0]);
    assert_eq!(matrix.misnamed(), [""; 0]);
}

#[test(needs(FOLLOWED))]
fn a_mistake_in_a_layer_shows_from_that_layer_on() {
    let name = "scale-of-one-layer-doubled";
    let mistake = MODEL_MISTAKES.iter().find(|mistake| mistake.name == name);
    let mistake = mistake.expect("the mistake is planted");
    let (planted, last) = (1, 3);
    // Layers before it and after it, more than the recipe has.
    let mut recipe = synth::find(mistake.recipe).unwrap();
    recipe.sizes.layers = last as u32 + 1;
    let tokens = default_tokens(recipe.sizes.vocabulary as usize);
    let folder = tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let plan = synth::Plan::new(recipe).unwrap();
    synth::create(&plan, &path, synth::Existing::Refuse).unwrap();
    let sides = Sides {
        references: references(),
        candidates: Vec::new(),
        engines: vec![mistake.engine()],
    };
    let task = Task {
        model: String::new(),
        tensors: Vec::new(),
        decoding: Ok(Decoding::new(path, tokens, 1)),
        seed: 1,
        shard: Shard::WHOLE,
        progress: ProgressBar::hidden(),
    };
    let climb = ladder::climb(&[Rung::Node], &sides, &task);
    let outcomes = climb.rungs.iter().flat_map(|report| &report.outcomes);
    let held: Vec<&Outcome> = outcomes.filter(|o| o.held_to_identity()).collect();
    assert!(!held.is_empty());
    for outcome in held {
        let in_layers = outcome.nodes.iter().filter(|node| !node.layers.is_empty());
        let differing = |wanted: usize| -> Vec<&str> {
            let there = in_layers.clone().filter(|node| {
                let mut layers = node.layers.iter();
                layers.any(|of| of.layer == wanted && of.mismatches > 0)
            });
            there.map(|node| node.kind.as_str()).collect()
        };
        assert_eq!(differing(planted - 1), [""; 0]);
        let (kind, _) = mistake.node.rsplit_once('-').unwrap();
        assert!(differing(planted).contains(&kind));
        assert!(!differing(planted).contains(&"attn_norm"));
        for after in planted + 1..=last {
            assert_eq!(differing(after).len(), in_layers.clone().count(), "{after}");
        }
        for node in in_layers.clone() {
            let numbers: Vec<usize> = node.layers.iter().map(|of| of.layer).collect();
            assert_eq!(numbers, [0, 1, 2, 3], "{}", node.kind);
        }
    }
}

#[test]
fn names_are_unique_and_every_mistake_has_a_story_and_a_format() {
    let mut names: Vec<&str> = MISTAKES.iter().map(|mistake| mistake.name).collect();
    names.extend(MODEL_MISTAKES.iter().map(|mistake| mistake.name));
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
    for mistake in MISTAKES {
        assert!(!mistake.story.is_empty() && !mistake.formats.is_empty());
    }
    assert!(
        MODEL_MISTAKES
            .iter()
            .all(|mistake| !mistake.story.is_empty())
    );
}

#[test(needs(FOLLOWED))]
fn the_command_shows_which_measure_catches_which_mistake() {
    let output = harness(&["mistakes"]);
    common::assert_code(&output, 0);
    insta::assert_snapshot!("kill_matrix", stdout(&output));
}

fn main() -> std::process::ExitCode {
    testing::main()
}
