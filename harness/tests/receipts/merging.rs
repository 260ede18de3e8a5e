//! Merging does not depend on the order, sums counts, and refuses incompatible receipts.

use harness::receipt::{MergeError, Receipt, Section, merge};
use harness::shard::Shard;
use proptest::prelude::*;

use crate::common::{assert_code, harness, stderr, stdout};
use crate::generated::{self, Found, found};
use testing::test;

fn shards(found: &[Found]) -> Vec<Receipt> {
    let count = found.len() as u64;
    (1..=count)
        .zip(found)
        .map(|(index, found)| generated::check(Shard { index, count }, found))
        .collect()
}

fn all(receipts: &[Receipt]) -> Receipt {
    let merged = receipts.iter().cloned();
    merged
        .reduce(|left, right| merge(left, right).expect("shards of one check go together"))
        .expect("there is a receipt")
}

/// Merges pairs of receipts in the order of `tree`.
fn as_tree(mut receipts: Vec<Receipt>, tree: &[usize]) -> Receipt {
    let mut at = tree.iter().cycle();
    while receipts.len() > 1 {
        let next = || receipts.len() - 1;
        let i = at.next().expect("the tree repeats") % next();
        let (left, right) = (receipts.remove(i), receipts.remove(i));
        receipts.insert(
            i,
            merge(left, right).expect("shards of one check go together"),
        );
    }
    receipts.remove(0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_merging_does_not_matter(
        (found, order) in found().prop_flat_map(|found| {
            let order: Vec<usize> = (0..found.len()).collect();
            (Just(found), Just(order).prop_shuffle())
        }),
        tree in prop::collection::vec(any::<usize>(), 1..8),
    ) {
        let receipts = shards(&found);
        let merged = all(&receipts);
        prop_assert_eq!(merged.verify(), Ok(()));
        prop_assert_eq!(merged.missing(), Vec::<String>::new());
        let shuffled: Vec<Receipt> = order.iter().map(|&i| receipts[i].clone()).collect();
        prop_assert_eq!(&all(&shuffled), &merged);
        prop_assert_eq!(&as_tree(shuffled, &tree), &merged);
    }

    #[test]
    fn counts_sum_to_those_of_one_run(found in found()) {
        let merged = all(&shards(&found));
        let whole = generated::check(Shard::WHOLE, &Found {
            block: found.iter().flat_map(|found| found.block.clone()).collect(),
            tensor: found.iter().flat_map(|found| found.tensor.clone()).collect(),
        });
        let (merged, whole) = (merged.harness.check.unwrap(), whole.harness.check.unwrap());
        prop_assert_eq!(merged.verdict, whole.verdict);
        for (merged, whole) in merged.levels.iter().zip(&whole.levels) {
            prop_assert_eq!(merged.verdict, whole.verdict);
            for (merged, whole) in merged.outcomes.iter().zip(&whole.outcomes) {
                let counts = |o: &harness::outcome::Outcome| {
                    (o.verdict, o.measures.comparisons, o.measures.mismatches, o.measures.first_mismatch, o.measures.max_ulp)
                };
                prop_assert_eq!(counts(merged), counts(whole));
                prop_assert_eq!(merged.measures.ulp_histogram, whole.measures.ulp_histogram);
                let rmse = [merged, whole].map(|outcome| outcome.measures.rmse.unwrap_or(-1.0));
                prop_assert!((rmse[0] - rmse[1]).abs() <= 1e-12 * rmse[1].abs());
            }
        }
    }
}

fn one() -> Found {
    Found {
        block: vec![(1, 0), (2, 0)],
        tensor: vec![(3, 0), (4, 1)],
    }
}

fn half(index: u64) -> Receipt {
    generated::check(Shard { index, count: 2 }, &one())
}

#[test]
fn sections_of_different_commands_are_kept() {
    let check = generated::check(Shard::WHOLE, &one());
    let receipts = [check, generated::fuzz(Shard::WHOLE), generated::mutants()];
    let merged = all(&receipts);
    assert_eq!(merged.verify(), Ok(()));
    let sections = merged.harness.sections();
    let names: Vec<Section> = sections.into_iter().map(|(section, _)| section).collect();
    assert_eq!(names, [Section::Check, Section::Fuzz, Section::Mutants]);
    assert!(merged.harness.runs.len() == 3 && merged.model_info.is_some());
}

#[test]
fn campaigns_are_summed() {
    let shard = |index| generated::fuzz(Shard { index, count: 3 });
    let merged = all(&[shard(3), shard(1)]);
    assert_eq!(merged.missing(), ["fuzz 2/3"]);
    let fuzz = merged.harness.fuzz.unwrap();
    assert_eq!(
        (fuzz.cases, fuzz.comparisons, fuzz.findings.len()),
        (100, 24_690, 2)
    );
    assert!(fuzz.findings[0].case < fuzz.findings[1].case);
}

#[test]
fn incompatible_receipts_are_refused() {
    let different = |change: fn(&mut Receipt)| {
        let mut other = half(2);
        change(&mut other);
        other.renew_digest();
        match merge(half(1), other) {
            Err(MergeError::Different { what, .. }) => what,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        different(|r| r.harness.commit = "0".repeat(40)),
        "the commit"
    );
    assert_eq!(
        different(|r| r.validation.oracles[0].flags = "-O0".into()),
        "the oracle first/build"
    );
    assert_eq!(
        different(|r| r.model_info.as_mut().unwrap().sha256 = "2".repeat(64)),
        "the model's hash"
    );
    assert_eq!(
        different(|r| r.harness.check.as_mut().unwrap().parameters.seed = 2),
        "the parameters of check"
    );
    assert_eq!(
        different(|r| {
            r.harness.runs[0].oracles.pop();
        }),
        "the oracles of check"
    );
    let third = generated::check(Shard { index: 3, count: 3 }, &one());
    assert!(matches!(
        merge(half(1), third),
        Err(MergeError::Different { .. })
    ));
    let overlap = MergeError::Overlap {
        section: Section::Check,
        shard: Shard { index: 1, count: 2 },
    };
    assert_eq!(merge(half(1), half(1)), Err(overlap.clone()));
    let both = merge(half(1), half(2)).unwrap();
    assert_eq!(merge(both, half(1)), Err(overlap));
    assert!(matches!(
        merge(generated::mutants(), generated::mutants()),
        Err(MergeError::Overlap { .. })
    ));
}

#[test]
fn the_path_of_the_model_may_differ() {
    let mut other = half(2);
    other.harness.runs[0].model = Some("/elsewhere/model.gguf".into());
    other.renew_digest();
    let merged = merge(other, half(1)).unwrap();
    assert_eq!(merged.verify(), Ok(()));
    assert_eq!(merged.model_info.unwrap().path, "");
}

#[test]
fn the_command_names_missing_shards_and_writes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    half(1).write(path("1.json").as_ref()).unwrap();
    half(2).write(path("2.json").as_ref()).unwrap();

    let output = harness(&["merge", &path("1.json"), "-o", &path("all.json")]);
    assert_code(&output, 3);
    assert!(stderr(&output).contains("check 2/2"), "{}", stderr(&output));
    let names = || folder.path().read_dir().unwrap().count();
    assert_eq!(names(), 2);

    let output = harness(&[
        "merge",
        &path("1.json"),
        "--partial",
        "-o",
        &path("part.json"),
    ]);
    assert_code(&output, 0);
    assert!(
        stdout(&output).contains("missing: check 2/2"),
        "{}",
        stdout(&output)
    );

    let output = harness(&[
        "merge",
        &path("2.json"),
        &path("1.json"),
        "-o",
        &path("all.json"),
    ]);
    assert_code(&output, 0);
    let merged = Receipt::read(path("all.json").as_ref()).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The mode is that of any new file.
        let mode = |name: &str| std::fs::metadata(path(name)).unwrap().permissions().mode();
        std::fs::write(path("plain"), "").unwrap();
        assert_eq!(mode("all.json"), mode("plain"));
    }
    assert_eq!(
        merged,
        all(&[half_read(&path("1.json")), half_read(&path("2.json"))])
    );

    let output = harness(&[
        "merge",
        &path("all.json"),
        &path("1.json"),
        "-o",
        &path("x.json"),
    ]);
    assert_code(&output, 3);
    let error = stderr(&output);
    assert!(
        error.contains("1.json") && error.contains("both contain check 1/2"),
        "{error}"
    );
}

fn half_read(path: &str) -> Receipt {
    Receipt::read(path.as_ref()).unwrap()
}

/// A limit on file sizes has the effect of a disk that is full in the middle of a receipt.
#[test]
#[cfg(unix)]
fn a_full_disk_leaves_no_incomplete_receipt() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    half(1).write(path("1.json").as_ref()).unwrap();
    half(2).write(path("2.json").as_ref()).unwrap();
    let script = r#"trap '' XFSZ; ulimit -f 1; exec "$0" merge "$1" "$2" -o "$3""#;
    let output = std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_harness")])
        .args([path("1.json"), path("2.json"), path("all.json")])
        .output()
        .unwrap();
    assert_code(&output, 3);
    assert!(stderr(&output).contains("all.json"), "{}", stderr(&output));
    assert_eq!(folder.path().read_dir().unwrap().count(), 2);
}
