//! Receipts of real runs: valid, repeatable, and the same with and without shards.

use std::collections::BTreeMap;
use std::path::Path;

use harness::levels::Level;
use harness::receipt::{DIRTY, Receipt, is_commit};
use harness::shard::Shard;
use harness::verdict::Verdict;
use serde_json::Value;
use tempfile::tempdir;

use crate::common::{ORACLE, assert_code, generate, harness, stderr, stdout};
use crate::schema::assert_valid;
use testing::test;

/// Runs a command with `--receipt` and reads the receipt.
#[track_caller]
fn receipt_of(folder: &Path, name: &str, args: &[&str]) -> Receipt {
    let path = folder.join(name);
    let output = harness(&[args, &["--receipt", path.to_str().unwrap()]].concat());
    assert_code(&output, 0);
    let text = std::fs::read_to_string(&path).unwrap();
    assert_valid(&serde_json::from_str::<Value>(&text).unwrap());
    Receipt::read(&path).unwrap()
}

/// Verdict, comparisons and mismatches of a pair on a level.
type Counts = BTreeMap<(Level, String, String), (Verdict, u64, u64)>;

fn counts(receipt: &Receipt) -> Counts {
    let levels = &receipt.harness.check.as_ref().unwrap().levels;
    let outcomes = levels.iter().flat_map(|report| &report.outcomes);
    let count = |outcome: &harness::outcome::Outcome| {
        let measures = &outcome.measures;
        let key = (
            outcome.level,
            outcome.candidate.clone(),
            outcome.reference.clone(),
        );
        (
            key,
            (outcome.verdict, measures.comparisons, measures.mismatches),
        )
    };
    outcomes.map(count).collect()
}

#[test(needs(ORACLE))]
fn shards_of_a_check_give_the_result_of_one_run() {
    let folder = tempdir().unwrap();
    let whole = receipt_of(folder.path(), "whole.json", &["check"]);
    let mut files = Vec::new();
    for shard in ["1/3", "2/3", "3/3"] {
        let name = format!("{}.json", &shard[..1]);
        let part = receipt_of(folder.path(), &name, &["check", "--shard", shard]);
        assert_eq!(part.missing().len(), 2);
        files.push(folder.path().join(name).display().to_string());
    }
    let merged = folder.path().join("merged.json");
    let output = harness(&[
        "merge",
        &files[2],
        &files[0],
        &files[1],
        "-o",
        merged.to_str().unwrap(),
    ]);
    assert_code(&output, 0);
    let merged = Receipt::read(&merged).unwrap();
    assert_eq!(merged.missing(), [""; 0]);
    assert_eq!(counts(&merged), counts(&whole));
    assert_eq!(merged.harness.verdict, whole.harness.verdict);
    assert_eq!(merged.kernels, whole.kernels);
    let (merged, whole) = (merged.harness.check.unwrap(), whole.harness.check.unwrap());
    for (merged, whole) in merged.levels.iter().zip(&whole.levels) {
        assert_eq!(merged.verdict, whole.verdict);
        assert_eq!(merged.measures.comparisons, whole.measures.comparisons);
        assert_eq!(merged.measures.ulp_histogram, whole.measures.ulp_histogram);
    }
    assert_eq!(merged.layouts, whole.layouts);
}

#[test(needs(ORACLE))]
fn a_check_records_what_ran_and_can_be_repeated() {
    let folder = tempdir().unwrap();
    let model = generate("tiny-llama-tq2_0", folder.path());
    let model = model.to_str().unwrap();
    let receipt = receipt_of(folder.path(), "a.json", &["check", model, "--seed", "5"]);
    let harness_part = &receipt.harness;
    assert!(is_commit(&harness_part.commit), "{}", harness_part.commit);
    let head = std::process::Command::new("git")
        .args(["rev-parse", "HEAD"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    if let Some(head) = head.ok().filter(|head| head.status.success()) {
        let head = String::from_utf8(head.stdout).unwrap();
        assert_eq!(harness_part.commit.trim_end_matches(DIRTY), head.trim());
    }
    let run = &harness_part.runs[0];
    assert_eq!(
        run.calls.keys().collect::<Vec<_>>(),
        receipt.kernels.iter().collect::<Vec<_>>()
    );
    assert!(run.command.contains(&"check".into()) && run.seconds > 0.0);
    let check = harness_part.check.as_ref().unwrap();
    assert_eq!(run.timings.len(), check.levels.len());
    assert_eq!(check.parameters.seed, 5);
    let oracles = receipt.validation.oracles.len();
    assert_eq!(
        check.layouts.len(),
        1 + oracles,
        "declared, and as each oracle has it"
    );
    let of = |level: Level| {
        check
            .levels
            .iter()
            .find(|report| report.level == level)
            .unwrap()
    };
    for level in [Level::Tensor, Level::Node, Level::Logits] {
        for outcome in of(level)
            .outcomes
            .iter()
            .filter(|o| o.measures.comparisons > 0)
        {
            assert!(!outcome.measures.ulp_histogram.is_empty(), "{level}");
        }
    }

    let file = folder.path().join("a.json");
    let file = file.to_str().unwrap();
    let output = harness(&["verify-receipt", file, "--replay"]);
    assert_code(&output, 0);
    assert!(
        stdout(&output).contains("replayed: the same"),
        "{}",
        stdout(&output)
    );

    // A renamed file is the same model.
    let moved = folder.path().join("moved.gguf");
    std::fs::rename(model, &moved).unwrap();
    let output = harness(&["verify-receipt", file, "--replay"]);
    assert_code(&output, 3);
    assert!(
        stderr(&output).contains("tiny-llama"),
        "{}",
        stderr(&output)
    );
    let args = [
        "verify-receipt",
        file,
        "--replay",
        "--model",
        moved.to_str().unwrap(),
    ];
    assert_code(&harness(&args), 0);

    // A consistent receipt with other results.
    let mut other = receipt.clone();
    other.harness.runs[0]
        .calls
        .values_mut()
        .for_each(|calls| *calls += 1);
    other.renew_digest();
    other.write(file.as_ref()).unwrap();
    let output = harness(&args);
    assert_code(&output, 1);
    let printed = stdout(&output);
    assert!(
        printed.contains("harness.runs[0].calls") && printed.contains("now"),
        "{printed}"
    );
}

#[test(needs(ORACLE))]
fn a_campaign_can_be_repeated_and_split() {
    let folder = tempdir().unwrap();
    let whole = receipt_of(
        folder.path(),
        "fuzz.json",
        &["fuzz", "--cases", "120", "--seed", "3"],
    );
    let fuzz = whole.harness.fuzz.as_ref().unwrap();
    assert_eq!((fuzz.cases, fuzz.verdict), (120, Verdict::Exact));
    assert!(whole.model_info.is_none() && whole.deterministic);
    let file = folder.path().join("fuzz.json");
    let output = harness(&["verify-receipt", file.to_str().unwrap(), "--replay"]);
    assert_code(&output, 0);

    let part = |shard: &str| {
        let name = format!("{}.json", &shard[..1]);
        let args = ["fuzz", "--cases", "60", "--seed", "3", "--shard", shard];
        receipt_of(folder.path(), &name, &args)
    };
    let merged = harness::receipt::merge(part("2/2"), part("1/2")).unwrap();
    let split = merged.harness.fuzz.unwrap();
    assert_eq!(split.comparisons, fuzz.comparisons);
    assert_eq!(split.known_divergences, fuzz.known_divergences);
    assert_eq!((split.cases, split.verdict), (fuzz.cases, fuzz.verdict));
}

#[test(needs(ORACLE))]
fn mutants_and_benches_leave_receipts_too() {
    let folder = tempdir().unwrap();
    let mutants = receipt_of(folder.path(), "mutants.json", &["mutants"]);
    let section = mutants.harness.mutants.as_ref().unwrap();
    assert_eq!(section.planted, section.caught);
    let args = ["bench", "--quick", "--threads", "1"];
    let bench = receipt_of(folder.path(), "bench.json", &args);
    assert!(!bench.deterministic);
    assert!(!bench.harness.bench.as_ref().unwrap().report.rows.is_empty());
    let merged = harness::receipt::merge(mutants, bench).unwrap();
    assert_eq!(merged.verify(), Ok(()));
    assert_valid(&serde_json::to_value(&merged).unwrap());
}

/// Inputs of findings are run from the receipt, and a receipt without inputs is no agreement.
#[test(needs(ORACLE))]
fn a_receipt_replays_its_findings() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("receipt.json");
    let mut receipt = crate::generated::fuzz(Shard::WHOLE);
    receipt.write(&path).unwrap();
    let output = harness(&["replay", path.to_str().unwrap()]);
    // The kernels are right for the case, although the receipt contains a difference.
    assert_code(&output, 0);
    assert!(stdout(&output).contains(", 0 differences"));

    for finding in &mut receipt.harness.fuzz.as_mut().unwrap().findings {
        finding.finding.input = None;
    }
    receipt.renew_digest();
    receipt.write(&path).unwrap();
    assert_code(&harness(&["replay", path.to_str().unwrap()]), 4);
}
