//! Damaged and inconsistent files: an oracle in a worker gives an answer or a clear error, the Rust forward pass gives
//! the same answer or a typed error, and this process survives.

#[path = "../common/mod.rs"]
mod common;
mod spoiler;

use std::fs;
use std::path::Path;

use common::oracles::build;
use common::{IDENTITY, ORACLE, assert_code, generate, harness, stderr, stdout};
use harness::inference::{Inference, InferenceError, InferenceParams};
use harness::participant::worker::{Worker, WorkerParams};
use qk256::gguf::{GgufFile, Value};
use qk256::kernel::Vintage;
use qk256::model::{Context, ContextParams, LoadParams, Model, NoTrace};
use rayon::prelude::*;
use rustix::process::{Resource, Rlimit, setrlimit};
use spoiler::{Case, Spoiler};
use tempfile::tempdir;
use testing::test;

const TOKENS: [u32; 5] = [1, 5, 7, 9, 100];

/// Runs the Rust forward pass on a file.
fn rust(path: &Path, tokens: &[u32], params: &InferenceParams) -> Result<Vec<f32>, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let file = GgufFile::open(path).map_err(|error| text(&error))?;
    let load = LoadParams {
        // That of the first oracle.
        vintage: Vintage::Of2024,
        ..LoadParams::default()
    };
    let model = Model::load(&file.view(), &load).map_err(|error| text(&error))?;
    let params = ContextParams {
        n_ctx: params.n_ctx,
        n_ubatch: params.n_ubatch,
        threads: params.threads,
        ..ContextParams::default()
    };
    let mut context = Context::new(&model, params).map_err(|error| text(&error))?;
    context
        .decode(tokens, &mut NoTrace)
        .map_err(|error| text(&error))
}

/// Runs an oracle on a file in a worker.
fn oracle(
    id: &str,
    path: &Path,
    tokens: &[u32],
    params: &InferenceParams,
) -> Result<Vec<f32>, InferenceError> {
    let worker = WorkerParams {
        program: env!("CARGO_BIN_EXE_harness").into(),
        ..WorkerParams::default()
    };
    Worker::open(id, path, params, &worker)?.decode(tokens, None)
}

/// Checks the results of both implementations for a file. Returns the error by which a worker was lost, if it was.
fn judge(id: &str, path: &Path, case: &Case) -> Result<Option<InferenceError>, String> {
    fs::write(path, &case.file).unwrap();
    let params = InferenceParams {
        n_ctx: 64,
        n_ubatch: 64,
        threads: 1,
    };
    let rust = rust(path, &TOKENS, &params);
    let oracle = oracle(id, path, &TOKENS, &params);
    fs::remove_file(path).unwrap();
    let what = &case.what;
    match (rust, oracle) {
        (Ok(rust), Ok(oracle)) => match first_difference(&rust, &oracle) {
            Some(at) if follows(id) => Err(format!("{what}: logit {at} differs")),
            _ => Ok(None),
        },
        (Ok(_), Err(error)) if !NOT_READ.iter().any(|key| what.contains(key)) => Err(format!(
            "{what}: the forward pass has an answer, but {error}"
        )),
        (_, Err(InferenceError::Lost { how, .. })) if !how.starts_with("died (signal") => {
            Err(format!("{what}: {how}"))
        }
        (_, Err(error @ InferenceError::Lost { .. })) => Ok(Some(error)),
        (_, Err(error @ InferenceError::Unsupported { .. })) => Err(format!("{what}: {error}")),
        _ => Ok(None),
    }
}

/// Keys that the forward pass does not use, so that it need not refuse their values.
const NOT_READ: [&str; 6] = [
    "general.name",
    "general.file_type",
    "tokenizer.ggml",
    ".context_length",
    "no bitnet.vocab_size",
    "no llama.vocab_size",
];

/// Whether the forward pass reproduces this oracle's arithmetic on this machine.
fn follows(id: &str) -> bool {
    id == "bitnet.cpp/strict" && IDENTITY.is_met()
}

/// The first logit that differs between both implementations. All NaN count as equal.
fn first_difference(a: &[f32], b: &[f32]) -> Option<usize> {
    if a.len() != b.len() {
        return Some(a.len().min(b.len()));
    }
    let differs = |(a, b): (&f32, &f32)| a.to_bits() != b.to_bits() && !(a.is_nan() && b.is_nan());
    a.iter().zip(b).position(differs)
}

/// Checks both implementations on a valid file of this recipe and on all its malformed versions.
fn take_everything(recipe: &str, spoil: impl FnOnce(&mut Spoiler<'_>)) {
    let id = build().id();
    limit_memory();
    let folder = tempdir().unwrap();
    let file = GgufFile::open(&generate(recipe, folder.path())).unwrap();
    let mut spoiler = Spoiler {
        good: file.view(),
        cases: Vec::new(),
    };
    spoil(&mut spoiler);
    let judged: Vec<_> = spoiler
        .cases
        .par_iter()
        .enumerate()
        .map(|(index, case)| judge(id, &folder.path().join(format!("{index}.gguf")), case))
        .collect();
    let wrong: Vec<&String> = judged
        .iter()
        .filter_map(|judged| judged.as_ref().err())
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {}: {wrong:#?}",
        wrong.len(),
        judged.len()
    );
    let lost = judged
        .iter()
        .filter(|judged| matches!(judged, Ok(Some(_))))
        .count();
    // Otherwise the files are not bad enough, or workers are not needed.
    assert!(
        lost > 0,
        "no worker was lost to any of {} files",
        judged.len()
    );
}

/// Memory limit of this process and each worker in bytes. Large allocations for a file's announced sizes fail, which
/// the forward pass in this process would not survive.
const MEMORY: u64 = 2 << 30;

fn limit_memory() {
    let limit = Rlimit {
        current: Some(MEMORY),
        maximum: Some(MEMORY),
    };
    setrlimit(Resource::Data, limit).expect("a limit can be lowered");
}

#[test(needs(ORACLE))]
fn wrong_metadata() {
    for recipe in ["tiny-bitnet-i2_s", "tiny-llama-tq2_0"] {
        take_everything(recipe, |spoiler| {
            let architecture = spoiler.good.str("general.architecture").unwrap();
            let optional = [
                ("rope.dimension_count", Value::U32(8)),
                ("rope.scaling.factor", Value::F32(2.0)),
                ("rope.scaling.type", Value::Str("yarn")),
                ("attention.key_length", Value::U32(32)),
                ("attention.value_length", Value::U32(32)),
                ("expert_count", Value::U32(8)),
            ];
            for (key, value) in optional {
                spoiler.added(&format!("{architecture}.{key}"), value);
            }
            spoiler.metadata();
        });
    }
}

#[test(needs(ORACLE))]
fn tensors_that_do_not_fit() {
    for recipe in ["tiny-bitnet-i2_s", "tiny-llama-tq2_0"] {
        take_everything(recipe, |spoiler| spoiler.tensors());
    }
}

#[test(needs(ORACLE))]
fn truncated_or_overwritten_bytes() {
    take_everything("tiny-bitnet-i2_s", |spoiler| spoiler.bytes());
}

#[test(needs(ORACLE))]
fn contexts_of_one_and_parameters_of_none() {
    let id = build().id();
    let folder = tempdir().unwrap();
    let path = generate("tiny-bitnet-i2_s", folder.path());
    let one = InferenceParams {
        n_ctx: 1,
        n_ubatch: 1,
        threads: 1,
    };
    let (ours, theirs) = (
        rust(&path, &[7], &one).unwrap(),
        oracle(id, &path, &[7], &one).unwrap(),
    );
    assert!(!follows(id) || first_difference(&ours, &theirs).is_none());
    for none in [
        InferenceParams { n_ctx: 0, ..one },
        InferenceParams { n_ubatch: 0, ..one },
        InferenceParams { threads: 0, ..one },
    ] {
        assert!(rust(&path, &[7], &none).is_err());
        let error = oracle(id, &path, &[7], &none).unwrap_err();
        assert!(matches!(error, InferenceError::Refused { .. }), "{error}");
    }
}

#[test(needs(IDENTITY))]
fn a_check_continues_when_its_oracles_die() {
    let folder = tempdir().unwrap();
    let file = GgufFile::open(&generate("tiny-bitnet-i2_s", folder.path())).unwrap();
    let mut spoiler = Spoiler {
        good: file.view(),
        cases: Vec::new(),
    };
    // A key whose type llama.cpp asserts.
    spoiler.spoil("a negative type of file", |parts| {
        let entry = parts
            .metadata
            .iter_mut()
            .find(|(key, _)| key == "general.file_type");
        entry.expect("the key is there").1 = Value::I32(-1);
    });
    let spoilt = folder.path().join("spoilt.gguf");
    fs::write(&spoilt, &spoiler.cases[0].file).unwrap();
    let output = harness(&[
        "check",
        spoilt.to_str().unwrap(),
        "--level",
        "tensor,node,logits",
    ]);
    assert_code(&output, 1);
    let text = stdout(&output);
    assert!(text.contains("tensor: exact"), "{text}");
    for level in ["node", "logits"] {
        assert!(text.contains(&format!("{level}: divergent")), "{text}");
    }
    let words = [
        "died (signal: 6 (SIGABRT))",
        "while opening",
        "GGML_ASSERT",
        "reference_wrong",
    ];
    for words in words {
        assert!(text.contains(words), "no {words} in\n{text}");
    }
    let out = folder.path().join("logits.npy");
    let args = [
        "logits",
        spoilt.to_str().unwrap(),
        "--tokens",
        "1",
        "--out",
        out.to_str().unwrap(),
    ];
    let output = harness(&[&args[..], &["--backend", "bitnet.cpp/strict"]].concat());
    assert_code(&output, 3);
    assert!(stderr(&output).contains("died (signal: 6 (SIGABRT))") && !out.exists());
}

fn main() -> std::process::ExitCode {
    testing::main()
}
