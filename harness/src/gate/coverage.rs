//! Criterion: the receipts cover the baseline.

use super::{Case, Criterion, Point, Status};
use crate::baseline::{Change, Entry, Group, changes, groups};

pub(super) const CRITERION: Criterion = Criterion {
    name: "coverage",
    question: "is every entry of the baseline covered?",
    judge,
};

fn judge(case: &Case<'_>) -> Vec<Point> {
    let all = changes(case.baseline, &case.now);
    let (mut lost, mut not_here): (Vec<&Change<'_>>, Vec<(String, &Change<'_>)>) =
        Default::default();
    for change in all
        .iter()
        .filter(|change| change.is_loss() && !is_of_lost_kernel(case, change))
    {
        match case
            .unavailable(change.arch, change.entry)
            .or_else(|| other_build(case, change))
        {
            Some(reason) => not_here.push((reason, change)),
            None => lost.push(change),
        }
    }
    let mut points: Vec<Point> = groups(lost, &case.now).into_iter().map(failed).collect();
    not_here.sort_by(|a, b| a.0.cmp(&b.0));
    for of_reason in not_here.chunk_by(|a, b| a.0 == b.0) {
        let reason = &of_reason[0].0;
        let groups = groups(of_reason.iter().map(|(_, change)| *change), &case.now);
        points.extend(groups.iter().map(|group| {
            let what = format!("{} on {}", group.what, group.arch);
            Point::new(what, Status::NotHere(reason.clone()))
        }));
    }
    let gained = all.iter().filter(|change| !change.is_loss()).count();
    for (arch, _) in case
        .baseline
        .targets
        .iter()
        .filter(|(arch, _)| case.now.targets.contains_key(*arch))
    {
        if points.iter().all(|point| !point.status.is_failure()) {
            let note = match gained {
                0 => String::new(),
                n => format!("{n} more than in the baseline; add with `harness baseline accept`"),
            };
            points.push(Point::new(
                format!("all else on {arch}"),
                Status::Passed(note),
            ));
        }
    }
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
        Entry::Pair { candidate, .. } => {
            ran(case.baseline, candidate) && !ran(&case.now, candidate)
        }
        _ => false,
    }
}

/// The reason why a lower count does not fail, if the oracle is another build. Builds reject different inputs and have
/// different known divergences, so their counts are not comparable.
fn other_build(case: &Case<'_>, change: &Change<'_>) -> Option<String> {
    let Entry::Pair { oracle, .. } = change.entry else {
        return None;
    };
    let is_other = change.is > 0 && !case.has_same_arithmetic(change.arch, oracle);
    is_other.then(|| "the oracle is another build, so that counts are not comparable".into())
}

fn failed(group: Group) -> Point {
    let what = format!("{} on {}", group.what, group.arch);
    let why = match (group.entries, group.is) {
        (1, 0) => "is no longer covered".into(),
        (n, 0) => format!("is no longer covered ({n} items)"),
        _ => format!("{} where there were {}", group.is, group.was),
    };
    Point::failed(what, format!("{why}; {} covers it", group.commands))
}
