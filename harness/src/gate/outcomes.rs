//! Criteria over the compared pairs of checks: `levels`, `known-divergences` and `skips`.

use super::{Case, Point, Status};
use crate::known;
use crate::outcome::Outcome;
use crate::receipt::Section;
use crate::verdict::Verdict;

/// All compared pairs, each with the name of its model.
fn pairs<'a>(case: &Case<'a>) -> impl Iterator<Item = (String, &'a Outcome)> {
    case.receipts.iter().flat_map(|receipt| {
        let outcomes = receipt.harness.outcomes();
        outcomes.map(|outcome| (receipt.model_of(Section::Check), outcome))
    })
}

/// Candidates agree with oracles on every level.
pub(super) fn levels(case: &Case<'_>) -> Vec<Point> {
    let pairs = pairs(case).filter(|(_, outcome)| !known::is_listed(&outcome.candidate));
    let points = pairs.filter_map(|(model, outcome)| {
        let (status, note) = match outcome.verdict {
            // Known divergences and skips have their own criteria.
            Verdict::KnownDivergence | Verdict::Skipped | Verdict::Unsupported => return None,
            Verdict::Exact | Verdict::WithinNoiseFloor => {
                (Status::Passed, outcome.verdict.name().into())
            }
            Verdict::Divergent => {
                let measures = &outcome.measures;
                let (differ, all) = (measures.mismatches, measures.comparisons);
                (Status::Failed, format!("{differ} of {all} differ"))
            }
        };
        Some(point(pair(&model, outcome), status, note, outcome))
    });
    points.collect()
}

/// Known divergences of the oracles still reproduce, so that their list stays correct.
pub(super) fn known(case: &Case<'_>) -> Vec<Point> {
    let points = pairs(case).filter_map(|(model, outcome)| {
        let (status, note) = match outcome.verdict {
            Verdict::KnownDivergence => (
                Status::Passed,
                format!("{} results", outcome.measures.mismatches),
            ),
            _ if known::is_listed(&outcome.candidate) => (
                Status::Failed,
                "no longer reproduces: remove it from the list".into(),
            ),
            _ => return None,
        };
        let what = format!("{model}: {} of {}", outcome.candidate, outcome.reference);
        Some(point(what, status, note, outcome))
    });
    points.collect()
}

/// Lists omissions, so that they are not mistaken for passes. Never fails.
pub(super) fn skips(case: &Case<'_>) -> Vec<Point> {
    let mut points = Vec::new();
    for receipt in &case.receipts {
        let name = receipt.model_of(Section::Check);
        // Skips of a level are listed below, one for each pair.
        let whole = receipt
            .harness
            .skips
            .iter()
            .filter(|skip| skip.level.is_none());
        points.extend(whole.map(|skip| {
            let what = format!("{} {name}", skip.section);
            Point::omitted(what.trim_end(), &skip.omission)
        }));
        for outcome in receipt.harness.outcomes() {
            if let Some(omission) = &outcome.omitted {
                let in_part = if outcome.verdict.is_omission() {
                    ""
                } else {
                    ", in part"
                };
                let what = format!("{}{in_part}", pair(&name, outcome));
                points.push(Point::omitted(what, omission));
            }
        }
    }
    points
}

/// A point of a pair. If it failed, it has the findings.
fn point(what: String, status: Status, note: String, outcome: &Outcome) -> Point {
    let mut point = Point::new(what, status, note);
    if status == Status::Failed {
        point.findings.clone_from(&outcome.findings);
    }
    point
}

/// Name of a pair of implementations on a level of a model.
fn pair(model: &str, outcome: &Outcome) -> String {
    let (level, candidate, reference) = (outcome.level, &outcome.candidate, &outcome.reference);
    format!("{model}, level {level}: {candidate} against {reference}")
}
