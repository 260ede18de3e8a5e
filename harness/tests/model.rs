//! The forward pass in Rust against the strict oracle: every named node and every logit, bit for bit.

mod common;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use common::draft::Draft;
use common::{generate, shared_models};
use cpp_shim::{Build, SessionParams};
use harness::synth;
use qk256::gguf::GgufFile;
use qk256::model::{Architecture, Context, ContextParams, LoadParams, Model, Node};
use tempfile::tempdir;

/// The tokens of the logits that lie beside the shared models.
const TOKENS: [u32; 8] = [1, 5, 7, 9, 100, 31, 2, 8];

/// The build whose arithmetic the forward pass follows.
fn strict() -> Option<&'static Build> {
    let build = cpp_shim::builds()
        .iter()
        .find(|build| build.id() == "bitnet.cpp/strict" && build.availability().is_ok());
    if build.is_none() || !cfg!(target_arch = "x86_64") {
        eprintln!("skipped: bitnet.cpp/strict does not run on this machine, or not as AVX2 code");
        return None;
    }
    build
}

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

/// What is decoded, and how.
#[derive(Debug, Clone)]
struct Run {
    /// Tokens of each decode.
    decodes: Vec<Vec<u32>>,
    n_ctx: usize,
    n_ubatch: usize,
    threads: usize,
}

impl Run {
    fn of(decodes: &[&[u32]]) -> Run {
        Run {
            decodes: decodes.iter().map(|tokens| tokens.to_vec()).collect(),
            n_ctx: 64,
            n_ubatch: 64,
            threads: 1,
        }
    }
}

/// `n` tokens that fit every small vocabulary.
fn tokens(n: usize) -> Vec<u32> {
    (0..n).map(|i| (i * 37 % 311) as u32).collect()
}

/// The nodes of one decode, by name and occurrence.
type Nodes = HashMap<(String, usize), Vec<f32>>;

/// Whether a node has a name and values of its own, so that the forward pass must have it too.
fn is_own(node: &cpp_shim::Node<'_>) -> bool {
    let view = ["VIEW", "RESHAPE", "PERMUTE", "TRANSPOSE", "CPY"].contains(&node.op);
    !view && !node.name.starts_with("node_") && node.element == "f32"
}

/// Decodes as `run` says on both sides and compares all nodes and logits.
fn compare(build: &Build, path: &Path, run: &Run) {
    let what = format!("{} {run:?}", path.display());
    let params = SessionParams {
        n_ctx: run.n_ctx as u32,
        n_batch: run.n_ctx as u32,
        n_ubatch: run.n_ubatch as u32,
        threads: run.threads as u32,
        ..SessionParams::default()
    };
    let mut session = build.load().unwrap().open(path, &params).unwrap();
    let file = GgufFile::open(path).unwrap();
    let model = Model::load(&file.view(), &LoadParams::default()).unwrap();
    let params = ContextParams {
        n_ctx: run.n_ctx,
        n_ubatch: run.n_ubatch,
        threads: run.threads,
        ..ContextParams::default()
    };
    let mut context = Context::new(&model, params).unwrap();
    assert_eq!(context.n_ctx(), session.n_ctx());
    let upstream = match model.config().architecture {
        Architecture::Bitnet | Architecture::Llama => "llama.cpp",
        Architecture::BitnetB158 | Architecture::Bitnet25 => "ggml ops of the shim",
    };
    assert_eq!(session.graph(), upstream);

    for tokens in &run.decodes {
        let mut wanted = Nodes::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        let ids: Vec<i32> = tokens.iter().map(|&token| token as i32).collect();
        session
            .decode_traced(&ids, &mut |node| {
                if is_own(&node) {
                    let occurrence = seen.entry(node.name.to_owned()).or_default();
                    let values = node.f32_values().expect("a node of f32");
                    wanted.insert((node.name.to_owned(), *occurrence), values);
                    *occurrence += 1;
                }
            })
            .unwrap();

        let mut sink = |node: Node<'_>| {
            let key = (node.name.to_owned(), node.occurrence);
            let wanted = wanted
                .remove(&key)
                .unwrap_or_else(|| panic!("{what}: no node {key:?}"));
            same_bits(&format!("{what}: node {key:?}"), node.values, &wanted);
            assert_eq!(node.ne.iter().product::<usize>(), node.values.len());
        };
        let logits = context.decode(tokens, &mut sink).unwrap();
        let mut missing: Vec<_> = wanted.into_keys().collect();
        missing.sort();
        assert!(
            missing.is_empty(),
            "{what}: the forward pass lacks {missing:?}"
        );

        let first = context.decoded() - tokens.len();
        for (i, logits) in logits.chunks_exact(model.vocabulary()).enumerate() {
            let wanted = session.logits(first + i).unwrap();
            same_bits(&format!("{what}: logits of {}", first + i), logits, wanted);
        }
    }
}

#[track_caller]
fn same_bits(what: &str, found: &[f32], wanted: &[f32]) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let differs = |(found, wanted): (&f32, &f32)| found.to_bits() != wanted.to_bits();
    if let Some(at) = found.iter().zip(wanted).position(differs) {
        let count = found
            .iter()
            .zip(wanted)
            .filter(|&pair| differs(pair))
            .count();
        let (found, wanted) = (found[at], wanted[at]);
        panic!("{what}: element {at} is {found:e}, wanted {wanted:e}; {count} differ");
    }
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
    let all = tokens(40);
    let run = Run {
        threads: 2,
        n_ubatch: 16,
        ..Run::of(&[&all[..39], &all[39..]])
    };
    compare_all(&run);
}

#[test]
fn relu_squared_under_the_older_name_with_scale_tensors() {
    let Some(build) = strict() else { return };
    let folder = tempdir().unwrap();
    let silu = GgufFile::open(&generate("tiny-bitnet-tq2_0", folder.path())).unwrap();
    let path = folder.path().join("bitnet-25.gguf");
    Draft::of(&silu.view()).renamed("bitnet-25").write(&path);
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
