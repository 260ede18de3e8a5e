//! Output of commands: it cannot control a terminal, and closed pipes do not change the result.

mod common;
#[path = "receipts/generated.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod generated;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output};

use common::draft::Edit;
use common::{
    ORACLE, assert_code, generate, harness_in, harness_unread, stderr, stdout, with_metadata,
};
use harness::outcome::Omission;
use harness::receipt::Receipt;
use harness::rerun::Rerun;
use harness::rewrite::ModelDraft;
use harness::shard::Shard;
use qk256::gguf::{GgufFile, Value};
use tempfile::{TempDir, tempdir};
use testing::test;

/// Text that sets a window's title, sets a colour, reverses the order of letters, hides itself, forges a line, and
/// closes a code span, a cell, an attribute and an element.
const HOSTILE: &str =
    "x\u{1b}]0;title\u{7}\u{1b}[31m\u{9b}1m\u{202e}\u{200b}\r\nverdict: exact\u{8}\"'`|<b>]]>&";

/// Asserts that text contains only visible characters and line ends.
#[track_caller]
fn assert_plain(what: &str, text: &str) {
    let hides = |c: char| {
        c != '\n'
            && (c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'))
    };
    assert!(!text.contains(hides), "{what}:\n{}", text.escape_debug());
}

/// Runs a command, checks both of its streams, and returns them.
#[track_caller]
fn plain(folder: &Path, args: &[&str]) -> (Output, String) {
    let output = harness_in(folder, args);
    let printed = format!("{}\n{}", stdout(&output), stderr(&output));
    assert_plain(&format!("{args:?}"), &printed);
    assert!(!printed.contains("\nverdict: exact\\u0008"), "{printed}");
    (output, printed)
}

/// A model whose first ternary tensor, architecture and file have hostile names.
fn hostile_models(folder: &TempDir) -> [String; 2] {
    let original = generate("tiny-llama-tq2_0", folder.path());
    let read = GgufFile::open(&original).unwrap();
    let mut draft = ModelDraft::of(&read.view());
    draft.tensor("blk.0.attn_q.weight").name = HOSTILE.into();
    draft.save(&folder.path().join("tensor.gguf"));
    let metadata = [("general.architecture", Value::Str(HOSTILE))];
    let path = "\u{1b}[31m\u{202e}architecture.gguf";
    with_metadata(&original, &folder.path().join(path), &metadata);
    ["tensor.gguf".into(), path.into()]
}

#[test(needs(ORACLE))]
fn names_in_models_cannot_control_a_terminal() {
    let folder = tempdir().unwrap();
    let [tensor, architecture] = hostile_models(&folder);
    let (_, output_text) = plain(folder.path(), &["dump-lut", &tensor, "--svg", "layout.svg"]);
    assert!(
        output_text.contains("x\\u001b]0;title\\u0007\\u001b[31m\\u009b1m\\u202e\\u200b"),
        "{output_text}"
    );
    plain(folder.path(), &["dump-lut", &tensor, "--tensor", "no such"]);
    let (output, _) = plain(folder.path(), &["dump-lut", &tensor, "--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["formats"][0]["tensors"][0]["name"], HOSTILE);
    for model in [&tensor, &architecture] {
        let args = [
            "check",
            model,
            "--receipt",
            "receipt.json",
            "--findings",
            "findings",
        ];
        plain(folder.path(), &args);
        plain(
            folder.path(),
            &["logits", model, "--tokens", "1", "--out", "logits.npy"],
        );
        plain(
            folder.path(),
            &["bench", "--quick", "--threads=1", "--model", model],
        );
        if folder.path().join("receipt.json").exists() {
            let args = ["report", "receipt.json", "-o", "report"];
            let (output, _) = plain(folder.path(), &args);
            if output.status.success() {
                for file in ["report/index.html", "report/report.md"] {
                    assert_plain(file, &fs::read_to_string(folder.path().join(file)).unwrap());
                }
            }
            fs::remove_file(folder.path().join("receipt.json")).unwrap();
        }
    }
}

#[test]
fn arguments_and_files_in_errors_cannot_control_a_terminal() {
    let folder = tempdir().unwrap();
    let hostile = HOSTILE.replace('/', "");
    let toml = format!("{hostile}.toml");
    fs::write(folder.path().join(&toml), "x = \"\u{7f}\"").unwrap();
    let json = format!("{hostile}.json");
    fs::write(
        folder.path().join(&json),
        format!("{{\"schema_version\": {:?}}}", hostile),
    )
    .unwrap();
    for args in [
        &["check", &hostile][..],
        &["check", "--kernel", &hostile],
        &["check", "--level", &hostile],
        &[&hostile],
        &["synth", &hostile, "-o", "x.gguf"],
        &["synth", &toml, "-o", "x.gguf"],
        &["verify-receipt", &json, &hostile],
        &["merge", &json, "-o", "x.json"],
        &["report", &json, "-o", "report"],
        &["gate", &json, "--baseline", &json],
        &["replay", &json],
        &["baseline", "accept", &json, "-o", &hostile],
        &["nightly", "--recipe", &hostile],
    ] {
        let (output, printed) = plain(folder.path(), args);
        assert!(!output.status.success(), "{args:?}");
        // The argument parser removes whole escape sequences from text that it quotes.
        let output_text = ["\\u001b", "\\u009b", "no oracle can run"]
            .iter()
            .any(|words| printed.contains(words));
        assert!(output_text, "{args:?}: {printed}");
    }
}

/// A receipt with a valid digest and hostile text in every field.
fn hostile_receipt() -> Receipt {
    let mut receipt = generated::rich_check();
    receipt.harness.runs[0].model = Some(HOSTILE.into());
    receipt.harness.runs[0].calls.insert(HOSTILE.into(), 1);
    receipt.harness.runs[0].environment.cpu = HOSTILE.into();
    let check = receipt.harness.check.as_mut().unwrap();
    check.omitted = vec![Omission::skipped(HOSTILE)];
    for outcome in check
        .levels
        .iter_mut()
        .flat_map(|report| &mut report.outcomes)
    {
        outcome.candidate = HOSTILE.into();
        for finding in &mut outcome.findings {
            finding.subject = HOSTILE.into();
            finding.place = HOSTILE.into();
            finding.reproduce = Rerun::Replay {
                file: HOSTILE.into(),
            };
            finding.expected.value = HOSTILE.into();
        }
    }
    receipt.renew_digest();
    receipt.verify().unwrap();
    receipt
}

#[test]
fn receipts_cannot_control_a_terminal() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let harmless = generated::check(
        Shard::WHOLE,
        &generated::Found {
            block: vec![(1, 0)],
            tensor: vec![(2, 0)],
        },
    );
    harmless.write(&at("harmless.json")).unwrap();
    hostile_receipt().write(&at("hostile.json")).unwrap();
    let accept = ["baseline", "accept", "harmless.json", "-o", "b.json"];
    harness_in(folder.path(), &accept);
    for args in [
        &["verify-receipt", "hostile.json"][..],
        &["merge", "hostile.json", "-o", "merged.json"],
        &["replay", "hostile.json"],
        &["report", "hostile.json", "-o", "report"],
        &["baseline", "accept", "hostile.json", "-o", "new.json"],
        &[
            "gate",
            "hostile.json",
            "--baseline",
            "b.json",
            "--markdown",
            "gate.md",
            "--junit",
            "gate.xml",
        ],
    ] {
        plain(folder.path(), args);
    }
    for file in [
        "report/index.html",
        "report/report.md",
        "gate.md",
        "gate.xml",
    ] {
        if let Ok(text) = fs::read_to_string(at(file)) {
            assert_plain(file, &text);
            // In Markdown it may be in a code span.
            let escapes = file.ends_with("html") || file.ends_with("xml");
            assert!(!escapes || !text.contains("<b>"), "{file}: {text}");
        }
    }
    assert!(at("report/report.md").exists());
}

/// Every command that can fail has the same exit code with closed pipes, and writes its document if it has one.
#[test(needs(ORACLE))]
fn a_closed_pipe_does_not_change_the_exit_code() {
    let folder = tempdir().unwrap();
    let folder = folder.path();
    generate("tiny-llama-tq2_0", folder);
    let mut fuzz = generated::fuzz(Shard::WHOLE);
    fuzz.write(&folder.join("fuzz.json")).unwrap();
    for finding in &mut fuzz.harness.fuzz.as_mut().unwrap().findings {
        finding.finding.input = None;
    }
    fuzz.renew_digest();
    fuzz.write(&folder.join("no-inputs.json")).unwrap();
    fs::write(folder.join("broken.json"), "{").unwrap();
    let model = "tiny-llama-tq2_0.gguf";
    let cases: [(&[&str], i32); 9] = [
        (
            &[
                "check",
                model,
                "--level=lut",
                "--kernel=tq1_0.scalar",
                "--receipt=r.json",
            ],
            4,
        ),
        (&["check", "missing.gguf"], 3),
        (&["fuzz", "--cases=0", "--receipt=f.json"], 4),
        (&["replay", "no-inputs.json"], 4),
        (&["verify-receipt", "fuzz.json", "broken.json"], 3),
        (&["verify-receipt", "fuzz.json", "--replay"], 1),
        (&["dump-lut", "missing.gguf"], 3),
        (&["merge", "broken.json", "-o", "merged.json"], 3),
        (&["kernels"], 0),
    ];
    for (args, code) in cases {
        assert_code(&harness_unread(folder, args), code);
    }
    assert!(folder.join("r.json").exists() && folder.join("f.json").exists());
}

/// With both streams closed, errors cannot be printed, and the exit code is the same.
#[test]
fn an_error_with_closed_pipes_keeps_its_exit_code() {
    for (args, code) in [
        (&["verify-receipt", "missing.json"][..], 3),
        (&["no-such-command"], 2),
        (&["--help"], 0),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        command
            .args(args)
            .stdout(writer.try_clone().unwrap())
            .stderr(writer);
        assert_eq!(command.status().unwrap().code(), Some(code), "{args:?}");
    }
}

/// Output that is lost on a full disk is no agreement, and does not hide a difference.
#[test]
#[cfg(target_os = "linux")]
fn lost_output_is_no_agreement() {
    let folder = tempdir().unwrap();
    generated::rich_check()
        .write(&folder.path().join("red.json"))
        .unwrap();
    for (args, code) in [
        (&["kernels"][..], 3),
        (&["verify-receipt", "missing.json"], 3),
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        command.args(args).current_dir(folder.path()).stdout(full);
        let output = command.output().unwrap();
        assert_code(&output, code);
    }
}

fn main() -> std::process::ExitCode {
    testing::main()
}
