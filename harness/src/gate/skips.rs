//! Criterion: lists omissions, so that they are not mistaken for passes. Never fails.

use super::case::model_of;
use super::levels::pair;
use super::{Case, Criterion, Point, Status};

pub(super) const CRITERION: Criterion = Criterion {
    name: "skips",
    question: "what was skipped, entirely or in part?",
    judge,
};

fn judge(case: &Case<'_>) -> Vec<Point> {
    let mut points = Vec::new();
    for receipt in &case.receipts {
        let name = model_of(receipt);
        // Skips of a level are listed below, one for each pair.
        for skip in receipt
            .harness
            .skips
            .iter()
            .filter(|skip| skip.level.is_none())
        {
            let what = format!("{} {name}", skip.section);
            points.push(Point::new(
                what.trim_end(),
                Status::Skipped(skip.reason.clone()),
            ));
        }
        for outcome in receipt.harness.outcomes() {
            if let Some(omission) = &outcome.omitted {
                let in_part = if outcome.verdict.is_omission() {
                    ""
                } else {
                    ", in part"
                };
                let what = format!("{}{in_part}", pair(&name, outcome));
                points.push(Point::new(what, Status::Skipped(omission.to_string())));
            }
        }
    }
    points
}
