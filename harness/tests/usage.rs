//! Valid command lines, and the errors of invalid ones.

mod common;

use std::path::Path;

use common::{ORACLE, assert_code, generate, harness, harness_in, stderr, stdout};
use tempfile::{TempDir, tempdir};
use testing::test;

/// A folder with the model `model.gguf`.
fn folder() -> TempDir {
    let folder = tempdir().unwrap();
    let model = generate("tiny-llama-tq2_0", folder.path());
    std::fs::rename(model, folder.path().join("model.gguf")).unwrap();
    folder
}

/// Runs a command that must end with this code, and returns its error.
#[track_caller]
fn error(folder: &Path, args: &[&str], code: i32) -> String {
    let output = harness_in(folder, args);
    assert_code(&output, code);
    assert!(output.stdout.is_empty(), "{args:?}: {}", stdout(&output));
    stderr(&output)
}

#[test]
fn defaults_are_shown_as_they_are_accepted() {
    fn walk(command: &clap::Command) {
        for argument in command.get_arguments() {
            let defaults = argument.get_default_values();
            // Several values would be printed with spaces in between, which no option accepts.
            assert!(
                defaults.len() <= 1,
                "{} of {}",
                argument.get_id(),
                command.get_name()
            );
        }
        command.get_subcommands().for_each(walk);
    }
    walk(&harness::cli::command());
    let levels = "lut,block,tensor,node,logits";
    let help = stdout(&harness(&["check", "--help"]));
    assert!(help.contains(&format!("[default: {levels}]")), "{help}");
    let parsed =
        harness::cli::command().try_get_matches_from(["harness", "check", "--level", levels]);
    assert!(parsed.is_ok());
}

#[test(needs(ORACLE))]
fn near_ids_are_suggested_everywhere() {
    let folder = folder();
    let cases: [(&[&str], i32, &str); 12] = [
        (&["check", "--kernel=tq2_0.scaler"], 2, "tq2_0.scalar"),
        (&["check", "--oracle=strict"], 2, "bitnet.cpp/strict"),
        (&["check", "tiny-lama"], 3, "`tiny-llama-"),
        (&["check", "--level=lutt"], 2, "lut"),
        (&["fuzz", "--kernel=tq2_0.avx"], 2, "tq2_0.avx2"),
        (&["bench", "--kernel=TQ2_0.scalar"], 2, "tq2_0.scalar"),
        (&["bench", "--model=tiny-lama"], 3, "`tiny-llama-"),
        (&["nightly", "--recipe=defautl"], 3, "default"),
        (&["synth", "defult", "-o=x.gguf"], 3, "default"),
        (
            &[
                "logits",
                "model.gguf",
                "--tokens=1",
                "--out=x",
                "--backend=strict",
            ],
            2,
            "bitnet.cpp/strict",
        ),
        (
            &["dump-lut", "model.gguf", "--tensor=ffn_down"],
            3,
            "blk.0.ffn_down.weight",
        ),
        (
            &["dump-lut", "model.gguf", "--oracle=bitnet.cpp/srict"],
            2,
            "bitnet.cpp/strict",
        ),
    ];
    for (args, code, near) in cases {
        let error = error(folder.path(), args, code);
        // clap writes "a similar value exists".
        assert!(
            error.contains("did you mean") || error.contains("similar"),
            "{error}"
        );
        assert!(error.contains(near), "{args:?}: {error}");
        assert!(error.len() < 300, "{error}");
    }
}

#[test]
fn invalid_numbers_are_refused_with_a_clear_message() {
    let folder = tempdir().unwrap();
    let last = u64::MAX.to_string();
    let start = format!("--start={last}");
    let cases: [(&[&str], &str); 11] = [
        (&["fuzz", &start, "--cases=5"], &last),
        (&["fuzz", &start, "--time=1"], &last),
        (&["fuzz", "--start=1", "--cases", &last], &last),
        (
            &[
                "fuzz",
                "--shard=2/2",
                "--start=9",
                "--cases=9223372036854775807",
            ],
            &last,
        ),
        (&["fuzz", "--time=0"], "more than zero"),
        (&["fuzz", "--time=soon"], "90s"),
        (&["check", "--patience=0s"], "more than zero"),
        (&["nightly", "--fuzz-time=0m"], "more than zero"),
        (&["check", "--threads=0"], "1 or more"),
        (&["bench", "--threads=1,0"], "1 or more"),
        (
            &["logits", "m", "--out=x", "--tokens=1", "--threads=none"],
            "1 or more",
        ),
    ];
    for (args, words) in cases {
        let error = error(folder.path(), args, 2);
        assert!(error.contains(words), "{args:?}: {error}");
        assert!(!error.contains("non-zero type"), "{error}");
    }
}

#[test(needs(ORACLE))]
fn seconds_need_no_unit() {
    let folder = tempdir().unwrap();
    for time in ["--time=0.01", "--time=10ms"] {
        assert_code(&harness_in(folder.path(), &["fuzz", time]), 0);
    }
    let parsed = harness::cli::command().try_get_matches_from(["harness", "fuzz", "--time", "5"]);
    assert!(parsed.is_ok());
}

#[test(needs(ORACLE))]
fn a_prompt_is_used_or_an_error() {
    let folder = folder();
    // Synthetic models have no vocabulary.
    let prompt = "--prompt=The capital of France is";
    let words = error(folder.path(), &["check", "model.gguf", prompt], 3);
    assert!(
        words.contains("--prompt") && words.contains("tokenizer"),
        "{words}"
    );
    for option in [prompt, "--tokens=1"] {
        let words = error(
            folder.path(),
            &["check", "model.gguf", "--level=lut", option],
            2,
        );
        assert!(words.contains("node or logits"), "{words}");
    }
}

#[test(needs(ORACLE))]
fn an_existing_path_is_a_file() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("README.md"), "# A page").unwrap();
    std::fs::write(folder.path().join("default"), "no model").unwrap();
    for name in ["README.md", "./README.md", "default"] {
        let words = error(folder.path(), &["check", name], 3);
        assert!(words.contains("not a GGUF file"), "{words}");
        let words = error(folder.path(), &["bench", "--quick", "--model", name], 3);
        assert!(words.contains("not a GGUF file"), "{words}");
    }
    let words = error(folder.path(), &["check", "READYOU.md"], 3);
    assert!(words.contains("no file and no recipe"), "{words}");
}

#[test]
fn a_file_is_replaced_only_with_force() {
    let folder = folder();
    let commands: [&[&str]; 2] = [
        &["logits", "model.gguf", "--tokens=1", "--out=there"],
        &["synth", "tiny-llama-tq2_0", "--output=there"],
    ];
    for command in commands {
        let path = folder.path().join("there");
        std::fs::write(&path, "precious").unwrap();
        let words = error(folder.path(), command, 3);
        assert!(words.contains("--force"), "{words}");
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        assert_code(
            &harness_in(folder.path(), &[command, &["--force"]].concat()),
            0,
        );
        assert_ne!(std::fs::read(&path).unwrap(), b"precious");
    }
}

#[test(needs(ORACLE))]
fn errors_name_a_file_once() {
    let folder = folder();
    std::fs::write(folder.path().join("unique.gguf"), "GGUF").unwrap();
    std::fs::write(folder.path().join("unique.json"), "{}").unwrap();
    std::fs::write(folder.path().join("unique.toml"), "seed = x").unwrap();
    let whole = std::fs::read(folder.path().join("model.gguf")).unwrap();
    std::fs::write(
        folder.path().join("unique-cut.gguf"),
        &whole[..whole.len() / 2],
    )
    .unwrap();
    let commands: [&[&str]; 31] = [
        &["check", "unique.gguf"],
        &["check", "unique-cut.gguf"],
        &["check", "no-unique.gguf"],
        &["check", "unique/none"],
        &["check", "no-unique"],
        &["check", "no-unique.toml"],
        &["check", "unique.toml"],
        &[
            "check",
            "model.gguf",
            "--level=lut",
            "--receipt=unique/receipt.json",
        ],
        &["logits", "unique.gguf", "--tokens=1", "--out=out.npy"],
        &["logits", "model.gguf", "--tokens=1", "--out=unique/out.npy"],
        &["logits", "model.gguf", "--tokens=1", "--out=unique.json"],
        &["dump-lut", "unique.gguf"],
        &["dump-lut", "model.gguf", "--tensor=unique"],
        &["dump-lut", "model.gguf", "--svg=unique/layout.svg"],
        &["synth", "unique.toml", "-o=out.gguf"],
        &["synth", "default", "-o=unique.json"],
        &["synth", "tiny-llama-tq2_0", "-o=unique/out.gguf"],
        &["replay", "unique.json"],
        &["replay", "no-unique.json"],
        &["bench", "--quick", "--model=unique.gguf"],
        &["bench", "--quick", "--model=no-unique"],
        &["verify-receipt", "unique.json"],
        &["verify-receipt", "no-unique.json"],
        &["merge", "unique.json", "-o=out.json"],
        &["gate", "out.json", "--baseline=unique.json"],
        &["gate", "out.json", "--baseline=no-unique.json"],
        &["baseline", "accept", "no-unique.json", "-o=out.json"],
        &["baseline", "accept", "out.json", "-o=unique.json"],
        &["report", "no-unique.json", "-o=out"],
        &["report", "unique.json", "-o=out"],
        &["man", "unique.json/pages"],
    ];
    for args in commands {
        let words = error(folder.path(), args, 3);
        assert_eq!(words.matches("unique").count(), 1, "{args:?}: {words}");
    }
}

#[test(needs(ORACLE))]
fn a_missing_temporary_folder_is_named() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_harness"))
        .args(["check", "tiny-llama-tq2_0", "--level=lut"])
        .env("TMPDIR", "/no/such/folder")
        .output()
        .unwrap();
    assert_code(&output, 3);
    let words = stderr(&output);
    assert!(words.contains("TMPDIR"), "{words}");
    assert_eq!(words.matches("/no/such/folder").count(), 1, "{words}");
}

fn main() -> std::process::ExitCode {
    testing::main()
}
