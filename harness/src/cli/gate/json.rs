//! JSON output of the gate.

use serde::Serialize;

use super::machines;
use crate::finding::Finding;
use crate::gate::{Case, Judgement, Point, Status};

#[derive(Serialize)]
pub(super) struct GateResult<'a> {
    passed: bool,
    receipts: usize,
    commit: &'a str,
    machines: String,
    criteria: Vec<CriterionResult<'a>>,
}

#[derive(Serialize)]
struct CriterionResult<'a> {
    name: &'static str,
    asks: &'static str,
    points: Vec<PointResult<'a>>,
}

#[derive(Serialize)]
struct PointResult<'a> {
    what: &'a str,
    status: &'static str,
    /// The reason for a failure or a missing judgement, or a note on success.
    reason: &'a str,
    findings: &'a [Finding],
}

pub(super) fn of<'a>(case: &'a Case<'_>, judgement: &'a Judgement) -> GateResult<'a> {
    let answers = judgement.answers.iter();
    GateResult {
        passed: judgement.is_passed(),
        receipts: case.receipts.len(),
        commit: case.commit(),
        machines: machines(case),
        criteria: answers
            .map(|(criterion, points)| CriterionResult {
                name: criterion.name,
                asks: criterion.question,
                points: points.iter().map(point).collect(),
            })
            .collect(),
    }
}

fn point(point: &Point) -> PointResult<'_> {
    let (status, reason) = match &point.status {
        Status::Passed(note) => ("passed", note),
        Status::Failed(why) => ("failed", why),
        Status::NotHere(reason) => ("not_here", reason),
        Status::Skipped(reason) => ("skipped", reason),
    };
    PointResult {
        what: &point.what,
        status,
        reason,
        findings: &point.findings,
    }
}
