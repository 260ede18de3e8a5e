//! Criterion: the harness notices every planted mistake.

use super::{Case, Criterion, Point, Status};
use crate::receipt::{KernelMistake, ModelMistakeRecord};

pub(super) const CRITERION: Criterion = Criterion {
    name: "mistakes",
    asks: "is every planted mistake caught, and located where it is?",
    judge,
};

fn judge(case: &Case<'_>) -> Vec<Point> {
    let sections = case
        .receipts
        .iter()
        .filter_map(|receipt| receipt.harness.mistakes.as_ref());
    let mut points = Vec::new();
    for section in sections {
        points.extend(section.kernels.iter().map(in_kernel));
        points.extend(section.models.iter().map(in_model));
    }
    points
}

fn in_kernel(row: &KernelMistake) -> Point {
    let what = format!("{} in {}", row.mistake, row.format);
    if row.caught.gate {
        return Point::passed(what);
    }
    Point::failed(what, format!("survives: {}", row.story))
}

fn in_model(row: &ModelMistakeRecord) -> Point {
    let what = format!("{} in a model", row.mistake);
    let at = row.first_node.as_ref();
    let at = at.map_or("no node".to_owned(), |node| format!("node {}", node.name));
    let status = match (row.gate, row.located) {
        (true, true) => Status::Passed(format!("located at {at}")),
        (false, _) => Status::Failed(format!("survives: {}", row.story)),
        (true, false) => Status::Failed(format!("located at {at}, which is not where it is")),
    };
    Point::new(what, status)
}
