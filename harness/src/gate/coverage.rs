//! Criterion: the receipts cover the baseline.

use std::collections::BTreeMap;

use super::{Case, Point, Status};
use crate::baseline::{Change, Entry, Group, changes, groups};

pub(super) fn judge(case: &Case<'_>) -> Vec<Point> {
    let all = changes(case.baseline, &case.now);
    let mut lost: Vec<&Change<'_>> = Vec::new();
    let mut not_here: BTreeMap<String, Vec<&Change<'_>>> = BTreeMap::new();
    let losses = all.iter().filter(|change| change.is_loss());
    for change in losses.filter(|change| !is_of_lost_kernel(case, change)) {
        let reason = case.unavailable(change.arch, change.entry);
        match reason.or_else(|| other_build(case, change)) {
            Some(reason) => not_here.entry(reason).or_default().push(change),
            None => lost.push(change),
        }
    }
    let is_lost = !lost.is_empty();
    let mut points: Vec<Point> = groups(lost, &case.now).into_iter().map(failed).collect();
    for (reason, changes) in not_here {
        points.extend(groups(changes, &case.now).iter().map(|group| {
            let what = format!("{} on {}", group.what, group.arch);
            Point::new(what, Status::NotHere, &reason)
        }));
    }
    if is_lost {
        return points;
    }
    let note = match all.iter().filter(|change| !change.is_loss()).count() {
        0 => String::new(),
        n => format!("{n} more than in the baseline; add with `harness baseline accept`"),
    };
    let targets = case.baseline.targets.keys();
    let judged = targets.filter(|arch| case.now.targets.contains_key(*arch));
    points.extend(
        judged.map(|arch| Point::new(format!("all else on {arch}"), Status::Passed, &note)),
    );
    points
}

/// Whether the change is reported by the criterion `kernels`, because its kernel did not run.
fn is_of_lost_kernel(case: &Case<'_>, change: &Change<'_>) -> bool {
    let ran = |baseline: &crate::baseline::Baseline, id: &str| {
        let target = baseline.targets.get(change.arch);
        target.is_some_and(|target| target.kernels.contains(id))
    };
    match change.entry {
        Entry::Kernel(_) => true,
        Entry::Pair(pair) => ran(case.baseline, pair.candidate) && !ran(&case.now, pair.candidate),
        _ => false,
    }
}

/// The reason why a lower count does not fail, if the oracle is another build. Builds reject different inputs and have
/// different known divergences, so their counts are not comparable.
fn other_build(case: &Case<'_>, change: &Change<'_>) -> Option<String> {
    let Entry::Pair(pair) = change.entry else {
        return None;
    };
    let is_other = change.is > 0 && !case.has_same_arithmetic(change.arch, pair.oracle);
    is_other.then(|| "the oracle is another build, so that counts are not comparable".into())
}

fn failed(group: Group) -> Point {
    let what = format!("{} on {}", group.what, group.arch);
    let why = match (group.entries, group.is) {
        (1, 0) => "is no longer covered".into(),
        (n, 0) => format!("is no longer covered ({n} items)"),
        _ => format!("{} where there were {}", group.is, group.was),
    };
    Point::new(
        what,
        Status::Failed,
        format!("{why}; {} covers it", group.commands),
    )
}
