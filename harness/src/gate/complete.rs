//! Criterion: every run compared something, and no shard is missing.

use std::collections::{BTreeMap, BTreeSet};

use super::{Case, Point, Status};
use crate::receipt::{Section, Shards};

/// The shards that the receipts have of one work, and their number of comparisons.
#[derive(Default)]
struct Work {
    held: BTreeSet<u64>,
    comparisons: u64,
}

/// Identity of a work: architecture, section, description, parameters, and number of shards.
type Key = (String, Section, String, String, u64);

pub(super) fn judge(case: &Case<'_>) -> Vec<Point> {
    let mut works: BTreeMap<Key, Work> = BTreeMap::new();
    for receipt in &case.receipts {
        for contents in receipt.harness.contents() {
            let (section, shards) = (contents.section(), contents.shards());
            let parameters = contents.parameters().to_string();
            let model = receipt.model_info.as_ref();
            let model = model.filter(|_| section == Section::Check);
            let subject = model.map(|model| format!(" of {}", model.name()));
            let key = (
                receipt.environment.arch.clone(),
                section,
                subject.unwrap_or_default(),
                model.map_or(parameters.clone(), |model| parameters + &model.sha256),
                shards.count,
            );
            let work = works.entry(key).or_default();
            work.held.extend(shards.held);
            work.comparisons = work.comparisons.saturating_add(contents.comparisons());
        }
    }
    works.into_iter().map(point).collect()
}

fn point(((arch, section, subject, _, count), work): (Key, Work)) -> Point {
    let what = format!("{section}{subject} on {arch}");
    let missing = Shards::new(count, work.held).missing();
    let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let (status, note) = match &missing[..] {
        _ if work.comparisons == 0 => (Status::Failed, "nothing was compared".into()),
        [] => (Status::Passed, format!("{} comparisons", work.comparisons)),
        [first, ..] => {
            let (all, rerun) = (missing.join(", "), format!("`--shard {first}/{count}`"));
            let why = format!("missing: shard {all}; the same command with {rerun} covers it");
            (Status::Failed, why)
        }
    };
    Point::new(what, status, note)
}
