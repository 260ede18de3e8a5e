//! Every criterion fails on its own case and on no other.

use std::collections::BTreeSet;

use harness::baseline::Baseline;
use harness::bench::report::{Computation, Row};
use harness::gate::{CRITERIA, Case, CaseError, Judgement, Point, Status};
use harness::measure::{Counter, Measures};
use harness::outcome::{Omission, Outcome};
use harness::receipt::{Receipt, Shards};
use harness::verdict::Verdict;
use proptest::prelude::*;

use crate::generated;
use crate::made::{
    all_with, bench, changed, check, doubtful, failures, fuzz, green, judged, median,
};
use testing::test;

/// A criterion, its text, and receipts that fail it.
type Red = (&'static str, &'static str, Vec<Receipt>);

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

fn bench_row(receipt: &mut Receipt) -> &mut Row {
    let bench = receipt.harness.bench.as_mut().expect("a bench");
    &mut bench.report.rows[0]
}

/// The points of a criterion.
fn points(judgement: &Judgement, name: &str) -> Vec<Point> {
    let mut answers = judgement.answers.iter();
    let answer = answers.find(|answer| answer.criterion.name == name);
    answer.expect("a criterion of this name").points.clone()
}

/// The number of points that are not available for this reason.
fn not_here(baseline: &Baseline, receipts: &[Receipt], reason: &str) -> usize {
    let answers = judged(baseline, receipts).answers;
    let points = answers.iter().flat_map(|answer| answer.of(Status::NotHere));
    points.filter(|point| point.reason == reason).count()
}

fn skip(outcome: &mut Outcome) {
    outcome.measures = Counter::default().measures();
    outcome.verdict = Verdict::Skipped;
    outcome.omitted = Some(Omission::skipped("not today"));
}

/// Receipts for each criterion that can fail, and more if it can fail in several ways.
fn reds() -> Vec<Red> {
    // The criterion, its text, the position of the receipt, and the change that fails the criterion.
    type Change = fn(&mut Receipt);
    fn off() -> Measures {
        generated::measures(&vec![(1, 0), (2, 5), (3, 0)])
    }
    let changes: [(&str, &str, usize, Change); 12] = [
        ("levels", "1 of 3 differ", 0, |receipt| {
            let outcome = &mut outcomes(receipt)[0];
            outcome.measures = off();
            outcome.verdict = outcome.derived_verdict();
        }),
        ("fuzz", "case 103", 1, |receipt| {
            let found = generated::fuzz(harness::shard::Shard::WHOLE).harness.fuzz;
            receipt.harness.fuzz.as_mut().unwrap().findings = found.unwrap().findings;
        }),
        ("mutants", "survives", 2, |receipt| {
            receipt.harness.mutants.as_mut().unwrap().kernels[0]
                .caught
                .gate = false;
        }),
        ("mutants", "wrong location", 2, |receipt| {
            receipt.harness.mutants.as_mut().unwrap().models[0].located = false;
        }),
        ("bench", "results differ", 3, |receipt| {
            bench_row(receipt).oracles[0].nmse = Some(0.5);
        }),
        ("known-divergences", "no longer reproduces", 0, |receipt| {
            let mut outcome = outcomes(receipt)[0].clone();
            outcome.candidate.clone_from(&harness::known::all()[0].id);
            outcome.measures = off();
            outcome.verdict = Verdict::Divergent;
            let mut red = generated::rich_check();
            outcome.findings.clone_from(&outcomes(&mut red)[0].findings);
            outcomes(receipt).push(outcome);
        }),
        ("completeness", "nothing was compared", 0, |receipt| {
            let check = receipt.harness.check.as_mut().unwrap();
            let outcomes = check
                .levels
                .iter_mut()
                .flat_map(|report| &mut report.outcomes);
            outcomes.for_each(skip);
        }),
        ("completeness", "missing: shard 2/3", 1, |receipt| {
            receipt.harness.fuzz.as_mut().unwrap().shards = Shards::new(3, [1]);
            receipt.harness.runs[0].shard = "1/3".parse().unwrap();
        }),
        ("coverage", "2 where there were 3", 0, |receipt| {
            outcomes(receipt)[0].measures = generated::measures(&vec![(1, 0), (2, 0)]);
        }),
        ("coverage", "oracle second/build", 0, |receipt| {
            let check = receipt.harness.check.as_mut().unwrap();
            check.levels[1].outcomes.remove(1);
        }),
        ("coverage", "level block", 0, |receipt| {
            skip(&mut outcomes(receipt)[0])
        }),
        ("coverage", "tensor blk.0.attn_q.weight", 0, |receipt| {
            receipt.model_info.as_mut().unwrap().tensors.clear();
        }),
    ];
    let changed = changes.map(|(criterion, printed, at, change)| {
        let receipt = changed(green().swap_remove(at), change);
        (criterion, printed, with(at, receipt))
    });
    let without_kernel = all_with(|receipt| {
        receipt.harness.runs[0].calls.remove("i2_s.group128.avx2");
    });
    let others = [
        ("kernels", "i2_s.group128.avx2 on x86_64", without_kernel),
        ("coverage", "model default", without(0)),
        ("coverage", "random cases", without(1)),
        ("coverage", "mutants", without(2)),
        ("speed", "% slower", with(3, bench(1.0))),
    ];
    changed.into_iter().chain(others).collect()
}

#[test]
fn unchanged_receipts_pass() {
    let receipts = green();
    let baseline = Baseline::of(&receipts);
    assert_eq!(failures(&baseline, &receipts), [""; 0]);
    // The criteria were applied.
    for answer in judged(&baseline, &receipts).answers {
        let name = answer.criterion.name;
        let nothing_there = ["skips", "known-divergences"].contains(&name);
        let passed = answer.of(Status::Passed).next().is_some();
        assert!(passed || nothing_there, "{name}");
    }
}

#[test]
fn every_criterion_fails_on_its_own_case() {
    let baseline = Baseline::of(&green());
    let mut tried = BTreeSet::from(["skips"]);
    for (criterion, printed, receipts) in reds() {
        let failures = failures(&baseline, &receipts);
        let mut own = failures
            .iter()
            .filter(|failure| failure.starts_with(criterion));
        let found = own.any(|failure| failure.contains(printed));
        assert!(found, "{criterion}, {printed}: {failures:#?}");
        tried.insert(criterion);
    }
    assert_eq!(
        tried,
        CRITERIA.iter().map(|criterion| criterion.name).collect()
    );
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
    let printed = points(&judgement, "skips");
    assert!(printed.iter().all(|point| point.status == Status::Skipped));
    let is_neon = |point: &Point| point.what.contains("neon");
    assert!(printed.iter().any(is_neon), "{printed:#?}");
    assert!(!points(&judgement, "levels").iter().any(is_neon));
}

#[test]
fn missing_cpu_features_are_reported_and_are_no_failure() {
    let receipts = all_with(|receipt| {
        let run = &mut receipt.harness.runs[0];
        run.calls.remove("i2_s.group128.avx2");
        run.environment.cpu_features = vec!["f16c".into()];
    });
    let baseline = Baseline::of(&green());
    assert_eq!(failures(&baseline, &receipts), [""; 0]);
    assert_eq!(not_here(&baseline, &receipts, "no avx2"), 1);
}

#[test]
fn entries_of_another_architecture_are_not_judged() {
    let baseline = Baseline::of(&green());
    let receipts = all_with(|receipt| {
        receipt.harness.runs[0].environment.arch = "aarch64".into();
    });
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
    let receipts = with(3, bench(0.5)).into_iter().map(|receipt| {
        changed(receipt, |receipt| {
            receipt.harness.runs[0].environment.cpu = "another CPU".into();
        })
    });
    let receipts: Vec<Receipt> = receipts.collect();
    assert_eq!(failures(&baseline, &receipts), [""; 0]);
    let reason = "other CPU than a CPU with avx2 f16c fma";
    assert_eq!(not_here(&baseline, &receipts, reason), 2);
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
        ("computation", |row| {
            let Computation::Product(product) = &mut row.computation else {
                panic!("a bench of kernels");
            };
            product.kernel = "i2_s.group128.abacus".into();
        }),
    ];
    for (printed, change) in cases {
        let mut receipt = bench(2.0);
        change(bench_row(&mut receipt));
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
    let more = |receipt: &mut Receipt| {
        let features = &mut receipt.harness.runs[0].environment.cpu_features;
        features.push("avx512f".into());
    };
    let mut receipts = all_with(more);
    receipts[3] = changed(bench(0.5), more);
    assert_eq!(failures(&baseline, &receipts), [""; 0]);
}

/// The results of the speed criterion for each row.
fn speeds(baseline: &Baseline, receipts: &[Receipt]) -> Vec<String> {
    let points = points(&judged(baseline, receipts), "speed");
    points.into_iter().map(|point| point.reason).collect()
}

#[test]
fn a_kernel_that_became_faster_is_not_slower_because_the_oracle_became_faster_still() {
    let baseline = Baseline::of(&green());
    let both_faster = changed(bench(1.2), |receipt| {
        let row = bench_row(receipt);
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
        let printed = failures(&baseline, &without(left_out));
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
    assert!(speeds(&baseline, &without(3))[0].contains("harness bench --receipt FILE"));
}

#[test]
fn faster_or_a_little_slower_is_no_slowdown() {
    let baseline = Baseline::of(&green());
    for ratio in [1.18, 1.2, 1.5] {
        let receipts = with(3, bench(ratio));
        assert_eq!(failures(&baseline, &receipts), [""; 0], "{ratio}");
    }
    let unsure = changed(bench(1.2), |receipt| {
        for versus in &mut bench_row(receipt).oracles {
            versus.ratio = median(1.0);
            (versus.ratio.low, versus.ratio.high) = (0.5, 2.0);
        }
    });
    assert_eq!(failures(&baseline, &with(3, unsure)), [""; 0]);
}

#[test]
fn receipts_of_different_commits_are_no_case() {
    let other = changed(fuzz(), |receipt| receipt.harness.commit = "0b".repeat(20));
    let nothing = Baseline::default();
    let error = Case::new(&nothing, &with(1, other)).unwrap_err();
    assert!(matches!(error, CaseError::Commits { .. }), "{error}");
    assert_eq!(Case::new(&nothing, &[]).unwrap_err(), CaseError::NoReceipts);
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
        let (_, _, receipts) = reds().swap_remove(red);
        let mut shuffled: Vec<Receipt> =
            order.iter().filter_map(|&i| receipts.get(i).cloned()).collect();
        shuffled.extend(receipts.get(twice).cloned());
        prop_assert_eq!(failures(&baseline, &shuffled), failures(&baseline, &receipts));
        prop_assert_eq!(Baseline::of(&shuffled), Baseline::of(&receipts));
    }
}
