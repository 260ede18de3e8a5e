//! `harness check` as run by users: verdicts, exit codes, receipts.

mod common;

use common::{IDENTITY, ORACLE, assert_code, generate, harness, harness_in, stderr, stdout};
use harness::levels::Level;
use harness::verdict::Verdict;
use qk256::gguf::{Builder, GgmlType};
use serde_json::{Value, json};
use tempfile::tempdir;
use testing::{MODELS, models, test};

/// The levels that can be compared on this machine. The others are skipped and do not affect the verdict.
fn comparable() -> &'static [Level] {
    if IDENTITY.is_met() {
        &Level::ALL
    } else {
        &Level::OF_KERNELS
    }
}

/// Checks the lines `level: exact (n comparisons)` with n above zero.
#[track_caller]
fn assert_exact(text: &str) {
    for level in comparable() {
        let line = text
            .lines()
            .find(|line| line.trim_start().starts_with(&format!("{level}: ")));
        let line = line.unwrap_or_else(|| panic!("no line for {level} in\n{text}"));
        // As near to the second build as the first build is, and identical to the first.
        let held = line.contains(": exact (") || line.contains("; exact with ");
        assert!(held && !line.contains("(0 comparisons"), "{line}");
    }
    let last = text.lines().last().unwrap_or_default();
    let agrees = [Verdict::Exact, Verdict::WithinNoiseFloor];
    assert!(
        agrees
            .iter()
            .any(|v| last.ends_with(&format!("verdict: {v}"))),
        "{text}"
    );
}

#[test(needs(ORACLE))]
fn the_default_model_is_exact_on_every_level() {
    let folder = tempdir().unwrap();
    let output = harness_in(folder.path(), &["check", "--receipt", "receipt.json"]);
    assert_code(&output, 0);
    assert_exact(&stdout(&output));

    let receipt = std::fs::read_to_string(folder.path().join("receipt.json")).unwrap();
    let receipt: Value = serde_json::from_str(&receipt).unwrap();
    assert_eq!(receipt["compute_path"], "real");
    assert_eq!(receipt["backend"], "rust");
    assert_eq!(receipt["validation"]["backend"], "cpp");
    assert_eq!(receipt["parity"]["exact_match_rate"], 1.0);
    assert_eq!(receipt["parity"]["cosine_similarity"], 1.0);
    assert_eq!(receipt["parity"]["cpp_available"], true);
    assert_eq!(receipt["model_info"]["sha256"].as_str().unwrap().len(), 64);
    assert!(receipt["schema_version"].is_string() && receipt["timestamp"].is_string());
    assert!(receipt["environment"]["cpu_features"].is_array());
    let levels = receipt["harness"]["check"]["levels"].as_array().unwrap();
    assert_eq!(
        levels
            .iter()
            .map(|r| r["level"].as_str().unwrap())
            .collect::<Vec<_>>(),
        Level::ALL.map(Level::name)
    );
    let (compared, skipped) = levels.split_at(comparable().len());
    assert!(skipped.iter().all(|level| level["verdict"] == "skipped"));
    for level in compared {
        assert!(level["measures"]["comparisons"].as_u64().unwrap() > 1000);
        let outcomes = level["outcomes"].as_array().unwrap();
        // Tables of codes have no distance.
        let distance = match level["level"] == "lut" {
            true => Value::Null,
            false => 0.into(),
        };
        for outcome in outcomes.iter().filter(|o| o["verdict"] == "exact") {
            assert_eq!(outcome["measures"]["max_ulp"], distance, "{outcome}");
        }
        let held = outcomes.iter().filter(|o| o["noise_floor"].is_null());
        let verdicts: Vec<&Value> = held.map(|outcome| &outcome["verdict"]).collect();
        let known = ["exact", "known_divergence", "skipped"];
        assert!(
            verdicts
                .iter()
                .all(|v| known.iter().any(|known| *v == known)),
            "{verdicts:?}"
        );
    }
    // The list contains exactly the kernels of the model's types that this CPU can run.
    let kernels = receipt["kernels"].as_array().unwrap();
    for kernel in qk256::kernel::all()
        .iter()
        .filter(|kernel| kernel.format().id != "bitnet32")
    {
        let id = kernel.id();
        let called = kernels.iter().any(|called| *called == id);
        assert_eq!(called, kernel.availability().is_ok(), "{id}");
        let calls = receipt["harness"]["runs"][0]["calls"][id].as_u64();
        assert_eq!(calls > Some(0), called, "{id}");
    }
}

/// The gap is one of the oracle, not of this machine.
#[test(needs(IDENTITY))]
fn a_type_that_an_oracle_lacks_is_unsupported() {
    let folder = tempdir().unwrap();
    let model = generate("tiny-bitnet-i2_s", folder.path());
    let path = folder.path().join("receipt.json");
    let output = harness(&[
        "check",
        model.to_str().unwrap(),
        "--oracle",
        "llama.cpp/strict",
        "--oracle",
        "bitnet.cpp/strict",
        "--receipt",
        path.to_str().unwrap(),
    ]);
    assert_code(&output, 0);
    let text = stdout(&output);
    let line = "unsupported: oracle llama.cpp/strict: no type i2_s (id 36 in the file)";
    assert_eq!(text.lines().filter(|printed| *printed == line).count(), 1);
    assert!(!text.contains("skipped: oracle"), "{text}");

    let receipt: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let omission = json!({
        "kind": "unsupported",
        "who": "oracle llama.cpp/strict",
        "reason": "no type i2_s (id 36 in the file)",
    });
    assert_eq!(receipt["harness"]["check"]["omitted"][0], omission);
    // A CPU without AVX-512 has other skips too.
    let skips = receipt["harness"]["skips"].as_array().unwrap();
    assert!(skips.iter().any(|skip| skip["omission"] == omission));
}

#[test(needs(ORACLE, MODELS))]
fn models_that_bitnet_cpp_wrote_are_exact() {
    for model in models() {
        let levels: Vec<&str> = comparable().iter().map(|level| level.name()).collect();
        // A named model that was requested to run and did not is no agreement.
        let output = harness(&[
            "check",
            model.to_str().unwrap(),
            "--level",
            &levels.join(","),
        ]);
        assert_code(&output, 0);
        assert_exact(&stdout(&output));
    }
}

#[test(needs(ORACLE))]
fn only_the_selected_kernels_and_levels_run() {
    let folder = tempdir().unwrap();
    let model = generate("tiny-llama-tq2_0", folder.path());
    let oracle = cpp_shim::builds()[0].id();
    let args = [
        "check",
        model.to_str().unwrap(),
        "--level",
        "block",
        "--kernel",
        "tq2_0.scalar",
        "--oracle",
        oracle,
    ];
    let output = harness(&args);
    assert_code(&output, 0);
    let text = stdout(&output);
    assert!(
        text.contains("tq2_0.scalar") && text.contains(oracle),
        "{text}"
    );
    for absent in ["naive", "tensor", "lut"] {
        assert!(!text.contains(absent), "{absent} in\n{text}");
    }
}

#[test(needs(ORACLE))]
fn nothing_to_compare_is_no_agreement() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("plain.gguf");
    let mut builder = Builder::default();
    builder.metadata("general.architecture", "llama").unwrap();
    builder
        .tensor("norm.weight", &[4], GgmlType::F32, 16)
        .unwrap();
    let file = std::fs::File::create(&path).unwrap();
    builder
        .start(file)
        .unwrap()
        .tensor("norm.weight", &[0; 16])
        .unwrap()
        .finish()
        .unwrap();
    for command in ["check", "dump-lut"] {
        assert_code(&harness(&[command, path.to_str().unwrap()]), 4);
    }
    // A kernel of a type that is not in the model compares nothing either.
    let model = generate("tiny-llama-tq2_0", folder.path());
    let output = harness(&["check", model.to_str().unwrap(), "--kernel", "tq1_0.scalar"]);
    assert_code(&output, 4);
}

/// Runs the command, which must end with this code, name `part` and print no result.
#[track_caller]
fn assert_refused(args: &[&str], code: i32, part: &str) {
    let output = harness(args);
    assert_code(&output, code);
    let error = stderr(&output);
    assert!(error.contains(part), "{args:?}: {error}");
    assert!(output.stdout.is_empty(), "{args:?}");
}

#[test]
fn usage_errors_have_their_code_and_name_what_is_wrong() {
    let model = tempfile::Builder::new().suffix(".gguf").tempfile().unwrap();
    let model = model.path().to_str().unwrap();
    let cases: [(&[&str], &str); 5] = [
        (&["check", "--kernel", "i2_s.group128.abacus"], "abacus"),
        (&["check", "--level", "roof"], "roof"),
        (&["dump-lut"], "MODEL"),
        (&["checks"], "checks"),
        (
            &["dump-lut", model, "--oracle", "bitnet.cpp/nowhere"],
            "nowhere",
        ),
    ];
    for (args, part) in cases {
        assert_refused(args, 2, part);
    }
}

#[test(needs(ORACLE))]
fn input_errors_have_their_code_and_name_what_is_wrong() {
    let folder = tempdir().unwrap();
    let broken = folder.path().join("broken.gguf");
    std::fs::write(&broken, b"GGUF\x03\0\0\0").unwrap();
    assert_refused(&["check", "missing.gguf"], 3, "missing.gguf");
    assert_refused(&["check", broken.to_str().unwrap()], 3, "broken.gguf");
}

#[test]
fn help_documents_the_exit_codes_and_listings_are_plain_text_in_a_pipe() {
    let help = stdout(&harness(&["--help"]));
    for line in [
        "0  agreement",
        "1  divergence",
        "2  usage",
        "3  set-up",
        "4  nothing was compared",
    ] {
        assert!(help.contains(line), "{line} in\n{help}");
    }
    for args in [&["kernels"][..], &["oracle", "list"]] {
        let output = harness(args);
        assert_code(&output, 0);
        assert!(!stdout(&output).contains('\x1b'), "colour in a pipe");
    }
    let kernels = stdout(&harness(&["kernels"]));
    for kernel in qk256::kernel::all() {
        assert!(kernels.contains(kernel.id()), "{}", kernel.id());
    }
    let oracles = stdout(&harness(&["oracle", "list"]));
    for build in cpp_shim::builds() {
        assert!(oracles.contains(build.id()) && oracles.contains(build.provenance().checksum));
    }
}

#[test(needs(ORACLE))]
fn an_unwritable_receipt_is_an_error_that_names_it() {
    let folder = tempdir().unwrap();
    let model = generate("tiny-llama-tq2_0", folder.path());
    let receipt = folder.path().join("no/such/folder/receipt.json");
    let args = [
        "check",
        model.to_str().unwrap(),
        "--level",
        "lut",
        "--receipt",
        receipt.to_str().unwrap(),
    ];
    let output = harness(&args);
    assert_code(&output, 3);
    assert!(
        stderr(&output).contains("receipt.json"),
        "{}",
        stderr(&output)
    );
}

fn main() -> std::process::ExitCode {
    testing::main()
}
