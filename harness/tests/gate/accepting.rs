//! Receipts that are accepted as a baseline and receipts that are not.

use std::path::Path;

use harness::baseline::{Baseline, schema};
use harness::bench::doubt::words;
use harness::gate::{Refusal, accept};
use serde_json::{Value, json};

use crate::made::{all_with, bench, changed, check, doubtful, failures, green, mutants};
use testing::test;

fn parsed(value: &Value) -> Result<Baseline, String> {
    Baseline::parse(value.to_string().as_bytes(), Path::new("b.json")).map_err(|e| e.to_string())
}

#[test]
fn a_baseline_survives_its_file_and_is_valid_by_its_published_schema() {
    let accepted = accept(None, &green(), false).unwrap();
    assert_eq!(failures(&accepted.baseline, &green()), [""; 0]);
    let value = serde_json::to_value(&accepted.baseline).unwrap();
    assert_eq!(parsed(&value).unwrap(), accepted.baseline);
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../reports/schema/baseline-2.json"
    );
    let generated = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, &generated).unwrap();
    }
    let published = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        published == generated,
        "{path} is not current: UPDATE_SCHEMA=1 cargo test -p harness --test gate schema"
    );
    let validator = jsonschema::validator_for(&serde_json::from_str(&published).unwrap()).unwrap();
    assert!(validator.is_valid(&value));
    assert!(!validator.is_valid(&json!({"baseline_version": "1.0.0"})));
}

#[test]
fn lost_coverage_needs_allow_loss_and_committed_sources() {
    let old = accept(None, &green(), false).unwrap().baseline;
    let fewer = [check(), mutants(), bench(1.2)];
    let error = accept(Some(&old), &fewer, false).unwrap_err();
    let Refusal::Loss(accepted) = error else {
        panic!("{error}");
    };
    assert_eq!(accepted.lost[0].what, "random cases");
    let new = accept(Some(&old), &fewer, true).unwrap().baseline;
    assert_eq!(failures(&new, &fewer), [""; 0]);

    let mut all = all_with(|receipt| receipt.harness.commit.push_str("-dirty"));
    assert!(accept(Some(&old), &all, false).is_ok());
    all.remove(1);
    let error = accept(Some(&old), &all, true).unwrap_err();
    assert!(matches!(error, Refusal::DirtyLoss(_)), "{error}");
}

#[test]
fn red_receipts_are_no_baseline() {
    let mut receipts = green();
    receipts[2] = changed(mutants(), |receipt| {
        receipt.harness.mutants.as_mut().unwrap().kernels[0]
            .caught
            .gate = false;
    });
    let error = accept(None, &receipts, true).unwrap_err();
    assert!(matches!(error, Refusal::Red(_)), "{error}");
}

#[test]
fn doubtful_times_are_not_in_the_baseline_and_are_listed() {
    for (doubt, receipt) in doubtful(bench(161.0)) {
        let mut receipts = green();
        receipts[3] = receipt;
        let accepted = accept(None, &receipts, false).unwrap();
        assert_eq!(accepted.baseline.targets["x86_64"].speed, [], "{doubt}");
        let left_out = accepted.left_out.iter();
        let printed: Vec<String> = left_out.map(|row| words(&row.doubts)).collect();
        assert_eq!(printed, [doubt; 2]);
    }
}

#[test]
fn entries_of_other_machines_are_kept() {
    let old = accept(None, &green(), false).unwrap().baseline;
    let receipts = all_with(|receipt| {
        receipt.harness.runs[0].environment.arch = "aarch64".into();
    });
    let both = accept(Some(&old), &receipts, false).unwrap();
    assert!(
        both.lost.is_empty() && both.kept[0].contains("x86_64"),
        "{both:#?}"
    );
    assert_eq!(both.baseline.targets["x86_64"], old.targets["x86_64"]);

    let receipts = all_with(|receipt| {
        let run = &mut receipt.harness.runs[0];
        run.calls.remove("i2_s.group128.avx2");
        run.environment.cpu_features.clear();
        run.environment.cpu = "a weaker CPU".into();
    });
    let kept = accept(Some(&old), &receipts, false).unwrap();
    let target = &kept.baseline.targets["x86_64"];
    assert!(target.kernels.contains("i2_s.group128.avx2"));
    assert_eq!(target.speed.len(), 4, "the times of both CPUs");
}

#[test]
fn an_invalid_baseline_is_refused() {
    let good = serde_json::to_value(Baseline::of(&green())).unwrap();
    let with = |change: fn(&mut Value)| {
        let mut value = good.clone();
        change(&mut value);
        parsed(&value).unwrap_err()
    };
    assert!(with(|v| *v = json!({})).contains("not a baseline"));
    assert!(with(|v| *v = json!([1])).contains("not a baseline"));
    assert!(with(|v| v["baseline_version"] = "9.0.0".into()).contains("version 9.0.0"));
    assert!(with(|v| v["targets"] = json!({})).contains("contain no architecture"));
    assert!(with(|v| v["targets"]["x86_64"]["commit"] = "unknown".into()).contains("commit"));
    assert!(with(|v| v["targets"]["x86_64"]["remarks"] = json!(1)).contains("remarks"));
    assert!(
        with(|v| v["targets"]["x86_64"]["speed"][0]["ratio"]["low"] = json!(-1.0))
            .contains("speed[0]")
    );
    assert!(
        with(|v| v["targets"]["x86_64"]["models"] =
            json!({"x": {"name": "", "tensors": {}, "levels": {}}}))
        .contains("SHA-256")
    );
    let text = good.to_string();
    let cut = Baseline::parse(&text.as_bytes()[..text.len() / 2], Path::new("b.json")).unwrap_err();
    assert!(cut.to_string().contains("cut off"));
}

#[test]
fn the_published_baseline_can_be_read_and_was_written_by_the_harness() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../reports/baseline.json");
    let baseline = Baseline::read(Path::new(path)).unwrap();
    let again = serde_json::to_string_pretty(&baseline).unwrap() + "\n";
    let published = std::fs::read_to_string(path).unwrap();
    assert!(published == again, "accept it anew, do not edit it");
}
