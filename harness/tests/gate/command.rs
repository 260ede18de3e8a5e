//! The commands: their output, files and exit codes.

use std::path::Path;

use harness::receipt::Receipt;
use quick_junit::Report;
use tempfile::tempdir;

use crate::common::{assert_code, harness_in, harness_unread, stderr, stdout};
use crate::generated;
use crate::made::{changed, check, green};
use testing::test;

/// A folder with passing receipts in `receipts/` and a baseline made from them.
fn folder() -> tempfile::TempDir {
    let folder = tempdir().unwrap();
    std::fs::create_dir(folder.path().join("receipts")).unwrap();
    for (i, receipt) in green().iter().enumerate() {
        let path = folder.path().join(format!("receipts/{i}.json"));
        receipt.write(&path).unwrap();
    }
    assert_code(&accept(folder.path(), &[]), 0);
    folder
}

fn red() -> Receipt {
    changed(check(), |receipt| {
        let levels = &mut receipt.harness.check.as_mut().unwrap().levels;
        let rich = generated::rich_check().harness.check.unwrap();
        levels[0].outcomes[0] = rich.levels[0].outcomes[0].clone();
    })
}

fn gate(folder: &Path, more: &[&str]) -> std::process::Output {
    harness_in(
        folder,
        &[&["gate", "receipts", "--baseline", "b.json"], more].concat(),
    )
}

fn accept(folder: &Path, more: &[&str]) -> std::process::Output {
    harness_in(folder, &[&ACCEPT, more].concat())
}

const ACCEPT: [&str; 5] = ["baseline", "accept", "receipts", "-o", "b.json"];

const REPORTS: [&str; 4] = ["--markdown", "summary.md", "--junit", "gate.xml"];

#[test]
fn green_receipts_pass() {
    let folder = folder();
    let output = gate(folder.path(), &REPORTS);
    assert_code(&output, 0);
    insta::assert_snapshot!("green", stdout(&output));
    let summary = std::fs::read_to_string(folder.path().join("summary.md")).unwrap();
    insta::assert_snapshot!("green_markdown", summary);
    let again = stdout(&accept(folder.path(), &[]));
    assert!(again.contains("as it was"), "{again}");
}

#[test]
fn a_red_receipt_fails_with_the_place_and_the_command() {
    let folder = folder();
    red().write(&folder.path().join("receipts/0.json")).unwrap();
    let output = gate(folder.path(), &REPORTS);
    assert_code(&output, 1);
    insta::assert_snapshot!("red", stdout(&output));
    let summary = std::fs::read_to_string(folder.path().join("summary.md")).unwrap();
    insta::assert_snapshot!("red_markdown", summary);
    let xml = std::fs::read_to_string(folder.path().join("gate.xml")).unwrap();
    let report = Report::deserialize_from_str(&xml).unwrap();
    assert_eq!(report.test_suites.len(), harness::gate::CRITERIA.len());
    assert!(report.failures > 0 && report.tests > report.failures);
    assert!(
        xml.contains("harness check"),
        "the command that shows it again"
    );

    let unread = "gate receipts --baseline b.json --junit unread.xml";
    let unread: Vec<&str> = unread.split(' ').collect();
    assert_code(&harness_unread(folder.path(), &unread), 1);
    assert!(folder.path().join("unread.xml").is_file());

    assert_code(&harness_unread(folder.path(), &ACCEPT), 1);
    let refused = accept(folder.path(), &[]);
    assert_code(&refused, 1);
    let refused = stdout(&refused);
    assert!(refused.contains("not accepted"), "{refused}");
}

#[test]
fn a_summary_is_appended() {
    let folder = folder();
    std::fs::write(folder.path().join("summary.md"), "before\n").unwrap();
    assert_code(&gate(folder.path(), &REPORTS), 0);
    let summary = std::fs::read_to_string(folder.path().join("summary.md")).unwrap();
    assert!(summary.starts_with("before\n## Parity gate"), "{summary}");
}

#[test]
fn bad_input_is_never_a_pass() {
    let folder = folder();
    let receipt = folder.path().join("receipts/0.json");
    let text = std::fs::read_to_string(&receipt).unwrap();
    let edits = [
        text[..text.len() / 2].to_owned(),
        text.replacen("\"exact\"", "\"divergent\"", 1),
        text.replacen("\"schema_version\": \"6", "\"schema_version\": \"9", 1),
        text.replacen("\"max_abs\": 0.0", "\"max_abs\": NaN", 1),
        "{}".to_owned(),
    ];
    for edited in edits {
        assert_ne!(edited, text);
        std::fs::write(&receipt, edited).unwrap();
        let output = gate(folder.path(), &[]);
        assert_code(&output, 3);
        assert!(stderr(&output).contains("0.json"), "{}", stderr(&output));
    }
    std::fs::write(&receipt, &text).unwrap();
    assert_code(&gate(folder.path(), &[]), 0);
    assert_code(&gate(folder.path(), &["no/such.json"]), 3);
    assert_code(&harness_in(folder.path(), &["gate"]), 2);
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    assert_code(&gate(folder.path(), &["empty"]), 3);
    let baseline = std::fs::read_to_string(folder.path().join("b.json")).unwrap();
    for edited in ["{}", "", &baseline[..baseline.len() / 2], &text] {
        std::fs::write(folder.path().join("b.json"), edited).unwrap();
        assert_code(&gate(folder.path(), &[]), 3);
        // It is not overwritten either.
        assert_code(&accept(folder.path(), &[]), 3);
        let kept = std::fs::read_to_string(folder.path().join("b.json")).unwrap();
        assert_eq!(kept, edited);
    }
}

#[test]
fn a_dry_run_writes_nothing() {
    let folder = folder();
    std::fs::remove_file(folder.path().join("b.json")).unwrap();
    let output = accept(folder.path(), &["--dry-run"]);
    assert_code(&output, 0);
    insta::assert_snapshot!("dry_run", stdout(&output));
    assert!(!folder.path().join("b.json").exists());
}
