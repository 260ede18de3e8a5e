//! Criterion: every run compared something, and no shard is missing.

use std::collections::{BTreeMap, BTreeSet};

use super::{Case, Criterion, Point, Status};
use crate::baseline::model_name;
use crate::receipt::{Receipt, Section, Shards};

pub(super) const CRITERION: Criterion = Criterion {
    name: "completeness",
    asks: "did every run compare something, and are all shards here?",
    judge,
};

/// Work that was shared, or not: the shards that are here, and what they compared.
#[derive(Default)]
struct Work {
    held: BTreeSet<u64>,
    comparisons: u64,
}

/// What tells one work from another: its architecture, section, words, parameters, and number of shards.
type Key = (String, Section, String, String, u64);

fn judge(case: &Case<'_>) -> Vec<Point> {
    let mut works: BTreeMap<Key, Work> = BTreeMap::new();
    for receipt in &case.receipts {
        for (section, shards) in receipt.harness.sections() {
            let (parameters, comparisons) = of_section(receipt, section);
            let model = receipt
                .model_info
                .as_ref()
                .filter(|_| section == Section::Check);
            let subject = model.map(|model| format!(" of {}", model_name(model)));
            let key = (
                receipt.environment.arch.clone(),
                section,
                subject.unwrap_or_default(),
                model.map_or(parameters.clone(), |model| parameters + &model.sha256),
                shards.count,
            );
            let work = works.entry(key).or_default();
            work.held.extend(shards.held);
            work.comparisons = work.comparisons.saturating_add(comparisons);
        }
    }
    works.into_iter().map(point).collect()
}

fn point(((arch, section, subject, _, count), work): (Key, Work)) -> Point {
    let what = format!("{section}{subject} on {arch}");
    let missing = Shards::new(count, work.held).missing();
    let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let status = match &missing[..] {
        _ if work.comparisons == 0 => Status::Failed("nothing was compared".into()),
        [] => Status::Passed(format!("{} comparisons", work.comparisons)),
        [first, ..] => Status::Failed(format!(
            "missing: shard {}; the same command with `--shard {first}/{count}` makes it",
            missing.join(", ")
        )),
    };
    Point::new(what, status)
}

/// The parameters of a section, and how much it compared.
fn of_section(receipt: &Receipt, section: Section) -> (String, u64) {
    fn json(parameters: &impl serde::Serialize) -> String {
        serde_json::to_string(parameters).expect("parameters have words for keys")
    }
    let harness = &receipt.harness;
    let found = match section {
        Section::Check => harness.check.as_ref().map(|check| {
            let outcomes = check.rungs.iter().flat_map(|report| &report.outcomes);
            let comparisons = outcomes.map(|outcome| outcome.measures.comparisons);
            (
                json(&check.parameters),
                comparisons.fold(0, u64::saturating_add),
            )
        }),
        Section::Fuzz => {
            let fuzz = harness.fuzz.as_ref();
            fuzz.map(|fuzz| (json(&fuzz.parameters), fuzz.comparisons))
        }
        Section::Mistakes => {
            let mistakes = harness.mistakes.as_ref();
            mistakes.map(|mistakes| (json(&mistakes.parameters), mistakes.planted))
        }
        Section::Bench => harness.bench.as_ref().map(|bench| {
            let rows = bench.report.rows.iter();
            let compared = rows.map(|row| row.oracles.len() as u64).sum();
            (json(&bench.parameters), compared)
        }),
        Section::BenchModel => harness.bench_model.as_ref().map(|bench| {
            let rows = bench.report.rows.iter();
            let compared = rows.map(|row| row.oracles.len() as u64).sum();
            (json(&bench.parameters), compared)
        }),
    };
    found.unwrap_or_default()
}
