//! Criterion: the timed kernels and models agree with the oracles.

use super::{Case, Criterion, Point, Status};
use crate::bench::report::Versus;

pub(super) const CRITERION: Criterion = Criterion {
    name: "bench",
    question: "did timed kernels and oracles compute the same results?",
    judge,
};

fn judge(case: &Case<'_>) -> Vec<Point> {
    let mut points = Vec::new();
    for receipt in &case.receipts {
        let of_kernels = receipt
            .harness
            .bench
            .iter()
            .flat_map(|bench| &bench.report.rows);
        for row in of_kernels {
            let (operation, shape, threads) = (&row.operation, row.shape(), row.threads);
            let what = format!("{operation} {shape}, {threads} threads, {}", row.kernel);
            points.extend(row.oracles.iter().map(|versus| point(&what, versus)));
        }
        if let Some(bench) = &receipt.harness.bench_model {
            for row in &bench.report.rows {
                let (phase, threads) = (row.phase.name(), row.threads);
                let what = format!("{phase} of {}, {threads} threads", bench.report.model.name);
                points.extend(row.oracles.iter().map(|versus| point(&what, versus)));
            }
        }
    }
    points
}

fn point(what: &str, versus: &Versus) -> Point {
    let what = format!("{what} against {}", versus.oracle);
    if versus.agrees() {
        return Point::passed(what);
    }
    let why = match versus.nmse {
        Some(nmse) => format!("results differ: normalised mean square error {nmse:.2e}"),
        None => "results differ: values that are not finite".into(),
    };
    Point::new(what, Status::Failed(why))
}
