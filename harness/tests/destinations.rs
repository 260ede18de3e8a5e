//! Output paths of commands: links stay, devices and pipes are written to, `-` is standard output, and no input is an
//! output.

mod common;
#[path = "receipts/generated.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod generated;

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;

use common::{assert_code, generate, harness_in, harness_unread, stderr, stdout};
use harness::receipt::Receipt;
use harness::shard::Shard;
use tempfile::{TempDir, tempdir};

/// A folder with a model and a receipt.
fn folder() -> TempDir {
    let folder = tempdir().unwrap();
    generate("tiny-llama-tq2_0", folder.path());
    fs::rename(
        folder.path().join("tiny-llama-tq2_0.gguf"),
        folder.path().join("model.gguf"),
    )
    .unwrap();
    let receipt = generated::fuzz(Shard::WHOLE);
    receipt.write(&folder.path().join("a.json")).unwrap();
    symlink("model.gguf", folder.path().join("link.gguf")).unwrap();
    symlink("a.json", folder.path().join("link.json")).unwrap();
    folder
}

const LOGITS: [&str; 5] = ["logits", "model.gguf", "--tokens=1,5", "--force", "--out"];

#[test]
fn an_input_is_never_an_output() {
    let folder = folder();
    let at = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let (model, receipt) = (at("model.gguf"), at("a.json"));
    let cases: [&[&str]; 8] = [
        &[&LOGITS[..], &["model.gguf"]].concat(),
        &[&LOGITS[..], &["./link.gguf"]].concat(),
        &["merge", "a.json", "-o", "a.json"],
        &["merge", "link.json", "-o", "a.json"],
        &["check", "model.gguf", "--receipt", "link.gguf"],
        &["bench", "--model", "model.gguf", "--receipt", "model.gguf"],
        &["dump-lut", "model.gguf", "--svg", "model.gguf"],
        &["gate", "a.json", "--markdown", "a.json"],
    ];
    for args in cases {
        let output = harness_in(folder.path(), args);
        assert_code(&output, 2);
        assert!(
            stderr(&output).contains("name another file"),
            "{}",
            stderr(&output)
        );
        assert!(
            at("model.gguf") == model && at("a.json") == receipt,
            "{args:?}"
        );
    }
    let both = ["gate", "a.json", "--markdown", "both", "--junit", "both"];
    assert_code(&harness_in(folder.path(), &both), 2);
}

#[test]
fn standard_output_contains_only_the_document() {
    let folder = folder();
    let merged = Receipt::read(&folder.path().join("a.json")).unwrap();
    for name in ["-", "/dev/stdout"] {
        let output = harness_in(folder.path(), &["merge", "a.json", "-o", name]);
        assert_code(&output, 0);
        let read = Receipt::parse(&output.stdout, Path::new("-")).unwrap();
        assert_eq!(read.harness.fuzz, merged.harness.fuzz);
        assert!(stderr(&output).contains("1 runs"), "{}", stderr(&output));

        let output = harness_in(folder.path(), &[&LOGITS[..], &[name]].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(output.stdout.starts_with(b"\x93NUMPY") && output.stdout.len() > 2 * 320 * 4);

        let output = harness_in(folder.path(), &["synth", "tiny-llama-tq2_0", "-o", name]);
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(output.stdout == fs::read(folder.path().join("model.gguf")).unwrap());
    }
    let twice = ["merge", "a.json", "-o", "-", "--format=json"];
    assert_code(&harness_in(folder.path(), &twice), 2);
    // A closed reader is no error.
    assert_code(
        &harness_unread(folder.path(), &["merge", "a.json", "-o", "-"]),
        0,
    );
    // The shell has the file open, so it is not replaced and holds the document.
    let script = r#""$0" merge a.json -o out.json > out.json"#;
    let shell = std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_harness")])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_code(&shell, 0);
    Receipt::read(&folder.path().join("out.json")).unwrap();
}

#[test]
fn devices_stay_devices_and_links_stay_links() {
    let folder = folder();
    symlink("target", folder.path().join("out")).unwrap();
    symlink("/dev/null", folder.path().join("null")).unwrap();
    for args in [
        &["merge", "a.json", "-o"][..],
        &LOGITS,
        &["synth", "tiny-llama-tq2_0", "--force", "-o"],
    ] {
        for name in ["out", "null", "/dev/null"] {
            let output = harness_in(folder.path(), &[args, &[name]].concat());
            assert_code(&output, 0);
            assert_eq!(
                stdout(&output).lines().next().unwrap().split(':').next(),
                Some(name)
            );
        }
        assert!(folder.path().join("out").is_symlink() && folder.path().join("null").is_symlink());
        assert!(
            fs::metadata("/dev/null")
                .unwrap()
                .file_type()
                .is_char_device()
        );
        fs::remove_file(folder.path().join("target")).unwrap();
        let full = harness_in(folder.path(), &[args, &["/dev/full"]].concat());
        assert_code(&full, 3);
    }
}

/// Not even root can create files in `/proc`.
#[test]
fn unwritable_outputs_are_reported_before_the_work() {
    let folder = folder();
    let before = folder.path().read_dir().unwrap().count();
    for args in [
        // The work itself would fail too, but later.
        &["check", "no.gguf", "--receipt=/proc/r.json"][..],
        &["check", "no.gguf", "--receipt=no/such/r.json"],
        &["check", "no.gguf", "--findings=/proc/findings"],
        &["check", "no.gguf", "--findings=a.json"],
        &["fuzz", "--cases=1", "--out=/proc/found"],
        &["logits", "no.gguf", "--tokens=1", "--out=/proc/l.npy"],
        &["dump-lut", "no.gguf", "--svg=/proc/l.svg"],
        &["merge", "no.json", "-o", "/proc/m.json"],
        &[
            "gate",
            "a.json",
            "--baseline=no.json",
            "--junit=/proc/g.xml",
        ],
        &[
            "gate",
            "a.json",
            "--baseline=no.json",
            "--markdown=/proc/g.md",
        ],
        &["report", "no.json", "-o", "/proc/report"],
        &["baseline", "accept", "a.json", "-o", "/proc/b.json"],
        &["synth", "tiny-llama-tq2_0", "-o", "/proc/m.gguf"],
    ] {
        let output = harness_in(folder.path(), args);
        assert_code(&output, 3);
        let printed = stderr(&output);
        let named =
            printed.contains("/proc/") || printed.contains("no/such") || printed.contains("a.json");
        assert!(named, "{args:?}: {printed}");
    }
    assert_eq!(folder.path().read_dir().unwrap().count(), before);
}
