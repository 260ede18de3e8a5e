//! Every criterion fails on its own case and on no other.

use harness::baseline::Baseline;
use harness::bench::report::Row;
use harness::gate::{CRITERIA, Case, CaseError, Status};
use harness::measure::Counter;
use harness::outcome::{Omission, Outcome};
use harness::receipt::{Receipt, Shards};
use harness::verdict::Verdict;
use proptest::prelude::*;

use crate::generated;
use crate::made::{
    bench, changed, check, doubtful, failures, fuzz, green, judged, median, mutants,
};
use testing::test;

/// A receipt that fails one criterion. It replaces the passing one of its kind.
struct Red {
    criterion: &'static str,
    printed: &'static str,
    receipts: Vec<Receipt>,
}

fn outcomes(receipt: &mut Receipt) -> &mut Vec<Outcome> {
    let check = receipt.harness.check.as_mut().expect("a check");
    &mut check.levels[0].outcomes
}

fn with(at: usize, receipt: Receipt) -> Vec<Receipt> {
    let mut receipts = green();
    receipts[at] = receipt;
    receipts
}

fn without(at: usize) -> Vec<Receipt> {
    let mut receipts = green();
    receipts.remove(at);
    receipts
}

fn skip(outcome: &mut Outcome) {
    outcome.measures = Counter::default().measures();
    outcome.verdict = Verdict::Skipped;
    outcome.omitted = Some(Omission::skipped("not today"));
}

/// One receipt for each criterion that can fail, and more if it can fail in several ways.
fn reds() -> Vec<Red> {
    let red = |criterion, printed, receipts| Red {
        criterion,
        printed,
        receipts,
    };
    let off = generated::measures(&vec![(1, 0), (2, 5), (3, 0)]);
    vec![
        red(
            "levels",
            "1 of 3 differ",
            with(
                0,
                changed(check(), |receipt| {
                    let outcome = &mut outcomes(receipt)[0];
                    outcome.measures = off;
                    outcome.verdict = outcome.derived_verdict();
                }),
            ),
        ),
        red(
            "fuzz",
            "case 103",
            with(
                1,
                changed(fuzz(), |receipt| {
                    let found = generated::fuzz(harness::shard::Shard::WHOLE)
                        .harness
                        .fuzz
                        .unwrap();
                    receipt.harness.fuzz.as_mut().unwrap().findings = found.findings;
                }),
            ),
        ),
        red(
            "mutants",
            "survives",
            with(
                2,
                changed(mutants(), |receipt| {
                    let section = receipt.harness.mutants.as_mut().unwrap();
                    section.kernels[0].caught.gate = false;
                }),
            ),
        ),
        red(
            "mutants",
            "wrong location",
            with(
                2,
                changed(mutants(), |receipt| {
                    let section = receipt.harness.mutants.as_mut().unwrap();
                    section.models[0].located = false;
                }),
            ),
        ),
        red(
            "bench",
            "results differ",
            with(
                3,
                changed(bench(1.2), |receipt| {
                    let section = receipt.harness.bench.as_mut().unwrap();
                    section.report.rows[0].oracles[0].nmse = Some(0.5);
                }),
            ),
        ),
        red(
            "known-divergences",
            "no longer reproduces",
            with(
                0,
                changed(check(), |receipt| {
                    let mut outcome = outcomes(receipt)[0].clone();
                    outcome.candidate.clone_from(&harness::known::all()[0].id);
                    outcome.measures = off;
                    outcome.verdict = Verdict::Divergent;
                    let red = generated::rich_check().harness.check.unwrap();
                    outcome
                        .findings
                        .clone_from(&red.levels[0].outcomes[0].findings);
                    outcomes(receipt).push(outcome);
                }),
            ),
        ),
        red(
            "completeness",
            "nothing was compared",
            with(
                0,
                changed(check(), |receipt| {
                    let check = receipt.harness.check.as_mut().unwrap();
                    check
                        .levels
                        .iter_mut()
                        .flat_map(|report| &mut report.outcomes)
                        .for_each(skip);
                }),
            ),
        ),
        red(
            "completeness",
            "missing: shard 2/3",
            with(
                1,
                changed(fuzz(), |receipt| {
                    receipt.harness.fuzz.as_mut().unwrap().shards = Shards::new(3, [1]);
                    receipt.harness.runs[0].shard = "1/3".parse().unwrap();
                }),
            ),
        ),
        red("kernels", "i2_s.group128.avx2 on x86_64", {
            let forget = |receipt: Receipt| {
                changed(receipt, |receipt| {
                    receipt.harness.runs[0].calls.remove("i2_s.group128.avx2");
                })
            };
            green().into_iter().map(forget).collect()
        }),
        red("coverage", "model default", without(0)),
        red("coverage", "random cases", without(1)),
        red("coverage", "mutants", without(2)),
        red(
            "coverage",
            "2 where there were 3",
            with(
                0,
                changed(check(), |receipt| {
                    outcomes(receipt)[0].measures = generated::measures(&vec![(1, 0), (2, 0)]);
                }),
            ),
        ),
        red(
            "coverage",
            "oracle second/build",
            with(
                0,
                changed(check(), |receipt| {
                    let check = receipt.harness.check.as_mut().unwrap();
                    check.levels[1].outcomes.remove(1);
                }),
            ),
        ),
        red(
            "coverage",
            "level block",
            with(
                0,
                changed(check(), |receipt| skip(&mut outcomes(receipt)[0])),
            ),
        ),
        red(
            "coverage",
            "tensor blk.0.attn_q.weight",
            with(
                0,
                changed(check(), |receipt| {
                    receipt.model_info.as_mut().unwrap().tensors.clear();
                }),
            ),
        ),
        red("speed", "% slower", with(3, bench(1.0))),
    ]
}

#[test]
fn unchanged_receipts_pass() {
    let receipts = green();
    let baseline = Baseline::of(&receipts);
    assert_eq!(failures(&baseline, &receipts), [""; 0]);
    // The criteria were applied.
    for (criterion, points) in judged(&baseline, &receipts).answers {
        let passed = points
            .iter()
            .any(|point| matches!(point.status, Status::Passed(_)));
        let nothing_there = ["skips", "known-divergences"].contains(&criterion.name);
        assert!(passed || nothing_there, "{}", criterion.name);
    }
}

#[test]
fn every_criterion_fails_on_its_own_case() {
    let baseline = Baseline::of(&green());
    for Red {
        criterion,
        printed,
        receipts,
    } in reds()
    {
        let failures = failures(&baseline, &receipts);
        let found = failures
            .iter()
            .any(|failure| failure.starts_with(criterion) && failure.contains(printed));
        assert!(found, "{criterion}, {printed}: {failures:#?}");
    }
    for criterion in CRITERIA
        .iter()
        .filter(|criterion| criterion.name != "skips")
    {
        let tried = reds().iter().any(|red| red.criterion == criterion.name);
        assert!(tried, "no receipt fails {}", criterion.name);
    }
}

#[test]
fn skips_are_reported_and_are_no_pass() {
    let receipts = with(
        0,
        changed(check(), |receipt| {
            let mut outcome = outcomes(receipt)[0].clone();
            outcome.candidate = "i2_s.group128.neon".into();
            skip(&mut outcome);
            outcomes(receipt).push(outcome);
        }),
    );
    let judgement = judged(&Baseline::of(&green()), &receipts);
    assert!(judgement.is_passed());
    let printed = judgement
        .answers
        .iter()
        .filter(|(criterion, _)| criterion.name == "skips");
    let printed: Vec<_> = printed.flat_map(|(_, points)| points).collect();
    assert!(
        printed
            .iter()
            .all(|point| matches!(point.status, Status::Skipped(_)))
    );
    assert!(
        printed.iter().any(|point| point.what.contains("neon")),
        "{printed:#?}"
    );
    let ladder = &judgement.answers[0].1;
    assert!(ladder.iter().all(|point| !point.what.contains("neon")));
}

#[test]
fn missing_cpu_features_are_reported_and_are_no_failure() {
    let weaker = |receipt: Receipt| {
        changed(receipt, |receipt| {
            let run = &mut receipt.harness.runs[0];
            run.calls.remove("i2_s.group128.avx2");
            run.environment.cpu_features = vec!["f16c".into()];
        })
    };
    let receipts: Vec<Receipt> = green().into_iter().map(weaker).collect();
    let judgement = judged(&Baseline::of(&green()), &receipts);
    assert_eq!(failures(&Baseline::of(&green()), &receipts), [""; 0]);
    let points = judgement.answers.iter().flat_map(|(_, points)| points);
    let not_here = points.filter(|point| point.status == Status::NotHere("no avx2".into()));
    assert_eq!(not_here.count(), 1);
}

#[test]
fn entries_of_another_architecture_are_not_judged() {
    let elsewhere = |receipt: Receipt| {
        changed(receipt, |receipt| {
            receipt.harness.runs[0].environment.arch = "aarch64".into()
        })
    };
    let baseline = Baseline::of(&green());
    let receipts: Vec<Receipt> = green().into_iter().map(elsewhere).collect();
    assert_eq!(failures(&baseline, &receipts), [""; 0]);
    // With both together, both are required.
    let both: Vec<Receipt> = receipts.into_iter().chain(green()).collect();
    let baseline = Baseline::of(&both);
    assert_eq!(baseline.targets.len(), 2);
    assert_eq!(failures(&baseline, &both), [""; 0]);
    assert!(!failures(&baseline, &both[1..]).is_empty());
}

#[test]
fn speed_is_compared_only_on_the_same_cpu() {
    let baseline = Baseline::of(&green());
    let faster_cpu = changed(bench(0.5), |receipt| {
        receipt.harness.runs[0].environment.cpu = "another CPU".into();
    });
    let mut receipts = with(3, faster_cpu);
    let other = changed(check(), |r| {
        r.harness.runs[0].environment.cpu = "another CPU".into()
    });
    receipts[0] = other;
    receipts[1] = changed(fuzz(), |r| {
        r.harness.runs[0].environment.cpu = "another CPU".into()
    });
    receipts[2] = changed(mutants(), |r| {
        r.harness.runs[0].environment.cpu = "another CPU".into()
    });
    assert_eq!(failures(&baseline, &receipts), [""; 0]);
    let judgement = judged(&baseline, &receipts);
    let points = judgement.answers.iter().flat_map(|(_, points)| points);
    let printed = points.filter(|point| {
        point.status == Status::NotHere("other CPU than a CPU with avx2 f16c fma".into())
    });
    assert_eq!(printed.count(), 2);
}

#[test]
fn impossible_times_make_a_receipt_invalid() {
    type Change = fn(&mut Row);
    let cases: [(&str, Change); 5] = [
        ("interval", |row| {
            row.time.seconds.value = row.time.seconds.high * 2.0
        }),
        ("samples", |row| row.oracles[0].time.seconds.samples = 0),
        ("interval", |row| row.roofs.read_roof.share.low = 2.0),
        ("threads", |row| row.threads = 0),
        ("kernel", |row| row.kernel = "i2_s.group128.abacus".into()),
    ];
    for (printed, change) in cases {
        let mut receipt = bench(2.0);
        change(&mut receipt.harness.bench.as_mut().unwrap().report.rows[0]);
        receipt.renew_digest();
        let validation_error = receipt.verify().expect_err(printed);
        assert!(
            validation_error.to_string().contains(printed),
            "{validation_error}"
        );
    }
}

#[test]
fn a_cpu_is_its_name_and_its_features() {
    let baseline = Baseline::of(&green());
    let other = |receipt: Receipt| {
        changed(receipt, |receipt| {
            let features = &mut receipt.harness.runs[0].environment.cpu_features;
            features.push("avx512f".into());
        })
    };
    let mut receipts: Vec<Receipt> = green().into_iter().map(other).collect();
    receipts[3] = other(bench(0.5));
    assert_eq!(failures(&baseline, &receipts), [""; 0]);
}

/// The results of the speed criterion for each row.
fn speeds(baseline: &Baseline, receipts: &[Receipt]) -> Vec<String> {
    let judgement = judged(baseline, receipts);
    let mut answers = judgement.answers.iter();
    let (_, points) = answers.find(|(c, _)| c.name == "speed").unwrap();
    points.iter().map(|p| format!("{:?}", p.status)).collect()
}

#[test]
fn a_kernel_that_became_faster_is_not_slower_because_the_oracle_became_faster_still() {
    let baseline = Baseline::of(&green());
    let both_faster = changed(bench(1.2), |receipt| {
        let row = &mut receipt.harness.bench.as_mut().unwrap().report.rows[0];
        row.time.seconds = median(0.5e-3);
        for versus in &mut row.oracles {
            versus.time.seconds = median(0.1e-3);
            versus.ratio = median(0.2);
        }
    });
    let receipts = with(3, both_faster);
    assert_eq!(failures(&baseline, &receipts), [""; 0]);
    for printed in speeds(&baseline, &receipts) {
        assert!(printed.contains("the oracle became faster"), "{printed}");
        assert!(printed.contains("500 µs, oracle 100 µs"), "{printed}");
    }
    let slower = speeds(&baseline, &with(3, bench(0.5)));
    assert!(
        slower[0].contains("(2.00 ms, oracle 1.00 ms), was 1.200x"),
        "{slower:?}"
    );
}

#[test]
fn doubtful_times_are_not_judged() {
    let baseline = Baseline::of(&green());
    for (doubt, receipt) in doubtful(bench(0.1)) {
        let receipts = with(3, receipt);
        assert_eq!(failures(&baseline, &receipts), [""; 0], "{doubt}");
        for printed in speeds(&baseline, &receipts) {
            assert!(
                printed.contains(&format!("timed in doubt: {doubt}")),
                "{printed}"
            );
        }
    }
}

#[test]
fn missing_coverage_names_the_command_for_it() {
    let baseline = Baseline::of(&green());
    for (left_out, command) in [
        (0, "`harness check"),
        (1, "`harness fuzz --cases "),
        (2, "`harness mutants --receipt FILE`"),
    ] {
        let mut receipts = green();
        receipts.remove(left_out);
        let printed = failures(&baseline, &receipts);
        assert!(!printed.is_empty());
        for printed in printed
            .iter()
            .filter(|printed| printed.starts_with("coverage"))
        {
            assert!(printed.contains("--receipt FILE` covers it"), "{printed}");
        }
        assert!(
            printed.iter().any(|printed| printed.contains(command)),
            "{printed:#?}"
        );
    }
    let mut receipts = green();
    receipts.pop();
    assert!(speeds(&baseline, &receipts)[0].contains("harness bench --receipt FILE"));
}

#[test]
fn faster_or_a_little_slower_is_no_slowdown() {
    let baseline = Baseline::of(&green());
    for ratio in [1.18, 1.2, 1.5] {
        assert_eq!(
            failures(&baseline, &with(3, bench(ratio))),
            [""; 0],
            "{ratio}"
        );
    }
    let unsure = changed(bench(1.2), |receipt| {
        let section = receipt.harness.bench.as_mut().unwrap();
        for versus in &mut section.report.rows[0].oracles {
            versus.ratio = median(1.0);
            (versus.ratio.low, versus.ratio.high) = (0.5, 2.0);
        }
    });
    assert_eq!(failures(&baseline, &with(3, unsure)), [""; 0]);
}

#[test]
fn receipts_of_different_commits_are_no_case() {
    let other = changed(fuzz(), |receipt| receipt.harness.commit = "0b".repeat(20));
    let error = Case::new(&Baseline::empty(), &with(1, other)).unwrap_err();
    assert!(matches!(error, CaseError::Commits { .. }), "{error}");
    assert_eq!(
        Case::new(&Baseline::empty(), &[]).unwrap_err(),
        CaseError::NoReceipts
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_and_duplicates_of_receipts_do_not_matter(
        order in Just((0..4).collect::<Vec<usize>>()).prop_shuffle(),
        twice in 0..4usize,
        red in 0..17usize,
    ) {
        let baseline = Baseline::of(&green());
        let receipts = reds().swap_remove(red).receipts;
        let mut shuffled: Vec<Receipt> =
            order.iter().filter_map(|&i| receipts.get(i).cloned()).collect();
        shuffled.extend(receipts.get(twice).cloned());
        prop_assert_eq!(failures(&baseline, &shuffled), failures(&baseline, &receipts));
        prop_assert_eq!(Baseline::of(&shuffled), Baseline::of(&receipts));
    }
}
