//! Whole models on the command line: levels `node` and `logits` of `harness check`, and `harness logits`.

mod common;

use std::path::Path;

use common::{IDENTITY, assert_code, generate, harness, stderr, stdout, with_metadata};
use harness::inference::{Engine, InferenceParams};
use harness::participant::{Forward, OracleImplementation};
use qk256::gguf::{ArrayBuf, Value};
use tempfile::tempdir;
use testing::{MODELS, models, test};

/// The tokens of the logits that are stored with the shared models.
const TOKENS: &str = "1,5,7,9,100,31,2,8";

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of plain characters")
}

/// Reads shape and values of a file in NumPy's format.
fn npy(path: &Path) -> (String, Vec<f32>) {
    let bytes = std::fs::read(path).unwrap();
    let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let (header, data) = bytes[10..].split_at(header);
    let header = str::from_utf8(header).unwrap();
    let shape = header.split_once("'shape': ").unwrap().1;
    let values = data
        .as_chunks()
        .0
        .iter()
        .map(|&bytes| f32::from_le_bytes(bytes));
    (shape.split_once(", }").unwrap().0.into(), values.collect())
}

/// Runs a check, which must end with `code`, and returns its receipt.
#[track_caller]
fn receipt(code: i32, folder: &Path, model: &Path, options: &[&str]) -> serde_json::Value {
    let receipt = folder.join("receipt.json");
    let args = ["check", text(model), "--receipt", text(&receipt)];
    let output = harness(&[&args, options].concat());
    assert_code(&output, code);
    serde_json::from_slice(&std::fs::read(receipt).unwrap()).unwrap()
}

#[track_caller]
fn assert_logits_are_the_stored_ones(backend: &str) {
    let folder = tempdir().unwrap();
    let file = folder.path().join("logits.npy");
    for model in models() {
        let stored = std::fs::read(model.with_extension("logits.f32")).unwrap();
        let args = [
            "logits",
            text(&model),
            "--tokens",
            TOKENS,
            "--backend",
            backend,
        ];
        let output = harness(&[&args[..], &["--force", "--out", text(&file)]].concat());
        assert_code(&output, 0);
        assert!(stdout(&output).contains("8 positions x 320 logits"));
        let (shape, logits) = npy(&file);
        let bytes: Vec<u8> = logits
            .iter()
            .flat_map(|logit| logit.to_le_bytes())
            .collect();
        assert_eq!(shape, "(8, 320)");
        assert!(bytes == stored, "{} {backend}", model.display());
    }
}

#[test(needs(MODELS))]
fn logits_of_the_rust_forward_pass_equal_the_stored_ones() {
    assert_logits_are_the_stored_ones("rust");
}

#[test(needs(MODELS, IDENTITY))]
fn logits_of_the_oracle_equal_the_stored_ones() {
    assert_logits_are_the_stored_ones(common::identity().unwrap().id());
}

/// The file with the logits of a text longer than what is decoded at once.
fn long_logits(backend: &str, threads: &str) -> Vec<u8> {
    let folder = tempdir().unwrap();
    let model = generate("tiny-bitnet-i2_s", folder.path());
    let tokens: Vec<String> = (0..150).map(|i| (i * 37 % 311).to_string()).collect();
    let file = folder.path().join("long.npy");
    let args = [
        "logits",
        text(&model),
        "--tokens",
        &tokens.join(","),
        "--backend",
        backend,
    ];
    let options = ["--threads", threads, "--out", text(&file)];
    assert_code(&harness(&[&args[..], &options].concat()), 0);
    std::fs::read(file).unwrap()
}

#[test]
fn a_long_text_does_not_depend_on_threads() {
    assert!(long_logits("rust", "1") == long_logits("rust", "2"));
}

#[test(needs(IDENTITY))]
fn a_long_text_is_decoded_as_the_oracle_decodes_it() {
    assert!(long_logits("rust", "1") == long_logits(common::identity().unwrap().id(), "1"));
}

#[test]
fn a_failed_run_reports_the_reason_and_leaves_no_file() {
    let folder = tempdir().unwrap();
    let model = generate("tiny-bitnet-i2_s", folder.path());
    let other = folder.path().join("mamba.gguf");
    with_metadata(
        &model,
        &other,
        &[("general.architecture", Value::Str("mamba"))],
    );
    let (model, other) = (text(&model), text(&other));
    let file = folder.path().join("logits.npy");
    let nowhere = folder.path().join("no/such/folder/logits.npy");
    let cases: [(&str, &[&str], &Path, i32, &str); 6] = [
        (model, &["--tokens", "1,320"], &file, 2, "token 320"),
        (model, &["--tokens", "1,x"], &file, 2, "'x'"),
        (
            model,
            &["--tokens", "1", "--backend", "abacus"],
            &file,
            2,
            "there are: rust",
        ),
        (model, &["--tokens", "1"], &nowhere, 3, "logits.npy"),
        (
            other,
            &["--tokens", "1"],
            &file,
            3,
            "\"mamba\" is not supported",
        ),
        ("missing.gguf", &["--tokens", "1"], &file, 3, "missing.gguf"),
    ];
    for (model, options, file, code, printed) in cases {
        let args = [&["logits", model], options, &["--out", text(file)]].concat();
        let output = harness(&args);
        assert_code(&output, code);
        assert!(
            stderr(&output).contains(printed),
            "{args:?}: {}",
            stderr(&output)
        );
        assert!(!file.exists(), "{args:?}");
    }
    let left = folder.path().read_dir().unwrap().count();
    assert_eq!(left, 2, "a run left something behind");
}

#[test(needs(IDENTITY))]
fn a_receipt_names_the_graph_of_the_oracle() {
    let folder = tempdir().unwrap();
    let graphs = [
        ("tail-bitnet-tq2_0", "llama.cpp"),
        ("tiny-bitnet-b1.58-tq2_0", "ggml ops of the shim"),
    ];
    for (recipe, graph) in graphs {
        let model = generate(recipe, folder.path());
        let receipt = receipt(0, folder.path(), &model, &["--level", "lut,node,logits"]);
        let graph_of =
            |level: usize| &receipt["harness"]["check"]["levels"][level]["outcomes"][0]["graph"];
        assert!(graph_of(0).is_null(), "no model runs on the lut level");
        assert_eq!([graph_of(1), graph_of(2)], [graph; 2], "{recipe}");
    }
}

#[test(needs(IDENTITY))]
fn a_receipt_records_how_the_model_was_run() {
    let folder = tempdir().unwrap();
    let model = generate("tail-llama-tq1_0", folder.path());
    let options = [
        "--level",
        "node,logits",
        "--tokens",
        "9,8,7,6,5",
        "--threads",
        "2",
    ];
    let options = [&options[..], &["--kernel", "tq1_0.scalar"]].concat();
    let receipt = receipt(0, folder.path(), &model, &options);
    let inference = &receipt["harness"]["check"]["inference"];
    assert_eq!(inference["arithmetic"], "avx2");
    assert_eq!(
        inference["decoding"]["tokens"],
        serde_json::json!([9, 8, 7, 6, 5])
    );
    assert_eq!(inference["decoding"]["params"]["threads"], 2);
    assert_eq!(
        inference["decoding"]["decodes"],
        serde_json::json!([3, 1, 1])
    );
    // Only the requested kernel was used.
    assert_eq!(receipt["kernels"], serde_json::json!(["tq1_0.scalar"]));
    let node = &receipt["harness"]["check"]["levels"][0]["outcomes"][0];
    assert_eq!(
        (&node["candidate"], &node["verdict"]),
        (&"rust".into(), &"exact".into())
    );
    let kinds = node["nodes"].as_array().unwrap();
    let of = |kind: &str| kinds.iter().find(|node| node["kind"] == kind).unwrap();
    // Two layers, two batches of the prefill and two single tokens.
    for kind in ["attn_norm", "kq", "kqv_out", "ffn_silu", "l_out"] {
        assert_eq!(
            (&of(kind)["nodes"], &of(kind)["identical"]),
            (&8.into(), &8.into())
        );
    }
    assert_eq!(
        (&of("kq")["op"], &of("result_output")["nodes"]),
        (&"MUL_MAT".into(), &4.into())
    );
    let logits = &receipt["harness"]["check"]["levels"][1]["outcomes"];
    assert_eq!(logits[0]["logits"]["measures"]["positions"], 5);
    assert_eq!(logits[0]["logits"]["measures"]["kl_divergence"], 0.0);
    assert!(logits[0]["logits"]["noise_floor"].is_null());
}

#[test(needs(IDENTITY))]
fn models_that_cannot_run_are_unsupported_with_a_reason() {
    let folder = tempdir().unwrap();
    let model = generate("tiny-llama-tq2_0", folder.path());
    let other = folder.path().join("other.gguf");
    with_metadata(
        &model,
        &other,
        &[("general.architecture", Value::Str("mamba"))],
    );
    let cases: [(&Path, &[&str], &str); 2] = [
        (&other, &[], "architecture \"mamba\" is not supported"),
        (
            &model,
            &["--kernel", "tq1_0.scalar"],
            "which no kernel that was asked for multiplies",
        ),
    ];
    for (model, options, reason) in cases {
        let run_only = [&["check", text(model), "--level", "node,logits"], options].concat();
        let output = harness(&run_only);
        assert_code(&output, 4);
        assert!(stdout(&output).contains(reason), "{}", stdout(&output));
        assert!(stdout(&output).contains("node: unsupported (0 comparisons)"));
    }
    // The levels below compare the tensors of any model, but do not decide the verdict.
    let output = harness(&["check", text(&other), "--kernel", "tq2_0.scalar"]);
    assert_code(&output, 4);
    let printed = stdout(&output);
    assert!(
        printed.contains("; exact with ") && printed.contains("logits: unsupported"),
        "{printed}"
    );
}

#[test(needs(IDENTITY))]
fn invalid_tokens_are_refused() {
    let folder = tempdir().unwrap();
    let model = generate("tiny-llama-tq2_0", folder.path());
    for options in [
        &["--tokens", "320"][..],
        &["--tokens", "1", "--prompt", "a"],
        &["--threads", "0"],
    ] {
        assert_code(&harness(&[&["check", text(&model)], options].concat()), 2);
    }
}

#[test(needs(IDENTITY))]
fn a_prompt_is_tokenized_with_the_models_own_vocabulary() {
    let folder = tempdir().unwrap();
    let original = generate("tiny-bitnet-i2_s", folder.path());
    let model = folder.path().join("vocabulary.gguf");
    let token = |id: usize| match id {
        0 => ("<unk>".to_owned(), 2),
        1 => ("<s>".into(), 3),
        2 => ("</s>".into(), 3),
        3..259 => (format!("<0x{:02X}>", id - 3), 6),
        // This kind of tokenizer represents a leading space as U+2581.
        259 => ("\u{2581}a".into(), 1),
        _ => (format!("unused{id}"), 1),
    };
    let tokens = ArrayBuf::strings((0..320).map(|id| token(id).0));
    let kinds: Vec<i32> = (0..320).map(|id| token(id).1).collect();
    let scores: Vec<f32> = (0..320).map(|id| -(id as f32)).collect();
    let (kinds, scores) = (ArrayBuf::from(&kinds[..]), ArrayBuf::from(&scores[..]));
    let metadata = [
        ("tokenizer.ggml.model", Value::Str("llama")),
        ("tokenizer.ggml.tokens", Value::from(&tokens)),
        ("tokenizer.ggml.scores", Value::from(&scores)),
        ("tokenizer.ggml.token_type", Value::from(&kinds)),
    ];
    with_metadata(&original, &model, &metadata);
    let options = ["--level", "logits", "--prompt", "a"];
    let receipt = receipt(0, folder.path(), &model, &options);
    let tokens = &receipt["harness"]["check"]["inference"]["decoding"]["tokens"];
    assert_eq!(*tokens, serde_json::json!([1, 259]));
}

#[test(needs(IDENTITY))]
fn two_models_are_open_in_both_implementations_at_once() {
    let folder = tempdir().unwrap();
    let first = generate("tiny-bitnet-i2_s", folder.path());
    let second = generate("tiny-llama-tq2_0", folder.path());
    let oracle = OracleImplementation::new(common::identity().unwrap().load().unwrap());
    let rust = Forward::new(Vec::new());
    let alone = |engine: &dyn Engine, model: &Path| {
        let mut logits = Vec::new();
        let mut work = |inference: &mut dyn harness::inference::Inference| {
            logits = inference.decode(&[1, 5, 7], None).unwrap();
        };
        engine
            .with_model(model, &InferenceParams::default(), &mut work)
            .unwrap();
        logits
    };
    for engine in [&oracle as &dyn Engine, &rust] {
        let mut together = Vec::new();
        let mut work = |inference: &mut dyn harness::inference::Inference| {
            together.extend(inference.decode(&[1, 5], None).unwrap());
            together.push(alone(engine, &second)[0]);
            together.extend(inference.decode(&[7], None).unwrap());
        };
        engine
            .with_model(&first, &InferenceParams::default(), &mut work)
            .unwrap();
        let other = together.remove(2 * 320);
        assert_eq!(together, alone(&rust, &first), "{}", engine.id());
        assert_eq!(other, alone(&rust, &second)[0], "{}", engine.id());
    }
}

#[test(needs(IDENTITY))]
fn the_report_of_a_models_levels() {
    let folder = tempdir().unwrap();
    let model = generate("tiny-bitnet-i2_s", folder.path());
    let options = [
        "--level",
        "node,logits",
        "--oracle",
        common::identity().unwrap().id(),
    ];
    let output = harness(&[&["check", text(&model)], &options[..]].concat());
    assert_code(&output, 0);
    insta::assert_snapshot!("model_levels", stdout(&output));
}

fn main() -> std::process::ExitCode {
    testing::main()
}
