//! A short nightly run: every kind of work with its receipt, and the report.

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use harness::receipt::{Receipt, Section};
use tempfile::tempdir;

use common::{
    ORACLE, assert_code, catches_interrupts, harness_in, heeding_signals, stderr, stdout, unread,
};
use testing::test;

const SHORT: [&str; 4] = [
    "nightly",
    "--recipe",
    "tiny-llama-tq2_0",
    "--fuzz-cases=200",
];

fn receipts(folder: &Path) -> BTreeSet<String> {
    let names = folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    names.filter(|name| name.ends_with(".json")).collect()
}

#[test(needs(ORACLE))]
fn a_short_nightly_run_writes_receipts_and_a_report() {
    let folder = tempdir().unwrap();
    let args = [
        &SHORT[..],
        &["--no-mutants", "--no-bench", "--out", "night"],
    ]
    .concat();
    let output = harness_in(folder.path(), &args);
    assert_code(&output, 0);
    let night = folder.path().join("night");
    let names = receipts(&night);
    assert_eq!(
        names,
        BTreeSet::from(["check-tiny-llama-tq2_0.json".into(), "fuzz.json".into()])
    );
    for name in &names {
        let verdict = Receipt::read(&night.join(name)).unwrap().harness.verdict;
        assert!(verdict.agrees(), "{verdict}");
        let line = format!("{}: {verdict} (", name.trim_end_matches(".json"));
        assert!(stdout(&output).contains(&line));
    }
    // The recipe names the model, so that the receipt can be repeated anywhere.
    let check = Receipt::read(&night.join("check-tiny-llama-tq2_0.json")).unwrap();
    assert_eq!(
        check.harness.runs[0].model.as_deref(),
        Some("tiny-llama-tq2_0")
    );
    let page = std::fs::read_to_string(night.join("index.html")).unwrap();
    assert!(page.contains("200 cases") && page.contains("tiny-llama-tq2_0"));
    assert!(night.join("report.md").is_file() && night.join("logs/fuzz.txt").is_file());
}

#[test(needs(ORACLE))]
fn shards_have_no_report_and_together_make_one() {
    let folder = tempdir().unwrap();
    for shard in ["1/2", "2/2"] {
        let short = [
            "--no-mutants",
            "--no-bench",
            "--shard",
            shard,
            "--out",
            "parts",
        ];
        let output = harness_in(folder.path(), &[&SHORT[..], &short].concat());
        assert_code(&output, 0);
    }
    let parts = folder.path().join("parts");
    let wanted = [
        "check-tiny-llama-tq2_0.json",
        "fuzz-1-of-2.json",
        "fuzz-2-of-2.json",
    ];
    assert_eq!(receipts(&parts), wanted.map(String::from).into());
    assert!(!parts.join("index.html").exists());
    let merged = [
        "merge",
        "parts/fuzz-1-of-2.json",
        "parts/fuzz-2-of-2.json",
        "-o",
        "fuzz.json",
    ];
    assert_code(&harness_in(folder.path(), &merged), 0);
    let fuzz = Receipt::read(&folder.path().join("fuzz.json")).unwrap();
    assert_eq!(fuzz.harness.fuzz.unwrap().cases, 400);
}

#[test(needs(ORACLE))]
fn a_step_that_fails_does_not_stop_the_others() {
    let folder = tempdir().unwrap();
    // A check writes the model of its recipe to the temporary folder, which does not exist.
    let output = Command::new(env!("CARGO_BIN_EXE_harness"))
        .args([&SHORT[..], &["--no-mutants", "--no-bench", "--out=night"]].concat())
        .current_dir(folder.path())
        .env("TMPDIR", folder.path().join("nowhere"))
        .output()
        .unwrap();
    assert_code(&output, 3);
    let printed = stdout(&output);
    assert!(
        printed.contains("check-tiny-llama-tq2_0: failed: "),
        "{printed}"
    );
    assert!(printed.contains("fuzz: exact ("), "{printed}");
    let night = folder.path().join("night");
    assert_eq!(receipts(&night), BTreeSet::from(["fuzz.json".into()]));
    assert!(night.join("index.html").is_file());
}

#[test(needs(ORACLE))]
fn a_nightly_run_continues_with_a_closed_pipe() {
    let folder = tempdir().unwrap();
    let args = [
        "--fuzz-cases=5",
        "--no-mutants",
        "--no-bench",
        "--out=night",
    ];
    let mut night = unread(env!("CARGO_BIN_EXE_harness"));
    night.args([&SHORT[..3], &args].concat());
    night.current_dir(folder.path());
    night.env("TMPDIR", folder.path().join("nowhere"));
    let output = night.spawn().unwrap().wait_with_output().unwrap();
    assert_code(&output, 3);
    let night = folder.path().join("night");
    assert_eq!(receipts(&night), BTreeSet::from(["fuzz.json".into()]));
    assert!(night.join("index.html").is_file());
}

#[test(needs(ORACLE))]
#[cfg(target_os = "linux")]
fn an_interrupted_nightly_run_keeps_receipts_and_names_missing_steps() {
    let folder = tempdir().unwrap();
    let check = folder.path().join("night/check-tiny-llama-tq2_0.json");
    let child = heeding_signals(&mut Command::new(env!("CARGO_BIN_EXE_harness")))
        .args([
            "nightly",
            "--recipe",
            "tiny-llama-tq2_0",
            "--fuzz-cases=100000000",
            "--out=night",
        ])
        .arg("--no-bench")
        .arg("--no-mutants")
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !check.exists() || !catches_interrupts(&child) {
        sleep(Duration::from_millis(5));
    }
    let id = libc::pid_t::try_from(child.id()).unwrap();
    // SAFETY: the process is a child of this one that has not been waited for.
    assert_eq!(unsafe { libc::kill(id, libc::SIGINT) }, 0);
    let output = child.wait_with_output().unwrap();
    assert_code(&output, 130);
    assert!(
        stderr(&output).contains("not done: ") && stderr(&output).contains("fuzz"),
        "{}",
        stderr(&output)
    );
    let receipt = Receipt::read(&check).unwrap();
    assert_eq!(receipt.harness.sections().next().unwrap().0, Section::Check);
    let night = folder.path().join("night");
    assert_eq!(
        receipts(&night),
        BTreeSet::from(["check-tiny-llama-tq2_0.json".into()])
    );
    assert!(!night.join("index.html").exists());
}

fn main() -> std::process::ExitCode {
    testing::main()
}
