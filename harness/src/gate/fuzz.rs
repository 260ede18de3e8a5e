//! Criterion: random cases found no difference.

use super::{Case, Criterion, Point, Status};
use crate::receipt::FuzzFinding;

pub(super) const CRITERION: Criterion = Criterion {
    name: "fuzz",
    question: "did random cases find no difference?",
    judge,
};

fn judge(case: &Case<'_>) -> Vec<Point> {
    let sections = case
        .receipts
        .iter()
        .filter_map(|receipt| receipt.harness.fuzz.as_ref());
    let mut points = Vec::new();
    for fuzz in sections {
        points.extend(fuzz.findings.iter().map(found));
        if fuzz.findings.is_empty() && fuzz.comparisons > 0 {
            let shards: Vec<String> = fuzz.shards.held.iter().map(u64::to_string).collect();
            let (seed, count) = (fuzz.parameters.seed, fuzz.shards.count);
            let what = format!("seed {seed}, shard {} of {count}", shards.join(", "));
            points.push(Point::new(
                what,
                Status::Passed(format!("{} cases", fuzz.cases)),
            ));
        }
    }
    points
}

fn found(found: &FuzzFinding) -> Point {
    let FuzzFinding {
        case,
        candidate,
        reference,
        finding,
    } = found;
    Point {
        what: format!("case {case}: {candidate} against {reference}"),
        status: Status::Failed("they differ".into()),
        findings: vec![finding.clone()],
    }
}
