//! Criteria over the other sections of receipts: `fuzz`, `mutants` and `bench`.

use super::{Case, Point, Status};
use crate::bench::timing::Versus;
use crate::mutant::{KernelMutant, ModelMutantRecord};
use crate::receipt::{FuzzFinding, Harness};

fn harnesses<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a Harness> {
    case.receipts.iter().map(|receipt| &receipt.harness)
}

/// Random cases found no difference.
pub(super) fn fuzz(case: &Case<'_>) -> Vec<Point> {
    let found = |found: &FuzzFinding| {
        let (case, candidate) = (&found.case, &found.candidate);
        let what = format!("case {case}: {candidate} against {}", found.reference);
        Point {
            findings: vec![found.finding.clone()],
            ..Point::new(what, Status::Failed, "they differ")
        }
    };
    let mut points = Vec::new();
    for fuzz in harnesses(case).filter_map(|harness| harness.fuzz.as_ref()) {
        points.extend(fuzz.findings.iter().map(found));
        if fuzz.findings.is_empty() && fuzz.comparisons > 0 {
            let shards: Vec<String> = fuzz.shards.held.iter().map(u64::to_string).collect();
            let (seed, count) = (fuzz.parameters.seed, fuzz.shards.count);
            let what = format!("seed {seed}, shard {} of {count}", shards.join(", "));
            let note = format!("{} cases", fuzz.cases);
            points.push(Point::new(what, Status::Passed, note));
        }
    }
    points
}

/// The levels catch every mutant.
pub(super) fn mutants(case: &Case<'_>) -> Vec<Point> {
    let mut points = Vec::new();
    for section in harnesses(case).filter_map(|harness| harness.mutants.as_ref()) {
        points.extend(section.kernels.iter().map(in_kernel));
        points.extend(section.models.iter().map(in_model));
    }
    points
}

fn in_kernel(row: &KernelMutant) -> Point {
    let what = format!("{} in {}", row.mutant, row.format);
    if row.caught.gate {
        return Point::new(what, Status::Passed, "");
    }
    Point::new(
        what,
        Status::Failed,
        format!("survives: {}", row.description),
    )
}

fn in_model(row: &ModelMutantRecord) -> Point {
    let at = row.first_node.as_ref();
    let at = at.map_or("no node".to_owned(), |node| format!("node {}", node.name));
    let (status, note) = match (row.gate, row.located) {
        (true, true) => (Status::Passed, format!("located at {at}")),
        (false, _) => (Status::Failed, format!("survives: {}", row.description)),
        (true, false) => (
            Status::Failed,
            format!("located at {at}, which is a wrong location"),
        ),
    };
    Point::new(format!("{} in a model", row.mutant), status, note)
}

/// The timed kernels and models agree with the oracles.
pub(super) fn bench(case: &Case<'_>) -> Vec<Point> {
    let mut points = Vec::new();
    for bench in harnesses(case).flat_map(Harness::benches) {
        let report = &bench.report;
        let model = report.model.iter().map(|model| format!("{}: ", model.name));
        let model: String = model.collect();
        for row in &report.rows {
            let (words, threads, kernel) = (row.words(), row.threads, report.kernel(row));
            let what = format!("{model}{words}, {threads} threads, {kernel}");
            points.extend(row.oracles.iter().map(|versus| timed(&what, versus)));
        }
    }
    points
}

fn timed(what: &str, versus: &Versus) -> Point {
    let what = format!("{what} against {}", versus.oracle);
    if versus.agrees() {
        return Point::new(what, Status::Passed, "");
    }
    let why = match versus.nmse {
        Some(nmse) => format!("results differ: normalised mean square error {nmse:.2e}"),
        None => "results differ: values that are not finite".into(),
    };
    Point::new(what, Status::Failed, why)
}
