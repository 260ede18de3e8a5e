//! Files of findings: small cases that reproduce the difference and contain the cause.

mod common;

use std::collections::BTreeSet;

use common::oracles::references;
use common::{ORACLE, assert_code, harness, stdout};
use harness::check;
use harness::finding::Finding;
use harness::fuzz::{self, Regression, try_case};
use harness::levels::Level;
use harness::model::Model;
use harness::mutant::MUTANTS;
use harness::outcome::Outcome;
use harness::participant::Participants;
use harness::rerun::Rerun;
use harness::shard::Shard;
use harness::task::Task;
use qk256::format::QK256;
use testing::test;

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
    let mutants = MUTANTS.iter().filter(|mutant| named.contains(&mutant.name));
    let participants = Participants {
        references: references(),
        candidates: mutants.flat_map(|m| m.candidates().take(1)).collect(),
        engines: Vec::new(),
        upstream: None,
    };
    let task = Task {
        model: String::new(),
        tensors: model
            .ternary_tensors(harness::participant::reference_layout())
            .unwrap(),
        decoding: Err("kernels only".into()),
        seed: 1,
        shard: Shard::WHOLE,
        progress: harness::progress::Progress::silent(),
    };
    let mut check = check::run(&Level::OF_KERNELS, &participants, &task);
    let mut kept = BTreeSet::new();
    for outcome in check
        .levels
        .iter_mut()
        .flat_map(|report| &mut report.outcomes)
    {
        let files = fuzz::keep(
            outcome,
            &participants,
            Some(&folder.path().join("findings")),
        )
        .unwrap();
        for file in &files {
            let regression = Regression::read(file).unwrap();
            let case = regression.case(file).unwrap();
            let found = regression.found.expect("a kept finding");
            assert!(found.finding.cause.is_some(), "{}", file.display());
            let trial =
                try_case(&case, &participants.candidates, &participants.references).unwrap();
            assert!(
                trial
                    .differences
                    .iter()
                    .any(|d| d.candidate == outcome.candidate),
                "{}",
                file.display()
            );
            assert!(case.rows <= 128 && case.cols <= QK256, "{case:?}");
            kept.insert((outcome.level, outcome.candidate.clone()));
        }
        commands_name_files(outcome, files.len());
    }
    let on = |level, name: &str| kept.contains(&(level, format!("i2_s.group128.mutant.{name}")));
    assert!(on(Level::Block, "group64-read") && on(Level::Tensor, "group64-read"));
    assert!(on(Level::Block, "row-zeroed") && on(Level::Tensor, "row-zeroed"));
    assert!(on(Level::Tensor, "scale-tenfold"));
    assert!(!kept.iter().any(|(_, id)| id.ends_with("nan-accepted")));
}

fn commands_name_files(outcome: &Outcome, files: usize) {
    let replays = |finding: &&Finding| matches!(finding.reproduce, Rerun::Replay { .. });
    let naming = outcome.findings.iter().filter(replays).count();
    assert_eq!(naming, files, "{outcome:?}");
}

/// Kernels that agree write no files, and no cause is printed.
#[test(needs(ORACLE))]
fn a_run_without_findings_makes_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let findings = folder.path().join("findings");
    let findings = findings.to_str().unwrap();
    let kernel = "i2_s.group128.scalar";
    let output = harness(&[
        "check",
        "--level",
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
