//! Section of the speed: the Rust implementation relative to each oracle and to the roofs, with confidence intervals.

use super::{figure, several};
use crate::bench::doubt::{self, Doubt};
use crate::bench::report::{Roofs, Versus};
use crate::bench::statistics::Median;
use crate::receipt::{Receipt, Section as Work};
use crate::report::collection::{Collection, model_of};
use crate::report::error::ReportError;
use crate::report::page::{Block, Line, Section, Table};
use crate::report::plot::{Axis, Measured, PlotRow, draw_rows};
use crate::wording::{percent, ratio, seconds};

/// A row of a bench of kernels or of a model.
struct Timed<'a> {
    label: String,
    time: &'a Median,
    versus: &'a [Versus],
    roofs: &'a Roofs,
    gain: Option<(f64, f64)>,
    doubts: &'a [Doubt],
}

/// The section.
///
/// # Errors
///
/// [`ReportError::Draw`].
pub(super) fn section(collection: &Collection) -> Result<Section, ReportError> {
    let mut blocks = Vec::new();
    for work in [Work::Bench, Work::BenchModel] {
        for receipt in collection.current(work) {
            blocks.extend(of_bench(receipt, work)?);
        }
    }
    if blocks.is_empty() {
        blocks.push(Block::Text(Line::text("No receipt contains times.")));
    } else {
        let words = "A ratio is the time of the oracle divided by that of the Rust implementation, timed alternately \
                     in one process. Above 1, the Rust implementation is faster. Brackets contain the 95 % confidence \
                     interval of the median. A roof is an upper limit of the speed on the machine: reading the \
                     weights, or the multiply-adds on registers alone. The percentage is the fraction of the roof \
                     that was reached. Times in doubt are not part of baselines and trends.";
        blocks.insert(0, Block::Text(Line::text(words)));
    }
    Ok(super::section("speed", "Speed", blocks))
}

/// The number of ratios of all benches of a kind without doubts, and the lowest one, as text.
pub(super) fn slowest(receipts: &[&Receipt], work: Work) -> String {
    let all = receipts.iter().flat_map(|receipt| rows(receipt, work));
    let all = all.filter(|row| row.doubts.is_empty());
    let ratios = all.flat_map(|row| {
        row.versus
            .iter()
            .map(|versus| versus.ratio)
            .collect::<Vec<_>>()
    });
    let ratios: Vec<Median> = ratios.collect();
    let least = ratios.iter().min_by(|a, b| a.value.total_cmp(&b.value));
    match least {
        Some(least) => format!(
            "{}, the lowest {}",
            several(ratios.len(), "ratio"),
            ratio(least)
        ),
        None => "no times without doubts".into(),
    }
}

fn rows(receipt: &Receipt, work: Work) -> Vec<Timed<'_>> {
    let harness = &receipt.harness;
    let plural = |n: usize| several(n, "thread");
    match (work, &harness.bench, &harness.bench_model) {
        (Work::Bench, Some(bench), _) => {
            let report = &bench.report;
            let of = |row| -> Timed<'_> {
                let row: &crate::bench::report::Row = row;
                Timed {
                    label: format!(
                        "{} {} {} {}",
                        row.operation,
                        row.shape(),
                        row.kernel,
                        plural(row.threads)
                    ),
                    time: &row.time.seconds,
                    versus: &row.oracles,
                    roofs: &row.roofs,
                    gain: report.scaling(row),
                    doubts: &row.doubts,
                }
            };
            report.rows.iter().map(of).collect()
        }
        (Work::BenchModel, _, Some(bench)) => {
            let report = &bench.report;
            let of = |row| -> Timed<'_> {
                let row: &crate::bench::model::report::ModelRow = row;
                Timed {
                    label: format!(
                        "{} {} after {}, {}, {:.1} tokens/s",
                        row.phase.name(),
                        several(row.tokens, "token"),
                        row.context,
                        plural(row.threads),
                        row.tokens_per_second
                    ),
                    time: &row.time.seconds,
                    versus: &row.oracles,
                    roofs: &row.roofs,
                    gain: report.scaling(row),
                    doubts: &row.doubts,
                }
            };
            report.rows.iter().map(of).collect()
        }
        _ => Vec::new(),
    }
}

fn of_bench(receipt: &Receipt, work: Work) -> Result<Vec<Block>, ReportError> {
    let rows = rows(receipt, work);
    let harness = &receipt.harness;
    let (what, build) = match (work, &harness.bench, &harness.bench_model) {
        (Work::BenchModel, _, Some(bench)) => (
            format!("Model {}", model_of(receipt, work)),
            &bench.report.build,
        ),
        (_, Some(bench), _) => ("Kernels".to_owned(), &bench.report.build),
        _ => return Ok(Vec::new()),
    };
    let run = harness.runs.iter().find(|run| run.section == work);
    let cpu = run
        .map_or(&receipt.environment, |run| &run.environment)
        .cpu_in_full();
    let mut blocks = vec![Block::Heading(format!("{what} on {cpu}"))];
    if build != "optimized" {
        let words = format!("A {build} build of the Rust implementation: its times mean little.");
        blocks.push(Block::Text(Line::default().and_strong(words)));
    }
    let mut oracles: Vec<&str> = Vec::new();
    for versus in rows.iter().flat_map(|row| row.versus) {
        if !oracles.contains(&versus.oracle.as_str()) {
            oracles.push(&versus.oracle);
        }
    }
    blocks.push(table(&what, &rows, &oracles).block());
    // The number of colours in a plot is limited, so more oracles are drawn in several plots.
    let figures = oracles
        .chunks(3)
        .map(|oracles| draw(&what, &rows, oracles))
        .collect::<Result<Vec<_>, ReportError>>()?;
    blocks.push(Block::Figures(figures));
    if let Some(bench) = harness.bench.as_ref().filter(|_| work == Work::Bench) {
        let mut table = Table::new(
            "What a call costs before any arithmetic",
            &["implementation", "threads#", "time#"],
        );
        for cost in &bench.report.call_costs {
            table.row([
                Line::code(&cost.implementation),
                Line::text(cost.threads.to_string()),
                Line::text(seconds(cost.seconds.value)),
            ]);
        }
        blocks.push(table.block());
    }
    Ok(blocks)
}

fn table(what: &str, rows: &[Timed<'_>], oracles: &[&str]) -> Table {
    let headings: Vec<String> = oracles.iter().map(|oracle| format!("{oracle}#")).collect();
    let mut columns = vec!["row", "time#"];
    columns.extend(headings.iter().map(String::as_str));
    columns.extend([
        "read roof#",
        "multiply-add roof#",
        "to 1 thread#",
        "in doubt",
    ]);
    let mut table = Table::new(format!("{what}: times, ratios and roofs"), &columns);
    for row in rows {
        let mut cells = vec![Line::text(&row.label), Line::text(seconds(row.time.value))];
        cells.extend(oracles.iter().map(|oracle| {
            let versus = row.versus.iter().find(|versus| versus.oracle == *oracle);
            Line::text(versus.map_or("-".into(), |versus| ratio(&versus.ratio)))
        }));
        let multiply_add = row.roofs.multiply_add_roof.as_ref();
        cells.extend([
            Line::text(percent(row.roofs.read_roof.share.value)),
            Line::text(multiply_add.map_or("-".into(), |roof| {
                format!("{} of {}", percent(roof.share.value), roof.instruction)
            })),
            Line::text(row.gain.map_or("-".into(), |(own, read)| {
                format!("{own:.2}x (reading {read:.2}x)")
            })),
            Line::text(match row.doubts {
                [] => "-".into(),
                doubts => doubt::words(doubts),
            }),
        ]);
        table.row(cells);
    }
    table
}

fn draw(
    what: &str,
    rows: &[Timed<'_>],
    oracles: &[&str],
) -> Result<crate::report::page::Figure, ReportError> {
    let measured = |median: &Median| Measured {
        value: median.value,
        interval: Some((median.low, median.high)),
    };
    let plotted: Vec<PlotRow> = rows
        .iter()
        .map(|row| {
            let (roof, share) = row.roofs.nearest();
            let mark = |oracle: &&str| {
                let versus = row.versus.iter().find(|versus| versus.oracle == *oracle);
                versus.map(|versus| measured(&versus.ratio))
            };
            PlotRow {
                label: format!(
                    "{} ({} of {} roof)",
                    row.label,
                    percent(share.value),
                    roof.name()
                ),
                marks: oracles.iter().map(mark).collect(),
            }
        })
        .collect();
    let of = |oracle: &&str| {
        let all = rows
            .iter()
            .flat_map(|row| row.versus)
            .filter(|versus| versus.oracle == *oracle);
        let (all, faster) = all.fold((0, 0), |(all, faster), versus| {
            (all + 1, faster + usize::from(versus.ratio.low > 1.0))
        });
        format!(
            "significantly faster than {oracle} in {faster} of {}",
            several(all, "row")
        )
    };
    let words: Vec<String> = oracles.iter().map(of).collect();
    let series: Vec<String> = oracles.iter().map(|oracle| (*oracle).to_owned()).collect();
    let axis =
        "time of the oracle / time of the Rust implementation; bars: 95 % confidence intervals";
    figure(
        format!("{what} against {}", series.join(", ")),
        format!("{}.", words.join("; ")),
        draw_rows(&series, &plotted, Axis::Ratio, axis),
    )
}
