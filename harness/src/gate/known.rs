//! Criterion: known divergences of the oracles still reproduce, so that their list stays correct.

use super::case::model_of;
use super::{Case, Criterion, Point, Status};
use crate::known;
use crate::verdict::Verdict;

pub(super) const CRITERION: Criterion = Criterion {
    name: "known-divergences",
    question: "does every known divergence of an oracle still reproduce?",
    judge,
};

fn judge(case: &Case<'_>) -> Vec<Point> {
    let mut points = Vec::new();
    for receipt in &case.receipts {
        let name = model_of(receipt);
        for outcome in receipt.harness.outcomes() {
            let reproduces = outcome.verdict == Verdict::KnownDivergence;
            if !reproduces && !known::is_listed(&outcome.candidate) {
                continue;
            }
            let what = format!("{name}: {} of {}", outcome.candidate, outcome.reference);
            let status = if reproduces {
                Status::Passed(format!("{} results", outcome.measures.mismatches))
            } else {
                Status::Failed("no longer reproduces: remove it from the list".into())
            };
            points.push(Point {
                findings: match status {
                    Status::Failed(_) => outcome.findings.clone(),
                    _ => Vec::new(),
                },
                what,
                status,
            });
        }
    }
    points
}
