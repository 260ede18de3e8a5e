//! Compares the forward pass in Rust with the strict oracle: every named node and every logit must be bit-identical.

mod common;

use std::path::{Path, PathBuf};

use common::draft::Edit;
use common::forward::{Run, compare, same_bits, strict, tokens};
use common::{IDENTITY, generate};
use harness::rewrite::ModelDraft;
use harness::synth;
use qk256::gguf::GgufFile;
use qk256::model::{Context, ContextParams, LoadParams, Model};
use tempfile::tempdir;
use testing::{LLAMA_CPP_MODELS, MODELS, llama_cpp_models, models, test};

/// The tokens of the logits that are stored with the shared models.
const TOKENS: [u32; 8] = [1, 5, 7, 9, 100, 31, 2, 8];

/// The small recipes of these architectures.
fn recipes(architectures: &[&str]) -> Vec<&'static str> {
    let small = |name: &str| name.starts_with("tiny-") || name.starts_with("tail-");
    let found: Vec<_> = synth::embedded()
        .into_iter()
        .filter(|(name, text)| {
            let of =
                |architecture: &&str| text.contains(&format!("architecture = \"{architecture}\""));
            small(name) && architectures.iter().any(of)
        })
        .map(|(name, _)| name)
        .collect();
    assert!(!found.is_empty(), "no recipe of {architectures:?}");
    found
}

/// Compares every small model.
fn compare_all(run: &Run) {
    let folder = tempdir().unwrap();
    for recipe in recipes(&["bitnet", "bitnet-b1.58", "llama"]) {
        compare(strict(), &generate(recipe, folder.path()), run);
    }
}

fn prompt() -> Run {
    Run::of(&[&TOKENS])
}

fn token_by_token() -> Run {
    Run::of(&[&TOKENS[..5], &TOKENS[5..6], &TOKENS[6..7], &TOKENS[7..]])
}

fn long_prompts() -> Run {
    let all = tokens(50);
    Run {
        n_ubatch: 7,
        ..Run::of(&[&all[..45], &all[45..46], &all[46..]])
    }
}

fn two_threads() -> Run {
    let all = tokens(20);
    Run {
        threads: 2,
        n_ubatch: 16,
        ..Run::of(&[&all[..19], &all[19..]])
    }
}

#[test(needs(IDENTITY))]
fn every_node_of_a_prompt_equals_the_oracles() {
    compare_all(&prompt());
}

#[test(needs(IDENTITY))]
fn a_prompt_and_then_one_token_at_a_time() {
    compare_all(&token_by_token());
}

#[test(needs(IDENTITY))]
fn prompts_longer_than_a_ubatch_and_than_a_run_of_the_cache() {
    compare_all(&long_prompts());
}

#[test(needs(IDENTITY))]
fn two_threads_give_the_same_results() {
    compare_all(&two_threads());
}

#[test(needs(IDENTITY, MODELS))]
fn models_that_bitnet_cpp_wrote_in_all_these_ways() {
    for path in models() {
        for run in [prompt(), token_by_token(), long_prompts(), two_threads()] {
            compare(strict(), &path, &run);
        }
    }
}

#[test(needs(IDENTITY))]
fn relu_squared_under_the_older_name_with_scale_tensors() {
    let build = strict();
    let folder = tempdir().unwrap();
    let silu = GgufFile::open(&generate("tiny-bitnet-tq2_0", folder.path())).unwrap();
    let path = folder.path().join("bitnet-25.gguf");
    let draft = ModelDraft::of(&silu.view()).renamed("bitnet-25");
    draft.save(&path);
    let all = tokens(20);
    compare(build, &path, &Run::of(&[&all[..19], &all[19..]]));
}

#[test(needs(IDENTITY))]
fn a_context_that_is_no_multiple_of_a_run_and_full() {
    let build = strict();
    let folder = tempdir().unwrap();
    let run = Run {
        n_ctx: 70,
        n_ubatch: 32,
        ..Run::of(&[&tokens(70), &tokens(26)])
    };
    compare(build, &generate("tiny-bitnet-i2_s", folder.path()), &run);
}

#[test(needs(MODELS))]
fn logits_are_those_that_bitnet_cpp_stored() {
    assert_logits_are_stored(&models());
}

#[test(needs(LLAMA_CPP_MODELS))]
fn logits_are_those_that_llama_cpp_stored() {
    assert_logits_are_stored(&llama_cpp_models());
}

fn assert_logits_are_stored(models: &[PathBuf]) {
    for path in models.iter().filter(|p| {
        p.to_str()
            .unwrap()
            .contains(&std::env::var("MM").unwrap_or_default())
    }) {
        let stored = std::fs::read(stored_logits(path)).unwrap();
        let stored: Vec<f32> = stored
            .as_chunks()
            .0
            .iter()
            .map(|&bytes| f32::from_le_bytes(bytes))
            .collect();
        let file = GgufFile::open(path).unwrap();
        let model = Model::load(&file.view(), &LoadParams::default()).unwrap();
        let mut context = Context::new(&model, ContextParams::default()).unwrap();
        let logits = context.decode(&TOKENS, &mut qk256::model::NoTrace).unwrap();
        same_bits(&path.display().to_string(), &logits, &stored);
    }
}

/// The path `NAME.logits.f32` next to `NAME.gguf`.
fn stored_logits(model: &Path) -> PathBuf {
    model.with_extension("logits.f32")
}

fn main() -> std::process::ExitCode {
    testing::main()
}
