//! Compares the forward pass in Rust with the strict oracle: every named node and every logit must be bit-identical.

use std::collections::HashMap;
use std::path::Path;

use cpp_shim::{Build, SessionParams};
use harness::participant::vintage_of;
use qk256::gguf::GgufFile;
use qk256::model::{Architecture, Context, ContextParams, LoadParams, Model, Node};

/// The build whose arithmetic the forward pass reproduces, for tests that need [`IDENTITY`](super::IDENTITY).
pub(crate) fn strict() -> &'static Build {
    super::identity().expect("the test says that it needs an identity build")
}

/// The tokens to decode and the parameters.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// Tokens of each decode.
    pub(crate) decodes: Vec<Vec<u32>>,
    pub(crate) n_ctx: usize,
    pub(crate) n_ubatch: usize,
    pub(crate) threads: usize,
}

impl Run {
    pub(crate) fn of(decodes: &[&[u32]]) -> Run {
        Run {
            decodes: decodes.iter().map(|tokens| tokens.to_vec()).collect(),
            n_ctx: 64,
            n_ubatch: 64,
            threads: 1,
        }
    }
}

/// `n` tokens that are in every small vocabulary.
pub(crate) fn tokens(n: usize) -> Vec<u32> {
    (0..n).map(|i| (i * 37 % 311) as u32).collect()
}

/// The nodes of one decode, by name and occurrence.
type Nodes = HashMap<(String, usize), Vec<f32>>;

/// Whether a node has a name and values of its own, so that the forward pass must have it too.
fn is_own(node: &cpp_shim::Node<'_>) -> bool {
    let view = ["VIEW", "RESHAPE", "PERMUTE", "TRANSPOSE", "CPY"].contains(&node.op);
    !view && !node.name.starts_with("node_") && node.element == "f32"
}

/// Decodes `run` with both implementations and compares all nodes and logits.
pub(crate) fn compare(build: &Build, path: &Path, run: &Run) {
    let what = format!("{} {run:?}", path.display());
    let params = SessionParams {
        n_ctx: run.n_ctx as u32,
        n_batch: run.n_ctx as u32,
        n_ubatch: run.n_ubatch as u32,
        threads: run.threads as u32,
        ..SessionParams::default()
    };
    let oracle = build.load().unwrap();
    let mut session = oracle.open(path, &params).unwrap();
    let file = GgufFile::open(path).unwrap();
    let load = LoadParams {
        vintage: vintage_of(Some(&oracle.description().upstream)),
        ..LoadParams::default()
    };
    let model = Model::load(&file.view(), &load).unwrap();
    let params = ContextParams {
        n_ctx: run.n_ctx,
        n_ubatch: run.n_ubatch,
        threads: run.threads,
        ..ContextParams::default()
    };
    let mut context = Context::new(&model, params).unwrap();
    assert_eq!(context.n_ctx(), session.n_ctx());
    let upstream = match model.config().architecture {
        Architecture::Bitnet | Architecture::Llama | Architecture::Qwen2 => "llama.cpp",
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
pub(crate) fn same_bits(what: &str, found: &[f32], wanted: &[f32]) {
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
