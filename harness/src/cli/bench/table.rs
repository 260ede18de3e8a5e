//! The table of a bench, with one row for each computation and number of threads.

use comfy_table::Table;

use crate::bench::doubt;
use crate::bench::report::{Computation, Report, Row};
use crate::cli::style;
use crate::wording::{or_dash, percent, ratio, seconds};

/// The table of a report, with a column for each of these oracles.
pub(super) fn table(report: &Report, oracles: &[String]) -> Table {
    let own: [&str; 6] = match report.model {
        None => [
            "operation",
            "shape",
            "weights in",
            "kernel",
            "threads",
            "time",
        ],
        Some(_) => ["phase", "tokens", "after", "tokens/s", "threads", "time"],
    };
    let numbers = if report.model.is_some() { 1..6 } else { 4..6 };
    let mut headings = own.to_vec();
    headings.extend(oracles.iter().map(String::as_str));
    headings.extend(["of the roof", "to 1 thread", "in doubt"]);
    let mut table = style::table(&headings, numbers);
    for row in &report.rows {
        let mut cells = computation(row).to_vec();
        cells.extend([row.threads.to_string(), seconds(row.time.seconds.value)]);
        for oracle in oracles {
            cells.push(or_dash(row.against(oracle), |versus| ratio(&versus.ratio)));
        }
        let (roof, share) = row.roofs.nearest();
        cells.push(format!("{} {}", percent(share.value), roof.name()));
        cells.push(or_dash(report.scaling(row), |(own, read)| {
            format!("{own:.2}x (read {read:.2}x)")
        }));
        cells.push(doubt::words(&row.doubts));
        table.add_row(cells);
    }
    table
}

fn computation(row: &Row) -> [String; 4] {
    match &row.computation {
        Computation::Product(product) => [
            product.operation.clone(),
            product.shape(),
            product.residence.name().into(),
            product.kernel.clone(),
        ],
        Computation::Evaluation(evaluation) => [
            evaluation.phase.name().into(),
            evaluation.tokens.to_string(),
            evaluation.context.to_string(),
            or_dash(row.tokens_per_second(), |rate| format!("{rate:.1}")),
        ],
    }
}
