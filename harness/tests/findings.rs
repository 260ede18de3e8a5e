//! Findings as files: small cases that show the same difference again, and say why.

mod common;

use std::collections::BTreeSet;

use common::{ORACLE, assert_code, harness, stdout};
use harness::finding::Finding;
use harness::fuzz::{self, Regression, try_case};
use harness::ladder;
use harness::mistaken::MISTAKES;
use harness::model::Model;
use harness::outcome::{Outcome, Rung};
use harness::shard::Shard;
use harness::side::{OracleSide, Reference, Sides};
use harness::task::Task;
use qk256::format::QK256;
use testing::test;

fn references() -> Vec<Reference> {
    let builds = cpp_shim::builds().iter();
    let available = builds.filter(|build| build.availability().is_ok());
    available
        .map(|build| {
            let oracle = build.load().expect("an available oracle loads");
            Reference::oracle(OracleSide::new(oracle), true)
        })
        .collect()
}

#[test(needs(ORACLE))]
fn findings_are_kept_small_and_replay() {
    let folder = tempfile::tempdir().unwrap();
    let model = common::generate(harness::synth::DEFAULT_RECIPE, folder.path());
    let model = Model::open(&model).unwrap();
    let named = [
        "group64-read",
        "row-zeroed",
        "scale-tenfold",
        "nan-accepted",
    ];
    let mistakes = MISTAKES
        .iter()
        .filter(|mistake| named.contains(&mistake.name));
    let sides = Sides {
        references: references(),
        candidates: mistakes.flat_map(|m| m.candidates().take(1)).collect(),
        engines: Vec::new(),
    };
    let task = Task {
        model: String::new(),
        tensors: model
            .ternary_tensors(harness::side::reference_layout())
            .unwrap(),
        decoding: Err("kernels only".into()),
        seed: 1,
        shard: Shard::WHOLE,
        progress: indicatif::ProgressBar::hidden(),
    };
    let mut climb = ladder::climb(&Rung::OF_KERNELS, &sides, &task);
    let mut kept = BTreeSet::new();
    for outcome in climb
        .rungs
        .iter_mut()
        .flat_map(|report| &mut report.outcomes)
    {
        let files = fuzz::keep(outcome, &sides, Some(&folder.path().join("findings"))).unwrap();
        for file in &files {
            let regression = Regression::read(file).unwrap();
            let case = regression.case(file).unwrap();
            let found = regression.found.expect("a kept finding");
            assert!(found.finding.cause.is_some(), "{}", file.display());
            let trial = try_case(&case, &sides.candidates, &sides.references).unwrap();
            assert!(
                trial
                    .differences
                    .iter()
                    .any(|d| d.candidate == outcome.candidate),
                "{}",
                file.display()
            );
            assert!(case.rows <= 128 && case.cols <= QK256, "{case:?}");
            kept.insert((outcome.rung, outcome.candidate.clone()));
        }
        commands_name_files(outcome, files.len());
    }
    let on = |rung, name: &str| kept.contains(&(rung, format!("i2_s.group128.mistaken.{name}")));
    assert!(on(Rung::Block, "group64-read") && on(Rung::Tensor, "group64-read"));
    assert!(on(Rung::Block, "row-zeroed") && on(Rung::Tensor, "row-zeroed"));
    assert!(on(Rung::Tensor, "scale-tenfold"));
    assert!(!kept.iter().any(|(_, id)| id.ends_with("nan-accepted")));
}

fn commands_name_files(outcome: &Outcome, files: usize) {
    let replays = |finding: &&Finding| finding.reproduce.starts_with("harness replay ");
    let naming = outcome.findings.iter().filter(replays).count();
    assert_eq!(naming, files, "{outcome:?}");
}

/// Kernels that agree write nothing, and nothing is said of causes.
#[test(needs(ORACLE))]
fn a_run_without_findings_makes_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let findings = folder.path().join("findings");
    let findings = findings.to_str().unwrap();
    let kernel = "i2_s.group128.scalar";
    let output = harness(&[
        "check",
        "--rung",
        "block",
        "--kernel",
        kernel,
        "--findings",
        findings,
    ]);
    assert_code(&output, 0);
    assert!(
        !folder.path().join("findings").exists(),
        "nothing was found"
    );
    assert!(!stdout(&output).contains("cause:"), "{}", stdout(&output));
}

fn main() -> std::process::ExitCode {
    testing::main()
}
