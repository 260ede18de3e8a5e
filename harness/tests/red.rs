//! Commands that fail on a model that an oracle computes wrongly: the exit code, the receipt, which verifies, and the
//! report made from it.

mod common;

use std::fs;
use std::path::Path;

use common::draft::Edit;
use common::{IDENTITY, assert_code, harness_in, harness_unread, stdout};
use harness::receipt::Receipt;
use harness::rewrite::ModelDraft;
use qk256::gguf::{GgmlType, GgufFile};
use tempfile::{TempDir, tempdir};
use testing::test;

/// Rows of weights +1 so wide that the oracle's int16 sums wrap if all activations are near the largest.
const RECIPE: &str = r#"
architecture = "bitnet"
seed = 1
rope_base = 10000.0
rms_epsilon = 1e-5
sizes = { embedding = 4096, feed_forward = 256, layers = 1, heads = 32, kv_heads = 1, vocabulary = 64, context = 512 }
embedding = { type = "f32", spread = 0.1 }
norms = { mean = 1.0, spread = 0.0 }
weights = { format = "i2_s.group128", code_shares = [3, 4, 3, 0], scale = [0.02, 0.08] }

[override.attn_v]
code_shares = [0, 0, 1, 0]
"#;

/// A folder with that model.
fn folder() -> TempDir {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("wraps.toml"), RECIPE).unwrap();
    assert_code(
        &harness_in(folder.path(), &["synth", "wraps.toml", "-o", "drawn.gguf"]),
        0,
    );
    let drawn = GgufFile::open(&at("drawn.gguf")).unwrap();
    let mut draft = ModelDraft::of(&drawn.view());
    let embedding = draft.tensor("token_embd.weight");
    assert_eq!(embedding.ggml_type, GgmlType::F32);
    for bytes in embedding.bytes.to_mut().as_chunks_mut::<4>().0 {
        *bytes = (1.0 + f32::from_le_bytes(*bytes)).to_le_bytes();
    }
    draft.save(&at("wraps.gguf"));
    folder
}

/// Runs a command that writes `receipt.json`, and again with JSON on a closed pipe. Returns the text.
#[track_caller]
fn assert_red(folder: &Path, args: &[&str]) -> String {
    let receipt = folder.join("receipt.json");
    let with_receipt = [args, &["--receipt=receipt.json"]].concat();
    let output = harness_in(folder, &with_receipt);
    assert_code(&output, 1);
    Receipt::read(&receipt).unwrap();
    assert_code(&harness_in(folder, &["verify-receipt", "receipt.json"]), 0);
    assert_code(
        &harness_in(folder, &["report", "receipt.json", "-o", "report"]),
        0,
    );
    let page = fs::read_to_string(folder.join("report/report.md")).unwrap();
    assert!(page.contains("bitnet.cpp/strict"), "{page}");

    // As JSON on a closed pipe.
    fs::remove_file(&receipt).unwrap();
    let unread = [&with_receipt[..], &["--format=json"]].concat();
    assert_code(&harness_unread(folder, &unread), 1);
    Receipt::read(&receipt).unwrap();
    stdout(&output)
}

#[test(needs(IDENTITY))]
fn a_check_of_what_an_oracle_computes_wrongly() {
    let folder = folder();
    let printed = assert_red(
        folder.path(),
        &["check", "wraps.gguf", "--level=node,logits"],
    );
    for words in [
        "reference_wrong",
        "MUL_MAT is wrong in node Vcur-0, layer 0 (in bitnet.cpp/strict;",
        "MUL_MAT is wrong in node Vcur-0, layer 0 (in bitnet.cpp/fma;",
        "verdict: divergent",
    ] {
        assert!(printed.contains(words), "{words}:\n{printed}");
    }
    assert!(!printed.contains("(in rust"), "{printed}");
}

#[test(needs(IDENTITY))]
fn a_bench_of_what_an_oracle_computes_wrongly() {
    let folder = folder();
    let args = ["bench", "--quick", "--threads=1", "--model=wraps.gguf"];
    let printed = assert_red(folder.path(), &args);
    assert!(printed.contains("differs: "), "{printed}");
}

#[test(needs(IDENTITY))]
fn mutants_without_the_oracle_that_locates_them() {
    let folder = tempdir().unwrap();
    let args = ["mutants", "--oracle=bitnet.cpp/fma"];
    let printed = assert_red(folder.path(), &args);
    assert!(
        printed.contains("misnamed: ") || printed.contains("survived: "),
        "{printed}"
    );
}

fn main() -> std::process::ExitCode {
    testing::main()
}
