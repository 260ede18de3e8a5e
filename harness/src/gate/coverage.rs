//! Criterion: whatever used to be compared still is.

use super::{Case, Criterion, Point, Status};
use crate::baseline::{Change, Fact, Group, changes, groups};

pub(super) const CRITERION: Criterion = Criterion {
    name: "coverage",
    asks: "is everything compared that used to be?",
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
            .excuse(change.arch, change.fact)
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
                n => format!("{n} more than in the baseline: accept it when it is to stay"),
            };
            points.push(Point::new(
                format!("all else on {arch}"),
                Status::Passed(note),
            ));
        }
    }
    points
}

/// A kernel that did not run has a criterion of its own.
fn is_of_lost_kernel(case: &Case<'_>, change: &Change<'_>) -> bool {
    let ran = |baseline: &crate::baseline::Baseline, id: &str| {
        let target = baseline.targets.get(change.arch);
        target.is_some_and(|target| target.kernels.contains(id))
    };
    match change.fact {
        Fact::Kernel(_) => true,
        Fact::Pair { candidate, .. } => ran(case.baseline, candidate) && !ran(&case.now, candidate),
        _ => false,
    }
}

/// Another build of an oracle is defined on, and wrong about, other inputs: what is less there says nothing.
fn other_build(case: &Case<'_>, change: &Change<'_>) -> Option<String> {
    let Fact::Pair { oracle, .. } = change.fact else {
        return None;
    };
    let is_other = change.is > 0 && !case.computes_the_same(change.arch, oracle);
    is_other.then(|| "the oracle is another build, so that counts are not comparable".into())
}

fn failed(group: Group) -> Point {
    let what = format!("{} on {}", group.what, group.arch);
    let why = match (group.facts, group.is) {
        (1, 0) => "is no longer covered".into(),
        (n, 0) => format!("is no longer covered ({n} items)"),
        _ => format!("{} where there were {}", group.is, group.was),
    };
    Point::failed(what, format!("{why}; {} covers it", group.commands))
}
