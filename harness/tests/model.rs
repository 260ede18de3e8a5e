//! The forward pass in Rust against the strict oracle: every named node and every logit, bit for bit.

mod common;

use std::path::{Path, PathBuf};

use common::draft::Edit;
use common::forward::{Run, compare, same_bits, strict, tokens};
use common::{generate, shared_models};
use harness::rewrite::ModelDraft;
use harness::synth;
use qk256::gguf::GgufFile;
use qk256::model::{Context, ContextParams, LoadParams, Model};
use tempfile::tempdir;

/// The tokens of the logits that lie beside the shared models.
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

/// Compares every small model, and the shared ones.
fn compare_all(run: &Run) {
    let Some(build) = strict() else { return };
    let folder = tempdir().unwrap();
    for recipe in recipes(&["bitnet", "bitnet-b1.58", "llama"]) {
        compare(build, &generate(recipe, folder.path()), run);
    }
    for path in shared_models() {
        compare(build, &path, run);
    }
}

#[test]
fn every_node_of_a_prompt_is_the_oracles() {
    compare_all(&Run::of(&[&TOKENS]));
}

#[test]
fn a_prompt_and_then_one_token_at_a_time() {
    compare_all(&Run::of(&[
        &TOKENS[..5],
        &TOKENS[5..6],
        &TOKENS[6..7],
        &TOKENS[7..],
    ]));
}

#[test]
fn prompts_longer_than_a_ubatch_and_than_a_run_of_the_cache() {
    let all = tokens(50);
    let run = Run {
        n_ubatch: 7,
        ..Run::of(&[&all[..45], &all[45..46], &all[46..]])
    };
    compare_all(&run);
}

#[test]
fn two_threads_change_nothing() {
    let all = tokens(20);
    let run = Run {
        threads: 2,
        n_ubatch: 16,
        ..Run::of(&[&all[..19], &all[19..]])
    };
    compare_all(&run);
}

#[test]
fn relu_squared_under_the_older_name_with_scale_tensors() {
    let Some(build) = strict() else { return };
    let folder = tempdir().unwrap();
    let silu = GgufFile::open(&generate("tiny-bitnet-tq2_0", folder.path())).unwrap();
    let path = folder.path().join("bitnet-25.gguf");
    let draft = ModelDraft::of(&silu.view()).renamed("bitnet-25");
    draft.save(&path);
    let all = tokens(20);
    compare(build, &path, &Run::of(&[&all[..19], &all[19..]]));
}

#[test]
fn a_context_that_is_no_multiple_of_a_run_and_full() {
    let Some(build) = strict() else { return };
    let folder = tempdir().unwrap();
    let run = Run {
        n_ctx: 70,
        n_ubatch: 32,
        ..Run::of(&[&tokens(70), &tokens(26)])
    };
    compare(build, &generate("tiny-bitnet-i2_s", folder.path()), &run);
}

#[test]
fn logits_are_those_stored_beside_the_shared_models() {
    for path in shared_models() {
        let stored = std::fs::read(stored_logits(&path)).unwrap();
        let stored: Vec<f32> = stored
            .as_chunks()
            .0
            .iter()
            .map(|&bytes| f32::from_le_bytes(bytes))
            .collect();
        let file = GgufFile::open(&path).unwrap();
        let model = Model::load(&file.view(), &LoadParams::default()).unwrap();
        let mut context = Context::new(&model, ContextParams::default()).unwrap();
        let logits = context.decode(&TOKENS, &mut qk256::model::NoTrace).unwrap();
        same_bits(&path.display().to_string(), &logits, &stored);
    }
}

/// `NAME.logits.f32` beside `NAME.gguf`.
fn stored_logits(model: &Path) -> PathBuf {
    model.with_extension("logits.f32")
}
