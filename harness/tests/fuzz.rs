//! Differential fuzzing with property tests, and all regression cases.

mod common;

use std::path::{Path, PathBuf};

use common::oracles::references;
use common::{ORACLE, assert_code, harness, harness_in, stdout};
use harness::fuzz::{Campaign, Case, Draft, Input, Limit, Regression, shrink, try_case};
use harness::known::KnownDivergence;
use harness::mutant::MUTANTS;
use harness::participant::{Candidate, Participants, Reference};
use harness::progress::Progress;
use harness::shard::Shard;
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, TestRunner};
use qk256::format::{FORMATS, Format, I2_S_GROUP128, StorageVariant};
use tempfile::tempdir;
use testing::{Need, test};

fn kernels() -> Vec<Candidate> {
    Candidate::kernels(|kernel| kernel.availability().is_ok())
}

fn drafts() -> impl Strategy<Value = Draft> {
    let shape = (
        0..FORMATS.len(),
        0..3usize,
        0..=Draft::MAX_PANELS,
        prop_oneof![8 => 0..600usize, 1 => 0..Draft::MAX_COLS],
        prop_oneof![8 => 0..9usize, 1 => 0..=Draft::MAX_BATCH],
    );
    let run = (0..=Draft::MAX_THREADS, 0..64usize, 0..64usize);
    let values = (0..8usize, 0..8usize, 0..4usize, any::<bool>(), any::<u64>());
    (shape, run, values).prop_map(|(shape, run, values)| {
        let (format, variant, panels, steps, batch) = shape;
        let (threads, weight_shift, activation_shift) = run;
        let (codes, activations, scales, products, seed) = values;
        Draft {
            format,
            variant,
            panels,
            steps,
            batch,
            threads,
            weight_shift,
            activation_shift,
            codes,
            activations,
            scales,
            products,
            seed,
        }
    })
}

fn all_formats() -> Vec<&'static Format> {
    FORMATS.iter().collect()
}

fn regressions() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/regressions")
}

/// proptest shrinks the draft, and the harness shrinks the numbers of the case, which is written to a file.
#[test]
fn kernels_oracles_and_the_reference_model_agree_on_any_draft() {
    let (candidates, references, formats) = (kernels(), references(), all_formats());
    let config = ProptestConfig {
        cases: 1500,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    };
    let differs = |case: &Case| {
        let trial = try_case(case, &candidates, &references).expect("drafts can be packed");
        trial.differences.into_iter().next()
    };
    let outcome = TestRunner::new(config).run(&drafts(), |draft| {
        let case = draft.case(&formats).expect("drafts have possible shapes");
        match differs(&case) {
            None => Ok(()),
            Some(difference) => Err(TestCaseError::fail(format!("{difference:?}"))),
        }
    });
    if let Err(proptest::test_runner::TestError::Fail(reason, draft)) = outcome {
        let smallest = shrink(draft.case(&formats).unwrap(), |case| {
            differs(case).is_some()
        });
        let difference = differs(&smallest);
        let file = Regression::new(
            "found by the property test".into(),
            &smallest,
            difference.as_ref(),
        )
        .write(&regressions())
        .unwrap();
        panic!("{reason}\n{draft:?}\nharness replay {}", file.display());
    }
    outcome.unwrap();
}

#[test]
fn every_regression_stays_fixed() {
    let (candidates, references) = (kernels(), references());
    let mut replayed = 0;
    for entry in regressions()
        .read_dir()
        .expect("corpus/regressions is there")
    {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let case = Regression::read(&path).unwrap().case(&path).unwrap();
        let trial = try_case(&case, &candidates, &references).unwrap();
        assert_eq!(trial.differences, [], "{}", path.display());
        assert!(trial.comparisons > 0, "{}", path.display());
        replayed += 1;
    }
    assert!(replayed > 0, "no regression was found to replay");
}

/// Every mutant that affects dots or finite products is found by random cases alone. Its case shrinks to few rows, a
/// batch as small as the mutant allows, and a file that replays it.
#[test(needs(ORACLE))]
fn fuzzing_finds_and_shrinks_mutants() {
    // The refusal of NaN does not affect finite numbers, and drafts have fewer rows than 128.
    let beyond_drafts = ["nan-accepted", "row-zeroed"];
    for mutant in MUTANTS.iter().filter(|m| !beyond_drafts.contains(&m.name)) {
        let participants = Participants {
            references: references(),
            candidates: mutant.candidates().take(1).collect(),
            engines: Vec::new(),
            upstream: None,
        };
        let campaign = Campaign {
            participants: &participants,
            seed: 1,
            start: 0,
            shard: Shard::WHOLE,
            limit: Limit {
                cases: Some(1500),
                time: None,
            },
        };
        let summary = campaign.run(&Progress::silent()).unwrap();
        let (_, case, difference) = summary
            .findings
            .first()
            .unwrap_or_else(|| panic!("{} survived {} cases", mutant.name, summary.cases));
        assert_eq!(
            difference.candidate,
            participants.candidates[0].implementation.id()
        );
        assert!(case.batch <= 2, "{}: {case:?}", mutant.name);
        assert!(case.rows <= 4, "{}: {case:?}", mutant.name);
        let folder = tempdir().unwrap();
        let file = Regression::new(String::new(), case, Some(difference))
            .write(folder.path())
            .unwrap();
        let again = Regression::read(&file).unwrap().case(&file).unwrap();
        let trial = try_case(&again, &participants.candidates, &participants.references).unwrap();
        assert!(!trial.differences.is_empty(), "{}", mutant.name);
    }
}

/// An oracle whose int16 sums are known to wrap.
const WRAPPING: Need = Need {
    name: "wrapping-oracle",
    check: || {
        let wraps = |oracle: &Reference| !KnownDivergence::of(oracle, &I2_S_GROUP128).is_empty();
        let known = references().iter().any(wraps);
        known
            .then_some(())
            .ok_or_else(|| "no oracle here is known to wrap".into())
    },
};

/// The extreme values of random cases reach the oracle's int16 wrap.
#[test(needs(WRAPPING))]
fn fuzzing_reaches_the_known_divergence() {
    let participants = Participants {
        references: references(),
        candidates: Candidate::kernels(|kernel| kernel.id() == "i2_s.group128.scalar"),
        engines: Vec::new(),
        upstream: None,
    };
    let campaign = Campaign {
        participants: &participants,
        seed: 1,
        start: 0,
        shard: Shard::WHOLE,
        limit: Limit {
            cases: Some(3000),
            time: None,
        },
    };
    let summary = campaign.run(&Progress::silent()).unwrap();
    assert!(summary.findings.is_empty(), "{:?}", summary.findings);
    assert!(
        summary.known > 0,
        "{} cases, none of them wrapped",
        summary.cases
    );
}

/// The smallest reproduction of the known divergence as a case.
fn wrapping_case() -> Case {
    Case {
        format: &I2_S_GROUP128,
        variant: StorageVariant::Qk256,
        rows: 1,
        cols: 2176,
        batch: 1,
        threads: 1,
        shift: [0, 0],
        codes: vec![2; 2176],
        scales: vec![1.0],
        input: Input::Codes(vec![127; 2176]),
    }
}

#[test(needs(ORACLE))]
fn replay_runs_a_file_and_prints_its_result() {
    let folder = tempdir().unwrap();
    let file = Regression::new("a row that wraps int16".into(), &wrapping_case(), None)
        .write(folder.path())
        .unwrap();
    let output = harness(&["replay", file.to_str().unwrap()]);
    assert_code(&output, 0);
    let text = stdout(&output);
    assert!(
        text.contains("a row that wraps int16") && text.contains("0 differences"),
        "{text}"
    );

    std::fs::write(&file, "{}").unwrap();
    assert_code(&harness(&["replay", file.to_str().unwrap()]), 3);
    assert_code(&harness(&["replay", "no/such/file.json"]), 3);
}

#[test(needs(ORACLE))]
fn fuzz_runs_continue_and_can_be_sharded() {
    let folder = tempdir().unwrap();
    let run = |args: &[&str]| {
        let output = harness_in(folder.path(), &[&["fuzz"], args].concat());
        assert_code(&output, 0);
        stdout(&output)
    };
    let text = run(&["--cases", "150", "--seed", "3"]);
    assert!(
        text.contains("150 cases") && text.contains("0 findings"),
        "{text}"
    );
    assert!(text.contains("--seed 3 --start 150"), "{text}");
    let text = run(&["--cases", "40", "--start", "150", "--shard", "2/2"]);
    assert!(text.contains("--start 230 --shard 2/2"), "{text}");
    let text = run(&["--time", "200ms", "--kernel", "tq2_0.scalar"]);
    assert!(text.contains("0 findings"), "{text}");
    assert!(
        !folder.path().join("corpus").exists(),
        "nothing was found, so nothing is written"
    );
    assert_code(&harness(&["fuzz", "--shard", "3/2"]), 2);
    assert_code(&harness(&["fuzz", "--time", "soon"]), 2);
    assert_code(&harness(&["fuzz", "--kernel", "abacus"]), 2);
}

fn main() -> std::process::ExitCode {
    testing::main()
}
