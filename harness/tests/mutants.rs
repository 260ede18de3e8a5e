//! Every mutant is detected and attributed to the candidate.

mod common;

use common::oracles::references;
use common::{IDENTITY, ORACLE, generate, harness, stdout};
use harness::check::{self, CheckReport};
use harness::decoding::{Decoding, default_tokens};
use harness::finding::Agreement;
use harness::levels::Level;
use harness::model::Model;
use harness::mutant::{Evaluator, Hooks, KernelMutant, MODEL_MUTANTS, MUTANTS, ModelMutantRecord};
use harness::outcome::Outcome;
use harness::participant::{Candidate, Participants, reference_layout};
use harness::progress::Progress;
use harness::shard::Shard;
use harness::synth::{self, DEFAULT_RECIPE};
use harness::task::Task;
use harness::verdict::{Attribution, Verdict};
use qk256::format::{Format, I2_S_GROUP128, QK256, TQ1_0, TQ2_0};
use tempfile::tempdir;
use testing::test;

/// Runs `work` on the tensors of the default model, which has every ternary type, whole blocks and tails.
fn on_default_model<R>(work: impl FnOnce(&Task<'_>) -> R) -> R {
    let folder = tempdir().unwrap();
    let model = Model::open(&generate(DEFAULT_RECIPE, folder.path())).unwrap();
    work(&Task {
        model: String::new(),
        tensors: model.ternary_tensors(reference_layout()).unwrap(),
        decoding: Err("kernels only".into()),
        seed: 1,
        shard: Shard::WHOLE,
        progress: Progress::silent(),
    })
}

fn check_unchanged() -> CheckReport {
    let formats: [&'static Format; 3] = [&I2_S_GROUP128, &TQ2_0, &TQ1_0];
    let candidates = formats.map(|format| Candidate {
        implementation: Box::new(Evaluator::new("right", format, Hooks::RIGHT)),
        format,
        slow: true,
    });
    let participants = Participants {
        references: references(),
        candidates: candidates.into(),
        engines: Vec::new(),
        upstream: None,
    };
    on_default_model(|task| check::run(&Level::OF_KERNELS, &participants, task))
}

/// A mutant that became identical to the reference model would look like this evaluator, so a defective mutant cannot
/// go unnoticed.
#[test(needs(ORACLE))]
fn without_a_mutant_the_evaluator_is_exact() {
    let check = check_unchanged();
    // The lowest level compares every weight of a block of each format with each available oracle that has its type.
    let formats: [&Format; 3] = [&I2_S_GROUP128, &TQ2_0, &TQ1_0];
    let having = |format| references().iter().filter(|r| r.has(format)).count();
    let pairs: usize = formats.into_iter().map(having).sum();
    let least = (QK256 * pairs) as u64;
    for outcome in check.levels.iter().flat_map(|report| &report.outcomes) {
        assert_ne!(outcome.verdict, Verdict::Divergent, "{outcome:#?}");
    }
    for report in &check.levels {
        assert!(
            report.verdict.agrees(),
            "{}: {}",
            report.level,
            report.verdict
        );
        assert!(report.measures.comparisons >= least, "{}", report.level);
    }
}

#[test(needs(ORACLE))]
fn every_mutant_is_detected_and_attributed_to_the_candidate() {
    let rows = on_default_model(|task| KernelMutant::measure_all(references(), task));
    let formats = MUTANTS.iter().map(|mutant| mutant.formats.len());
    assert_eq!(rows.len(), formats.sum::<usize>());
    for row in rows {
        assert!(row.caught.gate && row.named, "{row:?}");
        assert_eq!(row.attributions, [Attribution::CandidateWrong], "{row:?}");
    }
}

#[test(needs(IDENTITY))]
fn every_mutant_of_the_forward_pass_is_detected_and_located() {
    let measured = ModelMutantRecord::measure_all(references(), 1, &Progress::silent());
    let (rows, omitted) = measured.unwrap();
    assert_eq!(rows.len(), MODEL_MUTANTS.len());
    assert_eq!(omitted, []);
    for row in rows {
        let case = format!("{row:?}");
        assert!(row.caught() && row.named, "{case}");
        let node = row.first_node.unwrap();
        assert!(node.op_attributed && node.op.is_some(), "{case}");
        assert!(
            node.inputs
                .iter()
                .all(|input| input.agreement != Agreement::Differs),
            "{case}"
        );
    }
}

#[test(needs(IDENTITY))]
fn a_mutant_in_a_layer_shows_from_that_layer_on() {
    let name = "scale-of-one-layer-doubled";
    let mutant = MODEL_MUTANTS.iter().find(|mutant| mutant.name == name);
    let mutant = mutant.expect("the mutant is planted");
    let (planted, last) = (1, 3);
    // More layers than the recipe has, before and after the mutated one.
    let mut recipe = synth::find(mutant.recipe).unwrap();
    recipe.sizes.layers = last as u32 + 1;
    let tokens = default_tokens(recipe.sizes.vocabulary as usize);
    let folder = tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let plan = synth::Plan::new(recipe).unwrap();
    synth::create(&plan, &path, synth::Existing::Refuse).unwrap();
    let participants = Participants {
        references: references(),
        candidates: Vec::new(),
        engines: vec![mutant.engine()],
        upstream: None,
    };
    let task = Task {
        model: String::new(),
        tensors: Vec::new(),
        decoding: Ok(Decoding::new(path, tokens, 1)),
        seed: 1,
        shard: Shard::WHOLE,
        progress: Progress::silent(),
    };
    let check = check::run(&[Level::Node], &participants, &task);
    let outcomes = check.levels.iter().flat_map(|report| &report.outcomes);
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
        let (kind, _) = mutant.node.rsplit_once('-').unwrap();
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
fn names_are_unique_and_every_mutant_has_a_description_and_a_format() {
    let mut names: Vec<&str> = MUTANTS.iter().map(|mutant| mutant.name).collect();
    names.extend(MODEL_MUTANTS.iter().map(|mutant| mutant.name));
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
    for mutant in MUTANTS {
        assert!(!mutant.description.is_empty() && !mutant.formats.is_empty());
    }
    assert!(
        MODEL_MUTANTS
            .iter()
            .all(|mutant| !mutant.description.is_empty())
    );
}

#[test(needs(IDENTITY))]
fn the_command_prints_the_mutation_matrix() {
    let output = harness(&["mutants"]);
    common::assert_code(&output, 0);
    insta::assert_snapshot!("mutation_matrix", stdout(&output));
}

fn main() -> std::process::ExitCode {
    testing::main()
}
