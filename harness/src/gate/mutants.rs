//! Criterion: the levels catch every mutant.

use super::{Case, Criterion, Point, Status};
use crate::receipt::{KernelMutant, ModelMutantRecord};

pub(super) const CRITERION: Criterion = Criterion {
    name: "mutants",
    question: "is every mutant caught and located?",
    judge,
};

fn judge(case: &Case<'_>) -> Vec<Point> {
    let sections = case
        .receipts
        .iter()
        .filter_map(|receipt| receipt.harness.mutants.as_ref());
    let mut points = Vec::new();
    for section in sections {
        points.extend(section.kernels.iter().map(in_kernel));
        points.extend(section.models.iter().map(in_model));
    }
    points
}

fn in_kernel(row: &KernelMutant) -> Point {
    let what = format!("{} in {}", row.mutant, row.format);
    if row.caught.gate {
        return Point::passed(what);
    }
    Point::failed(what, format!("survives: {}", row.description))
}

fn in_model(row: &ModelMutantRecord) -> Point {
    let what = format!("{} in a model", row.mutant);
    let at = row.first_node.as_ref();
    let at = at.map_or("no node".to_owned(), |node| format!("node {}", node.name));
    let status = match (row.gate, row.located) {
        (true, true) => Status::Passed(format!("located at {at}")),
        (false, _) => Status::Failed(format!("survives: {}", row.description)),
        (true, false) => Status::Failed(format!("located at {at}, which is a wrong location")),
    };
    Point::new(what, status)
}
