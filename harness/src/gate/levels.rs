//! Criterion: candidates agree with oracles on every level.

use super::case::model_of;
use super::{Case, Criterion, Point, Status};
use crate::known;
use crate::outcome::Outcome;
use crate::verdict::Verdict;

pub(super) const CRITERION: Criterion = Criterion {
    name: "levels",
    question: "do all candidates agree with all oracles on every level?",
    judge,
};

fn judge(case: &Case<'_>) -> Vec<Point> {
    let mut points = Vec::new();
    for receipt in &case.receipts {
        let name = model_of(receipt);
        for outcome in receipt.harness.outcomes() {
            let what = pair(&name, outcome);
            match outcome.verdict {
                // Known divergences and skips have their own criteria.
                _ if known::is_listed(&outcome.candidate) => {}
                Verdict::KnownDivergence | Verdict::Skipped | Verdict::Unsupported => {}
                Verdict::Exact | Verdict::WithinNoiseFloor => {
                    let note = outcome.verdict.name().into();
                    points.push(Point::new(what, Status::Passed(note)));
                }
                Verdict::Divergent => points.push(Point {
                    what,
                    status: Status::Failed(differ(outcome)),
                    findings: outcome.findings.clone(),
                }),
            }
        }
    }
    points
}

/// Name of a pair of implementations on a level of a model.
pub(super) fn pair(model: &str, outcome: &Outcome) -> String {
    let Outcome {
        level,
        candidate,
        reference,
        ..
    } = outcome;
    format!("{model}, level {level}: {candidate} against {reference}")
}

fn differ(outcome: &Outcome) -> String {
    let measures = &outcome.measures;
    format!("{} of {} differ", measures.mismatches, measures.comparisons)
}
