//! Output of commands: text, JSON, colours, annotations, completions and manual pages.

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::{ORACLE, assert_code, generate, harness, harness_in, stderr, stdout};
use serde_json::Value;
use tempfile::{TempDir, tempdir};
use testing::test;

/// The words of all commands that do something, including subcommands of commands.
fn commands() -> Vec<Vec<String>> {
    fn add(command: &clap::Command, words: &[String], all: &mut Vec<Vec<String>>) {
        if !command.has_subcommands() {
            all.push(words.to_vec());
        }
        for inner in command
            .get_subcommands()
            .filter(|inner| inner.get_name() != "help")
        {
            add(
                inner,
                &[words, &[inner.get_name().to_owned()]].concat(),
                all,
            );
        }
    }
    let mut all = Vec::new();
    add(&harness::cli::command(), &[], &mut all);
    all
}

/// Arguments with which a command has a result and does little work. None if its output is for another program.
fn little_work(words: &str) -> Option<&'static [&'static str]> {
    Some(match words {
        "check" => &["model.gguf", "--level=lut"],
        "logits" => &["model.gguf", "--tokens=1", "--out=logits.npy"],
        "dump-lut" => &["model.gguf"],
        "synth" => &["tiny-llama-tq2_0", "-o=another.gguf"],
        "oracle list" => &[],
        "oracle show" => &["bitnet.cpp/strict"],
        "kernels" => &[],
        "mutants" => &["--descriptions"],
        "fuzz" => &["--cases=5", "--out=findings"],
        "replay" => &["case.json"],
        "bench" => &["--quick", "--model=tiny-llama-tq2_0", "--threads=1"],
        "verify-receipt" => &["receipt.json"],
        "merge" => &["receipt.json", "-o=merged.json"],
        "gate" => &["receipt.json", "--baseline=baseline.json"],
        "baseline accept" => &["receipt.json", "-o=baseline.json"],
        "report" => &["receipt.json", "-o=report"],
        "nightly" => &[
            "--recipe=tiny-llama-tq2_0",
            "--fuzz-cases=5",
            "--no-mutants",
            "--no-bench",
            "--out=night",
        ],
        // They compile a checkout: the tests of `oracle` look at what they print.
        "oracle add" | "oracle remove" => return None,
        "completions" | "man" | "worker" | "probe-oracle" => return None,
        other => panic!("no arguments for `harness {other}`: add some here"),
    })
}

/// A folder with a model, a case, a receipt and a baseline made from it.
fn folder() -> TempDir {
    let folder = tempdir().unwrap();
    let model = generate("tiny-llama-tq2_0", folder.path());
    std::fs::rename(model, folder.path().join("model.gguf")).unwrap();
    let regressions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/regressions");
    let case = regressions.read_dir().unwrap().next().unwrap().unwrap();
    std::fs::copy(case.path(), folder.path().join("case.json")).unwrap();
    for args in [
        &[
            "check",
            "model.gguf",
            "--level=lut",
            "--receipt=receipt.json",
        ][..],
        &["baseline", "accept", "receipt.json", "-o=baseline.json"],
    ] {
        assert_code(&harness_in(folder.path(), args), 0);
    }
    folder
}

#[test(needs(ORACLE))]
fn every_command_with_a_result_prints_it_as_one_json_document() {
    let folder = folder();
    for words in commands() {
        let Some(arguments) = little_work(&words.join(" ")) else {
            continue;
        };
        let mut line: Vec<&str> = words.iter().map(String::as_str).collect();
        line.extend(arguments);
        line.push("--format=json");
        let output = harness_in(folder.path(), &line);
        assert_code(&output, 0);
        let text = stdout(&output);
        let documents: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(&text)
            .into_iter()
            .collect();
        let documents = documents.unwrap_or_else(|error| panic!("{line:?}: {error} in\n{text}"));
        assert_eq!(documents.len(), 1, "{line:?}");
        assert!(
            documents[0].is_object() || documents[0].is_array(),
            "{line:?}"
        );
        // Commands that make a receipt print it, and it verifies.
        if ["check", "fuzz", "bench"].contains(&words[0].as_str()) {
            std::fs::write(folder.path().join("printed.json"), &text).unwrap();
            assert_code(
                &harness_in(folder.path(), &["verify-receipt", "printed.json"]),
                0,
            );
        }
    }
    assert_code(&harness(&["completions", "bash", "--format=json"]), 2);
}

#[test(needs(ORACLE))]
fn failures_are_documents_too() {
    let folder = folder();
    let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/baseline.json");
    let baseline = format!("--baseline={}", reports.display());
    let one = |args: &[&str], code| -> Value {
        let output = harness_in(folder.path(), args);
        assert_code(&output, code);
        serde_json::from_str(&stdout(&output)).unwrap()
    };
    let gate = one(&["gate", "receipt.json", &baseline, "--format=json"], 1);
    assert_eq!(gate["passed"], false);
    std::fs::write(folder.path().join("cut.json"), "{").unwrap();
    let files = [
        "verify-receipt",
        "cut.json",
        "receipt.json",
        "--format=json",
    ];
    let verified = one(&files, 3);
    assert!(verified[0]["error"].is_string() && verified[1]["error"].is_null());
    let nothing = [
        "check",
        "model.gguf",
        "--level=block",
        "--kernel=tq1_0.scalar",
    ];
    let check = one(&[&nothing[..], &["--format=json"]].concat(), 4);
    assert_eq!(check["harness"]["verdict"], "skipped");
}

#[test(needs(ORACLE))]
fn nothing_compared_comes_with_its_reason() {
    let folder = folder();
    std::fs::write(folder.path().join("findings"), "").unwrap();
    let cases: [&[&str]; 4] = [
        &["check", "model.gguf", "--kernel=tq1_0.scalar"],
        &["check", "model.gguf", "--kernel=tq1_0.scalar", "--quiet"],
        &[
            "check",
            "model.gguf",
            "--kernel=tq1_0.scalar",
            "--level=lut",
        ],
        &["replay", "receipt.json"],
    ];
    for args in cases {
        let output = harness_in(folder.path(), args);
        assert_code(&output, 4);
        let text = stdout(&output);
        let last = text.lines().last().unwrap_or_default();
        let reason = last.strip_prefix("no agreement: ");
        assert!(
            reason.is_some_and(|r| r.contains("model.gguf") || r.contains("receipt.json")),
            "{args:?}:\n{text}"
        );
    }
}

#[test(needs(ORACLE))]
fn quiet_prints_only_the_verdict() {
    let folder = folder();
    let args = ["check", "model.gguf", "--level=lut", "-q"];
    let output = harness_in(folder.path(), &args);
    assert_code(&output, 0);
    assert_eq!(stdout(&output).trim(), "verdict: exact");
    assert_eq!(stderr(&output), "");
    assert_code(&harness(&["kernels", "-q", "-v"]), 2);
}

fn with(env: &[(&str, &str)], folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "GITHUB_ACTIONS"] {
        command.env_remove(name);
    }
    let command = command.args(args).envs(env.iter().copied());
    command
        .current_dir(folder)
        .output()
        .expect("the harness starts")
}

#[test]
fn colours_follow_the_option() {
    let here = Path::new(".");
    for args in [
        &["kernels", "--help"][..],
        &["kernel"],
        &["kernels", "--kernel=x"],
    ] {
        let coloured = |choice: &[&str], env: &[(&str, &str)]| {
            let output = with(env, here, &[args, choice].concat());
            (stdout(&output) + &stderr(&output)).contains('\x1b')
        };
        assert!(coloured(&["--color=always"], &[]), "{args:?}");
        assert!(
            coloured(&["--color=always"], &[("NO_COLOR", "1")]),
            "{args:?}"
        );
        assert!(
            !coloured(&["--color=never"], &[("CLICOLOR_FORCE", "1")]),
            "{args:?}"
        );
        assert!(!coloured(&[], &[]), "{args:?}");
    }
    let oracles = |choice| stdout(&with(&[], here, &["oracle", "list", "--color", choice]));
    if !cpp_shim::builds().is_empty() {
        assert!(oracles("always").contains('\x1b'));
    }
    assert!(!oracles("never").contains('\x1b') && !oracles("auto").contains('\x1b'));
}

#[test]
fn failures_are_annotated_only_on_github() {
    let folder = tempdir().unwrap();
    let args = ["verify-receipt", "no,such:file.json"];
    let commands = |env: &[(&str, &str)]| {
        let output = with(env, folder.path(), &args);
        assert_code(&output, 3);
        let text = stderr(&output);
        let commands = text.lines().filter(|line| line.starts_with("::"));
        commands.map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(commands(&[]), [""; 0]);
    let output_text = commands(&[("GITHUB_ACTIONS", "true")]);
    assert_eq!(output_text.len(), 1);
    assert!(
        output_text[0].starts_with("::error title=harness::no,such:file.json"),
        "{output_text:?}"
    );
}

#[test(needs(ORACLE))]
fn failures_of_the_gate_are_annotated_on_github() {
    let folder = folder();
    let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/baseline.json");
    let baseline = format!("--baseline={}", reports.display());
    let args = ["gate", "receipt.json", &baseline, "--format=json"];
    let output = with(&[("GITHUB_ACTIONS", "true")], folder.path(), &args);
    assert_code(&output, 1);
    serde_json::from_str::<Value>(&stdout(&output)).unwrap();
    let text = stderr(&output);
    let commands = text
        .lines()
        .filter(|line| line.starts_with("::error title="));
    assert_eq!(commands.count(), 10, "{text}");
}

#[test]
fn completions_and_man_pages_cover_every_command() {
    let folder = tempdir().unwrap();
    assert_code(&harness_in(folder.path(), &["man", "pages"]), 0);
    let command = harness::cli::command();
    let visible: Vec<&str> = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .map(clap::Command::get_name)
        .collect();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = harness(&["completions", shell]);
        assert_code(&output, 0);
        let script = stdout(&output);
        for name in &visible {
            assert!(script.contains(name), "{name} for {shell}");
        }
    }
    for name in &visible {
        let page = folder.path().join(format!("pages/harness-{name}.1"));
        let page = std::fs::read_to_string(page).unwrap();
        assert!(
            page.contains(".SH NAME") && page.contains("Exit codes"),
            "{name}"
        );
    }
    assert!(folder.path().join("pages/harness.1").is_file());
}

fn main() -> std::process::ExitCode {
    testing::main()
}
